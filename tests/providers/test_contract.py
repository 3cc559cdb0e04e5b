"""The contract, kept with fakes of each server and with the scripted provider."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.ports import ProviderContext
from inhouse.core.secret import Secret
from inhouse.providers.openai_compatible import Azure, OpenAICompatible
from inhouse.providers.scripted import Scripted
from tests.fakes.azure import FakeAzure
from tests.fakes.entra import FakeEntra
from tests.fakes.openai import DIALECTS, HOLD, TGI, Dialect, FakeOpenAI, count_tokens
from tests.providers.contract import CHECKS, Check, Subject, hold


@asynccontextmanager
async def compatible(dialect: Dialect, cache: Path) -> AsyncGenerator[Subject]:
    context = ProviderContext(cache=cache, proxies={})
    async with FakeOpenAI(dialect) as server:
        deployment = Deployment(
            name=dialect.name,
            family="qwen-coder",
            identifier=f"custom_openai/{server.model}",
            endpoint=server.endpoint,
        )
        provider = OpenAICompatible(context)

        async def counted(text: str) -> int:
            return count_tokens(text)

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
            window=server.window if dialect.window_field else None,
            longest=1_000_000,
            knows_models=dialect.knows_models,
            refuses_overflow=dialect.refuses_overflow and dialect is not TGI,
            counts_tokens=dialect.tokenize in {"prompt", "content"},
        )
        await provider.aclose()


@asynccontextmanager
async def azure(options: dict[str, str], cache: Path) -> AsyncGenerator[Subject]:
    entra = FakeEntra()
    async with entra, FakeAzure(api_key="key-1", entra=entra) as server:
        context = ProviderContext(cache=cache, proxies={}, environment=entra.app_service)
        deployment = Deployment(
            name="coder",
            family="qwen-coder",
            identifier="azure/tiny-coder",
            endpoint=server.url,
            api_key=Secret("" if "auth" in options else "key-1"),
            options={"takes_text": True, **options},
        )
        provider = Azure(context)

        async def counted(text: str) -> int:
            return count_tokens(text)

        held = {"headers": {HOLD: "1"}, **deployment.options}
        yield Subject(
            provider=provider,
            deployment=deployment,
            slow=deployment,
            silent=msgspec.structs.replace(deployment, name="silent", options=held),
            begun=lambda: server.until(lambda: server.busy > 0),
            count_tokens=counted,
            settled=server.settled,
            window=None,
            longest=1_000_000,
            refuses_overflow=False,  # it does, but does not tell its window
            counts_tokens=False,
        )
        await provider.aclose()


@asynccontextmanager
async def scripted() -> AsyncGenerator[Subject]:
    provider = Scripted()
    options = {
        "tokens": [f" w{number}" for number in range(32)],
        "finish_reason": "length",
        "window": 2048,
    }
    deployment = Deployment(
        name="fake", family="general", identifier="scripted/fake", options=options
    )

    async def counted(text: str) -> int:
        count = await provider.count_tokens(deployment, text)
        assert count is not None
        return count

    async def settled() -> int:
        for call in provider.calls:
            await call.ended.wait()
        return sum(call.deltas for call in provider.calls)

    yield Subject(
        provider=provider,
        deployment=deployment,
        slow=deployment,
        silent=msgspec.structs.replace(
            deployment, name="silent", options=options | {"gate": "silent"}
        ),
        begun=provider.gate("silent").reached.wait,
        count_tokens=counted,
        settled=settled,
        window=2048,
        longest=32,
        stops=False,
        knows_models=False,
        refuses_overflow=False,
    )
    await provider.aclose()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
async def test_openai_compatible(dialect: Dialect, check: Check, tmp_path: Path) -> None:
    async with compatible(dialect, tmp_path) as subject:
        await hold(check, subject)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    "options",
    [{"api_version": "2024-10-21"}, {"api_version": "v1"}, {}, {"auth": "managed_identity"}],
    ids=["classic", "v1", "unsaid", "token"],
)
async def test_azure(options: dict[str, str], check: Check, tmp_path: Path) -> None:
    async with azure(options, tmp_path) as subject:
        await hold(check, subject)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_scripted(check: Check) -> None:
    async with scripted() as subject:
        await hold(check, subject)
