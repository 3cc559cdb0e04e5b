"""`inhouse deployments probe` against real engines: it finds what is known to be true of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.feature import Feature
from inhouse.core.ports import ProviderContext
from inhouse.core.settings import Settings
from inhouse.families import CompletionMode, Support, load
from inhouse.features.probing import LIMIT, Evidence, Report, Subject, cancelling, probe
from inhouse.features.probing.evidence import Answered, Asked, Cancelling, Window
from inhouse.providers.openai_compatible import OpenAICompatible
from tests.engines.conftest import Fleet
from tests.engines.engine import CONTEXT_TOKENS, DIALECTS, SLOW, Engine

FAMILIES = load()
KNOWN = {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"}
FILLS = [each for each in FAMILIES if each.completion is CompletionMode.FIM and each.fim]
Probing = Callable[..., Awaitable[Report]]


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncGenerator[OpenAICompatible]:
    found = OpenAICompatible(ProviderContext(cache=tmp_path, proxies={}))
    yield found
    await found.aclose()


@pytest.fixture
def probed(provider: OpenAICompatible) -> Probing:
    async def run(engine: Engine, family: str, *, gentle: bool = True) -> Report:
        return await probe(subject(engine, family, provider), gentle=gentle)

    return run


def subject(engine: Engine, family: str, provider: OpenAICompatible) -> Subject:
    deployment = Deployment(
        name=f"{engine.name} as {family}",
        family=family,
        identifier=f"custom_openai/{engine.model}",
        endpoint=f"{engine.base_url}/v1",
    )
    return Subject(deployment=deployment, provider=provider, families=FAMILIES, settings=Settings())


def badge(report: Report, feature: Feature) -> Support:
    return next(each.support for each in report.badges if each.feature is feature)


async def test_a_right_deployment(engine: Engine, probed: Probing) -> None:
    report = await probed(engine, "starcoder2", gentle=False)
    found = report.evidence
    assert report.seconds < LIMIT
    assert found.sentinels is not None
    assert found.sentinels.unknown == ()
    assert found.sentinels.counted_by == "tokenizer"
    assert found.stops is not None
    assert found.stops.honoured
    assert found.streaming is not None
    assert not found.streaming.buffered
    assert found.window is not None
    assert found.window.claimed == CONTEXT_TOKENS
    assert CONTEXT_TOKENS - 100 < found.window.accepted < CONTEXT_TOKENS
    assert found.window.refused is not None
    assert found.window.refused > CONTEXT_TOKENS
    assert found.window.cut is False
    assert found.load is not None
    assert [(each.failed, each.unfinished) for each in found.load] == [(0, 0)] * 3
    assert all(each.tokens_per_second > 1 for each in found.load)
    # The small model's window is below what a completion would use.
    assert badge(report, Feature.COMPLETION) is Support.PARTIAL
    assert badge(report, Feature.CHAT) is Support.UNSUPPORTED


async def test_tools_and_schemas(engine: Engine, probed: Probing) -> None:
    found = (await probed(engine, "general")).evidence
    assert found.tools is not None
    assert found.schema is not None
    if engine.name == "vllm":
        # It frames the call that is named, but a model of random weights writes no arguments.
        assert found.tools.framed
        assert not found.tools.valid
    else:
        # It needs a template that knows tools, and enforces schemas whatever the weights are.
        assert not found.tools.framed
        assert found.schema.valid


async def test_every_planted_wrong_family_is_found(engine: Engine, probed: Probing) -> None:
    for family in FILLS:
        report = await probed(engine, family.name)
        sentinels = report.evidence.sentinels
        assert sentinels is not None
        assert family.fim is not None
        unknown = set(family.fim.tokens) - KNOWN
        assert set(sentinels.unknown) == unknown, family.name
        if unknown:
            assert badge(report, Feature.COMPLETION) is Support.LIMITED, family.name
            assert "starcoder2" in sentinels.fits


@pytest.mark.parametrize("name", list(DIALECTS))
async def test_hang_ups_are_seen_at_the_engine(
    name: str, fleet: Fleet, provider: OpenAICompatible
) -> None:
    engine = fleet.get(name, SLOW)
    asked = subject(engine, "starcoder2", provider)
    found = await cancelling.measure(asked, answering(asked))
    assert isinstance(found, Cancelling)
    for hangup in (found.streamed, found.whole):
        assert hangup.stopped is True, found
        assert hangup.after is not None
        assert hangup.after < hangup.asked / 2


def answering(asked: Subject) -> Evidence:
    """Return what a probe knows of an engine that answers, when it comes to hanging up."""
    family = asked.family
    return Evidence(
        asked=Asked(
            family=family.name,
            completion=family.completion,
            generation=family.generation,
            chat=family.chat,
            completion_tokens=2688,
        ),
        completion=Answered(),
        window=Window(claimed=CONTEXT_TOKENS, accepted=CONTEXT_TOKENS - 100),
    )
