"""The contract of providers, kept with the fake of Anthropic's API."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.ports import ProviderContext
from inhouse.core.secret import Secret
from inhouse.providers.anthropic import Anthropic
from tests.fakes.anthropic import HOLD, MODEL, FakeAnthropic
from tests.providers.contract import CHECKS, Check, Subject, hold


@asynccontextmanager
async def asking(cache: Path) -> AsyncGenerator[Subject]:
    async with FakeAnthropic() as server:
        provider = Anthropic(ProviderContext(cache=cache, proxies={}))
        deployment = Deployment(
            name="claude here",
            family="claude",
            identifier=f"anthropic/{MODEL}",
            endpoint=server.url,
            api_key=Secret("sk-hush"),
        )

        async def counted(text: str) -> int:
            return len(text.split())

        yield Subject(
            provider=provider,
            deployment=deployment,
            slow=deployment,
            silent=msgspec.structs.replace(
                deployment, name="silent", options={"headers": {HOLD: "1"}}
            ),
            begun=lambda: server.until(lambda: server.busy > 0),
            count_tokens=counted,
            settled=server.settled,
            window=server.window,
            longest=100_000,
            takes_text=False,
        )
        await provider.aclose()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_anthropic(check: Check, tmp_path: Path) -> None:
    async with asking(tmp_path) as subject:
        await hold(check, subject)
