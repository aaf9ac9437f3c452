# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Text that somebody else wrote, for use within a message of ours."""

from __future__ import annotations


def shown_line(text: str, limit: int) -> str:
    """Return it as :func:`one_line` does, with its spaces: columns stay one below the other."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def one_line(text: str, limit: int) -> str:
    """Return ``text`` in one line of at most ``limit`` characters, without control and formatting characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
