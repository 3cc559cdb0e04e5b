"""Traces: written in batches, listed newest first, pruned by age."""

import time
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from inhouse.core.trace import Outcome, Trace
from inhouse.errors import NotFoundError
from inhouse.store import Filter, Registry

TRACE = Trace(
    id="0" * 32,
    request_id="request",
    started_at=1_700_000_000.123456,
    endpoint="/v1/completions",
    caller="ci",
    model="completion",
    feature="completion",
    outcome=Outcome.OK,
    status=200,
    duration_ms=12.5,
    first_delta_ms=3.25,
    team="payments and more",
    deployments=("first", "second"),
    failures=("timeout", ""),
    family="codestral",
    stream=True,
    prompt_tokens=10,
    completion_tokens=20,
    deltas=5,
    finish_reason="stop",
    user="4711",
    warnings=("The registry has no such model.", "Twice as good."),
)


def trace(number: int, **fields: Any) -> Trace:
    at = TRACE.started_at + number
    return msgspec.structs.replace(TRACE, id=f"{number:032}", **{"started_at": at, **fields})


def test_traces_come_back_as_they_were(registry: Registry) -> None:
    bare = trace(1, first_delta_ms=None, deployments=(), error="timeout", outcome=Outcome.FAILED)
    registry.traces.append([TRACE, bare])

    assert registry.traces.list_traces() == (bare, TRACE)


def test_empty_batch_is_nothing(registry: Registry) -> None:
    registry.traces.append([])

    assert registry.traces.list_traces() == ()


def test_batch_that_comes_again_is_stored_once(registry: Registry) -> None:
    registry.traces.append([trace(1), trace(2)])
    registry.traces.append([trace(1), trace(2), trace(3)])

    assert [each.id for each in registry.traces.list_traces()] == [
        trace(number).id for number in (3, 2, 1)
    ]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Filter(), [4, 3, 2, 1]),
        (Filter(caller="ada"), [4, 2]),
        (Filter(caller="ada", model="chat"), [4]),
        (Filter(feature="completion"), [4, 3, 2, 1]),
        (Filter(team="payments"), [3]),
        (Filter(user="0815"), [2]),
        (Filter(user="0815", caller="ci"), []),
        (Filter(outcome=Outcome.FAILED), [3]),
        (Filter(request_id="mine"), [1]),
        (Filter(since=TRACE.started_at + 2), [4, 3, 2]),
        (Filter(until=TRACE.started_at + 2), [1]),
        (Filter(model="nonsense"), []),
    ],
)
def test_filters(registry: Registry, where: Filter, expected: list[int]) -> None:
    registry.traces.append(
        [
            trace(1, request_id="mine"),
            trace(2, caller="ada", user="0815"),
            trace(3, outcome=Outcome.FAILED, team="payments"),
            trace(4, caller="ada", model="chat"),
        ]
    )

    found = registry.traces.list_traces(where=where)

    assert [int(each.id) for each in found] == expected


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(1, 5))
def test_pages_show_every_trace_once(registry: Registry, times: list[int], size: int) -> None:
    registry.traces.prune(0)
    batch = [trace(number, started_at=TRACE.started_at + at) for number, at in enumerate(times)]
    registry.traces.append(batch)

    seen: list[Trace] = []
    while page := registry.traces.list_traces(size, before=seen[-1].id if seen else None):
        seen += page

    assert seen == sorted(batch, key=lambda each: (each.started_at, each.id), reverse=True)


def test_page_behind_an_unknown_trace(registry: Registry) -> None:
    with pytest.raises(NotFoundError, match="no trace 'nonsense'"):
        registry.traces.list_traces(before="nonsense")


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text())
@example("\0")
@example("\ud800")
def test_any_text_can_be_stored(registry: Registry, text: str) -> None:
    registry.traces.prune(0)
    odd = trace(0, request_id=text, model=text, caller=text, deployments=(text,))
    odd = msgspec.structs.replace(odd, user=text, warnings=(text,))

    registry.traces.append([odd, trace(1)])

    assert len(registry.traces.list_traces()) == 2


def test_counts_of_a_lying_upstream_can_be_stored(registry: Registry) -> None:
    registry.traces.append([trace(1, prompt_tokens=10**30), trace(2, stream=False)])

    found = registry.traces.list_traces()

    assert [each.prompt_tokens for each in found] == [10, 2**63 - 1]
    assert [each.stream for each in found] == [False, True]


def test_pruning_keeps_the_young(registry: Registry) -> None:
    now = time.time()
    day = 86_400
    registry.traces.append(
        [trace(age, started_at=now - age * day + day / 2) for age in range(1, 11)]
    )

    assert registry.traces.prune(7) == 3
    assert [int(each.id) for each in registry.traces.list_traces()] == [1, 2, 3, 4, 5, 6, 7]
    assert registry.traces.prune(7) == 0
