"""Measure stacks side by side: the same loads in turn, several times over, the least counts.

What disturbs a measurement on a shared machine only ever adds to it, so the minimum over the
repetitions is the best estimate; the spread tells how far to trust it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Sequence
from pathlib import Path

from msgspec import Struct, field

from ctools import Tools
from hangups import HangUps, hang_up
from loads import CHAT, KEY, LOADS, Load
from processes import (
    SERVER_CORE,
    TOOL_CORE,
    cpu_seconds,
    pinned,
    resident_bytes,
    running,
    waited_seconds,
)
from stacks import Stack

WARM_UP_SECONDS = 0.7
WARM_UP_CONNECTIONS = 16
LEAST_SHARE = 0.8
"""Of the time that it wanted its core: a server that got less was starved, and its figures lie."""
START_PATIENCE = 30.0
SETTLE_SECONDS = 1.0
LOAD_PATIENCE = 120.0
"""Seconds more than asked that one run of loadgen may take; it gives up by itself after 60."""


class Run(Struct, frozen=True):
    """One load on one stack, once.

    `cpu_us` is per request, or per token where the load streams. `core` is the part of its core
    that the server used, `got` that part of the time in which it wanted to. The rest is what
    loadgen tells; times are microseconds.
    """

    cpu_us: float
    core: float
    got: float
    per_second: float
    p50_us: float
    p99_us: float
    delay_p50_us: float | None = None
    delay_p99_us: float | None = None
    first_p50_us: float | None = None

    @property
    def starved(self) -> bool:
        """Whether others had so much of the core that the run says nothing."""
        return self.got < LEAST_SHARE


class Start(Struct, frozen=True):
    """One start: seconds to the first answer with 200, and bytes held before and after loads."""

    seconds: float
    idle_bytes: int
    after_bytes: int


class Measured(Struct):
    """All that was seen of one stack; `runs` by the load's name.

    `traces` counts the requests that the gateway recorded, `dropped_traces` those that it lost.
    """

    name: str
    version: str
    starts: list[Start] = field(default_factory=list[Start])
    runs: dict[str, list[Run]] = field(default_factory=dict[str, list[Run]])
    hang_ups: list[HangUps] = field(default_factory=list[HangUps])
    traces: int = 0
    dropped_traces: int = 0


class Live(Struct):
    """A stack that runs now, and what is measured of it."""

    stack: Stack
    pid: int
    started_in: float
    idle_bytes: int


def measure(
    stacks: Sequence[Stack],
    tools: Tools,
    upstream_port: int,
    *,
    repetitions: int,
    shorter: float,
    loads: Sequence[Load] = LOADS,
) -> list[Measured]:
    """Run every load on every stack in turn; `shorter` divides how long each takes."""
    found = {stack.name: Measured(stack.name, stack.version) for stack in stacks}
    for repetition in range(repetitions):
        with contextlib.ExitStack() as all_running:
            live = [all_running.enter_context(started(stack)) for stack in stacks]
            for load in loads:
                note(f"repetition {repetition + 1} of {repetitions}: {load.title}")
                for each in live:
                    if not each.stack.answers(load):
                        continue
                    run = run_load(each, load, tools, shorter)
                    found[each.stack.name].runs.setdefault(load.name, []).append(run)
            for each in live:
                seen = found[each.stack.name]
                start = Start(each.started_in, each.idle_bytes, resident_bytes(each.pid))
                seen.starts.append(start)
                seen.hang_ups = seen.hang_ups or hang_up(each.stack.port, upstream_port)
                _count_traces(seen, each.stack)
    return list(found.values())


@contextlib.contextmanager
def started(stack: Stack) -> Generator[Live]:
    """Start a stack and wait until it answers a chat from upstream."""
    log = stack.folder / "output.log"
    begun = time.perf_counter()
    with running(SERVER_CORE, stack.command, env=stack.environment, log=log) as pid:
        seconds = _first_answer(stack, pid, log, begun)
        time.sleep(SETTLE_SECONDS)
        yield Live(stack, pid, seconds, resident_bytes(pid))


def run_load(live: Live, load: Load, tools: Tools, shorter: float) -> Run:
    """Put one load on one stack, once, after a warm-up."""
    body = live.stack.folder / "body.json"
    body.write_bytes(load.body)
    warm_connections = min(load.connections, WARM_UP_CONNECTIONS)
    _loadgen(live, load, tools, body, warm_connections, WARM_UP_SECONDS)
    cpu, waited = cpu_seconds(live.pid), waited_seconds(live.pid)
    clock = time.perf_counter()
    told = _loadgen(live, load, tools, body, load.connections, load.seconds / shorter)
    wall = time.perf_counter() - clock
    cpu, waited = cpu_seconds(live.pid) - cpu, waited_seconds(live.pid) - waited
    per = told["chunks"] if load.stream else told["ok"]
    return Run(
        cpu_us=cpu / per * 1e6,
        core=cpu / wall,
        got=cpu / (cpu + waited) if cpu else 0.0,
        per_second=told["chunks_s"] if load.stream else told["rps"],
        p50_us=told["p50"],
        p99_us=told["p99"],
        delay_p50_us=told.get("cd50"),
        delay_p99_us=told.get("cd99"),
        first_p50_us=told.get("ttft50"),
    )


def _loadgen(
    live: Live, load: Load, tools: Tools, body: Path, connections: int, seconds: float
) -> dict[str, float]:
    """Return what loadgen tells, with every request counted.

    Raises:
        SystemExit: an answer was wrong or missing, so that nothing was measured.

    """
    stack = live.stack
    command = pinned(
        TOOL_CORE,
        [
            *(tools.loadgen, "-p", str(stack.port), "-u", load.path, "-b", body),
            *stack.credentials(load),
            *("-c", str(connections), "-d", str(seconds), "-w", "0"),
            *(["-s"] if load.stream else []),
        ],
    )
    patience = seconds + LOAD_PATIENCE
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=patience)
    told: dict[str, float] = json.loads(done.stdout) if done.returncode == 0 else {}
    if not told or told["err"] or told["incomplete"] or told["reconn"] or not told["ok"]:
        sys.exit(
            f"{stack.name} did not answer '{load.title}' as it should, so nothing was measured.\n"
            f"loadgen says: {done.stdout or done.stderr}The server's output ends with:\n"
            + _tail(stack.folder / "output.log")
        )
    return told


def _first_answer(stack: Stack, pid: int, log: Path, begun: float) -> float:
    """Return the seconds from its begin until the stack answers a chat with 200."""
    load, answered = LOADS[0], ""
    while (waited := time.perf_counter() - begun) < START_PATIENCE:
        connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=START_PATIENCE)
        with contextlib.suppress(OSError), contextlib.closing(connection):
            connection.request("POST", CHAT, load.body, {"authorization": f"Bearer {KEY}"})
            answer = connection.getresponse()
            answered = f"{answer.status} {answer.read(300)!r}"
            if answer.status == 200:
                return time.perf_counter() - begun
        if not Path(f"/proc/{pid}/stat").exists():
            break
        time.sleep(0.005)
    sys.exit(
        f"{stack.name} gave no answer with 200 within {waited:.0f} s of its start {answered}."
        f" Its output ends with:\n{_tail(log)}"
    )


def _count_traces(seen: Measured, stack: Stack) -> None:
    """Note how many requests the gateway recorded and lost, as its metrics tell."""
    if not stack.metrics_port:
        return
    url = f"http://127.0.0.1:{stack.metrics_port}/metrics"
    with urllib.request.urlopen(url, timeout=START_PATIENCE) as answer:
        lines: list[str] = answer.read().decode().splitlines()
    seen.traces += _total(lines, "inhouse_requests_total{")
    seen.dropped_traces += _total(lines, "inhouse_traces_dropped_total")


def _total(lines: Sequence[str], start: str) -> int:
    return int(sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(start)))


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def note(text: str) -> None:
    """Tell the person who waits what goes on."""
    print(text, file=sys.stderr, flush=True)
