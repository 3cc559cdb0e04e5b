"""``inhouse docs`` as people type it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Call


@pytest.fixture
def doc(home: Path) -> Path:
    """A folder of documentation."""
    folder = home / "doc"
    folder.mkdir()
    (folder / "tokens.md").write_text(
        "---\ntitle: Tokens\n---\n\n## Rotate a token\n\nSelect **Rotate** beside it.\n"
    )
    (folder / "binary.md").write_bytes(b"\xff\x00")
    return folder


def test_what_was_built_can_be_shown_and_searched(
    call: Call, read: Callable[..., Any], doc: Path, home: Path
) -> None:
    built = call("docs", "build", str(doc), "--version", "18.6")
    assert "Indexed 1 pages" in built.stdout
    assert "1 left out" in built.stderr
    assert "binary.md" in built.stderr
    shown = read("docs", "show")
    assert (shown["version"], shown["pages"], shown["passages"]) == ("18.6", 1, 1)
    assert Path(shown["file"]).is_relative_to(home)
    assert "18.6" in call("docs", "show").stdout
    found = call("docs", "search", "How do I rotate my token?").stdout
    assert "https://docs.gitlab.com/tokens/#rotate-a-token" in found
    assert "Select **Rotate** beside it." in found
    (only,) = read("docs", "search", "rotate", "--limit", "1")
    assert only["title"] == "Tokens"


def test_another_file_is_written_and_read(call: Call, read: Callable[..., Any], doc: Path) -> None:
    made = read("docs", "build", str(doc), "--output", "mine.db")
    assert made["file"] == "mine.db"
    assert made["left_out"] == ["binary.md"]
    assert read("docs", "show", "--file", "mine.db")["pages"] == 1
    assert call("docs", "search", "zebra", "--file", "mine.db").stdout == ""
    missing = call("docs", "show", status=1)
    assert "inhouse docs build DIR" in missing.stderr


def test_the_configuration_names_the_file(
    call: Call, read: Callable[..., Any], doc: Path, home: Path
) -> None:
    (home / "inhouse.toml").write_text('[gitlab]\ndocs = "manual.db"\n')
    call("docs", "build", str(doc))
    assert (home / "manual.db").exists()
    assert read("docs", "search", "token")


@pytest.mark.parametrize(
    ("args", "status", "why"),
    [
        (["build", "nowhere"], 2, "does not exist"),
        (["build", "inhouse.toml"], 2, "is a file"),
        (["build", "empty"], 1, "no Markdown files"),
        (["build", "doc", "--output", "inhouse.toml/x.db"], 1, "cannot be written"),
        (["search", "x", "--limit", "21"], 2, "1<=x<=20"),
        (["search", "x", "--file", "inhouse.toml"], 1, "no index of documentation"),
    ],
)
def test_what_is_wrong_is_said(
    call: Call, doc: Path, args: list[str], status: int, why: str
) -> None:
    doc.with_name("empty").mkdir()
    assert why in call("docs", *args, status=status).stderr


def test_what_a_page_says_commands_no_terminal(call: Call, doc: Path) -> None:
    (doc / "evil.md").write_text("evil \x1b[2J words")
    call("docs", "build", str(doc))
    assert "\x1b" not in call("docs", "search", "evil").stdout
