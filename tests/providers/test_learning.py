"""What refusals may teach, whatever they say."""

from hypothesis import given
from hypothesis import strategies as st

from inhouse.errors import UpstreamFailure
from inhouse.providers.openai_compatible.learning import learned
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
