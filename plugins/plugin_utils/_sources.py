# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the sources of the inventory could be read: Ansible only warns of one that could not, and goes on without it.

A play on a group of hosts then finds none, and ends well; a play on localhost takes what is left for the fleet.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from ansible.inventory.manager import IGNORED, InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.utils.path import unfrackpath

NAME = "elasticache.auth.replication_groups"
#: How the names of the inventory plugin's files have to end.
SUFFIXES = ("elasticache.yml", "elasticache.yaml")
_NAMES = f"The name of a file of {NAME} ends in {' or '.join(SUFFIXES)}, as in fleet.{SUFFIXES[0]}."
_OURS = re.compile(rf"^plugin\s*:\s*(['\"]?){re.escape(NAME)}\1\s*(#.*)?$", re.MULTILINE)
#: Ansible's default, which need not be there.
_DEFAULT = "/etc/ansible/hosts"
_READ = 65536

#: What the inventory plugin came to in this process, by path: an error, or nothing where it has read it.
_tried: dict[str, str] = {}


def note(path: str, error: str = "") -> None:
    """Keep what came of reading ``path``; the processes that Ansible forks for tasks know it too."""
    _tried[path] = error


def misnamed(path: str) -> str:
    """Return what is wrong with the name of a file of the inventory plugin; an empty text where nothing is."""
    return "" if path.endswith(SUFFIXES) else f"its name is not one that the plugin takes. {_NAMES}"


def is_ours(path: str) -> bool:
    """Whether the file is one of the inventory plugin's, by its name or by what it says."""
    if path.endswith(SUFFIXES):
        return True
    if not path.endswith((".yml", ".yaml")):
        return False
    try:
        with open(path, encoding="utf-8") as file:
            return bool(_OURS.search(file.read(_READ)))
    except (OSError, ValueError):
        return False


def trouble(
    sources: Iterable[str], processed: Collection[str] | None, parses: Callable[[str], bool] | None = None
) -> str:
    """Return which sources could not be read and why; an empty text where all could be.

    ``processed``: those that Ansible has read, where that is known. ``parses``: whether it can read one, to be asked
    where it is not known; without it that of the others than the plugin's own files is left open.
    """
    found = []
    for source in sources:
        if "," in source or (source == _DEFAULT and not os.path.exists(source)):
            continue
        if not os.path.exists(source):
            found.append(f"There is no {source}.")
            continue
        files = list(_files(source)) if os.path.isdir(source) else [source]
        ours = [file for file in files if is_ours(file)]
        found += [why for file in ours if (why := _why_unread(file))]
        if processed is not None:
            readable = bool(set(files) & set(processed)) or not files
        else:
            readable = parses is None or bool(ours) or parses(source)
        if not readable and not any(file in why for file in files for why in found):
            found.append(f"{source} could not be read: the warnings before this say why.")
    return " ".join(found)


def _why_unread(path: str) -> str:
    error = _tried.get(path)
    if error == "":
        return ""
    why = misnamed(path) or error or "the warnings before this say why."
    return f"{path} could not be read: {why}" + ("" if why.endswith((".", "!")) else ".")


def _files(folder: str) -> Iterator[str]:
    """Yield the files in which Ansible looks for an inventory."""
    for name in sorted(os.listdir(os.fsencode(folder))):
        if IGNORED.search(name):
            continue
        path = os.path.join(folder, os.fsdecode(name))
        if os.path.isdir(path):
            yield from _files(path)
        else:
            yield path


def processed_by(hostvars: Any) -> Collection[str] | None:
    """Return the sources that Ansible has read, as it keeps them; ``None`` where it does so no longer."""
    inventory = getattr(getattr(hostvars, "_inventory", None), "_inventory", None)
    processed = getattr(inventory, "processed_sources", None)
    return list(processed) if isinstance(processed, (list, tuple)) else None


def parser(loader: DataLoader) -> Callable[[str], bool]:
    """Return a function that says whether Ansible can read a source, by reading it once more."""
    return lambda source: bool(InventoryManager(loader=loader, parse=False).parse_source(source))


def sources_in(variables: Mapping[str, Any]) -> list[str]:
    """Return the sources of the inventory, as Ansible's variable has them."""
    sources = variables.get("ansible_inventory_sources") or []
    listed = [str(source) for source in ([sources] if isinstance(sources, str) else sources)]
    return [source if "," in source else str(unfrackpath(source, follow=False)) for source in listed if source]


def refusal(why: str) -> str:
    """Return why nothing is done."""
    return (
        f"The inventory is incomplete, and Ansible would go on with what is left of it: {why} Nothing was looked at. "
        "Repair the source, or leave it out."
    )
