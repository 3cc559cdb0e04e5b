from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.cli.running import PATIENCE, program

Call = Callable[..., Result]
Read = Callable[..., Any]

SAID = "width + height"


@pytest.fixture
def code(home: Path) -> Path:
    file = home / "shapes.py"
    file.write_text("def area(width, height):\n    return \n")
    return file


def test_a_cursor_is_completed(served: str, call: Call, code: Path) -> None:
    assert served
    assert call("complete", f"{code}:2:12").stdout == f"{SAID}\n"
    assert call("complete", f"{code}:2", "--stream").stdout == f"{SAID}\n"
    assert call("complete", f"{code}:2:12", "--n", "2").stdout == f"{SAID}\n---\n{SAID}\n"
    assert call("complete", f"{code}:2:12", "--model", "toy").stdout == f"{SAID}\n"


def test_a_completion_as_json_tells_all(served: str, read: Read, code: Path) -> None:
    assert served
    found = read("complete", f"{code}:2:12", "--n", "2", "--max-tokens", "1")
    assert [each["text"] for each in found["choices"]] == ["width", "width"]
    assert found["usage"]["completion_tokens"] == 2
    assert found["model"] == "completion"
    assert found["milliseconds"] > 0


def test_code_is_generated(served: str, call: Call, read: Read, code: Path) -> None:
    assert served
    assert call("generate", "add them").stdout == f"{SAID}\n"
    assert call("generate", "-", "--file", str(code), given="add them").stdout == f"{SAID}\n"
    assert call("generate", "add them", "--file", f"{code}:2:12").stdout == f"{SAID}\n"
    assert read("generate", "add them")["choices"][0]["text"] == SAID


def test_a_message_is_answered(served: str, call: Call, read: Read) -> None:
    assert served
    assert call("chat", "hello").stdout == f"{SAID}\n"
    assert call("chat", given="hello").stdout == f"{SAID}\n"
    assert call("chat", "-", "--system", "Be brief.", given="hello").stdout == f"{SAID}\n"
    assert read("chat", "hello")["choices"][0]["text"] == SAID
    call("chat", given="", status=2)


def test_a_talk_goes_on_until_the_input_ends(served: str, home: Path) -> None:
    assert served
    here, there = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "inhouse", "chat"],
        stdin=there,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=home,
        text=True,
    ) as process:
        os.close(there)
        os.write(here, b"hello\n/new\nagain\n\x04")
        out, notes = process.communicate(timeout=PATIENCE)
        os.close(here)
    assert process.returncode == 0
    assert out.count(SAID) == 2
    assert "Ctrl-D leaves" in notes


def test_requests_leave_traces(served: str, call: Call, read: Read, code: Path) -> None:
    call("complete", f"{code}:2:12")
    call("chat", "hello", "--model", "nothing", status=1)
    found: list[Any] = []
    while len(found) < 2:
        found = read("traces", "list")
    assert {each["outcome"] for each in found} == {"ok", "refused"}
    assert [each["model"] for each in read("traces", "list", "--outcome", "refused")] == ["nothing"]
    assert read("traces", "list", "--caller", "nobody") == []
    assert "unknown_model (404)" in call("traces", "list").stdout
    assert served


def test_the_gateway_refuses_in_words(
    served: str, call: Call, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no model 'complete'" in (
        call("complete", f"{code}:2:12", "--model", "complete", status=1).stderr
    )
    monkeypatch.setenv("INHOUSE_API_KEY", "ihk_wrong")
    refused = call("complete", f"{code}:2:12", status=1)
    assert "refused the API key" in refused.stderr
    assert "ihk_wrong" not in refused.output
    monkeypatch.delenv("INHOUSE_API_KEY")
    assert "INHOUSE_API_KEY" in call("chat", "hello", status=1).stderr
    assert served


def test_no_gateway_is_said_so(call: Call, code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INHOUSE_API_KEY", "ihk_any")
    monkeypatch.setenv("INHOUSE_URL", "http://127.0.0.1:1")
    said = call("complete", f"{code}:2:12", status=1).stderr
    assert "No gateway answers at http://127.0.0.1:1" in said
    assert "inhouse serve" in said
    monkeypatch.setenv("INHOUSE_URL", "gateway")
    assert "Set INHOUSE_URL" in call("complete", f"{code}:2:12", status=1).stderr


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("shapes.py:3:99", "line 3 of shapes.py has 0 characters: the column is one from 1 to 1"),
        ("shapes.py:9:1", "shapes.py has 3 lines, so there is no line 9"),
        ("shapes.py", "'shapes.py' is not FILE:LINE:COLUMN"),
        ("nowhere.py:1:1", "nowhere.py cannot be read: No such file or directory"),
        ("binary:1:1", "binary is not UTF-8 text (byte 0)"),
    ],
)
def test_a_place_that_is_none(place: str, said: str, call: Call, code: Path, home: Path) -> None:
    assert code.exists()
    (home / "binary").write_bytes(b"\xff\xfe")
    assert said in call("complete", place, status=2).stderr


def test_serve_says_what_is_in_its_way(home: Path) -> None:
    (home / "inhouse.toml").write_text('[store]\nurl = "mysql://x"\n')
    ran = program("serve", cwd=home)
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: ")
    assert "Traceback" not in ran.stderr
