# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fleet: the facts of all groups and serverless caches of some regions and accounts, in as few calls as pages.

No node is asked and no token is at hand: what the API shows and the record says has to do. The facts are plain data
that JSON can hold; :func:`survey` looks at one region, :func:`survey_fleet` at many, at once.
"""

from __future__ import annotations

import datetime
import difflib
import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._auth.observe import Probing, conclude
from .._auth.outcome import shown_states
from .._auth.tokens import TokenSet
from .._aws import records
from .._aws.accounts import account_of_role, assume_role, enabled_regions, regions_known_to_boto3
from .._aws.clients import Clients
from .._aws.errors import explain
from .._aws.groups import REQUIRED, Group, describe_members, sweep_groups
from .._aws.sweeps import (
    REPLICATION_GROUP,
    SERVERLESS_CACHE,
    ServerlessCache,
    sweep_serverless,
    sweep_tags,
    sweep_versions,
)
from .._aws.tags import tags_of
from .._core.errors import AuthError
from .._core.evidence import Api, Evidence, believe
from .._core.explain import describe
from .._core.record import TAG_KEY, Entry
from .._fan_out import fan_out

Facts = dict[str, Any]

#: In place of a region's name: every region that is enabled in the account.
ALL_REGIONS = "all"
#: The Resource Groups Tagging API is behind by less than this; a token that was changed since may have a newer record
#: than it shows, seconds.
_TAGS_BEHIND = 900
_PAGE = 100


@dataclass(frozen=True)
class Scope:
    """What to look at. ``ids``: shell patterns, one of which an id has to match; none: all."""

    ids: tuple[str, ...] = ()
    record: bool = True
    engine_versions: bool = True
    serverless: bool = True

    def includes(self, key: str) -> bool:
        """Whether the id is one to look at."""
        return not self.ids or any(fnmatch.fnmatchcase(key, pattern) for pattern in self.ids)


@dataclass(frozen=True)
class SurveyTarget:
    """A region of an account: of the credentials' own, or of the role's."""

    region: str
    role_arn: str | None = None

    def __str__(self) -> str:
        """In words, for a message."""
        return f"{self.region} as {self.role_arn}" if self.role_arn else self.region


@dataclass(frozen=True)
class Failure:
    """A target that could not be looked at; ``region`` is ``None`` where the whole account could not."""

    region: str | None
    role_arn: str | None
    error: str

    def as_dict(self) -> dict[str, str | None]:
        """Return it as plain data."""
        account = account_of_role(self.role_arn) if self.role_arn else None
        return {
            "region": self.region,
            "account_id": account,
            "assume_role_arn": self.role_arn,
            "error": self.error,
        }


@dataclass(frozen=True)
class Fleet:
    """What was found, by account, region and id, and what could not be looked at."""

    facts: tuple[Facts, ...] = ()
    failures: tuple[Failure, ...] = ()
    places: tuple[SurveyTarget, ...] = field(default=(), compare=False)


def survey_fleet(
    home: Clients,
    regions: Sequence[str],
    roles: Sequence[str] = (),
    *,
    own_account: bool = True,
    scope: Scope | None = None,
) -> Fleet:
    """Look at every region of every account, at once.

    ``home``: clients with the caller's own credentials. ``regions``: names, or :data:`ALL_REGIONS`. ``roles``: ARNs,
    each assumed for another account; ``own_account``: look at the caller's own account too.
    What can't be looked at is among the failures. A group that two roles lead to is listed once.
    """
    scope = scope or Scope()
    failures: list[Failure] = []
    accounts: dict[str | None, Clients] = {None: home} if own_account else {}
    for role, credentials in fan_out(roles, lambda role: assume_role(home, role)).items():
        if isinstance(credentials, Exception):
            failures.append(Failure(None, role, _why(credentials)))
        else:
            accounts[role] = home.elsewhere(credentials=credentials)

    named = {key: list(dict.fromkeys(regions)) for key in accounts}
    if ALL_REGIONS in regions:
        named = {}
        for key, answer in fan_out(accounts, lambda key: enabled_regions(accounts[key])).items():
            if isinstance(answer, Exception):
                failures.append(Failure(None, key, f"{_why(answer)} Or name the regions."))
            else:
                named[key] = answer
    places = [SurveyTarget(region, key) for key, some in named.items() for region in some]

    def survey_target(target: SurveyTarget) -> list[Facts]:
        return survey(accounts[target.role_arn].elsewhere(region=target.region), scope, role_arn=target.role_arn)

    by_arn: dict[str, Facts] = {}
    for target, found in fan_out(places, survey_target).items():
        if isinstance(found, Exception):
            failures.append(Failure(target.region, target.role_arn, _why(found)))
            continue
        for facts in found:
            by_arn.setdefault(facts["arn"], facts)
    ordered = sorted(
        by_arn.values(), key=lambda entry: (entry["account_id"], entry["region"], entry["replication_group_id"])
    )
    return Fleet(tuple(ordered), tuple(failures), tuple(places))


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, AuthError) else f"{type(error).__name__}: {error}"


def check_regions(home: Clients, regions: Iterable[str]) -> None:
    """Raise :class:`AuthError` for a name that is no region's. EC2 is asked about those that boto3 doesn't know."""
    known = regions_known_to_boto3()
    unknown = [region for region in regions if region != ALL_REGIONS and region not in known]
    if not unknown:
        return
    if home.region not in known:
        home = home.elsewhere(region="us-east-1")
    try:
        known |= set(enabled_regions(home, disabled_too=True))
        asked = ""
    except AuthError as error:
        asked = f" EC2 could not be asked whether there is a newer one of this name: {error}"
    for region in unknown:
        if region not in known:
            close = difflib.get_close_matches(region, sorted(known), 1)
            meant = f" Did you mean {close[0]}?" if close else ""
            raise AuthError(f"regions: there is no region '{region}'.{meant}{asked}")


def survey(clients: Clients, scope: Scope | None = None, *, role_arn: str | None = None) -> list[Facts]:
    """Return the facts of all groups, and serverless caches, in the region of ``clients``.

    ``role_arn``: the role whose credentials ``clients`` have; it is noted in the facts.
    Raises :class:`AuthError`, which names the region and the call.
    """
    scope = scope or Scope()
    lists: dict[str, Callable[[], Any]] = {"elasticache:DescribeReplicationGroups": lambda: list(sweep_groups(clients))}
    if scope.serverless:
        lists["elasticache:DescribeServerlessCaches"] = lambda: sweep_serverless(clients)
    ways_out = {"elasticache:DescribeServerlessCaches": "Or leave them out with serverless: false."}
    found = _all_of(clients, lists, ways_out)
    every: list[Group] = found["elasticache:DescribeReplicationGroups"]
    groups = [group for group in every if scope.includes(group.id)]
    caches = [
        cache for cache in found.get("elasticache:DescribeServerlessCaches", ()) if scope.includes(cache.name.lower())
    ]

    more: dict[str, Callable[[], Any]] = {}
    if scope.record and (groups or caches):
        kinds = [REPLICATION_GROUP] * bool(groups) + [SERVERLESS_CACHE] * bool(caches)
        more["tag:GetResources"] = lambda: sweep_tags(clients, kinds)
    if scope.engine_versions and groups:
        more["elasticache:DescribeCacheClusters"] = lambda: _versions(clients, groups, every)
    ways_out = {
        "tag:GetResources": "Or do without tags and the record with record: false.",
        "elasticache:DescribeCacheClusters": "Or do without with engine_versions: false.",
    }
    found = _all_of(clients, more, ways_out)
    tags: dict[str, dict[str, str]] | None = found.get("tag:GetResources")
    versions: dict[str, str] = found.get("elasticache:DescribeCacheClusters", {})

    entries = _records(clients, groups, tags or {})
    now = datetime.datetime.now(datetime.timezone.utc)
    facts = []
    for group in groups:
        version = versions.get(group.nodes[0].cache_cluster_id) if group.nodes else None
        its_tags = None if tags is None else tags.get(group.arn, {})
        facts.append(_of_group(group, its_tags, version, entries.get(group.id), now))
    facts += [_of_cache(cache, None if tags is None else tags.get(cache.arn, {})) for cache in caches]
    for entry in facts:
        entry["region"] = clients.region
        if role_arn:
            entry["assume_role_arn"] = role_arn
    return facts


def _all_of(clients: Clients, calls: Mapping[str, Callable[[], Any]], ways_out: Mapping[str, str]) -> dict[str, Any]:
    """Return what each call returns, by its action; they are made at once."""
    answers = fan_out(calls, lambda action: calls[action]())
    for action, answer in answers.items():
        if isinstance(answer, Exception):
            way_out = f" {ways_out[action]}" if action in ways_out else ""
            raise AuthError(f"{explain(answer, action, clients.region)}{way_out}") from answer
    return answers


def _versions(clients: Clients, groups: Sequence[Group], every: Iterable[Group]) -> dict[str, str]:
    pages = -(-sum(len(group.nodes) for group in every) // _PAGE)
    if len(groups) < pages:
        members = describe_members(clients, groups, all_nodes=False)
        return {key: member["EngineVersion"] for key, member in members.items() if member.get("EngineVersion")}
    return sweep_versions(clients)


def _records(clients: Clients, groups: Iterable[Group], tags: Mapping[str, Mapping[str, str]]) -> dict[str, Entry]:
    """Return the record of each group that has one which can be trusted.

    Tags read in bulk may be behind. Where the token was changed a moment ago and the record does not fit, the group's
    own tags decide; where those can't be read, nothing is known.
    """
    entries = {}
    doubtful = []
    for group in groups:
        entry = records.entry_in(tags.get(group.arn, {}))
        if entry is None:
            continue
        fits = entry.call is None and entry.seen == group.token_date
        if group.settled and group.auth_token_enabled and not fits and _moments_ago(group.token_date):
            doubtful.append(group)
        else:
            entries[group.id] = entry
    by_id = {group.id: group for group in doubtful}
    for key, answer in fan_out(by_id, lambda key: tags_of(clients, by_id[key].arn)).items():
        own = None if isinstance(answer, Exception) else records.entry_in(answer)
        if own is not None:
            entries[key] = own
    return entries


def _moments_ago(date: str | None) -> bool:
    age = age_days(date)
    return age is not None and age * 86400 < _TAGS_BEHIND


def age_days(date: str | None, now: datetime.datetime | None = None) -> float | None:
    """Return how long ago the ISO date was, in days."""
    if not date:
        return None
    now = now or datetime.datetime.now(datetime.timezone.utc)
    return round((now - datetime.datetime.fromisoformat(date)).total_seconds() / 86400, 4)


def token_age_days(facts: Facts, now: datetime.datetime | None = None) -> float | None:
    """Return how old the token of a group is, in days; ``None`` where it has none of its own to be changed.

    That is so for a secondary of a global datastore: it has the token of its primary, which is the one to be due.
    """
    return None if facts["global_role"] == "secondary" else age_days(facts["auth_token_last_modified_date"], now)


def _of_group(
    group: Group,
    tags: Mapping[str, str] | None,
    version: str | None,
    entry: Entry | None,
    now: datetime.datetime,
) -> Facts:
    belief = conclude(group, TokenSet(), entry, (), Probing("never")).belief if group.settled else None
    states = shown_states(belief.states, group) if belief else {}
    raw = group.raw
    first = {} if group.cluster_enabled else (raw.get("NodeGroups") or [{}])[0]
    ends = {
        "primary": first.get("PrimaryEndpoint"),
        "reader": first.get("ReaderEndpoint"),
        "configuration": raw.get("ConfigurationEndpoint"),
    }
    recorded = datetime.datetime.fromtimestamp(entry.written_at, datetime.timezone.utc).isoformat() if entry else None
    return {
        "replication_group_id": group.id,
        "arn": group.arn,
        "account_id": _account(group.arn),
        "serverless": False,
        "description": raw.get("Description"),
        "status": group.status,
        "pending": group.pending,
        "engine": group.engine,
        "engine_version": version,
        "transit_encryption_mode": group.tls,
        "auth_token_enabled": group.auth_token_enabled,
        "user_group_ids": list(group.user_group_ids),
        "mode": states.get("mode"),
        "possible_states": states.get("possible_states", []),
        "evidence": ["api", "record"] if belief and belief.recorded else ["api"],
        "drift": bool(belief and belief.drift),
        "unauthenticated_access": states.get("unauthenticated_access"),
        "auth_token_last_modified_date": group.token_date,
        "auth_token_age_days": None if group.is_secondary else age_days(group.token_date, now),
        "recorded_at": recorded,
        "node_count": len(group.nodes),
        "cluster_enabled": group.cluster_enabled,
        "global_role": group.global_role.lower() or None,
        "endpoints": {
            name: f"{end['Address']}:{end['Port']}" if end and end.get("Address") else None
            for name, end in ends.items()
        },
        "tags": None if tags is None else {key: tags[key] for key in sorted(tags) if key != TAG_KEY},
    }


def _of_cache(cache: ServerlessCache, tags: Mapping[str, str] | None) -> Facts:
    """A serverless cache has no token (elasticache-facts §5), and always takes TLS alone."""
    settled = cache.status == "available"
    belief = believe(Evidence(Api(False, cache.user_group_ids))) if settled else None
    certain = belief.certain if belief else None
    return {
        "replication_group_id": cache.name,
        "arn": cache.arn,
        "account_id": _account(cache.arn),
        "serverless": True,
        "description": cache.description,
        "status": cache.status,
        "pending": "" if settled else f"its status is {cache.status}",
        "engine": cache.engine,
        "engine_version": cache.engine_version,
        "transit_encryption_mode": REQUIRED,
        "auth_token_enabled": False,
        "user_group_ids": list(cache.user_group_ids),
        "mode": certain.mode.value if certain else None,
        "possible_states": [describe(certain)] if certain else [],
        "evidence": ["api"],
        "drift": False,
        "unauthenticated_access": certain.allows_unauthenticated if certain else None,
        "auth_token_last_modified_date": None,
        "auth_token_age_days": None,
        "recorded_at": None,
        "node_count": None,
        "cluster_enabled": None,
        "global_role": None,
        "endpoints": {
            name: "{}:{}".format(*cache.endpoints[name]) if name in cache.endpoints else None
            for name in ("primary", "reader", "configuration")
        },
        "tags": None if tags is None else {key: tags[key] for key in sorted(tags)},
    }


def _account(arn: str) -> str:
    parts = arn.split(":")
    return parts[4] if len(parts) > 4 else ""
