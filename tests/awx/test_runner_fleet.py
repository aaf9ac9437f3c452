# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The pattern rotate_fleet's jobs under ansible-runner, as AWX runs them: in phases, sliced, rehearsed; what they keep.

The playbook is the pattern's own, run from a copy of the project; the variables are those of its job templates.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from awx.awx_jobs import AUDIT, PATTERNS, ROTATE, Job, host_variables, launch, script_data, sliced
from integration.meanwhile import Once, meanwhile
from integration.role_scenes import age, labelled, put_token
from integration.scenes import A, create, slots

from chaos.command import REPOSITORY, ansible_environment
from chaos.judge import tokens_of
from chaos.leaks import Search, tags_of

if TYPE_CHECKING:
    from conftest import Emulator

HOSTS = "elasticache_with_token"
OLD = 100
BEGIN = {"rotate_token_phase": "begin", "rotate_token_hosts": HOSTS, "rotate_token_max_token_age_days": 80}
FINISH = {**BEGIN, "rotate_token_phase": "finish"}
FAILED = ("runner_on_failed", "runner_on_unreachable", "runner_item_on_failed")

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.3)


def fleet(emulator: Emulator, *groups: str, without_secret: Sequence[str] = ()) -> None:
    """Groups whose token is due, each with its secret."""
    for group in groups:
        create(emulator, group, wait=False, AuthToken=A)
    for group in groups:
        emulator.wait_available(group)
        age(emulator, OLD, group)
        if group not in without_secret:
            put_token(emulator, A, group=group)


def inventory(emulator: Emulator, groups: Sequence[str]) -> dict[str, Any]:
    """The inventory of a job on these groups, each a host whose name is not the group's id."""
    hosts = {f"{group}.{emulator.region}": host_variables(group, emulator.region) for group in groups}
    return script_data(hosts, {HOSTS: sorted(hosts)})


def variables(emulator: Emulator, phase: dict[str, Any], **survey: Any) -> dict[str, Any]:
    """The variables of a phase's job, with waits as short as the emulator's changes."""
    quick = {"rotate_token_wait_delay": 0.1, "rotate_token_data_plane_ca_path": emulator.ca_bundle}
    answers = {"rotate_fleet_waves": "100%", "rotate_token_max_fail_percentage": 100, "rotate_token_force": "false"}
    return {**phase, **quick, **answers, **survey}


def ended(one: Job) -> Job:
    """A job, once it has ended."""
    try:
        assert one.wait() is not None, one.output[-3000:]
    finally:
        one.command.kill()
    return one


def job(
    emulator: Emulator, folder: Path, number: int, groups: Sequence[str], phase: dict[str, Any], **more: Any
) -> Job:
    """A job on these groups that has ended."""
    check = more.pop("check", False)
    hosts, given = inventory(emulator, groups), variables(emulator, phase, **more)
    return ended(launch(emulator, folder / str(number), number, ROTATE, hosts, given, check=check))


def failed_hosts(one: Job) -> set[str]:
    """The hosts that a task has failed on, by the events."""
    return {event.host for event in one.events() if event.name in FAILED}


def fared(one: Job) -> dict[str, str]:
    """All that tasks say of each host, by the events."""
    said: dict[str, str] = {}
    for event in one.events():
        if event.host and event.result.get("msg"):
            said[event.host] = f"{said.get(event.host, '')}{event.result['msg']}\n"
    return said


def mutating(emulator: Emulator, since: int) -> list[str]:
    """The calls that change something, from the given one on."""
    return [f"{call['action']} {call['id']}" for call in emulator.calls()[since:] if call["mutating"]]


def no_token(emulator: Emulator, folder: Path) -> Search:
    """Search all that jobs have left below a folder for every token that ever was."""
    groups = emulator.groups()
    tokens = {token for truth in groups for token in tokens_of(truth["history"])}
    for truth in groups:
        tokens |= {token for token in labelled(emulator, truth["id"]).values() if token}
    assert tokens
    search = Search(tokens)
    assert search.folder(folder) > 20
    search.text("the tags", tags_of(groups))
    assert [str(leak) for leak in search.leaks] == []
    return search


def test_begin_then_finish(emulator: Emulator, tmp_path: Path) -> None:
    """Two jobs with time between them, each of which says of each host how it fared; and again: nothing is changed."""
    groups = ("carts", "orders", "sessions")
    fleet(emulator, *groups)
    hosts = {f"{group}.{emulator.region}" for group in groups}

    begun = job(emulator, tmp_path, 1, groups, BEGIN)
    assert begun.status == "successful", begun.output[-3000:]
    for group in groups:
        new = labelled(emulator, group)["AWSCURRENT"]
        assert new != A
        assert slots(emulator, group) == [A, new]
    assert failed_hosts(begun) == set()
    assert begun.stats("changed").keys() >= {next(iter(sorted(hosts)))}
    assert set(begun.stats("ok")) == hosts
    assert set(fared(begun)) == hosts, begun.output[-3000:]

    since = len(emulator.calls())
    again = job(emulator, tmp_path, 2, groups, BEGIN)
    assert again.status == "successful", again.output[-3000:]
    assert again.stats("changed") == {}
    assert mutating(emulator, since) == []

    finished = job(emulator, tmp_path, 3, groups, FINISH)
    assert finished.status == "successful", finished.output[-3000:]
    assert all(slots(emulator, group) == [labelled(emulator, group)["AWSCURRENT"]] for group in groups)
    assert failed_hosts(finished) == set()
    assert set(fared(finished)) == hosts

    since = len(emulator.calls())
    again = job(emulator, tmp_path, 4, groups, FINISH)
    assert again.status == "successful", again.output[-3000:]
    assert again.stats("changed") == {}
    assert mutating(emulator, since) == []
    no_token(emulator, tmp_path)


def test_one_host_fails(emulator: Emulator, tmp_path: Path) -> None:
    """Its events say so, and nobody else's; the others begin and finish. What failed is untouched."""
    groups = ("carts", "orders", "sessions")
    fleet(emulator, *groups, without_secret=["orders"])
    broken = f"orders.{emulator.region}"

    begun = job(emulator, tmp_path, 1, groups, BEGIN)
    assert begun.status == "failed"
    assert failed_hosts(begun) == {broken}, begun.output[-3000:]
    assert begun.stats("failures") == {broken: 1}
    assert "there is no secret" in fared(begun)[broken]
    assert slots(emulator, "orders") == [A]

    finished = job(emulator, tmp_path, 2, groups, FINISH)
    assert failed_hosts(finished) == {broken}, finished.output[-3000:]
    assert slots(emulator, "orders") == [A]
    for group in ("carts", "sessions"):
        assert slots(emulator, group) == [labelled(emulator, group)["AWSCURRENT"]] != [A]


@pytest.mark.parametrize("waves", ["1, 100%", "2,100%"])
def test_a_wave_fails(emulator: Emulator, tmp_path: Path, waves: str) -> None:
    """The waves asked for are the play's: no group after the one that failed is touched. The next launch takes up all.

    With a canary of one the whole wave has failed, and Ansible itself ends the play. A job's file has the job's number,
    and accounts for each group.
    """
    groups = ("carts", "orders", "sessions", "users")
    fleet(emulator, *groups, without_secret=["carts"])
    later = groups[int(waves[0]) :]
    survey = {
        "rotate_fleet_waves": waves,
        "rotate_token_max_fail_percentage": 0,
        "rotate_fleet_result_folder": str(tmp_path),
    }
    begun = job(emulator, tmp_path, 1, groups, BEGIN, **survey)
    assert begun.status == "failed"
    broken = failed_hosts(begun)
    assert f"carts.{emulator.region}" in broken, begun.output[-3000:]
    assert f"orders.{emulator.region}" not in broken
    assert all(slots(emulator, group) == [A] for group in ("carts", *later))
    if waves.startswith("2"):
        assert {f"{group}.{emulator.region}" for group in later} <= broken
        assert all("not begun" in fared(begun)[f"{group}.{emulator.region}"] for group in later)

    put_token(emulator, A, group="carts")
    again = job(emulator, tmp_path, 2, groups, BEGIN, **survey)
    assert again.status == "successful", again.output[-3000:]
    assert all(slots(emulator, group) == [A, labelled(emulator, group)["AWSCURRENT"]] for group in groups)
    files = sorted(path.name for path in tmp_path.glob("rotate_token-*.json"))
    assert files == ["rotate_token-1.json", "rotate_token-2.json"]
    account = (tmp_path / files[1]).read_text("utf-8")
    assert [group for group in groups if f'"{group}"' in account] == list(groups)
    no_token(emulator, tmp_path)


def test_a_finish_without_its_begin_is_refused(emulator: Emulator, tmp_path: Path) -> None:
    """As when the finish's job template is launched by itself: nothing is touched."""
    fleet(emulator, "carts", "orders")
    since = len(emulator.calls())
    finished = job(emulator, tmp_path, 1, ("carts", "orders"), FINISH)
    assert finished.status == "failed"
    assert failed_hosts(finished) == {f"carts.{emulator.region}", f"orders.{emulator.region}"}
    assert all("phase begin is incomplete" in said for said in fared(finished).values())
    assert mutating(emulator, since) == []


def test_a_rehearsal(emulator: Emulator, tmp_path: Path) -> None:
    """Launched with the job type check, it shows each call that would be made, and makes none of them."""
    fleet(emulator, "carts", "orders")
    since = len(emulator.calls())
    rehearsed = job(emulator, tmp_path, 1, ("carts", "orders"), BEGIN, check=True)
    assert rehearsed.status == "successful", rehearsed.output[-3000:]
    assert "AuthTokenUpdateStrategy=ROTATE" in rehearsed.output
    assert mutating(emulator, since) == []
    no_token(emulator, tmp_path)


# --- Slices ---------------------------------------------------------------------------------------------------------


@dataclass
class Tap:
    """What stands between a job and the emulator. ``requests``: what it was sent, as ``(action, body)``."""

    url: str
    requests: list[tuple[str, str]] = field(default_factory=list)


@contextlib.contextmanager
def tapped(emulator: Emulator) -> Iterator[Tap]:
    """A way to the emulator for one job alone, which writes down every request."""
    target = urllib.parse.urlsplit(emulator.endpoint_url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            text = urllib.parse.unquote_plus(body.decode())
            action = self.headers.get("X-Amz-Target") or dict(urllib.parse.parse_qsl(body.decode())).get("Action", "")
            tap.requests.append((action.rpartition(".")[2], f"{self.path} {text}"))
            connection = http.client.HTTPConnection(str(target.hostname), target.port, timeout=60)
            try:
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                content = answer.read()
            finally:
                connection.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_HEAD = _pass  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    tap = Tap(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield tap
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def slices(emulator: Emulator, folder: Path, first: int, groups: Sequence[str], phase: dict[str, Any]) -> list[Any]:
    """Both slices of a job at once; returns each with its groups and the requests that it made."""
    count = 2
    with contextlib.ExitStack() as stack:
        jobs = []
        for number in range(1, count + 1):
            mine = sliced(groups, number, count)
            tap = stack.enter_context(tapped(emulator))
            one = launch(
                emulator,
                folder / str(first + number),
                first + number,
                ROTATE,
                inventory(emulator, mine),
                {**variables(emulator, phase), "job_slice": number},
                environment={"AWS_ENDPOINT_URL": tap.url},
            )
            stack.callback(one.command.kill)
            jobs.append((one, mine, tap))
        with ThreadPoolExecutor(count) as pool:
            assert None not in pool.map(lambda entry: entry[0].wait(), jobs)
    return jobs


def test_two_slices_at_once(emulator: Emulator, tmp_path: Path) -> None:
    """Both arrive. No request of one so much as names a group of the other; and again: nothing is changed."""
    groups = [f"cache-{number:02}" for number in range(1, 15)]  # seven a slice: enough that tags are read in bulk
    fleet(emulator, *groups)
    for first, phase in ((10, BEGIN), (20, FINISH)):
        since = len(emulator.calls())
        emulator.hold()  # neither goes on before the other one's calls were made, too
        with meanwhile(Once(lambda: len(emulator.held()) == len(groups), emulator.release)):
            jobs = slices(emulator, tmp_path, first, groups, phase)
        for one, mine, tap in jobs:
            assert one.status == "successful", one.output[-3000:]
            assert set(one.stats("ok")) == {f"{group}.{emulator.region}" for group in mine}
            said = "\n".join(body for dummy, body in tap.requests)
            assert [group for group in groups if group in said] == mine
            assert [action for action, dummy in tap.requests].count("ModifyReplicationGroup") == len(mine)
        # All that was changed meanwhile came from these two.
        modified = [call for call in emulator.calls()[since:] if call["action"] == "ModifyReplicationGroup"]
        assert sorted(call["id"] for call in modified) == groups
    for group in groups:
        assert slots(emulator, group) == [labelled(emulator, group)["AWSCURRENT"]] != [A]

    since = len(emulator.calls())
    for first, phase in ((30, BEGIN), (40, FINISH)):
        for one, mine, tap in slices(emulator, tmp_path, first, groups, phase):
            assert one.status == "successful", one.output[-3000:]
            assert one.stats("changed") == {}
            said = "\n".join(body for dummy, body in tap.requests)
            assert [group for group in groups if group in said] == mine
    assert mutating(emulator, since) == []
    no_token(emulator, tmp_path)


def test_slices_are_awxs() -> None:
    hosts = ["c", "a", "e", "b", "d"]
    assert sliced(hosts, 1, 2) == ["a", "c", "e"]
    assert sliced(hosts, 2, 2) == ["b", "d"]


# --- The inventory source, and the audit ----------------------------------------------------------------------------


def synced(emulator: Emulator, folder: Path) -> dict[str, Any]:
    """What AWX gets from the pattern's inventory file, and keeps as JSON."""
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible-inventory"),
            "-i",
            str(REPOSITORY / PATTERNS / "rotate_fleet" / "fleet.elasticache.yml"),
            "--list",
            "--export",
        ],
        cwd=folder,
        env={**ansible_environment(emulator, folder), "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_with_the_patterns_inventory(emulator: Emulator, tmp_path: Path) -> None:
    """The hosts that AWX gets from the pattern's inventory file are what the jobs run on."""
    fleet(emulator, "carts", "orders")
    create(emulator, "unauthenticated")
    known = synced(emulator, tmp_path)
    # AWX keeps the mark that a text is untrusted, and hands it on to the job.
    ids = {name: variables["replication_group_id"] for name, variables in known["_meta"]["hostvars"].items()}
    hosts = {marked["__ansible_unsafe"]: name for name, marked in ids.items()}
    assert set(hosts) == {"carts", "orders", "unauthenticated"}
    assert set(known[HOSTS]["hosts"]) == {hosts["carts"], hosts["orders"]}
    assert known["elasticache_mode_open"]["hosts"] == [hosts["unauthenticated"]]

    one = ended(launch(emulator, tmp_path / "job", 7, ROTATE, known, variables(emulator, BEGIN)))
    assert one.status == "successful", one.output[-3000:]
    assert set(one.stats("ok")) == {hosts["carts"], hosts["orders"]}
    assert all(slots(emulator, group) == [A, labelled(emulator, group)["AWSCURRENT"]] for group in ("carts", "orders"))
    assert slots(emulator, "unauthenticated") == [None]


@pytest.mark.parametrize("fail_on", ["open", "", "token_age>200"])
def test_the_audit(emulator: Emulator, tmp_path: Path, fail_on: str) -> None:
    """Its reports are in the bucket whether or not it fails, nothing is left in the container, nothing is changed."""
    fleet(emulator, "carts")
    create(emulator, "unauthenticated")
    s3 = emulator.client("s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket="audits")
    (tmp_path / "container").mkdir()
    since = len(emulator.calls())
    one = ended(
        launch(
            emulator,
            tmp_path / "job",
            9,
            AUDIT,
            synced(emulator, tmp_path),
            {
                "audit_fleet_bucket": "audits",
                "audit_fleet_prefix": "fleet",
                "audit_fleet_folder": "",
                "audit_fleet_fail_on": fail_on,
                "audit_title": "The fleet at night",
                "audit_max_token_age_days": 80,
                "audit_probe": "never",
            },
            environment={"TMPDIR": str(tmp_path / "container")},
        )
    )
    assert one.status == ("failed" if fail_on == "open" else "successful"), one.output[-3000:]
    names = {entry["Key"] for entry in s3.list_objects_v2(Bucket="audits")["Contents"]}
    assert names == {f"fleet/{name}.{kind}" for name in ("9", "latest") for kind in ("html", "json", "csv")}
    page = s3.get_object(Bucket="audits", Key="fleet/latest.html")["Body"].read().decode()
    assert "The fleet at night" in page
    report = json.loads(s3.get_object(Bucket="audits", Key="fleet/9.json")["Body"].read())
    assert {"carts", "unauthenticated"} <= {group["replication_group_id"] for group in report["groups"]}
    assert one.told() == {"audit_fleet_reports": ["s3://audits/fleet/9.html"]}
    assert list((tmp_path / "container").glob("elasticache-audit-*")) == []
    ours = [
        call for call in emulator.calls()[since:] if call["service"] in ("elasticache", "secretsmanager", "tagging")
    ]
    assert ours
    assert [call for call in ours if call["mutating"]] == []
    no_token(emulator, tmp_path / "job")
