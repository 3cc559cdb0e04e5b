"""The soak's judges: what they take for a whole answer must be one."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

BENCH = Path(__file__).resolve().parents[2] / "bench"
DOORS: tuple[Any, ...] = runpy.run_path(str(BENCH / "doors.py"))["DOORS"]

AGENT = "/v2/chat/agent"
EVENTS = "/v4/code/suggestions"
GITLAB = [each for each in DOORS if each.gitlab]
START = b'event: stream_start\r\ndata: {"metadata":{}}\r\n\r\n'
CHUNK = b'event: content_chunk\r\ndata: {"choices":[{"delta":{"content":"x"},"index":0}]}\r\n\r\n'
END = b"event: stream_end\r\ndata: null\r\n\r\n"
STEP = (
    b'{"type":"final_answer_delta","data":{"text":"x","finish_reason":null}}\n'
    b'{"type":"final_answer_delta","data":{"text":"","finish_reason":"stop"}}\n'
    b'{"type":"usage","data":{"usage":{}}}\n'
)
FAILURE = b'{"type":"error","data":{"message":"gone","retryable":true}}\n'


def door(path: str, *, stream: bool | None = None) -> Any:
    (found,) = (
        each
        for each in DOORS
        if each.path == path and (stream is None or each.body.get("stream") is stream)
    )
    return found


def listed(message: str) -> bytes:
    return json.dumps({"detail": [{"type": "closed", "loc": [], "msg": message}]}).encode()


WHOLE: list[tuple[Any, bytes]] = [
    (door("/v2/code/completions", stream=False), b'{"choices":[{"text":"x"}]}'),
    (door("/v2/code/completions", stream=True), b"x"),
    (door(EVENTS), START + CHUNK + END),
    (door(AGENT), STEP),
    (door("/v1/prompts/model_configuration/check"), b'"x"'),
    (door("/v1/prompts/chat/explain_code"), b"x"),
]


@pytest.mark.parametrize(("asked", "body"), WHOLE)
def test_a_whole_answer_is_one(asked: Any, body: bytes) -> None:
    assert asked.judged(200, body).how == "ok"


@pytest.mark.parametrize("asked", DOORS)
def test_nothing_is_no_answer(asked: Any) -> None:
    assert asked.judged(200, b"").how == "broken"


@given(st.data(), st.sampled_from([(EVENTS, START + CHUNK + END), (AGENT, STEP)]))
def test_what_lacks_its_end_is_broken(data: st.DataObject, answer: tuple[str, bytes]) -> None:
    path, body = answer
    size = data.draw(st.integers(0, len(body) - 1))
    assert door(path).judged(200, body[:size]).how == "broken"


def test_a_step_s_failure_is_its_last_line() -> None:
    first = STEP.splitlines(keepends=True)[0]
    assert door(AGENT).judged(200, first + FAILURE) == ("error", "a step to retry")
    assert door(AGENT).judged(200, FAILURE + STEP).how == "broken"


@pytest.mark.parametrize("asked", [each for each in GITLAB if each.path.startswith("/v1/")])
def test_a_task_s_failure_is_quoted(asked: Any) -> None:
    told: dict[str, Any] = {"detail": "500: Internal Server Error - It is gone."}
    assert asked.judged(421, json.dumps(told).encode()) == ("error", "421 500")
    assert asked.judged(503, json.dumps(told).encode()).how == "broken"
    assert asked.judged(421, b'{"detail": "It is gone."}').how == "broken"


@pytest.mark.parametrize("asked", [each for each in GITLAB if "/code/" in each.path])
def test_a_failure_of_code_is_a_list_in_gitlab_s_words(asked: Any) -> None:
    failed = listed("Inference failed: It is gone.")
    assert asked.judged(503, failed) == ("error", "closed")
    assert asked.judged(500, failed).how == "broken"
    assert asked.judged(503, listed("It is gone.")).how == "broken"
    busy = listed("Too many requests. Please try again later. It is busy.")
    assert asked.judged(429, busy).how == "error"
