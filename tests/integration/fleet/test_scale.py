# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Many groups in one call: outcomes by id, one group's failure is its own, few API calls, bounded threads.

Times and memory are printed (``-s``, or in the report of a failure), not asserted: they say more about the machine.
"""

from __future__ import annotations

import json
import resource
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.direct import ModuleRun, auth, calls_by_action, run, start
from integration.meanwhile import Once, meanwhile
from integration.scenes import A, B, C, create, rotate, slots
from integration.time_is_up import seen_to_arrive, time_is_up
from waiting import PATIENCE

from ansible_collections.elasticache.auth.plugins.module_utils._fan_out import MAX_THREADS

if TYPE_CHECKING:
    from conftest import Emulator

#: More than are on a page of any of the calls.
GROUPS = 101
PAGES = -(-GROUPS // 100)
NODES = 2 * GROUPS


def make(emulator: Emulator, number: int) -> list[str]:
    """Create groups of two nodes with the token A."""
    names = [f"fleet-{index:03}" for index in range(number)]
    for name in names:
        create(emulator, name, wait=False, AuthToken=A)
    for name in names:
        emulator.wait_available(name)
    return names


class Sampler:
    """Watches a process for the most memory and threads that it has had, until it ends (Linux's /proc)."""

    def __init__(self, pid: int) -> None:
        self.kibibytes = self.threads = 0
        self._status = Path(f"/proc/{pid}/status")
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            try:
                status = dict(line.split(":", 1) for line in self._status.read_text().splitlines())
            except OSError:
                return
            if "VmHWM" not in status:
                return
            self.kibibytes = max(self.kibibytes, int(status["VmHWM"].split()[0]))
            self.threads = max(self.threads, int(status["Threads"]))
            time.sleep(0.02)


def cpu_seconds() -> float:
    """CPU seconds of children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(
    emulator: Emulator, module: str, args: dict[str, Any], capsys: Any
) -> tuple[dict[str, Any], dict[str, int], float]:
    """Run a module as a process; print what it took; return its result, the calls by action, and its seconds."""
    known = len(emulator.calls())
    cpu, begun = cpu_seconds(), time.monotonic()
    process = start(emulator, module, args)
    sampler = Sampler(process.pid)
    output = process.communicate(timeout=PATIENCE)[0]
    seconds = time.monotonic() - begun
    counted = calls_by_action(emulator.calls()[known:])
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{module} {args.get('auth_token_update_strategy', '')} on {len(args['replication_group_ids'])} groups: "
            f"{seconds:.1f} s, CPU {cpu_seconds() - cpu:.1f} s, at most {sampler.kibibytes / 1024:.0f} MiB and "
            f"{sampler.threads} threads, "
            f"calls: {counted}"
        )
    result: dict[str, Any] = json.loads(output)
    assert sampler.threads <= 3 * MAX_THREADS + 4
    return result, counted, seconds


def test_more_groups_than_a_page_has_in_one_call(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """ROTATE on all, then once more: pages and not single calls, one change a group, and nothing the second time."""
    names = make(emulator, GROUPS)
    args = {
        "replication_group_ids": names,
        "auth_token_update_strategy": "rotate",
        "auth_token": B,
        "known_auth_tokens": [A],
        "data_plane_ca_path": emulator.ca_bundle,
        "wait_delay": 0.5,
    }
    result, calls, seconds = measured(emulator, "replication_group_auth", args, capsys)
    assert not result.get("failed"), result["msg"]
    assert result["msg"] == f"{GROUPS} of {GROUPS} groups changed."
    assert list(result["outcomes"]) == names
    assert all(outcome["changed"] for outcome in result["outcomes"].values())
    assert all(group["slots"] == [A, B] for group in emulator.groups())
    assert calls["ModifyReplicationGroup"] == GROUPS
    # Once to look, each second while calls are made, then a few times while changes are under way: pages, which serve
    # all groups. One by one it would be two calls a group, and more for those that are waited for.
    assert calls["DescribeReplicationGroups"] <= (10 + 3 * seconds) * PAGES
    assert calls["DescribeCacheClusters"] == -(-NODES // 100)
    # The records: once to look, then every five seconds while they are written.
    assert calls["GetResources"] <= (3 + seconds / 3) * PAGES
    assert calls["AddTagsToResource"] == 2 * GROUPS
    again, calls, dummy = measured(emulator, "replication_group_auth", args, capsys)
    assert again["changed"] is False
    assert "ModifyReplicationGroup" not in calls
    assert "AddTagsToResource" not in calls
    assert calls["DescribeReplicationGroups"] == PAGES
    assert sum(calls.values()) <= 3 * PAGES + -(-NODES // 100)
    waited, calls, dummy = measured(emulator, "replication_group_wait", {"replication_group_ids": names}, capsys)
    assert waited["changed"] is False
    assert calls["DescribeReplicationGroups"] == PAGES


def mixed(emulator: Emulator) -> tuple[list[str], list[str]]:
    """Groups that can be rotated, and others that fail, each in its own way."""
    good = make(emulator, 6)
    bad = ["missing", "rotating", "no-tls", "refused-by-aws", "too-late"]
    create(emulator, "rotating", AuthToken=A)
    rotate(emulator, C, "rotating")
    create(emulator, "no-tls", TransitEncryptionEnabled=False)
    create(emulator, "refused-by-aws", AuthToken=A)
    create(emulator, "too-late", AuthToken=A)
    emulator.faults(
        {"kind": "error", "action": "ModifyReplicationGroup", "id": "refused-by-aws", "code": "InvalidParameterValue"},
        {"kind": "never-ends", "id": "too-late"},
    )
    return good, bad


@pytest.mark.parametrize("go_on", [True, False])
def test_one_groups_failure_is_its_own(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, go_on: bool) -> None:
    """Five ways to fail beside six groups that succeed; with ``continue_on_error`` the task does too."""
    good, bad = mixed(emulator)
    time_is_up(monkeypatch, lambda: seen_to_arrive(emulator, good, lambda group: slots(emulator, group) == [A, B]))
    ids = [name for pair in zip(good, [*bad, ""], strict=True) for name in pair if name]
    ended: ModuleRun = auth(
        emulator,
        "rotate",
        B,
        group=ids,
        known_auth_tokens=[A, C],
        wait_timeout=PATIENCE,
        continue_on_error=go_on,
    )
    assert ended.failed is not go_on
    assert ended.changed
    assert list(ended.outcomes) == ids
    for name in good:
        assert ended.of(name)["changed"]
        assert not ended.of(name)["failed"]
        assert slots(emulator, name) == [A, B]
    reasons = {
        "missing": "there is no replication group of this id",
        "rotating": "ROTATE would push out",
        "no-tls": "encryption in transit is off",
        "refused-by-aws": "elasticache:ModifyReplicationGroup failed in us-east-1: InvalidParameterValue",
        "too-late": "not done after",
    }
    for name, reason in reasons.items():
        assert ended.of(name)["failed"], name
        assert ended.of(name)["msg"].startswith(f"{name}: ")
        assert reason in ended.of(name)["msg"]
    assert [name for name in bad if ended.of(name)["changed"]] == ["too-late"]
    assert ended.msg.startswith("5 of 11 groups failed. ")
    assert all(reason in ended.msg for reason in reasons.values())


def test_long_lists_of_errors_are_cut(emulator: Emulator) -> None:
    """The task's message names the first five; each outcome has its own."""
    ended = auth(emulator, "rotate", B, group=[f"missing-{number}" for number in range(8)])
    assert ended.failed
    assert ended.msg.startswith("8 of 8 groups failed. missing-0: ")
    assert ended.msg.endswith(" (and 3 more, see outcomes)")
    assert all(outcome["failed"] for outcome in ended.outcomes.values())


def test_threads_are_bounded(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more API calls at once than there are threads, however many groups there are."""
    names = make(emulator, 40)
    emulator.faults({"kind": "pause", "action": "ModifyReplicationGroup", "times": 1000})
    with meanwhile(Once(lambda: emulator.faults()[0]["struck"] >= MAX_THREADS, emulator.clear_faults)):
        ended = auth(emulator, "rotate", B, group=names, known_auth_tokens=[A], probe="never", assume_state="required")
    assert not ended.failed, ended.msg
    calls = [call for call in emulator.calls() if call["action"] == "ModifyReplicationGroup"]
    assert len(calls) == 40
    assert most_at_once(calls) == MAX_THREADS
    assert threading.active_count() < MAX_THREADS


def most_at_once(calls: Sequence[dict[str, Any]]) -> int:
    """The largest number of calls that were under way at the same time."""
    moments = sorted([(call["time"], 1) for call in calls] + [(call["time"] + call["seconds"], -1) for call in calls])
    most = now = 0
    for dummy, step in moments:
        now += step
        most = max(most, now)
    return most


def test_the_same_by_secrets(emulator: Emulator) -> None:
    """A secret a group: three staging labels each, no token shown, and a group without a secret fails alone."""
    names = make(emulator, 12)
    client = emulator.client("secretsmanager")
    for name in names[:-1]:
        client.create_secret(Name=f"t/{name}", SecretString=A)
        client.put_secret_value(SecretId=f"t/{name}", SecretString=f"{B}-{name}", VersionStages=["AWSPENDING"])
    ended = auth(
        emulator,
        "rotate",
        group=names,
        auth_token_secret={"name": "t/{replication_group_id}", "stage": "AWSPENDING"},
        hidden=[A, B],
    )
    assert ended.failed
    assert [name for name in names if ended.of(name)["failed"]] == names[-1:]
    assert all(slots(emulator, name) == [A, f"{B}-{name}"] for name in names[:-1])
    assert slots(emulator, names[-1]) == [A]
    found = run(
        emulator,
        "replication_group_info",
        {
            "replication_group_ids": names[:-1],
            "auth_token_secret": {"name": "t/{replication_group_id}"},
            "data_plane_ca_path": emulator.ca_bundle,
        },
        hidden=[A, B],
    )
    assert {one["mode"] for one in found.result["replication_groups"]} == {"rotating"}
