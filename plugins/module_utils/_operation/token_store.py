# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the tokens of an operation are kept: read from Secrets Manager, or supplied by the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .._auth.tokens import GIVEN, PREVIOUS_TOKEN, Token, TokenSet, collect, distinct
from .._aws.clients import Clients
from .._aws.secrets import (
    ABANDONED,
    CURRENT,
    PENDING,
    PREVIOUS,
    STAGES,
    Secret,
    StoredToken,
    current_texts,
    describe_secret,
    list_secrets,
    read_text,
)
from .._core.errors import AuthError
from .._core.operations import GIVEN_UP_AFTER, GIVEN_UP_BEFORE, GIVEN_UP_DONE, Store
from .._core.secret_text import OPTION_PREFIX, token_in
from .._core.tokens import in_force_violations
from .._fan_out import fan_out
from .._secret.secret_plan import names_of

#: Up to this many secrets are read one by one; beyond, what is in AWSCURRENT in bulk.
_READ_SINGLY = 5


@dataclass(frozen=True)
class Kept:
    """The tokens of one group, and where they are kept. ``exists``: there is a secret. ``secret``: as it was read.

    ``listed``: its labels are as they were up to five minutes ago, and AWSPREVIOUS has not been read.
    """

    tokens: TokenSet = field(default_factory=TokenSet)
    store: Store = field(default_factory=Store)
    exists: bool = True
    secret: Secret | None = field(default=None, repr=False)
    listed: bool = False

    @property
    def holds_none(self) -> bool:
        """Whether AWSPENDING is on a version in which there is no token."""
        return bool(self.staged) and not self.listed and not self.store.pending and not self.store.leftover

    @property
    def staged(self) -> str:
        """The id of the version in AWSPENDING: it is the one that is rotated in, and no other is promoted then."""
        return self.secret.labels.get(PENDING, "") if self.secret else ""

    @property
    def current(self) -> str:
        """The id of the version in AWSCURRENT."""
        return self.secret.labels.get(CURRENT, "") if self.secret else ""


def read_kept(
    clients: Clients,
    params: Mapping[str, Any],
    ids: Iterable[str],
    *,
    may_be_made: bool,
    hide: Callable[[str], None],
    from_list: bool = False,
) -> dict[str, Kept | AuthError]:
    """Return where the tokens of each group are kept; each error is the group's own.

    ``may_be_made``: a secret that does not exist is one without tokens yet. ``hide`` is told every value read from
    Secrets Manager. ``from_list``: secrets of many groups on which nothing is under way may be taken from a list of
    them, which may be behind (:attr:`Kept.listed`). Raises :class:`AuthError` for what concerns no single group: two
    of them share a secret.
    """
    ids = list(ids)
    source: Mapping[str, Any] = params.get("auth_token_secret") or {}
    if not source:
        return _supplied(clients, params, ids, hide)
    names = names_of(source["name"], ids, option=OPTION_PREFIX)
    many = len(ids) > _READ_SINGLY
    bulk = current_texts(clients, list(names.values())) if many else {}
    listed = list_secrets(clients, list(bulk)) if many and from_list else {}
    key_of_token = source.get("key")

    def work(key: str) -> Kept:
        name = names[key]
        secret, current = listed.get(name), bulk.get(name)
        if secret and current and _is_at_rest(secret, current[0]):
            kept = kept_in(key, name, key_of_token, replace(secret, texts={CURRENT: current[1]}), hide)
            return replace(kept, listed=True)
        return _read(clients, key, name, key_of_token, current, may_be_made=may_be_made, hide=hide)

    read = fan_out(ids, work)
    return {
        key: kept if isinstance(kept, (Kept, AuthError)) else AuthError(f"{key}: the secret could not be read: {kept}")
        for key, kept in read.items()
    }


def _is_at_rest(secret: Secret, current: str) -> bool:
    """Whether nothing is under way in a secret from a list, ``current`` being the version in AWSCURRENT by now."""
    return secret.labels.get(CURRENT) == current and not set(secret.labels) - {CURRENT, PREVIOUS}


def _supplied(
    clients: Clients, params: Mapping[str, Any], ids: Iterable[str], hide: Callable[[str], None]
) -> dict[str, Kept | AuthError]:
    kept: dict[str, Kept | AuthError] = {}
    for key, tokens in collect(clients, params, ids, hide=hide, needed=True).items():
        if isinstance(tokens, AuthError):
            kept[key] = tokens
            continue
        previous = PREVIOUS_TOKEN if PREVIOUS_TOKEN in tokens.names else ""
        kept[key] = Kept(tokens, Store(current=previous, pending=GIVEN, kept=False, can_be_empty=False))
    return kept


def _read(
    clients: Clients,
    group_id: str,
    name: str,
    key: str | None,
    current: tuple[str, str | None] | None,
    *,
    may_be_made: bool,
    hide: Callable[[str], None],
) -> Kept:
    """Read one group's secret; ``current``: the version in AWSCURRENT and its text, where that is known already."""
    secret = describe_secret(clients, name, group_id, OPTION_PREFIX)
    if secret is None:
        if may_be_made:
            return Kept(TokenSet(complete=True), Store(name=name, can_be_empty=bool(key)), exists=False)
        raise AuthError(
            f"{group_id}: there is no secret {name} in {clients.region}. Create it with the token in force, or check "
            "auth_token_secret.name and region."
        )
    if not secret.labels and not may_be_made:
        raise AuthError(f"{group_id}: the secret {name} is empty. Store the token in force in its SecretString.")
    texts: dict[str, str | None] = {}
    for stage in (stage for stage in STAGES if stage in secret.labels):
        version = secret.labels[stage]
        same = next((other for other in texts if secret.labels[other] == version), None)
        if same:
            texts[stage] = texts[same]
        elif stage == CURRENT and current and current[0] == version:
            texts[stage] = current[1]
        else:
            found, text = read_text(clients, name, stage, group_id, OPTION_PREFIX)
            if found not in ("", version):
                raise _moving(group_id, name)
            if found:
                texts[stage] = text
    return kept_in(group_id, name, key, replace(secret, texts=texts), hide)


def kept_after(
    clients: Clients, group_id: str, before: Kept, key: str | None, secret: Secret, hide: Callable[[str], None]
) -> Kept:
    """Return the tokens in a secret that was just changed, as far as that was looked at. Raises :class:`AuthError`.

    Whoever changes it looks at it anew where an answer got lost, and then only at what he needs: the rest is read here.
    """
    missing = _unread(secret)
    if not missing or (before.listed and missing == {PREVIOUS}):
        return replace(kept_in(group_id, before.store.name, key, secret, hide), listed=bool(missing))
    kept = _read(clients, group_id, before.store.name, key, None, may_be_made=False, hide=hide)
    if kept.current != secret.labels.get(CURRENT, ""):
        raise _moving(group_id, before.store.name)
    return kept


def _moving(group_id: str, name: str) -> AuthError:
    return AuthError(
        f"{group_id}: the staging labels of the secret {name} are being moved by someone else. Run this again when "
        "nobody else is at work on it."
    )


def _unread(secret: Secret) -> set[str]:
    return {stage for stage in STAGES if stage in secret.labels and stage not in secret.texts}


def kept_in(group_id: str, name: str, key: str | None, secret: Secret, hide: Callable[[str], None]) -> Kept:
    """Return the tokens in a secret that was read. Raises :class:`AuthError` for what can't be a token."""
    stored: dict[str, StoredToken] = {}
    for stage, text in secret.texts.items():
        token = _token(group_id, name, stage, key, text)
        if token:
            hide(token)
            stored[stage] = StoredToken(token, secret.labels[stage])
    pending = stored.get(PENDING)
    violations = in_force_violations(pending.value) if pending else []
    if violations:
        raise AuthError(
            f"{group_id}: AWSPENDING of the secret {name} is not a valid AUTH token: {'; '.join(violations)}. If no "
            "group accepts it, take it off (elasticache.auth.auth_secret with state: discarded), then repeat this."
        )
    read = (Token(stage, version.value, version.version_id) for stage, version in stored.items())
    tokens = distinct(None, read, complete=not _unread(secret))
    return Kept(tokens, _store(name, key, secret, stored, tokens), secret=secret)


def _token(group_id: str, name: str, stage: str, key: str | None, text: str | None) -> str:
    try:
        return token_in(text, key, f"{group_id}: the secret {name}", OPTION_PREFIX)
    except AuthError as error:
        if stage == CURRENT:
            raise
        # What is there may be in force, so that it is not passed over; but a good AWSCURRENT alone does not mend it.
        way_out = {
            PENDING: "if no group accepts what is staged there, elasticache.auth.auth_secret with state: discarded "
            "takes the label off.",
            PREVIOUS: "if no group accepts what is there, take the label off that version "
            "(secretsmanager:UpdateSecretVersionStage).",
        }
        raise AuthError(f"{error} That is about {stage}: {way_out[stage]}") from None


def _store(name: str, key: str | None, secret: Secret, stored: Mapping[str, StoredToken], tokens: TokenSet) -> Store:
    by_value = {token.value: token.name for token in tokens.all}
    at = {stage: by_value[token.value] for stage, token in stored.items()}
    current, pending = at.get(CURRENT, ""), at.get(PENDING, "")
    abandoned = ""
    if ABANDONED in secret.labels:
        given_up = secret.labels[ABANDONED]
        abandoned = {secret.labels.get(PREVIOUS): GIVEN_UP_AFTER, secret.labels.get(CURRENT): GIVEN_UP_BEFORE}.get(
            given_up, GIVEN_UP_DONE
        )
    return Store(
        current=current,
        pending="" if pending == current else pending,
        previous="" if at.get(PREVIOUS, "") == current else at.get(PREVIOUS, ""),
        leftover=bool(pending) and pending == current,
        abandoned=abandoned,
        can_be_empty=bool(key),
        name=name,
    )
