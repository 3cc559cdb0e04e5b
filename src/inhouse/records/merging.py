"""The metrics of several processes as those of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import msgspec
from msgspec import Struct
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

LARGEST = {
    "inhouse_build",
    "inhouse_deployment_resting",
    "process_max_fds",
    "python_info",
}
"""Gauges of which the largest stands for all; others are added up."""
EARLIEST = {"process_start_time_seconds"}

Labels = tuple[tuple[str, str], ...]


class Family(Struct, frozen=True, array_like=True):
    """One metric: its samples are name, labels, value."""

    name: str
    text: str
    kind: str
    samples: tuple[tuple[str, Labels, float], ...]


_decode = msgspec.msgpack.Decoder(tuple[Family, ...]).decode


def snapshot(metrics: Iterable[Metric]) -> bytes:
    """Return metrics as they stand, for `merged`."""
    return _packed(
        Family(
            each.name,
            each.documentation,
            each.type,
            tuple((one.name, tuple(one.labels.items()), float(one.value)) for one in each.samples),
        )
        for each in metrics
    )


def merged(snapshots: Iterable[bytes]) -> bytes:
    """Return one snapshot of several: counters and histograms added up, gauges as `LARGEST` has."""
    families: dict[str, Family] = {}
    samples: dict[str, dict[tuple[str, Labels], float]] = {}
    for family in chain.from_iterable(map(_decode, filter(None, snapshots))):
        families.setdefault(family.name, family)
        known = samples.setdefault(family.name, {})
        for name, labels, value in family.samples:
            before = known.get((name, labels))
            known[name, labels] = value if before is None else _joined(name, before, value)
    return _packed(
        Family(
            name,
            family.text,
            family.kind,
            tuple((*which, value) for which, value in samples[name].items()),
        )
        for name, family in families.items()
    )


def lasting(taken: bytes) -> bytes:
    """Return what stays true of a process that is gone: what it has counted."""
    return _packed(family for family in _decode(taken) if family.kind != "gauge") if taken else b""


def text(taken: bytes) -> bytes:
    """Return a snapshot in Prometheus' text format, version 0.0.4."""
    registry = CollectorRegistry()
    registry.register(_Taken(taken))
    return generate_latest(registry)


class _Taken(Collector):
    def __init__(self, taken: bytes) -> None:
        self._taken = taken

    def collect(self) -> Iterator[Metric]:
        for family in _decode(self._taken):
            metric = Metric(family.name, family.text, family.kind)
            for name, labels, value in family.samples:
                metric.add_sample(name, dict(labels), value)
            yield metric


def _joined(name: str, one: float, other: float) -> float:
    if name in LARGEST:
        return max(one, other)
    if name in EARLIEST or name.endswith("_created"):
        return min(one, other)
    return one + other


def _packed(families: Iterable[Family]) -> bytes:
    return msgspec.msgpack.encode(tuple(families))
