# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Try the collection on every supported version, and say what each came to."""

from __future__ import annotations

import argparse
import json
import os
import sys

from matrix.versions import README, combinations, with_table, workflow


def main() -> int:
    """Do what the arguments say; 1 where something failed, or, with --strict, was not tried."""
    parser = argparse.ArgumentParser(prog="make matrix", description=__doc__)
    parser.add_argument("--only", metavar="NAMES", help="these combinations, separated by commas")
    parser.add_argument("--parts", default="smoke,sanity", help="smoke, sanity or both (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at once (default: %(default)s)")
    parser.add_argument("--renew", action="store_true", help="install everything anew, at the newest versions")
    parser.add_argument("--strict", action="store_true", help="fail where this machine lacks what a combination needs")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--workflow", action="store_true", help="print the workflow's matrix, as JSON, and end")
    other.add_argument("--table", action="store_true", help="write README's table, and end")
    options = parser.parse_args()

    chosen = combinations()
    if options.only:
        names = options.only.split(",")
        if unknown := set(names) - {combination.name for combination in chosen}:
            parser.error(f"there is no combination {', '.join(sorted(unknown))}")
        chosen = tuple(combination for combination in chosen if combination.name in names)
    if unknown := set(options.parts.split(",")) - {"smoke", "sanity"}:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    if options.workflow:
        print(json.dumps(workflow(chosen)))
        return 0
    if options.table:
        README.write_text(with_table(README.read_text("utf-8"), chosen), encoding="utf-8")
        return 0

    from matrix.session import run  # it needs what `make setup` installs, and the two above do not

    parts = options.parts.split(",")
    return run(chosen, parts, jobs=options.jobs, renew=options.renew, strict=options.strict)


if __name__ == "__main__":
    sys.exit(main())
