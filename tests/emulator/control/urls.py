# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Where moto's server finds ElastiCache."""

from __future__ import annotations

from .responses import Response

url_bases = [r"https?://elasticache\.(.+)\.amazonaws\.com"]
url_paths = {"{0}/$": Response.dispatch}
