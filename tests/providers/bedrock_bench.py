"""A provider of Bedrock's with a fake, and the means to ask it."""

from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.deadlines import Deadlines
from inhouse.core.delta import Delta
from inhouse.core.ports import ProviderContext
from inhouse.core.prompt import Messages, Prompt
from inhouse.core.requests import Message, Params
from inhouse.core.secret import Secret
from inhouse.errors import UpstreamError
from inhouse.providers.bedrock import Bedrock
from tests.fakes.aws import KEY_ID, SECRET
from tests.fakes.bedrock import CLAUDE, REGION, FakeBedrock

SAID = "def transfer(amount, iban, account_of_the_customer):"
PROMPT = Messages((Message(role="user", content=SAID),))


class Bench:
    """Its deployment is called ``claude here``, and signs with keys of its own."""

    def __init__(self, cache: Path, server: FakeBedrock, **environment: str) -> None:
        self.server = server
        self.deadlines = Deadlines()
        context = ProviderContext(cache=cache, proxies={}, environment=environment)
        self.provider = Bedrock(context)

    def deployment(
        self,
        model: str = CLAUDE,
        *,
        key: str = f"{KEY_ID}:{SECRET}",
        endpoint: str | None = None,
        **options: Any,
    ) -> Deployment:
        return Deployment(
            name="claude here",
            family="claude",
            identifier=f"bedrock/{model}",
            endpoint=self.server.url if endpoint is None else endpoint,
            api_key=Secret(key),
            options={"region": REGION} | options,
        )

    async def ask(
        self,
        deployment: Deployment | None = None,
        prompt: Prompt = PROMPT,
        params: Params | None = None,
    ) -> list[Delta]:
        deployment = deployment or self.deployment()
        params = params or Params(max_tokens=2, deadlines=self.deadlines)
        async with aclosing(self.provider.stream(deployment, prompt, params)) as deltas:
            return [delta async for delta in deltas]

    async def fail(
        self, deployment: Deployment | None = None, prompt: Prompt = PROMPT
    ) -> UpstreamError:
        with pytest.raises(UpstreamError) as caught:
            await self.ask(deployment, prompt)
        error = caught.value
        assert error.deployment == "claude here"
        assert SECRET not in error.message
        assert "account_of_the_customer" not in error.message
        return error


def text(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)
