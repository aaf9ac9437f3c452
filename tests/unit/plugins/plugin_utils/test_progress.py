# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The live line: its bar, how it is cut to a terminal's width, and which terminals can show it."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.elasticache.auth.plugins.plugin_utils._progress import (
    Glance,
    columns_of,
    drawn_bar,
    fit,
    live_line,
)

WORDS = ("95 s, about 40 s left", "366: its token is ROTATING", "slowest sessions, 12 s")
SOME = Glance("rotate", 1000, 634, WORDS)


@pytest.mark.parametrize(
    ("through", "groups", "drawn"),
    [
        (0, 10, "[..........]"),
        (5, 10, "[#####.....]"),
        (10, 10, "[##########]"),
        (1, 1000, "[..........]"),
        (999, 1000, "[#########.]"),
        (1000, 1000, "[##########]"),
        (0, 0, "[..........]"),
        (3, 0, "[..........]"),
        (-1, 10, "[..........]"),
        (11, 10, "[##########]"),
    ],
)
def test_bar(through: int, groups: int, drawn: str) -> None:
    assert drawn_bar(through, groups, 10) == drawn


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (
            200,
            (
                "rotate 634/1000 [###################...........] "
                "95 s, about 40 s left; 366: its token is ROTATING; slowest sessions, 12 s"
            ),
        ),
        (80, "rotate 634/1000 [##########......] 95 s, about 40 s left; 366: its token is ..."),
        (40, "rotate 634/1000 [#####...] 95 s, abo..."),
        (39, "rotate 634/1000 95 s, about 40 s le..."),
        (12, "rotate 6..."),
        (4, "rot"),
        (1, ""),
    ],
)
def test_a_line_for_a_terminal(columns: int, line: str) -> None:
    """The bar grows with the terminal, up to a point, and makes room where it is narrow; the last column stays free."""
    assert live_line(SOME, columns) == line


@pytest.mark.parametrize(
    ("groups", "line"), [(2, "stage, 2 groups; 3 s; 1 failed so far"), (1, "stage, 1 group; 3 s; 1 failed so far")]
)
def test_no_bar_where_nobody_knows(groups: int, line: str) -> None:
    assert live_line(Glance("stage", groups, None, ("3 s", "1 failed so far")), 80) == line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb", "a?[2Jb"),
        ("a\rb\nc\td\x00\x7f\x9b", "a?b?c?d???"),
        ("größe", "gr??e"),
        ("組", "?"),
        ("e\u0301", "e?"),
    ],
)
def test_what_would_move_the_cursor(text: str, shown: str) -> None:
    assert fit(text, 80) == shown


@given(
    st.builds(Glance, st.text(), st.integers(), st.none() | st.integers(), st.lists(st.text()).map(tuple)),
    st.integers(min_value=1, max_value=300),
)
def test_it_always_fits(glance: Glance, columns: int) -> None:
    line = live_line(glance, columns)
    assert len(line) < columns
    assert line.isascii()
    assert line.isprintable()


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    ours, theirs = pty.openpty()
    with open(theirs, "w", encoding="utf-8") as file:
        yield file
    os.close(ours)


def set_columns(terminal: TextIO, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))


@pytest.mark.parametrize(
    ("environment", "columns"),
    [
        ({"TERM": "xterm"}, 123),
        ({"TERM": "xterm", "COLUMNS": "20", "CI": ""}, 123),
        ({"TERM": "xterm", "CI": "false"}, 123),
        ({"TERM": "xterm", "CI": "true"}, 0),
        ({"TERM": "xterm", "CI": "1"}, 0),
        ({"TERM": "xterm", "AWX_ISOLATED_DATA_DIR": "/runner/artifacts/1"}, 0),
        ({"TERM": "dumb"}, 0),
        ({"TERM": "unknown"}, 0),
        ({"TERM": ""}, 0),
        ({}, 0),
    ],
)
def test_which_terminals(terminal: TextIO, environment: Mapping[str, str], columns: int) -> None:
    set_columns(terminal, 123)
    assert columns_of(terminal, environment) == columns


def test_a_terminal_that_does_not_know_its_width(terminal: TextIO) -> None:
    set_columns(terminal, 0)
    assert columns_of(terminal, {"TERM": "xterm"}) == 80


def test_what_is_no_terminal(tmp_path: Path) -> None:
    """A file, none at all (as in Ansible's workers), a closed one."""
    with (tmp_path / "out").open("w", encoding="utf-8") as file:
        assert columns_of(file, {"TERM": "xterm"}) == 0
    assert columns_of(file, {"TERM": "xterm"}) == 0
    assert columns_of(io.StringIO(), {"TERM": "xterm"}) == 0
