"""Tabby's own client gets suggestions from a running gateway, and tells what became of them."""

import os
from pathlib import Path
from typing import Any

import pytest

from inhouse.core.ports import Warming
from inhouse.core.prompt import Text
from tests.docs.test_examples import example
from tests.server.serving import DEVELOPER, configuration, route, scripted, serving
from tests.tabby.agent import AbsentError, Program, installed, running

REQUIRED = os.environ.get("INHOUSE_REQUIRE_ENGINES") == "1"  # noqa: TID251 - the runner's switch
# Fetched once, by one worker.
pytestmark = pytest.mark.xdist_group("tabby-agent")

TEXT = "def add(a, b):\n    return \n\nprint(add(1, 2))\n"
CURSOR = {"line": 1, "character": 11}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    try:
        return installed(tmp_path_factory.mktemp("agent"))
    except AbsentError as error:
        (pytest.fail if REQUIRED and "cannot fetch" in str(error) else pytest.skip)(
            f"left out: Tabby's client: {error}"
        )


def configured(url: str) -> str:
    """Return the client's configuration as our documentation shows it, for another server."""
    shown = example("editors.md", "toml", "[anonymousUsageTracking]")
    return shown.replace("http://127.0.0.1:5052/tabby", url).replace("ihk_…", DEVELOPER)


async def completed(program: Program, home: Path, url: str) -> list[str]:
    """Open a file as a language client, and return what is suggested in it."""
    uri = "file:///project/add.py"
    async with running(program, home, configured(url), "--lsp", "--stdio") as agent:
        about: dict[str, Any] = {"processId": None, "rootUri": None, "capabilities": {}}
        told = await agent.request("initialize", about)
        assert told["capabilities"]["completionProvider"] is not None
        agent.notify("initialized", {})
        document = {"uri": uri, "languageId": "python", "version": 1, "text": TEXT}
        agent.notify("textDocument/didOpen", {"textDocument": document})
        where = {"textDocument": {"uri": uri}, "position": CURSOR}
        found = await agent.request("textDocument/completion", where)
        return [each["textEdit"]["newText"] for each in found["items"]]


def ignore(_share: float, _doing: str) -> None:
    """Take no notice of what a provider does before it can answer."""


@pytest.mark.parametrize("prefix", ["/tabby", ""])
async def test_a_language_client_gets_a_suggestion(
    prefix: str, program: Program, tmp_path: Path
) -> None:
    text = scripted("filler", family="codestral", tokens=["a", " + ", "b"])
    text += route("completion", "filler")
    async with serving(configuration(tmp_path, text)) as served:
        found = await completed(program, tmp_path, served.url + prefix)
        (call,) = served.scripted.calls
        (trace,) = await served.traces()
    assert found == ["a + b"]
    assert isinstance(call.prompt, Text)
    assert call.prompt.text.endswith("def add(a, b):\n    return ")
    assert (trace.endpoint, trace.caller) == (f"{prefix}/v1/completions", "ada")


async def test_a_repository_without_a_model_suggests(program: Program, tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    lines = "def add(a, b):\n    return a + b\n\n\n"
    for number in range(4):
        (code / f"sums{number}.py").write_text(lines + f"SUM = {number}\n")
    text = (
        '[[deployments]]\nname = "code"\nfamily = "repository-index"\n'
        f'identifier = "repository/index"\nendpoint = "{code}"\n'
        "[deployments.options]\nthreshold = 0.0\n" + route("completion", "code")
    )
    async with serving(configuration(tmp_path, text)) as served:
        deployment = served.gateway.catalog.deployments["code"]
        provider = served.gateway.provider(deployment)
        assert isinstance(provider, Warming)
        await provider.warm(deployment, ignore)
        found = await completed(program, tmp_path, served.url + "/tabby")
    assert found == ["a + b"]


async def test_an_older_plugin_tells_what_became_of_a_suggestion(
    program: Program, tmp_path: Path
) -> None:
    text = scripted("filler", family="codestral", tokens=["a", " + ", "b"])
    text += route("completion", "filler")
    offset = TEXT.index("return ") + len("return ")
    asked: dict[str, Any] = {
        "filepath": "/project/add.py",
        "language": "python",
        "text": TEXT,
        "position": offset,
    }
    async with serving(configuration(tmp_path, text)) as served:
        async with running(program, tmp_path, configured(served.url + "/tabby")) as agent:
            assert await agent.call("initialize", {}) is True
            assert await agent.call("getStatus") == "ready"
            found = await agent.call("provideCompletions", asked, {})
            about = {"completion_id": found["id"], "choice_index": 0}
            for event in ("view", "select"):
                assert await agent.call("postEvent", {"type": event, **about}, {}) is True
            taken = {"type": "select", "select_kind": "line", **about}
            assert await agent.call("postEvent", taken, {}) is True
        counted = served.gateway.records.metrics.text().decode()
    assert [each["text"] for each in found["choices"]] == ["a + b"]
    for event in ("view", "select", "select_line"):
        line = f'inhouse_suggestions_total{{deployment="filler",event="{event}"}} 1.0'
        assert line in counted.splitlines()
