"""`inhouse deployments test` against real engines: right ones pass, seeded faults are named."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.ports import ProviderContext
from inhouse.core.settings import Settings
from inhouse.families import load
from inhouse.features.check import Check, Status
from inhouse.features.checks import check_deployment
from inhouse.providers.openai_compatible import OpenAICompatible
from tests.engines.engine import Engine

FAMILIES = load()
SETTINGS = Settings()


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncGenerator[OpenAICompatible]:
    found = OpenAICompatible(ProviderContext(cache=tmp_path, proxies={}))
    yield found
    await found.aclose()


def right(engine: Engine) -> Deployment:
    return Deployment(
        name=engine.name,
        family="starcoder2",
        identifier=f"custom_openai/{engine.model}",
        endpoint=f"{engine.base_url}/v1",
    )


async def checks(provider: OpenAICompatible, deployment: Deployment) -> dict[str, Check]:
    made = check_deployment(deployment, provider, FAMILIES, SETTINGS)
    return {check.name: check async for check in made}


async def test_a_right_deployment(engine: Engine, provider: OpenAICompatible) -> None:
    found = await checks(provider, right(engine))
    assert {name: check.status for name, check in found.items()} == {
        "configuration": Status.OK,
        "connection": Status.OK,
        "window": Status.WARNING,  # the small model's is below the family's
        "special tokens": Status.OK,
        "model": Status.OK,
        "completion": Status.OK,
        "chat": Status.SKIPPED,
        "streaming": Status.OK,
    }


async def test_the_wrong_family(engine: Engine, provider: OpenAICompatible) -> None:
    wrong = msgspec.structs.replace(right(engine), family="codestral")
    found = (await checks(provider, wrong))["special tokens"]
    assert found.status is Status.FAILED
    assert "starcoder2" in found.remedy


async def test_the_wrong_model(engine: Engine, provider: OpenAICompatible) -> None:
    wrong = msgspec.structs.replace(right(engine), identifier=f"custom_openai/{engine.model}x")
    found = (await checks(provider, wrong))["model"]
    assert found.status in (Status.FAILED, Status.WARNING)
    assert f"'{engine.model}'" in found.sentence
