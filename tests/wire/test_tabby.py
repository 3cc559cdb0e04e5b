"""Bodies in Tabby's dialect: told from OpenAI's, read or refused, and ids that lead back."""

import json
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.requests import CompletionRequest
from inhouse.errors import RequestError
from inhouse.wire.tabby import events, inbound, outbound
from inhouse.wire.tabby.conversation import with_model

TEXTS = st.text(max_size=30) | st.sampled_from(['"segments"', '{"segments": {}}', "segments"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
SNIPPETS = st.lists(
    st.fixed_dictionaries({"filepath": TEXTS, "body": TEXTS}, optional={"score": st.floats(0, 9)}),
    max_size=4,
)
SEGMENTS = st.fixed_dictionaries(
    {"prefix": TEXTS},
    optional={
        "suffix": TEXTS | st.none(),
        "filepath": TEXTS,
        "declarations": SNIPPETS | VALUES,
        "relevant_snippets_from_changed_files": SNIPPETS | VALUES,
        "clipboard": TEXTS | VALUES,
    },
)
BODIES = st.fixed_dictionaries(
    {"segments": SEGMENTS | VALUES},
    optional={"language": VALUES, "temperature": VALUES, "seed": VALUES, "mode": VALUES},
)


@given(BODIES | VALUES)
def test_any_body_is_read_or_refused(body: Any) -> None:
    raw = json.dumps(body).encode()
    try:
        request = inbound.completion_request(inbound.decode_completion(raw), "")
    except RequestError:
        return
    assert request.prefix == body["segments"]["prefix"]
    assert all(each.content.strip() for each in request.context)


@given(st.binary(max_size=60) | st.just(b'{"segments": ' + b"[" * 100_000))
def test_any_bytes_are_in_some_dialect(raw: bytes) -> None:
    assert inbound.speaks(raw) in {True, False}
    with pytest.raises(RequestError):
        inbound.decode_completion(raw)


@given(VALUES, st.booleans())
def test_a_member_called_segments_tells_the_dialect(body: Any, indented: bool) -> None:
    raw = json.dumps(body, indent=2 if indented else None).encode()
    assert inbound.speaks(raw) is (isinstance(body, dict) and "segments" in body)


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=20))
def test_what_our_client_asks_is_what_is_read(prefix: str, suffix: str, path: str) -> None:
    asked = CompletionRequest(prefix=prefix + "x", suffix=suffix, path=path)
    raw = outbound.completion_body(asked)
    assert inbound.speaks(raw)
    request = inbound.completion_request(inbound.decode_completion(raw), "")
    assert (request.prefix, request.suffix, request.path) == (prefix + "x", suffix, path)


@given(st.text(min_size=1, max_size=60))
def test_a_suggestion_s_id_leads_to_its_deployment(name: str) -> None:
    found = events.completion_id("0" * 32, name)
    assert found.isascii()
    assert events.deployment(found) == name


@given(st.text(max_size=60))
def test_any_id_is_of_some_deployment_or_none(said: str) -> None:
    assert isinstance(events.deployment(said), str)


def test_a_suggestion_of_no_deployment_has_an_id_too() -> None:
    assert events.deployment(events.completion_id("0" * 32, "")) == ""


@given(st.dictionaries(TEXTS, VALUES, max_size=4) | VALUES)
def test_a_model_is_said_where_none_was(body: Any) -> None:
    raw = json.dumps(body).encode()
    found = msgspec.json.decode(with_model(raw, "chat"))
    if isinstance(body, dict) and cast("dict[str, Any]", body).get("model") in ("", None):
        assert found == {**msgspec.json.decode(raw), "model": "chat"}
    else:
        assert with_model(raw, "chat") == raw
