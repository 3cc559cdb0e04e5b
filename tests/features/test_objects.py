"""The JSON object is found among whatever a model writes around it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.features.objects import OneObject


def shown(*pieces: str) -> str:
    shaper = OneObject()
    assert [shaper.feed(piece) for piece in pieces] == [""] * len(pieces)
    assert not shaper.done
    return shaper.finish()


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "}{"}',
        'Here it is: {"a": "}{"}',
        '```json\n{"a": "}{"}\n```\nAnything else?',
        'In {curly} words: {"a": "}{"} and {"b": 2}',
        '{"broken": {"a": "}{"}',
    ],
)
def test_the_first_object_is_shown_alone(text: str) -> None:
    assert shown(text) == '{"a": "}{"}'


def test_an_object_may_come_in_pieces() -> None:
    assert shown("Sure: {", '"a"', ": [1, 2", "]}", "!") == '{"a": [1, 2]}'


@pytest.mark.parametrize("text", ["", "  \n", "no object", "{", "{]", "[1]", '{"a": ' * 5000])
def test_a_text_without_an_object_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text.strip()


@given(
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9), max_size=4),
    st.text(alphabet=st.characters(exclude_characters="{"), max_size=20),
    st.text(max_size=20),
)
def test_any_object_is_found(value: dict[str, object], before: str, after: str) -> None:
    written = json.dumps(value)
    assert shown(before + written + after) == written
