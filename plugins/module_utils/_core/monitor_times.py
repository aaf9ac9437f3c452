# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""For how long a metric can be monitored, and in which periods. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

from .errors import AuthError

#: What GetMetricData takes besides the multiples of a minute, seconds.
_SHORT_PERIODS = (1, 5, 10, 30)
_MINUTE = 60
#: The options of the module that monitors.
OPTIONS = {name: name for name in ("duration", "poll_interval", "max_failures", "period")}


def check_monitor_times(
    duration: float, poll_interval: float, max_failures: int, period: int, names: Mapping[str, str] = OPTIONS
) -> None:
    """Raise :class:`AuthError` for what makes no sense. ``names``: how whoever gave the values calls them."""
    for name, value in ((names["duration"], duration), (names["poll_interval"], poll_interval)):
        if not 0 < value < math.inf:
            raise AuthError(f"{name}: {value} is not possible; give seconds above 0.")
    if max_failures < 0:
        raise AuthError(f"{names['max_failures']}: {max_failures} would always be exceeded; give 0 or more failures.")
    if period not in _SHORT_PERIODS and (period < _MINUTE or period % _MINUTE):
        raise AuthError(
            f"{names['period']}: CloudWatch has none of {period} seconds; give 1, 5, 10, 30 or a multiple of 60."
        )
    if duration < period:
        raise AuthError(
            f"{names['duration']}: {duration:g} seconds are less than one period of {period}, and only periods "
            "that begin within them count: nothing would be seen. Raise "
            f"{names['duration']}, better to some minutes."
        )
