"""Anthropic's dialect: what we say in it, and what we understand."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.delta import Choice, Delta, Usage
from inhouse.core.requests import Message, Params
from inhouse.errors import UpstreamFailure
from inhouse.features.joined import joined
from inhouse.wire.anthropic.conversation import UnsayableError
from inhouse.wire.anthropic.listing import models, tokens
from inhouse.wire.anthropic.outbound import DEFAULT_TOKENS, Habits, message_body, watched_stops
from inhouse.wire.anthropic.reading import Reading, ReportedError
from inhouse.wire.anthropic.refusals import refusal
from inhouse.wire.decoding import UNREADABLE
from tests.fakes.anthropic import pieces

F = UpstreamFailure
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def user(content: Any = "hi") -> Message:
    return Message(role="user", content=content)


def body(*messages: Message, habits: Habits | None = None, **params: Any) -> Any:
    asked = message_body("claude", messages or (user(),), Params(**params), habits or Habits())
    return json.loads(asked)


def said(*messages: Message) -> Any:
    return body(*messages)["messages"]


# What we say.


def test_asks_for_a_stream_with_a_limit() -> None:
    assert body() == {
        "model": "claude",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "max_tokens": DEFAULT_TOKENS,
        "stream": True,
    }


def test_system_texts_stand_apart() -> None:
    asked = body(
        Message(role="system", content="Be brief."),
        user(),
        Message(role="developer", content=[{"type": "text", "text": "Be kind."}]),
        Message(role="system", content=" "),
    )
    assert asked["system"] == "Be brief.\n\nBe kind."
    assert len(asked["messages"]) == 1


def test_roles_take_turns() -> None:
    assistant = Message(role="assistant", content="ho ")
    assert [each["role"] for each in said(user("a"), user("b"), assistant, user("c"))] == [
        "user",
        "assistant",
        "user",
    ]
    assert said(user("a"), user(" "), user("b"))[0]["content"] == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]


def test_words_to_be_continued_end_without_blanks() -> None:
    turns = said(user(), Message(role="assistant", content="x = \n"))
    assert turns[-1]["content"] == [{"type": "text", "text": "x ="}]


def test_parts_become_blocks() -> None:
    parts = [
        {"type": "text", "text": "see"},
        {"type": "text", "text": " "},
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://far.example/a.png"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE"}},
    ]
    assert said(user(parts))[0]["content"] == [
        {"type": "text", "text": "see"},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
        },
        {"type": "image", "source": {"type": "url", "url": "https://far.example/a.png"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
        },
    ]


def called(arguments: str = '{"path": "a"}') -> Message:
    function = {"name": "read", "arguments": arguments}
    call = {"id": "call_1", "type": "function", "function": function}
    return Message(role="assistant", content="I look.", tool_calls=[call])


def test_what_tools_are_asked_and_answer() -> None:
    answer = Message(role="tool", tool_call_id="call_1", content="x = 1")
    empty = Message(role="tool", tool_call_id="call_2", content="")
    turns = said(user(), called(), answer, empty, user("and?"))
    assert turns[1]["content"] == [
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "call_1", "name": "read", "input": {"path": "a"}},
    ]
    assert turns[2] == {
        "role": "user",
        "content": [
            {
                "type": "tool_result",
                "tool_use_id": "call_1",
                "content": [{"type": "text", "text": "x = 1"}],
            },
            {"type": "tool_result", "tool_use_id": "call_2"},
            {"type": "text", "text": "and?"},
        ],
    }


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ((Message(role="system", content="a"),), "messages"),
        ((user(""),), "messages"),
        ((user(), Message(role="function", content="a")), "messages.1.role"),
        ((user([{"type": "input_audio"}]),), "messages.0.content.0"),
        ((user([{"text": "a"}]),), "messages.0.content.0"),
        ((user(), called("[]")), "messages.1.tool_calls.0.function.arguments"),
        ((user(), called("{")), "messages.1.tool_calls.0.function.arguments"),
        (
            (user(), Message(role="assistant", tool_calls=[{"id": "a"}])),
            "messages.1.tool_calls.0",
        ),
    ],
)
def test_names_what_cannot_be_said(messages: tuple[Message, ...], param: str) -> None:
    with pytest.raises(UnsayableError, match=param) as caught:
        body(*messages)
    assert caught.value.param == param


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "read",
            "description": "Read.",
            "parameters": {"type": "object"},
            "strict": True,
        },
    },
    {"type": "function", "function": {"name": "now"}},
]


FIELDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (
            {"tools": TOOLS},
            {
                "tools": [
                    {
                        "name": "read",
                        "input_schema": {"type": "object"},
                        "description": "Read.",
                        "strict": True,
                    },
                    {"name": "now", "input_schema": {"type": "object", "properties": {}}},
                ]
            },
        ),
        ({"tools": [], "tool_choice": "auto"}, {}),
        ({"tool_choice": "required"}, {}),
        ({"response_format": {"type": "json_object"}, "reasoning_effort": "none"}, {}),
        (
            {
                "response_format": {"type": "json_schema", "json_schema": {"schema": {"a": 1}}},
                "reasoning_effort": "low",
            },
            {"output_config": {"format": {"type": "json_schema", "schema": {"a": 1}},
                               "effort": "low"}},
        ),
        ({"user": "ada"}, {"metadata": {"user_id": "ada"}}),
        ({"top_k": 3, "logit_bias": {}, "presence_penalty": 1, "seed": 4}, {"top_k": 3}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2000}},
            {
                "thinking": {"type": "enabled", "budget_tokens": 2000},
                "max_tokens": DEFAULT_TOKENS + 2000,
            },
        ),
]  # fmt: skip


@pytest.mark.parametrize(("extra", "fields"), FIELDS)
def test_other_fields_find_their_counterparts(
    extra: dict[str, Any], fields: dict[str, Any]
) -> None:
    assert body(extra=extra) == body() | fields


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": "none", "parallel_tool_calls": False}, {"type": "none"}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "now"}}},
            {"type": "tool", "name": "now"},
        ),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"parallel_tool_calls": True}, None),
    ],
)
def test_the_choice_of_tools(choice: dict[str, Any], found: Any) -> None:
    assert body(extra={"tools": TOOLS} | choice).get("tool_choice") == found


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"tools": "read"}, "tools"),
        ({"tools": [{"type": "web_search"}]}, "tools.0"),
        ({"tools": TOOLS, "tool_choice": "maybe"}, "tool_choice"),
        ({"response_format": {"type": "grammar"}}, "response_format"),
    ],
)
def test_names_fields_that_cannot_be_said(extra: dict[str, Any], param: str) -> None:
    with pytest.raises(UnsayableError) as caught:
        body(extra=extra)
    assert caught.value.param == param


def test_sampling_and_habits() -> None:
    warm: dict[str, Any] = {"temperature": 1.5, "top_p": 0.9, "max_tokens": 100}
    assert body(**warm) == body() | {"temperature": 1.0, "top_p": 0.9, "max_tokens": 100}
    learned = Habits(both=False, most_tokens=64)
    assert body(habits=learned, temperature=1.5, top_p=0.9, max_tokens=100) == body() | {
        "temperature": 1.0,
        "max_tokens": 64,
    }
    colder = Habits(temperature=False, usual_tokens=512)
    assert body(habits=colder, top_p=0.9, temperature=0.0) == body() | {
        "top_p": 0.9,
        "max_tokens": 512,
    }
    thinks = {"thinking": {"type": "adaptive"}}
    assert "temperature" not in body(temperature=0.0, extra=thinks)
    assert (
        body(habits=Habits(effort=False), extra={"reasoning_effort": "low"})["output_config"] == {}
    )


def test_blank_stops_are_ours_to_watch() -> None:
    params = Params(stop=("\n", "END", "", "\n\n"))
    assert body(stop=params.stop)["stop_sequences"] == ["END"]
    assert watched_stops(params) == ("\n", "\n\n")
    assert "stop_sequences" not in body(stop=("\n",))


# What we understand.


def read(*events: Any) -> tuple[list[Delta], Reading]:
    reading = Reading()
    deltas: list[Delta] = []
    for event in events:
        raw = event if isinstance(event, bytes) else json.dumps(event).encode()
        deltas += reading.event(raw)
    if (usage := reading.finish()) is not None:
        deltas.append(usage)
    return deltas, reading


def block(at: int, whole: dict[str, Any]) -> list[dict[str, Any]]:
    start, deltas = pieces(whole)
    return [
        {"type": "content_block_start", "index": at, "content_block": start},
        *({"type": "content_block_delta", "index": at, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": at},
    ]


Block = dict[str, Any]
THOUGHT: Block = {"type": "thinking", "thinking": "Hm.", "signature": "x"}
HIDDEN: Block = {"type": "redacted_thinking", "data": "x", "input": {}}
SPOKEN: Block = {"type": "text", "text": "a b"}
READ: Block = {"type": "tool_use", "id": "t1", "name": "read", "input": {"path": "a.py"}}
NOW: Block = {"type": "tool_use", "id": "t2", "name": "now", "input": {}}


async def adds_up(deltas: list[Delta]) -> Choice:
    async def stream() -> AsyncGenerator[Delta]:
        for each in deltas:
            yield each

    return (await joined(stream())).choices[0]


async def test_reads_blocks_of_all_kinds() -> None:
    blocks = [THOUGHT, HIDDEN, SPOKEN, READ, NOW]
    told = {"output_tokens": 7, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 4}
    streamed, reading = read(
        {"type": "message_start", "message": {"usage": {"input_tokens": 5}}},
        {"type": "ping"},
        *(event for at, each in enumerate(blocks) for event in block(at, each)),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": told},
        {"type": "message_stop"},
        {"type": "something_new"},
    )
    assert reading.done
    assert reading.finished
    assert streamed[-1].usage == Usage(prompt_tokens=11, completion_tokens=7, cached_tokens=2)
    whole, _ = read({"type": "message", "content": blocks, "stop_reason": "tool_use"})
    for deltas in (streamed, whole):
        choice = await adds_up(deltas)
        assert (choice.text, choice.reasoning) == ("a b", "Hm.")
        assert choice.finish_reason == "tool_calls"
        assert [call["id"] for call in choice.tool_calls] == ["t1", "t2"]
        arguments = [json.loads(call["function"]["arguments"]) for call in choice.tool_calls]
        assert arguments == [{"path": "a.py"}, {}]


@pytest.mark.parametrize(
    ("reason", "found"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "stop"),
        ("never_heard_of", "stop"),
    ],
)
def test_why_it_ended(reason: str, found: str) -> None:
    event = {"type": "message_delta", "delta": {"stop_reason": reason}}
    deltas, reading = read(event, event)
    assert deltas == [Delta(finish_reason=found)]
    assert reading.finished
    assert not reading.done


def test_an_error_in_the_stream_is_no_answer() -> None:
    with pytest.raises(ReportedError):
        read({"type": "error", "error": {"type": "overloaded_error"}})


@given(st.binary(max_size=40) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(
        st.sampled_from(["type", "index", "delta", "message", "usage", "content", "input_tokens"]),
        inner | st.sampled_from(["message", "content_block_delta", "message_delta"]),
    ),
    max_leaves=6,
))  # fmt: skip
def test_takes_any_event(event: Any) -> None:
    try:
        read(event)
    except (ReportedError, *UNREADABLE):
        pass


# Refusals.


def error(kind: str, message: str) -> bytes:
    return json.dumps(
        {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    ).encode()


@pytest.mark.parametrize(
    ("status", "kind", "message", "failure", "param"),
    [
        (401, "authentication_error", "invalid x-api-key", F.AUTHENTICATION, None),
        (403, "permission_error", "Not allowed.", F.AUTHENTICATION, None),
        (404, "not_found_error", "model: claude-x", F.UNKNOWN_MODEL, "model"),
        (404, "not_found_error", "Not Found", F.UNKNOWN_MODEL, None),
        (413, "request_too_large", "Request exceeds 32 MB", F.CONTEXT_LENGTH, None),
        (413, "", "Request Entity Too Large", F.CONTEXT_LENGTH, None),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 9 tokens > 8 maximum",
            F.CONTEXT_LENGTH,
            None,
        ),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 1 + 2 > 2, decrease",
            F.CONTEXT_LENGTH,
            None,
        ),
        (400, "invalid_request_error", "tools.0.name: too long", F.BAD_REQUEST, "tools.0.name"),
        (
            400,
            "invalid_request_error",
            "`temperature` and `top_p` cannot both be specified for this model.",
            F.BAD_REQUEST,
            "temperature",
        ),
        (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API.",
            F.MISCONFIGURED,
            None,
        ),
        (402, "billing_error", "Pay first.", F.MISCONFIGURED, None),
        (429, "rate_limit_error", "Slow down.", F.RATE_LIMITED, None),
        (500, "api_error", "Internal server error", F.SERVER, None),
        (504, "timeout_error", "Too slow.", F.TIMEOUT, None),
        (529, "overloaded_error", "Overloaded", F.SERVER, None),
        (503, "", "", F.SERVER, None),
    ],
)
def test_reads_refusals(
    status: int, kind: str, message: str, failure: UpstreamFailure, param: str | None
) -> None:
    found = refusal(status, error(kind, message))
    assert (found.failure, found.param, found.status) == (failure, param, status)
    if kind and status != 404:
        inside = refusal(200, error(kind, message))
        assert (inside.failure, inside.status) == (failure, status)


def test_tells_a_wrong_address_from_a_wrong_model() -> None:
    assert refusal(404, error("not_found_error", "Not Found")).no_route
    assert not refusal(404, error("not_found_error", "model: claude-x")).no_route
    assert refusal(404, b"<html><title>404 Not Found</title>").no_route


@pytest.mark.parametrize(
    ("said", "most"),
    [
        ("max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens", 4096),
        (f"max_tokens: 1 > {'9' * 99}", None),
        ("max_tokens: must be greater than 0", None),
    ],
)
def test_learns_the_longest_answer(said: str, most: int | None) -> None:
    assert refusal(400, error("invalid_request_error", said)).most_tokens == most


@given(st.integers(100, 599), st.binary(max_size=60))
def test_takes_any_refusal(status: int, raw: bytes) -> None:
    assert refusal(status, raw).status


def test_lists_models_and_counts() -> None:
    ours = {"data": [{"id": "a", "max_input_tokens": 9}, {"id": "b", "max_model_len": 7}]}
    assert [(each.name, each.window) for each in models(msgspec.json.encode(ours))] == [
        ("a", 9),
        ("b", 7),
    ]
    assert tokens(b'{"input_tokens": 3}') == 3
    assert tokens(b"{}") is None
