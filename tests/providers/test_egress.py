"""Every provider over HTTP asks the egress policy before it connects."""

from pathlib import Path

import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.ports import ProviderContext
from inhouse.core.prompt import Messages
from inhouse.core.requests import Message, Params
from inhouse.core.secret import Secret
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.loading import Providers
from inhouse.transport.egress import Policy
from tests.fakes.http import Exchange, Server

HELLO = Messages((Message(role="user", content="Hello?"),))
OPTIONS = {"bedrock": {"region": "eu-central-1"}, "azure": {"api_version": "v1"}}


@pytest.mark.parametrize("provider", ["anthropic", "azure", "bedrock", "custom_openai", "openai"])
async def test_what_is_not_registered_is_not_connected_to(provider: str, tmp_path: Path) -> None:
    async def answer(exchange: Exchange) -> None:
        raise AssertionError(exchange)

    async with Server(answer) as server:
        providers = Providers(ProviderContext(cache=tmp_path, proxies={}, egress=Policy()))
        deployment = Deployment(
            name="x",
            family="general",
            identifier=f"{provider}/a-model",
            endpoint=server.url,
            api_key=Secret(
                "AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
                if provider == "bedrock"
                else "sk-hush"
            ),
            options=OPTIONS.get(provider, {}),
        )
        found = providers[provider]
        with pytest.raises(UpstreamError) as caught:
            await anext(found.stream(deployment, HELLO, Params(max_tokens=1)))
        assert caught.value.failure is UpstreamFailure.FORBIDDEN
        assert not server.connections
        await providers.aclose()
