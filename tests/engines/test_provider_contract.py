"""The contract of providers, kept with real engines."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.ports import ProviderContext
from inhouse.core.requests import Params
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.openai_compatible import OpenAICompatible
from tests.engines.conftest import Fleet
from tests.engines.engine import CONTEXT_TOKENS, DIALECTS, POLL_SECONDS, SLOW, SMALL, Engine
from tests.providers.contract import (
    CHECKS,
    FIM_PROMPT,
    Check,
    Subject,
    hangs_up_before_the_first_token,
    hangs_up_in_mid_stream,
    hold,
)

HANG_UPS = {hangs_up_in_mid_stream, hangs_up_before_the_first_token}


@asynccontextmanager
async def asking(engine: Engine, cache: Path) -> AsyncGenerator[Subject]:
    provider = OpenAICompatible(ProviderContext(cache=cache, proxies={}))
    deployment = Deployment(
        name=f"{engine.name} here",
        family="qwen-coder",
        identifier=f"custom_openai/{engine.model}",
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
    )
    await provider.aclose()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", list(DIALECTS))
async def test_openai_compatible(name: str, check: Check, fleet: Fleet, tmp_path: Path) -> None:
    engine = fleet.get(name, SLOW if check in HANG_UPS else SMALL)
    async with asking(engine, tmp_path) as subject:
        await hold(check, subject)


async def test_says_that_the_engine_died_in_mid_stream(fleet: Fleet, tmp_path: Path) -> None:
    engine = fleet.get("llama", SLOW)
    params = Params(max_tokens=1000, extra={"ignore_eos": True})
    async with (
        asking(engine, tmp_path) as subject,
        aclosing(subject.provider.stream(subject.slow, FIM_PROMPT, params)) as deltas,
    ):
        await anext(deltas)
        engine.kill()
        with pytest.raises(UpstreamError) as caught:
            _ = [delta async for delta in deltas]
    assert caught.value.failure is UpstreamFailure.CLOSED
