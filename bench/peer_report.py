"""The tables that `make bench-peers` prints: this gateway among others, on the same work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from measure import Measured
from report import MIB, NOTHING, Figure, table
from results import of_reference

LOADS = ("chat c1", "chat c32", "chat paced", "chat burst")
Figures = Mapping[str, Mapping[str, Figure]]


def markdown(
    measured: Sequence[Measured],
    found: Figures,
    missing: Mapping[str, str],
    megabytes: Mapping[str, float],
) -> str:
    """Return both tables; `missing` says why a peer was not installed."""
    ordered = sorted(measured, key=lambda each: _cpu(found, each.name, "chat c32"))
    costs = (
        *("gateway", "CPU µs a request", "of reference", "p50 ms", "p99 ms"),
        *("CPU µs a token", "of reference", "delay p50 ms", "p99 ms", "CPU µs in a burst", "runs"),
    )
    phases = [each.phase for each in measured[0].hang_ups]
    behaviour = ("gateway", "version", *phases, "start, s", "memory after, MiB", "disk, MB")
    parts = [
        table(costs, [_costs(each.name, found) for each in ordered if found.get(each.name)]),
        "Hang-ups that reach the upstream within 4 s, of 10:",
        table(behaviour, [_behaviour(each, len(phases), megabytes) for each in ordered]),
        *_failures(measured, missing),
    ]
    return "\n\n".join(parts) + "\n"


def _costs(name: str, found: Figures) -> tuple[str, ...]:
    one, many, paced, burst = (found[name].get(load) for load in LOADS)
    return (
        name,
        f"{many.cpu_us:,.0f}" if many else NOTHING,
        _times(of_reference("chat c32", found, stack=name)),
        *(_ms(one.p50_us if one else None), _ms(one.p99_us if one else None)),
        f"{paced.cpu_us:.1f}" if paced else NOTHING,
        _times(of_reference("chat paced", found, stack=name)),
        *(_ms(paced.delay_p50_us if paced else None), _ms(paced.delay_p99_us if paced else None)),
        f"{burst.cpu_us:.1f}" if burst else NOTHING,
        str(min((each.runs for each in (many, paced) if each), default=0) or "starved"),
    )


def _behaviour(seen: Measured, phases: int, megabytes: Mapping[str, float]) -> tuple[str, ...]:
    closed = [f"{each.closed}" for each in seen.hang_ups] or [NOTHING] * phases
    disk = megabytes.get(seen.name)
    if not seen.starts:
        return seen.name, seen.version, *closed, "did not start", NOTHING, NOTHING
    return (
        *(seen.name, seen.version, *closed),
        f"{min(each.seconds for each in seen.starts):.1f}",
        f"{max(each.after_bytes for each in seen.starts) / MIB:.0f}",
        f"{disk:.0f}" if disk else NOTHING,
    )


def _failures(measured: Sequence[Measured], missing: Mapping[str, str]) -> list[str]:
    lines = [f"- {name}: {why}" for name, why in missing.items()]
    lines += [
        f"- {each.name}, {what}: {why.splitlines()[0]}"
        for each in measured
        for what, why in each.failures.items()
    ]
    return ["What could not be measured:", "\n".join(lines)] if lines else []


def _cpu(found: Figures, name: str, load: str) -> float:
    figure = found.get(name, {}).get(load)
    return figure.cpu_us if figure else float("inf")


def _times(ratio: float | None) -> str:
    return NOTHING if ratio is None else f"{ratio:.2f}"


def _ms(us: float | None) -> str:
    return NOTHING if us is None else f"{us / 1000:.2f}"
