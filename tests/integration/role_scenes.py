# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Run the roles as users do, by their playbooks' FQCN, and see what they called and what the secrets hold.

The variables come from a file (``-e @file``), so that a token among them is not an argument of the command::

    ran = run_role(emulator, "rotate_token", force=True, soak=0)
    assert ran.succeeded and ran.changed == {"localhost": 1}
    assert ran.mutating == ["secretsmanager:PutSecretValue", ...]
    assert labelled(emulator)["AWSCURRENT"] != A
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from integration.run import PlaybookRun, run_playbook
from integration.scenes import GROUP, create, put_secret
from waiting import PATIENCE

if TYPE_CHECKING:
    from conftest import Emulator

KEY = "auth_token"
#: The operations that know tokens, with what their roles take besides the common variables.
WITH_TOKENS = (
    "rotate_token",
    "enable_auth",
    "migrate_rbac_to_auth",
    "migrate_auth_to_rbac",
    "disable_access_control",
    "rollback_token",
)
ROLES = (*WITH_TOKENS, "enable_tls")


@dataclass(frozen=True)
class RoleRun(PlaybookRun):
    """What came of a role's playbook. ``calls``: all that the emulator got meanwhile, as its log has them.

    ``reports``: the groups of its run file, by id; none in check mode, and where the test names a file itself.
    """

    calls: tuple[Mapping[str, Any], ...] = ()
    reports: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def mutating(self) -> list[str]:
        """The mutating calls in order, as ``service:action``, refused ones too."""
        return [f"{call['service']}:{call['action']}" for call in self.calls if call["mutating"]]

    @property
    def services(self) -> set[str]:
        """The services that were called at all."""
        return {call["service"] for call in self.calls}

    @property
    def changed(self) -> dict[str, int]:
        """The number of changed tasks by host."""
        return {host: numbers["changed"] for host, numbers in self.recap.items()}

    @property
    def text(self) -> str:
        """The output without Ansible's line breaks and quotes' escapes: what a message can be looked for in."""
        return re.sub(r"\s+", " ", self.output.replace("\\n", " ").replace('\\"', '"'))

    @property
    def planned(self) -> list[str]:
        """The calls that the plan shows, as ``service:action``, in order."""
        return re.findall(r"\d+\. ((?:elasticache|secretsmanager):\w+)\(", self.output)


def role_variables(
    emulator: Emulator, role: str, groups: Sequence[str] | None = None, **variables: Any
) -> dict[str, Any]:
    """The role's variables by their full names, with waits as short as the emulator's changes."""
    common: dict[str, Any] = {"wait_delay": 0.1, "wait_timeout": PATIENCE}
    if role in WITH_TOKENS:
        common |= {"data_plane_ca_path": emulator.ca_bundle or ""}
    if groups is not None:
        common |= {"replication_groups": list(groups)}
    return {f"{role}_{name}": value for name, value in {**common, **variables}.items() if value is not None}


def run_role(
    emulator: Emulator,
    role: str,
    *,
    groups: Sequence[str] | None = (GROUP,),
    check: bool = False,
    diff: bool = False,
    verbosity: int = 0,
    inventory: str = "localhost,",
    arguments: Sequence[str] = (),
    extra_vars: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float = 300,
    working: Path | None = None,
    **variables: Any,
) -> RoleRun:
    """Run ``elasticache.auth.<role>``; ``variables`` are without the role's prefix, ``extra_vars`` as they are.

    ``groups=None``: those that the hosts of the ``inventory`` stand for. A variable that is None is not given.
    """
    before = len(emulator.calls())
    given = {**role_variables(emulator, role, groups, **variables), **(extra_vars or {})}
    with tempfile.TemporaryDirectory(prefix="elasticache-auth-vars_") as folder:
        file, run_file = Path(folder, "vars.json"), Path(folder, "run.json")
        given = {f"{role}_report_path": str(run_file), **given}
        file.write_text(json.dumps(given), encoding="utf-8")
        run = run_playbook(
            emulator,
            Path(f"elasticache.auth.{role}"),
            check=check,
            diff=diff,
            verbosity=verbosity,
            inventory=inventory,
            environment=environment,
            arguments=["-e", f"@{file}", *arguments],
            timeout=timeout,
            working=working,
        )
        groups_of_run = json.loads(run_file.read_text("utf-8"))["groups"] if run_file.exists() else []
    calls = tuple(emulator.calls()[before:])
    reports = {group["replication_group_id"]: group for group in groups_of_run}
    return RoleRun(run.returncode, run.output, run.results, run.recap, calls, reports)


def secret_name(group: str = GROUP) -> str:
    """The name of a group's secret, as the roles have it by default."""
    return f"elasticache/{group}/auth-token"


def secret_text(token: str) -> str:
    """A secret's text: JSON, with another key beside the token's."""
    return json.dumps({KEY: token, "port": 6379})


def put_token(emulator: Emulator, current: str, pending: str | None = None, group: str = GROUP) -> str:
    """Store a JSON secret with a token in AWSCURRENT, and one in AWSPENDING; returns its name."""
    return put_secret(
        emulator, secret_name(group), secret_text(current), None if pending is None else secret_text(pending)
    )


def promote(emulator: Emulator, group: str = GROUP) -> None:
    """AWSPENDING becomes AWSCURRENT, and that AWSPREVIOUS: what auth_secret does, behind its back."""
    name = secret_name(group)
    client = emulator.client("secretsmanager")
    versions = client.describe_secret(SecretId=name)["VersionIdsToStages"]
    at = {stage: version for version, stages in versions.items() for stage in stages}
    client.update_secret_version_stage(
        SecretId=name,
        VersionStage="AWSCURRENT",
        MoveToVersionId=at["AWSPENDING"],
        RemoveFromVersionId=at["AWSCURRENT"],
    )
    client.update_secret_version_stage(SecretId=name, VersionStage="AWSPENDING", RemoveFromVersionId=at["AWSPENDING"])


def version_ids(emulator: Emulator, group: str = GROUP) -> dict[str, str]:
    """The truth: the version's id at each staging label of the group's secret; empty where there is no secret."""
    client = emulator.client("secretsmanager")
    try:
        versions = client.describe_secret(SecretId=secret_name(group)).get("VersionIdsToStages", {})
    except client.exceptions.ResourceNotFoundException:
        return {}
    return {stage: version for version, stages in versions.items() for stage in stages}


def labelled(emulator: Emulator, group: str = GROUP) -> dict[str, str]:
    """The truth: the token at each staging label of the group's secret; empty where there is no secret."""
    client = emulator.client("secretsmanager")
    found = {}
    for stage, version in version_ids(emulator, group).items():
        text = client.get_secret_value(SecretId=secret_name(group), VersionId=version)["SecretString"]
        found[stage] = str(json.loads(text).get(KEY, ""))
    return found


def age(emulator: Emulator, days: float, group: str = GROUP) -> None:
    """Let the group's token have been changed so many days ago."""
    emulator.admin("POST", f"groups/{group}", {"token_age_days": days})


def due_fleet(emulator: Emulator, groups: Sequence[str], token: str) -> Emulator:
    """Create groups whose token is a hundred days old, and in AWSCURRENT."""
    for group in groups:
        create(emulator, group, wait=False, AuthToken=token)
        put_token(emulator, token, group=group)
    for group in groups:
        emulator.wait_available(group)
        age(emulator, 100, group)
    return emulator
