"""Inputs of tasks as texts."""

from typing import Any

import pytest

from inhouse.wire.gitlab.prompts import texts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is {{x}}", "as it is {{x}}"),
        (None, ""),
        (3, "3"),
        (True, "true"),
        ([], ""),
        (["one", "two"], "one\n\ntwo"),
        ({"name": "a.py", "lines": 3}, "name: a.py\nlines: 3"),
        ([{"name": "a"}, {"name": "b"}], "name: a\n\nname: b"),
    ],
)
def test_every_value_becomes_a_text(value: Any, text: str) -> None:
    assert texts({"input": value}) == {"input": text}


def test_a_passage_ends_with_its_reference() -> None:
    passages = [
        {"id": "a1", "content": "Settings.", "metadata": {"filename": "a.md"}},
        {"id": 7, "content": "Branches."},
        "Loose.",
    ]
    assert texts({"documents": passages}) == {
        "documents": "Settings.\nReference: CNT-IDX-a1\n\nBranches.\nReference: CNT-IDX-7\n\nLoose."
    }
    assert texts({"documents": "One text."}) == {"documents": "One text."}
