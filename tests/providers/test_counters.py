"""What model servers count of themselves is read from their metrics, and nothing else is."""

from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.delta import Generated
from inhouse.providers.openai_compatible.counters import counters

LLAMA = """\
# HELP llamacpp:tokens_predicted_total Number of generation tokens processed.
# TYPE llamacpp:tokens_predicted_total counter
llamacpp:tokens_predicted_total 12
# TYPE llamacpp:n_decode_total counter
llamacpp:n_decode_total 345
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 1
"""
VLLM = """\
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="ours"} 2.0
vllm:num_requests_running{engine="1",model_name="ours"} 1.0
vllm:num_requests_running{engine="0",model_name="an \\"adapter\\", small"} 7.0
vllm:generation_tokens_total{engine="0",model_name="ours"} 1.5e+03
vllm:generation_tokens_total{engine="1",model_name="ours"} 500.0
vllm:generation_tokens_total{engine="0",model_name="an \\"adapter\\", small"} 9.0
vllm:generation_tokens_created{engine="0",model_name="ours"} 1.7e+09
"""
SGLANG = """\
sglang:generation_tokens_total{model_name="ours"} 7557572.0
sglang:num_running_reqs{model_name="ours"} 162.0
"""


def test_llama_cpp_counts_steps() -> None:
    assert counters(LLAMA, "any") == Generated(tokens=345, running=1)


def test_vllm_counts_tokens_of_each_model() -> None:
    assert counters(VLLM, "ours") == Generated(tokens=2000, running=3)


def test_a_model_that_is_not_counted_is_not_known() -> None:
    assert counters(VLLM, "theirs") is None


def test_what_counts_only_ended_requests_is_no_count() -> None:
    assert counters(SGLANG, "ours") is None


def test_half_of_it_is_nothing() -> None:
    assert counters(LLAMA.replace("llamacpp:requests_processing 1", ""), "any") is None
    assert counters("", "any") is None
    assert counters("<!doctype html><title>Welcome</title>", "any") is None
    assert counters("llamacpp:n_decode_total NaN\nllamacpp:requests_processing x\n", "any") is None


@given(st.text(), st.text())
def test_whatever_stands_there_is_no_error(noise: str, model: str) -> None:
    counters(noise, model)
    found = counters(f"{noise}\n{LLAMA}", model)
    assert found is not None
