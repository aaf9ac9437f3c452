# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Every supported version: what the collection is tried on, and the trial."""
