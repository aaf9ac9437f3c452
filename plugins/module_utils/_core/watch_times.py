# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""For how long a metric can be watched, and in which periods. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

from .errors import AuthError

#: What GetMetricData takes besides the multiples of a minute, seconds.
_SHORT_PERIODS = (1, 5, 10, 30)
_MINUTE = 60
#: The options of the module that watches.
OPTIONS = {name: name for name in ("watch_time", "delay", "limit", "period")}


def check_watch_times(
    watch_time: float, delay: float, limit: int, period: int, names: Mapping[str, str] = OPTIONS
) -> None:
    """Raise :class:`AuthError` for what makes no sense. ``names``: how whoever gave the values calls them."""
    for name, value in ((names["watch_time"], watch_time), (names["delay"], delay)):
        if not 0 < value < math.inf:
            raise AuthError(f"{name}: {value} is no time to watch or pause; give seconds above 0.")
    if limit < 0:
        raise AuthError(f"{names['limit']}: {limit} would always be exceeded; give 0 or more failures.")
    if period not in _SHORT_PERIODS and (period < _MINUTE or period % _MINUTE):
        raise AuthError(
            f"{names['period']}: CloudWatch has none of {period} seconds; give 1, 5, 10, 30 or a multiple of 60."
        )
    if watch_time < period:
        raise AuthError(
            f"{names['watch_time']}: {watch_time:g} seconds are less than one period of {period}, and only periods "
            "that begin while it watches count: nothing would be seen. Raise "
            f"{names['watch_time']}, better to some minutes."
        )
