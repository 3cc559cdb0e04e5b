"""What the gateway may cost, and whether it keeps to that."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from measure import Measured
from report import MIB, Figure, table


class Line(Struct, frozen=True):
    """One line of the budget: a limit, and what was measured, in the same unit."""

    what: str
    limit: float
    found: float
    unit: str = ""

    @property
    def kept(self) -> bool:
        """Whether what was found is within the limit."""
        return self.found <= self.limit


def lines(
    measured: Sequence[Measured], found: dict[str, dict[str, Figure]], installed: int
) -> list[Line]:
    """Return the budget of the whole gateway; `installed` is in bytes.

    It must have been measured under all loads, beside the reference.
    """
    ours, reference = found["inhouse"], found["reference"]
    gateway = next(each for each in measured if each.name == "inhouse")
    paced = ours["chat paced"]
    return [
        Line("CPU a request, one token", 100, ours["chat short c32"].cpu_us, "µs"),
        Line("CPU a request, 64 tokens at once", 100, ours["chat c32"].cpu_us, "µs"),
        Line("… against the reference", 3.3, _ratio("chat c32", ours, reference), "x"),
        Line("CPU a streamed token, paced", 60, paced.cpu_us, "µs"),
        Line("… against the reference", 1.6, _ratio("chat paced", ours, reference), "x"),
        Line("CPU a streamed token, burst", 12, ours["chat burst"].cpu_us, "µs"),
        Line("latency of one request, p50", 0.4, ours["chat c1"].p50_us / 1000, "ms"),
        Line("delay of a paced token, p50", 0.2, (paced.delay_p50_us or 0) / 1000, "ms"),
        Line("delay of a paced token, p99", 5, (paced.delay_p99_us or 0) / 1000, "ms"),
        Line("100 streams at 50 tokens/s", 0.3, paced.core, "of a core"),
        Line("RSS idle", 80, max(each.idle_bytes for each in gateway.starts) / MIB, "MiB"),
        Line("RSS after", 120, max(each.after_bytes for each in gateway.starts) / MIB, "MiB"),
        Line("start to first 200", 1, min(each.seconds for each in gateway.starts), "s"),
        Line("installed", 60, installed / 1e6, "MB"),
        Line(
            "hang-ups that reach nobody",
            0,
            sum(each.callers - each.closed for each in gateway.hang_ups),
        ),
        Line(
            "hang-up until the upstream is closed",
            100,
            max((each.milliseconds or float("inf") for each in gateway.hang_ups), default=0),
            "ms",
        ),
    ]


def markdown(budget: Sequence[Line]) -> str:
    """Return the budget as a table."""
    return table(
        ("what", "budget", "measured", "kept"),
        [
            (
                line.what,
                f"≤ {line.limit:g} {line.unit}".rstrip(),
                f"{line.found:.3g} {line.unit}".rstrip(),
                "yes" if line.kept else "no",
            )
            for line in budget
        ],
    )


def _ratio(load: str, ours: dict[str, Figure], reference: dict[str, Figure]) -> float:
    return ours[load].cpu_us / reference[load].cpu_us
