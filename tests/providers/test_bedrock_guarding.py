"""What botocore asks for credentials keeps to the egress policy."""

import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.ports import ProviderContext
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.bedrock import Bedrock
from inhouse.transport import Policy
from tests.fakes.aws import ACCOUNT, FakeSts
from tests.fakes.bedrock import FakeBedrock
from tests.providers.bedrock_bench import Bench, text

F = UpstreamFailure
ROLE = f"arn:aws:iam::{ACCOUNT}:role/models"


class Guarded(Bench):
    """A bench whose provider connects to what is registered, and to nothing else."""

    def __init__(self, cache: Path, server: FakeBedrock, **environment: str) -> None:
        super().__init__(cache, server)
        self.policy = Policy()
        self.provider = Bedrock(
            ProviderContext(cache=cache, proxies={}, environment=environment, egress=self.policy)
        )

    def registered(self, **options: Any) -> Deployment:
        deployment = self.deployment(role_arn=ROLE, **options)
        self.policy.register(self.provider.endpoints(deployment))
        return deployment


@pytest.fixture
async def server() -> AsyncGenerator[FakeBedrock]:
    async with FakeBedrock() as server:
        yield server


@pytest.fixture
async def sts(
    server: FakeBedrock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncGenerator[FakeSts]:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    async with FakeSts(server.known) as found:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", found.url)
        yield found


async def test_sts_is_asked_where_the_deployment_leads_there(
    server: FakeBedrock, sts: FakeSts, tmp_path: Path
) -> None:
    bench = Guarded(tmp_path, server, AWS_ENDPOINT_URL_STS=sts.url)
    assert text(await bench.ask(bench.registered())) == " w0 w1"
    await bench.provider.aclose()


async def test_sts_is_not_asked_where_the_policy_knows_of_none(
    server: FakeBedrock, sts: FakeSts, tmp_path: Path
) -> None:
    bench = Guarded(tmp_path, server)
    error = await bench.fail(bench.registered())
    await bench.provider.aclose()
    assert (error.failure, error.param) == (F.FORBIDDEN, "options.role_arn")
    assert sts.url.removeprefix("http://") in error.message
    assert "[egress] peers" in error.message
    assert not sts.connections


async def test_awss_own_names_stand_for_no_metadata_service(
    server: FakeBedrock, sts: FakeSts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 443))]

    monkeypatch.delenv("AWS_ENDPOINT_URL_STS")
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    bench = Guarded(tmp_path, server)
    with pytest.raises(UpstreamError, match=r"stands for 169\.254\.169\.254") as caught:
        await bench.ask(bench.registered())
    await bench.provider.aclose()
    assert caught.value.failure is F.FORBIDDEN
    assert not sts.connections
