"""Every platform can be probed: chat-only ones, those that count nothing, and an index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inhouse.context import files
from inhouse.core.catalog import Deployment
from inhouse.core.feature import Feature
from inhouse.core.ports import Provider, ProviderContext
from inhouse.core.secret import Secret
from inhouse.core.settings import Settings
from inhouse.families import CompletionMode, Support, load
from inhouse.features.probing import Report, Subject, probe
from inhouse.providers.anthropic import Anthropic
from inhouse.providers.openai_compatible import Azure
from inhouse.providers.repository import Repository
from tests.fakes.anthropic import MODEL, FakeAnthropic
from tests.fakes.azure import FakeAzure
from tests.fakes.bedrock import FakeBedrock
from tests.providers.bedrock_bench import Bench

FAMILIES = load()
KEY = Secret("sk-hush")


async def probed(provider: Provider, deployment: Deployment) -> Report:
    subject = Subject(
        deployment=deployment, provider=provider, families=FAMILIES, settings=Settings()
    )
    try:
        return await probe(subject, gentle=True)
    finally:
        await provider.aclose()


def supports(report: Report) -> dict[Feature, Support]:
    return {each.feature: each.support for each in report.badges}


def answered(report: Report) -> None:
    """Claim that chat and completion by instruction were answered, and nothing else was claimed."""
    found = report.evidence
    assert found.connection is not None
    assert not found.connection.error
    assert found.asked.completion is CompletionMode.INSTRUCTION
    for feature in (found.completion, found.generation, found.chat):
        assert feature is not None
        assert not feature.error
    assert found.sentinels is None
    assert found.cancelling is not None
    assert found.cancelling.streamed.stopped is None
    assert found.window is not None
    assert supports(report)[Feature.COMPLETION] is Support.PARTIAL


async def test_anthropic(tmp_path: Path) -> None:
    async with FakeAnthropic() as upstream:
        provider = Anthropic(ProviderContext(cache=tmp_path, proxies={}))
        asked = Deployment(
            name="claude",
            family="claude",
            identifier=f"anthropic/{MODEL}",
            endpoint=f"{upstream.url}/v1",
            api_key=KEY,
        )
        report = await probed(provider, asked)
    answered(report)


async def test_azure(tmp_path: Path) -> None:
    async with FakeAzure(api_key=KEY.reveal()) as upstream:
        provider = Azure(ProviderContext(cache=tmp_path, proxies={}))
        asked = Deployment(
            name="gpt",
            family="gpt",
            identifier="azure/tiny-coder",
            endpoint=upstream.url,
            api_key=KEY,
        )
        report = await probed(provider, asked)
    answered(report)


async def test_bedrock(tmp_path: Path) -> None:
    async with FakeBedrock() as upstream:
        bench = Bench(tmp_path, upstream)
        report = await probed(bench.provider, bench.deployment())
    answered(report)


async def test_an_index(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    for number in range(4):
        text = f"def area_{number}(width, height):\n    return width * height\n"
        (tmp_path / "code" / f"part_{number}.py").write_text(text)

    def documents(root: Any, exclude: Any) -> Any:
        return files.read(Path(root), exclude)

    context = ProviderContext(cache=tmp_path / "cache", proxies={}, documents=documents)
    asked = Deployment(
        name="ours",
        family="repository-index",
        identifier="repository/index",
        endpoint=str(tmp_path / "code"),
    )
    report = await probed(Repository(context), asked)
    assert supports(report) == {
        Feature.COMPLETION: Support.FULL,
        Feature.GENERATION: Support.UNSUPPORTED,
        Feature.CHAT: Support.UNSUPPORTED,
    }
    assert report.evidence.load is not None
    assert report.evidence.load[0].failed == 0
