"""Tokens of Microsoft Entra ID: three ways to get them, renewed early, asked for once."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.deadlines import Deadlines
from inhouse.core.ports import ProviderContext
from inhouse.core.requests import Params
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.connecting import HttpOptions
from inhouse.providers.openai_compatible.azure.issuer import Issuer
from inhouse.providers.openai_compatible.azure.managed import Managed, source
from inhouse.providers.openai_compatible.azure.tokens import RETRY_AFTER, Token, Tokens
from inhouse.transport import Transport
from tests.fakes.azure import FakeAzure
from tests.fakes.entra import CLIENT, SECRET, TENANT, FakeEntra
from tests.fakes.http import Exchange
from tests.providers.azure_bench import AzureBench, benched

F = UpstreamFailure
MANAGED = {"key": "", "auth": "managed_identity"}


@asynccontextmanager
async def azure(lifetime: float = 3600) -> AsyncGenerator[tuple[FakeAzure, FakeEntra]]:
    async with FakeEntra(lifetime) as entra, FakeAzure(entra=entra) as server:
        yield server, entra


def application(bench: AzureBench, server: FakeAzure, entra: FakeEntra, **other: Any) -> Deployment:
    options = {"tenant_id": TENANT, "client_id": CLIENT, "authority_host": entra.url}
    return bench.deployment(server.url, **{"key": SECRET, **options, **other})


# Three ways.


async def test_an_application_shows_its_secret(tmp_path: Path) -> None:
    async with azure() as (server, entra), benched(tmp_path) as bench:
        deployment = application(bench, server, entra)
        for _ in range(3):
            assert await bench.ask(deployment)
        assert [each.target for each in entra.requests] == [f"/{TENANT}/oauth2/v2.0/token"]
        assert server.requests[0].headers["authorization"] == "Bearer token-1"
        assert "api-key" not in server.requests[0].headers
        assert bench.provider.endpoints(deployment) == {
            ("127.0.0.1", server.port),
            ("127.0.0.1", entra.port),
        }


async def test_a_pod_shows_its_own_token_as_it_is_now(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("pod-token\n")
    async with azure() as (server, entra):
        environment = {**entra.workload, "AZURE_FEDERATED_TOKEN_FILE": str(file)}
        async with benched(tmp_path, environment) as bench:
            deployment = bench.deployment(server.url, key="")
            bench.provider.check(deployment)
            assert await bench.ask(deployment)
            file.write_text("pod-token-2")
            entra.assertions = {"pod-token-2"}
            entra.revoke()
            assert await bench.ask(deployment)
            file.unlink()
            assert bench.fault(deployment).param == "options.federated_token_file"


async def test_a_machine_asks_its_platform(tmp_path: Path) -> None:
    async with azure() as (server, entra):
        for environment, path in (
            (entra.app_service, "/msi/token?api-version=2019-08-01"),
            (
                {"AZURE_POD_IDENTITY_AUTHORITY_HOST": entra.url},
                "/metadata/identity/oauth2/token?api-version=2018-02-01",
            ),
        ):
            async with benched(tmp_path, environment) as bench:
                assert await bench.ask(bench.deployment(server.url, **MANAGED))
            assert entra.requests[-1].target.startswith(path)


async def test_the_metadata_service_is_among_the_endpoints(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        deployment = bench.deployment("https://r.openai.azure.com", **MANAGED)
        assert bench.provider.endpoints(deployment) == {
            ("r.openai.azure.com", 443),
            ("169.254.169.254", 80),
        }


@pytest.mark.parametrize(
    ("cloud", "authority"),
    [
        ("azure.com", "login.microsoftonline.com"),
        ("azure.us", "login.microsoftonline.us"),
        ("azure.cn", "login.chinacloudapi.cn"),
    ],
)
async def test_each_cloud_has_its_own_issuer(tmp_path: Path, cloud: str, authority: str) -> None:
    async with benched(tmp_path) as bench:
        deployment = bench.deployment(f"https://r.openai.{cloud}", tenant_id="t", client_id="c")
        assert (authority, 443) in bench.provider.endpoints(deployment)


def arc(folder: Path, entra: FakeEntra) -> Managed:
    environment = {"IDENTITY_ENDPOINT": f"{entra.url}/msi/token", "IMDS_ENDPOINT": entra.url}
    # App Service's header is what the fake wants to see of whoever is not Arc.
    found = source(environment | {"IDENTITY_HEADER": ""})
    deployment = Deployment(name="gpt here", family="general", identifier="azure/gpt")
    context = ProviderContext(cache=folder, proxies={})
    headers = {**found.headers, "x-identity-header": "shown-by-app-service"}
    issuer = Issuer(deployment, HttpOptions(), context, Transport(), found.url, headers)
    return Managed(issuer, found, "https://cognitiveservices.azure.com", "", keys=folder)


async def test_arc_wants_to_see_a_file_that_only_its_users_can_read(tmp_path: Path) -> None:
    key = tmp_path / "one.key"
    key.write_text("arc-key")
    async with FakeEntra(arc=key) as entra:
        assert (await arc(tmp_path, entra).fetch()).value == "token-1"
        assert entra.requests[-1].headers["authorization"] == "Basic arc-key"


@pytest.mark.parametrize("name", ["../outside.key", "one.txt", "missing.key", "large.key"])
async def test_no_other_file_is_shown_to_whoever_says_that_it_is_arc(
    tmp_path: Path, name: str
) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    for each in (tmp_path / "outside.key", keys / "one.txt"):
        each.write_text("hush")
    (keys / "large.key").write_text("x" * 5000)
    async with FakeEntra(arc=keys / name) as entra:
        with pytest.raises(UpstreamError) as caught:
            await arc(keys, entra).fetch()
        assert caught.value.param == "options.auth"
        assert len(entra.requests) == 1


# Renewal.


async def test_many_requests_at_once_ask_for_one_token(tmp_path: Path) -> None:
    async with azure() as (server, entra), benched(tmp_path) as bench:
        deployment = application(bench, server, entra)
        answers = await asyncio.gather(*(bench.ask(deployment) for _ in range(100)))
        assert all(answers)
        assert entra.issued == 1


async def test_a_token_that_is_refused_is_renewed_once_for_all(tmp_path: Path) -> None:
    async with azure() as (server, entra), benched(tmp_path) as bench:
        deployment = application(bench, server, entra)
        await bench.ask(deployment)
        entra.revoke()
        answers = await asyncio.gather(*(bench.ask(deployment) for _ in range(100)))
        assert all(answers)
        assert entra.issued == 2


async def test_a_list_renews_a_token_too(tmp_path: Path) -> None:
    async with azure() as (server, entra), benched(tmp_path) as bench:
        deployment = application(bench, server, entra)
        assert await bench.provider.served(deployment)
        entra.revoke()
        assert await bench.provider.served(deployment)
        assert entra.issued == 2


async def test_an_identity_without_rights_is_not_asked_for_tokens_again_and_again(
    tmp_path: Path,
) -> None:
    async with azure() as (server, entra), benched(tmp_path) as bench:
        server.entra = None
        deployment = application(bench, server, entra)
        for _ in range(5):
            error = await bench.fail(deployment)
            assert (error.failure, error.param) == (F.AUTHENTICATION, "options.auth")
        assert entra.issued == 2
        assert len(server.requests) == 6


async def test_a_token_that_ends_at_once_is_fetched_for_each_request(tmp_path: Path) -> None:
    async with azure(lifetime=0) as (server, entra), benched(tmp_path) as bench:
        deployment = application(bench, server, entra)
        for _ in range(3):
            assert await bench.ask(deployment)
        assert entra.issued == 3


async def test_whoever_leaves_leaves_the_token_to_the_others(tmp_path: Path) -> None:
    async with azure() as (server, entra), benched(tmp_path) as bench:
        may_answer = asyncio.Event()

        async def held(exchange: Exchange) -> None:
            await may_answer.wait()
            await entra.route(exchange)

        entra.faults.append(held)
        deployment = application(bench, server, entra)
        first, second = (asyncio.ensure_future(bench.ask(deployment)) for _ in range(2))
        await entra.until(lambda: len(entra.requests) == 1)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        may_answer.set()
        assert await second
        assert len(entra.requests) == 1


async def test_closing_the_provider_stops_the_renewal(tmp_path: Path) -> None:
    async with azure() as (server, entra):
        entra.faults.append(Exchange.hang)
        async with benched(tmp_path) as bench:
            deployment = application(bench, server, entra)
            asking = asyncio.ensure_future(bench.ask(deployment))
            await entra.until(lambda: len(entra.requests) == 1)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        await entra.until(lambda: not entra.peers)
        assert not server.peers


async def test_a_silent_issuer_costs_no_more_than_the_first_token_may(tmp_path: Path) -> None:
    async with azure() as (server, entra), benched(tmp_path) as bench:
        entra.faults.append(Exchange.hang)
        params = Params(deadlines=Deadlines(first_token=0.05))
        error = await bench.fail(application(bench, server, entra), None, params)
        assert (error.failure, error.param) == (F.TIMEOUT, "options.auth")


async def resets(exchange: Exchange) -> None:
    exchange.reset()


async def breaks_off(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
    exchange.close()


async def test_faults_of_either_server_leave_nothing_behind(tmp_path: Path) -> None:
    async with azure(lifetime=0) as (server, entra):
        async with benched(tmp_path) as bench:
            deployment = application(bench, server, entra)
            faults = (resets, breaks_off, status(500), status(401))
            for fault in faults * 4:
                for faulty in (server, entra):
                    faulty.faults.append(fault)
                    await asyncio.gather(bench.ask(deployment), return_exceptions=True)
                    assert not faulty.faults
            assert await bench.ask(deployment)
        await entra.until(lambda: not entra.peers)
        await server.until(lambda: not server.peers)
    assert "token renewal" not in {task.get_name() for task in asyncio.all_tasks()}


class Clock:
    """Time that passes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Fetching:
    """Hands out numbered tokens, or the failure that is set."""

    def __init__(self, lifetime: float) -> None:
        self.lifetime = lifetime
        self.fetched = 0
        self.failure: UpstreamError | None = None

    async def __call__(self) -> Token:
        self.fetched += 1
        if self.failure is not None:
            raise self.failure
        return Token(f"token-{self.fetched}", self.lifetime)


async def turns() -> None:
    """Let whatever was begun behind our back come to its end."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_token_is_renewed_before_its_end_and_nobody_waits() -> None:
    clock, fetch = Clock(), Fetching(1000)
    tokens = Tokens(fetch, clock)
    assert await tokens.get() == "token-1"
    clock.now = 799
    assert await tokens.get() == "token-1"
    await turns()
    assert fetch.fetched == 1
    clock.now = 800
    assert [await tokens.get(), await tokens.get()] == ["token-1", "token-1"]
    await turns()
    assert await tokens.get() == "token-2"
    assert fetch.fetched == 2


async def test_an_early_renewal_that_fails_is_tried_again_later() -> None:
    clock, fetch = Clock(), Fetching(1000)
    tokens = Tokens(fetch, clock)
    await tokens.get()
    fetch.failure = UpstreamError(F.UNREACHABLE, "Nobody there.")
    clock.now = 800
    for _ in range(3):
        assert await tokens.get() == "token-1"
        await turns()
    assert fetch.fetched == 2
    clock.now += RETRY_AFTER
    assert await tokens.get() == "token-1"
    await turns()
    assert fetch.fetched == 3
    clock.now = 1000
    with pytest.raises(UpstreamError, match="Nobody there"):
        await tokens.get()
    fetch.failure = None
    assert await tokens.get() == "token-5"
    await tokens.aclose()


def test_shows_no_token() -> None:
    assert "hush" not in repr(Token("hush", 1))


# What goes wrong.


@pytest.mark.parametrize(
    ("change", "param", "words"),
    [
        ({"tenant_id": "another"}, "options.tenant_id", "no such directory"),
        ({"client_id": "another"}, "options.client_id", "no such application"),
        ({"scope": "https://another/.default"}, "options.scope", "no.* know the service"),
        ({"key": "hush-wrong"}, "api_key", "secret's value"),
        ({"key": "expired"}, "api_key", "has expired"),
    ],
    ids=str,
)
async def test_names_the_field_and_the_fix(
    tmp_path: Path, change: dict[str, Any], param: str, words: str
) -> None:
    async with azure() as (server, entra), benched(tmp_path) as bench:
        error = await bench.fail(application(bench, server, entra, **change))
        assert (error.failure, error.param) == (F.AUTHENTICATION, param)
        assert not server.requests
        with pytest.raises(UpstreamError, match=words):
            raise error


async def test_names_a_pod_that_the_application_does_not_know(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("hush-of-another-pod")
    async with azure() as (server, entra), benched(tmp_path, entra.workload) as bench:
        deployment = bench.deployment(server.url, key="", federated_token_file=str(file))
        error = await bench.fail(deployment)
    assert error.param == "options.federated_token_file"
    assert "issuer, subject and audience" in error.message


@pytest.mark.parametrize(
    ("client_id", "param"), [("", "options.auth"), ("another", "options.client_id")]
)
async def test_names_a_machine_without_identity(tmp_path: Path, client_id: str, param: str) -> None:
    async with azure() as (server, entra), benched(tmp_path, entra.app_service) as bench:
        entra.identities = {"one", "two"}
        error = await bench.fail(bench.deployment(server.url, key="", client_id=client_id))
    assert (error.failure, error.param) == (F.AUTHENTICATION, param)


def status(code: int, body: bytes = b"{}") -> Callable[[Exchange], Any]:
    return lambda exchange: exchange.answer(code, body)


@pytest.mark.parametrize(
    ("code", "body", "failure", "param"),
    [
        (503, b"busy", F.SERVER, "options.authority_host"),
        (429, b"{}", F.RATE_LIMITED, "options.authority_host"),
        (200, b"<html>", F.AUTHENTICATION, "options.authority_host"),
        (200, b'{"access_token": "a\\nb"}', F.AUTHENTICATION, "api_key"),
        (200, b'{"access_token": 7, "error_codes": ["x"]}', F.AUTHENTICATION, "api_key"),
        (404, b"[]", F.AUTHENTICATION, "options.authority_host"),
    ],
)
async def test_an_issuer_that_is_none(
    tmp_path: Path, code: int, body: bytes, failure: UpstreamFailure, param: str
) -> None:
    async with azure() as (server, entra), benched(tmp_path) as bench:
        entra.faults.append(status(code, body))
        error = await bench.fail(application(bench, server, entra))
        assert (error.failure, error.param) == (failure, param)
        assert await bench.ask(application(bench, server, entra))


@pytest.mark.parametrize("lifetime", [b"null", b'"soon"', b'"inf"', b"-7", b"[]"])
async def test_a_token_of_an_unknown_life_is_used_all_the_same(
    tmp_path: Path, lifetime: bytes
) -> None:
    async with azure() as (server, entra), benched(tmp_path) as bench:
        entra.good.add("token-0")
        body = b'{"access_token": "token-0", "expires_in": %b}' % lifetime
        entra.faults.append(status(200, body))
        assert await bench.ask(application(bench, server, entra))


async def test_nobody_issues_tokens(tmp_path: Path) -> None:
    async with FakeEntra() as entra:
        gone = entra.url
    async with FakeAzure() as server:
        environment = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": gone}
        async with benched(tmp_path, environment) as bench:
            error = await bench.fail(bench.deployment(server.url, **MANAGED))
            assert (error.failure, error.param) == (F.UNREACHABLE, "options.auth")
            options = {"tenant_id": "t", "client_id": "c", "authority_host": gone}
            error = await bench.fail(bench.deployment(server.url, **options))
            assert (error.failure, error.param) == (F.UNREACHABLE, "options.authority_host")
