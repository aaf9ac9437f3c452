# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What a role for the clients says of replication groups that are none of the host's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from integration.role_scenes import due_fleet, labelled, run_role
from integration.scenes import A, slots

if TYPE_CHECKING:
    from conftest import Emulator

pytestmark = pytest.mark.emulator(data_plane="light", modify_seconds=0.1)


@pytest.mark.parametrize(
    ("failures", "why"),
    [
        ("{SESSIONS: it did not start}", "SESSIONS is none of them: write sessions."),
        ("{12: it did not start}", "12 is none of them."),
        ("[sessions]", "client_failures has to be a dictionary by the ids of replication groups."),
    ],
)
def test_it_is_refused_and_the_group_does_not_go_on(
    emulator: Emulator, tmp_path: Path, failures: str, why: str
) -> None:
    due_fleet(emulator, ["sessions"], A)
    tasks = tmp_path / "move_clients" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text(f"- ansible.builtin.set_fact:\n    client_failures: {failures}\n")
    ran = run_role(emulator, "rotate_token", groups=["sessions"], client_role=str(tasks.parent))
    assert not ran.succeeded
    assert why in " ".join(ran.output.split())
    assert slots(emulator, "sessions") == [A, labelled(emulator, "sessions")["AWSCURRENT"]]
