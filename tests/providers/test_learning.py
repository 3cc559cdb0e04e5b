"""What refusals may teach, whatever they say."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.errors import UpstreamFailure
from inhouse.providers.anthropic.learning import learned as learned_of_anthropic
from inhouse.providers.anthropic.learning import told as told_of_anthropic
from inhouse.providers.bedrock.learning import learned as learned_of_bedrock
from inhouse.providers.bedrock.learning import told as told_of_bedrock
from inhouse.providers.openai_compatible.learning import learned
from inhouse.wire.anthropic import outbound as anthropic
from inhouse.wire.anthropic import refusals
from inhouse.wire.bedrock import converse
from inhouse.wire.bedrock.refusals import refusal
from inhouse.wire.openai.outbound import DEFAULT_HABITS
from inhouse.wire.openai.refusals import Refusal

FIELDS = st.sampled_from(
    [
        "temperature", "top_p", "stop", "seed", "max_tokens", "max_completion_tokens", "logprobs",
        "stream_options", "tools", "tool_choice", "response_format", "n", "model", "messages",
        "prompt", "stream", "logit_bias", "parallel_tool_calls", "reasoning_effort", "suffix",
    ]
)  # fmt: skip
NEEDED = {
    "tools", "tool_choice", "response_format", "n", "model", "messages", "prompt", "stream",
    "logit_bias", "parallel_tool_calls", "reasoning_effort", "suffix", "max_tokens",
}  # fmt: skip
WORDS = st.sampled_from(["unsupported", "not supported", "unknown", "'", ":", "is", "argument "])


@given(
    st.sampled_from([200, 400, 401, 404, 422, 429, 500]),
    st.lists(FIELDS | WORDS | st.text(max_size=5)).map("".join)
    | st.lists(FIELDS | WORDS).map(" ".join),
    st.none() | FIELDS | st.text(max_size=20),
)
def test_one_refusal_teaches_one_thing_that_an_answer_can_do_without(
    status: int, said: str, param: str | None
) -> None:
    found = Refusal(failure=UpstreamFailure.BAD_REQUEST, said=said, param=param, status=status)
    habits = learned(DEFAULT_HABITS, found)
    assert not habits.left_out & NEEDED
    assert len(habits.left_out - {"top_logprobs"}) + habits.max_completion_tokens <= 1
    if status not in {400, 422}:
        assert habits == DEFAULT_HABITS


@pytest.mark.parametrize(
    ("message", "changed", "told"),
    [
        (
            "The model is unsupported for streaming.",
            {"streams": False},
            "It does not stream: inhouse asks for whole answers.",
        ),
        (
            "This model doesn't support tool use in streaming mode.",
            {"streams_tools": False},
            "It does not stream with tools: inhouse asks for whole answers then.",
        ),
        (
            "This model doesn\u2019t support system prompts.",
            {"system": False},
            "It takes no instructions apart: inhouse puts them before the question.",
        ),
        (
            "This model doesn't support the system field. Remove it.",
            {"system": False},
            "It takes no instructions apart: inhouse puts them before the question.",
        ),
        (
            "This model doesn't support the toolConfig.toolChoice.any field. Remove it.",
            {"without": frozenset({"toolChoice"})},
            "It does not take toolChoice: inhouse leaves it out.",
        ),
        (
            "This model doesn't support the inferenceConfig.stopSequences field.",
            {"without": frozenset({"stopSequences"})},
            "It does not take stopSequences: inhouse ends the answer there by itself.",
        ),
        (
            "`top_p` is deprecated for this model.",
            {"without": frozenset({"topP"})},
            "It does not take topP: inhouse leaves it out.",
        ),
        ("This model doesn't support tool use.", {}, ""),
    ],
)
def test_what_bedrock_teaches(message: str, changed: dict[str, Any], told: str) -> None:
    body = msgspec.json.encode({"message": message})
    habits = learned_of_bedrock(converse.DEFAULT_HABITS, refusal(400, "ValidationException", body))
    assert habits == msgspec.structs.replace(converse.DEFAULT_HABITS, **changed)
    assert told_of_bedrock(habits) == ([told] if told else [])
    assert learned_of_bedrock(habits, refusal(403, "AccessDeniedException", body)) == habits


@pytest.mark.parametrize(
    ("message", "changed", "told"),
    [
        (
            "`temperature` is deprecated for this model.",
            {"temperature": False},
            "It does not take temperature: inhouse leaves it out.",
        ),
        (
            "`temperature` and `top_p` cannot both be specified for this model.",
            {"both": False},
            "It takes temperature or top_p, not both: inhouse leaves top_p out.",
        ),
        (
            "max_tokens: 8192 > 4096, which is the maximum allowed for this model",
            {"most_tokens": 4096},
            "It gives at most 4096 tokens: inhouse asks for no more.",
        ),
        ("messages: at least one message is required", {}, ""),
    ],
)
def test_what_anthropic_teaches(message: str, changed: dict[str, Any], told: str) -> None:
    error = {"type": "invalid_request_error", "message": message}
    body = msgspec.json.encode({"type": "error", "error": error})
    habits = learned_of_anthropic(anthropic.DEFAULT_HABITS, refusals.refusal(400, body))
    assert habits == msgspec.structs.replace(anthropic.DEFAULT_HABITS, **changed)
    assert told_of_anthropic(habits) == ([told] if told else [])
