"""Requests in the OpenAI dialect: what is understood, handed on, and refused."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.requests import Params
from inhouse.errors import InvalidValueError, RequestError
from inhouse.wire.openai import inbound

CHAT: dict[str, Any] = {"model": "chat", "messages": [{"role": "user", "content": "Hi"}]}
COMPLETION: dict[str, Any] = {"model": "completion", "prompt": "def f("}

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def chat_params(**fields: object) -> Params:
    body, extra = inbound.decode_chat(json.dumps({**CHAT, **fields}).encode())
    return inbound.params(body, extra, "r1")


def completion(**fields: object) -> tuple[inbound.CompletionBody, dict[str, Any]]:
    return inbound.decode_completion(json.dumps({**COMPLETION, **fields}).encode())


def test_what_is_not_said_is_none() -> None:
    assert chat_params() == Params(request_id="r1", whole=True)


def test_null_is_as_good_as_left_out() -> None:
    nulls = dict.fromkeys(("max_tokens", "temperature", "stop", "n", "stream", "seed", "suffix"))
    assert chat_params(**nulls) == chat_params()


def test_stop_may_be_a_string_or_a_list() -> None:
    assert chat_params(stop="END").stop == ("END",)
    assert chat_params(stop=["a", "", "b"]).stop == ("a", "b")


def test_the_newer_name_of_max_tokens_wins() -> None:
    assert chat_params(max_tokens=5, max_completion_tokens=7).max_tokens == 7


def test_unknown_fields_are_handed_on() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    asked = chat_params(tools=tools, response_format={"type": "json_object"}, top_k=5)
    assert asked.extra == {
        "tools": tools,
        "response_format": {"type": "json_object"},
        "top_k": 5,
    }


def test_who_asks_is_not_handed_on() -> None:
    assert chat_params(user="ada", metadata={"team": "x"}, store=True).extra == {}


def test_no_field_of_either_endpoint_can_be_smuggled_into_the_other() -> None:
    assert chat_params(prompt="x", echo=True, instruction="y").extra == {}
    assert completion(messages=[], max_completion_tokens=3)[1] == {}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"stop": [1]}, "stop[0]"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": [{"content": "Hi"}]}, "messages[0]"),
        ({"messages": [{"role": 1, "content": "Hi"}]}, "messages[0].role"),
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": ["chat"]}, "model"),
    ],
)
def test_a_wrong_value_is_named(fields: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        chat_params(**fields)
    assert caught.value.param == param


def test_a_missing_field_is_named() -> None:
    with pytest.raises(InvalidValueError, match="missing required field `model`") as caught:
        inbound.decode_chat(json.dumps({"messages": CHAT["messages"]}).encode())
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"model": "\xff"}',
        b'{"model": "x", "prompt": ' + b"[" * 100_000,
        json.dumps(COMPLETION).encode() * 2,
        json.dumps(COMPLETION).encode()[:-1] + b', "x": NaN}',
        b"\0",
    ],
    ids=["empty", "cut", "word", "not UTF-8", "too deep", "two", "NaN", "zero"],
)
def test_what_is_not_json_is_said_to_be_so(raw: bytes) -> None:
    with pytest.raises(RequestError, match="not JSON"):
        inbound.decode_completion(raw)


def test_a_list_of_one_prompt_is_a_prompt() -> None:
    body, _ = completion(prompt=["x"])
    assert inbound.prompt_text(body) == "x"


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        ([1, 2], "token numbers"),
        ([[1, 2]], "token numbers"),
        (["a", "b"], "several prompts"),
        ([], "must be a string"),
        ([None], "must be a string"),
    ],
)
def test_other_prompts_are_refused_in_words(prompt: list[Any], why: str) -> None:
    body, _ = completion(prompt=prompt)
    with pytest.raises(InvalidValueError, match=why) as caught:
        inbound.prompt_text(body)
    assert caught.value.param == "prompt"


@pytest.mark.parametrize(("field", "value"), [("echo", True), ("best_of", 3)])
def test_what_cannot_be_done_is_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidValueError) as caught:
        completion(**{field: value})
    assert caught.value.param == field


def test_best_of_that_asks_for_nothing_is_fine() -> None:
    assert completion(best_of=1, echo=False)[1] == {}
    assert completion(best_of=2, n=2)[1] == {}


def test_the_last_message_of_the_user_is_the_instruction() -> None:
    messages = [
        {"role": "user", "content": "Write a parser."},
        {"role": "assistant", "content": "def parse(): ..."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Now"}, {"type": "text", "text": "!"}],
        },
        {"role": "tool", "content": "x", "tool_call_id": "1"},
    ]
    fields = {"model": "generation", "messages": messages, "prefix": "a", "path": "b.py"}
    body, _ = inbound.decode_chat(json.dumps(fields).encode())
    request = inbound.generation_request(body, Params())
    assert (request.instruction, request.prefix, request.path) == ("Now\n!", "a", "b.py")


def test_a_generation_without_an_instruction_is_refused() -> None:
    body, _ = inbound.decode_chat(
        b'{"model": "generation", "messages": [{"role": "system", "content": "Be brief."}]}'
    )
    with pytest.raises(InvalidValueError, match="instruction"):
        inbound.generation_request(body, Params())


@given(st.dictionaries(st.sampled_from([*CHAT, "stop", "n", "max_tokens", "x"]), anything))
def test_any_json_object_is_understood_or_refused(fields: dict[str, Any]) -> None:
    for decode in (inbound.decode_chat, inbound.decode_completion):
        with contextlib.suppress(RequestError):
            decode(json.dumps(fields).encode())


@given(st.binary())
def test_any_bytes_are_understood_or_refused(raw: bytes) -> None:
    with pytest.raises(RequestError):
        inbound.decode_completion(raw)
