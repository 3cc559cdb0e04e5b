"""A bar on standard error for what takes more than a second; nothing where nobody looks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from inhouse.cli import output

PATIENCE = 1.0
"""Seconds that go by without a bar."""

Report = Callable[[float, str], None]


@contextmanager
def bar(doing: str, patience: float = PATIENCE) -> Generator[Report]:
    """Yield what takes a share between 0 and 1 and what is being done; the bar goes at the end."""
    out = output.console(stderr=True)
    progress = Progress(
        TextColumn("{task.description:<16}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=out,
        transient=True,
        disable=not out.is_terminal,
    )
    task = progress.add_task(doing, total=1.0)
    timer = threading.Timer(patience, progress.start)
    timer.start()
    try:
        yield lambda share, now: progress.update(task, completed=share, description=now or doing)
    finally:
        timer.cancel()
        timer.join()
        progress.stop()
