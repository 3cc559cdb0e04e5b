"""A bar on standard error for what takes more than a second; nothing where nobody looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from inhouse.cli import output

PATIENCE = 1.0
"""Seconds that go by without a bar."""

Report = Callable[[float, str], None]


@contextmanager
def bar(doing: str, patience: float = PATIENCE) -> Generator[Report]:
    """Give what takes a share between 0 and 1 and what is being done, and draws the bar."""
    out = output.console(stderr=True)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=out,
        transient=True,
        disable=not out.is_terminal,
    )
    task = progress.add_task(doing, total=1.0)
    began = time.monotonic()
    started = False

    def report(share: float, now: str) -> None:
        nonlocal started
        progress.update(task, completed=share, description=now or doing)
        if not started and share < 1 and time.monotonic() - began > patience:
            started = True
            progress.start()
        if started and share >= 1:
            started = False
            progress.stop()

    try:
        yield report
    finally:
        if started:
            progress.stop()
