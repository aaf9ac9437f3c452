# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files that the roles' variables name: where they are, and whether they can be used when their time comes.

That is after ROTATE for most of them, when a missing file leaves a rotation half-way. So each is tried first. Messages
name the role's variable.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError

#: The files that are written on the controller, by what follows the role's name.
WRITTEN = ("report_path", "html_path", "json_path", "csv_path", "asff_path", "sarif_path")
#: The one that is read where the modules run.
AUTHORITIES = "data_plane_ca_path"
#: The one with tasks, which may be another one for each host.
TASKS = "client_tasks"
#: The role in their place, and the tasks that run it.
ROLE = "client_role"
#: The playbooks of this collection are in a folder of its own, in which users have no files.
_OWN_PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"
TASKS_OF_ROLE = str(_OWN_PLAYBOOKS / "tasks" / "client_role.yml")
_BLOCKS = ("block", "rescue", "always")
_UNTOUCHED = "Nothing was looked at."


def folder_of(playbook_dir: str, working: str) -> str:
    """Return what a relative path is relative to: the playbook, as in Ansible.

    With a playbook of this collection it is ``working``, the folder that ansible-playbook was run in.
    """
    return working if Path(playbook_dir).resolve() == _OWN_PLAYBOOKS else os.path.abspath(playbook_dir)


def located(folder: str, path: str) -> str:
    """Return the absolute path; empty where there is none."""
    return os.path.normpath(os.path.join(folder, os.path.expanduser(os.path.expandvars(path)))) if path else ""


def check_written(name: str, path: str) -> None:
    """Raise :class:`AuthError` where the file can't be written, whole, in the place of the one that may be there."""
    folder = os.path.dirname(path)
    if os.path.isdir(path):
        raise AuthError(f"{name}: {path} is a folder. {_UNTOUCHED} Name a file in it.")
    if not os.path.isdir(folder):
        raise AuthError(f"{name}: {path}: there is no folder {folder}. {_UNTOUCHED} Make it, or name another file.")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise AuthError(
            f"{name}: {path} can't be written: {error.strerror}. {_UNTOUCHED} Name a file in a folder that "
            "you may write to."
        ) from None


def check_authorities(name: str, path: str) -> None:
    """Raise :class:`AuthError` where the file has no certificates in it."""
    try:
        ssl.create_default_context().load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise AuthError(
            f"{name}: {path} holds no certificates to trust: {error}. {_UNTOUCHED} Name a PEM file with the "
            "certificates of the authorities, or leave it out."
        ) from None


def check_tasks(name: str, path: str, load: Callable[[str], Any], parse: Callable[[Mapping[str, Any]], Any]) -> None:
    """Raise :class:`AuthError` where the file is no list of tasks.

    ``load`` reads a file as Ansible does, ``parse`` takes a task. Files that it includes in turn are not looked at.
    """

    def refuse(why: str) -> AuthError:
        return AuthError(
            f"{name}: {path}: {why}. {_UNTOUCHED} Name a file with a list of tasks, by an absolute path or by one that "
            "is relative to the playbook."
        )

    if not os.path.exists(path):
        raise refuse("there is no such file")
    if os.path.isdir(path):
        raise refuse("it is a folder")
    try:
        entries = load(path)
    except (AnsibleError, OSError, UnicodeError) as error:
        raise refuse(f"it can't be read: {_plain(error)}") from None
    if not isinstance(entries, list) or not entries:
        raise refuse("it has no list of tasks in it")
    for entry in entries:
        if not isinstance(entry, Mapping):
            raise refuse("not every entry of its list is a task")
        if "hosts" in entry or any("import_playbook" in str(key) for key in entry):
            raise refuse("it is a playbook, and a play in it can't be run as a task")
    for task in _single(entries):
        try:
            parse(task)
        except (AnsibleError, AttributeError, TypeError) as error:
            raise refuse(f"a task in it can't be run: {_plain(error)}") from None


def check_role(name: str, role: str, load: Callable[[str], Any]) -> None:
    """Raise :class:`AuthError` where there is no such role, or it can't be read; ``load`` reads one as Ansible does."""
    try:
        load(role)
    except (AnsibleError, OSError, UnicodeError) as error:
        raise AuthError(
            f"{name}: {_plain(error)}. {_UNTOUCHED} Name a role of a collection, such as elasticache.auth.cutover_ecs, "
            "or one of the playbook's or of roles_path."
        ) from None


def _single(entries: list[Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the tasks that are no blocks, and do not have other files read."""
    for entry in entries:
        if not isinstance(entry, Mapping):
            continue
        if "block" in entry:
            for part in _BLOCKS:
                yield from _single(entry.get(part) or [])
        elif not any(word in str(key) for key in entry for word in ("include", "import")):
            yield entry


def _plain(error: Exception) -> str:
    """Return an error in one line, without Ansible's excerpt of the file."""
    return " ".join(str(getattr(error, "message", "") or error).split()).rstrip(".")
