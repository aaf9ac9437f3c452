# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look at groups: what the API, their nodes and their record say, and what that makes us believe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._aws import records
from .._aws.clients import Clients
from .._aws.errors import explain
from .._aws.groups import DESCRIBE_SINGLY, OFF, PREFERRED, Group, describe_members, with_endpoints
from .._aws.sweeps import sweep_versions
from .._aws.waiting import settled
from .._core import record
from .._core.errors import AuthError
from .._core.evidence import Answer, Belief, Evidence, believe
from .._core.posture import RBAC_FROM, TOKENS_FROM
from .._core.states import CallKind
from .._data_plane.probe import (
    Credential,
    NodeAnswer,
    Reach,
    Transport,
    as_evidence,
    probe_nodes,
    unreachable,
    untrusted,
)
from .tokens import TokenSet, label

#: In `probe: auto`, so many groups are tried first; where none of them answers, the network does not lead there.
_SCOUTS = 8
#: Up to this many groups their first members are described one by one; for more, all of the region are gone through.
_VERSIONS_SINGLY = 2 * DESCRIBE_SINGLY

_TOKEN_CALLS = (CallKind.ROTATE, CallKind.SET, CallKind.REMOVE_AND_ROTATE)


@dataclass(frozen=True)
class Probing:
    """How to treat the data plane: ``mode`` is auto, always or never."""

    mode: str = "auto"
    ca_path: str | None = None
    timeout: float = 5.0


@dataclass(frozen=True)
class Observation:
    """What was seen of one group; ``references`` are the names that the record has for tokens at hand.

    ``recorded``: the records that were read, or written, by this run, as they are in the tags.
    ``unassumed``: the belief without the caller's word, where :attr:`belief` was narrowed by it. ``earlier``: what was
    on record before that was, to be put back where it proves wrong.
    """

    group: Group
    tokens: TokenSet
    belief: Belief
    entry: record.Entry | None = None
    answers: tuple[NodeAnswer, ...] = ()
    references: Mapping[str, str] = field(default_factory=dict)
    recorded: frozenset[record.Entry] = frozenset()
    unassumed: Belief | None = None
    earlier: record.Entry | None = None

    @property
    def cutover_until(self) -> int:
        """Until when clients have time to move to the newer token, in seconds since 1970; 0 where they have none."""
        if self.entry is None or self.belief.drift:
            return 0
        return self.entry.cutover_until or 0

    @property
    def heard(self) -> bool:
        """Whether a node answered."""
        return any(answer.reach is Reach.ANSWERED for answer in self.answers)

    def told_by_nodes(self) -> str:
        """Return in a sentence what the nodes that answered accept and refuse; empty where they tell nothing."""
        probe = as_evidence(self.answers)
        if probe is None:
            return ""
        said: dict[Answer, list[str]] = {answer: [] for answer in Answer}
        for name, answer in probe.tokens.items():
            said[answer].append(label(name))
        if probe.served_unauthenticated is not None:
            said[Answer.ACCEPTED if probe.served_unauthenticated else Answer.REFUSED].append("clients without a token")
        parts = [
            f"{verb} {' and '.join(said[answer])}"
            for verb, answer in (("accept", Answer.ACCEPTED), ("refuse", Answer.REFUSED))
            if said[answer]
        ]
        return f"Its nodes {', and '.join(parts)}." if parts else ""


class SecondaryGroup(AuthError):
    """The group is a secondary of a global datastore: its access control is its primary's (elasticache-facts §5)."""

    def __init__(self, group: Group) -> None:
        named = f" {group.global_id}" if group.global_id else ""
        option = f"--global-replication-group-id {group.global_id} " if group.global_id else ""
        self.why = (
            f"it is a secondary of the global datastore{named}, and has the access control of its primary. Change that "
            "of the primary: the secondaries follow. Which group it is, and in which region: aws elasticache "
            f"describe-global-replication-groups {option}--show-member-info"
        )
        super().__init__(f"{group.id}: {self.why}")


def check_preconditions(group: Group, kinds: Iterable[CallKind], versions: Mapping[str, tuple[int, ...]]) -> None:
    """Raise :class:`AuthError` where AWS would refuse these calls on ``group`` whatever its tokens are.

    ``versions``: engine version by group id. Sources: elasticache-facts §3, §5.
    """
    kinds = tuple(kinds)
    if group.is_secondary:
        raise SecondaryGroup(group)
    settled(group)  # raises where the group will never be available
    what = "an AUTH token" if set(kinds) & set(_TOKEN_CALLS) else "a user group"
    if group.tls == OFF:
        raise AuthError(
            f"{group.id}: encryption in transit is off, and {what} needs it. With elasticache.auth.replication_group "
            "set transit_encryption_mode: preferred, move the clients to TLS, then set it to required."
        )
    if group.tls == PREFERRED and what == "an AUTH token":
        raise AuthError(
            f"{group.id}: encryption in transit is in mode preferred, and AWS changes a token only in mode required. "
            "Move the clients to TLS, then set transit_encryption_mode: required (elasticache.auth.replication_group)."
        )
    least = (TOKENS_FROM if what == "an AUTH token" else RBAC_FROM).get(group.engine)
    version = versions.get(group.id)
    if least and version and version < least:
        raise AuthError(
            f"{group.id}: its engine is {group.engine} {_dotted(version)}, and {what} can be changed from "
            f"{group.engine} {_dotted(least)} on. Upgrade it with engine_version of elasticache.auth.replication_group."
        )


def engine_versions(clients: Clients, groups: Iterable[Group]) -> dict[str, tuple[int, ...]]:
    """Return the engine's version of each group, from its first member. Raises :class:`AuthError`."""
    groups = [group for group in groups if group.nodes]
    known = clients.known.versions
    unknown = [group for group in groups if group.nodes[0].cache_cluster_id not in known]
    if len(unknown) > _VERSIONS_SINGLY:
        try:
            versions = sweep_versions(clients)  # of all groups: those to come are plans of the same region
        except Exception as error:
            raise AuthError(explain(error, "elasticache:DescribeCacheClusters", clients.region)) from error
    else:
        members = describe_members(clients, unknown, all_nodes=False)
        versions = {key: member.get("EngineVersion", "") for key, member in members.items()}
    for key, text in versions.items():
        if text:
            known[key] = tuple(int(part) for part in text.split(".") if part.isdigit())
    found = {group.id: known.get(group.nodes[0].cache_cluster_id) for group in groups}
    return {key: version for key, version in found.items() if version is not None}


def read_records(clients: Clients, groups: Iterable[Group], *, singly: bool = False) -> dict[str, record.Entry | None]:
    """Return the record in each group's tags. Raises :class:`AuthError`.

    Those of many are read in bulk, where one may be missing that was written a moment ago; not so ``singly``.
    """
    groups = list(groups)
    tags = records.read_singly(clients, groups) if singly else records.read_tags(clients, groups, thorough=False)
    return {key: records.entry_in(found) for key, found in tags.items()}


def probe_groups(
    clients: Clients, groups: Iterable[Group], tokens: Mapping[str, TokenSet], probing: Probing
) -> dict[str, tuple[NodeAnswer, ...]]:
    """Ask the nodes of each group about its tokens.

    In ``probe: auto``, a group is left out where the network does not lead there. Raises :class:`AuthError` where
    nothing can be asked: the file of authorities is missing.
    """
    groups = [group for group in groups if group.nodes]
    if probing.mode == "never" or not groups:
        return {}
    if probing.mode == "auto" and clients.known.nodes_reachable is False:
        return {}
    answers: dict[str, tuple[NodeAnswer, ...]] = {}
    credentials = {key: {token.name: Credential(token.value) for token in given.all} for key, given in tokens.items()}
    for some in (groups[:_SCOUTS], groups[_SCOUTS:]):
        answers |= ask_nodes(clients, some, credentials, probing)
        heard = any(_heard(told) for told in answers.values())
        if heard:
            clients.known.nodes_reachable = True
        elif len(answers) >= _SCOUTS and clients.known.nodes_reachable is None:
            clients.known.nodes_reachable = False
        if probing.mode == "auto" and not heard and not clients.known.nodes_reachable:
            break
    return answers


def _heard(answers: Iterable[NodeAnswer]) -> bool:
    return any(answer.reach is not Reach.UNREACHABLE for answer in answers)


def ask_nodes(
    clients: Clients,
    groups: Sequence[Group],
    credentials: Mapping[str, Mapping[str, Credential]],
    probing: Probing,
) -> dict[str, tuple[NodeAnswer, ...]]:
    """Ask every node of each group about that group's credentials. Raises :class:`AuthError` if none can be asked."""
    members = members_of(clients, groups)
    told: dict[str, tuple[NodeAnswer, ...]] = {group.id: () for group in groups}
    for tls in (True, False):
        asked = [(g, node) for g in groups if (g.tls != OFF) == tls for node in with_endpoints(g, members)]
        transport = Transport(tls, probing.ca_path, probing.timeout)
        answers = probe_nodes(
            [node for dummy, node in asked], [credentials[group.id] for group, dummy in asked], transport
        )
        for (group, dummy), answer in zip(asked, answers, strict=True):
            told[group.id] += (answer,)
    return told


def members_of(clients: Clients, groups: Iterable[Group]) -> dict[str, dict[str, Any]]:
    """Return the members of those groups whose description has no endpoints (cluster mode), by their ids."""
    clustered = [group for group in groups if any(node.host is None for node in group.nodes)]
    return describe_members(clients, clustered, all_nodes=True) if clustered else {}


def conclude(
    group: Group,
    tokens: TokenSet,
    entry: record.Entry | None,
    answers: Iterable[NodeAnswer],
    probing: Probing,
) -> Observation:
    """Turn what was seen into a belief. Raises :class:`AuthError` for nodes that can't be trusted, or, with
    ``probe: always``, reached."""
    answers = tuple(answers)
    problem = untrusted(group.id, answers)
    if not problem and probing.mode == "always":
        problem = unreachable(group.id, answers)
        problem = f"{problem}, or use probe: auto." if problem else ""
        if not answers:
            problem = f"{group.id}: it has no node to ask."
    if problem:
        raise AuthError(problem)
    if group.is_secondary:
        # It is of a time when the group was a primary. Its token is changed at another group now, and no one records
        # that here, though its date moves.
        entry = None
    evidence_of_record = None
    recorded: dict[str, str] = {}
    if entry is not None:
        references = {*entry.state.tokens, *((entry.call.token,) if entry.call and entry.call.token else ())}
        names, aliases = tokens.resolve(references)
        entry = record.translate(entry, names)
        recorded = {name: ref for ref, name in names.items()}
        evidence_of_record = records.as_evidence(entry, group, aliases)
    evidence = Evidence(
        group.api, tokens.names, as_evidence(answers), record=evidence_of_record, complete=tokens.complete
    )
    return Observation(group, tokens, believe(evidence), entry, answers, recorded)


def _dotted(version: Iterable[int]) -> str:
    return ".".join(map(str, version))
