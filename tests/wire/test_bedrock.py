"""Conversations as Converse takes them, identifiers, and answers that are odd."""

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.delta import Delta, Usage
from inhouse.core.requests import Message, Params
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.wire.bedrock.answers import MOST_TOKENS, ConverseReading
from inhouse.wire.bedrock.conversation import OPENING, conversation
from inhouse.wire.bedrock.converse import Habits, converse_body, stops
from inhouse.wire.bedrock.identifiers import profile, read_model
from inhouse.wire.bedrock.raw import Raw, RawReading, raw_stops
from inhouse.wire.bedrock.refusals import Cause, exception, refusal
from inhouse.wire.decoding import UNREADABLE

PIXEL = "iVBORw0KGgo="
F = UpstreamFailure


def said(role: str, content: Any = None, **fields: Any) -> Message:
    return Message(role=role, content=content, **fields)


def call(name: str = "look_up", arguments: Any = '{"name": "x"}') -> dict[str, Any]:
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}


def body(*messages: Message, habits: Habits | None = None, **extra: Any) -> dict[str, Any]:
    encoded = converse_body(messages, Params(extra=extra), habits or Habits())
    return msgspec.json.decode(encoded, type=dict[str, Any])


def test_a_conversation_with_tools() -> None:
    assert body(
        said("system", "Be brief."),
        said("developer", [{"type": "text", "text": "Be kind."}]),
        said("user", "Who is x?"),
        said("assistant", "I look.", tool_calls=[call()]),
        said("tool", "x is y", tool_call_id="call_1"),
        said("tool", "", tool_call_id="call_2"),
        said("user", "And?"),
        said("assistant", "It is \n"),
        tools=[
            {
                "type": "function",
                "function": {"name": "ask", "description": "Asks.", "parameters": {"type": "x"}},
            }
        ],
        tool_choice={"type": "function", "function": {"name": "ask"}},
    ) == {
        "system": [{"text": "Be brief."}, {"text": "Be kind."}],
        "messages": [
            {"role": "user", "content": [{"text": "Who is x?"}]},
            {
                "role": "assistant",
                "content": [
                    {"text": "I look."},
                    {
                        "toolUse": {
                            "toolUseId": "call_1",
                            "name": "look_up",
                            "input": {"name": "x"},
                        }
                    },
                ],
            },
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "call_1", "content": [{"text": "x is y"}]}},
                    {"toolResult": {"toolUseId": "call_2", "content": [{"text": "(no output)"}]}},
                    {"text": "And?"},
                ],
            },
            # Models refuse to go on behind a blank.
            {"role": "assistant", "content": [{"text": "It is"}]},
        ],
        "toolConfig": {
            "tools": [
                {
                    "toolSpec": {
                        "name": "ask",
                        "description": "Asks.",
                        "inputSchema": {"json": {"type": "x"}},
                    }
                },
                # What was used must be described, though the caller offers it no more.
                {"toolSpec": {"name": "look_up", "inputSchema": {"json": {"type": "object"}}}},
            ],
            "toolChoice": {"tool": {"name": "ask"}},
        },
    }


def test_images_and_empty_parts() -> None:
    parts = [
        {"type": "text", "text": " "},
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{PIXEL}"}},
    ]
    _, turns = conversation([said("user", parts)])
    assert turns == [
        {
            "role": "user",
            "content": [
                {"text": "What is it?"},
                {"image": {"format": "jpeg", "source": {"bytes": PIXEL}}},
            ],
        }
    ]


def test_the_first_turn_is_the_users() -> None:
    _, turns = conversation([said("assistant", "Welcome!"), said("user", "Hello")])
    assert turns[0] == {"role": "user", "content": [{"text": OPENING}]}
    system, turns = conversation([said("system", "Write a poem.")])
    assert (system, turns) == ([], [{"role": "user", "content": [{"text": "Write a poem."}]}])


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (said("user", " "), "messages"),
        (said("user", [{"type": "input_audio"}]), "messages[0].content[0].type"),
        (
            said("user", [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]),
            "messages[0].content[0].image_url",
        ),
        (said("tool", "x"), "messages[0].tool_call_id"),
        (said("assistant", tool_calls=[{"id": "x"}]), "messages[0].tool_calls[0]"),
    ],
)
def test_what_cannot_be_said(message: Message, param: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        conversation([message])
    assert (caught.value.failure, caught.value.param) == (F.BAD_REQUEST, param)


def turn(role: str, content: str | None, arguments: str | None) -> Message:
    calls = None if arguments is None else [call(arguments=arguments)]
    return said(role, content, tool_call_id="call_1", tool_calls=calls)


CONTENTS = st.none() | st.text(max_size=5)
ROLES = st.sampled_from(["system", "user", "assistant", "tool", "developer", "function"])
MESSAGES = st.lists(
    st.builds(
        turn,
        ROLES,
        CONTENTS,
        st.none() | st.text(max_size=9) | st.sampled_from(["[]", '{"a": 1}', "{"]),
    ),
    max_size=8,
)


@given(MESSAGES)
def test_converse_finds_nothing_wrong_with_any_conversation(messages: list[Message]) -> None:
    try:
        _, turns = conversation(messages)
    except UpstreamError as error:
        assert error.param == "messages"  # noqa: PT017 - all are empty
        return
    assert turns[0]["role"] == "user"
    assert all(one["role"] != other["role"] for one, other in pairwise(turns))
    for turn in turns:
        assert turn["content"]
        for block in turn["content"]:
            assert block.get("text", "x").strip()
            assert isinstance(block.get("toolUse", {"input": {}})["input"], dict)


def test_the_shape_of_an_answer() -> None:
    schema = {"name": "point", "schema": {"type": "object"}}
    asked = body(said("user", "x"), response_format={"type": "json_schema", "json_schema": schema})
    assert asked["outputConfig"] == {
        "textFormat": {
            "type": "json_schema",
            "structure": {"jsonSchema": {"schema": '{"type":"object"}', "name": "point"}},
        }
    }
    asked = body(said("user", "x"), response_format={"type": "json_object"})
    assert asked["system"] == [{"text": "Answer with one JSON object and nothing else."}]


def test_choosing_tools() -> None:
    tool = {"type": "function", "function": {"name": "ask"}}
    spec = {"toolSpec": {"name": "ask", "inputSchema": {"json": {"type": "object"}}}}
    hello = said("user", "x")
    assert body(hello, tools=[tool], tool_choice="auto")["toolConfig"] == {"tools": [spec]}
    required = body(hello, tools=[tool], tool_choice="required")["toolConfig"]
    assert required == {"tools": [spec], "toolChoice": {"any": {}}}
    assert "toolConfig" not in body(hello, tools=[tool], tool_choice="none")
    without = Habits(without=frozenset({"toolChoice"}))
    asked = body(hello, habits=without, tools=[tool], tool_choice="required")
    assert asked["toolConfig"] == {"tools": [spec]}


@pytest.mark.parametrize(
    ("extra", "param"), [({"logprobs": True}, "logprobs"), ({"tools": [7]}, "tools[0]")]
)
def test_what_bedrock_does_not_do(extra: dict[str, Any], param: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        body(said("user", "x"), **extra)
    assert (caught.value.failure, caught.value.param) == (F.BAD_REQUEST, param)


def test_stop_sequences() -> None:
    params = Params(stop=("", "\n", "end"))
    assert stops(params, Habits(), "anthropic") == (("end",), ("\n",))
    assert stops(params, Habits(), "meta") == (("\n", "end"), ())
    without = Habits(without=frozenset({"stopSequences"}))
    assert stops(params, without, "meta") == ((), ("\n", "end"))
    assert raw_stops(Raw.LLAMA, params) == ((), ("\n", "end"))
    assert raw_stops(Raw.MISTRAL, params) == (("\n", "end"), ())


# Identifiers.


@pytest.mark.parametrize(
    ("name", "base", "vendor"),
    [
        ("anthropic.claude-v2:1", "anthropic.claude-v2:1", "anthropic"),
        ("us.anthropic.claude-v2:1", "anthropic.claude-v2:1", "anthropic"),
        ("global.amazon.nova-2-lite-v1:0", "amazon.nova-2-lite-v1:0", "amazon"),
        ("minimax.minimax-m2.1", "minimax.minimax-m2.1", "minimax"),
        (
            "arn:aws:bedrock:eu-west-1::foundation-model/mistral.mistral-7b-instruct-v0:2",
            "mistral.mistral-7b-instruct-v0:2",
            "mistral",
        ),
        (
            "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:application-inference-profile/abc1",
            "",
            "",
        ),
    ],
)
def test_models(name: str, base: str, vendor: str) -> None:
    model = read_model(name)
    assert (model.name, model.base, model.vendor) == (name, base, vendor)


def test_an_arn_tells_region_and_account() -> None:
    model = read_model("arn:aws:bedrock:eu-west-1:123456789012:provisioned-model/abcdef123456")
    assert (model.region, model.account) == ("eu-west-1", "123456789012")


@pytest.mark.parametrize(
    "name",
    ["", "a b", "arn:aws:bedrock:eu-west-1", "arn:aws:s3:::x", "arn:aws:bedrock:e:1:x/y", "ä"],
)
def test_no_models(name: str) -> None:
    with pytest.raises(ValueError, match=r"model|letters"):
        read_model(name)


@pytest.mark.parametrize(
    ("region", "found"),
    [
        ("us-east-1", "us"),
        ("us-gov-west-1", "us-gov"),
        ("eu-central-1", "eu"),
        ("ap-south-1", "apac"),
        ("ca-central-1", "ca"),
        ("sa-east-1", "global"),
    ],
)
def test_profiles(region: str, found: str) -> None:
    model = read_model("anthropic.claude-v2:1")
    assert profile(model, region) == f"{found}.anthropic.claude-v2:1"


# Answers and refusals.


def test_counts_stay_within_reason() -> None:
    reading = ConverseReading()
    reading.event("messageStop", b'{"stopReason":"end_turn"}')
    usage = b'{"usage":{"inputTokens":-5,"outputTokens":1e30,"cacheReadInputTokens":3}}'
    with pytest.raises(UNREADABLE):
        reading.event("metadata", usage)
    reading.event("metadata", usage.replace(b"1e30", str(2**60).encode()))
    assert reading.done
    assert reading.finish() == Delta(
        usage=Usage(prompt_tokens=3, completion_tokens=MOST_TOKENS, cached_tokens=3)
    )


@given(st.sampled_from(["contentBlockDelta", "contentBlockStart", "messageStop"]), st.binary())
def test_nothing_else_is_raised(kind: str, payload: bytes) -> None:
    for reading in (ConverseReading(), RawReading()):
        for each in (kind, "chunk", "somethingNew"):
            try:
                reading.event(each, payload)
            except UNREADABLE:
                continue


@given(st.integers(300, 599), st.text(max_size=20), st.binary(max_size=60))
def test_any_refusal_can_be_read(status: int, kind: str, raw: bytes) -> None:
    assert refusal(status, kind, raw).status == status


def test_words_of_refusals() -> None:
    found = refusal(400, "", b'{"__type":"com.amazon#ValidationException","message":"a\\nb"}')
    assert (found.kind, found.said, found.failure) == ("ValidationException", "a b", F.BAD_REQUEST)
    assert refusal(403, "", b"[1]").failure is F.AUTHENTICATION
    assert refusal(504, "", b"").failure is F.TIMEOUT
    assert refusal(502, "", b"<html>").failure is F.SERVER
    assert exception("validationException", b'{"message":"prompt is too long"}').failure is (
        F.CONTEXT_LENGTH
    )
    assert exception("newException", b"").status == 500
    found = refusal(403, "AccessDeniedException:", b'{"Message":"Bearer Token has expired"}')
    assert found.cause is Cause.EXPIRED
