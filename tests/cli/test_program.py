from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import inhouse
from inhouse.cli import main
from inhouse.cli.command import Command, Group
from inhouse.cli.program import SUMMARIES
from inhouse.errors import ConfigError
from tests.cli.running import program

Call = Callable[..., Result]


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command but the root, with its path."""
    root = click.Context(main, info_name="inhouse")
    for name in SUMMARIES:
        command = main.get_command(root, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            for below, each in command.commands.items():
                yield f"{name} {below}", each


EVERY = dict(commands())


@pytest.mark.parametrize("path", EVERY)
def test_help_has_a_sentence_and_an_example(path: str, call: Call) -> None:
    command = EVERY[path]
    assert isinstance(command, Command | Group)
    shown = call(*path.split(), "--help").stdout
    assert command.help
    assert f"inhouse {path.split(maxsplit=1)[0]}" in "".join(command.examples)
    assert all(example in shown for example in command.examples)
    assert all(len(line) <= 80 for line in shown.splitlines() if "[completion|" not in line)


@pytest.mark.parametrize("path", [path for path in EVERY if not isinstance(EVERY[path], Group)])
def test_every_command_speaks_json(path: str) -> None:
    assert "--json" in [each for param in EVERY[path].params for each in param.opts]


@pytest.mark.parametrize("path", EVERY)
def test_options_are_explained(path: str) -> None:
    plain = {"--limit", "--feature", "--outcome"}
    for param in EVERY[path].params:
        if isinstance(param, click.Option) and not plain.intersection(param.opts):
            assert param.help, f"{path} {param.opts[0]}"


def test_the_root_names_every_command(call: Call) -> None:
    shown = call("--help").stdout
    for name, summary in SUMMARIES.items():
        assert f"{name} " in shown
        assert summary in shown


def test_help_imports_little() -> None:
    source = (
        "import sys\nfrom inhouse.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'alembic', 'rich', 'uvicorn', 'numpy', 'cryptography', 'asyncio'}\n"
        "sys.exit(str(heavy & sys.modules.keys()) if heavy & sys.modules.keys() else 0)"
    )
    ran = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-c", source], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_version(call: Call) -> None:
    assert inhouse.__version__ in call("--version").stdout


def test_a_wrong_call_has_status_2(call: Call) -> None:
    for args in (["nonsense"], ["keys", "create"], ["routes", "set", "nonsense", "x"]):
        shown = call(*args, status=2).stderr
        assert shown.startswith("error: ")
        assert "Try 'inhouse" in shown


def test_a_failure_has_status_1_and_one_sentence(call: Call) -> None:
    result = call("deployments", "show", "nothing", status=1)
    assert result.stdout == ""
    assert result.stderr.startswith("error: There is no deployment 'nothing'")
    assert result.stderr.count("\n") == 1


def test_a_wrong_configuration_is_a_failure(call: Call, home: Path) -> None:
    (home / "inhouse.toml").write_text("[server]\nprot = 1\n")
    assert "unknown key 'prot' in [server]" in call("keys", "list", status=1).stderr


def test_a_configuration_file_is_named(call: Call, home: Path) -> None:
    other = home / "other.toml"
    other.write_text('[store]\nurl = "sqlite:///other.db"\n')
    call("--config", str(other), "keys", "list")
    assert (home / "other.db").exists()
    assert "nowhere.toml" in call("--config", "nowhere.toml", "keys", "list", status=1).stderr


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ConfigError("Something is wrong."), 1, "error: Something is wrong."),
        (OSError(errno.ENOSPC, "No space left"), 1, "error: Cannot write: No space left."),
        (OSError(errno.EBADF, "sk-a-secret"), 1, "error: inhouse has a defect: OSError"),
        (KeyError("sk-a-secret"), 1, "error: inhouse has a defect: KeyError"),
        (KeyboardInterrupt(), 130, ""),
        (EOFError(), 1, "error: The input ended too early."),
    ],
)
def test_every_end_is_a_sentence(
    error: BaseException, status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> None:
        raise error

    monkeypatch.setattr(EVERY["families list"], "callback", fail)
    result = CliRunner().invoke(main, ["families", "list"], prog_name="inhouse")
    assert result.exit_code == status
    assert said in result.stderr
    assert "sk-a-secret" not in result.output
    assert "Traceback" not in result.output


def test_colours_only_where_wanted(home: Path) -> None:
    assert "\x1b" not in program("families", "list", cwd=home).stdout
    failed = program("deployments", "show", "x", cwd=home)
    assert "\x1b" not in failed.stderr


def test_a_terminal_that_knows_few_characters_is_no_defect(home: Path) -> None:
    (home / "inhouse.toml").write_text(
        '[[keys]]\nname = "Zoë"\nrole = "admin"\nkey = "0123456789abcdef0123"\n', "utf-8"
    )
    environ = {"PATH": "/bin", "HOME": str(home), "PYTHONIOENCODING": "ascii"}
    result = program("doctor", cwd=home, env=environ)
    assert "? configuration" in result.stdout
    assert "defect" not in result.stderr


def test_a_reader_that_leaves_early_is_no_defect(home: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(
        [sys.executable, "-m", "inhouse", "families", "list"],
        stdout=writing,
        stderr=subprocess.PIPE,
        cwd=home,
        text=True,
    ) as process:
        os.close(writing)
        _, said = process.communicate(timeout=60)
    assert said == ""


@pytest.mark.parametrize(
    ("words", "position", "expected"),
    [
        ("inhouse dep", 1, ["deployments"]),
        ("inhouse routes set comp", 3, ["completion"]),
        ("inhouse routes set completion to", 4, ["toy"]),
        ("inhouse deployments show ", 3, ["toy"]),
        ("inhouse deployments add x --family codest", 5, ["codestral"]),
        ("inhouse keys revoke m", 3, ["me"]),
        ("inhouse settings set trace", 3, ["trace_days"]),
        ("inhouse teams remove pay", 3, ["payments"]),
        ("inhouse keys set me --team pay", 5, ["payments"]),
        ("inhouse complete a.py --model to", 4, ["toy"]),
    ],
)
def test_the_shell_completes_names(
    words: str, position: int, expected: list[str], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("deployments", "add", "toy", "--family", "general", "--identifier", "scripted/toy")
    call("keys", "create", "me", "--role", "admin")
    call("teams", "create", "payments")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(position))
    monkeypatch.setenv("_INHOUSE_COMPLETE", "bash_complete")
    shown = call().stdout.split()
    assert [each.partition(",")[2] for each in shown] == expected


def test_completion_says_nothing_where_the_configuration_is_wrong(
    call: Call, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "inhouse.toml").write_text("nonsense")
    monkeypatch.setenv("COMP_WORDS", "inhouse keys revoke ")
    monkeypatch.setenv("COMP_CWORD", "3")
    monkeypatch.setenv("_INHOUSE_COMPLETE", "bash_complete")
    assert call().output.strip() == ""


def test_the_documentation_is_what_the_commands_say() -> None:
    tool = Path(__file__).parents[2] / "tools" / "cli_reference.py"
    ran = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, str(tool), "--check"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
