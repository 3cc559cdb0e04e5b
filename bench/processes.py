"""Processes that are measured: pinned to a core, timed and weighed with all their children."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

SERVER_CORE = 0
TOOL_CORE = 1
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
STOP_PATIENCE = 10.0


def pinned(core: int, command: Sequence[str | Path]) -> list[str]:
    """Return the command that runs `command` on one core alone."""
    taskset = shutil.which("taskset")
    if taskset is None:
        sys.exit("The bench pins processes with taskset: install util-linux.")
    if (os.cpu_count() or 1) <= TOOL_CORE:
        sys.exit("The bench needs two cores: one for the server, one for the load.")
    return [taskset, "--cpu-list", str(core), *map(str, command)]


@contextlib.contextmanager
def running(
    core: int, command: Sequence[str | Path], *, env: Mapping[str, str], log: Path
) -> Generator[int]:
    """Run a server on `core`, its output in `log`; yield its process id, and end it afterwards."""
    with (
        log.open("wb") as out,
        subprocess.Popen(
            pinned(core, command),
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(STOP_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def free_port() -> int:
    """Return a port on loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port: int, *, seconds: float = 10.0) -> None:
    """Return as soon as somebody listens there.

    Raises:
        TimeoutError: nobody did.

    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise TimeoutError(f"Nothing listens on port {port} after {seconds:.0f} s.")


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process, all its threads and living children."""
    return sum(_ticks(each) for each in _tree(pid)) / TICKS_A_SECOND


def waited_seconds(pid: int) -> float:
    """Return how long the main threads of a process and its children stood in line for a core."""
    lines = (Path(f"/proc/{each}/schedstat").read_text() for each in _tree(pid))
    return sum(int(line.split()[1]) for line in lines) / 1e9


def resident_bytes(pid: int) -> int:
    """Return the memory that a process and its children hold, shared pages counted for each."""
    page = os.sysconf("SC_PAGE_SIZE")
    return sum(
        int(Path(f"/proc/{each}/statm").read_text().split()[1]) * page for each in _tree(pid)
    )


def _ticks(pid: int) -> int:
    # The name in parentheses may hold spaces; the fields behind it do not.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _tree(pid: int) -> Iterator[int]:
    todo = [pid]
    while todo:
        each = todo.pop()
        yield each
        for task in Path(f"/proc/{each}/task").iterdir():
            todo += map(int, (task / "children").read_text().split())
