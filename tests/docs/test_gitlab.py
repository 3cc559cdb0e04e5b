"""`docs/gitlab.md` says what the code does."""

import re
from pathlib import Path

from inhouse.config.aigw_variables import MAPPED, TOLD
from inhouse.server.api.gitlab import door
from inhouse.server.api.gitlab.refusals import BUSY, FAILED
from inhouse.wire.gitlab.features import FEATURES

PAGE = (Path(__file__).parents[2] / "docs" / "gitlab.md").read_text()


def rows(heading: str) -> list[tuple[str, str]]:
    """Return the rows of the table with two columns under a heading."""
    part = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| (`.*) \| (.*) \|$", part, re.MULTILINE)


def test_every_feature_of_gitlab_is_there() -> None:
    assert rows("Features") == [(f"`{name}`", f"`{ours}`") for name, ours in FEATURES.items()]


def test_every_variable_is_there_with_what_it_does() -> None:
    assert rows("Environment") == [
        (", ".join(f"`{name}`" for name in each.names), each.help) for each in (*MAPPED, *TOLD)
    ]


def test_refusals_are_quoted_as_they_are() -> None:
    source = Path(door.__file__).read_text()
    for said in re.findall(r"^\| 401 `([^`…]+)", PAGE, re.MULTILINE):
        assert said.removesuffix("'X-Gitlab-").strip() in source
    assert f"429 `{BUSY.partition('.')[0]} …`" in PAGE
    assert f"503 `{FAILED}: …`" in PAGE
