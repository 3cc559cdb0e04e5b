"""Run commands: bounded in time, logged to a file, stopped together with this program."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 30
LAST_LINE_CHARACTERS = 90


class StepError(Exception):
    """A step failed; the message says what, where to look and what to do."""


class Journal:
    """Tells people what one engine's set-up is doing, and keeps what its commands print."""

    def __init__(self, title: str, log: Path, started: float, stop: threading.Event) -> None:
        self.title = title
        self.log = log
        self._started = started
        self._stop = stop
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")

    def say(self, text: str) -> None:
        """Print one progress line, on standard error so that `--json` stays clean."""
        elapsed = time.monotonic() - self._started
        print(f"[{elapsed:4.0f} s] {self.title}: {text}", file=sys.stderr, flush=True)

    def run(
        self, argv: Sequence[str | Path], *, seconds: float, add_path: Sequence[Path] = ()
    ) -> None:
        """Run a command to its end.

        Raises:
            StepError: it failed, took longer than `seconds`, or this program is being stopped.
        """
        deadline = time.monotonic() + seconds
        with self.log.open("ab") as log:
            log.write(f"\n$ {' '.join(map(str, argv))}\n".encode())
            log.flush()
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(add_path),
                start_new_session=True,  # so that a compiler's children can be ended with it
            )
        try:
            self._wait(process, deadline)
        finally:
            _end(process)
        if process.returncode != 0:
            raise StepError(
                f"{self.title}: `{Path(argv[0]).name}` ended with {process.returncode}. "
                f"What it printed is in {self.log}; its last line: {self._last_line()}"
            )

    def _wait(self, process: subprocess.Popen[bytes], deadline: float) -> None:
        heartbeat = time.monotonic() + HEARTBEAT_SECONDS
        while process.poll() is None:
            now = time.monotonic()
            if self._stop.is_set():
                raise StepError(f"{self.title}: stopped.")
            if now > deadline:
                raise StepError(f"{self.title}: a command took too long. See {self.log}")
            if now > heartbeat:
                heartbeat = now + HEARTBEAT_SECONDS
                self.say(f"  {self._last_line()}")
            try:
                process.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue

    def _last_line(self) -> str:
        lines = self.log.read_text("utf-8", "replace").replace("\r", "\n").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return last[:LAST_LINE_CHARACTERS]


def _environment(add_path: Sequence[Path]) -> Mapping[str, str]:
    inherited = dict(os.environ)  # noqa: TID251 - commands inherit it; this is no part of the package
    inherited["PATH"] = os.pathsep.join([*map(str, add_path), inherited.get("PATH", os.defpath)])
    return inherited


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
