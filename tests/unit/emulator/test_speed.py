# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What is kept between calls is not kept for too long."""

from __future__ import annotations

from typing import Any

import pytest
from unit.emulator.control_support import create, modify

pytestmark = pytest.mark.emulator(data_plane="none", modify_seconds=0.05)


def test_a_page_is_what_its_groups_are_one_by_one(emulator: Any) -> None:
    client = emulator.client("elasticache")
    assert client.describe_replication_groups()["ReplicationGroups"] == []
    for number in range(25):
        create(emulator, f"g-{number:02}", ReplicationGroupDescription=f"<{number}> & \\1 </ReplicationGroups>")
    for dummy in range(2):  # the second time from what was kept
        page = client.describe_replication_groups(MaxRecords=20)
        assert "Marker" in page
        rest = client.describe_replication_groups(Marker=page["Marker"])
        assert "Marker" not in rest
        shown = page["ReplicationGroups"] + rest["ReplicationGroups"]
        assert [group["ReplicationGroupId"] for group in shown] == [f"g-{number:02}" for number in range(25)]
        assert shown[7]["Description"] == "<7> & \\1 </ReplicationGroups>"
        for group in shown:
            [alone] = client.describe_replication_groups(ReplicationGroupId=group["ReplicationGroupId"])[
                "ReplicationGroups"
            ]
            assert alone == group


def test_a_change_shows_at_once(emulator: Any) -> None:
    client = emulator.client("elasticache")
    create(emulator, "g-1")
    create(emulator, "g-2")

    def descriptions() -> list[str]:
        return [group["Description"] for group in client.describe_replication_groups()["ReplicationGroups"]]

    before = descriptions()
    modify(emulator, "g-2", ReplicationGroupDescription="changed")
    assert descriptions() == [before[0], "changed"]
    client.delete_replication_group(ReplicationGroupId="g-1")
    [status, dummy] = [group["Status"] for group in client.describe_replication_groups()["ReplicationGroups"]]
    assert status == "deleting"
