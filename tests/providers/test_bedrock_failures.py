"""Deployments at Bedrock that are misdescribed: each message names the field and the fix."""

import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from inhouse.errors import ConfigError, UpstreamError, UpstreamFailure
from tests.fakes.aws import ACCOUNT, KEY_ID, SECRET
from tests.fakes.bedrock import (
    CLAUDE,
    PROFILE,
    PROFILE_ARN,
    REGION,
    SONNET,
    FakeBedrock,
    frame,
    refuses,
    streams,
)
from tests.fakes.http import Exchange
from tests.providers.bedrock_bench import SAID, Bench

F = UpstreamFailure
OTHER_ARN = f"arn:aws:bedrock:{REGION}:999999999999:inference-profile/{PROFILE}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/models"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench]:
    async with FakeBedrock() as server:
        made = Bench(tmp_path, server)
        yield made
        await made.provider.aclose()


async def fails(bench: Bench, param: str | None, says: str, **changed: Any) -> UpstreamError:
    error = await bench.fail(bench.deployment(**changed))
    assert error.param == param
    assert says in error.message
    return error


async def test_a_model_that_is_offered_through_profiles_only(bench: Bench) -> None:
    error = await fails(bench, "identifier", f"as bedrock/eu.{SONNET},", model=SONNET)
    assert error.failure is F.UNKNOWN_MODEL


async def test_a_wrong_identifier(bench: Bench) -> None:
    error = await fails(
        bench, "identifier", "does not know the model 'claude-3' in eu-central-1", model="claude-3"
    )
    assert (error.failure, error.status) == (F.UNKNOWN_MODEL, 400)


async def test_an_arn_of_another_account(bench: Bench) -> None:
    error = await fails(bench, "identifier", "the ARN of account 999999999999", model=OTHER_ARN)
    assert error.failure is F.AUTHENTICATION
    assert f"does not let account {ACCOUNT}" in error.message
    assert "options.role_arn" in error.message


async def test_a_wrong_secret(bench: Bench) -> None:
    await fails(bench, "api_key", "does not find the signature right", key=f"{KEY_ID}:wrong")


async def test_keys_that_nobody_knows(bench: Bench) -> None:
    await fails(bench, "api_key", "Check api_key.", key="AKIANOBODY0000000000:secret")


async def test_keys_that_have_expired(bench: Bench) -> None:
    bench.server.known[KEY_ID].expired = True
    await fails(bench, "api_key", "expired")
    # The same keys are all that there is: they are not shown twice.
    assert len(bench.server.requests) == 1


async def test_a_region_other_than_the_endpoints(bench: Bench) -> None:
    await fails(bench, "options.region", "is not in us-east-1", region="us-east-1")


async def test_a_region_that_there_is_not(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    error = await fails(
        bench, "options.region", "which is 'eu-nowhere-7'", endpoint="", region="eu-nowhere-7"
    )
    assert error.failure is F.UNREACHABLE


@pytest.mark.parametrize(
    ("said", "param", "says"),
    [
        (
            "You don't have access to the model with the specified model ID.",
            "identifier",
            "request access to it in the console",
        ),
        (
            (
                f"User: arn:aws:iam::{ACCOUNT}:user/gateway is not authorized to perform:"
                " bedrock:InvokeModelWithResponseStream on resource: x"
            ),
            "api_key",
            "does not allow us bedrock:InvokeModelWithResponseStream",
        ),
    ],
)
async def test_what_iam_does_not_allow(bench: Bench, said: str, param: str, says: str) -> None:
    bench.server.denied = said
    error = await fails(bench, param, says)
    assert (error.failure, error.status) == (F.AUTHENTICATION, 403)


async def test_a_clock_that_is_wrong(bench: Bench) -> None:
    said = "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z"
    bench.server.faults.append(refuses(403, "InvalidSignatureException", said))
    error = await fails(bench, None, "the clock of this machine is wrong")
    assert error.failure is F.AUTHENTICATION

    async def late(exchange: Exchange) -> None:
        body = b'{"message":"Signature not yet current: 1 is still later than 2"}'
        await exchange.send(
            b"HTTP/1.1 403 X\r\nx-amzn-ErrorType: InvalidSignatureException\r\n"
            b"date: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-length: %d\r\n\r\n%b"
            % (len(body), body)
        )

    bench.server.faults.append(late)
    assert " s fast. Synchronise it" in (await bench.fail()).message


@pytest.mark.parametrize(
    ("status", "kind", "failure"),
    [
        (400, "ServiceQuotaExceededException", F.RATE_LIMITED),
        (404, "ResourceNotFoundException", F.UNKNOWN_MODEL),
        (408, "ModelTimeoutException", F.TIMEOUT),
        (424, "ModelErrorException", F.SERVER),
        (429, "ThrottlingException", F.RATE_LIMITED),
        (429, "ModelNotReadyException", F.NOT_READY),
        (500, "InternalServerException", F.SERVER),
        (503, "ServiceUnavailableException", F.SERVER),
        (418, "TeapotException", F.PROTOCOL),
    ],
)
async def test_refusals(bench: Bench, status: int, kind: str, failure: UpstreamFailure) -> None:
    bench.server.faults.append(refuses(status, kind, "So it is.", headers="retry-after: 7\r\n"))
    error = await bench.fail()
    assert (error.failure, error.status, error.retry_after) == (failure, status, 7.0)
    assert f'It answered {status} {kind}: "So it is."' in error.message


async def test_neither_prompt_nor_key_is_quoted(bench: Bench) -> None:
    said = f"Malformed input: {SAID}; key {SECRET}"
    bench.server.faults.append(refuses(400, "ValidationException", said))
    error = await bench.fail()
    assert "Malformed input" in error.message


@pytest.mark.parametrize(
    ("changed", "param", "says"),
    [
        ({"region": None}, "options.region", "it is missing"),
        ({"region": "eu-central-1a"}, "options.region", "is no region"),
        ({"region": "Frankfurt"}, "options.region", "is no region"),
        ({"model": "arn:aws:iam::1:role/x"}, "identifier", "the ARN is not of a model"),
        ({"model": PROFILE_ARN, "region": "us-east-1"}, "options.region", "is of eu-central-1"),
        ({"model": "my model"}, "identifier", "letters, digits"),
        ({"model": ""}, "identifier", "names no model"),
        ({"key": "AKIAIOSFODNN7EXAMPLE"}, "api_key", "without its secret"),
        ({"key": "bedrock-api-key-1"}, "endpoint", "over https:// only"),
        ({"key": "bedrock-api-key-1", "role_arn": ROLE}, "api_key", "leave out the key"),
        ({"role_arn": "models"}, "options.role_arn", "no role's ARN"),
        ({"role_session_name": "a b"}, "options.role_session_name", ""),
        ({"guardrail_id": "abc"}, "options.guardrail_version", "both"),
        ({"guardrail_version": "1"}, "options.guardrail_id", "both"),
        ({"fips": True}, "options.fips", "write the FIPS one there"),
        ({"headers": {"Authorization": "x"}}, "options.headers", "is set by whoever signs"),
        ({"endpoint": "bedrock.internal"}, "endpoint", "does not begin with http"),
        (
            {"endpoint": "https://bedrock.eu-central-1.amazonaws.com"},
            "endpoint",
            "asked at bedrock-runtime.eu-central-1",
        ),
        (
            {"endpoint": "https://bedrock-runtime.us-east-1.amazonaws.com"},
            "options.region",
            "the endpoint is in us-east-1",
        ),
        ({"raw_prompts": "cohere"}, "options.raw_prompts", ""),
        ({"regoin": "x"}, "options.regoin", "did you mean 'region'"),
        ({"ca_file": "missing.pem"}, "options.ca_file", "there is no file"),
    ],
)
async def test_what_cannot_work_as_written(
    bench: Bench, changed: dict[str, Any], param: str, says: str
) -> None:
    deployment = bench.deployment(**changed)
    with pytest.raises(ConfigError) as caught:
        bench.provider.check(deployment)
    assert caught.value.param == param
    assert says in caught.value.message
    assert "claude here" in caught.value.message


@pytest.mark.parametrize(
    ("changed", "environment", "place"),
    [
        ({}, {}, "bedrock-runtime.eu-central-1.amazonaws.com"),
        ({"fips": True}, {}, "bedrock-runtime-fips.eu-central-1.amazonaws.com"),
        ({"region": None}, {"AWS_REGION": "us-west-2"}, "bedrock-runtime.us-west-2.amazonaws.com"),
        ({"region": "cn-north-1"}, {}, "bedrock-runtime.cn-north-1.amazonaws.com.cn"),
        (
            {"region": None},
            {"AWS_DEFAULT_REGION": "eu-west-1"},
            "bedrock-runtime.eu-west-1.amazonaws.com",
        ),
        (
            {"region": None, "model": PROFILE_ARN},
            {"AWS_REGION": "us-west-2"},
            "bedrock-runtime.eu-central-1.amazonaws.com",
        ),
        (
            {"endpoint": "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com/"},
            {},
            "",
        ),
        (
            {
                "endpoint": "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com/model/x",
                "region": None,
            },
            {},
            "vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com",
        ),
    ],
)
def test_where_a_deployment_is(
    tmp_path: Path, changed: dict[str, Any], environment: dict[str, str], place: str
) -> None:
    bench = Bench(tmp_path, FakeBedrock(), **environment)
    deployment = bench.deployment(**{"endpoint": "", **changed})
    found = bench.provider.endpoints(deployment)
    assert found == (frozenset({(place, 443)}) if place else frozenset())


STS = ("sts.eu-central-1.amazonaws.com", 443)
METADATA = ("169.254.169.254", 80)


@pytest.mark.parametrize(
    ("changed", "environment", "places"),
    [
        ({"role_arn": ROLE}, {}, {STS}),
        ({"role_arn": ROLE, "key": ""}, {}, {STS, METADATA}),
        ({"profile": "models", "key": ""}, {}, {STS}),
        ({"key": "bedrock-api-key-1"}, {}, set[Any]()),
        ({"key": ""}, {"AWS_BEARER_TOKEN_BEDROCK": "bedrock-api-key-1"}, set[Any]()),
        ({"key": ""}, {"AWS_ACCESS_KEY_ID": KEY_ID}, set[Any]()),
        ({"key": ""}, {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}, {STS}),
        ({"key": ""}, {"AWS_PROFILE": "models"}, {STS}),
        (
            {"role_arn": ROLE},
            {"AWS_ENDPOINT_URL_STS": "https://sts.internal:8443"},
            {("sts.internal", 8443)},
        ),
        (
            {"key": ""},
            {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"},
            {("169.254.170.2", 80)},
        ),
        (
            {"key": ""},
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"},
            {("169.254.170.23", 80)},
        ),
        ({"key": ""}, {"AWS_EC2_METADATA_DISABLED": "true"}, set[Any]()),
        ({"key": ""}, {}, {METADATA}),
    ],
)
def test_whom_credentials_make_us_ask(
    tmp_path: Path,
    changed: dict[str, Any],
    environment: dict[str, str],
    places: set[tuple[str, int]],
) -> None:
    bench = Bench(tmp_path, FakeBedrock(), **environment)
    found = bench.provider.endpoints(bench.deployment(endpoint="", **changed))
    assert found == {("bedrock-runtime.eu-central-1.amazonaws.com", 443)} | places


BUILD = f"""
import asyncio, sys
from pathlib import Path
from inhouse.core.catalog import Deployment
from inhouse.core.ports import ProviderContext
from inhouse.errors import ConfigError
from inhouse.providers.bedrock import Bedrock
provider = Bedrock(ProviderContext(cache=Path(), proxies={{}}))
deployment = Deployment(
    name="d", family="claude", identifier="bedrock/{CLAUDE}", options={{"region": "{REGION}"}}
)
"""


def run(script: str) -> None:
    subprocess.run([sys.executable, "-c", BUILD + script], check=True)  # noqa: S603 - our own


def test_botocore_is_imported_when_it_is_needed() -> None:
    run("provider.check(deployment)\nassert 'botocore' not in sys.modules")


def test_says_what_to_install() -> None:
    run(
        """
sys.modules["botocore"] = None
async def ask():
    await provider.served(deployment)
for tried in (lambda: provider.check(deployment), lambda: asyncio.run(ask())):
    try:
        tried()
    except ConfigError as error:
        assert "pip install 'inhouse[bedrock]'" in str(error)
    else:
        raise AssertionError
"""
    )


async def test_temporary_keys_that_have_expired(bench: Bench) -> None:
    bench.server.faults.append(refuses(403, "ExpiredTokenException", "It is expired."))
    await fails(bench, "api_key", "finds the API key expired. Create a new one")


async def test_a_signature_that_is_wrong_because_of_the_clock(bench: Bench) -> None:
    async def handler(exchange: Exchange) -> None:
        body = b'{"message":"The request signature we calculated does not match"}'
        await exchange.send(
            b"HTTP/1.1 403 X\r\nx-amzn-ErrorType: InvalidSignatureException\r\n"
            b"date: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-length: %d\r\n\r\n%b"
            % (len(body), body)
        )

    bench.server.faults.append(handler)
    await fails(bench, None, "the clock of this machine is")


async def test_whole_answers_and_counts_that_are_none(bench: Bench) -> None:
    async def nonsense(exchange: Exchange) -> None:
        await exchange.answer(200, b"[7]")

    bench.server.unsupported = {"streaming"}
    await bench.ask()
    bench.server.faults.append(nonsense)
    assert (await bench.fail()).failure is F.PROTOCOL
    bench.server.faults_of_counting.append(nonsense)
    with pytest.raises(UpstreamError, match="not of Bedrock's dialect"):
        await bench.provider.count_tokens(bench.deployment(), "one")


async def test_an_error_frame(bench: Bench) -> None:
    headers = {":message-type": "error", ":error-code": "InternalError", ":error-message": "Oh."}
    bench.server.faults.append(streams(frame(headers, b"")))
    error = await bench.fail()
    assert (error.failure, error.status) == (F.SERVER, 500)
    assert "Oh." in error.message


async def test_what_no_field_is_to_blame_for(bench: Bench) -> None:
    for status, kind, said in (
        (429, "ThrottlingException", "Too many requests"),
        (400, "ValidationException", "Input is too long for requested model."),
        (503, "ServiceUnavailableException", "Try later"),
    ):
        bench.server.faults.append(refuses(status, kind, said))
        await fails(bench, None, said)


async def test_a_redirect(bench: Bench) -> None:
    async def away(exchange: Exchange) -> None:
        head = b"HTTP/1.1 302 X\r\nlocation: https://far.example/x\r\ncontent-length: 0\r\n\r\n"
        await exchange.send(head)

    bench.server.faults.append(away)
    error = await fails(bench, "endpoint", "redirects to https://far.example/x. Let the endpoint")
    assert error.failure is F.PROTOCOL
