# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One journey in many regions and accounts, side by side: each has a pace of its own, and none waits for another."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._auth.place import for_each
from .._aws.accounts import clients_of
from .._aws.clients import Clients
from .._core.errors import AuthError
from .batches import side_by_side
from .journal import Teller
from .journey import Request
from .travel import Journeyed, travel

#: Places at once. With more of them the processor is what is waited for: a process uses one core.
AT_ONCE = 8


@dataclass(frozen=True)
class Place:
    """Where groups are, and their ids. ``region``: ``None`` where there is none to be found. ``role``: its ARN."""

    ids: Sequence[str]
    region: str | None = None
    role: str | None = None

    def is_at(self, other: Place) -> bool:
        """Whether both are the same region and account, as far as one can tell without asking AWS."""
        return (self.region, self.role) == (other.region, other.role)

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.region, self.role)))


def travel_everywhere(
    module: Any, request: Request, places: Sequence[Place], *, hide: Callable[[str], None], told: Teller
) -> list[list[Journeyed]]:
    """Return how the groups of each place fared on their journey, as :func:`travel` does.

    What concerns a whole place is the error of each of its groups: it stops no other.
    """
    if len(places) > 1:
        told.places([len(place.ids) for place in places])
    going: list[_Going] = []
    for number, place in enumerate(places):
        # Calls to one region and account have one pace.
        same = next((one.clients.part() for one in going if one.place.is_at(place)), None)
        clients = same or clients_of(module, region=place.region, role=place.role)
        teller = told.at(number) if len(places) > 1 else told
        going.append(_Going(place, clients, {**module.params, "assume_role_arn": place.role}, request, hide, teller))
    # amazon.aws ends the module where there are no credentials at all. It does so here, before anything is begun.
    for one in going:
        one.prepare()

    def stop() -> None:
        for one in going:
            one.clients.stop()

    return side_by_side([one.go for one in going], stop, at_once=AT_ONCE)


class _Going:
    """The journey in one place."""

    def __init__(
        self,
        place: Place,
        clients: Clients,
        params: Mapping[str, Any],
        request: Request,
        hide: Callable[[str], None],
        told: Teller,
    ) -> None:
        self.place, self.clients = place, clients
        self._told, self._error = told, ""
        self._params = {**params, "continue_on_error": True}
        self._travel = functools.partial(travel, clients, request, self._params, place.ids, hide=hide, told=told)

    def prepare(self) -> None:
        """Make the first client."""
        try:
            self.clients.prepare()
        except AuthError as error:
            self._error = str(error)

    def go(self) -> list[Journeyed]:
        """Return how the groups fared."""
        try:
            return for_each(self._params, self.place.ids, lambda key, error: Journeyed(key, error=error), self._work)
        finally:
            self._told.ends()

    def _work(self) -> list[Journeyed]:
        if self._error:
            raise AuthError(self._error)
        try:
            return self._travel()
        except AuthError:
            raise
        except Exception as error:
            # The other places are told of all the same; the error's own words may hold anything.
            raise AuthError(f"the module met an error that it does not know, {type(error).__name__}.") from None
