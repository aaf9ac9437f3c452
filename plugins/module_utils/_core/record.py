# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The record in the group's tags, as text: what is in force, or what is about to be done and from where.

One tag holds all of it, so that it is written and read as a whole. An ElastiCache tag value has at most 256
characters: letters, digits, white space and ``+ - = . _ : / @`` (AWS, "Tagging your ElastiCache resources").

``v1 required:f.5Zk….9w seen=2026-11-22T15:04:05.678+00:00 at=1795359845`` reads: the token with this fingerprint alone
is accepted, as of this AuthTokenLastModifiedDate; written at this time (seconds since 1970).
``v1 required:v.4f1b… rotate:v.9c0d… seen=… at=…`` reads: ROTATE is about to be, or has been, called.
``… until=1795360445``: clients have until then to move to the newer token, at the least (seconds since 1970).
``… took=252``: the last change that this collection made of the group took so many seconds.
``v1 required:v.4f1b… seen=… at=… assumed`` reads: that was assumed, by the user's word for example, and not known.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from .evidence import UNKNOWN_TOKENS
from .states import Call, CallKind, Mode, State

TAG_KEY = "elasticache.auth/record"
MAX_VALUE_LENGTH = 256
_VERSION = "v1"
_NO_DATE = "none"
_UNTIL = "until="
_TOOK = "took="
#: Later than this (the year 2286) nothing can last.
_LATEST = 10**10
#: No change takes longer, seconds: a week.
_LONGEST = 7 * 86400
_ASSUMED = "assumed"
#: In the place of a record that has proved wrong: it says nothing. (To take the tag away needs a permission more.)
NOTHING = f"{_VERSION} nothing"

#: Version ids longer than this are named by fingerprint, so that three names always fit into one tag, and so are those
#: with characters that mean something in a record or that no tag takes: callers of Secrets Manager choose them freely.
_VERSION_ID = re.compile(r"[A-Za-z0-9-]{1,40}")
_SALT_BYTES, _HASH_BYTES = 6, 16
_REFERENCE = re.compile(r"v\.[A-Za-z0-9-]{1,40}|f\.[A-Za-z0-9_-]{8}\.[A-Za-z0-9_-]{22}|u\.[12]")
#: How the tokens are written that were in force but not at hand.
_UNKNOWN = dict(zip(UNKNOWN_TOKENS, ("u.1", "u.2"), strict=True))


class RecordSyntaxError(ValueError):
    """The tag is not a record that this release understands."""


@dataclass(frozen=True)
class Entry:
    """A record as written: ``state`` and ``call`` hold references (see :func:`reference`) in place of token names.

    ``seen``: AuthTokenLastModifiedDate as ISO text or ``None``; ``written_at``: seconds since 1970; ``cutover_until``:
    when the time is over that clients have to move to the newer token, likewise, where they were given one;
    ``assumed``: the state was assumed, and not known; ``took``: how long the last change took, seconds, where that is
    known, which says nothing about the state.
    """

    state: State
    call: Call | None
    seen: str | None
    written_at: int
    cutover_until: int | None = None
    assumed: bool = False
    took: int | None = field(default=None, compare=False)


def encode(entry: Entry) -> str:
    """Return the tag's value. Raises :class:`RecordSyntaxError` where it would not fit into one.

    How long the last change took is left out where there is no room, and user groups where they are too many for a tag:
    unlike tokens, AWS shows them.
    """
    value = _encode(translate(entry, _UNKNOWN))
    if len(value) > MAX_VALUE_LENGTH:
        entry = replace(entry, took=None)
        value = _encode(translate(entry, _UNKNOWN))
    if len(value) > MAX_VALUE_LENGTH:
        value = _encode(translate(_without_user_groups(entry), _UNKNOWN))
    if len(value) > MAX_VALUE_LENGTH:
        raise RecordSyntaxError(f"the record needs {len(value)} characters, a tag holds {MAX_VALUE_LENGTH}")
    return value


def _without_user_groups(entry: Entry) -> Entry:
    call = entry.call and replace(entry.call, user_groups=())
    return replace(entry, state=replace(entry.state, user_groups=()), call=call)


def _encode(entry: Entry) -> str:
    parts = [_VERSION, _inside(entry.state.mode.value, entry.state.tokens + entry.state.user_groups)]
    if entry.call:
        tokens = (entry.call.token,) if entry.call.token else ()
        parts.append(_inside(entry.call.kind.value.replace("+", "-and-"), tokens + entry.call.user_groups))
    parts += [f"seen={entry.seen or _NO_DATE}", f"at={entry.written_at}"]
    if entry.cutover_until is not None:
        parts.append(f"{_UNTIL}{entry.cutover_until}")
    if entry.took is not None:
        parts.append(f"{_TOOK}{entry.took}")
    if entry.assumed:
        parts.append(_ASSUMED)
    return " ".join(parts)


def decode(value: str) -> Entry:
    """Return the entry that ``value`` stands for. Raises :class:`RecordSyntaxError`."""
    version, *parts = value.split(" ")
    assumed = parts[-1:] == [_ASSUMED]
    parts = parts[:-1] if assumed else parts
    duration = parts.pop() if parts and parts[-1].startswith(_TOOK) else ""
    last = parts.pop() if parts and parts[-1].startswith(_UNTIL) else ""
    if version != _VERSION or not 3 <= len(parts) <= 4:
        raise RecordSyntaxError("the tag is not a record of this release")
    try:
        mode_text, inside = _outside(parts[0])
        mode = Mode(mode_text)
        if len(inside) != {Mode.OPEN: 0, Mode.OPTIONAL: 1, Mode.REQUIRED: 1, Mode.ROTATING: 2}.get(mode, len(inside)):
            raise RecordSyntaxError("the state's tokens are missing")
        state = State(mode, user_groups=inside) if mode is Mode.RBAC else State(mode, inside)
        call = None
        if len(parts) == 4:
            kind_text, inside = _outside(parts[1])
            kind = CallKind(kind_text.replace("-and-", "+"))
            with_token = kind in (CallKind.ROTATE, CallKind.SET, CallKind.REMOVE_AND_ROTATE)
            call = Call(kind, inside[0]) if with_token else Call(kind, user_groups=inside)
        until = int(last.removeprefix(_UNTIL)) if last else None
        took = int(duration.removeprefix(_TOOK)) if duration else None
        seen, written_at = parts[-2].removeprefix("seen="), int(parts[-1].removeprefix("at="))
    except (ValueError, IndexError) as error:
        raise RecordSyntaxError(f"the tag is not a record: {error}") from error
    if until is not None and not 0 <= until <= _LATEST:
        raise RecordSyntaxError("the tag is not a record: its cutover lasts too long")
    if took is not None and not 0 <= took <= _LONGEST:
        raise RecordSyntaxError("the tag is not a record: its last change took too long")
    entry = Entry(state, call, None if seen == _NO_DATE else seen, written_at, until, assumed, took)
    # Whoever may tag the group may write anything; a name that is no reference could pass for a token at hand.
    names = (*state.tokens, *((call.token,) if call and call.token else ()))
    if not all(map(_REFERENCE.fullmatch, names)) or encode(entry) != value:
        raise RecordSyntaxError("the tag is not a record as this release writes it")
    return entry


def reference(token: str, version_id: str | None = None) -> str:
    """Name a token by its Secrets Manager version id, or else by a scrypt fingerprint with a salt of its own.

    Two references to one token don't show that they name the same, so make one for each group and keep it.
    """
    if version_id and _VERSION_ID.fullmatch(version_id):
        return f"v.{version_id}"
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"f.{_text(salt)}.{_text(_fingerprint(token, salt))}"


def same_token(ref: str, token: str, version_id: str | None = None) -> bool | None:
    """Whether ``ref`` names this token; ``None`` where that can't be told.

    That is so for a version id against a bare value, and for a token that was not at hand when it was written down.
    """
    kind, dummy, rest = ref.partition(".")
    if kind == "u":
        return None
    if kind == "v":
        return rest == version_id if version_id else None
    try:
        salt, dummy, digest = rest.partition(".")
        return hmac.compare_digest(_bytes(digest), _fingerprint(token, _bytes(salt)))
    except ValueError as error:
        raise RecordSyntaxError(f"not a fingerprint: {error}") from error


def translate(entry: Entry, names: Mapping[str, str]) -> Entry:
    """Return ``entry`` with its tokens renamed by ``names``; what is not among them stays."""
    state = State(entry.state.mode, tuple(names.get(t, t) for t in entry.state.tokens), entry.state.user_groups)
    call = entry.call and Call(entry.call.kind, names.get(entry.call.token, entry.call.token), entry.call.user_groups)
    return replace(entry, state=state, call=call)


@functools.lru_cache(maxsize=4096)
def _fingerprint(token: str, salt: bytes) -> bytes:
    # 16 MiB and some 40 ms a guess (RFC 7914's interactive parameters). Two threads make them all: the memory of so
    # large a block stays with the thread that had it, and there may be many threads.
    return _workers().submit(hashlib.scrypt, token.encode(), salt=salt, n=2**14, r=8, p=1, dklen=_HASH_BYTES).result()


@functools.cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=2, thread_name_prefix="fingerprint")


def _inside(word: str, names: tuple[str, ...]) -> str:
    return f"{word}:{'+'.join(names)}" if names else word


def _outside(text: str) -> tuple[str, tuple[str, ...]]:
    word, dummy, names = text.partition(":")
    return word, tuple(names.split("+")) if names else ()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
