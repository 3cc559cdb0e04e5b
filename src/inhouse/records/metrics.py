"""Prometheus metrics, fed from traces."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import accumulate, pairwise
from typing import Any

from msgspec import Struct, field
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from inhouse.core.trace import Trace
from inhouse.records import merging

LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 12, 30, 60, 120)
"""Seconds: from an index's answer to a long chat."""
_LIMITS_MS = tuple(limit * 1000 for limit in LATENCY_BUCKETS)
_LIMITS = (*(str(float(limit)) for limit in LATENCY_BUCKETS), "+Inf")


REQUESTED = "(requested)"
"""Stands for all deployments that requests themselves name, of which there are ever new ones."""


# The hash of an enum's member is computed in Python, that of its text kept.
_plain = str.__str__


class Load(Struct, frozen=True):
    """The requests that run at a deployment and wait for it, and whether it is left alone."""

    deployment: str
    running: int
    waiting: int
    resting: bool


class _Deployments(Collector):
    """Gauges with a line for each deployment."""

    def __init__(self, read: Callable[[], Iterable[Load]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Read them now."""
        running = _gauge("running", "Requests that run at a deployment.")
        waiting = _gauge("waiting", "Requests that wait for their turn at a deployment.")
        resting = _gauge("resting", "1 while a deployment is left alone since it failed, else 0.")
        for name, loads in _by_label(self._read()).items():
            running.add_metric([name], sum(each.running for each in loads))
            waiting.add_metric([name], sum(each.waiting for each in loads))
            resting.add_metric([name], any(each.resting for each in loads))
        yield from (running, waiting, resting)


class _Durations(Struct):
    """How many durations fell in each bucket, and in none at last."""

    since: float = field(default_factory=time.time)
    total_ms: float = 0.0
    counts: list[int] = field(default_factory=lambda: [0] * len(_LIMITS))


class _Histogram(Collector):
    """Durations by labels; the library's own takes them one by one, each under two locks."""

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self._name, self._text, self._labels = name, text, labels
        self._known: dict[tuple[str, ...], _Durations] = {}

    def observe(self, labels: tuple[str, ...], durations_ms: Sequence[float]) -> None:
        """Count durations, each in the first bucket that it fits in; for one thread at a time."""
        known = self._known.setdefault(labels, _Durations())
        for duration in durations_ms:
            known.counts[bisect_left(_LIMITS_MS, duration)] += 1
        known.total_ms += sum(durations_ms)

    def collect(self) -> Iterator[Metric]:
        """Read them now."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for labels, known in tuple(self._known.items()):
            buckets = list(zip(_LIMITS, accumulate(known.counts), strict=True))
            family.add_metric(labels, buckets, known.total_ms / 1000)
            named = dict(zip(self._labels, labels, strict=True))
            family.add_sample(f"{self._name}_created", named, known.since)
        yield family


def _label(deployment: str) -> str:
    # Names that are registered hold no slash.
    return REQUESTED if "/" in deployment else deployment


def _by_label(loads: Iterable[Load]) -> dict[str, list[Load]]:
    found: dict[str, list[Load]] = {}
    for each in loads:
        found.setdefault(_label(each.deployment), []).append(each)
    return found


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"inhouse_deployment_{name}", text, labels=["deployment"])


class Metrics:
    """The gateway's own metric registry.

    Labels are registered names and fixed words, never what a caller sent, so that their number is
    bounded.
    """

    def __init__(self, *, version: str) -> None:
        """Declare the metrics."""
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        Gauge("inhouse_build", "The running version.", ["version"], registry=registry).labels(
            version
        ).set(1)
        Gauge("inhouse_workers", "Processes that answer requests.", registry=registry).set(1)
        # Finding a labelled metric costs 2 us, five times a request.
        self._requests = cache(
            Counter(
                "inhouse_requests",
                "Requests, by how they ended.",
                ["endpoint", "feature", "deployment", "outcome", "status"],
                registry=registry,
            ).labels
        )
        self._seconds = _Histogram(
            "inhouse_request_seconds",
            "Seconds from the request's arrival to the end of its answer.",
            ["feature"],
        )
        registry.register(self._seconds)
        self._first = _Histogram(
            "inhouse_first_delta_seconds",
            "Seconds from the request's arrival to the upstream's first delta.",
            ["feature", "deployment"],
        )
        registry.register(self._first)
        self._tokens = cache(
            Counter(
                "inhouse_tokens",
                "Tokens as upstreams counted them.",
                ["deployment", "kind"],
                registry=registry,
            ).labels
        )
        self._errors = cache(
            Counter(
                "inhouse_errors",
                "Requests that failed, by machine word.",
                ["error"],
                registry=registry,
            ).labels
        )
        self._fallbacks = cache(
            Counter(
                "inhouse_fallbacks",
                "Deployments that were given up for the next one.",
                ["deployment"],
                registry=registry,
            ).labels
        )
        self._failures = cache(
            Counter(
                "inhouse_upstream_failures",
                "Times that a deployment did not answer, or not to the end, by machine word.",
                ["deployment", "failure"],
                registry=registry,
            ).labels
        )
        self._suggestions = cache(
            Counter(
                "inhouse_suggestions",
                "What editors say became of suggestions.",
                ["event", "deployment"],
                registry=registry,
            ).labels
        )
        self.dropped = Counter(
            "inhouse_traces_dropped", "Traces lost because the queue was full.", registry=registry
        )

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Add a gauge whose value is read when somebody looks."""
        Gauge(name, text, registry=self._registry).set_function(read)

    def deployments(self, read: Callable[[], Iterable[Load]]) -> None:
        """Add gauges that tell how each deployment stands when somebody looks."""
        self._registry.register(_Deployments(read))

    def observe(self, traces: Iterable[Trace]) -> None:
        """Count ended requests; those that are alike, at once."""
        groups: dict[tuple[Any, ...], list[Trace]] = {}
        for trace in traces:
            alike = (
                trace.endpoint,
                trace.feature,
                trace.deployments,
                trace.failures,
                _plain(trace.outcome),
                trace.status,
                trace.error,
            )
            group = groups.get(alike)
            if group is None:
                groups[alike] = [trace]
            else:
                group.append(trace)
        for group in groups.values():
            self._observe(group)

    def _observe(self, alike: list[Trace]) -> None:
        trace, number = alike[0], len(alike)
        tried = tuple(map(_label, trace.deployments))
        answered = tried[-1] if tried else ""
        self._requests(
            trace.endpoint, trace.feature, answered, trace.outcome.value, str(trace.status)
        ).inc(number)
        self._seconds.observe((trace.feature,), [each.duration_ms for each in alike])
        first = [each.first_delta_ms for each in alike if each.first_delta_ms is not None]
        if first:
            self._first.observe((trace.feature, answered), first)
        prompt = sum([each.prompt_tokens for each in alike])
        completion = sum([each.completion_tokens for each in alike])
        if prompt or completion:
            self._tokens(answered, "prompt").inc(prompt)
            self._tokens(answered, "completion").inc(completion)
        if trace.error:
            self._errors(trace.error).inc(number)
        for given_up, following in pairwise(tried):
            # One that is asked once more, with less text say, has not been given up.
            if given_up != following:
                self._fallbacks(given_up).inc(number)
        for deployment, failure in zip(tried, trace.failures, strict=False):
            if failure:
                self._failures(deployment, failure).inc(number)

    def suggestion(self, event: str, deployment: str) -> None:
        """Count what became of a suggestion."""
        self._suggestions(event, deployment).inc()

    def text(self) -> bytes:
        """Return Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry)

    def snapshot(self) -> bytes:
        """Return them as they stand, to be merged with those of other processes."""
        return merging.snapshot(self._registry.collect())
