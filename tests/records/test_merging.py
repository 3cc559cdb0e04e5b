"""The metrics of several processes are those that one process would have."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)

from inhouse.core.trace import Outcome, Trace
from inhouse.records import merging
from inhouse.records.metrics import Load, Metrics

WORKERS = 3


def trace(deployment: str, outcome: Outcome, milliseconds: int) -> Trace:
    return Trace(
        id="t",
        request_id="r",
        started_at=0.0,
        endpoint="/v1/completions",
        caller="ada",
        team="",
        user="",
        model="completion",
        feature="completion",
        deployments=(deployment,),
        outcome=outcome,
        status=200,
        duration_ms=float(milliseconds),
        first_delta_ms=milliseconds / 2,
        prompt_tokens=milliseconds,
        completion_tokens=2,
    )


TRACES = st.builds(
    trace,
    st.sampled_from(["one", "two"]),
    st.sampled_from(Outcome),
    st.integers(0, 1600).map(lambda eighths: 125 * eighths),  # sums of which are exact
)


def counted(taken: bytes) -> set[str]:
    """Return the lines that tell of requests, not of times and processes."""
    lines = merging.text(taken).decode().splitlines()
    return {line for line in lines if line.startswith("inhouse_") and "_created" not in line}


@given(st.lists(st.tuples(st.integers(0, WORKERS - 1), TRACES)))
def test_counters_and_histograms_add_up(made: list[tuple[int, Trace]]) -> None:
    workers, one = [Metrics(version="1") for _ in range(WORKERS)], Metrics(version="1")
    for worker, each in made:
        workers[worker].observe([each])
    one.observe([each for _, each in made])
    joined = counted(merging.merged(each.snapshot() for each in workers))
    alone = counted(one.snapshot())
    assert joined ^ alone == {"inhouse_workers 3.0", "inhouse_workers 1.0"}


def test_gauges_add_up_but_those_that_say_whether() -> None:
    taken: list[bytes] = []
    for running, resting in ((2, True), (3, False), (0, True)):
        metrics = Metrics(version="1")
        loads = [Load(deployment="one", running=running, waiting=1, resting=resting)]
        metrics.deployments(lambda loads=loads: loads)
        taken.append(metrics.snapshot())
    said = counted(merging.merged(taken))
    assert 'inhouse_deployment_running{deployment="one"} 5.0' in said
    assert 'inhouse_deployment_waiting{deployment="one"} 3.0' in said
    assert 'inhouse_deployment_resting{deployment="one"} 1.0' in said
    assert 'inhouse_build{version="1"} 1.0' in said


def test_of_who_is_gone_only_what_it_counted_lasts() -> None:
    metrics = Metrics(version="1")
    metrics.observe([structs.replace(trace("one", Outcome.OK, 5), prompt_tokens=7)])
    said = counted(merging.lasting(metrics.snapshot()))
    assert 'inhouse_tokens_total{deployment="one",kind="prompt"} 7.0' in said
    assert not any(line.startswith(("inhouse_workers", "inhouse_build")) for line in said)
    assert merging.lasting(b"") == b""


def test_times_are_those_of_the_first_and_facts_are_no_sums() -> None:
    def taken(at: float) -> bytes:
        return merging.snapshot(
            [
                CounterMetricFamily("asked", "Requests.", value=2, created=at),
                HistogramMetricFamily("took", "Seconds.", [("1.0", 1), ("+Inf", 2)], 5),
                GaugeMetricFamily("process_start_time_seconds", "When.", value=at),
                GaugeMetricFamily("process_max_fds", "Files.", value=64),
                InfoMetricFamily("python", "Python.", {"version": "3"}),
            ]
        )

    counts = {"asked_total 4.0", 'took_bucket{le="+Inf"} 4.0', "took_sum 10.0"}
    merged = merging.merged([taken(20), b"", taken(10), merging.lasting(b"")])
    said = set(merging.text(merged).decode().splitlines())
    assert said >= counts | {"asked_created 10.0", "process_start_time_seconds 10.0"}
    assert said >= {"process_max_fds 64.0", 'python_info{version="3"} 1.0'}
    left = set(merging.text(merging.lasting(merged)).decode().splitlines())
    assert left >= counts
    assert not any(line.startswith("process_") for line in left)
