from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.documents import Document
from inhouse.providers.repository.index import UnusableIndexError, build, load

DOCUMENTS = [Document("a.py", "größe = 1\r\nprint(größe)\n"), Document("b.py", "print(1)\n")]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "cache" / "a.index"
    build(DOCUMENTS, 0.25).save(path, "key")
    return path


def test_a_saved_index_answers_as_before(saved: Path) -> None:
    loaded = load(saved, "key")
    built = build(DOCUMENTS, 0.25)
    assert (loaded.threshold, loaded.size) == (0.25, built.size)
    assert loaded.query("print(").suggestions(3) == built.query("print(").suggestions(3)
    assert [each.name for each in saved.parent.iterdir()] == ["a.index"]


def test_an_empty_index_can_be_saved(tmp_path: Path) -> None:
    build([], 0.5).save(tmp_path / "empty", "key")
    assert load(tmp_path / "empty", "key").query("a").suggestions() == []


def test_an_index_of_other_documents_is_not_used(saved: Path) -> None:
    with pytest.raises(UnusableIndexError):
        load(saved, "another key")


@given(st.data())
def test_no_damage_goes_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damage") / "index"
    build(DOCUMENTS, 0.25).save(path, "key")
    good = path.read_bytes()
    place = data.draw(st.integers(0, len(good) - 1))
    flipped = bytes([good[place] ^ data.draw(st.integers(1, 255))])
    for bad in (good[:place], good[:place] + flipped + good[place + 1 :]):
        path.write_bytes(bad)
        with pytest.raises(UnusableIndexError):
            load(path, "key")


def test_progress_grows_to_the_whole() -> None:
    heard: list[float] = []
    build(DOCUMENTS, 0.25, heard.append)
    assert heard == sorted(heard)
    assert heard[0] > 0
    assert heard[-1] <= 1
