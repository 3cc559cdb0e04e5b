"""Which files a folder holds: what git tracks, else what a walk finds."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

GIT_SECONDS = 30.0
SKIPPED_FOLDERS = frozenset(
    {
        "__pycache__",
        "bower_components",
        "build",
        "dist",
        "node_modules",
        "site-packages",
        "target",
        "vendor",
        "venv",
    }
)
_GENERATED = ("linguist-generated", "linguist-vendored")
# A repository's own configuration may name programs to run. None of them, and no pager or prompt.
_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*")
_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


def listed(root: Path) -> Iterator[str]:
    """Yield the paths of files below `root`, relative to it, with forward slashes.

    A repository in which git tracks nothing yet, or cannot be asked, is walked like any folder.
    """
    yield from _tracked(root) or _walked(root)


def _tracked(root: Path) -> list[str]:
    """Return what git tracks and does not call generated or vendored; empty where it cannot say."""
    git = shutil.which("git")
    if git is None or not any((each / ".git").exists() for each in (root, *root.parents)):
        return []
    left_out = [f":(exclude,attr:{name}{value})" for name in _GENERATED for value in ("", "=true")]
    try:
        answer = subprocess.run(  # noqa: S603 -- fixed arguments, no shell
            [git, *_SAFE, "ls-files", "-z", "--cached", "--", ".", *left_out],
            cwd=root,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=GIT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [name for each in answer.stdout.split(b"\0") if (name := _decoded(each))]


def _walked(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not _skipped(name)]
        for name in files:
            if not name.startswith("."):
                path = Path(folder, name).relative_to(root).as_posix()
                if decoded := _decoded(os.fsencode(path)):
                    yield decoded


def _skipped(name: str) -> bool:
    return name.startswith(".") or name in SKIPPED_FOLDERS


def _decoded(path: bytes) -> str:
    """Return a path as text, empty where its bytes are no UTF-8 and no editor could name it."""
    return path.decode(errors="ignore") if path == path.decode(errors="ignore").encode() else ""
