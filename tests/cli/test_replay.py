from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from inhouse.replay.session import Accept, Event, Head, Leave, Type, written

Call = Callable[..., Result]
Read = Callable[..., Any]

SAID = "width + height"
TEXT = "def area(width, height):\n    return\n"


def typing(home: Path, *, right: str = "") -> str:
    """Write a session that finishes a line, and return its path."""
    events: tuple[Event, ...] = (
        Type(at=0, text=" ", right=right),
        Accept(at=1),
        *(Type(at=1.01 + at / 1000, text=each) for at, each in enumerate(SAID)),
        Leave(at=1.05),
    )
    head = Head(session=1, file="shapes.py", text=TEXT, cursor=len(TEXT) - 1)
    (home / "typing.jsonl").write_bytes(b"".join(written(head, events)))
    return "typing.jsonl"


@pytest.mark.parametrize("dialect", ["openai", "gitlab", "tabby"])
def test_a_session_is_replayed(
    dialect: str, served: str, call: Call, read: Read, home: Path
) -> None:
    assert served
    session = typing(home, right=SAID)
    found = read("replay", session, "--dialect", dialect, "--speed", "0")
    figures = found.pop("figures")
    assert found == {
        "session": session,
        "dialect": dialect,
        "debounce": 75,
        "speed": 0,
        "patient": False,
    }
    assert (figures["asked"], figures["accepted"], figures["accepted_characters"]) == (1, 1, 14)
    assert figures["wrong"] == {"contradicted": 0, "changed": 0}
    assert figures["cost"]["requests"] is None
    said = call("replay", session, "--dialect", dialect, "--speed", "0")
    assert "1: 1 answered (0 with nothing), 0 hung up, 0 failed\n" in said.stdout
    assert "name the metrics with --metrics" in said.stdout
    assert "--metrics tells more" in said.stderr


def test_a_wrong_answer_makes_the_status_1(served: str, call: Call, home: Path) -> None:
    assert served
    session = typing(home, right="height")
    said = call("replay", session, "--speed", "0", "--debounce", "0", status=1)
    assert "1 contradict the session" in said.stdout


def test_gateway_and_key_may_be_named(
    served: str, call: Call, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = typing(home)
    monkeypatch.setenv("INHOUSE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("INHOUSE_API_KEY", "ihk_wrong")
    how = ["replay", session, "--speed", "0"]
    assert "No gateway answers" in call(*how, status=1).stderr
    assert "refused the API key" in call(*how, "--url", served, status=1).stderr
    assert "MY_KEY is not set" in call(*how, "--url", served, "--key", "MY_KEY", status=1).stderr
    said = call(*how, "--url", served, "--key", "ihk_mine", status=2).stderr
    assert "the name of a variable" in said
    assert "ihk_mine" not in said


def test_a_session_that_is_none_is_a_wrong_call(call: Call, home: Path) -> None:
    (home / "typing.jsonl").write_text('{"session": 1, "file": "a.py", "text": ""}\n{}\n')
    said = call("replay", "typing.jsonl", status=2).stderr
    assert "typing.jsonl: line 2: " in said
    assert "nowhere.jsonl cannot be read" in call("replay", "nowhere.jsonl", status=2).stderr
    assert "latin" in call("replay", "typing.jsonl", "--dialect", "latin", status=2).stderr
