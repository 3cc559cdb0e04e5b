from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from inhouse.cli.place import read_hole, relative


@given(st.text(st.characters(codec="utf-8")), st.data())
def test_every_cursor_of_a_text_has_a_place(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    if at and text[at - 1] == "\r" and text[at : at + 1] in ("\n", ""):
        return  # between the two characters of one line end there is no cursor
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a:b.txt")
        file.write_bytes(text.encode())
        found = read_hole(f"{file}:{line}:{column}")
        assert (found.prefix, found.suffix) == (text[:at], text[at:])


def test_without_a_column_the_cursor_is_at_the_end_of_the_line(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"first\r\nsecond\r\n")
    assert read_hole(f"{file}:1").suffix == "\r\nsecond\r\n"
    assert read_hole(f"{file}", whole_file=True).suffix == ""


def test_paths_are_as_the_repository_sees_them(home: Path) -> None:
    inside = home / "project" / "src"
    inside.mkdir(parents=True)
    (home / "project" / ".git").mkdir()
    assert relative(inside / "a.py") == "src/a.py"
    assert relative(home / "b.py") == "b.py"
    assert relative(Path("/somewhere/else.py")) == "else.py"
