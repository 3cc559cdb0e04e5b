"""What workers have counted is summed, whoever of them is gone, and never in halves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

from inhouse.records import merging
from inhouse.server.board import ROOM, Board

WORKERS = 3
PLACES = st.integers(0, WORKERS - 1)


def taken(count: int, running: int = 0) -> bytes:
    """Return a snapshot of one counter and one gauge."""
    return merging.snapshot(
        [
            CounterMetricFamily("asked", "Requests.", value=count),
            GaugeMetricFamily("running", "Requests under way.", value=running),
        ]
    )


def said(board: Board) -> dict[str, float]:
    lines = [line for line in board.text().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in map(str.split, lines)}


@given(st.lists(st.tuples(PLACES, st.none() | st.integers(1, 9)), max_size=30))
def test_no_counter_falls_when_workers_go(events: list[tuple[int, int | None]]) -> None:
    """A number is what a worker counts more; none, that it is gone and another takes its place."""
    board = Board(WORKERS)
    own, asked = [0] * WORKERS, 0
    for place, more in events:
        if more is None:
            board.retire(place)
            own[place] = 0
        else:
            own[place], asked = own[place] + more, asked + more
            assert board.write(place, taken(own[place], running=own[place]))
        found = said(board)
        assert found.get("asked_total", 0) == asked
        assert found.get("running", 0) == sum(own)


class Torn(bytes):
    """Ends before it has all been written, as a worker does that is killed meanwhile."""

    __slots__ = ()

    def __len__(self) -> int:
        return super().__len__() + 1


@given(st.integers(1, 4), st.binary(max_size=200))
def test_a_word_that_was_never_finished_is_not_read(before: int, rest: bytes) -> None:
    board = Board(WORKERS)
    for count in range(1, before + 1):
        board.write(1, taken(count))
    with pytest.raises(IndexError):
        board.write(1, Torn(rest))
    assert said(board)["asked_total"] == before
    board.retire(1)
    assert said(board)["asked_total"] == before


def test_what_does_not_fit_changes_nothing() -> None:
    board = Board(WORKERS)
    assert board.write(0, taken(1))
    assert not board.write(0, b"\x90" + b"x" * ROOM)
    assert said(board) == {"asked_total": 1, "running": 0}


def test_a_place_holds_all_of_its_room_and_nothing_of_the_next() -> None:
    def large(size: int) -> bytes:
        empty = merging.snapshot([CounterMetricFamily("asked", "x" * 0x10000, value=1)])
        return merging.snapshot(
            [CounterMetricFamily("asked", "x" * (0x10000 + size - len(empty)), value=1)]
        )

    board = Board(WORKERS)
    full = large(ROOM)
    assert len(full) == ROOM
    for _ in range(2):
        for place in range(WORKERS):
            assert board.write(place, full)
        assert said(board) == {"asked_total": WORKERS}
