from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Call = Callable[..., Result]
Read = Callable[..., Any]


def checks(read: Read, *options: str, status: int = 0) -> dict[str, dict[str, str]]:
    found = read("doctor", *options, status=status)
    assert found["works"] is (status == 0)
    return {each["name"]: each for each in found["checks"]}


@pytest.fixture
def taken() -> Iterator[int]:
    """Have a port on which somebody else answers, who is no gateway."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        answering = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01})
        answering.start()
        yield other.server_port
        other.shutdown()
        answering.join()


def test_a_new_installation_wants_keys_and_deployments(read: Read, home: Path) -> None:
    found = checks(read)
    assert found["store"]["status"] == "skipped"
    assert found["keys"]["status"] == "warning"
    assert found["routes"]["status"] == "warning"
    assert found["configuration"]["sentence"] == f"{home / 'inhouse.toml'} is well-formed."
    assert not (home / ".local").exists()  # looking changes nothing


def test_without_a_file_the_defaults_hold(read: Read, home: Path, monkeypatch: Any) -> None:
    (home / "inhouse.toml").unlink()
    monkeypatch.setenv("INHOUSE_PORT", "0")
    assert "defaults hold" in checks(read)["configuration"]["sentence"]


def test_a_wrong_file_ends_the_examination(call: Call, read: Read, home: Path) -> None:
    (home / "inhouse.toml").write_text("[server]\nport = 'x'\n")
    assert list(checks(read, status=1)) == ["version", "configuration"]
    assert "1 of 2 checks failed." in call("doctor", status=1).stdout


def test_everything_that_works_and_what_does_not(call: Call, read: Read) -> None:
    call("deployments", "add", "good", "--family", "general", "--identifier", "scripted/good")
    call("routes", "set", "completion", "good")
    call("routes", "disable", "generation")
    call("keys", "create", "me", "--role", "admin")
    found = checks(read)
    assert found["deployment 'good'"]["sentence"] == "It works."
    assert found["route generation"]["sentence"] == "It is disabled."
    assert found["route chat"]["status"] == "warning"
    assert found["keys"]["sentence"] == "There is one."
    assert "revision 4" in found["store"]["sentence"]
    call(
        *("deployments", "add", "bad", "--family", "codestral"),
        *("--identifier", "custom_openai/x", "--endpoint", "http://127.0.0.1:1"),
    )
    failed = checks(read, status=1)["deployment 'bad', connection"]
    assert failed["remedy"]
    assert "deployment 'bad', connection" not in checks(read, "--offline")


def test_a_route_to_a_model_that_cannot(call: Call, read: Read) -> None:
    call("deployments", "add", "toy", "--family", "qwen-coder-base", "--identifier", "scripted/x")
    call("routes", "set", "chat", "toy")
    found = checks(read, status=1)
    assert "not made for chat" in found["route chat"]["sentence"]


def test_declared_entries_are_examined_before_they_hold(read: Read, call: Call, home: Path) -> None:
    call("keys", "list")  # makes the store
    with (home / "inhouse.toml").open("a") as file:
        file.write(
            '[[deployments]]\nname = "toy"\nfamily = "general"\nidentifier = "scripted/toy"\n'
            '[[routes]]\nfeature = "chat"\ndeployments = ["toy"]\n'
        )
    found = checks(read)
    assert found["declared"]["status"] == "warning"
    assert found["deployment 'toy'"]["status"] == "ok"
    assert "works" in call("deployments", "test", "toy", "--json").stdout


def test_others_must_not_read_the_key_file(call: Call, read: Read, home: Path) -> None:
    call("keys", "list")
    (key_file,) = home.glob(".local/state/inhouse/*.key")
    key_file.chmod(0o644)
    found = checks(read, status=1)["key file"]
    assert "mode 0644" in found["sentence"]
    assert found["remedy"] == f"Run: chmod 600 '{key_file}'"


def test_a_store_that_cannot_be_opened(read: Read, home: Path) -> None:
    (home / "x.db").write_bytes(b"this is no database, but it is long enough to look like one")
    (home / "inhouse.toml").write_text('[server]\nport = 0\n[store]\nurl = "sqlite:///x.db"\n')
    assert checks(read, status=1)["store"]["status"] == "failed"


def test_a_port_that_somebody_else_has(
    read: Read, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INHOUSE_PORT", f"{taken}")
    found = checks(read, status=1)["port"]
    assert "What answers there is no gateway" in found["sentence"]
    assert "another port" in found["remedy"]


def test_a_metrics_port_that_somebody_else_has(read: Read, taken: int, home: Path) -> None:
    file = home / "inhouse.toml"
    file.write_text(f"[server]\nport = 0\n[metrics]\nport = {taken}\n")
    found = checks(read, status=1)["port"]
    assert f"port {taken}, for metrics" in found["sentence"]
    assert "[metrics]" in found["remedy"]
    file.write_text(f"[server]\nport = 0\n[metrics]\nport = {taken}\nenabled = false\n")
    assert checks(read)["port"]["status"] == "ok"


def test_our_own_gateway_on_the_port(
    served: str, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INHOUSE_PORT", served.rpartition(":")[2])
    found = checks(read)
    assert re.fullmatch(r"A gateway runs on 127\.0\.0\.1, port \d+\.", found["port"]["sentence"])
