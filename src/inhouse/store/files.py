"""Files that appear whole or not at all, readable by their owner alone."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def make(path: Path, write: Callable[[Path], None]) -> None:
    """Make a file with mode 0600, and its folder; one that is there already stays as it is.

    `write` fills a draft beside it. Several processes may do this at once: one wins.

    Raises:
        OSError: the folder cannot be made or written.

    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    draft = Path(name)
    try:
        write(draft)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
