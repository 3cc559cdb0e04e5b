"""What upstreams are asked, and what their answers hold."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.delta import Delta, Usage
from inhouse.core.requests import Message, Params
from inhouse.wire.openai.listing import models, tokens
from inhouse.wire.openai.outbound import (
    MOST_TOKENS,
    Habits,
    Reading,
    ReportedError,
    chat_body,
    completion_body,
)


def read(*events: dict[str, Any] | str) -> tuple[list[Delta], Reading]:
    reading = Reading()
    deltas: list[Delta] = []
    for event in events:
        raw = event if isinstance(event, str) else json.dumps(event)
        deltas += reading.event(raw.encode())
    last = reading.finish()
    return deltas if last is None else [*deltas, last], reading


def chunk(text: str = "", **rest: Any) -> dict[str, Any]:
    return {"id": "x", "choices": [{"index": 0, "text": text} | rest]}


def chat(delta: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta} | rest]}


def test_asks_for_a_stream_with_usage() -> None:
    assert json.loads(completion_body("m", "text", Params())) == {
        "model": "m",
        "prompt": "text",
        "stream": True,
        "stream_options": {"include_usage": True},
        "skip_special_tokens": False,
    }


def test_asks_for_a_whole_answer_where_nobody_reads_along() -> None:
    params = Params(whole=True, extra={"stream": True, "stream_options": {}})
    assert json.loads(chat_body("m", (), params)) == {"model": "m", "messages": []}


def test_sends_every_param() -> None:
    params = Params(
        max_tokens=5,
        temperature=0.0,
        top_p=0.5,
        stop=("a", "b"),
        seed=0,
        n=2,
        extra={"logit_bias": {"7": 1}, "model": "other", "stream": False, "stream_options": {}},
        request_id="no field of the body",
    )
    messages = (Message(role="user", content="hi"),)
    assert json.loads(chat_body("m", messages, params)) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 5,
        "temperature": 0.0,
        "top_p": 0.5,
        "stop": ["a", "b"],
        "seed": 0,
        "n": 2,
        "logit_bias": {"7": 1},
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_leaves_out_what_an_upstream_does_not_take() -> None:
    left_out = frozenset({"stream_options", "skip_special_tokens", "temperature", "top_k"})
    habits = Habits(left_out=left_out, max_completion_tokens=True)
    extra = {"stream_options": {"include_usage": True}, "top_k": 5}
    params = Params(max_tokens=5, temperature=0.5, extra=extra)
    assert json.loads(completion_body("m", "text", params, habits)) == {
        "model": "m",
        "prompt": "text",
        "max_completion_tokens": 5,
        "stream": True,
    }


def test_hands_messages_on_as_they_came() -> None:
    parts: list[dict[str, Any]] = [{"type": "text", "text": "look"}]
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = (
        Message(role="user", content=parts),
        Message(role="assistant", tool_calls=[call]),
        Message(role="tool", content="7", tool_call_id="1"),
    )
    assert json.loads(chat_body("m", messages, Params()))["messages"] == [
        {"role": "user", "content": parts},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "content": "7", "tool_call_id": "1"},
    ]


def test_reads_a_stream_of_vllm() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": None}
    deltas, reading = read(
        chunk("a", finish_reason=None, stop_reason=None, token_ids=None, logprobs=None),
        chunk(""),
        chunk("b"),
        chunk("", finish_reason="length"),
        {"choices": [], "usage": usage},
        "[DONE]",
    )
    assert deltas == [
        Delta(text="a"),
        Delta(text="b"),
        Delta(finish_reason="length"),
        Delta(usage=Usage(prompt_tokens=7, completion_tokens=3)),
    ]
    assert reading.done


def test_reads_a_chat_stream_of_llama() -> None:
    details = {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8}
    details |= {"prompt_tokens_details": {"cached_tokens": 4}}
    deltas, reading = read(
        chat({"role": "assistant", "content": None}),
        chat({"content": "a"}),
        chat({}, finish_reason="stop"),
        {"choices": [], "usage": details, "timings": {"cache_n": 4}},
        "[DONE]",
    )
    assert deltas == [
        Delta(text="a"),
        Delta(finish_reason="stop"),
        Delta(usage=Usage(prompt_tokens=7, completion_tokens=1, cached_tokens=4)),
    ]
    assert reading.finished


def test_adds_up_what_llama_counts_by_choice() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    deltas, _ = read(
        chunk("", finish_reason="stop") | {"usage": usage},
        {"choices": [{"index": 1, "text": "", "finish_reason": "stop"}], "usage": usage},
    )
    assert deltas[-1] == Delta(usage=Usage(prompt_tokens=7, completion_tokens=6))


def test_takes_the_last_of_a_usage_that_grows() -> None:
    deltas, _ = read(
        chunk("a") | {"usage": {"prompt_tokens": 7, "completion_tokens": 1}},
        chunk("b", finish_reason="stop") | {"usage": {"prompt_tokens": 7, "completion_tokens": 2}},
    )
    assert deltas[-1] == Delta(usage=Usage(prompt_tokens=7, completion_tokens=2))


def test_reads_reasoning_under_each_of_its_names() -> None:
    deltas, _ = read(chat({"reasoning_content": "hm"}), chat({"reasoning": "so", "content": ""}))
    assert deltas == [Delta(reasoning="hm"), Delta(reasoning="so")]


def test_hands_on_fragments_of_tool_calls() -> None:
    first = {"index": 0, "id": "1", "function": {"name": "f", "arguments": ""}}
    second = {"index": 0, "function": {"arguments": "{}"}}
    deltas, _ = read(chat({"tool_calls": [first]}), chat({"tool_calls": [second]}))
    assert [delta.tool_calls for delta in deltas] == [[first], [second]]


def test_hands_on_logprobs_of_an_empty_text() -> None:
    deltas, _ = read(chunk("", logprobs={"content": [{"token": "a"}]}))
    assert deltas == [Delta(logprobs={"content": [{"token": "a"}]})]


def test_reads_a_whole_answer() -> None:
    message = {
        "role": "assistant",
        "content": "hi",
        "tool_calls": [{"id": "1"}, {"id": "2"}],
        "refusal": None,
    }
    whole = {
        "choices": [
            {"index": 0, "message": message, "finish_reason": "tool_calls"},
            {"index": 1, "message": {"content": "ho"}, "finish_reason": "stop"},
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 4},
    }
    deltas, reading = read(whole)
    assert deltas == [
        Delta(
            text="hi",
            finish_reason="tool_calls",
            tool_calls=[{"index": 0, "id": "1"}, {"index": 1, "id": "2"}],
        ),
        Delta(text="ho", index=1, finish_reason="stop"),
        Delta(usage=Usage(prompt_tokens=1, completion_tokens=4)),
    ]
    assert reading.finished


def test_reads_content_in_parts() -> None:
    parts: list[Any] = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "hi"}]
    assert read(chat({"content": parts}))[0] == [Delta(text="hi")]


def test_is_not_finished_while_a_choice_is_open() -> None:
    assert not read()[1].finished
    assert not read(chunk("a"))[1].finished
    second = {"choices": [{"index": 1, "text": "b"}]}
    assert not read(chunk("a", finish_reason="stop"), second)[1].finished
    assert read(chunk("a", finish_reason="stop"))[1].finished
    assert read("[DONE]")[1].finished


def test_an_annotation_behind_the_end_opens_nothing_again() -> None:
    annotation = {"index": 0, "content_filter_results": {"hate": {"filtered": False}}}
    deltas, reading = read(
        {"choices": [], "prompt_filter_results": [{"prompt_index": 0}], "id": "", "model": ""},
        chat({"role": "assistant", "content": ""}),
        chat({"content": "a"}),
        chat({}, finish_reason="stop"),
        {"choices": [annotation | {"content_filter_offsets": {"start_offset": 0}, "delta": {}}]},
        {"choices": [annotation | {"finish_reason": None}]},
    )
    assert deltas == [Delta(text="a"), Delta(finish_reason="stop")]
    assert reading.finished


def test_passes_over_events_that_hold_nothing() -> None:
    assert read({"type": "ping"}, {"choices": None}, {"choices": []})[0] == []


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"message": "no", "code": 500}},
        {"error": "no", "error_type": "overloaded"},
        {"object": "error", "message": "no"},
        {"detail": "no"},
    ],
)
def test_an_error_in_the_stream_is_none_of_its_deltas(event: dict[str, Any]) -> None:
    with pytest.raises(ReportedError):
        read(event)


@pytest.mark.parametrize("raw", ["{", "7", "[]", '{"choices": 7}', '{"choices": [{"text": 7}]}'])
def test_refuses_what_is_not_of_the_dialect(raw: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        read(raw)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["choices", "delta", "error", "usage"]), inner)
        ),
    )
)
def test_reads_or_refuses_any_json(value: Any) -> None:
    try:
        read(json.dumps(value))
    except (msgspec.DecodeError, ReportedError):
        return


@pytest.mark.parametrize(
    "call",
    [
        {"index": "a"},
        {"index": [1]},
        {"index": 0, "function": "look"},
        {"index": 0, "function": {"name": 7}},
        {"index": 0, "function": {"name": "look", "arguments": {"at": 1}}},
    ],
)
def test_refuses_tool_calls_that_cannot_be_joined(call: dict[str, Any]) -> None:
    with pytest.raises(msgspec.DecodeError):
        read(chat({"tool_calls": [call]}))


def test_cuts_counts_that_cannot_be() -> None:
    usage = {"prompt_tokens": 10**30, "completion_tokens": -7}
    deltas, _ = read({"choices": [], "usage": usage})
    assert deltas == [Delta(usage=Usage(prompt_tokens=MOST_TOKENS, completion_tokens=0))]


@pytest.mark.parametrize(
    ("model", "window"),
    [
        ({"id": "m"}, None),
        ({"id": "m", "max_model_len": 2048, "root": "/models/m"}, 2048),
        ({"id": "m", "meta": {"n_ctx": 2048, "n_ctx_train": 4096}}, 2048),
        ({"id": "m", "meta": {"n_ctx_train": 4096}}, None),
        ({"id": "m", "max_context_length": 7}, 7),
        ({"id": "m", "context_length": 7}, 7),
        ({"id": "m", "context_window": 7}, 7),
    ],
)
def test_reads_the_window_where_it_is_told(model: dict[str, Any], window: int | None) -> None:
    for listing in ({"object": "list", "data": [model]}, [model]):
        (served,) = models(json.dumps(listing).encode())
        assert (served.name, served.window) == ("m", window)


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        ('{"count": 3, "max_model_len": 9, "tokens": [1, 2, 3]}', 3),
        ('{"tokens": [1, 2]}', 2),
        ('{"tokens": [{"id": 1, "piece": "a"}]}', 1),
        ('[{"id": 1}]', 1),
        ("{}", None),
        ("<html>", None),
        ("7", None),
    ],
)
def test_reads_the_number_of_tokens(answer: str, count: int | None) -> None:
    assert tokens(answer.encode()) == count
