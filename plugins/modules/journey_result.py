# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: journey_result
version_added: 0.1.0
short_description: Keep account of what happened to each replication group on a journey, wave by wave
description:
  - Writes what happened to the groups of a wave into a JSON file, beside that of the waves before, and counts by wave
    and state. It talks to nobody.
  - The roles of this collection use it where they are given a path. It holds no token.
  - The first wave begins the file anew.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  path:
    description: The file. Its folder has to exist.
    type: path
    required: true
  journey:
    description: The journey, by the name of the role that makes it.
    type: str
    required: true
  groups:
    description:
      - What happened to each group of the wave, as P(elasticache.auth.journey_report#filter) tells it in C(groups).
      - A group is known by its id, with the region and the account where they are known.
    type: dict
    required: true
  place:
    description: Where the groups of this call are, C(region) and C(assume_role_arn).
    type: dict
    default: {}
  first:
    description: Whether this is the first wave.
    type: bool
    default: true
  wave:
    description: The number of the wave, from 1 on.
    type: int
    default: 1
  waiting:
    description: The hosts whose wave has not come yet.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - elasticache.auth.attributes
attributes:
  check_mode:
    support: full
    details: Nothing is written.
  diff_mode:
    support: none
    details: The file is the account of a run, and another one each time.
  idempotent:
    support: none
    details: The same wave told again takes the place of what was told of it before.
"""

EXAMPLES = r"""
- name: Keep account of a wave
  elasticache.auth.journey_result:
    path: /var/log/ansible/rotate_token.json
    journey: rotate_token
    groups: "{{ report.groups }}"
"""

RETURN = r"""
msg:
  description: The counts, in words.
  returned: always
  type: str
  sample: >-
    rotate_token, wave 2: 98 changed, 2 failed. In all: 99 changed, 2 failed, 899 hosts are waiting. They stand at: 99
    required (the token in AWSCURRENT), 2 rotating (the token in AWSCURRENT, then the token in AWSPENDING).
summary:
  description: How many groups there are of each outcome, in the wave and in all.
  returned: always
  type: dict
  contains:
    wave:
      description: The counts of this wave.
      type: dict
      returned: always
      sample: {changed: 98, failed: 2}
    all:
      description: The counts of all waves so far.
      type: dict
      returned: always
      sample: {changed: 99, failed: 2}
    states:
      description: How many groups stand where, after all waves so far.
      type: dict
      returned: always
      sample: {"required (the token in AWSCURRENT)": 99}
"""

import collections
import datetime
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

SCHEMA = 1


def outcome_of(group: Mapping[str, Any]) -> str:
    """Return one word for what happened to a group."""
    if group.get("failed"):
        return "failed"
    return "changed" if group.get("changed") else "unchanged"


def standing(group: Mapping[str, Any]) -> str:
    """Return where a group stands, in words; some could not be looked at."""
    return str(group.get("stands") or group.get("stood") or "unknown (not looked at)")


def merged(
    before: Mapping[str, Any] | None, params: Mapping[str, Any], now: str, accounts: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the content of the file after this wave; ``before``: what it held of the waves before."""
    kept = [one for one in (before or {}).get("groups", []) if not _told_again(one, accounts)]
    return {
        "schema": SCHEMA,
        "journey": params["journey"],
        "began_at": (before or {}).get("began_at", now),
        "told_at": now,
        "groups": [*kept, *accounts],
        "waiting": params["waiting"],
    }


def _told_again(one: Mapping[str, Any], accounts: Iterable[Mapping[str, Any]]) -> bool:
    def key(account: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(account.get(name) for name in ("replication_group_id", "region", "assume_role_arn", "wave"))

    return key(one) in {key(account) for account in accounts}


def counts(groups: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many groups there are of each outcome, the most frequent first."""
    return dict(collections.Counter(group["outcome"] for group in groups).most_common())


def words(found: Mapping[str, int]) -> str:
    """Return the counts in words."""
    return ", ".join(f"{number} {outcome}" for outcome, number in found.items()) or "no groups"


def write(path: str, content: Mapping[str, Any]) -> None:
    """Write the file whole or not at all; only its owner can read it."""
    handle, name = tempfile.mkstemp(dir=os.path.dirname(os.path.abspath(path)), prefix=".journey_result")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=1)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "journey": {"type": "str", "required": True},
            "groups": {"type": "dict", "required": True},
            "place": {"type": "dict", "default": {}},
            "first": {"type": "bool", "default": True},
            "wave": {"type": "int", "default": 1},
            "waiting": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    params = module.params
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    place = {name: params["place"].get(name) or None for name in ("region", "assume_role_arn")}
    accounts = [
        {"replication_group_id": key, **place, "wave": params["wave"], "outcome": outcome_of(group), **group}
        for key, group in params["groups"].items()
    ]
    before = None
    try:
        if not params["first"] and os.path.exists(params["path"]):
            with open(params["path"], encoding="utf-8") as stream:
                before = json.load(stream)
        content = merged(before, params, now, accounts)
        if not module.check_mode:
            write(params["path"], content)
    except (OSError, ValueError) as error:
        module.fail_json(
            msg=f"path: {params['path']}: {error}. Name a file in a folder that exists and can be written to, or none."
        )
    wave = [one for one in content["groups"] if one["wave"] == params["wave"]]
    summary = {
        "wave": counts(wave),
        "all": counts(content["groups"]),
        "states": dict(collections.Counter(map(standing, content["groups"])).most_common()),
    }
    waiting = f", {len(params['waiting'])} hosts are waiting" if params["waiting"] else ""
    module.exit_json(
        changed=not module.check_mode,
        msg=f"{params['journey']}, wave {params['wave']}: {words(summary['wave'])}. "
        f"In all: {words(summary['all'])}{waiting}. They stand at: {words(summary['states'])}.",
        summary=summary,
    )


if __name__ == "__main__":
    main()
