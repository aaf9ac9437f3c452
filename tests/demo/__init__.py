# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""``make demo``: a token rotated under live clients, against the emulator, by the playbook elasticache.auth.demo."""
