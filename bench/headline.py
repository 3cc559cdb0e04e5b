"""The table that `make bench` prints: what the gateway costs, and how that compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from carrying import LATE_US, MOST, Carried
from loads import LOADS, Load
from measure import Measured
from report import MIB, NOTHING, Figure, table
from results import Result, of_reference, ratio

Figures = Mapping[str, Mapping[str, Figure]]
RESOURCES: dict[str, Callable[[Measured], float]] = {
    "start to first 200, s": lambda seen: min(each.seconds for each in seen.starts),
    "memory idle, MiB": lambda seen: min(each.idle_bytes for each in seen.starts) / MIB,
    "memory after, MiB": lambda seen: max(each.after_bytes for each in seen.starts) / MIB,
}


def markdown(
    measured: Sequence[Measured],
    found: Figures,
    *,
    earlier: str = "",
    kept: Result | None = None,
    carried: Mapping[str, Carried] | None = None,
) -> str:
    """Return the table.

    `earlier` names the stack of this run that is an earlier release; without one, `kept` tells
    what such a release took in a run of its own.
    """
    compared = ["reference", "nginx", *([earlier] if earlier else [])]
    then = kept if not earlier else None
    head = ["what", "inhouse", *(f"of {name}" for name in compared)]
    head += [f"of {then.commit}"] if then else []
    head += ["p50 ms", "p99 ms", "runs"]
    rows: list[tuple[str, ...]] = []
    for load in LOADS:
        ours = found["inhouse"].get(load.name)
        if ours is None:
            continue
        times = [of_reference(load.name, found, reference=name) for name in compared]
        times += [ratio(load.name, found, then)] if then else []
        rows.append((*_cost(load, ours), *map(_times, times), *_delays(load, ours)))
    by_name = {each.name: each for each in measured}
    for what, read in RESOURCES.items():
        ours = read(by_name["inhouse"])
        others = [by_name[name] for name in compared if name in by_name]
        times = {each.name: ours / read(each) for each in others if each.starts}
        cells = [_times(times.get(name)) for name in compared] + [NOTHING] * bool(then)
        rows.append((what, f"{ours:.3g}", *cells, NOTHING, NOTHING, NOTHING))
    if carried:
        rows.append(_carried(carried, compared, bool(then)))
    return table(head, rows)


def _cost(load: Load, ours: Figure) -> tuple[str, str]:
    what = "token" if load.stream else "request"
    return f"{load.title}: CPU µs a {what}", f"{ours.cpu_us:.{1 if load.stream else 0}f}"


def _delays(load: Load, ours: Figure) -> tuple[str, str, str]:
    """Return p50 and p99 where they are a delay, rather than a queue that the load itself makes."""
    runs = str(ours.runs) if ours.runs else "starved"
    if load.stream and "-d20" in load.model:
        return _ms(ours.delay_p50_us), _ms(ours.delay_p99_us), runs
    if load.connections == 1:
        return _ms(ours.p50_us), _ms(ours.p99_us), runs
    return NOTHING, NOTHING, runs


def _carried(
    carried: Mapping[str, Carried], compared: Sequence[str], kept: bool
) -> tuple[str, ...]:
    ours = carried["inhouse"]
    others = [carried.get(name) for name in compared]
    times = [ours.streams / each.streams if each and each.streams else None for each in others]
    most = "or more" if ours.streams == MOST else ""
    return (
        f"streams of 50 tokens/s with p99 below {LATE_US // 1000} ms",
        f"{ours.streams} {most}".strip(),
        *map(_times, times),
        *([NOTHING] * kept),
        *(_ms(ours.delay_p50_us), _ms(ours.delay_p99_us), "1"),
    )


def _times(ratio: float | None) -> str:
    return NOTHING if ratio is None else f"{ratio:.2f}"


def _ms(us: float | None) -> str:
    return NOTHING if us is None else f"{us / 1000:.2f}"
