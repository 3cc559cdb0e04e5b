"""A fence around the whole answer is taken off; every other one stays."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.features.wrapping import Unwrapped


def shown(*pieces: str) -> str:
    shaper = Unwrapped()
    return "".join([*map(shaper.feed, pieces), shaper.finish()])


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("```\nAdd one\n\nBody.\n```", "Add one\n\nBody."),
        ("\n```markdown\n# A\n```\n", "# A"),
        ("~~~text\nAdd `one`\n~~~", "Add `one`"),
        ("```md\nRun:\n\n```sh\nmake\n```\n\nDone.\n```\n", "Run:\n\n```sh\nmake\n```\n\nDone."),
        ("```txt\nAdd one\n```", "Add one"),
        ("```plaintext\nAdd one\n```", "Add one"),
        ("```Markdown\n# A\n```", "# A"),
        ("````md\n```sh\nmake\n```\n````", "```sh\nmake\n```"),
        ("~~~~ text \t\nAdd one\n~~~~", "Add one"),
        ("```\nAdd one\n  ```  \n", "Add one"),
        ("```\nAdd one\n``", "Add one\n``"),
        ("```\nAdd one", "Add one"),
        ("```\n```", ""),
    ],
)
def test_a_wrapped_answer_is_unwrapped(answer: str, text: str) -> None:
    assert shown(answer) == text
    assert shown(*answer) == text


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "\n",
        "Add one\n\nBody.\n",
        "`one` is added",
        "``",
        "```",
        "```sh",
        "```sh\nmake\n```",
        "Run:\n```\nmake\n```",
        "~~struck~~ out",
        "``` is a fence\n",
    ],
)
def test_any_other_answer_stays_as_it_is(answer: str) -> None:
    assert shown(answer) == answer
    assert shown(*answer) == answer


@given(st.text(alphabet="`~ \nmdab", max_size=40), st.data())
def test_pieces_do_not_matter(answer: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(answer)), max_size=5)))
    bounds = [0, *cuts, len(answer)]
    pieces = [answer[start:end] for start, end in itertools.pairwise(bounds)]
    assert shown(*pieces) == shown(answer)
