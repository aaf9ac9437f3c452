# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Run the demo: emulator, clients, the playbook twice, a table; and leave nothing behind."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import interrupts
from rich.console import Console

from demo.processes import (
    ACCOUNT_ID,
    ANSIBLE_PLAYBOOK,
    REPOSITORY,
    TESTS,
    Driver,
    Emulator,
    Play,
    StartError,
    driver,
    emulator,
    play,
)
from demo.summary import broken_promises, phases, table

GROUP = "elasticache-auth-demo"
_BROKEN, _NOT_STARTED, _INTERRUPTED = 1, 2, 130
#: The signals that ask for an end.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody wants it to end."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="demo",
        description="A token rotated under live clients, against the emulator. Fails unless all goes as promised.",
        epilog="exit status: 0 as promised, 1 not as promised, 2 could not start, 130 interrupted",
    )
    made.add_argument(
        "--modify-seconds", type=float, default=8.0, help="how long a change takes at the emulator (default: 8)"
    )
    made.add_argument(
        "--leave-a-client-behind",
        action="store_true",
        help="keep one client on the old token, to see what SET then does to it, and this demo fail",
    )
    made.add_argument(
        "--client-pause",
        type=float,
        metavar="SECONDS",
        help="how long each client waits between two commands (default: 0.005, with a connection for each 0.1)",
    )
    made.add_argument(
        "--ansible-playbook",
        type=Path,
        metavar="PROGRAM",
        default=ANSIBLE_PLAYBOOK,
        help="the program that runs the playbook (default: ansible-playbook beside this Python)",
    )
    made.add_argument("-v", "--verbose", action="count", default=0, help="as ansible-playbook's; no token is shown")
    return made


def make_tokens() -> tuple[str, str]:
    """Two tokens of the collection's own making. Raises StartError where the collection is not set up."""
    sys.path.insert(0, str(REPOSITORY / ".collections"))
    try:
        tokens = importlib.import_module("ansible_collections.elasticache.auth.plugins.module_utils._core.tokens")
    except ImportError as error:
        raise StartError(f"the collection is not set up ({error}): type make demo") from error
    return tokens.generate(), tokens.generate()


def run(parsed: argparse.Namespace, console: Console) -> int:
    """Run the demo; returns the exit status. Raises StartError."""
    old_token, new_token = make_tokens()
    with (
        tempfile.TemporaryDirectory(prefix="elasticache-demo_", ignore_cleanup_errors=True) as name,
        emulator(Path(name), modify_seconds=parsed.modify_seconds) as aws,
        driver(
            Path(name), aws.ca_bundle, leave_one_behind=parsed.leave_a_client_behind, pause=parsed.client_pause
        ) as clients,
    ):
        console.print(
            f"The emulator serves at {aws.endpoint_url}, what it knows is at {aws.admin_url}/groups", soft_wrap=True
        )

        def play_once() -> Play:
            tokens = {"demo_old_auth_token": old_token, "demo_new_auth_token": new_token}
            return _play(parsed, aws, clients, Path(name), tokens)

        plays = [play_once()]
        if plays[0].status == 0:
            console.print("[bold]The same once more: nothing is to change.[/]", highlight=False)
            plays.append(play_once())
        report = clients.end()
        truth = {group["id"]: group for group in aws.admin("groups")}.get(GROUP, {})
        calls = aws.admin(f"calls?mutating=true&since={plays[-1].begun}")
    found = phases(plays, report)
    broken = broken_promises(plays, found, report, truth, calls if len(plays) > 1 else [], new_token)
    console.print(table(found))
    for promise in broken:
        console.print(f"[bold red]Not as promised:[/] {promise}", highlight=False, soft_wrap=True)
    if not broken:
        console.print(
            "The old token is refused, the new one accepted; the second run: changed=0, no changing API call.",
            highlight=False,
            soft_wrap=True,
        )
    return _BROKEN if broken else 0


def _play(parsed: argparse.Namespace, aws: Emulator, clients: Driver, folder: Path, tokens: Mapping[str, str]) -> Play:
    return play(
        aws,
        folder,
        parsed.ansible_playbook.absolute(),
        extra_vars={
            "demo_account_id": ACCOUNT_ID,
            "demo_replication_group_id": GROUP,
            **tokens,
            "demo_data_plane_ca_path": aws.ca_bundle,
            "demo_wait_delay": 0.5,
            "demo_client_tasks": str(TESTS / "demo" / "client_cutover.yml"),
            "demo_clients_socket": str(clients.socket_path),
        },
        arguments=["-v"] * parsed.verbose,
    )


def main() -> int:
    """Run the command line; returns the exit status."""
    interrupts.raise_once(Interrupted, _ENDING)
    try:
        return run(parser().parse_args(), Console())
    except StartError as error:
        print(f"demo: {error}", file=sys.stderr)
        return _NOT_STARTED
    except Interrupted:
        print("demo: interrupted, everything is cleaned up", file=sys.stderr)
        return _INTERRUPTED


if __name__ == "__main__":
    status = main()
    interrupts.ignore(_ENDING)
    sys.exit(status)
