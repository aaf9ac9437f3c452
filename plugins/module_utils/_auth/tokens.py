# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The tokens that a module was given for a group, each with a name, and the words for it in messages.

A token's value stays in here and at the edges; the core, results and messages know names only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._aws.clients import Clients
from .._aws.secrets import STAGES, StoredToken, read_stages, secret_name
from .._core import record
from .._core.errors import AuthError
from .._core.evidence import UNKNOWN_TOKENS
from .._core.tokens import in_force_violations, rule_violations
from .._fan_out import fan_out

GIVEN = "given"
PREVIOUS_TOKEN = "previous token"  # noqa: S105 - a name


@dataclass(frozen=True)
class Token:
    """A token at hand: its name in the core, its value, the version of the secret that holds it."""

    name: str
    value: str = field(repr=False)
    version_id: str | None = None

    @functools.cached_property
    def reference(self) -> str:
        """Its name in a record; a fingerprint costs some 40 ms, so it is made once, and anew for each group."""
        return record.reference(self.value, self.version_id)


@dataclass(frozen=True)
class TokenSet:
    """The tokens at hand for one group: the one that is wanted, if any, and others that may be in force.

    ``complete``: no token beyond these is in force, says the caller (who named the others, or has them in a secret).
    """

    wanted: Token | None = None
    others: tuple[Token, ...] = ()
    complete: bool = False

    @property
    def all(self) -> tuple[Token, ...]:
        """Every token at hand, the wanted one first; no value occurs twice."""
        return ((self.wanted,) if self.wanted else ()) + self.others

    @property
    def names(self) -> tuple[str, ...]:
        """The names of :attr:`all`."""
        return tuple(token.name for token in self.all)

    @property
    def values(self) -> dict[str, str]:
        """The values of :attr:`all`, by name."""
        return {token.name: token.value for token in self.all}

    def resolve(self, references: Iterable[str]) -> tuple[dict[str, str], dict[str, frozenset[str]]]:
        """Match a record's references with the tokens at hand.

        Returns the names of those that are certain, and for the others which tokens they might stand for.
        """
        names: dict[str, str] = {}
        aliases: dict[str, frozenset[str]] = {}
        for ref in filter(is_reference, references):
            possible = set()
            for token in self.all:
                same = record.same_token(ref, token.value, token.version_id)
                if same:
                    names[ref] = token.name
                    break
                if same is None:
                    possible.add(token.name)
            else:
                aliases[ref] = frozenset(possible)
        return names, aliases


def is_reference(name: str) -> bool:
    """Whether a token's name comes from a record and not from those at hand."""
    return name.startswith(("v.", "f.", "u."))


def label(name: str) -> str:
    """Return the words for a token's name in a message."""
    if name == GIVEN:
        return "the token given"
    if name == PREVIOUS_TOKEN:
        return "the previous token"
    if name in STAGES:
        return f"the token in {name}"
    if name in UNKNOWN_TOKENS:
        return name if name.startswith("an") else f"an {name}"
    if name.startswith("u."):
        return "a token that was not at hand when it was put on record"
    if is_reference(name):
        return f"the token on record as {name}"
    return name


def distinct(wanted: Token | None, others: Iterable[Token], complete: bool) -> TokenSet:
    """Build a set in which no value occurs twice; a value that is also the wanted one is that one."""
    seen = {wanted.value} if wanted else set()
    kept = []
    for token in others:
        if token.value not in seen:
            seen.add(token.value)
            kept.append(token)
    return TokenSet(wanted, tuple(kept), complete)


def collect(
    clients: Clients, params: Mapping[str, Any], ids: Iterable[str], *, hide: Callable[[str], None], needed: bool
) -> dict[str, TokenSet | AuthError]:
    """Return the tokens for each group, from the options that hold them or from Secrets Manager.

    ``hide`` is told every value that comes from Secrets Manager, so that Ansible masks it too. ``needed``: a group
    without a wanted token is an error. Each error is the group's own.
    """
    ids = list(ids)
    source: Mapping[str, Any] = params.get("auth_token_secret") or {}
    if source:
        stored = fan_out(ids, lambda key: _from_secret(clients, source, key, needed))
        sets: dict[str, TokenSet | AuthError] = {
            key: result if isinstance(result, (TokenSet, AuthError)) else AuthError(f"{key}: {result}")
            for key, result in stored.items()
        }
        for tokens in sets.values():
            for token in tokens.all if isinstance(tokens, TokenSet) else ():
                hide(token.value)
    else:
        wanted, previous = (by_group(params.get(name)) for name in ("auth_tokens", "previous_auth_tokens"))
        sets = {key: _from_options(params, key, wanted.get(key), previous.get(key), needed) for key in ids}
    return {key: _checked(key, tokens) if isinstance(tokens, TokenSet) else tokens for key, tokens in sets.items()}


def by_group(tokens: Mapping[Any, Any] | None) -> dict[str, str]:
    """Return an option's tokens by the group's id, in lower case; one without a value (null) counts as left out."""
    return {str(key).strip().lower(): str(value) for key, value in (tokens or {}).items() if value is not None}


def _from_options(
    params: Mapping[str, Any], group_id: str, own: str | None, previous: str | None, needed: bool
) -> TokenSet | AuthError:
    """Return a group's tokens; ``own`` and ``previous`` are those that the options by group have for it."""
    value = params.get("auth_token")
    if value is None:
        value = own
    if value is None and needed:
        return AuthError(
            f"{group_id}: there is no token for it. Give it in auth_token, under its id in auth_tokens, "
            "or in a secret by auth_token_secret."
        )
    others = params.get("known_auth_tokens")
    if others is not None and not all(others):
        return AuthError(
            f"{group_id}: known_auth_tokens holds an empty text, which is no token. Leave it out; to say that there "
            "are no other tokens, give an empty list."
        )
    wanted = Token(GIVEN, str(value)) if value is not None else None
    known = [Token(f"known token {number}", other) for number, other in enumerate(others or (), 1)]
    known += [Token(PREVIOUS_TOKEN, previous)] if previous else []
    return distinct(wanted, known, complete=others is not None or previous is not None)


def no_token_in(stage: str, name: str) -> str:
    """Return the words for a secret without a token at a staging label: no such label, or "none yet" under the key."""
    return f"the secret {name} holds no token in {stage} (yet)"


def _from_secret(clients: Clients, source: Mapping[str, Any], group_id: str, needed: bool) -> TokenSet:
    name = secret_name(source["name"], group_id)
    stored: dict[str, StoredToken] = read_stages(clients, name, source.get("key"), group_id)
    tokens = {stage: Token(stage, token.value, token.version_id) for stage, token in stored.items()}
    wanted = tokens.pop(source["stage"], None)
    if wanted is None and needed:
        raise AuthError(
            f"{group_id}: {no_token_in(source['stage'], name)}. Stage one, or name another label in "
            f"auth_token_secret.stage (it has {', '.join(stored) or 'none'})."
        )
    return distinct(wanted, tokens.values(), complete=True)


def _checked(group_id: str, tokens: TokenSet) -> TokenSet | AuthError:
    """Return ``tokens``, or the error about the wanted one: AWS would say no more than that it is invalid.

    Whether it takes one that is new to the group is for whoever sends it to see.
    """
    wanted = tokens.wanted
    if wanted and in_force_violations(wanted.value):
        return invalid(group_id, wanted)
    return tokens


def invalid(group_id: str, token: Token) -> AuthError:
    """Return the error about a token that does not keep the rules."""
    return AuthError(
        f"{group_id}: {label(token.name)} is not a valid AUTH token: {'; '.join(rule_violations(token.value))}. "
        "The lookup elasticache.auth.random_auth_token makes valid ones."
    )
