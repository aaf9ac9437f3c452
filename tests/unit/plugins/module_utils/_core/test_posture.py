# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What is found of groups, how bad it is, and what makes a run fail."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from browser.fleets import NOW, ago, group, many, users
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.elasticache.auth.plugins.module_utils._core import posture
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.posture import Kind, Severity
from ansible_collections.elasticache.auth.plugins.module_utils._core.record import TAG_KEY
from ansible_collections.elasticache.auth.plugins.module_utils._core.states import Mode


def audited(*groups: dict[str, Any], most: float = 90, found: list[dict[str, Any]] | None = None) -> Any:
    """Audit groups at the fleets' moment; one comes back alone."""
    told = posture.audit(posture.read_all(groups), NOW, most, posture.read_users(found or ()))
    return told[0] if len(groups) == 1 else told


def kinds(one: posture.Audited) -> list[str]:
    return [finding.kind.value for finding in one.findings]


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        (group("a", age=12), []),
        (group("a", "rbac"), []),
        (group("a", "open"), ["open"]),
        (group("a", "optional", age=3), ["optional"]),
        (group("a", "rotating", age=3), ["rotating"]),
        (group("a", None, age=3), ["unknown"]),
        (group("a", age=90.5), ["token_age"]),
        (group("a", age=90), []),
        (group("a", "open", transit_encryption_mode="off"), ["open", "tls_off"]),
        (group("a", "open", transit_encryption_mode="preferred"), ["open", "tls_preferred"]),
        (group("a", age=1, engine="redis", engine_version="5.0.5"), ["engine_too_old"]),
        (group("a", age=1, engine="redis", engine_version="5.0.6"), ["engine_too_old"]),
        (group("a", age=1, engine="redis", engine_version="6.0.0"), []),
        (group("a", age=1, engine="redis", engine_version="6.x"), []),
        (group("a", age=1, engine="redis", engine_version="7"), []),
        (group("a", age=1, engine="valkey", engine_version="7.2"), []),
        (group("a", age=1, engine="memcached", engine_version="1.6"), []),
        (group("a", age=1, engine_version=None), []),
        (group("a", age=1, drift=True), ["drift"]),
        (group("a", age=1, status="modifying"), ["not_available"]),
        (group("a", None, status="creating", pending="it is being created"), ["unknown", "not_available"]),
        (group("a", None, status="deleting"), ["not_available"]),
        (group("a", None, status="create-failed"), ["create_failed"]),
        (group("a", "rbac", serverless=True), ["serverless"]),
        (group("a", None, serverless=True, user_group_ids=["ug"]), ["serverless"]),
        (group("a", None, serverless=True, user_group_ids=[]), ["open", "serverless"]),
        (group("a", None, serverless=True, user_group_ids=None), ["unknown", "serverless"]),
        # Of all that a group with a token can be, only optional allows unauthenticated access.
        (group("a", None, age=1, unauthenticated_access=True), ["optional"]),
        (group("a", None, age=1, unauthenticated_access=False), ["unknown"]),
        ({"replication_group_id": "a", "elasticache_mode": "required"}, []),
    ],
)
def test_findings(facts: dict[str, Any], wanted: list[str]) -> None:
    assert kinds(audited(facts)) == wanted


@pytest.mark.parametrize(
    ("facts", "kind", "text", "next_step"),
    [
        (group("a", "open"), Kind.OPEN, "Unauthenticated access is allowed", "elasticache.auth.enable_auth"),
        (group("a", "open", transit_encryption_mode="off"), Kind.OPEN, "", "elasticache.auth.enable_tls first"),
        (group("a", "open", transit_encryption_mode="off"), Kind.TLS_OFF, "clear text", "elasticache.auth.enable_tls"),
        (
            group("a", "open", transit_encryption_mode="off", engine="redis", engine_version="6.2.6"),
            Kind.TLS_OFF,
            "",
            "Upgrade the engine to Redis OSS 7.0.5",
        ),
        (group("a", "open", serverless=True), Kind.OPEN, "", "modify-serverless-cache"),
        (group("a", "open", global_role="SECONDARY"), Kind.OPEN, "", "primary of its global datastore"),
        (
            group("a", global_role="secondary", age=91.2),
            Kind.TOKEN_AGE,
            "91 days old",
            "primary of its global datastore",
        ),
        (group("a", global_role="secondary", drift=True), Kind.DRIFT, "", "primary of its global datastore"),
        (group("a", None, global_role="secondary"), Kind.UNKNOWN, "", "audit the primary of its global datastore"),
        (group("a", "optional", age=12.9), Kind.OPTIONAL, "for 12 days", "elasticache.auth.enable_auth"),
        (group("a", "optional", age=0.4), Kind.OPTIONAL, "for less than a day", ""),
        (group("a", "optional"), Kind.OPTIONAL, "nobody knows since when", ""),
        (group("a", "rotating", age=1.2), Kind.ROTATING, "for 1 day", "rotate_token_phase: finish"),
        (group("a", age=91.2), Kind.TOKEN_AGE, "91 days old; the limit is 90", "elasticache.auth.rotate_token"),
        (group("a", None), Kind.UNKNOWN, "It may be optional", "audit_probe: auto"),
        (group("a", None, unauthenticated_access=False), Kind.UNKNOWN, "Nobody is accepted without a token", ""),
        (
            group("a", age=1, engine="redis", engine_version="5.0.0"),
            Kind.ENGINE_TOO_OLD,
            "Redis OSS 5.0.0: tokens can be changed from Redis OSS 5.0.6, user groups attached from Redis OSS 6.0 on",
            "engine_version",
        ),
        (
            group("a", age=1, engine="redis", engine_version="5.0.6"),
            Kind.ENGINE_TOO_OLD,
            "5.0.6: user groups attached",
            "",
        ),
        (group("a", age=1, drift=True), Kind.DRIFT, "someone else", "AWSCURRENT"),
        (group("a", None, status="create-failed"), Kind.CREATE_FAILED, "creation failed", "replication_group"),
        (
            group("a", age=1, status="modifying", pending="token ROTATING"),
            Kind.NOT_AVAILABLE,
            "modifying (token ROTATING)",
            "replication_group_wait",
        ),
    ],
)
def test_words(facts: dict[str, Any], kind: Kind, text: str, next_step: str) -> None:
    finding = next(one for one in audited(facts).findings if one.kind is kind)
    assert text in finding.text
    assert next_step in finding.next_step


def test_since_when() -> None:
    """The token's date tells since when unauthenticated access is allowed; the record where AWS has no date."""
    finding = audited(group("a", "optional", age=12.5, recorded_at=ago(3))).findings[0]
    assert (finding.since, finding.days) == (NOW - datetime.timedelta(days=12.5), 12.5)
    finding = audited(group("a", "optional", recorded_at=ago(3))).findings[0]
    assert finding.days == 3
    finding = audited(group("a", "open", recorded_at=ago(5))).findings[0]
    assert finding.days == 5


def test_age_by_the_date_before_the_number() -> None:
    """Facts out of a cache have a number that was right when they were put there."""
    assert audited(group("a", age=100, auth_token_age_days=1.0)).age_days == 100
    facts = group("a", age=100)
    facts["elasticache_auth_token_last_modified_date"] = None
    assert audited(facts).age_days == 100
    assert audited(group("a", "rbac", auth_token_last_modified_date=ago(500))).age_days is None


def test_severity_is_that_of_the_worst() -> None:
    assert audited(group("a", age=1)).severity is None
    assert audited(group("a", "rbac", serverless=True)).severity is Severity.NOTICE
    assert audited(group("a", age=100, serverless=False)).severity is Severity.WARNING
    assert audited(group("a", "open", engine="redis", engine_version="5.0.0")).severity is Severity.CRITICAL
    assert set(posture.SEVERITIES) == set(Kind)


# --- Users ----------------------------------------------------------------------------------------------------------


def user(key: str = "reader", kind: str = "no-password", access: str = "on ~* +@all", **more: Any) -> dict[str, Any]:
    return {
        "user_id": key,
        "arn": f"arn:aws:elasticache:eu-central-1:123456789012:user:{key}",
        "access_string": access,
        "user_group_ids": ["ug-1"],
        "authentication": {"type": kind},
        **more,
    }


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([user()], ("reader",)),
        ([user(kind="no-password-required")], ("reader",)),
        ([user(kind="password")], ()),
        ([user(kind="iam")], ()),
        ([user(access="off ~* +@all")], ()),
        ([user(access="on ~* +@all off")], ()),
        ([user(user_group_ids=["other"])], ()),
        ([user(user_group_ids=["UG-1"])], ("reader",)),
        ([user("b"), user("a")], ("a", "b")),
        ([user(arn="arn:aws:elasticache:us-east-1:123456789012:user:reader")], None),
        ([user(arn="arn:aws:elasticache:eu-central-1:999999999999:user:reader")], None),
        ([], None),
    ],
)
def test_users_without_password(found: list[dict[str, Any]], wanted: tuple[str, ...] | None) -> None:
    one = audited(group("a", "rbac"), found=found)
    assert one.no_password_users == wanted
    assert kinds(one) == (["no_password_users"] if wanted else [])
    assert audited(group("a", age=1), found=found).no_password_users is None


def test_a_user_without_arn_is_refused() -> None:
    with pytest.raises(AuthError, match="The user x has no ARN"):
        posture.read_users([{"user_id": "x"}])


# --- Reading --------------------------------------------------------------------------------------------------------

INFO: dict[str, Any] = {
    "replication_group_id": "Sessions",
    "arn": "arn:aws-cn:elasticache:cn-north-1:123456789012:replicationgroup:sessions",
    "status": "available",
    "pending": None,
    "mode": "optional",
    "access": {"possible_states": ["optional (an unknown token)"], "unauthenticated_access": True},
    "evidence": {"nodes": [{"reach": "answered"}], "record_used": False},
    "drift": False,
    "auth_token_enabled": True,
    "auth_token_last_modified_date": ago(2),
    "auth_token_age_days": 2.0,
    "user_group_ids": [],
    "transit_encryption_mode": "required",
    "engine": "valkey",
    "engine_version": "8.1.0",
    "cluster_enabled": False,
    "global_datastore_role": "primary",
    "primary_endpoint": {"address": "x", "port": 6379},
    "nodes": [{}, {}],
    "tags": {"team": "shop", TAG_KEY: "v1 open seen=none at=1790000000"},
}


def test_reads_what_the_info_module_returns() -> None:
    facts = posture.read(INFO)
    assert (facts.id, facts.region, facts.account_id, facts.partition) == (
        "sessions",
        "cn-north-1",
        "123456789012",
        "aws-cn",
    )
    assert facts.mode is Mode.OPTIONAL
    assert facts.evidence == ("api", "nodes")
    assert facts.endpoints == {"primary": "x:6379"}
    assert (facts.node_count, facts.global_role, facts.unauthenticated_access) == (2, "primary", True)
    assert facts.tags == {"team": "shop"}
    assert facts.recorded_at == datetime.datetime.fromtimestamp(1790000000, datetime.UTC)
    assert posture.read({**INFO, "tags": {TAG_KEY: "nonsense"}}).recorded_at is None
    assert posture.read({"replication_group_id": "a", "access": None, "evidence": None, "tags": None}).mode is None


def test_partition_without_an_arn() -> None:
    by_region = [posture.Facts("a", region=region).partition for region in ("cn-north-1", "us-gov-west-1", "eu-west-1")]
    assert by_region == ["aws-cn", "aws-us-gov", "aws"]


def test_what_the_nodes_say_comes_on_top() -> None:
    """A group of the inventory that was looked up again: what it knows of access counts as a whole."""
    host = group("sessions", None, age=2, description="kept", region="cn-north-1")
    (facts,) = posture.read_all([host, INFO])
    assert (facts.mode, facts.evidence, facts.description) == (Mode.OPTIONAL, ("api", "nodes"), "kept")
    (facts,) = posture.read_all([{**INFO, "user_group_ids": ["ug"]}, {**INFO, "user_group_ids": []}])
    assert facts.user_group_ids == ()
    serverless = group("sessions", "rbac", serverless=True, region="cn-north-1")
    assert len(posture.read_all([host, serverless])) == 2


def test_order_is_by_account_region_and_id() -> None:
    fleet = [group("b"), group("a", region="us-east-1"), group("c", account_id="1"), group("a")]
    assert [facts.id for facts in posture.read_all(fleet)] == ["c", "a", "b", "a"]
    assert [facts.region for facts in posture.read_all(fleet)][-1] == "us-east-1"


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({}, "has no replication_group_id"),
        ({"replication_group_id": "a", "elasticache_mode": "weird"}, "a: elasticache_mode: 'weird' is none of open"),
        ({"replication_group_id": "a", "elasticache_auth_token_age_days": "old"}, "'old' is not a number"),
        ({"replication_group_id": "a", "elasticache_auth_token_age_days": "nan"}, "'nan' is not a number"),
        ({"replication_group_id": "a", "elasticache_recorded_at": "noon"}, "'noon' is not a moment"),
        ({"replication_group_id": "a", "elasticache_drift": "perhaps"}, "neither true nor false"),
    ],
)
def test_facts_that_are_none_are_refused(facts: dict[str, Any], message: str) -> None:
    with pytest.raises(AuthError) as caught:
        posture.read(facts)
    assert message in str(caught.value)


def test_texts_of_a_hand_written_inventory_do() -> None:
    facts = posture.read(
        {
            "replication_group_id": " A ",
            "elasticache_mode": "Unknown",
            "elasticache_drift": "yes",
            "elasticache_unauthenticated_access": "",
            "elasticache_auth_token_age_days": "3.5",
            "elasticache_auth_token_last_modified_date": "2026-11-22T15:04:05Z",
            "elasticache_recorded_at": "2026-11-22T15:04:05",
            "elasticache_user_group_ids": "ug",
        }
    )
    assert (facts.id, facts.mode, facts.drift, facts.token_age_days) == ("a", None, True, 3.5)
    assert facts.token_date == facts.recorded_at == NOW
    assert facts.user_group_ids == ("ug",)


# --- Conditions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("open", posture.Condition("open", Kind.OPEN)),
        (" Engine_Too_Old ", posture.Condition("engine_too_old", Kind.ENGINE_TOO_OLD)),
        ("token_age>90", posture.Condition("token_age>90", days=90.0)),
        ("token_age > 0.5", posture.Condition("token_age>0.5", days=0.5)),
        ("incomplete", posture.Condition("incomplete")),
    ],
)
def test_conditions(text: str, wanted: posture.Condition) -> None:
    assert posture.parse_condition(text) == wanted


@pytest.mark.parametrize(
    "text", ["", "opened", "token_age", "token_age>", "token_age>-1", "token_age>=9", "serverless"]
)
def test_an_unknown_condition_lists_the_known_ones(text: str) -> None:
    with pytest.raises(AuthError) as caught:
        posture.parse_condition(text)
    assert all(name in str(caught.value) for name in ("open", "optional", "token_age>DAYS", "incomplete"))


def test_failed_conditions_name_the_first_few() -> None:
    fleet = audited(*(group(f"g{number}", "open") for number in range(7)), group("old", age=95.2), group("new", age=2))
    conditions = [posture.parse_condition(text) for text in ("open", "token_age>95", "rotating", "open", "incomplete")]
    failed = posture.check(conditions, fleet, ["us-east-1: refused.", "x"])
    assert [(one.condition.text, len(one.groups)) for one in failed] == [
        ("open", 7),
        ("token_age>95", 1),
        ("incomplete", 0),
    ]
    assert failed[0].names.startswith("g0 (eu-central-1, 123456789012), g1 (")
    assert failed[0].names.endswith(" and 2 more")
    assert failed[1].names == "old (eu-central-1, 123456789012)"
    assert failed[2].names == "us-east-1: refused, x"
    assert posture.check(conditions[-1:], fleet, []) == []


def test_the_age_of_a_condition_is_exact() -> None:
    fleet = [audited(group("a", age=90.01))]
    assert posture.check([posture.parse_condition("token_age>90")], fleet, [])
    assert not posture.check([posture.parse_condition("token_age>90.02")], fleet, [])


# --- Any fleet ------------------------------------------------------------------------------------------------------

ANY = st.one_of(
    st.none(), st.booleans(), st.text(max_size=8), st.integers(), st.floats(), st.lists(st.text(max_size=3))
)
HOSTS = st.fixed_dictionaries(
    {"replication_group_id": st.text("abc", min_size=1, max_size=2)},
    optional={
        "elasticache_mode": st.sampled_from([*(mode.value for mode in Mode), None]),
        "elasticache_status": st.sampled_from(["available", "modifying", "create-failed", "deleting", ""]),
        "elasticache_transit_encryption_mode": st.sampled_from(["off", "preferred", "required", None]),
        "elasticache_engine": st.sampled_from(["valkey", "redis", "", None]),
        "elasticache_engine_version": st.text("0123456789.x", max_size=6),
        "elasticache_auth_token_enabled": st.sampled_from([True, False, None]),
        "elasticache_unauthenticated_access": st.sampled_from([True, False, None]),
        "elasticache_auth_token_age_days": st.one_of(st.none(), st.floats(0, 1000)),
        "elasticache_recorded_at": st.sampled_from([None, ago(1), ago(400)]),
        "elasticache_serverless": st.booleans(),
        "elasticache_drift": st.booleans(),
        "elasticache_user_group_ids": st.one_of(st.none(), st.lists(st.text(max_size=3), max_size=2)),
        "elasticache_tags": ANY,
        "elasticache_endpoints": ANY,
        "elasticache_evidence": ANY,
        "elasticache_region": st.sampled_from(["eu-central-1", None]),
    },
)


@given(st.lists(HOSTS, max_size=8), st.floats(0, 1000))
def test_any_fleet_is_counted_and_explained(fleet: list[dict[str, Any]], most: float) -> None:
    told = posture.audit(posture.read_all(fleet), NOW, most)
    counts = posture.count(told)
    assert counts.groups == len(told) == sum(counts.by_mode.values()) == sum(counts.by_severity.values())
    assert sum(counts.by_finding.values()) == sum(len(one.findings) for one in told)
    for one in told:
        found = [finding.kind for finding in one.findings]
        assert len(set(found)) == len(found)
        assert found == sorted(found, key=list(Kind).index)
        assert all(finding.text and finding.next_step for finding in one.findings)
        # Known unauthenticated access is always reported, and never where it is refused.
        unauthenticated = one.facts.mode in (Mode.OPEN, Mode.OPTIONAL)
        assert unauthenticated == (one.has(Kind.OPEN) or one.has(Kind.OPTIONAL))
        for text in posture.CONDITIONS[:-2]:
            condition = posture.parse_condition(text)
            assert condition.meets(one) == one.has(Kind(text))


def test_a_thousand_groups() -> None:
    told = audited(*many(), found=users())
    counts = posture.count(told)
    assert counts.groups == 1000
    assert all(counts.by_finding[kind.value] for kind in Kind if kind is not Kind.CREATE_FAILED)
    assert counts.unauthenticated_access == counts.by_mode["open"] + counts.by_mode["optional"]
