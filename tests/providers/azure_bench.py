"""A provider for Azure, and the means to ask it."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta
from inhouse.core.ports import ProviderContext
from inhouse.core.prompt import Messages, Prompt
from inhouse.core.requests import Message, Params
from inhouse.core.secret import Secret
from inhouse.errors import ConfigError, UpstreamError
from inhouse.providers.openai_compatible import Azure

KEY = "hush-key-1"


def chat(text: str = "hi") -> Messages:
    return Messages((Message(role="user", content=text),))


def said(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


class AzureBench:
    def __init__(self, cache: Path, environment: Mapping[str, str]) -> None:
        context = ProviderContext(
            cache=cache,
            proxies={"http_proxy": "http://nowhere.invalid:1"},
            environment=environment,
        )
        self.provider = Azure(context)

    def deployment(
        self, endpoint: str, model: str = "tiny-coder", key: str = KEY, **options: Any
    ) -> Deployment:
        return Deployment(
            name="gpt here",
            family="general",
            identifier=f"azure/{model}",
            endpoint=endpoint,
            api_key=Secret(key),
            options=options,
        )

    async def ask(
        self, deployment: Deployment, prompt: Prompt | None = None, params: Params | None = None
    ) -> list[Delta]:
        params = params or Params(max_tokens=3)
        stream = self.provider.stream(deployment, prompt or chat(), params)
        async with aclosing(stream) as deltas:
            return [delta async for delta in deltas]

    async def fail(
        self, deployment: Deployment, prompt: Prompt | None = None, params: Params | None = None
    ) -> UpstreamError:
        with pytest.raises(UpstreamError) as caught:
            await self.ask(deployment, prompt, params)
        error = caught.value
        assert error.deployment == "gpt here"
        assert "hush" not in error.message
        return error

    def fault(self, deployment: Deployment) -> ConfigError:
        with pytest.raises(ConfigError, match="gpt here") as caught:
            self.provider.check(deployment)
        assert "hush" not in caught.value.message
        return caught.value


@asynccontextmanager
async def benched(
    cache: Path, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[AzureBench]:
    bench = AzureBench(cache, environment or {})
    try:
        yield bench
    finally:
        await bench.provider.aclose()
