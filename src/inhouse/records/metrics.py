"""Prometheus metrics, fed from traces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import pairwise

from msgspec import Struct
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inhouse.core.trace import Trace
from inhouse.records import merging

LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 12, 30, 60, 120)
"""Seconds: from an index's answer to a long chat."""


REQUESTED = "(requested)"
"""Stands for all deployments that requests themselves name, of which there are ever new ones."""


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
        self._seconds = cache(
            Histogram(
                "inhouse_request_seconds",
                "Seconds from the request's arrival to the end of its answer.",
                ["feature"],
                buckets=LATENCY_BUCKETS,
                registry=registry,
            ).labels
        )
        self._first = cache(
            Histogram(
                "inhouse_first_delta_seconds",
                "Seconds from the request's arrival to the upstream's first delta.",
                ["feature", "deployment"],
                buckets=LATENCY_BUCKETS,
                registry=registry,
            ).labels
        )
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

    def observe(self, trace: Trace) -> None:
        """Count one ended request."""
        tried = tuple(map(_label, trace.deployments))
        answered = tried[-1] if tried else ""
        self._requests(
            trace.endpoint, trace.feature, answered, trace.outcome.value, str(trace.status)
        ).inc()
        self._seconds(trace.feature).observe(trace.duration_ms / 1000)
        if trace.first_delta_ms is not None:
            self._first(trace.feature, answered).observe(trace.first_delta_ms / 1000)
        if trace.prompt_tokens or trace.completion_tokens:
            self._tokens(answered, "prompt").inc(trace.prompt_tokens)
            self._tokens(answered, "completion").inc(trace.completion_tokens)
        if trace.error:
            self._errors(trace.error).inc()
        for given_up, following in pairwise(tried):
            # One that is asked once more, with less text say, has not been given up.
            if given_up != following:
                self._fallbacks(given_up).inc()
        for deployment, failure in zip(tried, trace.failures, strict=False):
            if failure:
                self._failures(deployment, failure).inc()

    def suggestion(self, event: str, deployment: str) -> None:
        """Count what became of a suggestion."""
        self._suggestions(event, deployment).inc()

    def text(self) -> bytes:
        """Return Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry)

    def snapshot(self) -> bytes:
        """Return them as they stand, to be merged with those of other processes."""
        return merging.snapshot(self._registry.collect())
