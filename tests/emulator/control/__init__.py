# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The control plane: the ElastiCache API with what moto lacks, on moto's server."""
