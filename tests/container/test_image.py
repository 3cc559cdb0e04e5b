"""The container image, as far as it can be seen without an engine that builds it."""

import asyncio
import json
import re
import socket
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

from inhouse import config
from tests.server.serving import configuration, serving

ROOT = Path(__file__).parents[2]
TEXT = re.sub(r"\\\n\s*", " ", (ROOT / "Containerfile").read_text())
LINES = [line for line in TEXT.splitlines() if line and not line.startswith("#")]


def said(instruction: str) -> list[str]:
    """Return what follows each line of this instruction."""
    return [
        line.removeprefix(instruction).strip() for line in LINES if line.startswith(instruction)
    ]


def copied() -> list[str]:
    """Return the paths of this repository that the image takes."""
    found = [each.split() for each in said("COPY ") if "--from=" not in each]
    return [source for *sources, _ in found for source in sources]


def environment() -> dict[str, str]:
    (line,) = said("ENV ")
    return dict(pair.split("=", 1) for pair in line.split())


def test_whatever_is_copied_exists_and_reaches_the_builder() -> None:
    rules = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert rules[0] == "*"
    let_in = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    for path in copied():
        assert (ROOT / path).exists(), path
        assert any(path == each or path.startswith(f"{each}/") for each in let_in), path
    assert not any(fnmatch("inhouse.toml", each) or fnmatch("var", each) for each in let_in)


def test_packages_are_the_locked_ones() -> None:
    (installed,) = [each for each in said("RUN ") if "--require-hashes" in each]
    assert "locks/serve.txt" in copied()
    assert "-r /usr/share/inhouse/serve.txt" in installed


def test_it_runs_what_the_package_installs_and_not_as_root() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    (entry,), (command,), (user,) = said("ENTRYPOINT "), said("CMD "), said("USER ")
    assert json.loads(entry)[0] in scripts
    assert json.loads(command) == ["serve"]
    assert int(user.partition(":")[0]) > 0


def test_its_configuration_loads_and_the_environment_goes_before(tmp_path: Path) -> None:
    given = environment()
    assert given["INHOUSE_CONFIG"] in " ".join(said("COPY "))
    environ = {**given, "INHOUSE_CONFIG": str(ROOT / "container" / "inhouse.toml")}
    environ["HOME"] = str(tmp_path)

    loaded = config.load(None, environ)
    assert (loaded.server.host, loaded.server.port) == ("0.0.0.0", 5052)  # noqa: S104
    assert (loaded.metrics.host, loaded.metrics.port) == ("0.0.0.0", 8082)  # noqa: S104
    (volume,) = said("VOLUME ")
    assert loaded.state_folder == Path(volume)
    assert loaded.store.url == f"sqlite:///{volume}/inhouse.db"
    assert loaded.key_file.parent == Path(volume)
    assert said("EXPOSE ") == [f"{loaded.server.port} {loaded.metrics.port}"]

    line = {"AIGW_GITLAB_URL": "https://gitlab.example", "AIGW_FASTAPI__API_PORT": "5000"}
    changed = config.load(None, {**environ, **line})
    assert changed.server.port == 5000
    assert [each.url for each in changed.gitlab.instances] == ["https://gitlab.example"]


async def asked(script: Path, port: int) -> int:
    """Return the status of the health check in a container whose gateway has this port."""
    environ = {"PATH": "", "INHOUSE_CONFIG": str(ROOT / "container" / "inhouse.toml")}
    environ |= {"AIGW_FASTAPI__API_PORT": f"{port}", "HTTP_PROXY": "http://127.0.0.1:1"}
    process = await asyncio.create_subprocess_exec(sys.executable, script, env=environ)
    return await process.wait()


async def test_its_health_is_asked_where_it_listens(tmp_path: Path) -> None:
    (check,) = re.findall(r"HEALTHCHECK .* CMD (\[.*\])", TEXT)
    *_, script = json.loads(check)
    source = next(each for each in copied() if each.endswith(Path(script).name))
    async with serving(configuration(tmp_path)) as served:
        assert await asked(ROOT / source, served.port) == 0
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert await asked(ROOT / source, port) == 1
