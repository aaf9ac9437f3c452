# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Answers of AWS by the page, of actions that name the next page by a token."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from .clients import Clients


def pages_of(clients: Clients, call: Any, token: str, **parameters: Any) -> Iterator[dict[str, Any]]:
    """Yield every page of ``call``, riding out throttling.

    ``token``: what its parameter for the next page is called, and the member of its answer.
    Raises botocore's exceptions.
    """
    following: dict[str, str] = {}
    while True:
        page: dict[str, Any] = clients.patiently(functools.partial(call, **parameters, **following))
        yield page
        if not page.get(token):
            return
        following = {token: page[token]}
