# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The facts as questions: each row of ``docs/elasticache-facts.md`` asked of an endpoint, the emulator or AWS.

``rows`` has the questions and what the facts expect; ``access``, ``user_groups``, ``encryption``, ``others`` ask them;
``made`` owns what is made for it, and removes it; ``report`` compares and writes.
"""
