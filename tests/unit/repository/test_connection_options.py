# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""No module has an option of its own that is one of amazon.aws's for the connection: it would be taken for that."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from unit.repository.test_internal_plugins import PLUGINS, documentation, documented

MODULES = documented("modules")


def names(options: dict[str, dict[str, object]]) -> set[str]:
    """The options and their aliases."""
    found = set(options)
    for option in options.values():
        aliases = option.get("aliases", ())
        assert isinstance(aliases, (list, tuple))
        found |= set(map(str, aliases))
    return found


def test_there_are_modules_and_options() -> None:
    assert PLUGINS / "modules" / "audit_look.py" in MODULES
    assert {"secret_key", "region", "profile"} <= names(aws_argument_spec())


@pytest.mark.parametrize("path", MODULES, ids=[path.stem for path in MODULES])
def test_no_option_is_one_of_the_connection(path: Path) -> None:
    options = documentation(path).get("options", {})
    assert isinstance(options, dict)
    assert names(options) & names(aws_argument_spec()) == set()
