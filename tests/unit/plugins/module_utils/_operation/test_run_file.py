# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The run file: what is in it wave by wave, that it is written whole, and what is no run file."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.elasticache.auth.plugins.module_utils._operation.report import report_of, unended
from ansible_collections.elasticache.auth.plugins.module_utils._operation.run_file import (
    PLACE,
    RunFile,
    reports_of_wave,
    write_whole,
)


def begun(path: str = "", waiting: tuple[str, ...] = ("three",)) -> RunFile:
    return RunFile.begun(path, "rotate_token", "run-1", ["one", "two"], waiting)


def report(key: str = "one", **members: Any) -> dict[str, Any]:
    told = {"changed": False, "failed": False, "initial_state": "open", "current_state": "open"}
    return {**told, "msg": f"{key}: said.", "line": f"{key}: said.", **members}


def put(run: RunFile, *keys: str, region: str | None = None, role: str | None = None, **members: Any) -> None:
    for key in keys:
        run.put(key, region, role, report(key, **members))


def ids(run: RunFile) -> list[str]:
    return [group["replication_group_id"] for group in run.groups]


@pytest.mark.parametrize(
    ("members", "outcome"),
    [
        ({"failed": True, "changed": True}, "failed"),
        ({"failed": True}, "failed"),
        ({"changed": True}, "changed"),
        ({}, "unchanged"),
        ({"unended": True, "changed": True}, "under way"),
    ],
)
def test_outcome(members: dict[str, Any], outcome: str) -> None:
    run = begun()
    put(run, "one", **members)
    assert [group["outcome"] for group in run.groups] == [outcome]


def test_an_entry_begins_with_which_group_it_is_of() -> None:
    run = begun()
    put(run, "one", region="", role="arn:x", line="a line", more={"kept": [1]})
    (group,) = run.groups
    assert list(group)[:5] == [*PLACE, "wave", "outcome"]
    assert (group["region"], group["assume_role_arn"], group["wave"]) == (None, "arn:x", 1)
    assert (group["line"], group["more"]) == ("a line", {"kept": [1]})


# --- Waves


def test_waves_add_up() -> None:
    first = begun()
    put(first, "one", "two")
    second = first.next_wave(["three"], [])
    put(second, "three")
    assert ids(second) == ["one", "two", "three"]
    assert [group["wave"] for group in second.groups] == [1, 1, 2]
    assert (second.began_at, second.run, second.wave) == (first.began_at, "run-1", 2)
    assert (second.hosts, second.waiting) == (["three"], [])
    assert [key for key, dummy, dummy in second.of_wave()] == ["three"]


def test_a_group_reported_again_replaces_what_was_reported_of_it() -> None:
    """It is the last one then: in the end the groups are in the order in which the module has them."""
    run = begun()
    put(run, "one", "two", "three")
    put(run, "two", changed=True)
    assert ids(run) == ["one", "three", "two"]
    assert [group["outcome"] for group in run.groups] == ["unchanged", "unchanged", "changed"]
    # In a later wave, too: it is one group.
    later = run.next_wave(["four"], [])
    put(later, "one", failed=True)
    assert (ids(later), list(later.of_wave())) == (["three", "two", "one"], [("one", None, None)])


def test_the_same_id_in_two_regions_is_two_groups() -> None:
    run = begun()
    put(run, "one", region="eu-west-1")
    put(run, "one", region="us-east-1")
    put(run, "one", region="us-east-1", role="arn:x")
    put(run, "one")
    assert [group["region"] for group in run.groups] == ["eu-west-1", "us-east-1", "us-east-1", None]
    assert list(run.of_wave())[1:3] == [("one", "us-east-1", None), ("one", "us-east-1", "arn:x")]


def test_another_use_of_the_role_in_the_same_wave() -> None:
    first = begun()
    put(first, "one", "two")
    wave = first.next_wave(["three"], [])
    put(wave, "three", changed=True)
    again = wave.same_wave(["three"], [])
    assert (ids(again), again.wave, again.began_at) == (["one", "two"], 2, first.began_at)
    assert again.of_wave() == {}
    assert first.same_wave(["one"], ["three"]).groups == []


# --- One group, over several calls


def test_what_becomes_of_a_group_is_reported_anew() -> None:
    """The report that a later call goes on from is one of the file, with the outcome of the call before it."""
    run = begun()
    call = {
        "completed_steps": ["rotate"],
        "cutover_stage": "client_cutover",
        "changed": True,
        "failed": False,
        "msg": "one: rotated.",
    }
    run.put("one", None, None, report_of("one", call, "rotate_token"))
    before = run.of_wave()["one", None, None]
    assert before["outcome"] == "changed"

    run.put("one", None, None, unended("one", {"step": "set", "ended": False, "failed": False}, before))
    assert run.groups[0]["outcome"] == "under way"
    call = {"changed": False, "failed": True, "msg": "one: SET is refused."}
    run.put("one", None, None, report_of("one", call, "rotate_token", before))
    (group,) = run.groups
    assert (group["outcome"], group["changed"], group["failed"]) == ("failed", True, True)
    assert "unended" not in group
    assert list(group)[:5] == [*PLACE, "wave", "outcome"]


# --- Written whole or not at all, for its owner


def test_the_file_is_its_owners_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "result.json"
    path.write_text("before")
    path.chmod(0o644)
    with pytest.raises(UnicodeEncodeError):
        write_whole(str(path), "half of it \udcff")
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["result.json"]
    write_whole(str(path), begun().text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    monkeypatch.chdir(tmp_path)
    write_whole("bare.json", "{}")
    assert sorted(os.listdir(tmp_path)) == ["bare.json", "result.json"]


@pytest.mark.parametrize("path", ["nowhere/result.json", "folder"])
def test_a_file_that_cannot_be_written(tmp_path: Path, path: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=path.partition("/")[0]):
        write_whole(str(tmp_path / path), "{}")
    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(tmp_path / "folder") == []


def test_what_holds_a_large_run(tmp_path: Path) -> None:
    """A line for each group, so that whoever looks at it with a pager or grep finds one."""
    path, run = tmp_path / "result.json", begun()
    put(run, *(f"g{number}" for number in range(1000)), line="x" * 2000)
    write_whole(str(path), run.text())
    text = path.read_text("utf-8")
    assert len([line for line in text.splitlines() if '"replication_group_id"' in line]) == 1000
    assert json.loads(text)["schema"] == 1
    assert RunFile.read(str(path)).groups == run.groups


# --- Read back


def test_what_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    run = begun()
    put(run, "one", region="eu-west-1")
    put(run, "two", failed=True)
    write_whole(str(path), run.text())
    found = RunFile.read(str(path))
    assert found.path == str(path)
    found.path = run.path
    assert (found.hosts, found.waiting) == (["one", "two"], ["three"])
    found.hosts, found.waiting = run.hosts, run.waiting
    assert found == run
    assert list(json.loads(path.read_text())) == [
        "schema",
        "operation",
        "run",
        "began_at",
        "written_at",
        "wave",
        "hosts",
        "waiting",
        "groups",
    ]


def test_a_run_without_groups(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_whole(str(path), begun().text())
    assert RunFile.read(str(path)).groups == []


#: What AWS, a node or whoever may tag a group may have written.
_TEXTS = st.text() | st.sampled_from(
    [
        "{{ lookup('pipe', 'id') }}",
        "{% raw %}",
        "#jinja2: variable_start_string:'[['",
        "\x1b[2J",
        "a\nb\r\u2028c",
        '"]}',
    ]
)


@given(texts=st.lists(_TEXTS, min_size=2, max_size=2), names=st.lists(_TEXTS, max_size=3))
def test_any_text_is_read_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], names: list[str]
) -> None:
    path = tmp_path_factory.mktemp("run") / "result.json"
    run = RunFile.begun("", "rotate_token", texts[0], names, names)
    put(run, "one", msg=texts[0], line=texts[1], users=names)
    write_whole(str(path), run.text())
    found = RunFile.read(str(path))
    assert (found.groups, found.run, found.hosts, found.waiting) == (run.groups, texts[0], names, names)
    assert path.read_bytes().isascii()


def _without(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda content: {key: value for key, value in content.items() if key != name}


def _of_group(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda content: {**content, "groups": [_without(name)(group) for group in content["groups"]]}


@pytest.mark.parametrize(
    "spoilt",
    [
        _without("run"),  # as a release before it had it
        _without("hosts"),
        _without("groups"),
        lambda content: {**content, "groups": 5},
        lambda content: {**content, "groups": ["one"]},
        lambda content: {**content, "groups": [{**content["groups"][0], "region": ["eu-west-1"]}]},
        lambda content: {**content, "wave": "first"},
        lambda content: {**content, "hosts": None},
        lambda content: [content],
        lambda content: None,
        *map(_of_group, ("replication_group_id", "region", "wave", "outcome", "line", "failed")),
    ],
)
def test_what_is_no_run_file(tmp_path: Path, spoilt: Callable[[dict[str, Any]], Any]) -> None:
    path, run = tmp_path / "result.json", begun()
    put(run, "one")
    path.write_text(json.dumps(spoilt(json.loads(run.text()))))
    with pytest.raises(ValueError, match=r"it is no run file|invalid literal"):
        RunFile.read(str(path))


@pytest.mark.parametrize("content", [b"", b"- a: list\n", b"\xff\xfe\x00", b'{"groups": [', b"[" * 50])
def test_what_is_no_json(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"."):
        RunFile.read(str(path))


@pytest.mark.parametrize("path", ["none", "."])
def test_what_is_no_file(tmp_path: Path, path: str) -> None:
    with pytest.raises(OSError, match=r"."):
        RunFile.read(str(tmp_path / path))


# --- What one host reads of it


def two_waves(path: Path) -> RunFile:
    """A file whose second wave has ``one`` in two regions, and in which ``two`` was in the first."""
    run = begun()
    put(run, "two")
    wave = run.next_wave(["one"], [])
    put(wave, "one", region="eu-west-1", line='\n {"replication_group_id": "three", ')
    put(wave, "one", region="us-east-1")
    put(wave, "three", msg='"groups": [')
    write_whole(str(path), wave.text())
    return wave


@pytest.mark.parametrize("key", ["one", "two", "three", "on", 'one", "region": "eu-west-1', ""])
@pytest.mark.parametrize("layout", [str, lambda text: json.dumps(json.loads(text), indent=2)])
def test_the_reports_of_a_host_are_those_of_the_whole_file(
    tmp_path: Path, key: str, layout: Callable[[str], str]
) -> None:
    path = tmp_path / "result.json"
    whole = list(two_waves(path).of_wave().values())
    path.write_text(layout(path.read_text()))
    of_it = [report for report in whole if report["replication_group_id"] == key]
    assert reports_of_wave(str(path), key) == (of_it or whole)


def test_a_host_parses_the_lines_of_its_own_group_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand hosts read the file of a thousand groups."""
    path, run = tmp_path / "result.json", begun()
    put(run, *(f"g{number}" for number in range(1000)))
    write_whole(str(path), run.text())
    parsed, parse = list[int](), json.loads

    def counted(text: bytes) -> Any:
        parsed.append(len(text))
        return parse(text)

    monkeypatch.setattr(json, "loads", counted)
    monkeypatch.setattr(RunFile, "read", None)
    (found,) = reports_of_wave(str(path), "g77")
    assert found["replication_group_id"] == "g77"
    assert sum(parsed) < 1000


@pytest.mark.parametrize("name", ["wave", "outcome", "line", "failed", "region"])
def test_a_line_that_lacks_something_is_no_run_file(tmp_path: Path, name: str) -> None:
    path, run = tmp_path / "result.json", begun()
    put(run, "one")
    whole = json.loads(run.text())
    lines = run.text().splitlines()
    lines[-3] = " " + json.dumps(_without(name)(whole["groups"][0]))
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match="it is no run file"):
        reports_of_wave(str(path), "one")


# --- In words


def test_the_summary() -> None:
    run = begun()
    put(run, "one", "two", changed=True, current_state="required (a)")
    put(run, "three", failed=True, current_state="", initial_state="required (a)")
    put(run, "four", failed=True, current_state=None, initial_state="")
    assert run.summary() == (
        "rotate_token, wave 1: 2 changed, 2 failed. In all: 2 changed, 2 failed, 1 host is waiting. Current states: "
        "3 required (a), 1 unknown (not looked at)."
    )
    assert ", 2 hosts are waiting. " in begun(waiting=("three", "four")).summary()
    last = run.next_wave(["five"], [])
    put(last, "five", unended=True)
    assert last.summary() == (
        "rotate_token, wave 2: 1 under way. In all: 2 changed, 2 failed, 1 under way. Current states: "
        "3 required (a), 1 unknown (not looked at), 1 open."
    )


def test_the_summary_of_nothing() -> None:
    assert (
        begun(waiting=()).summary() == "rotate_token, wave 1: no groups. In all: no groups. Current states: no groups."
    )
