# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Start the emulator, say where it is in one line of JSON, and serve until it is told to end."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

import botocore_memory
import interrupts

from emulator.access import DataPlane
from emulator.control.throttling import THROTTLES, Throttling
from emulator.settings import VARIANTS, Settings, Timing, UnknownVariantError, Variants


def _parser() -> argparse.ArgumentParser:
    variants = "\n".join(
        f"  {variant.name}={'|'.join(variant.values)} (default {variant.default}): {variant.meaning}"
        for variant in VARIANTS.values()
    )
    parser = argparse.ArgumentParser(
        prog="emulator",
        description="A local ElastiCache. Prints one line of JSON when it is ready.",
        epilog=f"variants, the facts that nobody has shown:\n{variants}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any that is free)")
    parser.add_argument("--region", default="us-east-1", help="region that the ready line names (all are served)")
    parser.add_argument("--modify-seconds", type=float, default=1.0, help="how long a change takes (default: 1)")
    parser.add_argument(
        "--modify-sigma",
        type=float,
        default=0.0,
        help="above 0: a change of a group lasts as long as is drawn for it from a log-normal distribution with this "
        "sigma and the median --modify-seconds (default: 0)",
    )
    parser.add_argument(
        "--modify-max-seconds",
        type=float,
        default=86400.0,
        help="no change that is drawn lasts longer (default: 86400)",
    )
    parser.add_argument("--modify-seed", type=int, default=0, help="other durations for the same ids (default: 0)")
    parser.add_argument("--create-seconds", type=float, default=0.2, help="how long a creation takes (default: 0.2)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds added to every API call (default: 0)")
    parser.add_argument(
        "--data-plane",
        choices=("valkey", "light", "none"),
        default="valkey",
        help="nodes that are valkey-servers, that answer AUTH, PING and HELLO only, or that answer nothing",
    )
    parser.add_argument(
        "--throttle",
        choices=tuple(THROTTLES),
        default="off",
        help="whether calls that come too often are refused, and at which rates (default: off)",
    )
    parser.add_argument("--variant", action="append", default=[], metavar="NAME=VALUE", help="see below")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input is closed")
    return parser


def parse_arguments(arguments: Sequence[str]) -> tuple[Settings, Variants, bool]:
    """The settings, the variants, and whether to end with standard input. Exits with 2 on a wrong argument."""
    parser = _parser()
    parsed = parser.parse_args(arguments)
    try:
        timing = Timing(
            modify_seconds=parsed.modify_seconds,
            create_seconds=parsed.create_seconds,
            latency=parsed.latency,
            modify_sigma=parsed.modify_sigma,
            modify_max_seconds=parsed.modify_max_seconds,
            modify_seed=parsed.modify_seed,
        )
        chosen = dict(item.split("=", 1) if "=" in item else (item, "") for item in parsed.variant)
        variants = Variants(chosen)
    except (UnknownVariantError, ValueError) as error:
        parser.error(str(error))
    settings = Settings(parsed.port, parsed.region, parsed.data_plane, timing, parsed.throttle)
    return settings, variants, parsed.exit_with_stdin


@contextlib.contextmanager
def opened_data_plane(kind: str, variants: Variants) -> Iterator[DataPlane]:
    """The data plane of that kind, closed at the end with all its processes and files."""
    if kind == "none":
        from emulator.control.none_plane import NonePlane

        with contextlib.closing(NonePlane()) as none_plane:
            yield none_plane
        return
    from emulator.data_plane import open_plane

    with tempfile.TemporaryDirectory(prefix="elasticache-emulator-", ignore_cleanup_errors=True) as folder:
        plane = open_plane(
            "light" if kind == "light" else "valkey",
            wrong_token_in_optional=lambda: variants["optional-wrong-token"],
            drop_connections_on_token_change=lambda: variants["existing-connections"] == "drop",
            open_takes_default=lambda: variants["open-auth-default"] == "ok",
            temporary_folder=Path(folder),
            also_remove_when_killed=[Path(folder)],
        )
        with contextlib.closing(plane):
            yield plane


def _watch_stdin(end: Callable[[], None]) -> None:
    def watch() -> None:
        while os.read(0, 4096):
            pass
        end()

    threading.Thread(target=watch, name="stdin", daemon=True).start()


def serve(settings: Settings, variants: Variants, ready: TextIO, ending: interrupts.Ending) -> None:
    """Serve until somebody asks for the end; leaves no process, no thread and no file."""
    with opened_data_plane(settings.data_plane, variants) as plane:
        _serve(settings, variants, plane, ready, ending)


def _serve(settings: Settings, variants: Variants, plane: DataPlane, ready: TextIO, ending: interrupts.Ending) -> None:
    # moto is imported late: it takes its time, and arguments should be judged before. Half of that was botocore's: moto
    # makes a session of its own for the regions of each service.
    botocore_memory.remember()
    from emulator.admin import PREFIX
    from emulator.control.application import Application
    from emulator.control.backend import install
    from emulator.control.http_server import Server
    from emulator.control.metrics import Publisher
    from emulator.control.world import World

    world = World(plane, variants, settings.timing, Throttling(settings.throttle))
    try:
        install(world)
        server = Server(settings.port, Application(world))
        server.start()
        publisher = Publisher(world)
        try:
            line = {
                "endpoint_url": server.url,
                "region": settings.region,
                "ca_bundle": None if settings.data_plane == "none" else str(plane.ca_bundle),
                "admin_url": server.url + PREFIX,
            }
            print(json.dumps(line), file=ready, flush=True)
            ending.wait()
        finally:
            publisher.close()
            server.close()
    finally:
        world.close()


def main() -> int:
    """Run the command line; returns the exit status."""
    settings, variants, exit_with_stdin = parse_arguments(sys.argv[1:])
    # Standard output has the ready line alone; whatever else would be printed (moto does) goes to standard error.
    ready, sys.stdout = sys.stdout, sys.stderr
    # The emulator's own moto must not take credentials, profiles or endpoints of whoever starts it.
    for name in [name for name in os.environ if name.startswith(("AWS_", "MOTO_"))]:
        del os.environ[name]
    ending = interrupts.Ending()
    if exit_with_stdin:
        _watch_stdin(ending.ask)
    try:
        serve(settings, variants, ready, ending)
    except OSError as error:
        print(f"emulator: {error}", file=sys.stderr)
        return 1
    finally:
        interrupts.ignore()
    return 0


if __name__ == "__main__":
    sys.exit(main())
