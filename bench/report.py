"""From runs to figures, and to Markdown that the documentation takes as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from loads import LOADS, Load
from measure import Measured, Run

MIB = 2**20
NOTHING = "-"


class Figure(Struct, frozen=True):
    """One load on one stack over all repetitions that say something.

    Each value is the least of them, `per_second` the most; `spread` is the largest CPU time over
    the least. Without `runs`, the server was starved in every repetition and the values are the
    best of those.
    """

    runs: int
    cpu_us: float
    spread: float
    core: float
    per_second: float
    p50_us: float
    p99_us: float
    delay_p50_us: float | None
    delay_p99_us: float | None
    first_p50_us: float | None


def figure(runs: Sequence[Run]) -> Figure:
    """Join the repetitions of one load on one stack."""
    sound = [run for run in runs if not run.starved]
    kept = sound or runs

    def least(read: Callable[[Run], float | None]) -> float | None:
        return min((value for run in kept if (value := read(run)) is not None), default=None)

    costs = [run.cpu_us for run in kept]
    return Figure(
        runs=len(sound),
        cpu_us=min(costs),
        spread=max(costs) / min(costs),
        core=min(run.core for run in kept),
        per_second=max(run.per_second for run in kept),
        p50_us=min(run.p50_us for run in kept),
        p99_us=min(run.p99_us for run in kept),
        delay_p50_us=least(lambda run: run.delay_p50_us),
        delay_p99_us=least(lambda run: run.delay_p99_us),
        first_p50_us=least(lambda run: run.first_p50_us),
    )


def figures(measured: Sequence[Measured]) -> dict[str, dict[str, Figure]]:
    """Return the figures by stack and load, of stacks that were measured at all."""
    return {
        each.name: {load: figure(runs) for load, runs in each.runs.items()}
        for each in measured
        if each.runs
    }


def markdown(measured: Sequence[Measured]) -> str:
    """Return the long tables."""
    found = figures(measured)
    requests = [load for load in LOADS if not load.stream and load.name in found[measured[0].name]]
    streams = [load for load in LOADS if load.stream and load.name in found[measured[0].name]]
    parts = [
        "### Requests that are answered whole",
        table(
            (
                *("load", "stack", "CPU µs a request", "of reference", "requests/s and core"),
                *("p50 ms", "p99 ms", "runs", "spread"),
            ),
            [row for load in requests for row in _request_rows(load, found)],
        ),
        "### Streams",
        table(
            (
                *("load", "stack", "CPU µs a token", "of reference", "tokens/s", "core used"),
                *("token delay p50 ms", "p99 ms", "first token p50 ms", "runs", "spread"),
            ),
            [row for load in streams for row in _stream_rows(load, found)],
        ),
        *_doors(found),
        "### Start and memory",
        table(
            (
                *("stack", "first start to first 200, s", "later starts, s"),
                *("RSS idle, MiB", "RSS after the loads, MiB"),
            ),
            [_start_row(each) for each in measured if each.starts],
        ),
        "### Hang-ups that reach the upstream within 4 s",
        table(
            ("stack", *(hang_ups.phase for hang_ups in measured[0].hang_ups)),
            [_hang_up_row(each) for each in measured],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def conditions(measured: Sequence[Measured], found: dict[str, str]) -> str:
    """Return what the figures hold for."""
    lines = [f"- {name}: {value}" for name, value in found.items()]
    lines += [f"- {each.name}: {each.version}" for each in measured]
    lines += [
        f"- {each.name} recorded {each.traces:,} traces and lost {each.dropped_traces:,}"
        for each in measured
        if each.traces
    ]
    return "\n".join(lines)


def _request_rows(load: Load, found: dict[str, dict[str, Figure]]) -> list[tuple[str, ...]]:
    return [
        (
            load.title,
            stack,
            f"{each.cpu_us:.0f}",
            _ratio(each, found, load),
            f"{1e6 / each.cpu_us:,.0f}",
            _ms(each.p50_us),
            _ms(each.p99_us),
            _runs(each),
            f"{each.spread:.2f}",
        )
        for stack, each in _stacks(load, found)
    ]


def _stream_rows(load: Load, found: dict[str, dict[str, Figure]]) -> list[tuple[str, ...]]:
    return [
        (
            load.title,
            stack,
            f"{each.cpu_us:.1f}",
            _ratio(each, found, load),
            f"{each.per_second:,.0f}",
            f"{each.core:.2f}",
            _ms(each.delay_p50_us),
            _ms(each.delay_p99_us),
            _ms(each.first_p50_us),
            _runs(each),
            f"{each.spread:.2f}",
        )
        for stack, each in _stacks(load, found)
    ]


def _doors(found: dict[str, dict[str, Figure]]) -> list[str]:
    """Return the table of loads that ask for the same as another, where both were measured."""
    rows = [
        (
            load.title,
            stack,
            load.beside,
            f"{loads[load.name].cpu_us / loads[load.beside].cpu_us:.2f}",
        )
        for load in LOADS
        for stack, loads in found.items()
        if load.beside and {load.name, load.beside} <= loads.keys()
    ]
    head = ("load", "stack", "the same as", "times its CPU")
    return ["### The same at another door", table(head, rows)] if rows else []


def _start_row(each: Measured) -> tuple[str, ...]:
    # The first one makes the store and its tables.
    first, *later = (start.seconds for start in each.starts)
    return (
        each.name,
        f"{first:.2f}",
        f"{min(later):.2f}" if later else NOTHING,
        f"{min(start.idle_bytes for start in each.starts) / MIB:.0f}",
        f"{max(start.after_bytes for start in each.starts) / MIB:.0f}",
    )


def _hang_up_row(each: Measured) -> tuple[str, ...]:
    return (
        each.name,
        *(
            f"{hang_ups.closed}/{hang_ups.callers}"
            + (f" in {hang_ups.milliseconds:.0f} ms" if hang_ups.milliseconds is not None else "")
            for hang_ups in each.hang_ups
        ),
    )


def _stacks(load: Load, found: dict[str, dict[str, Figure]]) -> list[tuple[str, Figure]]:
    return [(stack, loads[load.name]) for stack, loads in found.items() if load.name in loads]


def _ratio(each: Figure, found: dict[str, dict[str, Figure]], load: Load) -> str:
    reference = found.get("reference", {}).get(load.name)
    return f"{each.cpu_us / reference.cpu_us:.2f}" if reference else NOTHING


def _ms(us: float | None) -> str:
    return NOTHING if us is None else f"{us / 1000:.2f}"


def _runs(each: Figure) -> str:
    return str(each.runs) if each.runs else "starved"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; all columns but the first are numbers."""
    numbers = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, numbers, *rows))
