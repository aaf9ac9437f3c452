# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The facts asked of the emulator: it answers as its variants say; and nothing is left of a run, wherever it ended.

Where a run on AWS is tested the emulator plays AWS, by ``AWS_ENDPOINT_URL``.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import TESTS
from waiting import wait_until

from conformance import made
from conformance.__main__ import main
from conformance.answers import Verdict
from conformance.clock import Clock
from conformance.emulated import chosen, emulated_run, variant_sets
from conformance.made import ExistsError, Kind, Leftover, Made, NotMadeError, Resource
from conformance.report import Report
from conformance.rows import ROWS, Refused
from conformance.run import WANTED, Run

if TYPE_CHECKING:
    from conftest import Emulator

RUN = "0a1b2c3d"
PATIENCE = 60.0
SETS = list(variant_sets())
#: Of the emulator these are not asked, whatever its data plane.
NEVER = {row.name for row in ROWS.values() if row.never or row.not_emulated}


def nothing_left(emulator: Emulator) -> bool:
    """Whether there is no resource of any kind but AWS's own user."""
    elasticache, secrets = emulator.client("elasticache"), emulator.client("secretsmanager")
    users = [user["UserId"] for user in elasticache.describe_users()["Users"]]
    groups, clusters = emulator.groups(), elasticache.describe_cache_clusters()["CacheClusters"]
    others = elasticache.describe_user_groups()["UserGroups"], secrets.list_secrets()["SecretList"]
    return users == ["default"] and not groups and not clusters and not any(others)


def report_of(emulator: Emulator, run: Run) -> Report:
    """Beside the variants in force."""
    return Report("emulator", emulator.region, run.scene.made.run, "2026-11-27", chosen(emulator), run.scene.answers)


def run_on(emulator: Emulator, data_plane: str) -> Report:
    """Ask everything; returns what was answered."""
    run = emulated_run(emulator, data_plane)
    run.go(PATIENCE, lambda line: None)
    assert run.broken == []
    assert run.left == []
    return report_of(emulator, run)


# --- The answers are the variants -----------------------------------------------------------------------------------


@pytest.mark.emulator(modify_seconds=0.0, create_seconds=0.0)
@pytest.mark.parametrize("variants", SETS, ids=range(len(SETS)))
def test_the_answers_are_exactly_the_variants(emulator: Emulator, variants: Mapping[str, str]) -> None:
    """Each value of each variant, in three runs; everything else is as the facts have it."""
    emulator.variants(variants)
    report = run_on(emulator, "light")
    verdicts = {name: report.verdict(name) for name in ROWS}
    not_asked = {name for name, verdict in verdicts.items() if verdict is Verdict.NOT_ASKED}
    assert not_asked == NEVER
    assert {name: report.answers.seen[name] for name in report.differing()} == {}
    assert {name: report.answers.seen[name].value for name in variants} == variants
    assert nothing_left(emulator)
    creations = [call for call in emulator.calls(mutating="true") if call["action"].startswith("Create")]
    assert len([call for call in creations if call["code"]]) == 10
    assert len([call for call in creations if not call["code"]]) == sum(map(len, WANTED.values()))


@pytest.mark.emulator(data_plane="valkey", modify_seconds=0.0)
def test_an_engine_has_the_commands_that_tell_clients_apart(emulator: Emulator) -> None:
    """All rows of the nodes, of real engines."""
    report = run_on(emulator, "valkey")
    assert report.differing() == []
    assert report.verdict("connection-commands") is Verdict.EXPECTED
    assert {name for name in ROWS if report.verdict(name) is Verdict.NOT_ASKED} == NEVER


@pytest.mark.emulator(data_plane="none", modify_seconds=0.0, variants={"set-on-required": "slot-lost"})
def test_without_nodes_the_rows_that_take_them_say_so(emulator: Emulator) -> None:
    """And what the API alone shows of the others is told."""
    report = run_on(emulator, "none")
    assert report.differing() == []
    assert report.answers.seen["open-auth"].why == "the data plane none has no nodes"
    assert report.answers.seen["set-on-required"].may_be == ("no-op", "slot-lost")
    assert report.verdict("set-on-required") is Verdict.PART
    assert report.verdict("status-rotating") is Verdict.EXPECTED
    in_keeping = [name for name in ROWS if isinstance(ROWS[name].expected, Refused)]
    assert {report.verdict(name) for name in in_keeping} == {Verdict.EXPECTED}


# --- Nothing is left, and nobody else's is touched ------------------------------------------------------------------


class _StopsAt(Clock):
    """Is stopped at a look at it, as by an interrupt."""

    def __init__(self, number: int) -> None:
        super().__init__(300, 0.01)
        self.looks, self.number = 0, number

    def check(self) -> None:
        self.looks += 1
        if self.looks == self.number:
            self.stop()
        super().check()


@pytest.mark.emulator(data_plane="none", modify_seconds=0.0, create_seconds=0.0)
@pytest.mark.parametrize("number", [1, 4, 9, 20, 40, 80, 160])
def test_a_run_that_stops_anywhere_leaves_nothing(emulator: Emulator, number: int) -> None:
    """In the middle of anything that it makes or changes."""
    run = emulated_run(emulator, "none")
    run.scene.endpoint.clock = _StopsAt(number)
    run.go(PATIENCE, lambda line: None)
    assert run.left == []
    assert run.broken == []
    assert nothing_left(emulator)
    seen = run.scene.answers.seen
    assert "the run was interrupted before" in seen["rbac-to-open"].why
    assert seen.keys() == ROWS.keys()


def made_on(emulator: Emulator, run: str = RUN) -> Made:
    """A run's resources, by themselves."""
    endpoint = emulated_run(emulator, "none").scene.endpoint
    return Made(endpoint, run, datetime.now(UTC) + timedelta(hours=1), lambda line: None)


@pytest.mark.emulator(data_plane="none")
@pytest.mark.parametrize("kind", [Kind.GROUP, Kind.USER, Kind.SECRET], ids=str)
def test_a_run_is_refused_where_its_ids_exist(emulator: Emulator, kind: Kind) -> None:
    """Before anything is made, whoever's it is."""
    name = f"{made.PREFIX}-{RUN}-{WANTED[kind][-1]}"
    _make_others(emulator, kind, name)
    calls = len(emulator.calls(mutating="true"))
    run = emulated_run(emulator, "none")
    run.scene.made.run = RUN
    with pytest.raises(ExistsError, match=f"there is a {kind.value} {name} already, nothing was made"):
        run.go(PATIENCE, lambda line: None)
    assert len(emulator.calls(mutating="true")) == calls


def _make_others(emulator: Emulator, kind: Kind, name: str, tags: Mapping[str, str] | None = None) -> None:
    """Something that is somebody else's."""
    client = emulator.client("elasticache")
    given: list[dict[str, str]] = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
    if kind is Kind.GROUP:
        client.create_replication_group(ReplicationGroupId=name, ReplicationGroupDescription="theirs", Tags=given)
        emulator.wait_available(name)
    elif kind is Kind.USER:
        access: Any = {"AccessString": "off ~* -@all", "Engine": "redis", "NoPasswordRequired": True}
        client.create_user(UserId=name, UserName="theirs", Tags=given, **access)
    else:
        emulator.client("secretsmanager").create_secret(Name=name, SecretString="theirs", Tags=given)


@pytest.mark.emulator(data_plane="none", modify_seconds=0.0)
def test_what_has_lost_its_tag_is_changed_no_more_and_left_alone(emulator: Emulator) -> None:
    """As if somebody had taken it over; the run's id alone is not enough. Neither is the tag."""
    ours, client = made_on(emulator), emulator.client("elasticache")
    ours.make(Kind.GROUP, "access", "create_replication_group", ReplicationGroupDescription="ours")
    emulator.wait_available(f"{made.PREFIX}-{RUN}-access")
    shown = ours.shown(Kind.GROUP, "access")
    assert shown is not None
    client.remove_tags_from_resource(ResourceName=shown["ARN"], TagKeys=[made.TAG])
    before = len(emulator.calls(mutating="true"))
    with pytest.raises(NotMadeError, match=f"has no tag {made.TAG}={RUN}"):
        ours.change(Kind.GROUP, "access", "modify_replication_group", ApplyImmediately=True)
    with pytest.raises(NotMadeError, match="has no tag"):
        ours.remove(Kind.GROUP, "access")
    with pytest.raises(NotMadeError, match=f"has no id of the run {RUN}"):
        made.verify(ours._endpoint, Resource(Kind.GROUP, "sessions"), RUN)
    assert ours.tear_down(PATIENCE) == []
    assert len(emulator.calls(mutating="true")) == before
    assert emulator.group(shown["ReplicationGroupId"])["status"] == "available"


@pytest.mark.emulator(data_plane="none")
def test_what_can_not_be_told_yet_is_not_removed_and_not_forgotten(emulator: Emulator) -> None:
    """A group that is being made, and whose tags nobody shows yet."""
    name = f"{made.PREFIX}-{RUN}-access"
    endpoint = emulated_run(emulator, "none").scene.endpoint
    emulator.hold(name)
    emulator.client("elasticache").create_replication_group(ReplicationGroupId=name, ReplicationGroupDescription="?")
    assert made.leftovers(endpoint) == [Leftover(Resource(Kind.GROUP, name), "")]
    emulator.release()
    emulator.wait_available(name)
    assert made.leftovers(endpoint) == []


# --- As on AWS ------------------------------------------------------------------------------------------------------


class _Program:
    """``make conformance`` as a process, with what it has written so far."""

    def __init__(self, emulator: Emulator, folder: Path, *arguments: str) -> None:
        self._output = folder / "output"
        self.report = folder / "report.json"
        line = [sys.executable, "-m", "conformance", "--target", "aws", "--region", emulator.region]
        line += ["--json", str(self.report), "--poll-seconds", "0.1", *arguments]
        with self._output.open("w") as output:
            environment = {**emulator.environment, "PYTHONPATH": str(TESTS), "PYTHONUNBUFFERED": "1"}
            self.process = subprocess.Popen(
                line, cwd=TESTS, env=environment, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )

    @property
    def output(self) -> str:
        """All of it."""
        return self._output.read_text("utf-8")

    def wait(self) -> int:
        """Its exit status."""
        return self.process.wait(120)

    @property
    def run(self) -> str:
        """The run's id, out of the announcement."""
        return self.output.split(f"Ids begin with {made.PREFIX}-", 1)[1][:8]


@pytest.fixture
def program(emulator: Emulator, tmp_path: Path) -> Iterator[Any]:
    """A function that starts the program; what is still running in the end is killed."""
    started: list[_Program] = []

    def start(*arguments: str) -> _Program:
        started.append(_Program(emulator, tmp_path, *arguments))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


Here = Callable[..., tuple[int, str]]


@pytest.fixture
def here(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """A function that runs the command line in this process; returns its exit status and what it has said."""
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[int, str]:
        line = ["--target", "aws", "--region", emulator.region, "--poll-seconds", "0.1", *arguments]
        return main(line), capsys.readouterr().out

    return run


@pytest.mark.emulator(data_plane="none")
def test_without_yes_nothing_is_made(emulator: Emulator, here: Here) -> None:
    """It says what it would make, for how long and at which price."""
    status, output = here()
    assert status == 2
    for part in ("2 replication groups of one node", "at most 60 minutes", "USD at most", "account 123456789012"):
        assert part in output
    assert "Nothing was made. Repeat it with --yes" in output
    assert emulator.calls(mutating="true") == []


@pytest.mark.emulator(modify_seconds=0.2)
def test_as_on_aws(emulator: Emulator, program: Any) -> None:
    """The whole of it: questions are settled, lines to change are told, everything is removed."""
    asked = program("--yes")
    status = asked.wait()
    assert nothing_left(emulator)
    written = json.loads(asked.report.read_text("utf-8"))
    rows = {row["row"]: row for row in written["rows"]}
    assert rows["rotate-live-token"]["verdict"] == "as expected"
    assert rows["rotate-live-token"]["message"]
    # The emulator's host names don't change: as on AWS, it is told.
    differing = {name for name, row in rows.items() if row["verdict"] == "differs"}
    assert differing == {"endpoint-name"}
    assert status == 1
    assert any("? becomes O (conformance" in line for line in written["changes"])
    assert written["left_behind"] == []
    assert "Everything that was made is removed." in asked.output


@pytest.mark.emulator(data_plane="none", modify_seconds=0.1)
@pytest.mark.parametrize(
    ("action", "nth", "when"),
    [
        ("CreateReplicationGroup", 1, "before"),
        ("ModifyReplicationGroup", 4, "after"),
        ("DeleteUserGroup", 1, "before"),  # while everything is being removed
    ],
)
def test_sigterm_leaves_nothing(emulator: Emulator, program: Any, action: str, nth: int, when: str) -> None:
    """In the middle of a call; a second one disturbs nothing. No token is in the output or in a tag."""
    emulator.faults({"kind": "pause", "action": action, "nth": nth, "when": when})
    asked = program("--yes")
    emulator.wait_struck()
    tokens = {slot for group in emulator.groups() for moment in group["history"] for slot in moment["slots"] if slot}
    asked.process.send_signal(signal.SIGTERM)
    if action != "DeleteUserGroup":
        wait_until(lambda: "Interrupted." in asked.output, "the interrupt is told")
    asked.process.send_signal(signal.SIGTERM)
    emulator.clear_faults()
    assert asked.wait() == 130
    assert nothing_left(emulator)
    written = asked.report.read_text("utf-8")
    assert not [token for token in tokens if token in asked.output or token in written]
    assert "Everything that was made is removed." in asked.output


@pytest.mark.emulator(data_plane="none", modify_seconds=0.1)
def test_a_terminal_that_is_closed_leaves_nothing(emulator: Emulator, tmp_path: Path) -> None:
    """SIGHUP, and nobody reads what is said of the removal."""
    emulator.faults({"kind": "pause", "action": "ModifyReplicationGroup", "when": "after"})
    line = [sys.executable, "-m", "conformance", "--target", "aws", "--region", emulator.region, "--yes"]
    with subprocess.Popen(
        [*line, "--json", str(tmp_path / "report.json"), "--poll-seconds", "0.05"],
        cwd=TESTS,
        env=emulator.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        emulator.wait_struck()
        assert process.stdout is not None
        process.stdout.close()
        process.send_signal(signal.SIGHUP)
        emulator.clear_faults()
        assert process.wait(120) == 130
    assert nothing_left(emulator)


@pytest.mark.emulator(data_plane="none", modify_seconds=0.1)
def test_sigkill_and_clean(emulator: Emulator, program: Any, here: Here) -> None:
    """By id and tag, just what the run has left: neither what has only one of them nor what is another run's."""
    others = {
        "sessions": {made.TAG: RUN},  # the tag alone
        f"{made.PREFIX}-{RUN}-access": {"team": "theirs"},  # the id alone
        f"{made.PREFIX}-{RUN}-other": {made.TAG: RUN, made.UNTIL_TAG: "2999-01-01T00:00:00Z"},  # a run that lasts
    }
    for name, tags in others.items():
        for kind in (Kind.GROUP, Kind.USER, Kind.SECRET):
            _make_others(emulator, kind, name, tags)
    emulator.faults({"kind": "pause", "action": "ModifyReplicationGroup", "nth": 6, "when": "after"})
    killed = program("--yes")
    emulator.wait_struck()
    killed.process.kill()
    killed.wait()
    run = killed.run
    emulator.clear_faults()
    status, output = here("--clean")
    assert status == 0
    assert f"{made.PREFIX}-{run}-access is left alone: its run may last until" in output
    status, output = here("--clean", "--run", run)
    assert status == 2
    assert "Nothing was removed. Repeat it with --yes" in output
    status, output = here("--clean", "--run", run, "--yes")
    assert status == 0
    assert f"deleting replication group {made.PREFIX}-{run}-access" in output
    assert {group["id"] for group in emulator.groups()} == set(others)
    users = emulator.client("elasticache").describe_users()["Users"]
    assert {user["UserId"] for user in users} == {"default", *others}
    assert {secret["Name"] for secret in emulator.client("secretsmanager").list_secrets()["SecretList"]} == set(others)
