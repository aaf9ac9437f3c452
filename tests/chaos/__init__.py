# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Every operation, killed before and after each call that changes something, under live clients: it arrives all the
same.

``python -m chaos`` (``make chaos``) runs them all and prints a table; ``tests/integration/security/test_chaos.py`` runs
a few kill points of each. An operation is added in ``operations.py``.
"""
