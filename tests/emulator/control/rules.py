# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What the API demands of identifiers, tokens, engines and numbers (elasticache-facts §5). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .refusals import Refusal

_IDENTIFIER = re.compile(r"[a-z](?:-?[a-z0-9])*")
_TOKEN = re.compile(r"[A-Za-z0-9!&#$^<>-]{16,128}")
#: As the modify page has it: printable ASCII characters but these four.
_WIDER_TOKEN = re.compile(r'(?:(?![/"@%])[ -~]){16,128}')
_USER_ID = re.compile(r"[a-z][a-z0-9-]*")
_ACCESS_RULE = re.compile(
    r"on|off|~\S+|%(?:R|W|RW|WR)~\S+|&\S+|[+-]@?[\w|-]+|(?:all|reset)(?:keys|channels)|allcommands|nocommands|reset"
    r"|clearselectors|sanitize-payload|skip-sanitize-payload"
)

#: The versions a user may ask for, and the one that a cache cluster then shows.
ENGINE_VERSIONS: Mapping[str, Mapping[str, str]] = {
    "redis": {
        **{version: version for version in ("3.2.4", "3.2.6", "3.2.10", "4.0.10")},
        **{version: version for version in ("5.0.0", "5.0.3", "5.0.4", "5.0.5", "5.0.6")},
        "6.x": "6.2.6",
        "6.0": "6.0.5",
        "6.2": "6.2.6",
        "7.x": "7.1.0",
        "7.0": "7.0.7",
        "7.1": "7.1.0",
    },
    "valkey": {"7.2": "7.2.6", "8.0": "8.0.1", "8.1": "8.1.0", "8.2": "8.2.0", "9.0": "9.0.0", "9.1": "9.1.0"},
}
DEFAULT_VERSIONS: Mapping[str, str] = {"redis": "7.1", "valkey": "8.1"}


def parse_version(version: str) -> tuple[int, ...]:
    """``7.2.6`` → ``(7, 2, 6)``."""
    return tuple(int(part) for part in version.split("."))


def check_identifier(name: str, value: str | None) -> str:
    """The identifier in lower case, as it is stored: 1–40 letters, digits and hyphens (elasticache-facts §5)."""
    if not value:
        raise Refusal.MISSING.error(name=name)
    lowered = value.lower()
    if len(lowered) > 40 or not _IDENTIFIER.fullmatch(lowered):
        raise Refusal.NOT_IDENTIFIER.error(name=name)
    return lowered


def check_user_id(name: str, value: str | None) -> str:
    """A user's or user group's id in lower case; by the service model a letter, then letters, digits and hyphens."""
    if not value:
        raise Refusal.MISSING.error(name=name)
    lowered = value.lower()
    if len(lowered) > 40 or not _USER_ID.fullmatch(lowered):
        raise Refusal.NOT_IDENTIFIER.error(name=name)
    return lowered


def check_token(token: str, *, wider: bool = False) -> None:
    """Refuse a token that AWS doesn't take: 16–128 letters, digits and ``! & # $ ^ < > -`` (elasticache-facts §5).

    ``wider``: as the modify page has it, which forbids four characters only.
    """
    if not (_WIDER_TOKEN if wider else _TOKEN).fullmatch(token):
        raise Refusal.BAD_TOKEN.error()


def check_passwords(passwords: Sequence[str]) -> None:
    """Refuse a third password, and those shorter than 16 or longer than 128 characters (elasticache-facts §3)."""
    if len(passwords) > 2:
        raise Refusal.THIRD_PASSWORD.error()
    if any(not 16 <= len(password) <= 128 for password in passwords):
        raise Refusal.PASSWORD_LENGTH.error()


def check_access_string(access_string: str | None) -> str:
    """The access string, refused where a rule in it is none of the engine's."""
    if not access_string or not access_string.strip():
        raise Refusal.MISSING.error(name="AccessString")
    rules = re.sub(r"\([^()]*\)", " ", access_string).split()
    if any(not _ACCESS_RULE.fullmatch(rule) for rule in rules):
        raise Refusal.INVALID_VALUE.error(name="AccessString")
    return access_string


def check_range(name: str, value: int | None, low: int, high: int) -> int | None:
    """``value``, refused outside ``low``..``high``."""
    if value is not None and not low <= value <= high:
        raise Refusal.OUT_OF_RANGE.error(name=name, low=low, high=high)
    return value


def check_engine(engine: str | None, default: str = "redis") -> str:
    """The engine in lower case: ``redis`` or ``valkey``."""
    lowered = (engine or default).lower()
    if lowered not in ENGINE_VERSIONS:
        raise Refusal.INVALID_VALUE.error(name="Engine")
    return lowered


def full_version(engine: str, version: str | None) -> str:
    """The version that a cache cluster shows for the one asked for, such as ``8.0.1`` for ``8.0``."""
    known = ENGINE_VERSIONS[engine]
    if version is None:
        return known[DEFAULT_VERSIONS[engine]]
    if version in known:
        return known[version]
    if version in known.values():
        return version
    raise Refusal.NO_VERSION.error(version=version, engine=engine)


def parameter_family(engine: str, version: str) -> str:
    """The parameter group family of an engine and its full version, such as ``valkey8`` or ``redis5.0``."""
    numbers = parse_version(version)
    if engine == "redis" and numbers < (6,):
        return f"redis{numbers[0]}.{numbers[1]}"
    return "redis6.x" if engine == "redis" and numbers[0] == 6 else f"{engine}{numbers[0]}"


def families() -> frozenset[str]:
    """The parameter group families of all engines."""
    return frozenset(
        parameter_family(engine, full) for engine, versions in ENGINE_VERSIONS.items() for full in versions.values()
    )


def check_parameter_group(name: str | None, engine: str, version: str, *, cluster_enabled: bool) -> str:
    """The parameter group's name, AWS's default where none is given.

    Those named ``default.…`` must exist and be of the right family. Others are taken by any name.
    """
    family = parameter_family(engine, version)
    suffix = ".cluster.on" if cluster_enabled else ""
    if name is None:
        return f"default.{family}{suffix}"
    if name.startswith("default."):
        found = name.removeprefix("default.").removesuffix(".cluster.on")
        if found not in families():
            raise Refusal.NO_PARAMETER_GROUP.error(id=name)
        if found != family:
            raise Refusal.PARAMETER_FAMILY.error(expected=family, found=found)
    return name


def create_token_allowed(engine: str, version: str) -> bool:
    """Whether a group can be created with a token: Valkey, or Redis OSS 3.2.6, 4.0.10 or later (facts §3)."""
    numbers = parse_version(version)
    return engine == "valkey" or numbers == (3, 2, 6) or numbers >= (4, 0, 10)


def modify_token_minimum(engine: str) -> str:
    """The oldest version on which a token can be modified (elasticache-facts §3)."""
    return {"valkey": "7.2", "redis": "5.0.6"}[engine]


def modify_token_allowed(engine: str, version: str) -> bool:
    """Whether a token can be modified on this engine."""
    return parse_version(version) >= parse_version(modify_token_minimum(engine))


def user_groups_allowed(engine: str, version: str) -> bool:
    """Whether the engine knows users: Redis OSS 6.0, Valkey 7.2 or later (elasticache-facts §5)."""
    return parse_version(version) >= ((7, 2) if engine == "valkey" else (6, 0))


def modify_tls_allowed(engine: str, version: str) -> bool:
    """Whether encryption in transit can be changed in place: Redis OSS 7.0, Valkey 7.2 or later."""
    return parse_version(version) >= ((7, 2) if engine == "valkey" else (7, 0))
