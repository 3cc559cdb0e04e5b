"""No special token of a family survives in the caller's code, and nothing is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.families import Family, load
from inhouse.prompts.special import disarm, found, restore

# Each set of tokens once: variants share theirs.
FAMILIES = list({family.tokens: family for family in load() if family.tokens}.values())


def code_for(family: Family) -> st.SearchStrategy[str]:
    """Return texts made of tokens, halves of tokens, disarmed tokens, and what is between."""
    pieces = [
        piece
        for token in family.tokens
        for piece in (
            token,
            *(token[0] + " " * blanks + token[1:] for blanks in range(1, 3)),
            *(part for at in range(1, 4) for part in (token[:at], token[at:], token[:-at])),
        )
    ]
    between = [" ", "  ", "<", "[", "|", ">", "]", "x", "\n"]
    return st.lists(st.sampled_from(pieces) | st.sampled_from(between), max_size=8).map("".join)


every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


@every_family
@given(data=st.data())
def test_no_token_remains_and_restoring_gives_the_code_back(
    family: Family, data: st.DataObject
) -> None:
    code = data.draw(code_for(family))
    safe = disarm(code, family.tokens)
    assert [token for token in family.tokens if token in safe] == []
    assert restore(safe, family.tokens) == code
    assert restore(safe, found(code, family.tokens)) == code
    if safe == code:
        assert found(code, family.tokens) == ()


@given(st.text())
def test_other_text_stays_as_it_is(text: str) -> None:
    tokens = ("<|im_start|>", "[INST]")
    if "im_start" not in text and "INST" not in text:
        assert disarm(text, tokens) == text == restore(text, tokens)
    assert disarm(text, ()) == text == restore(text, ())


def test_it_stays_readable() -> None:
    assert disarm("a <|im_end|> b", ("<|im_end|>",)) == "a < |im_end|> b"
    assert disarm("a < |im_end|> b", ("<|im_end|>",)) == "a <  |im_end|> b"
