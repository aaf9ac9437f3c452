# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What a rotation of 10, 100 and 1,000 groups costs with this collection, and with what one would use otherwise."""
