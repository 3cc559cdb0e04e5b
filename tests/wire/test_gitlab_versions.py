"""What GitLab may name as the version of a prompt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.wire.gitlab.versions import is_constraint


@pytest.mark.parametrize(
    "text",
    [
        "1.0.0",
        "1",
        "v1.2",
        "2.0.1-dev",
        "1.0.0-dev.1+build.5",
        "^1.0.0",
        "^ 1.0.0",
        "~1.2",
        "~=1.2",
        ">=1,<3",
        ">= 1.0, < 2",
        ">=1.0 <2.0",
        "!=1.5.0",
        "==1.*",
        "1.x",
        "*",
        "^1.0.0 || ^2.0.0",
        "^1.0.0|^2.0.0",
    ],
)
def test_versions_and_ranges(text: str) -> None:
    assert is_constraint(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "latest",
        "null",
        "one",
        "1.2.3.4",
        "^",
        ">=",
        ">=1,",
        "||",
        "^1 ||",
        "1..2",
        "1 .2",
        "1.0.0; rm",
        "^^1",
        "1,,2",
        "1." + "0" * 300,
    ],
)
def test_what_is_none(text: str) -> None:
    assert not is_constraint(text)


@given(st.text(alphabet="0123456789.^~<>=!|,*x -+v", max_size=40))
def test_any_text_is_judged(text: str) -> None:
    assert isinstance(is_constraint(text), bool)
