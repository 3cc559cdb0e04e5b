from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import Result

from inhouse.cli import stage, trial
from inhouse.config.environment import environment
from inhouse.context import files
from inhouse.core.documents import Document
from inhouse.errors import ConfigError
from inhouse.providers.repository.options import Options
from tests.cli.running import PATIENCE, program, started

Call = Callable[..., Result]

MODULE = '''"""Shapes of kind {number}."""


class Shape{number}:
    """One shape."""

    def __init__(self, width: int, height: int) -> None:
        """Keep the sides."""
        self.width = width
        self.height = height

    def area(self) -> int:
        """Return the area."""
        return self.width * self.height

    def perimeter(self) -> int:
        """Return the length of the border."""
        return 2 * (self.width + self.height)
'''


@pytest.fixture
def repository(home: Path) -> Path:
    """Make a small repository that repeats itself."""
    folder = home / "shapes"
    (folder / "src").mkdir(parents=True)
    for number in range(12):
        (folder / "src" / f"shape{number}.py").write_text(MODULE.format(number=number))
    (folder / "README.md").write_text("# Shapes\n\nTwelve of them.\n")
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *command], cwd=folder, check=True)  # noqa: S603, S607 -- our own
    return folder


@contextlib.contextmanager
def port() -> Generator[int]:
    """Have a port that is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def demo(folder: Path, *args: str) -> dict[str, Any]:
    with port() as taken:
        ran = program("demo", "--once", "--json", "--port", f"{taken}", *args, cwd=folder)
    assert ran.returncode == 0, ran.stderr
    return msgspec.json.decode(ran.stdout)


def test_a_repository_gets_suggestions_from_itself(repository: Path) -> None:
    found = demo(repository / "src", "--samples", "20")
    assert found["root"] == f"{repository}"
    figures = found["figures"]
    assert figures["asked"] == 20
    assert 0 < figures["right"] <= figures["answered"] <= 20
    assert figures["median"] > 0
    example = found["example"]
    line = (repository / example["path"]).read_text().splitlines()[example["line"] - 1]
    assert line.endswith(example["target"])
    assert example["exact"] == (example["suggestion"].rstrip() == example["target"])
    # The same seed asks the same places.
    again = demo(repository, "--samples", "20")
    assert again["figures"]["right"] == figures["right"]
    assert again["key"] == found["key"]


def test_what_people_see_fits_a_terminal_and_can_be_pasted(repository: Path, home: Path) -> None:
    with port() as taken:
        ran = program("demo", "--once", "--port", f"{taken}", cwd=repository)
    assert ran.returncode == 0, ran.stderr
    shown = ran.stdout
    assert f"Port {taken} is taken" in ran.stderr
    assert "which the index has never seen" in shown
    assert "random places in" in shown
    assert "\ncurl -s http://127.0.0.1:" in shown
    assert "apiBase: http://127.0.0.1:" in shown
    assert 'end_point = "http://127.0.0.1:' in shown
    lines = [line for line in shown.splitlines() if not line.startswith(("  -d ", "  -H", "/"))]
    assert max(map(len, lines)) <= 80
    (key_file,) = home.glob(".local/state/inhouse/demo/*/demo.key")
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert key_file.read_text().strip() in shown


def test_it_serves_until_interrupted(repository: Path, home: Path) -> None:
    with port() as taken, started("demo", "--json", "--root", f"{repository}",
                                  "--port", f"{taken}") as running:  # fmt: skip
        assert running.stdout is not None
        lines = iter(running.stdout.readline, "}\n")
        found = msgspec.json.decode("".join(lines) + "}")
        curl = subprocess.run(  # noqa: S603 -- a fixed command
            [
                *("curl", "-s", f"{found['url']}/v1/models"),
                *("-H", f"Authorization: Bearer {found['key']}"),
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        assert '"id":"completion"' in curl.stdout
        running.send_signal(signal.SIGINT)
        assert running.wait(PATIENCE) == 0
    assert not list(home.glob("*.db"))


def test_folders_that_have_nothing_to_show(home: Path) -> None:
    for name, said in [("empty", "holds 0 text files"), ("few", "holds 1 text files")]:
        folder = home / name
        folder.mkdir()
        if name == "few":
            (folder / "a.py").write_text("x = 1\n")
        ran = program("demo", "--once", cwd=folder)
        assert ran.returncode == 1
        assert said in ran.stderr
        assert "Traceback" not in ran.stderr


def test_a_folder_without_git_is_indexed_as_it_is(repository: Path) -> None:
    (repository / ".git").rename(repository / "was-git")
    assert stage.top_level(repository) == repository
    assert demo(repository, "--samples", "5")["figures"]["asked"] == 5


def test_a_real_configuration_is_left_alone(repository: Path, home: Path) -> None:
    (home / "inhouse.toml").write_text("nonsense that the demo must not read")
    (repository / "inhouse.toml").write_text("nonsense that the demo must not read")
    demo(repository, "--samples", "2")


def test_the_files_left_out_are_exactly_those(home: Path) -> None:
    names = ["a.py", "src/a.py", "src/b.py", "deep/src/a.py", "src/a.py.txt", "x y/'q\"\\.py"]
    documents = [Document(name, f"value = {number}\n" * 3) for number, name in enumerate(names)]
    for document in documents:
        (home / document.path).parent.mkdir(parents=True, exist_ok=True)
        (home / document.path).write_text(document.text)
    for left_out in documents:
        kept = {each.path for each in files.read(home, trial.excluded([left_out]))}
        assert kept == {"inhouse.toml", *names} - {left_out.path}


def test_the_configuration_survives_odd_names(home: Path) -> None:
    odd = home / "odd ' \" \\ \x7f \u00e9"
    odd.mkdir()
    configured, key = stage.configured(odd, ["/a 'b\" \\c.py"], 5052)
    (deployment,) = configured.declared.deployments
    assert deployment.endpoint == f"{odd}"
    assert msgspec.convert(deployment.options, Options).exclude == ("/a 'b\" \\c.py",)
    assert key.reveal().startswith("ihk_")
    assert environment()["HOME"] == f"{home}"


def test_a_state_folder_that_cannot_be_written(home: Path) -> None:
    (home / ".local").write_text("a file where a folder should be")
    with pytest.raises(ConfigError, match="cannot be written"):
        stage.configured(home, [], 5052)


def test_prose_is_asked_about_only_where_there_is_no_code() -> None:
    prose = [Document(f"{name}.md", "text\n") for name in "abcdefgh"]
    code = [Document(f"{name}.rs", "fn main() {}\n") for name in "ab"]
    assert {each.path for each in trial.held_out([*prose, *code], 1)} <= {"a.rs", "b.rs"}
    assert trial.held_out(prose, 1)


def test_no_attempts_give_no_figures() -> None:
    assert trial.figures([]) == trial.Figures(0, 0, 0, 0.0)
