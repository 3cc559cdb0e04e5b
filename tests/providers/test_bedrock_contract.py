"""The contract of providers, kept with each way of asking Bedrock for raw prompts."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.ports import ProviderContext
from inhouse.core.secret import Secret
from inhouse.providers.bedrock import Bedrock
from tests.fakes.aws import KEY_ID, SECRET
from tests.fakes.bedrock import (
    HOLD,
    IMPORTED_ARN,
    LLAMA,
    MISTRAL,
    REGION,
    FakeBedrock,
    count_tokens,
)
from tests.providers.contract import CHECKS, Check, Subject, hold

MODELS = {"mistral": MISTRAL, "llama": LLAMA, "openai": IMPORTED_ARN}


@asynccontextmanager
async def bedrock(shape: str, cache: Path) -> AsyncGenerator[Subject]:
    async with FakeBedrock() as server:
        deployment = Deployment(
            name="bedrock",
            family="codestral",
            identifier=f"bedrock/{MODELS[shape]}",
            endpoint=server.url,
            api_key=Secret(f"{KEY_ID}:{SECRET}"),
            options={"region": REGION, "raw_prompts": shape},
        )
        held = deployment.options | {"headers": {HOLD: "1"}}
        provider = Bedrock(ProviderContext(cache=cache, proxies={}))

        async def counted(text: str) -> int:
            return count_tokens(text)

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
            knows_models=False,
            refuses_overflow=False,
            counts_tokens=False,
        )
        await provider.aclose()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("shape", MODELS)
async def test_bedrock(shape: str, check: Check, tmp_path: Path) -> None:
    async with bedrock(shape, tmp_path) as subject:
        await hold(check, subject)
