# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What an audit says of the connections of a rotation that is half-way: in words, and as facts that are read again."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.elasticache.auth.plugins.module_utils._core.client_connections import MAX_TOLD
from ansible_collections.elasticache.auth.plugins.module_utils._core.half_way import HalfWay, read_half_way

CLIENT = {
    "address": "10.0.3.17",
    "user": "default",
    "library": "jedis",
    "library_version": "5.1.2",
    "predating": 6,
}
ALL = HalfWay(
    summary="6 connections from 1 address predate the new token",
    error="1 of 2 nodes could not be asked (sessions-002: timed out)",
    connections=9,
    predating=6,
    clients=(CLIENT,),
    nodes=2,
    nodes_answered=1,
)


@pytest.mark.parametrize(
    ("half_way", "text"),
    [
        (
            ALL,
            (
                "6 connections from 1 address predate the new token. Not all is known: 1 of 2 nodes could not be asked "
                "(sessions-002: timed out)."
            ),
        ),
        (HalfWay(summary="no connection predates the new token"), "No connection predates the new token."),
        (
            HalfWay(error="there is no secret"),
            "Which connections predate the new token is not known: there is no secret.",
        ),
        (HalfWay(), "Which connections predate the new token is not known: no node told."),
    ],
)
def test_in_words(half_way: HalfWay, text: str) -> None:
    assert half_way.text == text


@pytest.mark.parametrize("half_way", [ALL, HalfWay(), HalfWay(error="out of reach", nodes=2)])
def test_what_is_told_is_read_again(half_way: HalfWay) -> None:
    assert read_half_way(half_way.told()) == half_way


@pytest.mark.parametrize("given", [None, ""])
def test_nobody_has_asked(given: object) -> None:
    assert read_half_way(given) is None


def test_texts_of_others_come_in_one_line_and_cut_off() -> None:
    found = read_half_way(
        {"summary": "a\nb\x1b[31m", "clients": [{"address": "x" * 9000, "library": "<b>\r\n", "predating": 1}] * 90}
    )
    assert found is not None
    assert found.summary.isprintable()
    assert len(found.clients) == MAX_TOLD
    assert all(str(client["address"]).isprintable() and len(client["address"]) <= 1000 for client in found.clients)
    assert all(str(client["library"]).isprintable() for client in found.clients)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["a"], "client_connections: "),
        ({"clients": "abc"}, "client_connections.clients: "),
        ({"clients": ["abc"]}, "client_connections.clients: "),
        ({"predating": "6"}, "client_connections.predating: '6'"),
        ({"connections": True}, "client_connections.connections: True"),
        ({"nodes": -1}, "client_connections.nodes: -1"),
        ({"clients": [{"predating": 1.5}]}, "client_connections.clients[].predating: 1.5"),
    ],
)
def test_what_is_none_is_refused_by_its_name(given: Any, named: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        read_half_way(given)
    assert str(refused.value).startswith(named)
