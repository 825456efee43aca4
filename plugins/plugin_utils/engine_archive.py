# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine as one file that Python executes (PEP 441): the command ``l3node``."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from functools import lru_cache
from pathlib import Path
from zipfile import ZipFile, ZipInfo

ENGINE = Path(__file__).resolve().parents[1] / "module_utils"
_PACKAGE = "netnode_l3"
_MAIN = f"""import sys

from {_PACKAGE}.l3node import main

sys.exit(main(sys.argv[1:]))
"""


@lru_cache(maxsize=1)
def archive() -> bytes:
    """The file. The same code always makes the same."""
    content = io.BytesIO(b"#!/usr/bin/env python3\n")
    content.seek(0, os.SEEK_END)
    with ZipFile(content, "a") as zipped:
        zipped.writestr(ZipInfo("__main__.py"), _MAIN)
        zipped.writestr(ZipInfo(f"{_PACKAGE}/__init__.py"), "")
        for path in sorted(ENGINE.rglob("*.py")):
            zipped.writestr(ZipInfo(f"{_PACKAGE}/{path.relative_to(ENGINE).as_posix()}"), path.read_bytes())
    return content.getvalue()


def write_archive(directory: Path) -> tuple[Path, str]:
    """Have the file in a directory, and return it with its SHA-256."""
    digest = hashlib.sha256(archive()).hexdigest()
    path = directory / f"l3node-{digest}"
    if not path.exists():
        with tempfile.NamedTemporaryFile(dir=directory, delete=False) as file:
            file.write(archive())
        Path(file.name).replace(path)  # others may read it at the same time
    return path, digest
