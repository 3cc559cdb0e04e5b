"""Where the microseconds go: what a request or a token costs, by room and by function.

    python bench/profiling.py [--loads "chat c32" "chat paced"] [--functions 40] [--docs]

A gateway runs in this process, on one thread and one core; its callers and its upstream run beside
it. Each load comes twice: as it is, for what it costs; then under `cProfile`, for who is called how
often. A profiler adds about as much to every call, so what the second run costs more is taken off
again by the number of calls. Counts are exact; times of single functions are good to a quarter.
What C does for a room, decoding JSON say, counts as the room's; the event loop and the HTTP parser
are rows of their own. What is left is the loop between its callbacks: waiting, reading, scheduling.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

import ctools
import inhouse
from documenting import DOCS, document
from inhouse import config
from inhouse.gateway import Gateway
from inhouse.server import Addresses, run, serve
from loads import LOADS, Load
from machine import busy, machine
from processes import SERVER_CORE, TOOL_CORE, free_port, pinned, running, wait_for_port
from report import table
from results import described
from stacks import BUILDERS, Stack, stacks

DEFAULT = ("chat short c32", "chat c32", "chat paced", "completion c32", "completion paced")
PACKAGE = str(Path(inhouse.__file__).parent) + os.sep
OWN_ROWS = ("uvloop", "httptools")
"""Packages in C whose time is nobody's but theirs."""
LEFT = "the loop between its callbacks: wait, read, schedule"
LEAST_US = 0.05
"""Rooms below that are not worth a line."""
Function = tuple[str, int, str]
"""File, line, name, as the profiler has it; the file of C is ``~``."""


class Cost(Struct, frozen=True):
    """One run of a load: how much was answered, and the processor time of it in seconds."""

    answered: int
    loop: float
    process: float
    got: float
    """Of the time that the loop's thread wanted a core."""


class Spent(Struct):
    """What a room or a function took for one request or token: calls, and microseconds."""

    calls: float = 0
    us: float = 0


def main() -> int:
    """Profile; return the exit status."""
    asked = _arguments()
    loads = [load for load in LOADS if load.name in (asked.loads or DEFAULT)]
    os.sched_setaffinity(0, {SERVER_CORE})
    with tempfile.TemporaryDirectory(prefix="inhouse-profile-") as name:
        folder, port = Path(name), free_port()
        upstream = [ctools.build().fake_openai, str(port)]
        with running(TOOL_CORE, upstream, env={}, log=folder / "upstream.log"):
            wait_for_port(port)
            stack = stacks(folder, port, {"inhouse": BUILDERS["inhouse"]})[0]
            # The gateway's log goes where it costs as much as in production, and out of the way.
            os.dup2(os.open(folder / "gateway.log", os.O_WRONLY | os.O_CREAT), sys.stderr.fileno())
            run(_serve(stack, loads, asked))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    names = [load.name for load in LOADS]
    parser.add_argument("--loads", nargs="+", default=[], choices=names, metavar="NAME")
    parser.add_argument("--functions", type=int, default=40, metavar="N", help="how many to show")
    parser.add_argument("--docs", action="store_true", help=f"write it into {DOCS.name}, too")
    return parser.parse_args()


async def _serve(stack: Stack, loads: Sequence[Load], asked: argparse.Namespace) -> None:
    """Serve as `inhouse serve` does, until all is profiled."""
    profiling: list[asyncio.Task[None]] = []

    def started(_: Addresses) -> None:
        profiling.append(asyncio.create_task(_profile(stack, loads, asked)))
        profiling[0].add_done_callback(lambda _: signal.raise_signal(signal.SIGTERM))

    async with Gateway.open(config.load(stack.folder / "inhouse.toml")) as gateway:
        await serve(gateway, on_started=started)
    await profiling[0]


async def _profile(stack: Stack, loads: Sequence[Load], asked: argparse.Namespace) -> None:
    conditions = machine() | {
        "commit": described("HEAD")[0],
        "processes that wanted a core when it began": f"{busy():.1f}",
    }
    reports = ["\n".join(f"- {what}: {value}" for what, value in conditions.items())]
    for load in loads:
        await _run(stack, load, seconds=1)
        plain = await _run(stack, load, seconds=load.seconds)
        profile = cProfile.Profile()
        profile.enable()
        profiled = await _run(stack, load, seconds=load.seconds)
        profile.disable()
        profile.create_stats()
        stats = cast("dict[Function, Any]", vars(profile)["stats"])
        reports.append(_report(load, plain, profiled, stats, asked.functions))
    print("\n\n".join(reports), flush=True)
    if asked.docs:
        document("profile", "\n\n".join(reports))


async def _run(stack: Stack, load: Load, *, seconds: float) -> Cost:
    body = stack.folder / "body.json"
    body.write_bytes(load.body())
    loop, process, waited = time.thread_time(), time.process_time(), _waited()
    loadgen = await asyncio.create_subprocess_exec(
        *pinned(TOOL_CORE, [ctools.build().loadgen, *stack.asking(load)]),
        *("-b", str(body), "-c", str(load.connections), "-d", str(seconds), "-w", "0"),
        *(["-s"] if load.stream else []),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await loadgen.communicate()
    loop, process = time.thread_time() - loop, time.process_time() - process
    told = json.loads(said)
    if told["err"] or not told["ok"]:
        raise SystemExit(f"'{load.title}' was not answered as it should: {said.decode()}")
    answered = int(told["chunks"] if load.stream else told["ok"])
    return Cost(answered, loop, process, loop / (loop + _waited() - waited))


def _waited() -> float:
    """Return how long the loop's thread has stood in line for a core, in seconds."""
    path = f"/proc/self/task/{threading.get_native_id()}/schedstat"
    return int(Path(path).read_text().split()[1]) / 1e9


def _report(
    load: Load, plain: Cost, profiled: Cost, stats: Mapping[Function, Any], functions: int
) -> str:
    of = "token" if load.stream else "request"
    loop_us = plain.loop / plain.answered * 1e6
    threads_us = (plain.process - plain.loop) / plain.answered * 1e6
    by_room, by_function = _spent(stats, plain, profiled)
    rows = sorted(by_room.items(), key=lambda item: -item[1].us)
    rest = loop_us - sum(spent.us for _, spent in rows)
    shown = [
        *rows,
        (LEFT, Spent(us=rest)),
        ("other threads: rows in the store", Spent(us=threads_us)),
    ]
    total = loop_us + threads_us
    head = (f"calls a {of}", f"µs a {of}", "of all")
    return "\n".join(
        (
            f"#### {load.title}: {total:.1f} µs a {of}\n",
            table(
                ("where", *head),
                [
                    (name, f"{spent.calls:.1f}", f"{spent.us:.1f}", f"{spent.us / total:.0%}")
                    for name, spent in shown
                    if spent.us >= LEAST_US
                ],
            ),
            "",
            table(
                ("function", *head),
                [
                    (
                        _named(each),
                        f"{spent.calls:.2f}",
                        f"{spent.us:.2f}",
                        f"{spent.us / total:.1%}",
                    )
                    for each, spent in sorted(by_function.items(), key=lambda item: -item[1].us)
                ][:functions],
            ),
        )
    )


def _spent(
    stats: Mapping[Function, Any], plain: Cost, profiled: Cost
) -> tuple[dict[str, Spent], dict[Function, Spent]]:
    """Return what rooms and functions took, without what the profiler added."""
    calls = sum(each[1] for each in stats.values()) / profiled.answered
    more = profiled.loop / profiled.answered - plain.loop / plain.answered
    # Half of what a call costs the profiler falls to who calls, half to who is called.
    half = max(more, 0) / calls / 2 * 1e6
    made: Counter[Function] = Counter()
    for _, _, _, _, callers in stats.values():
        for caller, (count, *_) in callers.items():
            made[caller] += count
    rooms: dict[str, Spent] = {}
    functions: dict[Function, Spent] = {}

    def add(room: str, count: float, seconds: float, called: float) -> float:
        us = (seconds * profiled.got * 1e6 - half * (count + called)) / profiled.answered
        spent = rooms.setdefault(room, Spent())
        spent.calls += count / profiled.answered
        spent.us += us
        return us

    for function, (_, count, own, _, callers) in stats.items():
        room = _room(function)
        if room:
            us = add(room, count, own, made[function])
        else:
            us = sum(
                add(_room(caller) or "built in", times, seconds, 0)
                for caller, (times, _, seconds, _) in callers.items()
            )
        functions[function] = Spent(count / profiled.answered, us)
    return rooms, functions


def _room(function: Function) -> str:
    """Return whose time a function's is; empty where it is its caller's."""
    file, _, name = function
    if file == "~":
        return next((own for own in OWN_ROWS if f"'{own}" in name or f"{own}." in name), "")
    if file.startswith(PACKAGE):
        return "inhouse: " + Path(file.removeprefix(PACKAGE)).parts[0]
    _, found, package = file.partition(f"site-packages{os.sep}")
    if found:
        return Path(package).parts[0]
    return "asyncio" if f"{os.sep}asyncio{os.sep}" in file else "standard library"


def _named(function: Function) -> str:
    file, line, name = function
    if file == "~":
        return f"`{name.strip('<>')}`"
    place = file.removeprefix(PACKAGE) if file.startswith(PACKAGE) else Path(file).name
    return f"`{place}:{line} {name}`"


if __name__ == "__main__":
    sys.exit(main())
