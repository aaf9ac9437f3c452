# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Lines of CLIENT LIST and entries of ACL LOG, read and summed up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.elasticache.auth.plugins.module_utils._core.client_connections import (
    MAX_KEPT,
    MAX_NAME,
    MAX_TOLD,
    Client,
    Connection,
    Refused,
    RefusedEntry,
    Tally,
    parse_acl_log,
    parse_connection,
    predates,
    predating_in_words,
    refused_in_words,
    unheard_in_words,
)

#: Of Valkey 9.1, as it answers.
LINE = (
    b"id=3 addr=10.0.3.17:51234 laddr=10.0.0.9:6379 fd=9 name=app age=7 idle=0 flags=N capa= db=0 sub=0 psub=0 ssub=0 "
    b"multi=-1 watch=0 qbuf=0 qbuf-free=0 argv-mem=10 multi-mem=0 rbs=1032 rbp=70 obl=0 oll=0 omem=0 tot-mem=1642 "
    b"events=r cmd=client|list user=default redir=-1 resp=2 lib-name=jedis lib-ver=5.1.2 tot-net-in=308 tot-cmds=6"
)
JEDIS = Client("10.0.3.17", "default", "jedis", "5.1.2")


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (LINE, Connection(3, JEDIS, 7)),
        (b"id=4 addr=[::1]:99 age=0 flags=P user=app", Connection(4, Client("::1", "app"), 0)),
        (b"id=4 addr=10.0.0.1:99 name= age=12 idle=1 flags=N", Connection(4, Client("10.0.0.1"), 12)),  # Redis OSS 5
        (b"id=4 addr=10.0.0.1:99 age=x flags=N", Connection(4, Client("10.0.0.1"), None)),
        (b"id=4 addr= flags=N", Connection(4, Client("?"), None)),
        (LINE.replace(b"flags=N", b"flags=S"), None),  # a replica
        (LINE.replace(b"flags=N", b"flags=M"), None),  # the primary
        (LINE.replace(b"flags=N", b"flags=NU"), None),  # by a unix socket
        (b"id=-1 addr=10.0.0.1:99", None),
        (b"addr=10.0.0.1:99", None),
        (b"", None),
    ],
)
def test_a_line(line: bytes, wanted: Connection | None) -> None:
    assert parse_connection(line) == wanted


def test_of_a_line_that_is_cut_off_only_what_comes_before_the_clients_own_name_counts() -> None:
    line = b"id=3 addr=10.0.3.17:51234 name=x age=999 user=admin lib-name=forged"
    assert parse_connection(line, cut=True) == Connection(3, Client("10.0.3.17"), None)


def test_the_first_of_members_with_one_name_counts() -> None:
    assert parse_connection(b"id=3 addr=10.0.0.1:9 age=7 age=0 user=a user=b") == Connection(
        3, Client("10.0.0.1", "a"), 7
    )


@given(name=st.binary(max_size=300))
def test_a_name_is_shown_in_one_line_without_control_characters(name: bytes) -> None:
    line = b"id=3 addr=10.0.0.1:9 age=7 lib-name=" + name.replace(b" ", b"")
    connection = parse_connection(line)
    assert connection is not None
    shown = connection.client.library
    assert len(shown) <= MAX_NAME
    assert shown.isprintable()


@given(line=st.binary(max_size=300), cut=st.booleans())
def test_no_line_is_too_strange(line: bytes, cut: bool) -> None:
    connection = parse_connection(line, cut=cut)
    assert connection is None or all(part.isprintable() for part in connection.client)


@given(
    began=st.floats(0, 1000), moment=st.floats(0, 1000), later=st.floats(0, 1000), marked=st.none() | st.floats(0, 5)
)
def test_no_connection_from_before_the_moment_is_missed(
    began: float, moment: float, later: float, marked: float | None
) -> None:
    """Ages are differences of whole seconds; of those after it only some within two seconds are counted, and with a
    mark none that came after it.
    """
    mark = None if marked is None else moment + 1e-3 + marked
    now = max(began, moment, mark or 0) + later
    ids = {time: number for number, time in enumerate(sorted({began, mark or began}), 1)}
    connection = Connection(ids[began], JEDIS, int(now) - int(began))
    told = predates(connection, now - moment, None if mark is None else ids[mark])
    if began < moment - 1e-6:
        assert told
    if began > min(moment + 2, mark or math.inf) + 1e-6:
        assert not told


def test_another_node_in_its_place_may_have_numbered_otherwise() -> None:
    """One that is much older than the moment predates it, whatever its id."""
    assert predates(Connection(9000, JEDIS, 60), 50.0, mark=7)
    assert not predates(Connection(9000, JEDIS, 51), 50.0, mark=7)


def tally(*rows: tuple[Client, int, int]) -> Tally:
    """Connections of clients: how many of each, and how many of them predate a moment 100 seconds ago."""
    found = Tally()
    for client, count, early in rows:
        for number in range(count):
            found.add(Connection(number, client, 1000 if number < early else 5), 100.0)
    return found


REDIS_PY = Client("10.0.4.2", "default", "redis-py", "5.0.1")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "no connection predates the new token"),
        ([(JEDIS, 3, 0)], "no connection predates the new token"),
        ([(JEDIS, 1, 1)], "1 connection from 1 address predates the new token: 10.0.3.17 (jedis 5.1.2) x1"),
        (
            [(REDIS_PY, 5, 2), (JEDIS, 9, 6)],
            f"8 connections from 2 addresses predate the new token: {JEDIS.words} x6, {REDIS_PY.words} x2",
        ),
        (
            [(JEDIS, 2, 2), (JEDIS._replace(user="app"), 1, 1), (Client("10.0.9.9"), 1, 1)],
            "4 connections from 2 addresses predate the new token: 10.0.3.17 (jedis 5.1.2) x3, 10.0.9.9 x1",
        ),
        (
            [(Client(f"h{number}"), 1, 1) for number in range(7)],
            "7 connections from 7 addresses predate the new token: h0 x1, h1 x1, h2 x1, h3 x1, h4 x1, 2 more",
        ),
    ],
)
def test_connections_that_predate_a_moment_in_words(rows: list[tuple[Client, int, int]], words: str) -> None:
    assert predating_in_words(tally(*rows)) == words


@given(hosts=st.lists(st.integers(0, 3 * MAX_KEPT), max_size=4000))
def test_a_tally_is_bounded_and_counts_every_connection(hosts: list[int]) -> None:
    found, other = Tally(), Tally()
    for number, host in enumerate(hosts):
        (found if number % 2 else other).add(Connection(number, Client(str(host)), number), 1000.0)
    found.merge(other)
    assert len(found.clients) <= MAX_KEPT
    assert len(found.told()) <= MAX_TOLD
    total = found.total
    assert total.connections == len(hosts)
    assert total.predating == sum(number + 1 > 1000 for number in range(len(hosts)))
    assert total.oldest_age == max(len(hosts) - 1, 0)


# --- ACL LOG ----------------------------------------------------------------------------------------------------------


def entry(
    number: int | None, count: int, *, reason: bytes = b"auth", user: bytes = b"default", age: bytes = b"1.5"
) -> object:
    """An entry as Valkey has it in RESP2; without a number as Redis OSS before 7.2 has it."""
    told: list[object] = [b"count", count, b"reason", reason, b"context", b"toplevel", b"object", b"AUTH"]
    told += [b"username", user, b"age-seconds", age, b"client-info", LINE]
    return (
        told if number is None else [*told, b"entry-id", number, b"timestamp-created", 1, b"timestamp-last-updated", 2]
    )


def test_entries_that_tell_of_refused_authentications_are_kept_and_no_other() -> None:
    reply = [
        entry(7, 3),
        entry(8, 1, reason=b"key"),
        entry(9, 2, user=b"app\x1b[31m"),
        entry(None, 4),
        entry(10, 1, age=b"soon"),
        [b"count"],
        b"x",
        None,
    ]
    assert parse_acl_log(reply) == [
        RefusedEntry("#7", JEDIS, 3, 1.5),
        RefusedEntry("#9", JEDIS._replace(user="app [31m"), 2, 1.5),
        RefusedEntry("default 3", JEDIS, 4, 1.5),
    ]
    assert parse_acl_log(b"x") == []


def refused_at(number: int, client: Client, count: int, age: float = 0.0) -> RefusedEntry:
    return RefusedEntry(f"#{number}", client, count, age)


def test_what_came_since_the_look_before_is_counted_for_who_came_last() -> None:
    refused = Refused()
    refused.take("n1", [refused_at(1, JEDIS, 5, 30.0)], within=10)
    assert refused_in_words(refused) == ""  # it was there before
    refused.take("n1", [refused_at(1, REDIS_PY, 7), refused_at(2, JEDIS._replace(user="app"), 1)], within=60)
    first = [refused_at(1, JEDIS, 4, 20.0), refused_at(2, JEDIS, 9, 100.0), refused_at(3, Client("10.9.9.9"), 2, 1.0)]
    refused.take("n2", first, within=60, own="10.9.9.9")
    refused.take("n1", [refused_at(1, JEDIS, 9)], within=60)
    assert refused_in_words(refused) == (
        "Its nodes refused 10.0.3.17 (jedis 5.1.2) x3, 10.0.4.2 (redis-py 5.0.1) x2, 10.0.3.17 (jedis 5.1.2) as app x1."
    )
    assert [row["refused"] for row in refused.told()] == [3, 2, 1]
    assert refused.total == 6


def test_a_library_is_known_by_other_connections_of_the_address() -> None:
    refused = Refused()
    refused.take("n1", [], within=0)
    unnamed = [Client(host, "default") for host in ("10.0.3.17", "10.0.4.2", "10.0.9.9")]
    refused.take("n1", [refused_at(number, client, 1) for number, client in enumerate(unnamed)], within=0)
    refused.learn(tally((JEDIS, 2, 0), (REDIS_PY, 1, 0), (REDIS_PY._replace(library="redisson"), 1, 0)))
    assert refused_in_words(refused) == "Its nodes refused 10.0.3.17 (jedis 5.1.2) x1, 10.0.4.2 x1, 10.0.9.9 x1."


@given(looks=st.lists(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 9)), max_size=20), max_size=60))
def test_whom_nodes_refuse_is_bounded(looks: list[list[tuple[int, int]]]) -> None:
    refused = Refused()
    for look in looks:
        refused.take("n1", [refused_at(host, Client(str(host)), count) for host, count in look], within=0)
    assert len(refused.clients) <= MAX_KEPT
    assert refused.total >= 0


def test_nodes_that_told_nothing_are_said() -> None:
    assert unheard_in_words([], 2) == ""
    assert unheard_in_words([("s-001", "no connection within 5 s.")], 2) == (
        "1 of 2 nodes could not be asked (s-001: no connection within 5 s)"
    )
