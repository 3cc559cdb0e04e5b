"""Every request leaves one row, one line and its counts, and nothing is lost on the way."""

import asyncio
import contextlib
import io
import json
import select
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.delta import Delta, Usage
from inhouse.core.trace import Outcome, Trace
from inhouse.errors import ConfigError, RequestError, StoreError, UpstreamError, UpstreamFailure
from inhouse.records.log import Log
from inhouse.records.metrics import Metrics
from inhouse.records.recording import Recording, error_word
from inhouse.records.records import QUEUE_LIMIT, Records


class Kept:
    """A trace store in memory that can be made to refuse."""

    def __init__(self) -> None:
        self.rows: list[Trace] = []
        self.refuses = False
        self.fault: Exception | None = None

    def append(self, batch: Sequence[Trace]) -> None:
        if self.refuses:
            raise StoreError("The store is away.")
        if self.fault is not None:
            raise self.fault
        self.rows.extend(batch)


class Desk:
    """Records with sinks that can be looked at."""

    def __init__(self) -> None:
        self.store = Kept()
        self.out = io.StringIO()
        self.records = Records(
            store=self.store,
            log=Log(style="json", out=self.out),
            metrics=Metrics(version="0"),
        )

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]

    def metrics(self) -> str:
        return self.records.metrics.text().decode()


async def test_a_request_leaves_row_line_and_counts() -> None:
    desk = Desk()
    async with desk.records.running():
        with desk.records.recording(request_id="r1", endpoint="completions") as recording:
            assert desk.records.running_requests == 1
            recording.caller, recording.feature, recording.model = "ada", "completion", "fast"
            recording.tried("first", "codestral")
            recording.tried("second", "codestral")
            recording.received(Delta(text="a"))
            recording.received(
                Delta(finish_reason="stop", usage=Usage(prompt_tokens=7, completion_tokens=1))
            )
    (row,) = desk.store.rows
    assert (row.request_id, row.caller, row.outcome, row.status) == ("r1", "ada", Outcome.OK, 200)
    assert (row.deployments, row.prompt_tokens, row.deltas) == (("first", "second"), 7, 2)
    assert row.first_delta_ms is not None
    assert row.first_delta_ms <= row.duration_ms
    (line,) = desk.lines()
    assert (line["event"], line["level"], line["id"]) == ("request", "info", row.id)
    text = desk.metrics()
    assert (
        'inhouse_requests_total{deployment="second",endpoint="completions",feature="completion",'
        'outcome="ok",status="200"} 1.0'
    ) in text
    assert 'inhouse_tokens_total{deployment="second",kind="prompt"} 7.0' in text
    assert 'inhouse_fallbacks_total{deployment="first"} 1.0' in text


async def test_row_and_line_tell_for_whom_it_was_and_what_was_otherwise_than_asked() -> None:
    desk = Desk()
    with desk.records.recording(request_id="r1", endpoint="chat") as recording:
        recording.user = "4711"
        recording.warn("The registry has no model 'x'.")
        recording.warn("The context is too long.")
    with desk.records.recording(request_id="r2", endpoint="chat"):
        pass
    await desk.records.flush()
    warned, plain = desk.store.rows
    sentences = ("The registry has no model 'x'.", "The context is too long.")
    assert (warned.user, warned.warnings, warned.outcome) == ("4711", sentences, Outcome.OK)
    assert (plain.user, plain.warnings) == ("", ())
    first, second = desk.lines()
    assert (first["user"], first["warnings"]) == ("4711", list(sentences))
    assert (second["user"], second["warnings"]) == ("", [])


@pytest.mark.parametrize(
    ("error", "outcome", "status", "word"),
    [
        (asyncio.CancelledError(), Outcome.CANCELLED, 499, ""),
        (GeneratorExit(), Outcome.CANCELLED, 499, ""),
        (RequestError("no"), Outcome.REFUSED, 500, "request"),
        (UpstreamError(UpstreamFailure.TIMEOUT, "slow"), Outcome.FAILED, 500, "timeout"),
        (RuntimeError("bug"), Outcome.FAILED, 500, "internal"),
    ],
)
async def test_the_outcome_tells_how_it_ended(
    error: BaseException, outcome: Outcome, status: int, word: str
) -> None:
    desk = Desk()

    def failing() -> None:
        with desk.records.recording(request_id="", endpoint="chat"):
            raise error

    with pytest.raises(type(error)):
        failing()
    await desk.records.flush()
    (row,) = desk.store.rows
    assert (row.outcome, row.status, row.error) == (outcome, status, word)
    assert row.request_id == row.id


def test_ids_differ_and_begin_with_the_time() -> None:
    kept: list[Trace] = []
    for _ in range(100):
        with Recording(request_id="", endpoint="chat", done=kept.append):
            pass
    assert [int(each.id[:12], 16) for each in kept] == [
        int(each.started_at * 1000) for each in kept
    ]
    assert len({each.id for each in kept}) == len(kept)
    assert {len(each.id) for each in kept} == {32}


async def test_a_translated_error_keeps_its_status() -> None:
    desk = Desk()
    with desk.records.recording(request_id="r", endpoint="chat") as recording:
        recording.fail(RequestError("no"), 422)
    await desk.records.flush()
    assert (desk.store.rows[0].status, desk.store.rows[0].outcome) == (422, Outcome.REFUSED)


async def test_a_store_that_is_away_loses_nothing_when_it_is_back() -> None:
    desk = Desk()
    desk.store.refuses = True
    one_request(desk.records)
    await desk.records.flush()
    assert "inhouse_traces_queued 1.0" in desk.metrics()
    desk.store.refuses = False
    one_request(desk.records)
    await desk.records.flush()
    assert len(desk.store.rows) == 2
    assert [line["event"] for line in desk.lines()].count("request") == 2
    assert "inhouse_traces_dropped_total 0.0" in desk.metrics()


async def test_an_odd_trace_stops_nobody_elses() -> None:
    desk = Desk()
    with desk.records.recording(request_id="odd", endpoint="chat") as recording:
        recording.received(Delta(usage=Usage(prompt_tokens=1, completion_tokens=-7)))
    await desk.records.flush()
    one_request(desk.records)
    await desk.records.flush()
    assert len(desk.store.rows) == 2
    assert [line["event"] for line in desk.lines()] == ["requests not counted", "request"]


async def test_a_batch_that_cannot_be_stored_at_all_is_counted_and_left() -> None:
    desk = Desk()
    desk.store.fault = TypeError("odd")
    one_request(desk.records)
    await desk.records.flush()
    desk.store.fault = None
    one_request(desk.records)
    await desk.records.flush()
    assert len(desk.store.rows) == 1
    assert "inhouse_traces_dropped_total 1.0" in desk.metrics()


async def test_a_log_that_nobody_reads_loses_no_row() -> None:
    store = Kept()
    records = Records(store=store, log=Log(style="json", out=Unread()), metrics=Metrics(version=""))
    for _ in range(2):
        one_request(records)
        await records.flush()
    assert len(store.rows) == 2


class Unread(io.StringIO):
    """A stream whose reader is gone."""

    def write(self, text: str, /) -> int:
        del text
        raise BrokenPipeError


async def test_a_full_queue_drops_and_counts_and_never_blocks() -> None:
    desk = Desk()
    for _ in range(QUEUE_LIMIT + 3):
        one_request(desk.records)
    await desk.records.flush()
    assert len(desk.store.rows) == QUEUE_LIMIT
    assert "inhouse_traces_dropped_total 3.0" in desk.metrics()


def one_request(records: Records) -> None:
    with records.recording(request_id="", endpoint="chat"):
        pass


def test_error_words_are_fixed_words() -> None:
    assert error_word(UpstreamError(UpstreamFailure.CONTEXT_LENGTH, "x")) == "context_length"
    assert error_word(StoreError("x")) == "store"


@given(st.text(), st.text())
def test_a_line_is_one_json_object_whatever_it_holds(request_id: str, model: str) -> None:
    out = io.StringIO()
    kept: list[Trace] = []
    with Recording(request_id=request_id, endpoint="chat", done=kept.append) as recording:
        recording.model = model
    Log(style="json", out=out).requests(kept)
    assert out.getvalue().count("\n") == 1
    assert json.loads(out.getvalue())["model"] == model


def test_a_person_gets_a_readable_line() -> None:
    out = io.StringIO()
    kept: list[Trace] = []
    with Recording(request_id="r1", endpoint="chat", done=kept.append):
        pass
    Log(style="console", out=out).requests(kept)
    assert "request" in out.getvalue()
    assert "request_id=r1" in out.getvalue()


def test_the_level_holds_for_request_lines_too() -> None:
    out = io.StringIO()
    kept: list[Trace] = []
    with Recording(request_id="r1", endpoint="chat", done=kept.append):
        pass
    with Recording(request_id="r2", endpoint="chat", done=kept.append) as recording:
        recording.fail(RuntimeError(), 500)
    Log(level="warning", style="json", out=out).requests(kept)
    assert [json.loads(line)["request_id"] for line in out.getvalue().splitlines()] == ["r2"]


def test_no_write_is_more_than_a_pipe_takes_at_once() -> None:
    class Pipe(io.StringIO):
        """Remembers how much it was given each time."""

        def __init__(self) -> None:
            super().__init__()
            self.sizes: list[int] = []

        def write(self, text: str) -> int:
            self.sizes.append(len(text.encode()))
            assert text.endswith("\n")
            return super().write(text)

    out = Pipe()
    kept: list[Trace] = []
    for number in range(100):
        with Recording(request_id=f"r{number}", endpoint="chat", done=kept.append):
            pass
    Log(style="json", out=out).requests(kept)
    assert max(out.sizes) <= select.PIPE_BUF
    told = [json.loads(line)["request_id"] for line in out.getvalue().splitlines()]
    assert told == [f"r{number}" for number in range(100)]


def test_a_file_gets_every_line_too_and_may_be_moved_away(tmp_path: Path) -> None:
    out, file = io.StringIO(), tmp_path / "gateway.log"
    with contextlib.closing(Log(file=str(file), out=out)) as log:
        log.info("one")
        file.rename(tmp_path / "gateway.log.1")
        log.info("two")
    log.info("three")  # what comes after the end has the stream alone
    first, second, _ = out.getvalue().splitlines()
    assert (tmp_path / "gateway.log.1").read_text().splitlines() == [first]
    assert file.read_text().splitlines() == [second]


def test_a_log_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent/x\.log' cannot be written: No such file"):
        Log(file=str(tmp_path / "absent" / "x.log"))


def test_a_log_file_whose_folder_vanishes_loses_lines_alone(tmp_path: Path) -> None:
    folder, out = tmp_path / "logs", io.StringIO()
    folder.mkdir()
    with contextlib.closing(Log(file=str(folder / "x.log"), out=out)) as log:
        (folder / "x.log").unlink()
        folder.rmdir()
        log.info("one")
        folder.mkdir()
        log.info("two")
    assert len(out.getvalue().splitlines()) == 2
    assert "two" in (folder / "x.log").read_text()
