"""Commands run as people run them: in a process of their own."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Generator
from typing import Any

PATIENCE = 60
"""Seconds after which a program that should have ended is a bug."""


def program(*args: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """Run a command as people do."""
    return subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-m", "inhouse", *args],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        **how,
    )


@contextlib.contextmanager
def started(*args: str) -> Generator[subprocess.Popen[str]]:
    """Start a command; at the end it is stopped as by Ctrl-C."""
    with subprocess.Popen(  # noqa: S603 -- our own program
        [sys.executable, "-m", "inhouse", *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE)
