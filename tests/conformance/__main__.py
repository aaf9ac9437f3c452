# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Ask the emulator or AWS what elasticache-facts says, and write down what was answered."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import interrupts
from botocore.exceptions import BotoCoreError, ClientError
from conftest import start_emulator
from rich.console import Console, RenderableType
from rich.markup import escape

from emulator.settings import UnknownVariantError, Variants

from . import made
from .announcement import Plan, announcement
from .answers import Answers
from .clock import Clock
from .emulated import chosen, emulated_run, variant_sets
from .endpoint import Endpoint, NoAnswerError
from .groups import Scene
from .hidden import Hidden
from .made import ExistsError, Made, Resource
from .nodes import Nodes
from .report import Report, free_path
from .run import Run

_DIFFERS, _USAGE, _LEFT, _INTERRUPTED = 1, 2, 3, 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WIDTH = 150
_REMOVAL_SECONDS = 600.0
_PATIENCE = 1800.0
_FORMAT = "%Y-%m-%d"


class _Screen(Console):
    """rich's, which would end the program where nobody reads it any more."""

    def on_broken_pipe(self) -> None:
        raise OSError("nobody reads this")


_console = _Screen(highlight=False)


def show(what: RenderableType, *, soft_wrap: bool = False) -> None:
    """Something for whoever watches; nobody may be there any more, and what was made is removed all the same."""
    try:
        _console.print(what, soft_wrap=soft_wrap)
    except OSError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(line: str) -> None:
    """A line."""
    show(escape(line), soft_wrap=True)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made_parser = argparse.ArgumentParser(
        prog="conformance",
        description="Ask an endpoint what docs/elasticache-facts.md says, and write conformance-DATE.json.",
        epilog="exit status: 0 as expected, 1 a row differs, 2 refused before anything was made, 3 something is left "
        "behind, 130 interrupted and removed",
    )
    add = made_parser.add_argument
    add("--target", choices=("emulator", "aws"), default="emulator", help="what is asked (default: %(default)s)")
    add("--json", type=Path, metavar="PATH", help="the file to write (default: conformance-DATE.json)")
    only = made_parser.add_argument_group("emulator")
    only.add_argument("--data-plane", choices=("valkey", "light", "none"), default="valkey", help="(%(default)s)")
    only.add_argument("--variant", action="append", default=[], metavar="NAME=VALUE", help="see make emulator ARGS=-h")
    only.add_argument("--all-variants", action="store_true", help="several runs: each value of each variant once")
    aws = made_parser.add_argument_group("AWS")
    aws.add_argument("--region", help="where; needed")
    aws.add_argument("--yes", action="store_true", help="make what the announcement says; without it that is all")
    aws.add_argument(
        "--via", metavar="HOST", help="[user@]host inside the VPC that nodes are reached by way of, with ssh"
    )
    aws.add_argument(
        "--ssh", default="ssh", metavar="COMMAND", help='with options, such as "ssh -p 2222" (%(default)s)'
    )
    aws.add_argument("--ca-bundle", default=os.environ.get("AWS_CA_BUNDLE"), help="for the nodes, besides the system's")
    aws.add_argument("--subnet-group", help="an existing one, for the groups (default: the default VPC's)")
    aws.add_argument("--security-group", action="append", default=[], metavar="ID", help="existing ones, likewise")
    aws.add_argument("--minutes", type=float, default=60.0, help="how long all of it may take (%(default)g)")
    aws.add_argument("--poll-seconds", type=float, default=5.0, help="between looks at a change (%(default)g)")
    aws.add_argument("--clean", action="store_true", help="remove what killed runs have left, by tag; nothing else")
    aws.add_argument("--run", metavar="ID", help="with --clean: only that run's, also before its time is over")
    return made_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parsed = parser().parse_args(arguments)
    if not _console.is_terminal:
        _console.width = _WIDTH
    if parsed.run and not (parsed.clean and made.RUN.fullmatch(parsed.run)):
        parser().error("--run takes eight hexadecimal digits, and --clean beside it")
    if not (0 < parsed.minutes <= 60 and parsed.poll_seconds > 0):
        parser().error("--minutes must be greater than 0 and at most 60, --poll-seconds greater than 0")
    if parsed.target == "emulator":
        if parsed.clean or parsed.via:
            parser().error("--clean and --via are for --target aws")
        return _emulator(parsed)
    if not parsed.region:
        parser().error("--target aws needs --region")
    try:
        return _aws(parsed)
    except (BotoCoreError, NoAnswerError) as error:
        say(f"AWS can't be asked: {error}")
        return _USAGE


# --- The emulator ---------------------------------------------------------------------------------------------------


def _emulator(parsed: argparse.Namespace) -> int:
    try:
        named = Variants(dict(item.split("=", 1) if "=" in item else (item, "") for item in parsed.variant))
    except UnknownVariantError as error:
        parser().error(str(error))
    interrupts.raise_once(numbers=_SIGNALS)
    sets: list[Mapping[str, str]] = list(variant_sets()) if parsed.all_variants else [dict(named)]
    status = 0
    for number, variants in enumerate(sets, 1):
        with interrupts.deferred():
            emulator = start_emulator("--data-plane", parsed.data_plane, "--modify-seconds", "0")
            try:
                emulator.variants(variants)
                run = emulated_run(emulator, parsed.data_plane)
                run.go(_PATIENCE, say)
                if parsed.json and number > 1:
                    parsed.json = parsed.json.with_stem(f"{parsed.json.stem.removesuffix(f'-{number - 1}')}-{number}")
                status = max(status, _report(parsed, run, "emulator", emulator.region, chosen(emulator)))
            finally:
                emulator.close()
        if run.interrupted:
            return _INTERRUPTED
    return status


# --- AWS ------------------------------------------------------------------------------------------------------------


def _aws(parsed: argparse.Namespace) -> int:
    hidden, session = Hidden(), boto3.Session(region_name=parsed.region)
    whole = parsed.minutes * 60
    clock = Clock(max(whole - _REMOVAL_SECONDS, whole / 2), parsed.poll_seconds)
    endpoint = Endpoint(session, parsed.region, clock, hidden)
    if parsed.clean:
        return _clean(endpoint, parsed)
    run_id, began = made.new_run(), datetime.now(UTC)
    for line in announcement(_plan(parsed, session, run_id)):
        say(line)
    if not parsed.yes:
        say("Nothing was made. Repeat it with --yes to go on.")
        return _USAGE
    interrupts.raise_once(numbers=_SIGNALS)
    places: dict[str, Any] = {}
    if parsed.subnet_group:
        places["CacheSubnetGroupName"] = parsed.subnet_group
    if parsed.security_group:
        places["SecurityGroupIds"] = parsed.security_group
    ssh = [*shlex.split(parsed.ssh), parsed.via] if parsed.via else []
    scene = Scene(
        endpoint,
        Made(endpoint, run_id, began + timedelta(minutes=parsed.minutes), say),
        Answers(hidden),
        Nodes(ssh, parsed.ca_bundle),
        places,
    )
    run = Run(scene, emulated=False)
    try:
        run.go(_PATIENCE, say)
    except ExistsError as error:
        say(f"Refused: {error}")
        return _USAGE
    except KeyboardInterrupt:
        return _INTERRUPTED  # before anything was made
    status = _report(parsed, run, "aws", parsed.region, dict(Variants()))
    if run.left:
        say(f"LEFT BEHIND: {', '.join(map(str, run.left))}. Remove it with --clean --run {run_id} --yes")
        return _LEFT
    say("Everything that was made is removed.")
    return _INTERRUPTED if run.interrupted else status


def _plan(parsed: argparse.Namespace, session: boto3.Session, run_id: str) -> Plan:
    client = session.client("sts")
    try:
        account = str(client.get_caller_identity()["Account"])
    except (BotoCoreError, ClientError) as error:
        account = f"unknown ({type(error).__name__})"
    how = (
        f"by way of {parsed.via}" if parsed.via else "from here; where they can't be reached, their rows are not asked"
    )
    url = client.meta.endpoint_url if os.environ.get("AWS_ENDPOINT_URL") else None
    return Plan(parsed.region, run_id, parsed.minutes, url, how, account)


def _clean(endpoint: Endpoint, parsed: argparse.Namespace) -> int:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    found: list[Resource] = []
    status = 0
    for one in made.leftovers(endpoint):
        resource, until = one.resource, one.until
        if parsed.run not in (None, resource.run):
            continue
        if not until:
            say(f"{resource} is in flight, and its tags can't be read yet: repeat this in some minutes")
            status = _LEFT
            continue
        if parsed.run is None and until > now:
            say(f"{resource} is left alone: its run may last until {until} (--run {resource.run} removes it)")
            continue
        found.append(resource)
        say(f"{resource} was left by the run {resource.run}")
    if not found:
        say("There is nothing to remove now." if status else "There is nothing to remove.")
        return status
    if not parsed.yes:
        say("Nothing was removed. Repeat it with --yes to remove these.")
        return _USAGE
    left = made.tear_down(endpoint, found, _PATIENCE, say)
    say(f"LEFT BEHIND: {', '.join(map(str, left))}" if left else f"Removed: {len(found)}.")
    return _LEFT if left else status


# --- What is written ------------------------------------------------------------------------------------------------


def _report(parsed: argparse.Namespace, run: Run, target: str, region: str, variants: Mapping[str, str]) -> int:
    date = datetime.now(UTC).strftime(_FORMAT)
    scene = run.scene
    left, broken = tuple(map(str, run.left)), tuple(run.broken)
    report = Report(target, region, scene.made.run, date, variants, scene.answers, left, broken)
    path = parsed.json or free_path(Path.cwd(), date)
    text = report.as_json()
    if scene.endpoint.hidden.found_in(text):
        raise AssertionError("a token is in the report: nothing is written")
    path.write_text(text, "utf-8")
    show(report.table())
    for one in scene.answers.durations:
        say(f"{one.seconds:8.1f} s  {one.what}")
    for line in report.changes():
        say(f"change: {line}")
    for line in run.broken:
        say(f"broken: {line}")
    differing = report.differing()
    say(f"{len(differing)} rows differ{': ' if differing else ''}{', '.join(differing)}. Written: {path}")
    return _DIFFERS if differing or run.broken else 0


if __name__ == "__main__":
    status = main()
    interrupts.ignore(_SIGNALS)
    sys.exit(status)
