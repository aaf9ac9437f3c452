# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The record as text in a tag: whole, within AWS's limits, and telling nothing of the tokens."""

from __future__ import annotations

import itertools
import string
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.elasticache.auth.plugins.module_utils._core import record
from ansible_collections.elasticache.auth.plugins.module_utils._core.evidence import UNKNOWN_TOKENS
from ansible_collections.elasticache.auth.plugins.module_utils._core.record import Entry, RecordSyntaxError
from ansible_collections.elasticache.auth.plugins.module_utils._core.states import (
    OPEN,
    Call,
    CallKind,
    Mode,
    State,
    optional,
    rbac,
    required,
    rotating,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.tokens import ALPHABET

#: AWS, "Tagging your ElastiCache resources"; of white space the record has the space only.
TAG_CHARACTERS = set(string.ascii_letters + string.digits + " +-=._:/@")
TOKEN, OTHER = "Kv7&Qm2#Xz9^Tn4>", "Zr5&Wd8#Hb3^Jc6>"
VERSION = "9c0d2f1e-5a1b-4c3d-8e7f-0123456789ab"
V1, V2, V3 = "v.one", "v.two", "v.three"
FINGERPRINT = "f.AAAAAAAA.abcdefghijklmnopqrstuv"

_BASE64 = string.ascii_letters + string.digits + "-_"
_refs = (
    st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=40).map("v.{}".format)
    | st.tuples(st.text(_BASE64, min_size=8, max_size=8), st.text(_BASE64, min_size=22, max_size=22)).map(
        lambda parts: f"f.{parts[0]}.{parts[1]}"
    )
    | st.sampled_from(["u.1", "u.2"])
)
_group_ids = st.lists(st.text(string.ascii_lowercase + "-", min_size=1, max_size=40), min_size=1, max_size=1)
_states = (
    st.just(OPEN)
    | _refs.map(optional)
    | _refs.map(required)
    | st.lists(_refs, min_size=2, max_size=2, unique=True).map(lambda refs: rotating(*refs))
    | _group_ids.map(lambda ids: rbac(*ids))
)
_with_token = st.sampled_from([CallKind.ROTATE, CallKind.SET, CallKind.REMOVE_AND_ROTATE])
_with_groups = st.sampled_from([CallKind.DELETE, CallKind.ADD_USER_GROUPS, CallKind.REMOVE_USER_GROUPS])
_calls = (
    st.none() | st.builds(Call, _with_token, _refs) | st.builds(Call, _with_groups, user_groups=_group_ids.map(tuple))
)
_dates = st.none() | st.datetimes(timezones=st.timezones()).map(lambda date: date.isoformat()) | st.just("creation")
_untils = st.none() | st.integers(0, 10**10)
_took = st.none() | st.integers(0, 7 * 86400)
_entries = st.builds(Entry, _states, _calls, _dates, st.integers(0, 2**33), _untils, st.booleans(), _took)


@given(_entries)
def test_what_is_written_is_read(entry: Entry) -> None:
    value = record.encode(entry)
    assert len(value) <= 256
    assert set(value) <= TAG_CHARACTERS
    read = record.decode(value)
    assert read == entry
    assert read.took in (entry.took, None)
    assert read.took == entry.took or len(value) + len(f" took={entry.took}") > 256


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        (Entry(OPEN, None, None, 7), "v1 open seen=none at=7"),
        (
            Entry(required(V1), None, "2026-11-22T15:04:05+00:00", 7),
            "v1 required:v.one seen=2026-11-22T15:04:05+00:00 at=7",
        ),
        (Entry(optional(FINGERPRINT), None, "d", 7), f"v1 optional:{FINGERPRINT} seen=d at=7"),
        (Entry(required(V1), None, "d", 7, assumed=True), "v1 required:v.one seen=d at=7 assumed"),
        (Entry(rotating(V1, V2), Call(CallKind.SET, V2), "d", 7), "v1 rotating:v.one+v.two set:v.two seen=d at=7"),
        (Entry(required(V1), Call(CallKind.ROTATE, V2), "d", 7), "v1 required:v.one rotate:v.two seen=d at=7"),
        (
            Entry(rotating(V1, V2), Call(CallKind.DELETE, user_groups=("g", "h")), "d", 7),
            "v1 rotating:v.one+v.two delete:g+h seen=d at=7",
        ),
        (
            Entry(rbac("g"), Call(CallKind.REMOVE_AND_ROTATE, V1), None, 7),
            "v1 rbac:g remove-and-rotate:v.one seen=none at=7",
        ),
        (Entry(OPEN, Call(CallKind.ADD_USER_GROUPS, user_groups=("g",)), None, 7), "v1 open add:g seen=none at=7"),
        (
            Entry(rbac("g"), Call(CallKind.REMOVE_USER_GROUPS, user_groups=("g",)), None, 7),
            "v1 rbac:g remove:g seen=none at=7",
        ),
        (Entry(rotating(V1, V2), None, "d", 7, 9), "v1 rotating:v.one+v.two seen=d at=7 until=9"),
        (
            Entry(required(V1), Call(CallKind.ROTATE, V2), "d", 7, 9),
            "v1 required:v.one rotate:v.two seen=d at=7 until=9",
        ),
        (Entry(required(V1), None, "d", 7, took=252), "v1 required:v.one seen=d at=7 took=252"),
        (Entry(required(V1), None, "d", 7, 9, True, 0), "v1 required:v.one seen=d at=7 until=9 took=0 assumed"),
    ],
)
def test_the_text_is_fixed(entry: Entry, value: str) -> None:
    """A later release must read what this one wrote."""
    assert record.encode(entry) == value
    assert record.decode(value) == entry
    assert record.decode(value).took == entry.took


def test_tokens_that_were_not_at_hand_have_names_of_their_own() -> None:
    value = record.encode(Entry(rotating(*UNKNOWN_TOKENS), Call(CallKind.ROTATE, V1), "d", 7))
    assert value == "v1 rotating:u.1+u.2 rotate:v.one seen=d at=7"
    assert record.decode(value).state == rotating("u.1", "u.2")


@pytest.mark.parametrize("version_id", [None, "x" * 40, "x" * 41, VERSION])
def test_three_names_fit_into_one_tag(version_id: str | None) -> None:
    refs = [record.reference(TOKEN + str(n), version_id and version_id[:-1] + str(n)) for n in range(3)]
    entry = Entry(
        rotating(*refs[:2]), Call(CallKind.ROTATE, refs[2]), "2026-11-22T15:04:05.678901+00:00", 99_999_999_999, 10**10
    )
    value = record.encode(entry)
    assert len(value) <= 256
    assert record.decode(value) == entry


def test_user_groups_that_do_not_fit_are_left_out() -> None:
    """AWS shows them anyway; the token of the state before must not be lost for them."""
    groups = tuple(f"{letter}{'x' * 39}" for letter in "abcdef")
    entry = Entry(required(f"v.{VERSION}"), Call(CallKind.DELETE, user_groups=groups), None, 1)
    assert record.decode(record.encode(entry)) == replace(entry, call=Call(CallKind.DELETE))


def test_what_does_not_fit_is_said() -> None:
    entry = Entry(required(f"v.{VERSION}"), None, "x" * 256, 1)
    with pytest.raises(RecordSyntaxError, match="a tag holds 256"):
        record.encode(entry)


@pytest.mark.parametrize(
    "value",
    [
        "v1 open seen=none at=7 took=-1",
        "v1 open seen=none at=7 took=604801",
        "v1 open seen=none at=7 took=long",
        "v1 open seen=none at=7 took=1 until=9",
        "v1 open seen=none at=7 until=-1",
        "v1 open seen=none at=7 until=10000000001",
        "v1 open seen=none at=7 until=soon",
        "v1 open seen=none at=7 until=",
        "v1 open seen=none at=7 until=8 until=9",
        "v1 open seen=none until=9 at=7",
        "until=9",
        "v1 until=9",
        "",
        " ",
        "v1",
        "v2 open seen=none at=7",
        "V1 open seen=none at=7",
        record.NOTHING,
        "v1 required:v.one seen=d at=7 assumed assumed",
        "v1 required:v.one assumed seen=d at=7",
        "v1 required:v.one seen=d at=7 guessed",
        "v1 open",
        "v1 open at=7",
        "v1 closed seen=none at=7",
        "v1 open:v.one seen=none at=7",
        "v1 required seen=d at=7",
        "v1 required: seen=d at=7",
        "v1 required:v.one+v.two seen=d at=7",
        "v1 rotating:v.one seen=d at=7",
        "v1 rotating:v.one+ seen=d at=7",
        "v1 required:v.one rotate seen=d at=7",
        "v1 required:v.one rotate: seen=d at=7",
        "v1 required:v.one rotate:v.two+v.three seen=d at=7",
        "v1 required:v.one turn:v.two seen=d at=7",
        "v1 required:v.one remove+rotate:v.two seen=d at=7",
        "v1 required:v.one seen=d at=",
        "v1 required:v.one seen=d at=soon",
        "v1 required:v.one seen=d at=+7",
        "v1 required:v.one seen=d at=1_000",
        "v1 required:v.one seen=d at=\N{ARABIC-INDIC DIGIT SEVEN}",
        "v1 required:v.one d at=7",
        "v1 required:v.one seen=d 7",
        "v1 required:v.one at=7 seen=d",
        "v1 required:v.one seen= at=7",
        "v1  required:v.one seen=d at=7",
        "v1 required:v.one seen=d at=7 ",
        "v1 required:v.one seen=d at=7\n",
        "v1 required:given seen=d at=7",
        "v1 required:AWSCURRENT seen=d at=7",
        "v1 required:v. seen=d at=7",
        "v1 required:u.3 seen=d at=7",
        "v1 required:f.AAAAAAAA.short seen=d at=7",
        "v1 required:f.AAAA seen=d at=7",
        "v1 required:f.AAAAAAAA.äbcdefghijklmnopqrstuv seen=d at=7",
        "v1 required:v.one rotate:given seen=d at=7",
    ],
)
def test_garbage_is_no_record(value: str) -> None:
    with pytest.raises(RecordSyntaxError):
        record.decode(value)


_WORDS = [
    "v1",
    "v2",
    *(m.value for m in Mode),
    *(k.value for k in CallKind),
    "remove-and-rotate",
    V1,
    FINGERPRINT,
    "u.1",
]


@settings(max_examples=settings().max_examples * 2)
@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from([*_WORDS, " ", " ", ":", "+", ".", "=", "seen=", "at=", "7", "none"]), max_size=14).map(
        "".join
    )
    | st.tuples(_entries.map(record.encode), st.integers(0, 200), st.text(max_size=2)).map(
        lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + 1 :]
    )
)
def test_garbage_fails_in_one_way_and_what_is_read_is_what_would_be_written(value: str) -> None:
    try:
        entry = record.decode(value)
    except RecordSyntaxError:
        return
    assert record.encode(entry) == value
    for name in entry.state.tokens:
        assert record.same_token(name, TOKEN) in (None, False), "no other error, and not this token"


@pytest.mark.parametrize(
    ("ref", "token", "version_id", "expected"),
    [
        ("v.one", TOKEN, "one", True),
        ("v.one", TOKEN, "two", False),
        ("v.one", TOKEN, None, None),
        ("u.1", TOKEN, "1", None),
        ("u.1", TOKEN, None, None),
        (FINGERPRINT, TOKEN, None, False),
        (FINGERPRINT, TOKEN, "AAAAAAAA.abcdefghijklmnopqrstuv", False),
    ],
)
def test_same_token(ref: str, token: str, version_id: str | None, expected: bool | None) -> None:
    assert record.same_token(ref, token, version_id) is expected


def test_a_token_is_known_again_by_its_fingerprint() -> None:
    ref = record.reference(TOKEN)
    assert ref.startswith("f.")
    for version_id in (None, VERSION):
        assert record.same_token(ref, TOKEN, version_id) is True
        assert record.same_token(ref, OTHER, version_id) is False
        assert record.same_token(ref, TOKEN.lower(), version_id) is False


def test_a_fingerprint_is_salted() -> None:
    """That two groups have the same token can't be seen without the token."""
    assert len({record.reference(TOKEN) for dummy in range(4)}) == 4


def test_a_version_is_known_again_by_its_id() -> None:
    ref = record.reference(TOKEN, VERSION)
    assert ref == f"v.{VERSION}"
    assert record.same_token(ref, OTHER, VERSION) is True, "the id decides, the value is not looked at"


@pytest.mark.parametrize(
    "version_id", ["x" * 41, "with space", "with+plus", "with:colon", "ünicode", "", "new\nline", "x\n"]
)
def test_version_ids_that_do_not_fit_into_a_record_are_not_used(version_id: str) -> None:
    ref = record.reference(TOKEN, version_id)
    assert ref.startswith("f.")
    assert record.decode(record.encode(Entry(required(ref), None, "d", 7))).state == required(ref)
    assert record.same_token(ref, TOKEN, version_id) is True


@settings(max_examples=12)  # each costs some 40 ms on purpose
@given(st.text(ALPHABET, min_size=16, max_size=128))
def test_no_piece_of_a_token_is_in_the_tag(token: str) -> None:
    plain = record.encode(
        Entry(required(record.reference(token)), Call(CallKind.ROTATE, record.reference("x" * 16)), "d", 7)
    )
    names = [name for part in plain.split(" ") if ":" in part for name in part.partition(":")[2].split("+")]
    assert len(names) == 2
    assert not any(token[i : i + 6] in name for name in names for i in range(len(token) - 5))
    assert record.same_token(names[0], token)


def test_a_fingerprint_is_costly_to_guess() -> None:
    """RFC 7914's interactive parameters at least; the salt is not shared."""
    import hashlib

    dummy, salt, digest = record.reference(TOKEN).split(".")
    expected = hashlib.scrypt(TOKEN.encode(), salt=record._bytes(salt), n=2**14, r=8, p=1, dklen=16)
    assert record._bytes(digest) == expected


def test_translate_renames_what_it_knows() -> None:
    entry = Entry(rotating(V1, V2), Call(CallKind.SET, V2), "d", 7)
    assert record.translate(entry, {V2: "given"}) == Entry(rotating(V1, "given"), Call(CallKind.SET, "given"), "d", 7)
    assert record.translate(entry, {}) == entry
    rbac_entry = Entry(rbac("g"), None, None, 7)
    assert record.translate(rbac_entry, {"g": "given"}) == rbac_entry, "a user group is no token"


def test_every_mode_and_every_call_has_a_text() -> None:
    calls = [
        None,
        *(Call(k, V3) if k in ("rotate", "set", "remove+rotate") else Call(k, user_groups=("g",)) for k in CallKind),
    ]
    every: list[State] = [OPEN, optional(V1), required(V1), rotating(V1, V2), rbac("g")]
    assert {state.mode for state in every} == set(Mode)
    for state, call in itertools.product(every, calls):
        entry = Entry(state, call, None, 7)
        assert record.decode(record.encode(entry)) == entry
