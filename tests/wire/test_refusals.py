"""Refusals of many servers, as they came, and what they mean."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inhouse.errors import UpstreamFailure
from inhouse.wire.openai.refusals import QUOTED, quote, refusal, retry_after

VLLM_CONTEXT = {
    "error": {
        "message": "This model's maximum context length is 2048 tokens. However, you requested 5"
        " output tokens and your prompt contains 4001 input tokens.",
        "type": "BadRequestError",
        "param": "input_tokens",
        "code": 400,
    }
}
LLAMA_CONTEXT = {
    "error": {
        "code": 400,
        "message": "request (4001 tokens) exceeds the available context size (2048 tokens)",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 4001,
        "n_ctx": 2048,
    }
}
OPENAI_CONTEXT = {
    "error": {
        "message": "Your input exceeds the limit of this model.",
        "type": "invalid_request_error",
        "param": "messages",
        "code": "context_length_exceeded",
    }
}
SGLANG_CONTEXT = {
    "object": "error",
    "message": "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
    "type": "BadRequestError",
    "param": None,
    "code": 400,
}
TGI_CONTEXT = {
    "error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 1500",
    "error_type": "validation",
}
VLLM_MODEL = {
    "error": {
        "message": "The model `x` does not exist.",
        "type": "NotFoundError",
        "param": "model",
        "code": 404,
    }
}
OLLAMA_MODEL = {
    "error": {
        "message": 'model "x" not found, try pulling it first',
        "type": "api_error",
        "param": None,
        "code": None,
    }
}
OPENAI_MODEL = {"error": {"message": "No access", "type": "x", "code": "model_not_found"}}
LLAMA_LOADING = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
FASTAPI = {
    "detail": [
        {
            "type": "missing",
            "loc": ["body", "messages"],
            "msg": "Field required",
            "input": {"prompt": "the user's code"},
        }
    ]
}
VLLM_ECHO = {
    "error": {
        "message": "[{'type': 'missing', 'loc': ('body', 'messages'), 'msg': 'Field required',"
        " 'input': {'prompt': 'the user's code'}}]",
        "code": 400,
    }
}
AZURE_FILTER = {
    "error": {
        "message": "The response was filtered due to the prompt triggering the policy.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {
                "hate": {"filtered": False, "severity": "safe"},
                "violence": {"filtered": True, "severity": "high"},
                "jailbreak": {"filtered": True, "detected": True},
                "custom": 7,
            },
        },
    }
}
AZURE_CHAT = {
    "error": {
        "code": "OperationNotSupported",
        "message": "The completion operation does not work with the specified model, gpt-4o. Please"
        " choose different model and try again.",
    }
}
AZURE_TEXT = {
    "error": {
        "code": "OperationNotSupported",
        "message": "The chatCompletion operation does not work with the specified model, ada.",
    }
}
OPENAI_CHAT = {
    "error": {
        "message": "This is a chat model and not supported in the v1/completions endpoint. Did you"
        " mean to use v1/chat/completions?",
        "type": "invalid_request_error",
        "param": "model",
        "code": None,
    }
}
AZURE_MODEL = {
    "error": {
        "code": "DeploymentNotFound",
        "message": "The API deployment for this resource does not exist.",
    }
}
F = UpstreamFailure


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (400, VLLM_CONTEXT, F.CONTEXT_LENGTH),
        (400, LLAMA_CONTEXT, F.CONTEXT_LENGTH),
        (400, OPENAI_CONTEXT, F.CONTEXT_LENGTH),
        (400, SGLANG_CONTEXT, F.CONTEXT_LENGTH),
        (422, TGI_CONTEXT, F.CONTEXT_LENGTH),
        (404, VLLM_MODEL, F.UNKNOWN_MODEL),
        (404, OLLAMA_MODEL, F.UNKNOWN_MODEL),
        (404, OPENAI_MODEL, F.UNKNOWN_MODEL),
        (400, OPENAI_MODEL, F.UNKNOWN_MODEL),
        (401, {"error": {"message": "Unauthorized"}}, F.AUTHENTICATION),
        (403, "<html><title>Forbidden</title></html>", F.AUTHENTICATION),
        (429, {"error": {"message": "Rate limit"}}, F.RATE_LIMITED),
        (503, LLAMA_LOADING, F.NOT_READY),
        (503, "Service Unavailable", F.SERVER),
        (500, {"error": {"code": 500, "message": "[json.exception]"}}, F.SERVER),
        (502, "<html><title>502 Bad Gateway</title></html>", F.SERVER),
        (408, "", F.TIMEOUT),
        (400, FASTAPI, F.BAD_REQUEST),
        (422, FASTAPI, F.BAD_REQUEST),
        (413, "Request Entity Too Large", F.BAD_REQUEST),
        (301, "", F.PROTOCOL),
        (200, {"error": {"message": "CUDA out of memory", "code": 500}}, F.SERVER),
        (200, {"error": {"message": "too slow", "code": 429}}, F.RATE_LIMITED),
        (200, {"error": "Model is overloaded", "error_type": "overloaded"}, F.SERVER),
        (200, LLAMA_CONTEXT, F.CONTEXT_LENGTH),
        (400, AZURE_FILTER, F.CONTENT_FILTER),
        (400, AZURE_CHAT, F.MESSAGES_ONLY),
        (400, AZURE_TEXT, F.BAD_REQUEST),
        (404, OPENAI_CHAT, F.MESSAGES_ONLY),
        (404, AZURE_MODEL, F.UNKNOWN_MODEL),
    ],
)
def test_knows_what_a_refusal_means(status: int, body: Any, failure: UpstreamFailure) -> None:
    raw = body if isinstance(body, str) else json.dumps(body)
    assert refusal(status, raw.encode()).failure is failure


@pytest.mark.parametrize(
    ("body", "no_route"),
    [
        ({"detail": "Not Found"}, True),
        ({"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}, True),
        ("404 page not found", True),
        ("<!DOCTYPE html><html><head><title>404</title></head></html>", True),
        ({"error": {"message": "Invalid URL (POST /v1/v1/chat)", "type": "x"}}, True),
        (VLLM_MODEL, False),
        (OLLAMA_MODEL, False),
        (OPENAI_MODEL, False),
    ],
)
def test_tells_an_unknown_route_from_an_unknown_model(body: Any, no_route: bool) -> None:
    raw = body if isinstance(body, str) else json.dumps(body)
    assert refusal(404, raw.encode()).no_route is no_route


def test_names_what_a_content_filter_found() -> None:
    found = refusal(400, json.dumps(AZURE_FILTER).encode())
    assert found.filtered == ("violence", "jailbreak")
    assert found.kind == "content_filter"


@pytest.mark.parametrize("body", [FASTAPI, VLLM_ECHO])
def test_leaves_out_the_echo_of_the_request(body: Any) -> None:
    said = refusal(400, json.dumps(body).encode()).said
    assert "Field required" in said
    assert "user's code" not in said


def test_reads_the_title_of_a_page() -> None:
    page = b"<html><head><title>502\nBad   Gateway</title></head><body>lots</body></html>"
    assert refusal(502, page).said == "502 Bad Gateway"


def test_quotes_without_secrets() -> None:
    said = "Incorrect API key provided: sk-hush. You can find"
    assert quote(said, ["sk-hush", ""], "") == "Incorrect API key provided: ***. You can find"


def test_quotes_without_the_prompt() -> None:
    prompt = "def transfer(amount, iban):\n    return bank.send(amount, iban, secret_token)\n"
    said = "cannot parse 'return bank.send(amount, iban, secret_token)' as a number"
    assert quote(said, [], prompt) == "cannot parse '…' as a number"


def test_quotes_little() -> None:
    assert len(quote("x" * 10_000, [], "")) == QUOTED


@given(st.text(max_size=400), st.text(max_size=400))
def test_never_quotes_more_than_a_word_of_the_prompt(said: str, prompt: str) -> None:
    shown = quote(said + prompt + said, [], prompt)
    runs = (shown[at : at + 24] for at in range(len(shown) - 23))
    assert not any("…" not in run and run in prompt for run in runs)


@given(st.integers(min_value=100, max_value=599), st.binary(max_size=200))
def test_reads_any_refusal(status: int, body: bytes) -> None:
    found = refusal(status, body)
    assert "\n" not in found.said


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["error", "message", "code", "type", "detail", "loc", "msg", "innererror"]
                ),
                inner,
            )
        ),
    )
)
@example({"detail": [{"loc": 7}]})
def test_reads_any_json(value: Any) -> None:
    refusal(400, json.dumps(value).encode())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "x"}, None),
        ({"retry-after-ms": "inf"}, None),
        ({"retry-after-ms": "nan"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_reads_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(lambda name: headers.get(name, "")) == seconds


def test_reads_until_when_to_wait() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    waited = retry_after(lambda name: date if name == "retry-after" else "")
    assert waited is not None
    assert 3000 < waited <= 3600
