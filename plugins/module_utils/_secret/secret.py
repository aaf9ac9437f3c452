# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A token's way through the staging labels of a secret: staged, promoted, discarded; and back, and away.

Each run looks first and does what is left to do, so it may be cut off anywhere and run again. Where a call's answer is
lost, or says that the secret is not as it was seen, it looks again; and so it does before a call that would take a
label from a version that it has not seen. What is promoted is the version that was staged at the first look, and only
in the place of the version that was in AWSCURRENT then.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .._auth.outcome import Outcome, Progress
from .._aws import secrets as store
from .._aws.clients import Clients
from .._aws.errors import Kind, classify, code_of
from .._aws.secrets import (
    ABANDONED,
    CREATE,
    CURRENT,
    LABEL,
    PENDING,
    PUT,
    STAGES,
    Secret,
    SecretCall,
)
from .._core.errors import AuthError
from .._core.tokens import MIN_LENGTH, generate
from .._fan_out import fan_out
from .secret_plan import (
    MAX_TAKEN,
    Goal,
    SecretOrder,
    SecretPlan,
    SecretRequest,
    check_current,
    decide,
    given_token,
    token_if_any,
    unread,
)

#: In the place of the id of a version that is yet to be made.
NEW_VERSION = "new version"
#: How often a secret is looked at anew because labels were moved meanwhile or an answer was lost.
_MAX_TROUBLES = 5
#: How long until then at first where an answer was lost, seconds; twice as long each time.
_PAUSE = 0.05
#: A secret is described right before a label is taken from a version, unless that was less than so long ago, seconds.
_LOOK_COUNTS_FOR = 1.0

_TAKEN = "ResourceExistsException"
#: What AWS says, by action, where the secret is not as it was seen, or was changed by a call whose answer got lost.
_OTHER_THAN_SEEN: Mapping[str, frozenset[str]] = {
    CREATE: frozenset({_TAKEN}),
    PUT: frozenset({"InvalidRequestException", "ResourceNotFoundException"}),
    LABEL: frozenset({"InvalidParameterException", "InvalidRequestException", "ResourceNotFoundException"}),
}


@dataclass
class SecretProgress(Progress):
    """One secret on its way through the module. ``secret``: as it is at the end, where nothing went wrong."""

    secret_name: str = ""
    secret: Secret | None = field(default=None, repr=False)

    def outcome(self) -> Outcome:
        """Return the entry of RV(outcomes) for this group."""
        told = {name: value for name, value in super().outcome().items() if name not in ("evidence", "drift")}
        return {**told, "secret_name": self.secret_name}


@dataclass
class _SecretRun:
    """One secret under way.

    ``said``: the first plan of which a call was made. ``doubt``: a call that may or may not have been carried out, with
    what AWS, or the connection, said of it. ``refused``: one that AWS refused because the secret was not as seen.
    ``looked_at``: when it was described, of ``time.monotonic()``. ``staged``: the version that was staged at the first
    look. ``current``: the version that AWSCURRENT has to be on, as nobody but this run moves it; empty: any.
    """

    request: SecretRequest
    progress: SecretProgress
    plan: SecretPlan = field(default_factory=SecretPlan)
    said: SecretPlan | None = None
    doubt: tuple[SecretCall, AuthError] | None = None
    refused: SecretCall | None = None
    troubles: int = 0
    known: Secret | None = field(default=None, repr=False)
    is_known: bool = False
    looked_at: float = float("-inf")
    staged: str = ""
    current: str = ""

    def done(self, call: SecretCall, version_id: str = "") -> None:
        """Take note that ``call`` was made; ``version_id``: of the version that it made, where AWS has told."""
        if self.current:
            self.current = call.applied({CURRENT: self.current}, version_id or call.version_id).get(CURRENT, "")
        self.progress.changed = True
        self.progress.api_calls.append(call.shown())
        self.said = self.said or self.plan

    def tell(self, plan: SecretPlan, was: str) -> None:
        self.progress.msg = plan.message(self.request.group_id, was)
        if plan.warning:
            self.progress.warnings.append(plan.warning)


def bring_secrets_about(
    clients: Clients,
    order: SecretOrder,
    *,
    hide: Callable[[str], None],
    known: Mapping[str, Secret | None] | None = None,
) -> list[SecretProgress]:
    """Fulfil ``order`` for each group and return what happened to each. ``hide`` is told every token that is met.

    ``known``: secrets that were read before, by group (``None``: there is none); their first look is saved.
    Raises :class:`AuthError` for what concerns no single group.
    """
    begun = time.monotonic()
    dummy = clients.secrets  # where no client can be made, it is told once

    def work(key: str) -> SecretProgress:
        progress = SecretProgress(id=key, secret_name=order.names[key])
        try:
            case = _SecretRun(_request(order, key, hide), progress, current=order.currents.get(key, ""))
            if known is not None and key in known:
                case.known, case.is_known = known[key], True
            _bring_about(clients, case, check_mode=order.check_mode, hide=hide)
        except AuthError as error:
            progress.error = str(error)
        except Exception as error:  # pylint: disable=broad-exception-caught
            # What was done so far is told all the same; the error's own words may hold anything.
            progress.error = f"{key}: the module met an error that it does not know, {type(error).__name__}."
        progress.duration = time.monotonic() - begun
        return progress

    done = fan_out(order.names, work)
    return [secret for secret in done.values() if isinstance(secret, SecretProgress)]


def _request(order: SecretOrder, key: str, hide: Callable[[str], None]) -> SecretRequest:
    # One token for all of a run's tries, so that a repeated call asks for the same version.
    given = given_token(order, key) if order.goal is Goal.STAGED else None
    token = given or (generate(order.length) if order.goal is Goal.STAGED else "")
    if token:
        hide(token)
    version = order.versions.get(key, "") if order.goal is Goal.PROMOTED else ""
    return SecretRequest(
        key, order.names[key], order.goal, order.key, token, given is not None, order.creation, version
    )


def _bring_about(clients: Clients, case: _SecretRun, *, check_mode: bool, hide: Callable[[str], None]) -> None:
    progress, first = case.progress, True
    while True:
        if not case.is_known:
            case.looked_at = time.monotonic()
        secret = case.known if case.is_known else _look(clients, case.request, hide)
        case.is_known = False
        labels = secret.labels if secret else {}
        if first and secret:
            progress.before = shown_labels(labels)
            case.staged = labels.get(PENDING, "")
            if case.request.goal is Goal.PROMOTED:
                case.current = case.current or labels.get(CURRENT, "")
        first = False
        _settle_doubt(clients, case, secret.labels if secret else None)
        request = case.request
        if case.staged and labels.get(PENDING) not in (None, case.staged):
            request = replace(request, version=request.version or case.staged)
        case.plan = decide(request, secret, clients.region)
        check_current(request, case.plan, case.current, labels)
        if check_mode:
            for call in case.plan.calls:
                labels = call.applied(labels, NEW_VERSION)
                progress.api_calls.append(call.shown())
            progress.changed = bool(case.plan.calls)
            progress.after = shown_labels(labels)
            case.tell(case.plan, "would be")
            return
        after, complete = _perform(clients, case, secret)
        if complete:
            progress.after = shown_labels(after.labels if after else {})
            progress.secret = after
            case.tell(case.said or case.plan, "was")
            if case.said and case.plan.warning not in ("", case.said.warning):
                progress.warnings.append(case.plan.warning)
            return


def shown_labels(labels: Mapping[str, str]) -> dict[str, str | None]:
    """Return the version ids by staging label, as a result shows them; our own label only where it is."""
    shown = {stage: labels.get(stage) for stage in STAGES}
    return shown | ({ABANDONED: labels[ABANDONED]} if ABANDONED in labels else {})


def _look(clients: Clients, request: SecretRequest, hide: Callable[[str], None]) -> Secret | None:
    """Read the secret as far as it has to be known; the labels and what is there belong together."""
    for dummy in range(_MAX_TROUBLES):
        secret = store.describe_secret(clients, request.name, request.group_id)
        if secret is None:
            return None
        texts: dict[str, str | None] = {}
        moved = False
        for stage in unread(request.goal, secret.labels):
            version_id, text = store.read_text(clients, request.name, stage, request.group_id)
            moved = moved or version_id not in ("", secret.labels[stage])
            texts[stage] = text
            token = token_if_any(request, text)
            if token and len(token) >= MIN_LENGTH:  # a short word that is no token would mask half of the message
                hide(token)
        if not moved:
            return replace(secret, texts=texts)
    raise AuthError(
        f"{request.what()}: its staging labels were moved by someone else at each of {_MAX_TROUBLES} looks. Run this "
        "again when nobody else is at work on it."
    )


def _settle_doubt(clients: Clients, case: _SecretRun, labels: Mapping[str, str] | None) -> None:
    """Take a call for made, or not, by what is seen now. Raises :class:`AuthError` where that happens too often."""
    if case.doubt is None:
        return
    (call, error), case.doubt = case.doubt, None
    if call.shows_in(labels):
        case.done(call)
        return
    _note_trouble(case, error)
    clients.pause(_PAUSE * 2**case.troubles)


def _note_trouble(case: _SecretRun, error: AuthError) -> None:
    case.troubles += 1
    if case.troubles >= _MAX_TROUBLES:
        raise error


class _LabelsMovedError(AuthError):
    """The staging labels are not where they were when the call was decided upon, so that it was not made."""


def _check(clients: Clients, case: _SecretRun, secret: Secret | None, call: SecretCall) -> Callable[[], None]:
    """Return what is to be called before each attempt of ``call``: it raises where the labels have moved.

    UpdateSecretVersionStage takes a label from the version that is named only. But PutSecretValue takes AWSPENDING from
    any, and AWSCURRENT is moved to what is in AWSPENDING, which is not a part of that call. Nor is AWSCURRENT a part of
    those that mark its version as given up.
    """
    attempts = itertools.count()
    takes = call.action == PUT or call.parameters.get("VersionStage") == CURRENT or case.request.goal is Goal.BACK

    def check() -> None:
        late = next(attempts) > 0 or time.monotonic() - case.looked_at > _LOOK_COUNTS_FOR
        if secret is None or not takes or not late:
            return
        now = store.describe_secret(clients, case.request.name, case.request.group_id)
        case.looked_at = time.monotonic()
        if now is None or dict(now.labels) != dict(secret.labels):
            raise _LabelsMovedError(
                f"{case.request.what()}: its staging labels were moved by someone else again and again. Run this again "
                "when nobody else is at work on it."
            )

    return check


def _perform(clients: Clients, case: _SecretRun, secret: Secret | None) -> tuple[Secret | None, bool]:
    """Make the planned calls; return the secret after them, and whether that was all, or to look again.

    Raises :class:`AuthError`.
    """
    request = case.request
    for call in case.plan.calls:
        try:
            answer = store.perform_call(clients, call, check=_check(clients, case, secret, call))
        except _LabelsMovedError as moved:
            _note_trouble(case, moved)
            return None, False
        except AuthError:
            raise
        except Exception as error:
            told = store.told(error, call.action, request.name, request.group_id, clients.region)
            if call.action == PUT and code_of(error) == _TAKEN:
                _take_next_id(case, told)
            elif classify(error) is Kind.AMBIGUOUS:
                case.doubt = call, told
            elif code_of(error) in _OTHER_THAN_SEEN[call.action] and call != case.refused:
                case.refused = call
                if call.action == LABEL:  # perhaps because botocore has repeated a call that was carried out
                    case.doubt = call, told
            else:
                raise told from error
            return None, False
        if call.action == PUT and not set(call.parameters["VersionStages"]) <= set(answer.get("VersionStages", STAGES)):
            # The same text was staged under this id before, and discarded: AWS takes the call and moves no label.
            _take_next_id(case, AuthError(f"{request.what()}: Secrets Manager stored a version without its label."))
            return None, False
        version_id = answer.get("VersionId") or call.version_id
        case.done(call, version_id)
        secret = (secret or Secret(answer.get("ARN", ""), {})).after(call, version_id)
        if call is not case.plan.calls[-1] and call.action != LABEL:
            return None, False  # the id of the next version depends on this one
    return secret, True


def _take_next_id(case: _SecretRun, error: AuthError) -> None:
    """Look again and, if there still is something to store, store it under another id."""
    if case.request.attempt > MAX_TAKEN:
        raise error
    case.request = replace(case.request, attempt=case.request.attempt + 1)


def label_diff(progress: Iterable[SecretProgress]) -> list[dict[str, Any]]:
    """Return Ansible's diff: of each changed secret the version ids by staging label, before and after."""
    return [
        {
            "before_header": secret.secret_name,
            "after_header": secret.secret_name,
            "before": secret.before or {},
            "after": secret.after or {},
        }
        for secret in progress
        if secret.changed and not secret.error
    ]
