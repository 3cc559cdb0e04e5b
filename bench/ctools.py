"""Build the two tools in C: `loadgen` plays the callers, `fake_openai` the upstream.

python bench/ctools.py      builds what is out of date into bench/build and says where
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
FLAGS = ("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2")


class Tools(NamedTuple):
    """Where the built tools are."""

    loadgen: Path
    fake_openai: Path


def build() -> Tools:
    """Return the tools, built anew where their source has changed.

    Raises:
        SystemExit: there is no C compiler, or it refuses.

    """
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        sys.exit("The bench needs a C compiler: install gcc (Debian: apt-get install gcc).")
    BUILD.mkdir(exist_ok=True)
    return Tools(*(_compiled(compiler, name) for name in Tools._fields))


def _compiled(compiler: str, name: str) -> Path:
    source, header, target = HERE / f"{name}.c", HERE / "loopback.h", BUILD / name
    newest = max(source.stat().st_mtime, header.stat().st_mtime)
    if target.exists() and target.stat().st_mtime >= newest:
        return target
    if subprocess.run([compiler, *FLAGS, "-o", target, source], check=False).returncode:
        sys.exit(f"{compiler} could not build {source.name}: its messages stand above.")
    return target


if __name__ == "__main__":
    for each in build():
        print(each)
