# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the variables of the roles have to be, beyond what Ansible checks of them by their argument_specs.

Ansible checks a copy of each value: what it could convert passes, and the role gets it unconverted. Messages name the
role's variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.lists import (
    GROUPS,
    REGIONS,
    USERS,
    Item,
    kind_of,
    one_or_more,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.posture import CONDITIONS, parse_condition


def _is_condition(text: str) -> bool:
    try:
        parse_condition(text)
    except AuthError:
        return False
    return True


_CONDITIONS = Item(
    "a condition",
    ("open", "token_age>90"),
    _is_condition,
    f"There are: {', '.join(CONDITIONS)} (DAYS is a number, such as 90).",
)
#: The lists of the roles, by what follows the role's name.
LISTS: Mapping[str, Item] = {
    "replication_groups": GROUPS,
    "user_ids": USERS,
    "regions": REGIONS,
    "fail_on": _CONDITIONS,
}
#: The dictionaries, likewise. They hold tokens, so no value is shown.
DICTS = ("auth_tokens", "previous_auth_tokens")
#: What is checked.
CHECKED = (*LISTS, *DICTS)


def check_variables(role: str, values: Mapping[str, Any]) -> None:
    """Raise :class:`AuthError` for the first of a role's variables that can't be meant so.

    ``values``: the role's variables by what follows its name, without those that are not defined.
    """
    for short, item in LISTS.items():
        if short in values:
            one_or_more(f"{role}_{short}", values[short], item, dicts=short == "replication_groups" and role != "audit")
    for short in DICTS:
        if short in values and not isinstance(values[short], Mapping):
            # A text may be a token: it is not shown.
            kind = "a text" if isinstance(values[short], str) else kind_of(values[short])
            raise AuthError(
                f"{role}_{short}: {kind} is not a dictionary. Pass the tokens by the id of their group, from a file: "
                f"-e @tokens.yml, with {role}_{short}: {{sessions: ...}}."
            )
