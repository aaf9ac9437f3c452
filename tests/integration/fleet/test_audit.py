# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The role audit as users run it, by its playbook: over an inventory's hosts, on localhost, with the nodes or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from browser.fleets import HOSTILE, group
from integration import direct
from integration.role_scenes import RoleRun, run_role
from integration.scenes import A, B, create, create_user_group, rotate, scene
from waiting import wait_until

from ansible_collections.elasticache.auth.plugins.module_utils._report import page

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.05)
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}


def audit(emulator: Emulator, folder: Path, **options: Any) -> RoleRun:
    """Run the playbook with all three files in ``folder``, and see to it that it changed nothing in AWS."""
    groups = options.pop("groups", None)
    paths = {f"{kind}_path": str(folder / f"audit.{kind}") for kind in ("html", "json", "csv")}
    common = {"wait_delay": None, "wait_timeout": None, "data_plane_ca_path": emulator.ca_bundle or ""}
    ran = run_role(emulator, "audit", groups=groups, **{**common, **paths, **options})
    # Assuming a role leaves a trace in STS, and nothing else.
    assert set(ran.mutating) <= {"sts:AssumeRole"}, ran.mutating
    tokens = direct.tokens_in_force(emulator) | {A, B}
    direct.assert_no_token(ran.output, tokens)
    for path in paths.values():
        if Path(path).exists():
            direct.assert_no_token(Path(path).read_text("utf-8"), tokens)
    return ran


def report(folder: Path) -> dict[str, Any]:
    """The JSON file; the page and the CSV tell of the same groups."""
    told: dict[str, Any] = json.loads((folder / "audit.json").read_text("utf-8"))
    data = page.data_of((folder / "audit.html").read_text("utf-8"))
    assert data is not None
    ids = [one["replication_group_id"] for one in told["groups"]]
    assert [one["id"] for one in data["groups"]] == ids
    assert len((folder / "audit.csv").read_bytes().splitlines()) == len(ids) + 1
    return told


def wait_for_users(emulator: Emulator, user_group: str, region: str) -> None:
    client = emulator.client("elasticache", region=region)
    wait_until(
        lambda: client.describe_user_groups(UserGroupId=user_group)["UserGroups"][0]["Status"] == "active",
        f"user group {user_group} is active",
    )


def findings(told: dict[str, Any]) -> dict[str, list[str]]:
    return {one["replication_group_id"]: [found["finding"] for found in one["findings"]] for one in told["groups"]}


def write_inventory(folder: Path, hosts: list[dict[str, Any]], **variables: Any) -> str:
    """Write hosts as the inventory plugin makes them, texts of others marked as such; returns the file's path."""

    class Unsafe(str):
        pass

    def mark(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: mark(one) for key, one in value.items()}
        if isinstance(value, list):
            return [mark(one) for one in value]
        return Unsafe(value) if isinstance(value, str) and "{" in value else value

    class Dumper(yaml.SafeDumper):
        pass

    Dumper.add_representer(Unsafe, lambda dumper, value: dumper.represent_scalar("!unsafe", str(value), style='"'))
    named = {f"h{number}": {**mark(host), **LOCAL} for number, host in enumerate(hosts)}
    inventory = {"all": {"vars": variables}, "elasticache_replication_groups": {"hosts": named}}
    path = folder / "hosts.yml"
    path.write_text(yaml.dump(inventory, Dumper=Dumper), encoding="utf-8")
    return str(path)


def test_all_groups_of_a_region(emulator: Emulator, tmp_path: Path) -> None:
    """On localhost without an inventory; without the nodes' word some stays unknown."""
    for state in ("open", "optional", "required", "rotating", "rbac"):
        scene(emulator, state, f"{state}-one")
    create(emulator, "clear", TransitEncryptionEnabled=None, AuthToken=None, Engine="redis", EngineVersion="5.0.6")
    ran = audit(emulator, tmp_path)
    assert ran.succeeded, ran.output
    told = report(tmp_path)
    assert told["counts"]["by_mode"] == {
        "open": 2,
        "optional": 0,
        "required": 0,
        "rotating": 0,
        "rbac": 1,
        "unknown": 3,
    }
    assert findings(told) == {
        "clear": ["open", "tls_off", "engine_too_old"],
        "open-one": ["open"],
        "optional-one": ["unknown"],
        "rbac-one": [],
        "required-one": ["unknown"],
        "rotating-one": ["unknown"],
    }
    assert told["groups"][0]["region"] == "us-east-1"
    assert told["groups"][0]["account_id"] == "123456789012"
    rbac = next(one for one in told["groups"] if one["replication_group_id"] == "rbac-one")
    assert rbac["no_password_users"] == []
    assert ran.changed == {"localhost": 1}

    # Again: nothing is written. Then with the nodes' word.
    assert audit(emulator, tmp_path).changed == {"localhost": 0}
    probed = audit(emulator, tmp_path, probe="always")
    assert probed.succeeded, probed.output
    told = report(tmp_path)
    assert findings(told)["optional-one"] == ["optional"]
    assert findings(told)["required-one"] == ["unknown"]
    optional = next(one for one in told["groups"] if one["replication_group_id"] == "optional-one")
    assert optional["evidence"] == ["api", "nodes"]
    assert optional["unauthenticated_access"] is True
    required = next(one for one in told["groups"] if one["replication_group_id"] == "required-one")
    assert required["unauthenticated_access"] is False
    assert required["engine_version"]


def test_a_list_and_what_is_not_there(emulator: Emulator, tmp_path: Path) -> None:
    scene(emulator, "open", "one")
    scene(emulator, "open", "two")
    ran = audit(emulator, tmp_path, groups=["One", "nobody"])
    assert not ran.succeeded
    assert "incomplete: nobody: there is no such group in us-east-1" in ran.text
    assert findings(report(tmp_path)) == {"one": ["open"]}
    assert audit(emulator, tmp_path, groups=["one", "nobody"], fail_on=[]).succeeded


def test_users_without_password_in_two_regions(emulator: Emulator, tmp_path: Path) -> None:
    create_user_group(emulator)
    create(emulator, "fine", UserGroupIds=["ug-1"])
    client = emulator.client("elasticache", region="eu-west-1")
    client.create_user(
        UserId="anyone", UserName="default", Engine="redis", AccessString="on ~* +@all", NoPasswordRequired=True
    )
    client.create_user_group(UserGroupId="ug-1", Engine="redis", UserIds=["anyone"])
    wait_for_users(emulator, "ug-1", region="eu-west-1")
    create(emulator, "ajar", Engine="redis", UserGroupIds=["ug-1"], region="eu-west-1")
    ran = audit(emulator, tmp_path, regions=["us-east-1", "eu-west-1"], fail_on=["no_password_users"])
    assert not ran.succeeded
    assert "no_password_users: ajar (eu-west-1, 123456789012)" in ran.text
    assert findings(report(tmp_path)) == {"ajar": ["no_password_users"], "fine": []}
    assert [call["action"] for call in ran.calls].count("DescribeUsers") == 2
    assert audit(emulator, tmp_path, regions=["eu-west-1"], users=False, fail_on=["no_password_users"]).succeeded


def test_over_hosts_with_facts(emulator: Emulator, tmp_path: Path) -> None:
    """The facts of hosts are enough: AWS is asked for users only, and not even for those without RBAC."""
    hosts = [
        group("sessions", age=12),
        group("carts", "optional", age=41),
        group("old", age=120, description=HOSTILE[5], tags={HOSTILE[5]: HOSTILE[0]}),
    ]
    failure = {"region": "us-west-2", "account_id": None, "assume_role_arn": None, "error": "refused."}
    inventory = write_inventory(tmp_path, hosts, elasticache_inventory_failures=[failure])
    ran = audit(emulator, tmp_path, inventory=inventory, fail_on=["open", "optional", "token_age>90"])
    assert not ran.succeeded
    assert ran.calls == ()
    assert "The audit of 3 groups fails on optional: carts (eu-central-1, 123456789012); token_age>90: old" in ran.text
    told = report(tmp_path)
    assert told["incomplete"] == ["us-west-2: refused."]
    old = next(one for one in told["groups"] if one["replication_group_id"] == "old")
    assert (old["description"], old["tags"]) == (HOSTILE[5], {HOSTILE[5]: HOSTILE[0]})
    failed = next(one for one in ran.results if one.status == "failed")
    assert [one["condition"] for one in failed.result["failed_conditions"]] == ["optional", "token_age>90"]
    # What the inventory could not look at fails by default.
    assert "incomplete: us-west-2: refused" in audit(emulator, tmp_path, inventory=inventory).text


def test_a_play_on_some_hosts_costs_no_task_a_host(emulator: Emulator, tmp_path: Path) -> None:
    hosts = [group(f"g{number}", age=1) for number in range(20)]
    inventory = write_inventory(tmp_path, hosts)
    some = {"extra_vars": {"audit_hosts": "all"}, "arguments": ["--limit", "h1,h2,h3"]}
    ran = audit(emulator, tmp_path, inventory=inventory, **some)
    assert ran.succeeded, ran.output
    assert sorted(findings(report(tmp_path))) == ["g1", "g2", "g3"]
    done = [(one.task, one.host) for one in ran.results]
    assert len(done) == len({task for task, dummy in done})
    assert sum(ran.changed.values()) == 1


def test_the_nodes_of_hosts(emulator: Emulator, tmp_path: Path) -> None:
    """The inventory's facts and the nodes' word come together; a group that has gone since is told."""
    scene(emulator, "optional", "carts")
    facts: dict[str, Any] = {"region": "us-east-1", "description": "from the inventory"}
    hosts = [group("carts", None, age=3, **facts), group("gone", None, age=3, **facts), group("later", "rbac", **facts)]
    create_user_group(emulator)
    ran = audit(emulator, tmp_path, inventory=write_inventory(tmp_path, hosts), probe="auto")
    assert not ran.succeeded
    told = report(tmp_path)
    assert findings(told)["carts"] == ["optional"]
    assert len(told["incomplete"]) == 2
    assert all(name in " ".join(told["incomplete"]) for name in ("gone", "later"))
    assert findings(told)["gone"] == ["unknown"]


def test_other_accounts_through_their_roles(emulator: Emulator, tmp_path: Path) -> None:
    """Users are looked at in the account of the host, with the role that the inventory assumed."""
    role = "arn:aws:iam::210987654321:role/fleet"
    there: dict[str, Any] = {
        "region": "us-east-1",
        "account_id": "210987654321",
        "arn": "arn:aws:elasticache:us-east-1:210987654321:replicationgroup:chat",
        "assume_role_arn": role,
    }
    inventory = write_inventory(tmp_path, [group("chat", "rbac", **there)])
    ran = audit(emulator, tmp_path, inventory=inventory)
    assert ran.succeeded, ran.output
    (told,) = report(tmp_path)["groups"]
    assert told["no_password_users"] == []
    assert [call["action"] for call in ran.calls] == ["AssumeRole", "DescribeUsers"]
    assert ran.calls[1]["account"] == "210987654321"

    emulator.faults({"kind": "error", "action": "AssumeRole", "code": "AccessDenied", "status": 403, "times": 99})
    ran = audit(emulator, tmp_path, inventory=inventory)
    assert not ran.succeeded
    assert f"incomplete: The role {role} can't be assumed" in ran.text
    assert report(tmp_path)["groups"][0]["no_password_users"] is None


def test_hosts_without_facts_are_looked_up(emulator: Emulator, tmp_path: Path) -> None:
    """The hosts of an inventory of one's own, that the other roles take."""
    scene(emulator, "open", "sessions")
    create(emulator, "carts", AuthToken=A)
    rotate(emulator, "Beengo9ooRaeShahfah2Ieyi-new", "carts")
    path = tmp_path / "own.yml"
    path.write_text(
        yaml.safe_dump(
            {"caches": {"hosts": {"sessions": {}, "shop": {"replication_group_id": "carts"}}, "vars": LOCAL}}
        )
    )
    ran = audit(emulator, tmp_path, inventory=str(path), extra_vars={"audit_hosts": "caches"})
    assert ran.succeeded, ran.output
    assert findings(report(tmp_path)) == {"carts": ["unknown"], "sessions": ["open"]}


def test_an_inventory_of_nobody(emulator: Emulator, tmp_path: Path) -> None:
    """A fleet of zero is a page, and no reason to look elsewhere."""
    scene(emulator, "open", "of-another-fleet")
    before = len(emulator.calls())
    ran = audit(emulator, tmp_path, inventory=write_inventory(tmp_path, []))
    assert ran.succeeded, ran.output
    assert report(tmp_path)["groups"] == []
    assert len(emulator.calls()) == before


def test_nothing_can_be_looked_at(emulator: Emulator, tmp_path: Path) -> None:
    emulator.faults({"kind": "error", "action": "Describe*", "code": "AccessDenied", "status": 403, "times": 99})
    ran = audit(emulator, tmp_path)
    assert not ran.succeeded
    assert "The audit of 0 groups fails on incomplete: elasticache:Describe" in ran.text
    assert (tmp_path / "audit.html").exists()


def test_a_target_that_can_not_be_looked_at(emulator: Emulator, tmp_path: Path) -> None:
    """The others are told of all the same, whichever of them comes first."""
    scene(emulator, "open", "here")
    create(emulator, "there", region="eu-west-1")
    emulator.faults({"kind": "error", "region": "eu-west-1", "code": "AccessDenied", "status": 403, "times": 99})
    for regions in (["eu_west_1", "us-east-1", "eu-west-1"], ["eu-west-1", "us-east-1", "eu_west_1"]):
        ran = audit(emulator, tmp_path, regions=regions, fail_on=[])
        assert ran.succeeded, ran.output
        assert list(findings(report(tmp_path))) == ["here"]
        told = sorted(report(tmp_path)["incomplete"])
        assert len(told) == 2
        assert "was refused in eu-west-1" in told[0]
        assert told[1].startswith("there is no region 'eu_west_1'")

    # What was found of a target is reported though its nodes can't be asked about.
    emulator.clear_faults()
    emulator.faults(
        {"kind": "error", "action": "ListTagsForResource", "code": "AccessDenied", "status": 403, "times": 99}
    )
    ran = audit(emulator, tmp_path, regions=["us-east-1"], fail_on=[], probe="auto")
    assert findings(report(tmp_path)) == {"here": ["open"]}
    assert "elasticache:ListTagsForResource was refused in us-east-1" in report(tmp_path)["incomplete"][0]


def test_check_mode_writes_no_file(emulator: Emulator, tmp_path: Path) -> None:
    scene(emulator, "open", "sessions")
    ran = audit(emulator, tmp_path, check=True, diff=True)
    assert ran.succeeded, ran.output
    assert ran.changed == {"localhost": 1}
    assert "+123456789012 us-east-1 sessions: open, open" in ran.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"fail_on": ["opened"]}, "'opened' is not a condition. There are: open, optional"),
        ({"probe": "perhaps"}, "value of audit_probe must be one of"),
        ({"max_token_age_days": "old"}, "audit_max_token_age_days"),
        ({"groups": ["a b"]}, "'a b'"),
        ({"groups": ["a"], "regions": ["eu-west-1", "us-east-1"]}, "audit_regions has several"),
        ({"html_path": "/nowhere/audit.html"}, "there is no folder /nowhere"),
    ],
)
def test_bad_input(emulator: Emulator, tmp_path: Path, variables: dict[str, Any], message: str) -> None:
    ran = audit(emulator, tmp_path, **variables)
    assert not ran.succeeded
    assert message in ran.text
    assert not (tmp_path / "audit.json").exists() or "a b" in message


def test_where_the_page_goes_by_default(emulator: Emulator, tmp_path: Path) -> None:
    paths = {"json_path": "a.json", "asff_path": "a.asff.json", "sarif_path": "a.sarif"}
    scene(emulator, "open", "sessions")
    ran = audit(emulator, tmp_path, html_path=None, csv_path="", **paths, working=tmp_path)
    assert ran.succeeded, ran.output
    assert sorted(path.name for path in tmp_path.iterdir()) == [*sorted(paths.values()), "elasticache-audit.html"]
    arn = "arn:aws:elasticache:us-east-1:123456789012:replicationgroup:sessions"
    assert f"{arn}/elasticache.auth/open" in [
        finding["Id"] for finding in json.loads((tmp_path / "a.asff.json").read_text())
    ]
    (log,) = json.loads((tmp_path / "a.sarif").read_text())["runs"]
    assert "open" in [result["ruleId"] for result in log["results"]]
