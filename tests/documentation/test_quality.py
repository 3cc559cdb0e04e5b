"""Whether questions as people ask them find the page that answers them."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from inhouse.context.documentation import build, search

HERE = Path(__file__).parent


class Asked(Struct):
    question: str
    page: str


def test_nearly_every_question_finds_its_page_among_the_first_four(tmp_path: Path) -> None:
    questions = msgspec.json.decode((HERE / "questions.json").read_bytes(), type=list[Asked])
    index = tmp_path / "docs.db"
    build(HERE / "pages", index)
    missed = [
        each.question
        for each in questions
        if each.page not in {found.filename for found in search(index, each.question, 4)}
    ]
    assert len(missed) <= 0.1 * len(questions), missed
    firsts = [
        each for each in questions if search(index, each.question, 1)[0].filename == each.page
    ]
    assert len(firsts) >= 0.75 * len(questions)
