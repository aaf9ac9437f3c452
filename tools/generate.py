# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Write what the roles' files and plugins say of role variables, from tools/role_variables.yml, and the IAM policies of
the roles, from tools/iam_policies.yml.

Of each role: defaults/main.yml, meta/argument_specs.yml and iam-policy.json as a whole, and the parts of tasks/main.yml
and README.md between the lines "begin generated" and "end generated"; likewise parts of a guide and two Python modules.

Usage: generate.py           writes the files that are stale, and names them
       generate.py --check   names them, and fails if there are any
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import iam_policies

ROOT = Path(__file__).resolve().parent.parent
SOURCE = Path("tools/role_variables.yml")
POLICIES = Path("tools/iam_policies.yml")
GUIDE = Path("docs/docsite/rst/guide_running_roles.rst")
_GUIDE_LINK = f"../../{GUIDE}"
AUTHOR = "elasticache.auth contributors (@elasticache-auth)"
MODULE = "elasticache.auth.auth_operation"
_HEAD = f"---\n# Written by `make generate` from {SOURCE}.\n"
#: Columns of a line.
_WIDTH = 120
#: The keys of a variable that argument_specs take, in their order.
_SPECIFIED = ("type", "elements", "choices", "no_log", "default")
_USED = re.compile(r"\bROLE_(\w+)")


class SourceError(Exception):
    """What is wrong with the source, or with a file that has parts written from it."""


@dataclass(frozen=True)
class Role:
    """A role as the source has it: its variables by their names without the role's, each with all that differs."""

    name: str
    short_description: str
    description: str
    variables: Mapping[str, Mapping[str, Any]]


def roles_of(source: Mapping[str, Any]) -> list[Role]:
    """Return the roles. Raises :class:`SourceError` for a variable that is not described or that no role has."""
    shared, roles = source["variables"], []
    for name, role in source["roles"].items():
        unknown = sorted(set(role["variables"]) - set(shared))
        if unknown:
            raise SourceError(f"{SOURCE}: {name} has {', '.join(unknown)}, which `variables` does not have.")
        variables = {
            short: {**shared[short], **(own or {}), "own": "description" in (own or {})}
            for short, own in role["variables"].items()
        }
        for short, variable in variables.items():
            missing = [key for key in ("description", "type") if key not in variable]
            if missing:
                raise SourceError(f"{SOURCE}: {short} of {name} has no {' and no '.join(missing)}.")
        roles.append(Role(name, role["short_description"], role["description"], variables))
    unused = sorted(set(shared).difference(*(role.variables for role in roles)))
    if unused:
        raise SourceError(f"{SOURCE}: no role has {', '.join(unused)}.")
    return roles


def cutover_roles(source: Mapping[str, Any]) -> list[Role]:
    """Return the roles that are client cutovers, which share no variables."""
    return [
        Role(name, role["short_description"], role["description"], role["variables"])
        for name, role in source["cutover_roles"].items()
    ]


def scalar(value: object) -> str:
    """Return a value as YAML, plain where that is read as the same value."""
    if isinstance(value, list):
        return f"[{', '.join(scalar(item) for item in value)}]"
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    try:
        is_plain = yaml.safe_load(f"[{value}]") == [value] and yaml.safe_load(f"key: {value}") == {"key": value}
    except yaml.YAMLError:
        is_plain = False
    return value if is_plain else json.dumps(value, ensure_ascii=False)


def _paragraphs(text: str, indent: str) -> list[str]:
    """Return the lines of a YAML list with the paragraphs of a description."""
    lines = []
    for paragraph in text.splitlines():
        lines.append(f"{indent}- >-")
        inner = f"{indent}  "
        lines += textwrap.wrap(
            paragraph,
            _WIDTH,
            initial_indent=inner,
            subsequent_indent=inner,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return lines


def defaults_of(role: Role) -> dict[str, Any]:
    """Return the variables' defaults by their names without the role's."""
    return {short: variable["default"] for short, variable in role.variables.items() if "default" in variable}


def defaults(role: Role) -> str:
    """Return defaults/main.yml."""
    lines = []
    for short, variable in role.variables.items():
        name = f"{role.name}_{short}"
        if "default" in variable:
            lines.append(f"{name}: {scalar(variable['default'])}")
        else:
            lines.append(f"# {name}: {variable['shown_default']}")
    return _HEAD + "\n".join(lines) + "\n"


def argument_specs(role: Role) -> str:
    """Return meta/argument_specs.yml."""
    lines = ["argument_specs:", "  main:", f"    short_description: {scalar(role.short_description)}"]
    lines += ["    description:", *_paragraphs(_named(role.description, role.name), "      ")]
    lines += [f"    author: {AUTHOR}", "    options:"]
    for short, variable in role.variables.items():
        lines += [f"      {role.name}_{short}:", "        description:"]
        lines += _paragraphs(_named(variable["description"], role.name), "          ")
        lines += [f"        {key}: {scalar(variable[key])}" for key in _SPECIFIED if key in variable]
    return _HEAD + _named("\n".join(lines), role.name) + "\n"


def _named(text: str, role: str) -> str:
    return re.sub(r"\bROLE_", f"{role}_", text)


def options(role: Role, of_module: Mapping[str, str]) -> str:
    """Return the options of auth_operation that a role sets, as its module_defaults have them."""
    lines = []
    for option, value in of_module.items():
        if set(_USED.findall(value)) <= set(role.variables):
            first, *rest = value.splitlines()
            lines += [f"      {option}: {first}", *(f"        {line}" for line in rest)]
    return _named("\n".join(lines), role.name)


def _markdown(text: str) -> str:
    """Return a description, with Ansible's markup in it, as Markdown for a cell of a table."""
    text = re.sub(r"\bP\(([^)#]*)#\w+\)", r"`\1`", " ".join(text.splitlines()))
    return re.sub(r"\b[CMOV]\(([^)]*)\)", r"`\1`", text).replace("|", r"\|")


def _code(value: object) -> str:
    return "empty" if value == "" else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _default(variable: Mapping[str, Any], mark: str = "`") -> str:
    if "default" not in variable:
        return str(variable["shown_default"])
    value = variable["default"]
    if value == "":
        return "(empty)"
    return f"{mark}{value if isinstance(value, str) else scalar(value)}{mark}"


def _meaning(variable: Mapping[str, Any]) -> str:
    meaning = _markdown(variable["description"])
    if "choices" in variable:
        meaning += f" One of {', '.join(_code(choice) for choice in variable['choices'])}."
    return meaning


def table(role: Role) -> str:
    """Return the table of variables in the role's README.md, and the names of those that the guide tells of."""
    lines, others = ["| variable | default | meaning |", "|---|---|---|"], []
    for short, variable in role.variables.items():
        if variable.get("shared") and not variable.get("own"):
            others.append(f"`…_{short}` {_default(variable)}")
        else:
            lines.append(f"| `ROLE_{short}` | {_default(variable)} | {_meaning(variable)} |")
    if others:
        text = (
            f"Those that mean the same in all roles ([guide]({_GUIDE_LINK})), with their defaults: {', '.join(others)}."
        )
        lines += ["", *textwrap.wrap(_named(text, role.name), 200, break_long_words=False, break_on_hyphens=False)]
    return _named("\n".join(lines), role.name)


def shared_table(variables: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the list of the variables that the guide tells of, as reStructuredText."""
    lines = []
    for short, variable in variables.items():
        if variable.get("shared"):
            meaning = re.sub(r"`([^`]+)`", r"``\1``", _meaning(variable)).replace("ROLE_", "…_")
            lines += ["", f"``…_{short}``"]
            lines += textwrap.wrap(
                meaning,
                140,
                initial_indent="  ",
                subsequent_indent="  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
    return "\n".join([*lines, ""])


def variable_checks(variables: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what _role_variables.py checks of variables, as Python."""

    def having(key: str) -> dict[str, Any]:
        return {short: variable[key] for short, variable in variables.items() if key in variable}

    def arguments(number: Mapping[str, Any]) -> str:
        given = dict(number)
        return ", ".join([json.dumps(given.pop("unit")), *(f"{key}={value}" for key, value in given.items())])

    dicts = [short for short, variable in variables.items() if variable.get("type") == "dict"]
    return "\n".join(
        [
            "#: The lists of the roles, by what follows the role's name.",
            *_mapping("LISTS", "Mapping[str, Item]", having("items")),
            "#: The dictionaries, likewise. They hold tokens, so no value is shown.",
            f"DICTS = ({', '.join(map(json.dumps, dicts))})",
            "#: The numbers, likewise.",
            *_mapping(
                "NUMBERS",
                "Mapping[str, Number]",
                {short: f"Number({arguments(number)})" for short, number in having("number").items()},
            ),
            "#: Those that may be left empty.",
            f"_OPTIONAL = {_tuple(having('may_be_empty'))}",
            "#: Names that can't be empty, with what they name. Of the secret that is so unless tokens are passed.",
            *_mapping(
                "NAMES", "Mapping[str, str]", {short: json.dumps(what) for short, what in having("names").items()}
            ),
        ]
    )


def _tuple(names: Iterable[str]) -> str:
    listed = [json.dumps(name) for name in names]
    return f"({', '.join(listed)}{',' if len(listed) == 1 else ''})"


def _mapping(name: str, kind: str, values: Mapping[str, str]) -> list[str]:
    head = f"{name}: {kind} = {{" if kind else f"{name} = {{"
    return [head, *(f'    "{key}": {value},' for key, value in values.items()), "}"]


def option_variables(source: Mapping[str, Any]) -> str:
    """Return the variable that each option is set from, as Python."""
    own = {
        option: option
        for option in source["options"]
        if option in source["variables"] and option not in source["option_words"]
    }
    listed = {option: json.dumps(short) for option, short in sorted({**source["option_names"], **own}.items())}
    return "\n".join(
        [
            "#: The variable, without the role's name, that an option is set from. Most have the option's own name.",
            "#: Left out are options that are words of the language, and enable_tls, which is also a role.",
            *_mapping("VARIABLES", "", listed),
        ]
    )


def with_part(text: str, part: str, name: str, path: Path) -> str:
    """Return ``text`` with what is between the lines that begin and end the part ``name`` replaced.

    Raises :class:`SourceError` where ``text`` has not exactly one such pair of lines.
    """
    lines = text.splitlines()
    begins = [at for at, line in enumerate(lines) if f"begin generated: {name}" in line]
    ends = [at for at, line in enumerate(lines) if f"end generated: {name}" in line]
    if len(begins) != 1 or len(ends) != 1 or ends[0] < begins[0]:
        raise SourceError(f"{path}: no single pair of lines `begin generated: {name}` and `end generated: {name}`.")
    return "\n".join([*lines[: begins[0] + 1], *part.splitlines(), *lines[ends[0] :]]) + "\n"


def rendered(root: Path, source: Mapping[str, Any], calls: Mapping[str, Any]) -> dict[Path, str]:
    """Return what each file has to be, by its path below ``root``. The parts that are not written from the sources are
    those that the file has. ``calls``: the source of the policies."""
    files: dict[Path, str] = {}

    def put(path: str, *parts: tuple[str, str]) -> None:
        text = (root / path).read_text("utf-8")
        for name, part in parts:
            text = with_part(text, part, name, Path(path))
        files[Path(path)] = text

    for role in (*roles_of(source), *cutover_roles(source)):
        folder = f"roles/{role.name}"
        files[Path(folder, "defaults/main.yml")] = defaults(role)
        files[Path(folder, "meta/argument_specs.yml")] = argument_specs(role)
        parts = [("variables", table(role))]
        if iam_policies.makes_calls(role.name, calls):
            files[Path(folder, "iam-policy.json")] = iam_policies.file_of(role.name, defaults_of(role), calls)
            parts.append(("policy", iam_policies.section(role.name, calls)))
        put(f"{folder}/README.md", *parts)
        if "phase" in role.variables:
            put(f"{folder}/tasks/main.yml", ("options", options(role, source["options"])))
    put(str(GUIDE), ("shared variables", f"\n{shared_table(source['variables'])}\n"))
    inventory = textwrap.indent(iam_policies.file_of("inventory", {}, calls), "   ")
    put("docs/docsite/rst/guide_inventory.rst", ("policy", f"\n.. code-block:: json\n\n{inventory}\n"))
    put("plugins/plugin_utils/_role_variables.py", ("checks", variable_checks(source["variables"])))
    put("plugins/module_utils/_core/role_words.py", ("options", option_variables(source)))
    return files


def stale(root: Path, files: Mapping[Path, str]) -> list[Path]:
    """Return the paths of the files that are not, or not so, below ``root``."""
    return [
        path for path, text in files.items() if not (root / path).is_file() or (root / path).read_text("utf-8") != text
    ]


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Write or check the files below ``root``."""
    if list(arguments) not in ([], ["--check"]):
        print(__doc__)
        return 2
    try:
        sources = [yaml.safe_load((root / path).read_text("utf-8")) for path in (SOURCE, POLICIES)]
        files = rendered(root, *sources)
    except SourceError as error:
        print(error)
        return 1
    found = stale(root, files)
    for path in found:
        if arguments:
            print(f"{path}: stale. {SOURCE} or {POLICIES} says otherwise: run `make generate`.")
        else:
            (root / path).write_text(files[path], "utf-8")
            print(f"{path}: written")
    return 1 if arguments and found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
