"""Answers in the OpenAI dialect: exact shapes, and chunks that are the JSON they should be."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from inhouse.core.delta import Answer, Choice, Delta, Usage
from inhouse.wire.openai.answers import (
    ChatChunks,
    CompletionChunks,
    Identity,
    chat_answer,
    completion_answer,
)

WHO = Identity("7f", 1_700_000_000, 'co"de\\stral')


def events(stream: bytes) -> list[Any]:
    *found, end = stream.decode().split("\n\n")
    assert end == ""
    return [json.loads(each.removeprefix("data: ")) for each in found]


def test_a_whole_chat_answer() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    answer = Answer(
        choices=(
            Choice(text="Hi"),
            Choice(index=1, finish_reason="tool_calls", tool_calls=(call,), reasoning="Hm."),
        ),
        usage=Usage(prompt_tokens=3, completion_tokens=2, cached_tokens=1),
    )
    assert json.loads(chat_answer(WHO, answer)) == snapshot(
        {
            "id": "chatcmpl-7f",
            "object": "chat.completion",
            "created": 1700000000,
            "model": 'co"de\\stral',
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "Hi"},
                    "logprobs": None,
                    "finish_reason": "stop",
                },
                {
                    "index": 1,
                    "message": {
                        "role": "assistant",
                        "content": None,
                        "reasoning_content": "Hm.",
                        "tool_calls": [
                            {
                                "id": "c1",
                                "type": "function",
                                "function": {"name": "f", "arguments": "{}"},
                            }
                        ],
                    },
                    "logprobs": None,
                    "finish_reason": "tool_calls",
                },
            ],
            "usage": {
                "prompt_tokens": 3,
                "completion_tokens": 2,
                "total_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 1},
            },
        }
    )


def test_a_whole_completion_without_usage_still_has_the_field() -> None:
    answer = Answer(choices=(Choice(text="x", finish_reason="length"),))
    assert json.loads(completion_answer(WHO, answer)) == snapshot(
        {
            "id": "cmpl-7f",
            "object": "text_completion",
            "created": 1700000000,
            "model": 'co"de\\stral',
            "choices": [{"index": 0, "text": "x", "logprobs": None, "finish_reason": "length"}],
            "usage": {
                "prompt_tokens": 0,
                "completion_tokens": 0,
                "total_tokens": 0,
                "prompt_tokens_details": {"cached_tokens": 0},
            },
        }
    )


def test_the_first_chunk_of_each_choice_names_the_role() -> None:
    chunks = ChatChunks(WHO)
    stream = b"".join(
        [
            chunks.encode(Delta(text="a")),
            chunks.encode(Delta(text="b", index=1)),
            chunks.encode(Delta(text="c")),
            chunks.encode(Delta(finish_reason="stop", usage=Usage(prompt_tokens=1))),
            chunks.usage(Usage(prompt_tokens=1)),
        ]
    )
    found = events(stream)
    assert {each["id"] for each in found} == {"chatcmpl-7f"}
    assert {each["object"] for each in found} == {"chat.completion.chunk"}
    assert [each["choices"] for each in found] == snapshot(
        [
            [
                {
                    "index": 0,
                    "delta": {"role": "assistant", "content": ""},
                    "logprobs": None,
                    "finish_reason": None,
                }
            ],
            [{"index": 0, "delta": {"content": "a"}, "logprobs": None, "finish_reason": None}],
            [
                {
                    "index": 1,
                    "delta": {"role": "assistant", "content": ""},
                    "logprobs": None,
                    "finish_reason": None,
                }
            ],
            [{"index": 1, "delta": {"content": "b"}, "logprobs": None, "finish_reason": None}],
            [{"index": 0, "delta": {"content": "c"}, "logprobs": None, "finish_reason": None}],
            [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}],
            [],
        ]
    )
    assert found[-1]["usage"]["total_tokens"] == 1


def test_tool_calls_and_reasoning_go_through_as_they_came() -> None:
    fragment = {"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}
    chunks = ChatChunks(WHO)
    chunks.encode(Delta(text="x"))
    (event,) = events(chunks.encode(Delta(tool_calls=[fragment], reasoning="Hm.")))
    assert event["choices"][0]["delta"] == {"reasoning_content": "Hm.", "tool_calls": [fragment]}


def test_usage_alone_is_no_chunk() -> None:
    alone = Delta(usage=Usage(prompt_tokens=1))
    assert ChatChunks(WHO).encode(alone) == b""
    assert CompletionChunks(WHO).encode(alone) == b""


deltas = st.builds(
    Delta,
    text=st.text(),
    index=st.integers(0, 3),
    finish_reason=st.none() | st.sampled_from(["stop", "length"]),
    logprobs=st.none() | st.just({"tokens": ["x"]}),
)


@given(st.lists(deltas))
def test_streamed_text_is_what_came_in(stream: list[Delta]) -> None:
    chat, completion = ChatChunks(WHO), CompletionChunks(WHO)
    chat_texts: dict[int, str] = {}
    completion_texts: dict[int, str] = {}
    wanted: dict[int, str] = {}
    for delta in stream:
        wanted[delta.index] = wanted.get(delta.index, "") + delta.text
        for event in events(chat.encode(delta)):
            (choice,) = event["choices"]
            text = choice["delta"].get("content", "")
            chat_texts[choice["index"]] = chat_texts.get(choice["index"], "") + text
        for event in events(completion.encode(delta)):
            (choice,) = event["choices"]
            text = completion_texts.get(choice["index"], "") + choice["text"]
            completion_texts[choice["index"]] = text
    some = {index: text for index, text in wanted.items() if text}
    assert {index: text for index, text in chat_texts.items() if text} == some
    assert {index: text for index, text in completion_texts.items() if text} == some
