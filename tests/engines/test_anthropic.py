"""The provider of Anthropic's dialect, with an engine that serves the Messages API for real."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.ports import ProviderContext
from inhouse.providers.anthropic import Anthropic
from tests.engines.conftest import Fleet
from tests.engines.engine import CONTEXT_TOKENS, DIALECTS, POLL_SECONDS, SLOW, SMALL, Engine
from tests.providers.contract import (
    CHECKS,
    Check,
    Subject,
    hangs_up_before_the_first_token,
    hangs_up_in_mid_stream,
    hold,
)

HANG_UPS = {hangs_up_in_mid_stream, hangs_up_before_the_first_token}


@asynccontextmanager
async def asking(engine: Engine, cache: Path) -> AsyncGenerator[Subject]:
    provider = Anthropic(ProviderContext(cache=cache, proxies={}))
    deployment = Deployment(
        name=f"{engine.name} here",
        family="general",
        identifier=f"anthropic/{engine.model}",
        endpoint=engine.base_url,
    )

    async def begun() -> None:
        with anyio.fail_after(5):
            while not await engine.busy():  # noqa: ASYNC110 - the engine is another process
                await anyio.sleep(POLL_SECONDS)

    yield Subject(
        provider=provider,
        deployment=deployment,
        slow=deployment,
        silent=deployment,
        begun=begun,
        count_tokens=engine.count_tokens,
        settled=engine.settled,
        window=CONTEXT_TOKENS,
        longest=1000,
        # llama.cpp answers to any name.
        knows_models=engine.name != "llama",
        takes_text=False,
        # A message is counted with its frame.
        counts_tokens=False,
    )
    await provider.aclose()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", list(DIALECTS))
async def test_anthropic(name: str, check: Check, fleet: Fleet, tmp_path: Path) -> None:
    engine = fleet.get(name, SLOW if check in HANG_UPS else SMALL)
    async with asking(engine, tmp_path) as subject:
        await hold(check, subject)


@pytest.mark.parametrize("name", list(DIALECTS))
async def test_counts_a_message_with_its_frame(name: str, fleet: Fleet, tmp_path: Path) -> None:
    engine = fleet.get(name, SMALL)
    async with asking(engine, tmp_path) as subject:
        text = "def area(width, height):"
        counted = await subject.provider.count_tokens(subject.deployment, text)
        assert counted is not None
        assert counted > await engine.count_tokens(text)
