# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong with the access control of groups, how bad that is, and which role mends it.

Pure: facts and the moment come in as data; no call, no clock. Facts are the ``elasticache_*`` variables of an inventory
host, or an entry of ``replication_groups`` of the module ``replication_group_info``.
"""

from __future__ import annotations

import datetime
import enum
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import record
from .access_strings import canonical
from .errors import AuthError
from .half_way import HINT, HalfWay, read_half_way
from .states import Mode

PREFIX = "elasticache_"
#: One of these makes a host's variables those of a group.
TELLING = ("elasticache_arn", "elasticache_mode", "elasticache_status", "elasticache_serverless")


class Severity(str, enum.Enum):
    """How bad a finding is, the worst first."""

    CRITICAL = "critical"  #: someone is accepted, or reads along, who should not be
    WARNING = "warning"  #: nobody yet, but it must not stay so
    NOTICE = "notice"  #: to know


class Kind(str, enum.Enum):
    """What can be found, the worst first."""

    OPEN = "open"
    OPTIONAL = "optional"
    NO_PASSWORD_USERS = "no_password_users"  # noqa: S105 - the name of a finding
    TLS_OFF = "tls_off"
    DRIFT = "drift"
    UNKNOWN = "unknown"
    ROTATING = "rotating"
    TOKEN_AGE = "token_age"  # noqa: S105
    TLS_PREFERRED = "tls_preferred"
    ENGINE_TOO_OLD = "engine_too_old"
    CREATE_FAILED = "create_failed"
    NOT_AVAILABLE = "not_available"
    SERVERLESS = "serverless"


SEVERITIES: Mapping[Kind, Severity] = {
    Kind.OPEN: Severity.CRITICAL,
    Kind.OPTIONAL: Severity.CRITICAL,
    Kind.NO_PASSWORD_USERS: Severity.CRITICAL,
    Kind.TLS_OFF: Severity.CRITICAL,
    Kind.DRIFT: Severity.WARNING,
    Kind.UNKNOWN: Severity.WARNING,
    Kind.ROTATING: Severity.WARNING,
    Kind.TOKEN_AGE: Severity.WARNING,
    Kind.TLS_PREFERRED: Severity.WARNING,
    Kind.ENGINE_TOO_OLD: Severity.WARNING,
    Kind.CREATE_FAILED: Severity.WARNING,
    Kind.NOT_AVAILABLE: Severity.NOTICE,
    Kind.SERVERLESS: Severity.NOTICE,
}

#: From which version on AWS changes a token, attaches user groups, turns on TLS in place (elasticache-facts §5).
TOKENS_FROM = {"valkey": (7, 2), "redis": (5, 0, 6)}
RBAC_FROM = {"valkey": (7, 2), "redis": (6, 0)}
TLS_FROM = {"valkey": (7, 2), "redis": (7, 0, 5)}
_ENGINES = {"valkey": "Valkey", "redis": "Redis OSS"}


# --- Facts ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Facts:
    """What is known of one group or serverless cache; ``None`` and what is empty: not known.

    ``tls`` is off, preferred or required. ``user_group_ids`` is empty where there are none.
    """

    id: str
    arn: str = ""
    region: str = ""
    account_id: str = ""
    status: str = ""
    pending: str = ""
    engine: str = ""
    engine_version: str = ""
    tls: str = ""
    auth_token_enabled: bool | None = None
    user_group_ids: tuple[str, ...] | None = None
    mode: Mode | None = None
    possible_states: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    drift: bool = False
    unauthenticated_access: bool | None = None
    token_date: datetime.datetime | None = None
    token_age_days: float | None = None
    recorded_at: datetime.datetime | None = None
    node_count: int | None = None
    cluster_enabled: bool | None = None
    endpoints: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    global_role: str = ""
    serverless: bool = False
    half_way: HalfWay | None = None

    @property
    def place(self) -> tuple[str, str]:
        """Its account and region."""
        return (self.account_id, self.region)

    @property
    def key(self) -> tuple[str, str, str, bool]:
        """What tells it from all others: in one place, a group and a serverless cache can have the same id."""
        return (*self.place, self.id, self.serverless)

    @property
    def partition(self) -> str:
        """``aws``, ``aws-cn`` or ``aws-us-gov``, by the ARN or else by the region."""
        parts = self.arn.split(":")
        if len(parts) > 1 and parts[1]:
            return parts[1]
        starts = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
        return next((name for start, name in starts.items() if self.region.startswith(start)), "aws")


def read(given: Mapping[str, Any]) -> Facts:
    """Return the facts out of a host's variables, or out of what ``replication_group_info`` tells of a group.

    Raises :class:`AuthError` where there is no id, or a mode or a time that is none.
    """
    by_host = any(str(name).startswith(PREFIX) for name in given)
    key = _text(given.get("replication_group_id")).strip().lower()
    if not key:
        raise AuthError("A group has no replication_group_id. Each needs it, beside its facts.")
    facts = {name.removeprefix(PREFIX): value for name, value in given.items() if name.startswith(PREFIX)}
    try:
        return _read(key, facts if by_host else _as_facts(given))
    except ValueError as error:
        raise AuthError(f"{key}: {PREFIX if by_host else ''}{error}") from error


def read_all(given: Iterable[Mapping[str, Any]]) -> list[Facts]:
    """Return the facts of all groups, in the order of account, region and id.

    Of a group that is given twice (by an inventory, then by its nodes) the later facts count, as far as they are known.
    Raises :class:`AuthError`.
    """
    found: dict[tuple[str, str, str, bool], Facts] = {}
    for group in given:
        facts = read(group)
        found[facts.key] = _merged(found[facts.key], facts) if facts.key in found else facts
    return [found[key] for key in sorted(found)]


def _merged(older: Facts, newer: Facts) -> Facts:
    """Return ``newer`` with what it does not know taken from ``older``; what both say of access belongs together."""
    together = {"possible_states", "evidence", "drift", "unauthenticated_access", "mode", "pending"}
    taken = {}
    for name, value in vars(older).items():
        unknown = (
            getattr(newer, name) is None if name == "user_group_ids" else getattr(newer, name) in (None, "", (), {})
        )
        if unknown and name not in together:
            taken[name] = value
    return replace(newer, **taken)


def _read(key: str, facts: Mapping[str, Any]) -> Facts:
    arn = _text(facts.get("arn")).split(":")
    groups = facts.get("user_group_ids")
    serverless = _flag("serverless", facts.get("serverless")) or False
    mode = _mode(facts.get("mode"))
    enabled = _flag("auth_token_enabled", facts.get("auth_token_enabled"))
    access = _flag("unauthenticated_access", facts.get("unauthenticated_access"))
    if mode is None and groups is not None and serverless:
        mode = Mode.RBAC if groups else Mode.OPEN  # elasticache-facts §5: a serverless cache has RBAC or nothing
    if mode is None and access and enabled:
        mode = Mode.OPTIONAL  # of all that a group with a token can be, only this allows unauthenticated access (§1)
    return Facts(
        id=key,
        arn=":".join(arn),
        region=_text(facts.get("region")) or (arn[3] if len(arn) > 4 else ""),
        account_id=_text(facts.get("account_id")) or (arn[4] if len(arn) > 4 else ""),
        status=_text(facts.get("status")),
        pending=_text(facts.get("pending")),
        engine=_text(facts.get("engine")).lower(),
        engine_version=_text(facts.get("engine_version")),
        tls=_text(facts.get("transit_encryption_mode")),
        auth_token_enabled=enabled,
        user_group_ids=None if groups is None else _texts(groups),
        mode=mode,
        possible_states=_texts(facts.get("possible_states")),
        evidence=_texts(facts.get("evidence")),
        drift=_flag("drift", facts.get("drift")) or False,
        unauthenticated_access=access,
        token_date=_moment("auth_token_last_modified_date", facts.get("auth_token_last_modified_date")),
        token_age_days=_number("auth_token_age_days", facts.get("auth_token_age_days")),
        recorded_at=_moment("recorded_at", facts.get("recorded_at")),
        node_count=None if (count := _number("node_count", facts.get("node_count"))) is None else int(count),
        cluster_enabled=_flag("cluster_enabled", facts.get("cluster_enabled")),
        endpoints=_pairs(facts.get("endpoints")),
        tags={name: value for name, value in _pairs(facts.get("tags")).items() if name != record.TAG_KEY},
        description=_text(facts.get("description")),
        global_role=_text(facts.get("global_role")).lower(),
        serverless=serverless,
        half_way=read_half_way(facts.get("client_connections")),
    )


def _as_facts(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``replication_group_info`` tells of a group by the names that a host's variables have."""
    access, evidence, tags = info.get("access") or {}, info.get("evidence") or {}, info.get("tags") or {}
    nodes = info.get("nodes") or ()
    answered = any(node.get("reach") == "answered" for node in evidence.get("nodes") or ())
    said = {"api": True, "nodes": answered, "record": bool(evidence.get("record_used"))}
    names = {"primary": "primary_endpoint", "reader": "reader_endpoint", "configuration": "configuration_endpoint"}
    written_at = None
    if record.TAG_KEY in tags:
        try:
            moment = record.decode(str(tags[record.TAG_KEY])).written_at
            written_at = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc)
        except (ValueError, OverflowError, OSError):
            written_at = None  # somebody else's text: it says nothing
    return {
        **info,
        "possible_states": access.get("possible_states"),
        "unauthenticated_access": access.get("unauthenticated_access"),
        "evidence": [name for name, spoke in said.items() if spoke],
        "recorded_at": written_at,
        "global_role": info.get("global_datastore_role"),
        "node_count": len(nodes) or None,
        "endpoints": {
            name: f"{found['address']}:{found['port']}" for name, option in names.items() if (found := info.get(option))
        },
    }


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _texts(value: object) -> tuple[str, ...]:
    if value is None or isinstance(value, str):
        return (value,) if value else ()
    return tuple(map(str, value)) if isinstance(value, Iterable) else (str(value),)


def _pairs(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    return {str(name): _text(value[name]) for name in sorted(value, key=str) if value[name] is not None}


def _flag(name: str, value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": None, "none": None}
    if str(value).strip().lower() not in words:
        raise ValueError(f"{name}: {str(value)!r} is neither true nor false.")
    return words[str(value).strip().lower()]


def _number(name: str, value: object) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name}: {str(value)!r} is not a number.")
    return number


def _moment(name: str, value: object) -> datetime.datetime | None:
    if value is None or value == "":
        return None
    if isinstance(value, datetime.datetime):
        moment = value
    else:
        try:
            moment = datetime.datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", str(value).strip()))
        except ValueError as error:
            raise ValueError(f"{name}: {str(value)!r} is not a moment such as 2026-11-22T15:04:05+00:00.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)


def _mode(value: object) -> Mode | None:
    text = _text(value).strip().lower()
    if text in ("", "none", "null", "unknown"):
        return None
    try:
        return Mode(text)
    except ValueError as error:
        known = ", ".join(mode.value for mode in Mode)
        raise ValueError(f"mode: {text!r} is none of {known}; leave it empty where it is not known.") from error


# --- Users of RBAC --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Users:
    """The users that need no password and may do something, by the account, region and id of their user groups.

    ``looked``: the accounts and regions whose users were looked at (AWS has at least one in each).
    """

    without_password: Mapping[tuple[str, str, str], tuple[str, ...]] = field(default_factory=dict)
    looked: frozenset[tuple[str, str]] = frozenset()

    def of(self, facts: Facts) -> tuple[str, ...] | None:
        """Return the ids of those of a group, ``None`` where that is not known."""
        if facts.mode is not Mode.RBAC or not facts.user_group_ids or facts.place not in self.looked:
            return None
        keys = [(*facts.place, group.lower()) for group in facts.user_group_ids]
        return tuple(sorted({user for key in keys for user in self.without_password.get(key, ())}))


def read_users(given: Iterable[Mapping[str, Any]]) -> Users:
    """Return what counts of ``users``, as the module ``user_info`` tells of them.

    A user that is switched off (``off`` in its access string) accepts nobody, whatever its password.
    """
    found: dict[tuple[str, str, str], list[str]] = {}
    looked = set[tuple[str, str]]()
    for user in given:
        arn = _text(user.get("arn")).split(":")
        if len(arn) < 5:
            name = _text(user.get("user_id")) or "(without an id)"
            raise AuthError(f"The user {name} has no ARN. Give users as elasticache.auth.user_info returns them.")
        place = (arn[4], arn[3])
        looked.add(place)
        kind = _text((user.get("authentication") or {}).get("type"))
        if not kind.startswith("no-password") or not canonical(_text(user.get("access_string"))).enabled:
            continue
        for group in user.get("user_group_ids") or ():
            found.setdefault((*place, str(group).lower()), []).append(_text(user.get("user_id")))
    return Users({key: tuple(ids) for key, ids in found.items()}, frozenset(looked))


# --- Findings -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. ``text`` says what, ``next_step`` what to do about it.

    ``since`` is when it began, where that is known; ``days`` counts from there.
    """

    kind: Kind
    text: str
    next_step: str
    since: datetime.datetime | None = None
    days: float | None = None

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return SEVERITIES[self.kind]


@dataclass(frozen=True)
class Audited:
    """A group with all that was found, the worst first. ``age_days``: of its token, ``None`` where it has none.

    ``no_password_users``: ids; ``None`` where they were not looked at, or there is no RBAC.
    """

    facts: Facts
    findings: tuple[Finding, ...] = ()
    age_days: float | None = None
    no_password_users: tuple[str, ...] | None = None

    @property
    def severity(self) -> Severity | None:
        """The severity of the worst finding."""
        return min((finding.severity for finding in self.findings), key=list(Severity).index, default=None)

    def has(self, kind: Kind) -> bool:
        """Whether it was found."""
        return any(finding.kind is kind for finding in self.findings)


def audit(
    groups: Iterable[Facts], now: datetime.datetime, max_token_age_days: float, users: Users | None = None
) -> list[Audited]:
    """Return what is wrong with each group, in their order. ``now`` has a time zone."""
    return [_audit(facts, now, max_token_age_days, users or Users()) for facts in groups]


def _audit(facts: Facts, now: datetime.datetime, most: float, users: Users) -> Audited:
    age = _token_age(facts, now)
    without = users.of(facts)
    found: list[Finding] = [
        *_access(facts, now, without),
        *_encryption(facts),
        *_engine(facts),
        *_status(facts),
    ]
    if facts.drift:
        found.append(
            Finding(
                Kind.DRIFT,
                "The token was changed by someone else since this collection last did.",
                _inherited(facts)
                or "Find out who, put the token in force into AWSCURRENT, then run elasticache.auth.rotate_token.",
                facts.token_date,
                _days(facts.token_date, now),
            )
        )
    if age is not None and age > most:
        found.append(
            Finding(
                Kind.TOKEN_AGE,
                f"The token is {_count(age)} old; the limit is {most:g}.",
                _inherited(facts) or "elasticache.auth.rotate_token rotates it with no client refused.",
                facts.token_date,
                age,
            )
        )
    order = list(Kind)
    return Audited(facts, tuple(sorted(found, key=lambda finding: order.index(finding.kind))), age, without)


def _access(facts: Facts, now: datetime.datetime, without: Sequence[str] | None) -> Iterable[Finding]:
    since = facts.token_date or facts.recorded_at
    days = _days(since, now)
    match facts.mode:
        case Mode.OPEN:
            # Nothing but the record tells since when: AWS keeps no date of a token that is gone.
            text = "Unauthenticated access is allowed: it has neither a token nor user groups."
            yield Finding(Kind.OPEN, text, _mend_open(facts), facts.recorded_at, _days(facts.recorded_at, now))
        case Mode.OPTIONAL:
            yield Finding(
                Kind.OPTIONAL,
                f"Unauthenticated access is allowed, {_duration(days)}: it has a token and does not ask for it.",
                _inherited(facts)
                or "elasticache.auth.enable_auth finishes it: once every client has the token, it alone is accepted.",
                since,
                days,
            )
        case Mode.ROTATING:
            yield Finding(
                Kind.ROTATING,
                f"A rotation is half-way, {_duration(days)}: the old token and the new one are both accepted."
                + (f" {facts.half_way.text}" if facts.half_way else ""),
                _inherited(facts)
                or "elasticache.auth.rotate_token finishes it (rotate_token_phase: finish), once every client has the "
                "new token."
                + ("" if facts.half_way else f" {HINT}"),
                since,
                days,
            )
        case None if facts.status not in ("deleting", "create-failed"):
            yield _unknown(facts)
    if without:
        names = ", ".join(without[:5]) + (f" and {len(without) - 5} more" if len(without) > 5 else "")
        begin = "Users of its user groups need" if len(without) > 1 else "A user of its user groups needs"
        yield Finding(
            Kind.NO_PASSWORD_USERS,
            f"{begin} no password: {names}.",
            "Give each a password with elasticache.auth.user (passwords), or switch it off (access_string: off).",
        )


def _unknown(facts: Facts) -> Finding:
    if facts.serverless:
        return Finding(
            Kind.UNKNOWN,
            "It is not known whether user groups decide who is accepted.",
            "Look it up with aws elasticache describe-serverless-caches.",
        )
    if facts.pending and facts.status != "available":
        return Finding(
            Kind.UNKNOWN,
            f"A change is under way ({facts.pending}): what it accepts is known when that has ended.",
            "elasticache.auth.replication_group_wait waits for it; then audit it again.",
        )
    may_be = f" It may be {' or '.join(facts.possible_states)}." if facts.possible_states else ""
    open_question = (
        "Nobody is accepted without a token, but whether one is or two are"
        if facts.unauthenticated_access is False
        else "Whether anyone is accepted without a token"
    )
    return Finding(
        Kind.UNKNOWN,
        f"{open_question} is not known: AWS shows optional, required and rotating alike.{may_be}",
        "Ask the nodes from within their VPC (elasticache.auth.audit with audit_probe: auto); "
        + (
            "or audit the primary of its global datastore, whose access control it has."
            if facts.global_role == "secondary"
            else "elasticache.auth.rotate_token leaves a record that settles it for good."
        ),
    )


def _encryption(facts: Facts) -> Iterable[Finding]:
    least = _too_old(facts, TLS_FROM)
    way = _inherited(facts) or (
        f"Upgrade the engine to {least} (engine_version of elasticache.auth.replication_group), then run "
        "elasticache.auth.enable_tls."
        if least
        else "elasticache.auth.enable_tls requires encryption after a client cutover."
    )
    match facts.tls:
        case "off":
            yield Finding(Kind.TLS_OFF, "Encryption in transit is off: data and passwords are sent in clear text.", way)
        case "preferred":
            text = (
                "Encryption in transit is preferred: clients may still connect in clear text, and AWS takes no token."
            )
            yield Finding(Kind.TLS_PREFERRED, text, way)


def _engine(facts: Facts) -> Iterable[Finding]:
    missing = [
        f"{what} from {least}"
        for what, table in (("tokens can be changed", TOKENS_FROM), ("user groups attached", RBAC_FROM))
        if (least := _too_old(facts, table))
    ]
    if missing:
        yield Finding(
            Kind.ENGINE_TOO_OLD,
            f"Its engine is {engine_name(facts)}: {', '.join(missing)} on.",
            "Upgrade it with engine_version of elasticache.auth.replication_group.",
        )


def _status(facts: Facts) -> Iterable[Finding]:
    if facts.status == "create-failed":
        yield Finding(
            Kind.CREATE_FAILED,
            "Its creation failed; AWS neither serves nor changes it.",
            "Delete it and create it anew with elasticache.auth.replication_group.",
        )
    elif facts.status not in ("", "available"):
        under_way = f" ({facts.pending})" if facts.pending and facts.status not in facts.pending else ""
        yield Finding(
            Kind.NOT_AVAILABLE,
            f"It is {facts.status}{under_way}; AWS changes it when it is available.",
            "elasticache.auth.replication_group_wait waits for it.",
        )
    if facts.serverless:
        yield Finding(
            Kind.SERVERLESS,
            "A serverless cache: user groups decide who is accepted, there are no tokens.",
            "Keep its users with elasticache.auth.user and elasticache.auth.user_group.",
        )


def _mend_open(facts: Facts) -> str:
    if facts.serverless:
        return "Attach a user group: aws elasticache modify-serverless-cache --user-group-id."
    if inherited := _inherited(facts):
        return inherited
    if facts.tls in ("off", "preferred"):
        return "elasticache.auth.enable_tls first, then elasticache.auth.enable_auth: AWS takes tokens with TLS only."
    return "elasticache.auth.enable_auth brings in a token while clients are served without one, then requires it."


def _inherited(facts: Facts) -> str:
    if facts.global_role != "secondary":
        return ""
    return "Mend the primary of its global datastore: a secondary inherits its access control."


def engine_name(facts: Facts) -> str:
    """Return the engine with its version, as people call it."""
    return " ".join(filter(None, (_ENGINES.get(facts.engine, facts.engine), facts.engine_version)))


def _too_old(facts: Facts, table: Mapping[str, tuple[int, ...]]) -> str:
    """Return the version from which on it goes, where the engine's is older; ``6.x`` counts as its latest."""
    least = table.get(facts.engine)
    numbers = re.match(r"\d{1,9}(?:\.\d{1,9})*", facts.engine_version)
    if facts.serverless or not least or not numbers:
        return ""
    version = tuple(map(int, numbers.group().split(".")))
    return f"{_ENGINES[facts.engine]} {'.'.join(map(str, least))}" if version < least[: len(version)] else ""


def _token_age(facts: Facts, now: datetime.datetime) -> float | None:
    """Return how old the token is, in days: by its date where there is one, since facts may come from a cache."""
    if facts.auth_token_enabled is False or facts.mode in (Mode.OPEN, Mode.RBAC) or facts.serverless:
        return None
    return _days(facts.token_date, now) if facts.token_date else facts.token_age_days


def _days(since: datetime.datetime | None, now: datetime.datetime) -> float | None:
    return None if since is None else max((now - since).total_seconds() / 86400, 0.0)


def _count(days: float) -> str:
    whole = int(days)
    return "less than a day" if whole < 1 else "1 day" if whole == 1 else f"{whole} days"


def _duration(days: float | None) -> str:
    return "nobody knows since when" if days is None else f"for {_count(days)}"


# --- The summary ----------------------------------------------------------------------------------------------------

NOT_KNOWN = "unknown"
FINE = "fine"


@dataclass(frozen=True)
class Counts:
    """How many groups there are of each kind. ``by_severity``: by the worst finding, ``fine`` without any."""

    groups: int
    unauthenticated_access: int
    by_mode: Mapping[str, int]
    by_finding: Mapping[str, int]
    by_severity: Mapping[str, int]


def count(audited: Sequence[Audited]) -> Counts:
    """Count the groups; every mode, finding and severity is there, with 0 too."""
    modes = Counter(group.facts.mode.value if group.facts.mode else NOT_KNOWN for group in audited)
    findings = Counter(finding.kind.value for group in audited for finding in group.findings)
    severities = Counter(group.severity.value if group.severity else FINE for group in audited)
    return Counts(
        groups=len(audited),
        unauthenticated_access=sum(group.has(Kind.OPEN) or group.has(Kind.OPTIONAL) for group in audited),
        by_mode={name: modes[name] for name in (*(mode.value for mode in Mode), NOT_KNOWN)},
        by_finding={kind.value: findings[kind.value] for kind in Kind},
        by_severity={name: severities[name] for name in (*(severity.value for severity in Severity), FINE)},
    )


# --- What makes a run fail ------------------------------------------------------------------------------------------

INCOMPLETE = "incomplete"
#: Kinds that a condition may name alone: an age needs its limit, and that a cache is serverless is no fault.
_NAMED = tuple(kind.value for kind in Kind if kind not in (Kind.TOKEN_AGE, Kind.SERVERLESS))
CONDITIONS = (*_NAMED, "token_age>DAYS", INCOMPLETE)
_AGE = re.compile(r"token_age\s*>\s*(\d+(?:\.\d+)?)", re.ASCII)
_SHOWN = 5


@dataclass(frozen=True)
class Condition:
    """What makes a run fail: a finding, a token older than ``days``, or (neither) that not all could be looked at."""

    text: str
    kind: Kind | None = None
    days: float | None = None

    def meets(self, group: Audited) -> bool:
        """Whether a group meets it."""
        if self.days is not None:
            return group.age_days is not None and group.age_days > self.days
        return self.kind is not None and group.has(self.kind)


@dataclass(frozen=True)
class Failed:
    """A condition that is met, and by which groups; for ``incomplete`` what could not be looked at."""

    condition: Condition
    groups: tuple[Audited, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def names(self) -> str:
        """The first few of the groups, or of what is missing."""
        if self.missing:
            return _first(self.missing)
        names = []
        for group in self.groups:
            place = ", ".join(filter(None, (group.facts.region, group.facts.account_id)))
            names.append(f"{group.facts.id} ({place})" if place else group.facts.id)
        return _first(names)


def _first(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(text.rstrip(".") for text in texts[:_SHOWN]) + more


def parse_condition(text: str) -> Condition:
    """Return the condition that ``text`` is, for example ``open`` or ``token_age>90``. Raises :class:`AuthError`."""
    word = text.strip().lower()
    if word in _NAMED:
        return Condition(word, kind=Kind(word))
    if word == INCOMPLETE:
        return Condition(word)
    if found := _AGE.fullmatch(word):
        return Condition(f"token_age>{found.group(1)}", days=float(found.group(1)))
    raise AuthError(f"{text!r} is not a condition. There are: {', '.join(CONDITIONS)} (DAYS is a number, such as 90).")


def check(conditions: Iterable[Condition], audited: Sequence[Audited], incomplete: Sequence[str]) -> list[Failed]:
    """Return the conditions that are met, each once, in their order."""
    failed = []
    for condition in dict.fromkeys(conditions):
        if condition.kind is None and condition.days is None:
            if incomplete:
                failed.append(Failed(condition, missing=tuple(incomplete)))
        elif met := tuple(group for group in audited if condition.meets(group)):
            failed.append(Failed(condition, met))
    return failed
