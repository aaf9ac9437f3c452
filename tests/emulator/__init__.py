# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A local ElastiCache: the API (``control``) and the nodes (``data_plane``). Start it with ``python -m emulator``."""
