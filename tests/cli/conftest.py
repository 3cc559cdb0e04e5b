"""A home of its own for each test, and commands run in this process or as people run them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from inhouse.cli import main
from tests.cli.running import started

Call = Callable[..., Result]

TOY = ["--family", "qwen-coder", "--identifier", "scripted/toy"]
TOKENS = 'tokens=["width"," +"," height"]'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in an empty folder that is also the user's home, whatever the real environment says."""
    for name in os.environ:  # noqa: TID251 -- tests may
        if name.startswith(("INHOUSE_", "AIGW_", "XDG_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inhouse.toml").write_text("[server]\nport = 0\n[metrics]\nport = 0\n")
    return tmp_path


@pytest.fixture
def call() -> Call:
    """Run a command in this process."""
    runner = CliRunner()

    def run(*args: str, given: str | None = None, status: int = 0) -> Result:
        result = runner.invoke(main, args, input=given, prog_name="inhouse")
        assert result.exit_code == status, result.output
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
def read(call: Call) -> Callable[..., Any]:
    """Run a command with ``--json`` and return what it says."""
    return lambda *args, **how: msgspec.json.decode(call(*args, "--json", **how).stdout)


@pytest.fixture
def served(call: Call, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve a scripted model for every feature; the environment says where, and holds a key."""
    call("deployments", "add", "toy", *TOY, "--option", TOKENS)
    for feature in ("completion", "generation", "chat"):
        call("routes", "set", feature, "toy")
    key = call("keys", "create", "me", "--role", "developer").stdout.strip()
    with started("serve", "--json") as gateway:
        assert gateway.stdout is not None
        url = msgspec.json.decode(gateway.stdout.readline())["url"]
        monkeypatch.setenv("INHOUSE_URL", url)
        monkeypatch.setenv("INHOUSE_API_KEY", key)
        yield url
    assert gateway.returncode == 0
