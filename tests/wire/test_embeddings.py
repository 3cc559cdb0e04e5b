"""What upstreams answer with instead of vectors is never taken for some."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.requests import Params
from inhouse.wire.decoding import UNREADABLE
from inhouse.wire.openai.embeddings import embeddings_body, read_embeddings
from inhouse.wire.openai.outbound import ReportedError


def entry(index: int, *vector: float) -> dict[str, Any]:
    return {"index": index, "embedding": vector}


def test_vectors_come_in_the_order_of_their_texts() -> None:
    body: Any = {
        "data": [entry(1, 2, 3), entry(0, 0.5, 1)],
        "usage": {"prompt_tokens": 7, "more": {}},
    }
    found = read_embeddings(json.dumps(body).encode(), 2)
    assert found.vectors == [[0.5, 1.0], [2.0, 3.0]]
    assert found.usage is not None
    assert found.usage.prompt_tokens == 7


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": None}, {"prompt_tokens": 0}])
def test_an_upstream_need_not_count(usage: object) -> None:
    body = json.dumps({"data": [entry(0, 1)], "usage": usage}).encode()
    assert read_embeddings(body, 1).usage is None


@pytest.mark.parametrize(
    "body",
    [
        {"data": []},
        {"data": [entry(0, 1)]},
        {"data": [entry(0, 1), entry(0, 2)]},
        {"data": [entry(0, 1), entry(2, 2)]},
        {"data": [entry(0, 1), entry(1, 2), entry(1, 2)]},
        {"data": [entry(0, 1), entry(1, 2, 3)]},
        {"data": [entry(0), entry(1)]},
        {"data": [entry(0, 1), entry(1, 1e300)]},
        {"data": [{"index": 0, "embedding": "AAAA"}]},
        {"choices": []},
        [],
        "no vectors",
    ],
)
def test_what_is_not_one_vector_a_text_is_unreadable(body: object) -> None:
    with pytest.raises(UNREADABLE):
        read_embeddings(json.dumps(body).encode(), 2)


def test_an_error_in_an_answer_is_one() -> None:
    with pytest.raises(ReportedError):
        read_embeddings(b'{"error": {"message": "out of memory"}}', 1)


@given(st.binary(max_size=60), st.integers(1, 3))
def test_no_answer_is_too_strange(body: bytes, texts: int) -> None:
    with pytest.raises((*UNREADABLE, ReportedError)):
        read_embeddings(body, texts)


def test_fields_of_the_caller_are_handed_on() -> None:
    params = Params(extra={"input_type": "query", "input": "stolen"})
    body = json.loads(embeddings_body("m", ["a"], None, params))
    assert body == {"model": "m", "input": ["a"], "input_type": "query"}
    assert json.loads(embeddings_body("m", ["a"], 3, Params()))["dimensions"] == 3
