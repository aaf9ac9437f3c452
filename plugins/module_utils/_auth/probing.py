# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which credentials every node of every group accepts, as a module of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._aws.clients import Clients
from .._aws.groups import OFF, Group, require_all
from .._aws.secrets import read_token, secret_name
from .._core.errors import AuthError
from .._data_plane.probe import Credential, NodeAnswer, unreachable, untrusted
from .._fan_out import fan_out
from .observe import Probing, ask_nodes
from .outcome import Outcome, Progress, shown_evidence
from .tokens import by_group, no_token_in

UNAUTHENTICATED = "unauthenticated"
ACCEPTED, REFUSED, DIFFERS, UNTOLD = "accepted", "refused", "differs", "untold"
#: An expectation that nodes fulfil, too, which accept whatever token and so tell nothing about this one.
NOT_REFUSED = "not_refused"


@dataclass
class GroupProbe(Progress):
    """What the nodes of one group answered, by name of a credential."""

    answers: dict[str, str] | None = None

    def outcome(self) -> Outcome:
        """Return the entry of RV(outcomes) for this group."""
        return {**super().outcome(), "answers": self.answers}


def check_credentials(credentials: Iterable[Mapping[str, Any]], expect: Mapping[str, Any] | None) -> None:
    """Raise :class:`AuthError` for names that occur twice or are taken, and for expectations that mean nothing."""
    names = [credential["name"] for credential in credentials]
    for name in names:
        if name == UNAUTHENTICATED or names.count(name) > 1:
            raise AuthError(f"credentials: the name {name} is taken; give each credential a name of its own.")
    for name, wanted in (expect or {}).items():
        if name != UNAUTHENTICATED and name not in names:
            raise AuthError(f"expect: there is no credential named {name}; there is {', '.join(names) or 'none'}.")
        if wanted not in (ACCEPTED, REFUSED, NOT_REFUSED):
            raise AuthError(f"expect: {name} has to be {ACCEPTED}, {REFUSED} or {NOT_REFUSED}.")


def probe_all(
    clients: Clients,
    ids: Sequence[str],
    credentials: Sequence[Mapping[str, Any]],
    expect: Mapping[str, str],
    probing: Probing,
    *,
    hide: Callable[[str], None],
) -> list[GroupProbe]:
    """Return the answers of each group. Raises :class:`AuthError` for what concerns no single group."""
    begun = time.monotonic()
    probes = {key: GroupProbe(key) for key in ids}
    credentials = [_by_group(credential) for credential in credentials]
    groups: dict[str, Group] = {}
    for key, found in require_all(clients, ids).items():
        if isinstance(found, AuthError):
            probes[key].error = str(found)
        elif found.tls == OFF and credentials:
            probes[key].error = (
                f"{key}: encryption in transit is off, and no token is sent over a connection without TLS. "
                "Leave credentials out to ask only whether clients without one are served."
            )
        else:
            groups[key] = found
    tried = {}
    for key, read in fan_out(groups, lambda key: read_credentials(clients, credentials, key, hide)).items():
        if isinstance(read, Exception):
            probes[key].error = str(read)
        else:
            tried[key] = read
    told = ask_nodes(clients, [groups[key] for key in tried], tried, probing)
    for key, answers in told.items():
        probe = probes[key]
        probe.evidence = shown_evidence(groups[key], None, answers)
        missing = unreachable(key, answers)
        probe.error = untrusted(key, answers) or (f"{missing}." if missing else "")
        probe.error = probe.error or ("" if answers else f"{key}: it has no node.")
        if not probe.error:
            probe.answers = summarize(answers, tried[key])
            probe.error = unmet(key, probe.answers, expect)
            probe.msg = f"{key}: {', '.join(f'{name} {answer}' for name, answer in probe.answers.items())}."
    for probe in probes.values():
        probe.duration = time.monotonic() - begun
    return list(probes.values())


def _by_group(credential: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the credential with its tokens by the ids as AWS has them, once for all groups."""
    tokens = credential.get("auth_tokens")
    return credential if tokens is None else {**credential, "auth_tokens": by_group(tokens)}


def read_credentials(
    clients: Clients, credentials: Iterable[Mapping[str, Any]], group_id: str, hide: Callable[[str], None]
) -> dict[str, Credential]:
    """Return a group's credentials by their names, from the options or the secret that they are in.

    Raises :class:`AuthError`.
    """
    read = {}
    for credential in credentials:
        value, source, tokens = (credential.get(name) for name in ("auth_token", "auth_token_secret", "auth_tokens"))
        whose = f"{group_id}: credentials: {credential['name']}"
        if tokens is not None:
            value = tokens.get(group_id)
            if not value:
                raise AuthError(
                    f"{whose}: there is no token for it in auth_tokens. Give it there, under the group's id."
                )
        elif source:
            name = secret_name(source["name"], group_id)
            token = read_token(clients, name, source["stage"], source.get("key"), group_id)
            if token is None:
                raise AuthError(
                    f"{whose}: {no_token_in(source['stage'], name)}. Stage one, or name another label in "
                    "auth_token_secret.stage."
                )
            hide(token.value)
            value = token.value
        read[credential["name"]] = Credential(str(value), credential["username"])
    return read


def summarize(answers: Sequence[NodeAnswer], names: Iterable[str]) -> dict[str, str]:
    """Return what all nodes say of each credential, and of none at all.

    A node that accepts a password that nobody has tells nothing about others of the same user by accepting them.
    """
    said = {UNAUTHENTICATED: {answer.unauthenticated for answer in answers}}
    said |= {name: {bool(answer.accepted.get(name)) for answer in answers} for name in names}
    words = {True: ACCEPTED, False: REFUSED}
    answered = {name: words[told.pop()] if len(told) == 1 else DIFFERS for name, told in said.items()}
    return answered | {name: UNTOLD for name in names if any(name in answer.untold for answer in answers)}


def unmet(group_id: str, answers: Mapping[str, str], expect: Mapping[str, str]) -> str:
    """Return the error about expectations that are not met; empty where all are."""
    fulfilled = {NOT_REFUSED: (ACCEPTED, UNTOLD)}
    wrong = [
        f"{name} is {answers[name]}, not {wanted}"
        for name, wanted in expect.items()
        if answers[name] not in fulfilled.get(wanted, (wanted,))
    ]
    if not wrong:
        return ""
    return f"{group_id}: {'; '.join(wrong)}. See outcomes['{group_id}'].evidence.nodes for each node."
