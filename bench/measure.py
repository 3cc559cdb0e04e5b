"""Measure stacks side by side: the same loads in turn, several times over, the least counts.

What disturbs a measurement on a shared machine only ever adds to it, so the minimum over the
repetitions is the best estimate; the spread tells how far to trust it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
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

WARM_UP_SECONDS = 0.5
WARM_UP_CONNECTIONS = 16
LEAST_SHARE = 0.8
"""Of the time that it wanted its core: a server that got less was starved, and its figures lie."""
METRICS_PATIENCE = 30.0
SETTLE_SECONDS = 1.0
TAIL_LINES, TAIL_WIDTH = 8, 300
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
    """All that was seen of one stack; `runs` and `failures` by the load's name.

    What failed before or beside the loads is among the `failures` as ``start`` and ``hang-ups``.
    `traces` counts the requests that the gateway recorded, `dropped_traces` those that it lost.
    """

    name: str
    version: str
    starts: list[Start] = field(default_factory=list[Start])
    runs: dict[str, list[Run]] = field(default_factory=dict[str, list[Run]])
    hang_ups: list[HangUps] = field(default_factory=list[HangUps])
    traces: int = 0
    dropped_traces: int = 0
    failures: dict[str, str] = field(default_factory=dict[str, str])


class UnansweredError(Exception):
    """A stack did not start, or did not answer as it should: nothing was measured."""


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
            live = _all_started(stacks, found, all_running)
            for load in loads:
                note(f"repetition {repetition + 1} of {repetitions}: {load.title}")
                for each in live:
                    if each.stack.answers(load):
                        _measure_one(each, load, tools, shorter, found[each.stack.name])
            for each in live:
                seen = found[each.stack.name]
                start = Start(each.started_in, each.idle_bytes, resident_bytes(each.pid))
                seen.starts.append(start)
                _hang_up_once(seen, each.stack, upstream_port)
                _count_traces(seen, each.stack)
    return list(found.values())


def _all_started(
    stacks: Sequence[Stack], found: dict[str, Measured], all_running: contextlib.ExitStack
) -> list[Live]:
    live: list[Live] = []
    for stack in stacks:
        if "start" in found[stack.name].failures:
            continue
        try:
            live.append(all_running.enter_context(started(stack)))
        except UnansweredError as error:
            found[stack.name].failures["start"] = str(error)
            note(str(error))
    return live


def _measure_one(live: Live, load: Load, tools: Tools, shorter: float, seen: Measured) -> None:
    if load.name in seen.failures:
        return
    try:
        run = run_load(live, load, tools, shorter)
    except UnansweredError as error:
        seen.failures[load.name] = str(error)
        note(str(error))
    else:
        seen.runs.setdefault(load.name, []).append(run)


def _hang_up_once(seen: Measured, stack: Stack, upstream_port: int) -> None:
    if seen.hang_ups or "hang-ups" in seen.failures:
        return
    try:
        seen.hang_ups = hang_up(stack, upstream_port)
    except OSError as error:
        seen.failures["hang-ups"] = str(error)


@contextlib.contextmanager
def started(stack: Stack) -> Generator[Live]:
    """Start a stack and wait until it answers a chat from upstream."""
    log = stack.folder / "output.log"
    begun = time.perf_counter()
    with running(SERVER_CORE, stack.command, env=stack.environment, log=log) as pid:
        if not stack.port:
            stack = stack._replace(port=_announced(stack, log))
        seconds = _first_answer(stack, pid, log, begun)
        time.sleep(SETTLE_SECONDS)
        yield Live(stack, pid, seconds, resident_bytes(pid))


def run_load(live: Live, load: Load, tools: Tools, shorter: float) -> Run:
    """Put one load on one stack, once, after a warm-up; raises `UnansweredError`."""
    body = live.stack.folder / "body.json"
    body.write_bytes(load.body(live.stack.before))
    warm_connections = min(load.connections, WARM_UP_CONNECTIONS)
    loadgen(live, load, tools, body, warm_connections, WARM_UP_SECONDS)
    cpu, waited = cpu_seconds(live.pid), waited_seconds(live.pid)
    clock = time.perf_counter()
    told = loadgen(live, load, tools, body, load.connections, load.seconds / shorter)
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


def loadgen(
    live: Live,
    load: Load,
    tools: Tools,
    body: Path,
    connections: int,
    seconds: float,
    *more: str,
) -> dict[str, float]:
    """Return what loadgen tells, with every request counted where `more` says nothing else.

    Raises:
        UnansweredError: an answer was wrong or missing, so that nothing was measured.

    """
    stack = live.stack
    command = pinned(
        TOOL_CORE,
        [
            *(tools.loadgen, *stack.asking(load), "-b", body, "-c", str(connections)),
            *("-d", str(seconds), "-w", "0", *more),
            *(["-s"] if load.stream else []),
        ],
    )
    patience = seconds + LOAD_PATIENCE
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=patience)
    told: dict[str, float] = json.loads(done.stdout) if done.returncode == 0 else {}
    broken = told and (told["err"] or told["reconn"] or (told["incomplete"] and not load.unframed))
    if not told or broken or not told["ok"]:
        raise UnansweredError(
            f"{stack.name} did not answer '{load.title}' as it should, so nothing was measured.\n"
            f"loadgen says: {done.stdout or done.stderr}The server's output ends with:\n"
            + _tail(stack.folder / "output.log")
        )
    return told


def _announced(stack: Stack, log: Path) -> int:
    """Return the port that a server took by itself; raises `UnansweredError`."""
    until = time.monotonic() + stack.patience
    while time.monotonic() < until:
        if found := re.search(r"listening on (\d+)\n", log.read_text(errors="replace")):
            return int(found[1])
        time.sleep(0.005)
    raise UnansweredError(f"{stack.name} does not listen. Its output ends with:\n{_tail(log)}")


def _first_answer(stack: Stack, pid: int, log: Path, begun: float) -> float:
    """Return the seconds from its begin until the stack answers a chat with 200.

    Raises:
        UnansweredError: it does not within its patience.

    """
    body, answered = LOADS[0].body(stack.before), ""
    headers = dict(line.split(": ", 1) for line in stack.headers)
    headers |= {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    while (waited := time.perf_counter() - begun) < stack.patience:
        connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=stack.patience)
        broken = (OSError, http.client.HTTPException)
        with contextlib.suppress(*broken), contextlib.closing(connection):
            connection.request("POST", stack.below + CHAT, body, headers)
            answer = connection.getresponse()
            answered = f"{answer.status} {answer.read(300)!r}"
            if answer.status == 200:
                return time.perf_counter() - begun
        if not Path(f"/proc/{pid}/stat").exists():
            break
        time.sleep(0.005)
    raise UnansweredError(
        f"{stack.name} gave no answer with 200 within {waited:.0f} s of its start {answered}."
        f" Its output ends with:\n{_tail(log)}"
    )


def _count_traces(seen: Measured, stack: Stack) -> None:
    """Note how many requests the gateway recorded and lost, as its metrics tell."""
    if not stack.metrics_port:
        return
    url = f"http://127.0.0.1:{stack.metrics_port}/metrics"
    with urllib.request.urlopen(url, timeout=METRICS_PATIENCE) as answer:
        lines: list[str] = answer.read().decode().splitlines()
    seen.traces += _total(lines, "inhouse_requests_total{")
    seen.dropped_traces += _total(lines, "inhouse_traces_dropped_total")


def _total(lines: Sequence[str], start: str) -> int:
    return int(sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(start)))


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
    return "\n".join(line[:TAIL_WIDTH] for line in lines)


def note(text: str) -> None:
    """Tell the person who waits what goes on."""
    print(text, file=sys.stderr, flush=True)
