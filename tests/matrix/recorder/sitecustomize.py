# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Writes each deprecation that Python warns of, and where, as a line of JSON into the file that MATRIX_WARNINGS names.

Python imports it when it begins, for ansible-playbook and for each module: what these print is not always shown.
"""

from __future__ import annotations

import json
import os
import warnings
from typing import TextIO


def _record(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    told = {"category": category.__name__, "message": str(message), "file": filename, "line": lineno}
    with open(os.environ["MATRIX_WARNINGS"], "a", encoding="utf-8") as recorded:
        recorded.write(json.dumps(told) + "\n")


if "MATRIX_WARNINGS" in os.environ:
    for kind in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
        warnings.simplefilter("default", kind)
    warnings.showwarning = _record
