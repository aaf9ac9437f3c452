# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The module audit_report, run in this process: files, permissions, what is written anew, check mode, diff, failing."""

from __future__ import annotations

import contextlib
import csv
import datetime
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from browser.fleets import HOSTILE, ago, group, hostile, three, users

from ansible_collections.elasticache.auth.plugins.module_utils._report import page
from ansible_collections.elasticache.auth.plugins.modules import audit_report


def run(*, check: bool = False, diff: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module and return the JSON that it printed; a failure is in it."""
    printed = io.StringIO()
    given = {"groups": three(), **options, "_ansible_check_mode": check, "_ansible_diff": diff}
    with patch_module_args(given), contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        audit_report.main()
    result = json.loads(printed.getvalue())
    assert isinstance(result, dict)
    return result


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, Any]:
    return {f"{kind}_path": str(tmp_path / f"audit.{kind}") for kind in ("html", "json", "csv", "asff", "sarif")}


def texts(paths: dict[str, Any]) -> list[str]:
    return [Path(path).read_bytes().decode() for path in paths.values()]


def test_writes_files_that_nobody_else_may_read(paths: dict[str, Any]) -> None:
    result = run(**paths)
    assert result["changed"]
    assert not result.get("failed")
    assert [file["path"] for file in result["files"]] == list(paths.values())
    for file in result["files"]:
        assert Path(file["path"]).stat().st_mode & 0o777 == 0o600
        assert Path(file["path"]).stat().st_size == file["size"]
    assert result["counts"]["by_mode"] == {
        "open": 1,
        "optional": 1,
        "required": 1,
        "rotating": 0,
        "rbac": 0,
        "unknown": 0,
    }
    assert result["counts"]["unauthenticated_access"] == 2
    assert result["counts"]["by_finding"]["tls_off"] == 1
    assert result["counts"]["by_severity"] == {"critical": 2, "warning": 0, "notice": 0, "fine": 1}
    assert "report" not in result
    assert "groups" not in result["invocation"]["module_args"]
    document = json.loads(Path(paths["json_path"]).read_text())
    assert document["schema_version"] == 1
    assert document["counts"] == result["counts"]
    assert [one["replication_group_id"] for one in document["groups"]] == ["search", "sessions", "carts"]


def test_permissions_of_ones_own(paths: dict[str, Any]) -> None:
    assert run(**paths, mode="0644")["changed"]
    assert Path(paths["html_path"]).stat().st_mode & 0o777 == 0o644
    again = run(**paths, mode="0640")
    assert again["changed"]
    assert Path(paths["html_path"]).stat().st_mode & 0o777 == 0o640


def test_a_file_that_says_the_same_is_left_alone(paths: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the moment is: ages are in whole days. A new fact, or a new day, is written."""
    moments = [ago(-0.01), ago(-0.02), ago(-0.02), ago(-1.5)]

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return datetime.datetime.fromisoformat(moments.pop(0))

    class Module:
        timezone = datetime.timezone
        datetime = Clock

    monkeypatch.setattr(audit_report, "datetime", Module)
    assert run(**paths)["changed"]
    before = texts(paths)
    stamps = [Path(path).stat().st_mtime_ns for path in paths.values()]
    second = run(**paths)
    assert not second["changed"]
    assert [file["changed"] for file in second["files"]] == [False] * 5
    assert [Path(path).stat().st_mtime_ns for path in paths.values()] == stamps
    assert run(**paths, groups=[*three(), group("new", "optional", age=1)])["changed"]
    assert all("new" in text for text in texts(paths))
    assert run(**paths)["changed"]
    assert texts(paths) != before
    assert "for 43 days" in texts(paths)[1]


def test_check_mode_writes_nothing_and_predicts(paths: dict[str, Any]) -> None:
    predicted = run(**paths, check=True, diff=True)
    assert predicted["changed"]
    assert not any(Path(path).exists() for path in paths.values())
    assert predicted["diff"][0]["before"] == ""
    done = run(**paths, diff=True)
    assert done["diff"] == predicted["diff"]
    assert [file["size"] for file in done["files"]] == [file["size"] for file in predicted["files"]]
    after = run(**paths, check=True, diff=True)
    assert not after["changed"]
    assert after["diff"] == []


def test_diff_is_a_line_a_group(paths: dict[str, Any]) -> None:
    run(**paths)
    changed = run(**paths, groups=[*three()[:2], group("search", "rbac")], diff=True)
    html, json_, csv_ = changed["diff"][:3]
    for diff in (html, json_):
        old = set(diff["before"].splitlines()) - set(diff["after"].splitlines())
        new = set(diff["after"].splitlines()) - set(diff["before"].splitlines())
        assert old == {"123456789012 eu-central-1 search: open, open, tls_off, engine_too_old"}
        assert new == {"123456789012 eu-central-1 search: rbac"}
    assert csv_["before"].count("\n") == 4


def test_a_file_that_is_something_else_is_replaced(paths: dict[str, Any]) -> None:
    for path in paths.values():
        Path(path).write_bytes(b'\xff{"groups": 3}<script type="application/json" id="data">{"groups": [1]}</script>')
    result = run(**paths, diff=True)
    assert result["changed"]
    assert [diff["before"] for diff in result["diff"][:2]] == ["", ""]
    assert json.loads(Path(paths["json_path"]).read_text())["schema_version"] == 1


def test_without_a_path_the_report_comes_back() -> None:
    result = run()
    assert not result["changed"]
    assert result["files"] == []
    assert result["report"]["groups"][2]["findings"][0]["finding"] == "optional"
    assert result["msg"] == "3 groups: 1 open, 1 optional, 1 required; 2 critical."


def test_no_group_at_all(paths: dict[str, Any]) -> None:
    result = run(**paths, groups=[], fail_on=["open", "incomplete", "token_age>1"])
    assert not result.get("failed")
    assert result["msg"] == "There is no group."
    assert json.loads(Path(paths["json_path"]).read_text())["groups"] == []
    assert len(Path(paths["csv_path"]).read_text().splitlines()) == 1


def test_groups_as_json_are_the_same() -> None:
    assert run(groups=json.dumps(three()))["report"]["groups"] == run()["report"]["groups"]


def test_fails_after_the_files_are_written(paths: dict[str, Any]) -> None:
    result = run(
        **paths, fail_on=["open", "optional", "token_age>40", "rotating", "incomplete"], incomplete=["eu: no."]
    )
    assert result["failed"]
    assert result["changed"]
    assert all(Path(path).exists() for path in paths.values())
    assert [one["condition"] for one in result["failed_conditions"]] == [
        "open",
        "optional",
        "token_age>40",
        "incomplete",
    ]
    assert result["failed_conditions"][1]["groups"] == [
        {"replication_group_id": "carts", "region": "us-east-1", "account_id": "123456789012"}
    ]
    assert result["msg"] == (
        "The audit of 3 groups fails on open: search (eu-central-1, 123456789012); optional: carts (us-east-1, "
        "123456789012); token_age>40: carts (us-east-1, 123456789012); incomplete: eu: no. The files tell all of it."
    )
    document = json.loads(Path(paths["json_path"]).read_text())
    assert document["failed_conditions"] == result["failed_conditions"]
    assert document["incomplete"] == ["eu: no."]
    assert not run(**paths, fail_on=["rotating"]).get("failed")
    # The condition failed before, and no more: that is another report.
    assert json.loads(Path(paths["json_path"]).read_text())["failed_conditions"] == []


def test_users_are_judged() -> None:
    rbac = group("chat", "rbac", user_group_ids=["ug-mail"])
    (one,) = run(groups=[rbac], users=users())["report"]["groups"]
    assert one["no_password_users"] == ["mail-reader"]
    assert one["severity"] == "critical"
    (one,) = run(groups=[rbac])["report"]["groups"]
    assert one["no_password_users"] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fail_on": ["opened"]}, "'opened' is not a condition. There are: open, optional"),
        ({"html_path": "/nowhere/at/all.html"}, "there is no folder /nowhere/at"),
        ({"html_path": "/"}, "it is a folder"),
        ({"html_path": "x", "csv_path": "x"}, "named for two files"),
        ({"max_token_age_days": -1}, "-1 is negative"),
        ({"groups": [{"elasticache_mode": "open"}]}, "no replication_group_id"),
        ({"groups": ["sessions"]}, "not a list of dictionaries"),
        ({"groups": "sessions"}, "the text is not JSON"),
        ({"groups": {"a": 1}}, "not a list of dictionaries"),
    ],
)
def test_bad_input_writes_nothing(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    given = {"json_path": str(tmp_path / "audit.json"), **options}
    result = run(**given)
    assert result["failed"]
    assert message in result["msg"]
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cant_be_written(paths: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails with the path, and leaves what was there."""
    run(**paths)
    before = texts(paths)

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", refuse)
    result = run(**paths, groups=[])
    assert result["failed"]
    assert "No space left on device" in result["msg"]
    assert paths["html_path"] in result["msg"]
    assert texts(paths) == before


# --- CSV ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\ufeff=1", "\uff1d1", "\n=1"])
def test_a_spreadsheet_takes_nothing_for_a_formula(tmp_path: Path, text: str) -> None:
    path = tmp_path / "audit.csv"
    hostile_group = group("a", age=1, description=text, region=text, engine_version=text, user_group_ids=[text])
    run(groups=[hostile_group], csv_path=str(path))
    with path.open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["description"] == f"'{text}"
    assert not any(re.match(r"\s*[=+\-@\uff1d]", cell) for cell in row.values())


def test_csv_has_a_column_for_what_is_read_most(tmp_path: Path) -> None:
    path = tmp_path / "audit.csv"
    run(csv_path=str(path))
    with path.open(newline="", encoding="utf-8") as file:
        rows = {row["replication_group_id"]: row for row in csv.DictReader(file)}
    assert rows["search"]["findings"] == "open; tls_off; engine_too_old"
    assert rows["search"]["severity"] == "critical"
    assert rows["sessions"]["unauthenticated_access"] == "false"
    assert rows["carts"]["next_step"].startswith("elasticache.auth.enable_auth")


# --- The page -------------------------------------------------------------------------------------------------------


def test_what_others_wrote_is_nowhere_markup(tmp_path: Path) -> None:
    path = tmp_path / "audit.html"
    run(groups=hostile(), html_path=str(path), title=HOSTILE[1], incomplete=list(HOSTILE), fail_on=["not_available"])
    text = path.read_text("utf-8")
    assert text.lower().count("<script") == 2
    assert text.lower().count("</script") == 2
    assert "<img" not in text
    assert "<svg" not in text
    assert "<!--" not in text
    assert "\u2028" not in text
    data = page.data_of(text)
    assert data is not None
    assert data["incomplete"] == list(HOSTILE)
    assert [one["description"] for one in data["groups"]]
    assert {one["description"] for one in data["groups"]} == set(HOSTILE)


@pytest.mark.parametrize(
    ("facts", "url"),
    [
        (
            group("a"),
            "https://eu-central-1.console.aws.amazon.com/elasticache/home?region=eu-central-1#/valkey/a",
        ),
        (
            group("a", engine="redis", region="us-gov-west-1", arn=""),
            "https://us-gov-west-1.console.amazonaws-us-gov.com/elasticache/home?region=us-gov-west-1#/redis/a",
        ),
        (
            group("a", region="cn-north-1", arn="arn:aws-cn:elasticache:cn-north-1:1:replicationgroup:a"),
            "https://cn-north-1.console.amazonaws.cn/elasticache/home?region=cn-north-1#/valkey/a",
        ),
        (
            group("a", "rbac", serverless=True),
            "https://eu-central-1.console.aws.amazon.com/elasticache/home?region=eu-central-1#/valkey",
        ),
        (
            group("a/../b?c#d", age=1),
            "https://eu-central-1.console.aws.amazon.com/elasticache/home?region=eu-central-1#/valkey/a%2F..%2Fb%3Fc%23d",
        ),
        (group("a", region="evil.example/x#"), None),
        (group("a", region=None, arn=""), None),
        (group("a", arn="arn:aws-iso:elasticache:us-iso-east-1:1:replicationgroup:a"), None),
    ],
)
def test_console(facts: dict[str, Any], url: str | None) -> None:
    assert run(groups=[facts])["report"]["groups"][0]["console_url"] == url
