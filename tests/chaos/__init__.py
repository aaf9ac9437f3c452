# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Every journey, killed before and after each call that changes something, under live clients: it arrives all the same.

``python -m chaos`` (``make chaos``) runs them all and prints a table; ``tests/integration/test_chaos.py`` runs a few
kill points of each. A journey is added in ``journeys.py``.
"""
