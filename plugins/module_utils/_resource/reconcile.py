# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The loop that makes a user or a user group (RBAC) what is wanted, or ends it.

Nothing is called before what AWS would refuse has been looked for; a call whose answer was lost is never repeated
before AWS has been asked what became of it.
"""

from __future__ import annotations

import abc
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from .._auth.observe import Probing
from .._auth.outcome import Progress
from .._auth.staleness import GRACE
from .._aws import lifecycle
from .._aws.clients import Clients
from .._aws.errors import Kind, classify, code_of, explain, is_connection_error, is_denied, words_of
from .._aws.lifecycle import Step
from .._aws.user_groups import UserGroup
from .._aws.users import DELETING, User, read_tags
from .._core.errors import AuthError
from .rbac import own_tags, reserved

#: How often AWS is asked anew: a few calls, and a few that met a busy user or a broken connection.
_MAX_ROUNDS = 24
_TAGGING = (lifecycle.ADD_TAGS, lifecycle.REMOVE_TAGS)

R = TypeVar("R", User, UserGroup)


@dataclass(frozen=True)
class Manner:
    """How to go about it. Times in seconds."""

    record: bool = True
    probing: Probing = field(default_factory=Probing)
    wait: bool = True
    timeout: float = 3600.0
    delay: float = 10.0
    check_mode: bool = False


@dataclass(frozen=True)
class Outcome:
    """What happened, and what Describe shows of it (in check mode: would)."""

    progress: Progress
    raw: Mapping[str, Any]


@dataclass
class Case(abc.ABC, Generic[R]):
    """A user or a user group under way.

    ``sent``: a call was made, or may have been; ``making``: that of its creation. ``refusal``: why AWS did not take a
    call just now. ``put_off``: options that AWS took and shows otherwise. ``rounds``: how often AWS was asked;
    ``throttled``: how often, and since when, a call was throttled. ``foretold``: in check mode, all calls that would be
    made, the record's among them.
    """

    id: str
    clients: Clients
    manner: Manner
    progress: Progress
    begun: float
    wanted_tags: Mapping[str, str] | None = None
    purge_tags: bool = True
    raw: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] | None = None
    sent: bool = False
    making: bool = False
    refusal: str = ""
    ended: list[str] = field(default_factory=list)
    put_off: set[str] = field(default_factory=set)
    foretold: list[Step] = field(default_factory=list)
    rounds: int = 0
    throttled: int = 0
    throttled_since: float = 0.0

    #: What it is called, and the calls that read, make and end it.
    what = ""
    describing = ""
    create = ""
    delete = ""

    @property
    def left(self) -> float:
        """Seconds left of the time limit."""
        return self.begun + self.manner.timeout - time.monotonic()

    @abc.abstractmethod
    def describe(self) -> R | None:
        """Ask AWS for it. Raises botocore's exceptions."""

    @abc.abstractmethod
    def plan(self, current: R | None) -> list[Step]:
        """Return the calls that are left. Raises :class:`AuthError` for whatever AWS would refuse."""

    @abc.abstractmethod
    def visible(self, current: R) -> list[str]:
        """Return the options that differ from what AWS shows, as far as it shows them."""

    @abc.abstractmethod
    def state(self, current: R) -> dict[str, Any]:
        """Return it as it is, by option."""

    @abc.abstractmethod
    def state_after(self, current: R | None, options: set[str]) -> dict[str, Any]:
        """Predict :meth:`state` once the differences in ``options`` are ended."""

    @abc.abstractmethod
    def raw_after(self, current: R | None, options: set[str]) -> dict[str, Any]:
        """Predict what Describe shows."""

    @abc.abstractmethod
    def check_deletion(self, current: R) -> None:
        """Raise :class:`AuthError` where AWS would refuse to delete it; warn of what goes with it."""

    @abc.abstractmethod
    def deletion(self) -> Step:
        """Return the call that ends it."""

    def unseen(self) -> bool:
        """Whether something is wanted that can be judged only while nothing is under way."""
        return self.wanted_tags is not None

    def needs_tags(self, _current: R) -> bool:
        """Whether its tags are to be read."""
        return self.wanted_tags is not None

    def others(self) -> str:
        """Say what else a change of it keeps busy, in words; empty where nothing is."""
        return ""

    def ahead(self, step: Step, current: R | None) -> None:
        """Do what has to be done before a call."""

    def accompanying(self, _step: Step, _current: R | None) -> tuple[list[Step], list[Step]]:
        """Return the calls that :meth:`ahead` makes before a call, and :meth:`done` after it."""
        return [], []

    def done(self, step: Step, current: R | None) -> None:
        """Do what has to be done when a call has been carried out."""

    def overtaken(self) -> None:
        """Forget what was judged once for all, as somebody else has changed it since."""

    def refused(self, current: R | None) -> None:
        """Do what has to be done when AWS has refused a call for good."""

    def passes(self, error: BaseException, step: Step) -> bool:
        """Whether a refusal may be another one's doing, so that AWS has to be asked how things are."""
        code = code_of(error)
        gone = step.action == self.delete and code.endswith("NotFound")
        there = step.action == self.create and code.endswith("AlreadyExists")
        return gone or there or classify(error) is Kind.BUSY

    def tagging(self, current: R) -> list[Step]:
        """Return the calls that make the tags as wanted."""
        if self.wanted_tags is None or self.tags is None:
            return []
        add = {key: value for key, value in self.wanted_tags.items() if self.tags.get(key) != value}
        gone = [key for key in self.tags if key not in self.wanted_tags and not reserved(key)]
        return lifecycle.tagging(current.arn, add=add, remove=gone if self.purge_tags else ())

    def tags_after(self) -> dict[str, str]:
        """Predict the tags, this collection's and AWS's own left out."""
        kept = {} if self.purge_tags and self.wanted_tags is not None else own_tags(self.tags)
        return {**kept, **(self.wanted_tags or {})}


def make_present(case: Case[Any]) -> Outcome:
    """Create it, or change what differs. What goes wrong is in the outcome's ``progress.error``."""
    return _guarded(case, _present)


def make_absent(case: Case[Any]) -> Outcome:
    """Delete it, or join its deletion. What goes wrong is in the outcome's ``progress.error``."""
    return _guarded(case, _absent)


def _guarded(case: Case[Any], work: Callable[[Case[Any]], None]) -> Outcome:
    try:
        work(case)
    except AuthError as error:
        case.progress.error = str(error)
    case.progress.duration = time.monotonic() - case.begun
    return Outcome(case.progress, case.raw)


def _present(case: Case[Any]) -> None:
    while case.rounds < _MAX_ROUNDS:
        case.rounds += 1
        current = _look(case)
        if current is not None and current.busy:
            _leave_busy(case, current)
            return
        planned = case.plan(current)
        if case.manner.check_mode:
            _predict(case, current, planned)
            return
        if not planned:
            _finish(case, current)
            return
        step = planned[0]
        if case.tags is not None and not _is_unchanged(case, current, tags=True):
            case.overtaken()
            continue
        case.ahead(step, current)
        if not _act(case, step, current):
            case.clients.pause(min(case.manner.delay, 1.0))
            continue
        if step.action not in _TAGGING:
            if not case.manner.wait:
                case.done(step, current)
                _leave(case, current, step)
                return
            case.done(step, _arrive(case, step))
        case.ended += step.options
    raise _worn_out(case)


def _look(case: Case[R]) -> R | None:
    """Ask AWS for it, once nothing is under way there (with ``wait``); ``None`` where there is none."""
    current = _describe(case)
    while current is not None and current.busy and current.status != DELETING and case.manner.wait:
        wait_until(case, lambda: _busy_with(case))
        current = _describe(case)
    if current is not None and current.status == DELETING:
        if not case.manner.wait:
            raise AuthError(
                f"{case.id}: it is being deleted. With wait: true its end is waited for, and then it is made anew."
            )
        wait_until(case, lambda: _presence(case))
        current = None
    if current is None:
        return None
    case.raw = current.raw
    if not current.busy and case.needs_tags(current):
        case.tags = _read_tags(case, current)
    if case.progress.before is None and not case.sent:
        case.progress.before = case.state(current)
    return current


def _describe(case: Case[R]) -> R | None:
    return asked(case, case.describe, case.describing)


def asked(case: Case[Any], question: Callable[[], Any], action: str, hint: str = "") -> Any:
    """Return what AWS answers to ``question``. Raises :class:`AuthError` that names ``action``, and adds ``hint``."""
    try:
        return question()
    except AuthError:
        raise
    except Exception as error:
        raise AuthError(f"{case.id}: {explain(error, f'elasticache:{action}', case.clients.region)}{hint}") from error


def _read_tags(case: Case[R], current: R) -> Mapping[str, str]:
    hint = "" if case.wanted_tags is not None else " The record is a tag; record: false does without."
    tags = asked(case, lambda: read_tags(case.clients, [current.arn])[current.arn], "ListTagsForResource", hint)
    return dict(tags)


def _busy_with(case: Case[Any]) -> str:
    current = _describe(case)
    return f"its status is {current.status}" if current and current.busy and current.status != DELETING else ""


def _presence(case: Case[Any]) -> str:
    current = _describe(case)
    return f"it is not gone yet, its status is {current.status}" if current else case.others()


def _predict(case: Case[R], current: R | None, planned: Sequence[Step]) -> None:
    options = {option for step in planned for option in step.options}
    progress = case.progress
    progress.changed = bool(planned)
    progress.actions = [step.shown() for step in planned]
    for step in planned:
        around: tuple[list[Step], list[Step]] = case.accompanying(step, current)
        case.foretold += [*around[0], step, *around[1]]
    progress.after = case.state_after(current, options)
    case.raw = case.raw_after(current, options)
    if current is None:
        progress.msg = f"{case.id}: would be created."
    elif planned:
        progress.msg = f"{case.id}: would be changed: {', '.join(sorted(options))}."
    else:
        progress.msg = f"{case.id}: already as wanted."


def _finish(case: Case[R], current: R | None) -> None:
    if current is None:  # cannot be: without it there is a call to make
        return
    progress, ended = case.progress, sorted(set(case.ended))
    progress.after = case.state(current)
    if case.making:
        progress.msg = f"{case.id}: created."
    elif ended:
        progress.msg = f"{case.id}: changed: {', '.join(ended)}."
    else:
        progress.msg = f"{case.id}: already as wanted."


def _leave_busy(case: Case[R], current: R) -> None:
    """Without ``wait``, leave alone what a change is under way on, if that leaves nothing undone."""
    if case.sent:  # its answer was lost, and it shows that it was taken
        case.progress.after = case.state(current)
        case.progress.msg = f"{case.id}: {'is being created' if case.making else 'is being changed'}."
        return
    if case.visible(current) or case.unseen():
        raise AuthError(
            f"{case.id}: a change is under way (its status is {current.status}), and no other is begun. "
            "With wait: true it is waited for, and what is then left to do is done."
        )
    case.progress.after = case.state(current)
    case.progress.msg = f"{case.id}: as wanted, but a change is under way (its status is {current.status})."


def _leave(case: Case[R], current: R | None, step: Step) -> None:
    """Without ``wait``, tell what is under way."""
    case.progress.after = case.state_after(current, {*case.ended, *step.options})
    latest = _describe(case)
    case.raw = latest.raw if latest else case.raw
    case.progress.msg = f"{case.id}: {'is being created' if case.making else 'is being changed'}."


def _is_unchanged(case: Case[R], current: R | None, *, tags: bool = False) -> bool:
    """Ask AWS once more, right before a call, whether it is as the call was decided upon for, with ``tags`` these, too.

    Somebody else may have changed it meanwhile, and AWS offers no conditional change.
    """
    now = _describe(case)
    if now is None or current is None or now != current:
        return now is None and current is None
    return not tags or case.tags is None or not case.needs_tags(now) or _read_tags(case, now) == case.tags


def _act(case: Case[R], step: Step, current: R | None) -> bool:
    """Make the call. Returns whether it was made for certain; if not, ask again. Raises where AWS refuses it."""
    if not _is_unchanged(case, current):
        case.refusal = f"{case.id}: it was changed by someone else."
        return False
    try:
        lifecycle.perform(case.clients, case.id, step, patiently=False)
    except AuthError:
        case.refused(current)
        raise
    except Exception as error:
        text = explain(error, f"elasticache:{step.action}", case.clients.region)
        if classify(error) is Kind.AMBIGUOUS:
            case.refusal = text
            _note(case, step)
            return False
        if classify(error) is Kind.THROTTLED and _may_try_again(case):
            case.refusal = text
            return False
        if case.passes(error, step):
            if not case.manner.wait and classify(error) is Kind.BUSY:
                case.refused(current)
                raise AuthError(
                    f"{case.id}: a change is under way, so AWS did not take the call: {words_of(error)} "
                    "With wait: true it is waited for."
                ) from error
            case.refusal = text
            return False
        case.refused(current)
        hint = ""
        if step.action == case.create and "Tags" in step.parameters and is_denied(error):
            hint = " With tags it needs elasticache:AddTagsToResource too, and the record is one (see record)."
        raise AuthError(f"{case.id}: {text}{hint}") from error
    case.throttled = 0
    _note(case, step)
    return True


def _may_try_again(case: Case[Any]) -> bool:
    """Pause after a throttled call; AWS is then asked anew before it is made again, as others may have been at work.

    Returns ``False`` where AWS has throttled it for long enough.
    """
    now = time.monotonic()
    if not case.throttled:
        case.throttled_since = now
    pause = min(0.25 * 2**case.throttled, 10.0)
    if now + pause > case.throttled_since + case.clients.patience:
        return False
    case.throttled += 1
    case.rounds -= 1
    case.clients.pause(random.uniform(pause / 2, pause))  # noqa: S311 - jitter, not a secret
    return True


def _note(case: Case[Any], step: Step) -> None:
    """Put the call among those that were made, once though it be repeated."""
    case.sent = case.progress.changed = True
    case.making = case.making or step.action == case.create
    shown = step.shown()
    if shown not in case.progress.actions:
        case.progress.actions.append(shown)


def _arrive(case: Case[R], step: Step) -> R | None:
    """Wait until what the call does is done, and return what it has become.

    Right after the call AWS may show it as it was before, or not at all. What can't be seen at all, a password, counts
    as done when it has been seen busy and is not any more, or has been looked at twice.
    """
    made, looks = time.monotonic(), 0
    seen = step.action == case.create
    latest: list[R] = []

    def lack() -> str:
        nonlocal looks, seen
        fresh, looks = time.monotonic() - made < GRACE, looks + 1
        current = _describe(case)
        if current is None:
            if step.action == case.create and fresh:
                return "AWS does not show it yet"
            raise AuthError(f"{case.id}: it was deleted while it was changed.")
        latest[:] = [current]
        if current.busy:
            seen = True
            return f"its status is {current.status}"
        differing = sorted(set(case.visible(current)) & set(step.options))
        if fresh and (differing or not (seen or looks > 1)):
            return f"AWS does not show the change of {', '.join(differing) or 'it'} yet"
        if differing:
            case.put_off |= set(differing)
            case.progress.warnings.append(
                f"{case.id}: AWS took the call, but shows {', '.join(differing)} other than wanted. Write it as the "
                "result shows it, or every run sends it again."
            )
        return case.others()

    wait_until(case, lack, hasty=made + GRACE)
    return latest[0] if latest else None


def wait_until(case: Case[Any], lack: Callable[[], str], *, hasty: float = 0.0) -> None:
    """Wait until nothing lacks, in words; often until the moment ``hasty``. Throttling and the like are ridden out.

    Raises :class:`AuthError` where the time limit is reached, or AWS can't be asked at all.
    """
    while True:
        try:
            words = lack()
        except AuthError as error:
            if not _passing(error.__cause__):
                raise
            words = str(error).removeprefix(f"{case.id}: ")
        if not words:
            return
        if case.left <= 0:
            raise AuthError(
                f"{case.id}: not done after {case.manner.timeout:.0f} s: {words}. "
                "What is under way goes on at AWS: run this again, or raise wait_timeout."
            )
        pause = min(case.manner.delay, 1.0) if time.monotonic() < hasty else case.manner.delay
        case.clients.pause(min(pause, max(case.left, 0.0)))


def _passing(error: BaseException | None) -> bool:
    """Whether AWS could not be asked for a reason that goes by."""
    if error is None:
        return False
    return classify(error) in (Kind.THROTTLED, Kind.AMBIGUOUS) or is_connection_error(error)


def _worn_out(case: Case[Any]) -> AuthError:
    return AuthError(
        f"{case.id}: AWS was busy with it, or the connection broke, again and again ({_MAX_ROUNDS} tries). "
        f"The last time: {case.refusal or 'it was gone'} Run this again."
    )


def _absent(case: Case[Any]) -> None:
    progress, manner = case.progress, case.manner
    while case.rounds < _MAX_ROUNDS:
        case.rounds += 1
        current = _describe(case)
        case.raw, progress.after = current.raw if current else {}, {}
        if current is None:
            joined = "gone, its deletion was already under way" if progress.before else f"there is no such {case.what}"
            progress.msg = f"{case.id}: {'deleted' if case.sent else joined}."
            return
        if progress.before is None:
            progress.before = case.state(current)
        if current.status == DELETING:
            if manner.check_mode or not manner.wait:
                progress.msg, case.raw = f"{case.id}: is being deleted.", {}
                return
            wait_until(case, lambda: _presence(case))
            continue
        if current.busy:
            if not manner.wait:
                raise AuthError(
                    f"{case.id}: a change is under way (its status is {current.status}), and AWS deletes it only when "
                    "that has ended. With wait: true it is waited for."
                )
            wait_until(case, lambda: _busy_with(case))
            continue
        case.check_deletion(current)
        step = case.deletion()
        if manner.check_mode:
            progress.changed, progress.actions, case.raw = True, [step.shown()], {}
            progress.msg = f"{case.id}: would be deleted."
            return
        if not _act(case, step, current):
            case.clients.pause(min(manner.delay, 1.0))
        elif manner.wait:
            wait_until(case, lambda: _presence(case))
        else:
            progress.msg, case.raw = f"{case.id}: is being deleted.", {}
            return
    raise _worn_out(case)


def warn_once(case: Case[Any], warning: str) -> None:
    """Tell a warning that concerns what is done, once though it be looked at again."""
    if warning not in case.progress.warnings:
        case.progress.warnings.append(warning)
