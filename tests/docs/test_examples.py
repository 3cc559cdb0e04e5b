"""The examples in the documentation do what the text says."""

import re
import sys
from pathlib import Path

import anyio.to_thread
import pytest

from tests.server.serving import DEVELOPER, configuration, route, scripted, serving

DOCS = Path(__file__).parents[2] / "docs"


def example(page: str, language: str, holding: str) -> str:
    """Return the one code block of a page in this language that holds a text."""
    fenced = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    blocks: list[str] = fenced.findall((DOCS / page).read_text())
    (found,) = (block for block in blocks if holding in block)
    return found


async def test_a_provider_of_one_s_own_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "installed"
    metadata = package / "parrot-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: parrot\nVersion: 1.0\n")
    entry_points = example("extend.md", "toml", "entry-points")
    name, target = re.findall(r'^(\w+) = "(.+)"', entry_points, re.MULTILINE)[0]
    (metadata / "entry_points.txt").write_text(f"[inhouse.providers]\n{name} = {target}\n")
    module = target.partition(":")[0]
    (package / f"{module}.py").write_text(example("extend.md", "python", "class Parrot"))
    monkeypatch.setattr(sys, "path", [str(package), *sys.path])
    declared = (
        '[[deployments]]\nname = "grey"\nfamily = "codellama"\nidentifier = "parrot/grey"\n'
        + route("completion", "grey")
    )
    async with serving(configuration(tmp_path, declared)) as served, served.client() as client:
        answer = await client.completions.create(model="completion", prompt="polly ", suffix="!")
    assert "polly" in answer.choices[0].text


async def test_the_script_with_openai_s_client_prints_a_suggestion(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = example("editors.md", "python", "OpenAI(")
    declared = scripted("says", family="codestral", tokens=["a", " + b"])
    async with serving(configuration(tmp_path, declared + route("completion", "says"))) as served:
        script = script.replace("http://127.0.0.1:5052", served.url).replace("ihk_…", DEVELOPER)
        scope: dict[str, object] = {}
        await anyio.to_thread.run_sync(exec, compile(script, "editors.md", "exec"), scope)
    assert capsys.readouterr().out == "a + b\n"
