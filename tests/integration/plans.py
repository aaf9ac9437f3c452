# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Compare the calls that a plan shows with those that came in at the emulator: service, action and members.

What a plan calls otherwise is put into the same words: a resource by the end of its ARN, tags by their keys, a version
of a secret by a label that it has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Call = tuple[str, list[tuple[str, str]]]
_VERSION = re.compile(r"\(that of (.+)\)")
_VERSIONS = ("MoveToVersionId", "RemoveFromVersionId")


def planned(calls: Iterable[Mapping[str, Any]]) -> list[Call]:
    """The calls of a plan."""
    return [(f"{call['service']}:{call['action']}", sorted(_flat(call["parameters"]))) for call in calls]


def made(
    calls: Sequence[Mapping[str, Any]], plan: Sequence[Mapping[str, Any]], labels: Mapping[str, str]
) -> list[Call]:
    """The mutating calls that came in; ``plan`` says by which of its labels a version is called there, and ``labels``
    are the version ids by label before the first call.

    Fails the test where a version has not the label that the plan says.
    """
    labels = dict(labels)
    found = []
    mutating = [call for call in calls if call["mutating"]]
    for number, call in enumerate(mutating):
        shown = plan[number]["parameters"] if number < len(plan) else {}
        members = dict(_made(call, labels, shown))
        found.append((f"{call['service']}:{call['action']}", sorted(_flat(members))))
        labels = _after(call, labels)
    return found


def sent(calls: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> list[str]:
    """The mutating calls that came in, each as ``service:Action(Member=value, Other=[value, value])``, members by name.

    ``labels``: as :func:`made` has them. A version of the secret is called by all labels that it has before the call.
    """
    labels = dict(labels)
    found = []
    for call in calls:
        if not call["mutating"]:
            continue
        members: dict[str, list[str]] = {}
        for name, value in _flat(dict(_made(call, labels, {}))):
            said = sorted(label for label, version in labels.items() if version == value)
            members.setdefault(name, []).append(
                f"that of {' and '.join(said) or 'no label'}" if name in _VERSIONS else value
            )
        found.append(written(f"{call['service']}:{call['action']}", members))
        labels = _after(call, labels)
    return found


def written(action: str, members: Mapping[str, Sequence[str]]) -> str:
    """A call as one line of text."""
    parts = (
        f"{name}={values[0] if len(values) == 1 else '[' + ', '.join(values) + ']'}"
        for name, values in sorted(members.items())
    )
    return f"{action}({', '.join(parts)})"


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for inner in value:
            yield from _flat(inner, name)
    else:
        yield name, str(value).lower() if isinstance(value, bool) else str(value)


def _made(
    call: Mapping[str, Any], labels: Mapping[str, str], shown: Mapping[str, Any]
) -> Iterator[tuple[str, str | list[str]]]:
    """The members of a call, as a plan has them."""
    found: dict[str, list[str]] = {}
    for name, value in call["members"].items():
        parts = [part for part in name.split(".") if part not in ("member", "Tag") and not part.isdigit()]
        if parts[0] == "Tags" and parts[-1] == "Key":
            parts = ["Tags"]
        if parts[0] == "ClientRequestToken" or (parts[0] == "Tags" and parts[-1] == "Value"):
            continue
        if parts == ["ResourceName"]:
            value = ":".join(value.split(":")[5:])
        if parts[0] in _VERSIONS:
            said = _VERSION.fullmatch(str(shown.get(parts[0], "")))
            if said:
                assert labels.get(said[1]) == value, f"{parts[0]} is not {said[0]}"
                value = said[0]
        found.setdefault(".".join(parts), []).append(value)
    yield from found.items()


def _after(call: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, str]:
    """The labels after a call on a secret."""
    members, after = call["members"], dict(labels)
    version = members.get("ClientRequestToken", "")
    match call["action"]:
        case "CreateSecret" if "SecretString" in members:
            after["AWSCURRENT"] = version
        case "PutSecretValue":
            stages = [value for name, value in members.items() if name.startswith("VersionStages")]
            if "AWSCURRENT" not in after:
                after["AWSCURRENT"] = version
            elif "AWSCURRENT" in stages:
                after["AWSPREVIOUS"] = after["AWSCURRENT"]
            after |= dict.fromkeys(stages, version)
        case "UpdateSecretVersionStage":
            stage, target = members["VersionStage"], members.get("MoveToVersionId")
            if target is None:
                after.pop(stage, None)
            else:
                if stage == "AWSCURRENT" and stage in after:
                    after["AWSPREVIOUS"] = after[stage]
                after[stage] = target
    return after
