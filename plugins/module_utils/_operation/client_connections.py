# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the clients of one group have moved to the new token, as far as their connections tell.

AWS keeps connections when a token is dropped (elasticache-facts §1): a client that still has the token before is
refused only at its next reconnect. Its connection predates the new token; that is all that can be seen of it.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from .._auth.client_connections import Seen, ask_groups
from .._auth.failures_monitor import Naming
from .._auth.observe import Probing
from .._auth.tokens import Token
from .._aws.clients import Clients
from .._aws.groups import Group, require_all
from .._aws.users import DEFAULT_NAME
from .._core.client_connections import predating_in_words
from .._core.errors import AuthError
from .._core.operations import Operation, Step
from .._core.states import Mode
from .._data_plane.connections import Wanted
from .._data_plane.probe import Credential
from .connection_looks import Look, When
from .group_run import GroupRun
from .reconnect import LOOKING
from .request import OperationRequest, Reconnect

#: The steps by which a group without user groups comes to accept the new token.
_ACCEPTING = (Step.ROTATE, Step.ROTATE_CURRENT)
#: The steps from which on clients can have the new token.
_OFFERING = (Step.PROMOTE_PENDING, Step.PROMOTE_OLDER, Step.PROMOTE, Step.BRIDGE_USER, *_ACCEPTING)
#: What is said where connections of other users are among those that have not moved.
_OF_OTHERS = " (counting all of users other than default)"
#: The least time between two looks during a client cutover, seconds, and the share of the cutover.
_LEAST_PAUSE, _SHARE = 60.0, 0.05


@dataclass(frozen=True)
class ClientConnections:
    """The client connections of one group in its operation.

    ``token``: returns the token that its nodes accept now and after SET. ``told``: receives each look.
    """

    clients: Clients
    request: OperationRequest
    group: GroupRun
    token: Callable[[], Token | None]
    told: Callable[[Look], None]

    # --- Steps of the script ----------------------------------------------------------------------------------------

    def offered(self, step: Step) -> None:
        """Take note, after a step, of when clients can have the new token, and mark that moment on the nodes."""
        if step not in _OFFERING or self.group.error:
            return
        looks = self.group.looks
        looks.since, looks.marks = time.time(), {}
        if self._looks and self.group.heard and not set(_OFFERING) & set(self.group.remaining_steps):
            with contextlib.suppress(AuthError):  # then ages alone tell
                nodes = self._ask(Wanted(connections=False)).nodes
                looks.marks = {str(node.node): node.own_id for node in nodes if node.own_id is not None}

    def soak(self, step: Step, seconds: float) -> None:
        """Give clients their time, and look at them now and then."""
        pause, left = max(_LEAST_PAUSE, seconds * _SHARE), seconds
        if step in (Step.CLIENT_CUTOVER, Step.CLIENT_CUTOVER_BEFORE) and self._looks:
            deadline = time.monotonic() + seconds
            while left > pause:
                self._look(When.CUTOVER)
                self.clients.pause(pause)
                left = max(deadline - time.monotonic(), 0.0)
        self.clients.pause(left)

    def before(self, step: Step) -> bool:
        """Look before the change that ends the cutover; return whether it may be made, else the group has failed.

        Where connections from before the new token are to be ended, that is done here.
        """
        if step is Step.SET:
            self.group.looks.set_at = time.monotonic()
        if not self._ends_cutover(step) or not self._looks:
            return True
        policy = self.request.require_reconnected if self._can_wait(step) else Reconnect.REPORT
        look = self._look(When.BEFORE, end=self.request.disconnect_stale and self._can_wait(step))
        if look.ended:
            self.clients.pause(self.request.inquiry.delay)  # for the clients to come again while both are accepted
            look = self._look(When.BEFORE)
        deadline = time.monotonic() + self.request.cutover_timeout
        while policy is Reconnect.WAIT and _is_left(look) and (left := deadline - time.monotonic()) > 0:
            self.clients.pause(min(self.request.inquiry.delay, left))
            look = self._look(When.BEFORE)
        if policy is not Reconnect.REPORT and _is_left(look):
            self.group.fail_at(step, self._failure(look, policy))
            return False
        if step is Step.SET:
            self.group.looks.set_at = time.monotonic()
        return True

    def waited(self) -> bool:
        """Whether looks have taken so long that the secret has to be looked at again."""
        looks = self.group.looks.looks
        return len(looks) > 1 and looks[-1].when is When.BEFORE and looks[-2].when is When.BEFORE

    def after(self, step: Step) -> None:
        """After SET, look for those that are left of the connections that were there before."""
        last = None if self.group.error or self.group.overtaken else self.group.looks.last
        if step is Step.SET and last is not None and _is_left(last) and self._looks:
            self._look(When.AFTER)

    def naming(self) -> Naming | None:
        """Return how the monitor asks nodes for the clients that they refuse; ``None``: they can't be asked."""
        token = self.token()
        if token is None or not self.group.heard or self._probing.mode == "never":
            return None
        return Naming({self.group.id: [Credential(token.value)]}, self._probing, self.group.looks.set_at)

    # --- Looks ------------------------------------------------------------------------------------------------------

    @property
    def _probing(self) -> Probing:
        return self.request.inquiry.probing

    @property
    def _looks(self) -> bool:
        """Whether this operation looks at connections."""
        return self.request.operation in LOOKING and self._probing.mode != "never"

    def _ends_cutover(self, step: Step) -> bool:
        """Whether ``step`` is the change that comes after the client cutover."""
        made = self.group.completed_steps
        at = max((number for number, done in enumerate(made) if done in _ACCEPTING), default=-1)
        if step is Step.SET:
            return at < 0 or Step.CLIENT_CUTOVER in made[at:]  # not where it follows ROTATE at once
        # On the direct way clients can move only after it.
        moves_later = Step.CLIENT_CUTOVER in self.group.remaining_steps
        return step is Step.ROTATE_CURRENT and self._is_rbac and not moves_later

    @property
    def _is_rbac(self) -> bool:
        seen = self.group.seen
        return seen is not None and all(state.mode is Mode.RBAC for state in seen.belief.states)

    @property
    def _user(self) -> str:
        """The only user that has the token, while user groups decide: who is another one has not moved."""
        return DEFAULT_NAME if self._is_rbac else ""

    def _can_wait(self, step: Step) -> bool:
        """Whether the change may be put off: not where unauthenticated access is allowed that was not before."""
        seen = self.group.seen
        if self.request.operation is Operation.ENABLE_AUTH or seen is None or step is Step.ROTATE_CURRENT:
            return True
        return not any(state.allows_unauthenticated for state in seen.belief.states)

    def _since(self) -> float | None:
        """Return from when on clients could have the new token: once it is in AWSCURRENT, and accepted."""
        if self.group.looks.since is not None:
            return self.group.looks.since
        made = self.request.cutovers.get(self.group.id)
        if made is not None and made.offered_at is not None:
            self.group.looks.since, self.group.looks.marks = made.offered_at, made.marks
            return made.offered_at
        secret, seen = self.group.kept.secret, self.group.seen
        moments = [secret.changed_at] if secret and secret.changed_at else []
        if seen is not None and seen.group.token_date and not self._is_rbac:
            moments.append(datetime.datetime.fromisoformat(seen.group.token_date).timestamp())
        self.group.looks.since = max(moments, default=None)
        return self.group.looks.since

    def _look(self, when: When, *, end: bool = False) -> Look:
        since = self._since()
        if since is None:
            look = Look(time.time(), when, 0, 0, "", "it is not known since when clients can have the new token")
        elif not self.group.heard:
            look = Look(time.time(), when, 0, 0, "", "its nodes can't be reached from here")
        else:
            try:
                wanted = Wanted(since, self._user, self.group.looks.marks, end=end)
                look = _look_of(self._ask(wanted, self._described()), when, user=self._user)
            except AuthError as error:
                look = Look(time.time(), when, 0, 0, "", str(error).removeprefix(f"{self.group.id}: ").rstrip("."))
        look = replace(look, line=_line(look))
        self.group.looks.add(look)
        self.told(look)
        return look

    def _ask(self, wanted: Wanted, found: Group | None = None) -> Seen:
        """Ask the nodes; ``found``: as they are now, else those that were seen. Raises :class:`AuthError`."""
        found = found or (self.group.seen.group if self.group.seen else None)
        if found is None:
            return Seen()
        token, key, end = self.token(), found.id, wanted.end
        credentials = [Credential(token.value)] if token else []
        return ask_groups(self.clients, [found], {key: credentials}, {key: wanted}, self._probing, one_by_one=end)[key]

    def _described(self) -> Group:
        # A node that came during the cutover has clients, too, that SET may have to wait for.
        if self.group.seen and self.request.require_reconnected is Reconnect.REPORT:
            return self.group.seen.group
        found = require_all(self.clients, [self.group.id])[self.group.id]
        if isinstance(found, AuthError):
            raise found
        return found

    def _failure(self, look: Look, policy: Reconnect) -> str:
        waited = f" after {self.request.cutover_timeout:g} s" if policy is Reconnect.WAIT else ""
        return (
            f"{self.group.id}: the change is not made{waited} (require_reconnected: {policy.value}): {look.line}. What "
            "clients use now is accepted still. Restart these clients, or have them reconnect with the token in the "
            "secret, then run this again; elasticache.auth.client_connections_info lists them. With "
            "require_reconnected: report it goes on, and they fail at their next reconnect."
        )


def _is_left(look: Look) -> bool:
    """Whether there is, or may be, a connection from before the new token: who did not tell may have some."""
    return bool(look.predating or look.unheard)


def _look_of(seen: Seen, when: When, *, user: str = "") -> Look:
    tally = seen.tally
    total = tally.total
    of_others = user and any(client.user != user for client in tally.clients)
    than = f"the new token{_OF_OTHERS}" if of_others else "the new token"
    words = predating_in_words(tally, than)
    clients = [row for row in tally.told() if row["predating"]]
    unheard = seen.unheard if seen.nodes else "it has no node to ask"
    return Look(time.time(), when, total.connections, total.predating, words, unheard, seen.ended, clients)


def _line(look: Look) -> str:
    """Return a look in words, without the group."""
    words = look.line
    if look.ended:
        words += f"; {look.ended} of them were ended"
    elif look.when is When.AFTER and look.predating:
        words += "; they fail at their next reconnect, where their clients still have the token before"
    if look.unheard:
        words = f"{words}; {look.unheard}" if words else f"who has not moved is not known: {look.unheard}"
    return words
