# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""One group's script against a model of AWS: no network, no threads, no waiting. A run follows from its seed."""
