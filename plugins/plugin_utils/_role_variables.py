# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the variables of the roles have to be, beyond what Ansible checks of them by their argument_specs.

Ansible checks a copy of each value: what it could convert passes, and the role gets it unconverted. Messages name the
role's variable.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.lists import (
    GROUPS,
    PLACEHOLDER,
    REGIONS,
    USERS,
    Item,
    kind_of,
    one_or_more,
    shown,
)
from ansible_collections.elasticache.auth.plugins.module_utils._core.monitor_times import check_monitor_times
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


@dataclass(frozen=True)
class Number:
    """What a number may be: its unit, the least of it and whether that is excluded, the most, and whether it may be
    infinite."""

    unit: str
    least: float = 0
    excluded: bool = False
    most: float = math.inf
    infinite: bool = False

    @property
    def words(self) -> str:
        """The range, as a user reads it."""
        if self.most < math.inf:
            return f"{self.unit} from {self.least:g} to {self.most:g}"
        return f"{self.unit} above {self.least:g}" if self.excluded else f"{self.unit}, {self.least:g} or more"

    def takes(self, value: float) -> bool:
        """Whether a number is in the range."""
        enough = value > self.least if self.excluded else value >= self.least
        return enough and value <= self.most and (self.infinite or math.isfinite(value))


# begin generated: checks (make generate)
#: The lists of the roles, by what follows the role's name.
LISTS: Mapping[str, Item] = {
    "replication_groups": GROUPS,
    "user_ids": USERS,
    "regions": REGIONS,
    "fail_on": _CONDITIONS,
}
#: The dictionaries, likewise. They hold tokens, so no value is shown.
DICTS = ("auth_tokens", "previous_auth_tokens")
#: The numbers, likewise.
NUMBERS: Mapping[str, Number] = {
    "soak": Number("seconds"),
    "max_token_age_days": Number("days", infinite=True),
    "wait_timeout": Number("seconds", infinite=True),
    "wait_delay": Number("seconds", excluded=True),
    "monitor_duration": Number("seconds"),
    "monitor_max_failures": Number("failed authentications"),
    "monitor_period": Number("seconds", excluded=True),
    "monitor_poll_interval": Number("seconds", excluded=True),
    "cutover_timeout": Number("seconds", infinite=True),
    "max_changes_per_second": Number("changes a second", excluded=True),
    "max_fail_percentage": Number("hosts of a hundred", most=100),
}
#: Those that may be left empty.
_OPTIONAL = ("soak",)
#: Names that can't be empty, with what they name. Of the secret that is so unless tokens are passed.
NAMES: Mapping[str, str] = {
    "secret_name": "the secret that holds the token",
    "user_group_id": "the user group",
    "user_id": "the user named default",
    "open_user_group_id": "the user group that needs no password",
}
# end generated: checks
#: The options of the monitor, in the order of its check, and the variables that they are set from.
MONITOR = {
    "duration": "monitor_duration",
    "poll_interval": "monitor_poll_interval",
    "max_failures": "monitor_max_failures",
    "period": "monitor_period",
}
#: What is checked.
CHECKED = (*LISTS, *DICTS, *NUMBERS, *NAMES)


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
    for short, number in NUMBERS.items():
        if short in values and not (short in _OPTIONAL and values[short] in (None, "")):
            _check_number(f"{role}_{short}", values[short], number)
    _check_monitor(role, values)
    for short, what in NAMES.items():
        # The audit reads secrets only where one is named.
        is_needed = short != "secret_name" or not (values.get("auth_tokens") or role == "audit")
        if short in values and is_needed and not str(values[short] or "").strip():
            raise AuthError(f"{role}_{short} is empty. Name {what}; {PLACEHOLDER} in it stands for the group's id.")


def _check_number(name: str, given: object, number: Number) -> None:
    try:
        value = math.nan if isinstance(given, bool) else float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        value = math.nan
    if not number.takes(value):
        told = shown(given) if isinstance(given, str) else kind_of(given)
        raise AuthError(f"{name}: {told} is not possible. Give {number.words}.")


def _check_monitor(role: str, values: Mapping[str, Any]) -> None:
    """Raise :class:`AuthError` for what the monitor would refuse: that is made after SET."""
    if float(values.get("monitor_duration") or 0) <= 0:
        return
    duration, poll_interval, max_failures, period = (float(values[short]) for short in MONITOR.values())
    names = {option: f"{role}_{short}" for option, short in MONITOR.items()}
    check_monitor_times(duration, poll_interval, int(max_failures), int(period), names)
