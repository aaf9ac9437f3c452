# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One group under way through a change, and what is wanted of all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .._aws.groups import Group
from .._core import record
from .._core.errors import AuthError
from .._core.evidence import Belief
from .._core.plan import Plan, Wish
from .._core.states import CallKind, Mode, State
from .observe import Observation, Probing
from .outcome import Progress
from .staleness import Sent
from .tokens import TokenSet


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """How to look at groups. ``kinds``: the calls that AWS has to be able to take on them; none, where none is meant
    yet. ``changes_access``: a change of access control is wanted, though no call is meant yet. ``user_groups``: those
    that it has to be able to attach; ``{replication_group_id}`` stands for a group's id.
    """

    kinds: tuple[CallKind, ...] = ()
    changes_access: bool = False
    user_groups: tuple[str, ...] = ()
    record: bool = True
    probing: Probing = field(default_factory=Probing)
    wait: bool = True
    timeout: float = 3600.0
    delay: float = 10.0

    def user_groups_of(self, group_id: str) -> tuple[str, ...]:
        """Return the ids of the user groups for one group."""
        return tuple(name.replace("{replication_group_id}", group_id) for name in self.user_groups)


@dataclass(frozen=True, kw_only=True)
class Order(Inquiry):
    """What is wanted of every group, by its id and its tokens, and how to go about it.

    ``write_down``: what is in force in the end is put on record; not where the next call follows at once, whose
    announcement says as much. ``soak``: the time that clients are given after a ROTATE, in seconds; it is put on
    record with it. ``moved``: clients had their time before that ROTATE, and that is put on record with it.
    ``take_over``: SET does not wait for the end of such a time that another run has put on record. ``rested``: is
    called once such a time is over; raises :class:`AuthError` where SET is not to be made any more. ``planned_for``:
    the one group as it was when the caller planned; where it is another by now, nothing is called, and it counts as
    overtaken. ``seen_as``: the group as the caller saw it last; where it is another by now and there is no way to
    what is wanted, it counts as overtaken, too. ``operation``: the operation that the call is a step of, which a
    refusal then names, as it has no options of a single call.
    """

    wish: Callable[[str, TokenSet], Wish]
    assume_state: Mode | None = None
    force: bool = False
    check_mode: bool = False
    write_down: bool = True
    soak: float = 0.0
    moved: bool = False
    take_over: bool = True
    rested: Callable[[], None] | None = None
    planned_for: Group | None = None
    seen_as: Group | None = None
    operation: str = ""


@dataclass
class ChangeRun:
    """One group under way.

    ``known`` is what was seen of it a moment ago; ``belief`` is what the plan was made from, ``entry`` what was
    written ahead (in token names), ``sent`` the call that was made, or may have been, with the states it leads to
    in ``expected``, and ``refused`` the record of one that surely was not. ``recorded``: the records that this run has
    read or written, with references in place of token names. ``overtaken`` is the token's date when
    someone else's change was found under way before ours. ``called_at`` and ``done_at``: when the first call was
    made, and when the change was proved (seconds since 1970).
    """

    progress: Progress
    tokens: TokenSet
    begun: float
    known: Observation | None = None
    seen: Observation | None = None
    belief: Belief | None = None
    plan: Plan | None = None
    entry: record.Entry | None = None
    sent: Sent | None = None
    expected: frozenset[State] = frozenset()
    refused: record.Entry | None = None
    overtaken: str | None = None
    called_at: float | None = None
    done_at: float | None = None
    recorded: set[record.Entry] = field(default_factory=set)
    failure: AuthError | None = None

    def fail(self, why: str | AuthError) -> None:
        """Take note that the group failed, and why: in words, or by an error whose kind matters to the caller."""
        self.failure = why if isinstance(why, AuthError) else None
        self.progress.error = str(why)
        self.progress.duration = time.monotonic() - self.begun
