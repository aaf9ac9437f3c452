# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one loop that makes a resource what is wanted, or deletes it: describe, plan, call, wait until settled, verify.

Nothing is called before what AWS would refuse has been looked for. Right before each attempt of each call AWS is asked
whether the resource is as the call was planned for; if not, it is planned anew. A call whose answer was lost is never
repeated before AWS has been asked what became of it. What is particular to a kind of resource is in its :class:`Spec`.
"""

from __future__ import annotations

import abc
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from .._auth.observe import Probing
from .._auth.outcome import Progress
from .._auth.staleness import GRACE
from .._aws import lifecycle
from .._aws.clients import Clients
from .._aws.errors import Kind, classify, code_of, explain, is_connection_error, is_denied, words_of
from .._aws.groups import ChangedSince, Group
from .._aws.lifecycle import ResourceCall
from .._aws.tags import RESERVED
from .._aws.user_groups import UserGroup
from .._aws.users import User
from .._core.errors import AuthError

#: How often it is described and planned anew: a few calls, and a few that met a busy resource or a broken connection.
_MAX_ROUNDS = 24
_TAGGING = (lifecycle.ADD_TAGS, lifecycle.REMOVE_TAGS)


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
class Reconciled:
    """What happened, and what Describe shows of the resource (in check mode: would), empty where there is none.

    ``planned_calls``: in check mode, all calls that would be made, the record's among them.
    """

    progress: Progress
    raw: Mapping[str, Any]
    planned_calls: Sequence[ResourceCall] = ()


@dataclass(frozen=True)
class WantedResource:
    """A resource as it shall be; ``None`` where an option was left out, and what it is about stays as it is."""

    id: str
    tags: Mapping[str, str] | None = None
    purge_tags: bool = True


W = TypeVar("W", bound=WantedResource)
#: A resource as AWS describes it.
R = TypeVar("R", bound=Group | User | UserGroup)


@dataclass
class Spec(abc.ABC, Generic[W, R]):
    """A resource as it is wanted, how it is described, planned and called, and how far it has come.

    ``tags``: as they were read, where they are needed. ``sent``: a call was made, or may have been; ``making``: that of
    its creation. ``refusal``: why the latest call was not made. ``ended``: the options whose difference was ended;
    ``put_off``: those that AWS took and shows otherwise. ``called_at``: when the call was made that is waited for.
    """

    clients: Clients
    wanted: W
    manner: Manner
    progress: Progress = field(init=False)
    begun: float = field(init=False)
    raw: Mapping[str, Any] = field(default_factory=dict, init=False)
    tags: Mapping[str, str] | None = field(default=None, init=False)
    sent: bool = field(default=False, init=False)
    making: bool = field(default=False, init=False)
    refusal: str = field(default="", init=False)
    ended: set[str] = field(default_factory=set, init=False)
    put_off: set[str] = field(default_factory=set, init=False)
    called_at: float = field(default=float("-inf"), init=False)

    #: What it is called, and the calls that read, make and delete it.
    what: ClassVar[str]
    describing: ClassVar[str]
    create: ClassVar[str]
    delete: ClassVar[str]

    def __post_init__(self) -> None:
        """Nothing has happened yet."""
        self.progress, self.begun = Progress(self.id), time.monotonic()

    @property
    def id(self) -> str:
        """The id of the resource."""
        return self.wanted.id

    @property
    def left(self) -> float:
        """Seconds left of the time limit."""
        return self.begun + self.manner.timeout - time.monotonic()

    @property
    def is_fresh(self) -> bool:
        """Whether the call was made so lately that AWS may not show it yet."""
        return time.monotonic() - self.called_at < GRACE

    # --- Describing

    @abc.abstractmethod
    def describe(self) -> R | None:
        """Ask AWS for it. Raises botocore's exceptions."""

    @abc.abstractmethod
    def pending(self, current: R) -> str:
        """Say what is under way, in words; empty where nothing is. Raises where it never ends."""

    @abc.abstractmethod
    def is_deleting(self, current: R) -> bool:
        """Whether it is being deleted."""

    def undeletable(self, current: R) -> str:
        """Say what is under way that AWS does not delete it for."""
        return self.pending(current)

    def read(self, current: R) -> None:
        """Read what else the plan is made from."""

    def others(self) -> str:
        """Say what else a change of it keeps busy, in words; empty where nothing is."""
        return ""

    def wait_for(self, lack: Callable[[R], str], known: R | None = None) -> R | None:
        """Wait until it lacks nothing, in words, and return it; ``None`` once it is gone. ``known``: as just described.

        Raises :class:`AuthError` as :func:`wait_until` does.
        """
        latest = known

        def words() -> str:
            nonlocal latest
            latest = _describe(self)
            return "" if latest is None else lack(latest)

        wait_until(self, words)
        return latest

    # --- Planning

    @abc.abstractmethod
    def plan(self, current: R | None) -> list[ResourceCall]:
        """Return the calls that are left. Raises :class:`AuthError` for whatever AWS would refuse."""

    @abc.abstractmethod
    def differing(self, current: R) -> Collection[str]:
        """Return the options that differ from what AWS shows, as far as it shows them."""

    def unseen(self) -> bool:
        """Whether something is wanted that can be judged only while nothing is under way."""
        return self.wanted.tags is not None

    def after_creation(self) -> set[str]:
        """Return the wanted options that a creation does not take."""
        return set()

    def check_deletion(self, current: R) -> None:
        """Raise :class:`AuthError` where AWS would refuse to delete it; warn of what goes with it."""

    @abc.abstractmethod
    def deletion(self) -> ResourceCall:
        """Return the call that deletes it."""

    # --- Calling

    def check_unchanged(self, seen: R | None) -> None:
        """Raise :class:`ChangedSince` unless it is as it was ``seen``; called right before each attempt of a call.

        Somebody else may have changed it meanwhile, and AWS offers no conditional change.
        """
        if _describe(self) != seen:
            raise ChangedSince(f"{self.id}: it was changed by someone else.")

    def ahead(self, step: ResourceCall, current: R | None) -> None:
        """Do what has to be done before a call. Raises :class:`ChangedSince` where it must be planned anew."""

    def accompanying(self, _step: ResourceCall, _current: R | None) -> tuple[list[ResourceCall], list[ResourceCall]]:
        """Return the calls that :meth:`ahead` makes before a call, and :meth:`done` after it."""
        return [], []

    def done(self, step: ResourceCall, current: R | None) -> None:
        """Do what has to be done when a call has been carried out."""

    def overtaken(self) -> None:
        """Forget what was judged once for all, as somebody else has changed it since."""

    def refused(self, current: R | None) -> None:
        """Do what has to be done when AWS has refused a call for good."""

    def passes(self, error: BaseException, step: ResourceCall) -> bool:
        """Whether a refusal may be another one's doing, so that AWS has to be asked how things are."""
        code = code_of(error)
        gone = step.action == self.delete and "NotFound" in code
        there = step.action == self.create and "AlreadyExists" in code
        return gone or there or classify(error) is Kind.BUSY

    def lacking(self, step: ResourceCall, current: R) -> set[str]:
        """Return the options whose difference a call ends, but that AWS shows as they were."""
        return set(self.differing(current)) & set(step.options)

    def shown_otherwise(self, _step: ResourceCall, options: set[str]) -> str:
        """Judge options that AWS took a while ago and shows as they were. Returns what is waited for, in words."""
        self.put_off |= options
        self.warn(
            f"AWS took the call, but shows {_listed(options)} other than wanted. Write it as the result shows it, or "
            "every run sends it again."
        )
        return ""

    # --- Results

    @abc.abstractmethod
    def state(self, current: R) -> dict[str, Any]:
        """Return it as it is, by option."""

    @abc.abstractmethod
    def state_after(self, current: R | None, options: set[str]) -> dict[str, Any]:
        """Predict :meth:`state` once the differences in ``options`` are ended."""

    @abc.abstractmethod
    def raw_after(self, current: R | None, options: set[str]) -> dict[str, Any]:
        """Predict what Describe shows."""

    def finished(self, _current: R) -> str:
        """Do what is left when it is as wanted, and return what is to be said of it."""
        return ""

    def warn(self, words: str) -> None:
        """Warn of something, once though it be looked at again."""
        warning = f"{self.id}: {words}"
        if warning not in self.progress.warnings:
            self.progress.warnings.append(warning)


def reconcile(spec: Spec[Any, Any]) -> Reconciled:
    """Create it, or change what differs. What goes wrong is in the outcome's ``progress.error``."""
    return _guarded(spec, _present)


def remove(spec: Spec[Any, Any]) -> Reconciled:
    """Delete it, or join its deletion. What goes wrong is in the outcome's ``progress.error``."""
    return _guarded(spec, _absent)


def _guarded(spec: Spec[Any, Any], work: Callable[[Spec[Any, Any]], Sequence[ResourceCall]]) -> Reconciled:
    planned: Sequence[ResourceCall] = ()
    try:
        planned = work(spec)
    except AuthError as error:
        spec.progress.error = str(error)
    spec.progress.duration = time.monotonic() - spec.begun
    return Reconciled(spec.progress, spec.raw, planned)


# --- Present --------------------------------------------------------------------------------------------------------


def _present(spec: Spec[Any, R]) -> Sequence[ResourceCall]:
    for _dummy in range(_MAX_ROUNDS):
        current = _look(spec)
        if current is not None and spec.pending(current):
            _leave_busy(spec, current)
            return ()
        planned = spec.plan(current)
        if spec.manner.check_mode:
            return _predict(spec, current, planned)
        if not planned:
            _finish(spec, current)
            return ()
        step = planned[0]
        if not _act(spec, step, current):
            spec.clients.pause(min(spec.manner.delay, 1.0))
            continue
        if step.action not in _TAGGING:
            if not spec.manner.wait:
                spec.done(step, current)
                _leave(spec, current, planned)
                return ()
            spec.done(step, _arrive(spec, step))
        spec.ended |= set(step.options)
    raise _worn_out(spec)


def _look(spec: Spec[Any, R]) -> R | None:
    """Ask AWS for it, once nothing is under way there (with ``wait``); ``None`` where there is none."""
    current = _describe(spec)
    if current is not None and spec.manner.wait:
        current = await_settled(spec, current)
    elif current is not None and spec.is_deleting(current):
        raise AuthError(
            f"{spec.id}: it is being deleted. With wait: true its end is waited for, and then it is made anew."
        )
    if current is None:
        return None
    spec.raw = current.raw
    spec.read(current)
    if spec.progress.before is None and not spec.sent:
        spec.progress.before = spec.state(current)
    return current


def _describe(spec: Spec[Any, R]) -> R | None:
    found: R | None = asked(spec, spec.describe, spec.describing)
    return found


def asked(spec: Spec[Any, Any], question: Callable[[], Any], action: str, hint: str = "") -> Any:
    """Return what AWS answers to ``question``. Raises :class:`AuthError` that names ``action``, and adds ``hint``."""
    try:
        return question()
    except AuthError:
        raise
    except Exception as error:
        raise AuthError(f"{spec.id}: {explain(error, f'elasticache:{action}', spec.clients.region)}{hint}") from error


def _predict(spec: Spec[Any, R], current: R | None, planned: Sequence[ResourceCall]) -> list[ResourceCall]:
    options = {option for step in planned for option in step.options}
    progress, calls = spec.progress, list[ResourceCall]()
    progress.changed = bool(planned)
    progress.api_calls = [step.shown() for step in planned]
    for step in planned:
        before, after = spec.accompanying(step, current)
        calls += [*before, step, *after]
    progress.after = spec.state_after(current, options)
    spec.raw = spec.raw_after(current, options)
    if current is None:
        progress.msg = f"{spec.id}: would be created."
    elif planned:
        progress.msg = f"{spec.id}: would be changed: {_listed(options)}."
    else:
        progress.msg = f"{spec.id}: already as wanted."
    return calls


def _finish(spec: Spec[Any, R], current: R | None) -> None:
    if current is None:  # cannot be: without it there is a call to make
        return
    progress = spec.progress
    progress.after = spec.state(current)
    if spec.making:
        progress.msg = f"{spec.id}: created."
    elif spec.ended:
        progress.msg = f"{spec.id}: changed: {_listed(spec.ended)}."
    else:
        progress.msg = f"{spec.id}: already as wanted."
    progress.msg += spec.finished(current)


def _leave_busy(spec: Spec[Any, R], current: R) -> None:
    """Without ``wait``, leave alone what a change is under way on, if that leaves nothing undone."""
    if spec.sent:  # the answer was lost, and it shows that the call was taken
        _leave(spec, current, [])
        return
    if spec.differing(current) or spec.unseen():
        raise AuthError(
            f"{spec.id}: a change is under way ({spec.pending(current)}), and no other is begun. "
            "With wait: true it is waited for, and what is then left to do is done."
        )
    spec.progress.after = spec.state(current)
    spec.progress.msg = f"{spec.id}: as wanted, but a change is under way ({spec.pending(current)})."


def _leave(spec: Spec[Any, R], current: R | None, planned: Sequence[ResourceCall]) -> None:
    """Without ``wait``, tell what is under way and what is still to be called."""
    done = {option for step in planned[:1] for option in step.options}
    rest = {option for step in planned[1:] for option in step.options} - done
    spec.progress.after = spec.state_after(None if spec.making else current, done)
    spec.progress.msg = f"{spec.id}: {'is being created' if spec.making else 'is being changed'}."
    latest = _describe(spec)
    spec.raw = latest.raw if latest else spec.raw
    if rest := spec.after_creation() if spec.making else rest:
        spec.warn(
            f"{_listed(rest)} is left to do: AWS takes it once the {spec.what} is available. Run this again then, or "
            "use wait: true."
        )


def _act(spec: Spec[Any, R], step: ResourceCall, current: R | None) -> bool:
    """Make the call. Returns whether it was made for certain; if not, ask again. Raises where AWS refuses it."""
    try:
        spec.ahead(step, current)
        lifecycle.perform(spec.clients, spec.id, step, check=lambda: spec.check_unchanged(current))
    except ChangedSince as changed:
        spec.refusal = str(changed)
        spec.overtaken()
        return False
    except AuthError:
        spec.refused(current)
        raise
    except Exception as error:
        spec.refusal = explain(error, f"elasticache:{step.action}", spec.clients.region)
        if classify(error) is Kind.AMBIGUOUS:
            _note(spec, step)
            return False
        busy = classify(error) is Kind.BUSY and not spec.manner.wait
        if spec.passes(error, step) and not busy:
            return False
        spec.refused(current)
        if busy:
            raise AuthError(
                f"{spec.id}: a change is under way, so AWS did not take the call: {words_of(error)} "
                "With wait: true it is waited for."
            ) from error
        hint = _tags_hint(step) if step.action == spec.create and is_denied(error) else ""
        raise AuthError(f"{spec.id}: {spec.refusal}{hint}") from error
    _note(spec, step)
    return True


def _tags_hint(step: ResourceCall) -> str:
    """Say what a creation needs for the tags that it carries."""
    keys = [tag["Key"] for tag in step.parameters.get("Tags", ())]
    if any(key.startswith(RESERVED) for key in keys):
        return " The record is a tag, which needs elasticache:AddTagsToResource; record: false does without."
    return " With tags it needs elasticache:AddTagsToResource, too." if keys else ""


def _note(spec: Spec[Any, Any], step: ResourceCall) -> None:
    """Put the call among those that were made, once though it be repeated."""
    spec.sent = spec.progress.changed = True
    spec.making = spec.making or step.action == spec.create
    shown = step.shown()
    if shown not in spec.progress.api_calls:
        spec.progress.api_calls.append(shown)


def _arrive(spec: Spec[Any, R], step: ResourceCall) -> R | None:
    """Wait until what the call does is done, and return what has become of it.

    Right after the call AWS may show it as it was before, or not at all. What can't be seen at all, a password, counts
    as done when it has been seen busy and is not any more, or has been looked at twice.
    """
    spec.called_at, looks = time.monotonic(), 0
    seen = creating = step.action == spec.create
    latest: R | None = None

    def lack() -> str:
        nonlocal looks, seen, latest
        fresh, looks, latest = spec.is_fresh, looks + 1, _describe(spec)
        if latest is not None and spec.pending(latest):
            seen = True
            latest = await_settled(spec, latest)
        elif latest is None and creating:
            if fresh:
                return "AWS does not show it yet"
            raise AuthError(
                f"{spec.id}: AWS took the call that makes it, but shows no such {spec.what}. Run this again."
            )
        if latest is None:
            raise AuthError(f"{spec.id}: it was deleted while it was changed.")
        lacking = spec.lacking(step, latest)
        if fresh and (lacking or not (seen or looks > 1)):
            return f"AWS does not show the change of {_listed(lacking) or 'it'} yet"
        return (spec.shown_otherwise(step, lacking) if lacking else "") or spec.others()

    wait_until(spec, lack)
    return latest


# --- Waiting --------------------------------------------------------------------------------------------------------


def await_settled(spec: Spec[Any, R], current: R) -> R | None:
    """Wait until nothing is under way there, and return it as it is then; ``None`` where it was deleted."""

    def lack(latest: R) -> str:
        return "" if spec.is_deleting(latest) else spec.pending(latest)

    settled = spec.wait_for(lack, current) if lack(current) else current
    if settled is None or not spec.is_deleting(settled):
        return settled
    _await_gone(spec, settled)
    return None


def _await_gone(spec: Spec[Any, Any], current: Any = None) -> None:
    spec.wait_for(lambda latest: f"it is not gone yet, its status is {latest.status}", current)
    wait_until(spec, spec.others)
    spec.raw = {}


def wait_until(spec: Spec[Any, Any], lack: Callable[[], str]) -> None:
    """Wait until nothing lacks, in words; often right after a call. Throttling and the like are ridden out.

    Raises :class:`AuthError` where the time limit is reached, or AWS can't be asked at all.
    """
    while True:
        try:
            words = lack()
        except AuthError as error:
            if not _passing(error.__cause__):
                raise
            words = str(error).removeprefix(f"{spec.id}: ")
        if not words:
            return
        if spec.left <= 0:
            raise AuthError(
                f"{spec.id}: not done after {spec.manner.timeout:.0f} s: {words}. "
                "What is under way goes on at AWS: run this again, or raise wait_timeout."
            )
        pause = min(spec.manner.delay, 1.0) if spec.is_fresh else spec.manner.delay
        spec.clients.pause(min(pause, max(spec.left, 0.0)))


def _passing(error: BaseException | None) -> bool:
    """Whether AWS could not be asked for a reason that goes by."""
    if error is None:
        return False
    return classify(error) in (Kind.THROTTLED, Kind.AMBIGUOUS) or is_connection_error(error)


def _worn_out(spec: Spec[Any, Any]) -> AuthError:
    return AuthError(
        f"{spec.id}: AWS was busy with it, or the connection broke, again and again ({_MAX_ROUNDS} tries). "
        f"The last time: {spec.refusal or 'it was gone'} Run this again."
    )


def _listed(options: Collection[str]) -> str:
    return ", ".join(sorted(options))


# --- Absent ---------------------------------------------------------------------------------------------------------


def _absent(spec: Spec[Any, Any]) -> Sequence[ResourceCall]:
    progress, manner = spec.progress, spec.manner
    for _dummy in range(_MAX_ROUNDS):
        current = _describe(spec)
        spec.raw, progress.after = current.raw if current else {}, {}
        if current is None:
            joined = "gone, its deletion was already under way" if progress.before else f"there is no such {spec.what}"
            progress.msg = f"{spec.id}: {'deleted' if spec.sent else joined}."
            return ()
        if progress.before is None:
            spec.read(current)
            progress.before = spec.state(current)
        if spec.is_deleting(current):
            if manner.check_mode or not manner.wait:
                _leave_deleting(spec)
                return ()
            _await_gone(spec, current)
            continue
        if words := spec.undeletable(current):
            if not manner.wait:
                raise AuthError(
                    f"{spec.id}: a change is under way ({words}), and AWS deletes it only when that has ended. "
                    "With wait: true it is waited for."
                )
            spec.wait_for(lambda latest: "" if spec.is_deleting(latest) else spec.undeletable(latest), current)
            continue
        spec.check_deletion(current)
        step = spec.deletion()
        if manner.check_mode:
            progress.changed, progress.api_calls, spec.raw = True, [step.shown()], {}
            progress.msg = f"{spec.id}: would be deleted."
            return [step]
        if not _act(spec, step, current):
            spec.clients.pause(min(manner.delay, 1.0))
        elif manner.wait:
            _await_gone(spec)
        else:
            _leave_deleting(spec)
            return ()
    raise _worn_out(spec)


def _leave_deleting(spec: Spec[Any, Any]) -> None:
    spec.progress.msg = f"{spec.id}: is being deleted."
    latest = None if spec.manner.check_mode else _describe(spec)
    spec.raw = latest.raw if latest else {}
