# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Do one thing for many groups at once, in a bounded number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

#: API calls under way at once, and with them the connections that a client keeps.
MAX_THREADS = 16

K = TypeVar("K")
R = TypeVar("R")


def fan_out(keys: Iterable[K], work: Callable[[K], R], threads: int = MAX_THREADS) -> dict[K, R | Exception]:
    """Return ``work(key)`` for every key, or the exception it raised: one key's failure never stops another's."""
    keys = list(dict.fromkeys(keys))

    def guarded(key: K) -> R | Exception:
        try:
            return work(key)
        except Exception as error:  # pylint: disable=broad-exception-caught
            return error

    if len(keys) <= 1:
        return {key: guarded(key) for key in keys}
    with ThreadPoolExecutor(max_workers=min(threads, len(keys))) as pool:
        return dict(zip(keys, pool.map(guarded, keys), strict=True))
