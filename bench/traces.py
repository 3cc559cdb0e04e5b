"""What the gateway recorded of requests, against what their callers saw."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import defaultdict
from pathlib import Path

from callers import Ended

Traces = dict[str, list[str]]
"""How each request ended, by the id that its caller gave it; one trace is as it should be."""


def lost(ended: list[Ended], traces: Traces) -> str:
    """Return how traces contradict what callers saw; nothing where they do not."""
    seen = {each.request_id: each for each in ended}
    # Who leaves at once may be gone before the gateway has read the request.
    found = {
        "twice": [name for name, outcomes in traces.items() if len(outcomes) > 1],
        "unknown": sorted(traces.keys() - seen.keys()),
        "missing": [
            name for name, each in seen.items() if each.how != "left" and name not in traces
        ],
        "otherwise": [
            f"{name} at {seen[name].door.path} is {seen[name].how} and {outcomes}"
            for name, outcomes in traces.items()
            if name in seen and not _agree(seen[name].how, outcomes[0])
        ],
    }
    return ", ".join(f"{len(names)} {what}: {names[:3]}" for what, names in found.items() if names)


def _agree(how: str, outcome: str) -> bool:
    """Return whether a trace says of an answer what its caller saw of it."""
    return how == "left" or (how == "ok") == (outcome == "ok")


def traced(path: Path) -> Traces:
    """Return how requests ended at the gateway, by the id that their caller gave them."""
    outcomes: defaultdict[str, list[str]] = defaultdict(list)
    with contextlib.closing(sqlite3.connect(path)) as store:
        for name, outcome in store.execute("SELECT request_id, outcome FROM traces"):
            outcomes[name].append(outcome)
    return outcomes
