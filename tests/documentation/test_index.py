"""The index file: built at once, replaced at any time, never believed blindly."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inhouse.context.documentation import Documentation, build, read_about, search
from inhouse.context.documentation.searching import MOST_CHARACTERS, MOST_OF_A_PAGE
from inhouse.errors import InvalidValueError, NotFoundError, StoreError

PAGES = Path(__file__).parent / "pages"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the pages beside this test."""
    file = tmp_path_factory.mktemp("index") / "docs.db"
    build(PAGES, file, version="18.6")
    return file


def pages(folder: Path, **texts: str) -> Path:
    """Write pages."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text)
    return folder


def test_an_index_says_what_it_holds(index: Path) -> None:
    about = read_about(index)
    assert (about.version, about.pages) == ("18.6", 15)
    assert about.passages > 40


def test_a_passage_names_its_place(index: Path) -> None:
    found = search(index, "close an issue", 4)[0]
    assert found.source_url == "https://docs.gitlab.com/user/project/issues/#end-it"
    assert (found.title, found.headings, found.filename) == (
        "Issues",
        "Close an issue",
        "user/project/issues.md",
    )
    assert "/close" in found.content
    top = search(index, "`rules` keyword decides", 1)[0]
    assert top.source_url == "https://docs.gitlab.com/ci/yaml/#rules"


def test_ids_stay_when_the_index_is_built_anew(index: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.db"
    build(PAGES, again)
    question = "password token runner"
    assert [each.id for each in search(index, question, 9)] == [
        each.id for each in search(again, question, 9)
    ]
    everything = search(index, "the", 20)
    assert len({each.id for each in everything}) == len(everything)


def test_no_more_is_found_than_wanted_nor_all_of_one_page(index: Path) -> None:
    for limit in (1, 4, 20):
        found = [each.filename for each in search(index, "settings job token project", limit)]
        assert len(found) <= limit
        assert max(map(found.count, found)) <= MOST_OF_A_PAGE


def test_an_answer_is_never_longer_than_a_model_reads(tmp_path: Path) -> None:
    long = "\n".join(f"## Part {part}\n\n{'word ' * 390}\n" for part in range(2))
    folder = pages(tmp_path / "doc", **{f"page{number}": long for number in range(20)})
    build(folder, tmp_path / "x.db")
    found = search(tmp_path / "x.db", "word", 20)
    assert 4 < len(found) < 20
    assert sum(len(each.content) for each in found) <= MOST_CHARACTERS


def test_stop_words_alone_still_find_something(index: Path) -> None:
    assert search(index, "What is it?", 4)
    assert not search(index, "?!", 4)
    assert not search(index, "", 4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(), st.text(alphabet='"*^:()-+{}ANDORNEAR\0\ud800 _.')))
def test_no_question_is_too_strange(index: Path, question: str) -> None:
    search(index, question, 4)


def test_a_question_of_any_length_is_taken(index: Path) -> None:
    assert search(index, "rotate a personal access token " + "zzz " * 100_000, 4)


def test_moved_pages_and_what_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    folder = pages(tmp_path / "doc", good="## A\n\ntext", moved="---\nredirect_to: 'x'\n---\nmoved")
    (folder / "binary.md").write_bytes(b"\xff\xfe\x00text")
    (folder / "huge.md").write_text("x" * (1 << 20) + "y")
    (folder / "loop.md").symlink_to(folder / "loop.md")
    (folder / "folder.md").mkdir()
    (folder / "around").symlink_to(folder)
    (tmp_path / "secret.md").write_text("secret")
    (folder / "outside.md").symlink_to(tmp_path / "secret.md")
    (folder / ".hidden.md").write_text("hidden")
    built = build(folder, tmp_path / "x.db")
    assert built.about.pages == 1
    assert built.moved == 1
    assert built.left_out == ("binary.md", "huge.md", "loop.md", "outside.md")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_may_not_be_listed_is_told(tmp_path: Path) -> None:
    folder = pages(tmp_path / "doc", good="text")
    closed = folder / "closed"
    closed.mkdir(mode=0)
    assert build(folder, tmp_path / "x.db").left_out == (str(closed),)


def test_a_folder_without_markdown_is_refused_and_the_old_index_stays(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    build(pages(tmp_path / "doc", good="text"), file)
    before = file.read_bytes()
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidValueError, match="no Markdown files"):
        build(tmp_path / "empty", file)
    with pytest.raises(InvalidValueError, match="None of the 1 Markdown files"):
        build(pages(tmp_path / "blank", heading="# Only\n\n## Headings\n"), file)
    assert file.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["blank", "doc", "empty", "x.db"]


def test_whoever_reads_the_old_index_goes_on_reading_it(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    build(pages(tmp_path / "old", page="An old text."), file)
    with file.open("rb") as reader:
        before = file.read_bytes()
        build(pages(tmp_path / "new", page="A new text."), file)
        assert reader.read() == before
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["x.db"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = pages(tmp_path / "doc", good="text")
    with pytest.raises(StoreError, match=r"good\.md.*cannot be written"):
        build(folder, folder / "good.md" / "x.db")
    with pytest.raises(StoreError, match="cannot be written"):
        build(folder, folder)


def test_a_sqlite_without_full_text_search_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sqlite3.connect

    class Bare(sqlite3.Connection):
        def executescript(self, script: str, /) -> sqlite3.Cursor:
            return super().executescript(script.replace("fts5(", "fts5x("))

    monkeypatch.setattr(sqlite3, "connect", lambda file: real(file, factory=Bare))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    with pytest.raises(StoreError, match="built without FTS5"):
        build(pages(tmp_path / "doc", good="text"), tmp_path / "x.db")


def test_what_is_no_index_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    with pytest.raises(NotFoundError, match="inhouse docs build DIR"):
        search(file, "anything", 4)
    for content in (b"", b"no database" * 400):
        file.write_bytes(content)
        with pytest.raises(StoreError, match="no index of documentation, or damaged"):
            search(file, "anything", 4)


def test_an_index_of_another_format_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    build(pages(tmp_path / "doc", good="text"), file)
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE about SET value = 2 WHERE name = 'format'")
    connection.close()
    with pytest.raises(StoreError, match="another format"):
        search(file, "anything", 4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255), st.integers(0, 2000))
def test_damage_is_told_or_does_no_harm(
    index: Path, tmp_path: Path, share: float, flip: int, length: int
) -> None:
    content = bytearray(index.read_bytes())
    at = int(share * len(content))
    for place in range(at, min(at + length + 1, len(content))):
        content[place] ^= flip
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(content)
    try:
        search(damaged, "issues", 4)
    except StoreError as error:
        assert "inhouse docs build" in error.message  # noqa: PT017 -- that it is raised is allowed, not needed


async def test_a_file_may_come_go_break_and_be_replaced(tmp_path: Path) -> None:
    file, told = tmp_path / "x.db", list[str]()
    documentation = Documentation(file, told.append)
    assert not await documentation.search("apples", 4)
    build(pages(tmp_path / "doc", fruit="apples"), file)
    assert [each.content for each in await documentation.search("apples", 4)] == ["apples"]
    build(pages(tmp_path / "doc", fruit="apples and pears"), file)
    assert [each.content for each in await documentation.search("apples", 4)] == [
        "apples and pears"
    ]
    assert not told
    file.write_bytes(b"broken")
    for _ in range(3):
        assert not await documentation.search("apples", 4)
    (why,) = told
    assert str(file) in why
    assert "inhouse docs build" in why
    build(tmp_path / "doc", file)
    assert await documentation.search("apples", 4)
    file.write_bytes(b"broken")
    assert not await documentation.search("apples", 4)
    assert len(told) == 2
