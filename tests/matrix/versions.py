# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What is in ``versions.toml``: the combinations, and what is made from them for README and the workflow.

Nothing but the standard library, so that a workflow can read the file before anything is installed.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
VERSIONS = Path(__file__).parent / "versions.toml"
README = REPOSITORY / "README.md"
BEGIN, END = "<!-- Made by make matrix-table -->", "<!-- End of what make matrix-table makes -->"


@dataclass(frozen=True)
class Combination:
    """What is tried together. ``wheel``: the requirement of the wheel that holds this ``amazon_aws``."""

    name: str
    core: str
    python: str
    module_python: str
    amazon_aws: str
    boto3: str
    wheel: str
    prerelease: bool = False
    sanity: bool = False

    @property
    def core_requirement(self) -> str:
        """The newest release of this ansible-core, for pip."""
        return f"ansible-core~={self.core}.0{'b1' if self.prerelease else ''}"

    def boto3_requirements(self) -> tuple[str, ...]:
        """What pip is told of boto3 beyond requirements.txt."""
        if self.boto3 == "newest":
            return ()
        return tuple(f"{name}=={version}" for name, version in oldest_boto3().items())


def combinations(path: Path = VERSIONS) -> tuple[Combination, ...]:
    """Read the file. Raises ValueError where it holds what nobody would read."""
    read = tomllib.loads(path.read_text("utf-8"))
    wheels = read["amazon_aws"]
    if set(read) != {"amazon_aws", "combination"}:
        raise ValueError(f"{path.name} has tables that are not known: {sorted(read)}")
    known = {field.name for field in dataclasses.fields(Combination)} - {"wheel"}
    found = []
    for entry in read["combination"]:
        if unknown := set(entry) - known:
            raise ValueError(f"{path.name}: {entry['name']} has {sorted(unknown)}")
        if entry["boto3"] not in ("oldest", "newest"):
            raise ValueError(f"{path.name}: boto3 of {entry['name']} is neither oldest nor newest")
        found.append(Combination(wheel=wheels[entry["amazon_aws"]], **entry))
    names = [combination.name for combination in found]
    if len(set(names)) != len(names):
        raise ValueError(f"{path.name}: two combinations have the same name")
    if unused := set(wheels) - {combination.amazon_aws for combination in found}:
        raise ValueError(f"{path.name}: no combination has amazon.aws {', '.join(sorted(unused))}")
    return tuple(found)


def version(text: str) -> tuple[int, ...]:
    """A version's numbers, to compare it by."""
    return tuple(int(number) for number in text.split("."))


def oldest_core() -> str:
    """The oldest ansible-core that the collection claims to support, as major.minor."""
    return _found(r'^requires_ansible: ">=(\d+\.\d+)\.0"$', "meta/runtime.yml")


def oldest_amazon_aws() -> str:
    """The oldest amazon.aws that it claims to support."""
    return _found(r'^  amazon\.aws: ">=([\d.]+)"$', "galaxy.yml")


def oldest_boto3() -> dict[str, str]:
    """The oldest boto3 and botocore that it claims to support."""
    return {name: _found(rf"^{name}>=([\d.]+)$", "requirements.txt") for name in ("boto3", "botocore")}


def oldest_module_python() -> str:
    """The oldest Python that its modules claim to run with."""
    return _found(r'^  python_requires: ">=([\d.]+)"$', "tests/config.yml")


def _found(pattern: str, name: str) -> str:
    match = re.search(pattern, (REPOSITORY / name).read_text("utf-8"), re.MULTILINE)
    if not match:
        raise ValueError(f"{name} does not say what is supported: {pattern}")
    return match[1]


def table(chosen: Sequence[Combination]) -> str:
    """README's table: what is tried together."""
    lines = ["| ansible-core | Python | Python of the modules | amazon.aws | boto3 |", "|---|---|---|---|---|"]
    oldest = oldest_boto3()["boto3"]
    for one in chosen:
        core = f"{one.core} (pre-release)" if one.prerelease else one.core
        boto3 = oldest if one.boto3 == "oldest" else one.boto3
        lines.append(f"| {core} | {one.python} | {one.module_python} | {one.amazon_aws} | {boto3} |")
    return "\n".join(lines)


def with_table(text: str, chosen: Sequence[Combination]) -> str:
    """README with the table as it has to be. Raises ValueError where there is no place for it."""
    before, begin, rest = text.partition(f"{BEGIN}\n")
    dummy, end, after = rest.partition(f"{END}\n")
    if not (begin and end):
        raise ValueError("README.md has no place for the table of versions")
    return f"{before}{begin}{table(chosen)}\n{end}{after}"


def workflow(chosen: Sequence[Combination]) -> list[dict[str, str]]:
    """What the workflow's ``strategy.matrix`` includes: a job each, with the Pythons that it needs."""
    return [
        {"name": combination.name, "python": combination.python, "module-python": combination.module_python}
        for combination in chosen
    ]
