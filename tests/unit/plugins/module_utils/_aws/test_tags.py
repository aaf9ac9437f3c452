# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Tags as results and inventories have them."""

from __future__ import annotations

from ansible_collections.elasticache.auth.plugins.module_utils._aws.tags import by_key


def test_names_of_ansibles_own_are_left_out() -> None:
    tags = [
        {"Key": "env", "Value": "prod"},
        {"Key": "bare"},
        {"Key": "__ansible_type", "Value": "x"},
        {"Key": "__ansible_unsafe", "Value": "x"},
        {"Key": "__other", "Value": "x"},
    ]
    assert by_key(tags) == {"env": "prod", "bare": "", "__other": "x"}
