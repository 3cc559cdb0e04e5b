"""Checks and probes of a model that turns text into vectors, and is asked for nothing else."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.feature import Feature
from inhouse.core.ports import Provider, ProviderContext
from inhouse.core.settings import Settings
from inhouse.families import Support, load
from inhouse.features.check import Check, Status
from inhouse.features.checks import check_deployment
from inhouse.features.probing import Report, Subject, probe
from inhouse.providers.anthropic import Anthropic
from inhouse.providers.openai_compatible import OpenAICompatible
from inhouse.providers.scripted import Scripted
from tests.fakes.openai import FakeOpenAI

FAMILIES = load()


@pytest.fixture
async def openai(tmp_path: Path) -> AsyncGenerator[OpenAICompatible]:
    provider = OpenAICompatible(ProviderContext(cache=tmp_path, proxies={}))
    yield provider
    await provider.aclose()


def scripted(**options: Any) -> Deployment:
    return Deployment(name="bge", family="embedding", identifier="scripted/bge", options=options)


async def checked(provider: Provider, deployment: Deployment) -> dict[str, Check]:
    checks = check_deployment(deployment, provider, FAMILIES, Settings())
    return {check.name: check async for check in checks}


async def probed(provider: Provider, deployment: Deployment) -> Report:
    subject = Subject(
        deployment=deployment, provider=provider, families=FAMILIES, settings=Settings()
    )
    return await probe(subject)


async def test_a_model_that_embeds_passes_and_is_asked_for_no_text() -> None:
    provider = Scripted()
    checks = await checked(provider, scripted(dimensions=12))
    assert list(checks) == ["configuration", "connection", "model", "embedding"]
    assert {each.status for each in checks.values()} == {Status.OK}
    assert "vectors of 12 dimensions" in checks["embedding"].sentence
    assert len(provider.calls) == 1


async def test_a_probe_gives_it_one_badge() -> None:
    (badge,) = (await probed(Scripted(), scripted())).badges
    assert (badge.feature, badge.support, badge.reasons) == (Feature.EMBEDDING, Support.FULL, ())
    (badge,) = (await probed(Scripted(), scripted(error="server"))).badges
    assert badge.support is Support.LIMITED
    assert "It does not answer: The script says so." in badge.reasons[0].sentence


async def test_a_server_that_embeds_nothing_is_told(openai: OpenAICompatible) -> None:
    async with FakeOpenAI() as upstream:
        deployment = Deployment(
            name="x",
            family="embedding",
            identifier="custom_openai/tiny-coder",
            endpoint=upstream.endpoint,
        )
        check = (await checked(openai, deployment))["embedding"]
        (badge,) = (await probed(openai, deployment)).badges
    assert check.status is Status.FAILED
    assert "has no such route below" in check.sentence
    assert badge.support is Support.LIMITED
    assert not upstream.asked()


async def test_a_provider_that_cannot_embed_is_told(tmp_path: Path) -> None:
    provider = Anthropic(ProviderContext(cache=tmp_path, proxies={}))
    async with FakeOpenAI() as upstream:
        deployment = Deployment(
            name="x", family="embedding", identifier="anthropic/m", endpoint=upstream.endpoint
        )
        check = (await checked(provider, deployment))["embedding"]
        await provider.aclose()
    assert check.status is Status.FAILED
    assert "turn no text into vectors" in check.sentence
