# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a module says, in the words of whoever runs a role: its variables in the place of the module's options.

A role calls modules whose options it sets from variables of other names, and does not set all of them. This is the one
module that knows which option is which variable. Pure.
"""

from __future__ import annotations

import re

# begin generated: options (make generate)
#: The variable, without the role's name, that an option is set from. Most have the option's own name.
#: Left out are options that are words of the language, and enable_tls, which is also a role.
VARIABLES = {
    "accept_open_access": "accept_open_access",
    "accept_open_window": "accept_open_window",
    "access_string": "access_string",
    "allow_direct": "allow_direct",
    "assume_newest": "assume_newest",
    "assume_state": "assume_state",
    "auth_token_secret": "secret_name",
    "auth_token_secret.key": "secret_key",
    "auth_token_secret.name": "secret_name",
    "auth_tokens": "auth_tokens",
    "busy_groups": "busy_groups",
    "create_secret": "create_secret",
    "cutover_timeout": "cutover_timeout",
    "data_plane_ca_path": "data_plane_ca_path",
    "disconnect_stale": "disconnect_stale",
    "known_auth_tokens": "previous_auth_tokens",
    "max_changes_per_second": "max_changes_per_second",
    "max_token_age_days": "max_token_age_days",
    "monitor.duration": "monitor_duration",
    "monitor.max_failures": "monitor_max_failures",
    "monitor.period": "monitor_period",
    "monitor.poll_interval": "monitor_poll_interval",
    "open_user_group_id": "open_user_group_id",
    "previous_auth_tokens": "previous_auth_tokens",
    "replication_group_ids": "replication_groups",
    "require_reconnected": "require_reconnected",
    "take_over": "take_over",
    "user_group_id": "user_group_id",
    "user_id": "user_id",
    "user_ids": "user_ids",
    "wait_delay": "wait_delay",
    "wait_timeout": "wait_timeout",
}
# end generated: options
#: Options that are words of the language, by what follows them where they are none.
_WORDS = {
    "force": r": (?:true|false)\b",
    "phase": r": (?:all|begin|finish)\b",
    "probe": r": (?:auto|always|never)\b",
    "soak": r": ",
}
#: A role attaches one user group. A way out that names the option of a module keeps its name.
_USER_GROUPS = re.compile(r"(?<=: )user_group_ids(?=: )")
#: What a role has no variable for, with the words around it.
DROPPED = (
    r", or do without the record with record: false",
    r" The record is a tag(?:, which needs elasticache:AddTagsToResource)?; record: false does without\.",
    r" ?Or do without tags and the record with record: false\.",
    r" Without the record \(record: false\) a run that is cut off can't be told from one that never was\.",
    r", or name another label in auth_token_secret\.stage",
)
#: Ways out that differ: a role takes tokens by id or from a secret.
_REWORDED = {
    "Give it in auth_token, under its id in auth_tokens, or in a secret by auth_token_secret": (
        "Give it under its id in auth_tokens, or in a secret by auth_token_secret"
    ),
}

_OPTION = re.compile(
    rf"(?<![\w.])(?:targets\[\d+\]\.)?"
    rf"({'|'.join(re.escape(name) for name in sorted(VARIABLES, key=len, reverse=True))})(?!\w|\.\w)"
)
_WORD = re.compile("|".join(rf"(?<![\w.])({name})(?={follows})" for name, follows in _WORDS.items()))
_DROP = re.compile("|".join(DROPPED))


def for_role(text: str, role: str) -> str:
    """Return a module's message with the variables of ``role`` in the place of options. Twice is the same as once."""
    for said, instead in _REWORDED.items():
        text = text.replace(said, instead)
    text = _DROP.sub("", text)
    text = _OPTION.sub(lambda found: f"{role}_{VARIABLES[found.group(1)]}", text)
    text = _USER_GROUPS.sub(f"{role}_user_group_id", text)
    return _WORD.sub(lambda found: f"{role}_{found.group(0)}", text)
