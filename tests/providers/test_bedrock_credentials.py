"""Where credentials come from, and how they stay fresh without a request waiting for them."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest

from inhouse.core.deadlines import Deadlines
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.bedrock.chain import Held
from inhouse.providers.bedrock.credentials import AHEAD, PAUSE, Credentials
from inhouse.providers.bedrock.signing import Keys
from tests.fakes.aws import ACCOUNT, KEY_ID, SECRET, FakeContainer, FakeInstance, FakeSts
from tests.fakes.bedrock import FakeBedrock, refuses
from tests.providers.bedrock_bench import Bench, text

F = UpstreamFailure
ROLE = f"arn:aws:iam::{ACCOUNT}:role/models"
VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_BEARER_TOKEN_BEDROCK",
)


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave botocore without any credentials of this machine."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench]:
    async with FakeBedrock() as server:
        made = Bench(tmp_path, server)
        yield made
        await made.provider.aclose()


@pytest.fixture
async def sts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[FakeSts]:
    async with FakeSts(bench.server.known) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        yield server


@pytest.fixture
async def container(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[FakeContainer]:
    async with FakeContainer(bench.server.known) as server:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/keys")
        yield server


async def test_without_any_credentials(bench: Bench) -> None:
    error = await bench.fail(bench.deployment(key=""))
    assert (error.failure, error.param) == (F.AUTHENTICATION, "api_key")
    assert "No AWS credentials were found" in error.message
    assert not bench.server.requests


async def test_from_the_environment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert text(await bench.ask(bench.deployment(key=""))) == " w0 w1"


async def test_from_a_profile(bench: Bench, tmp_path: Path) -> None:
    keys = f"aws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"
    (tmp_path / "credentials").write_text(f"[models]\n{keys}")
    assert text(await bench.ask(bench.deployment(key="", profile="models"))) == " w0 w1"
    error = await bench.fail(bench.deployment(key="", profile="modles"))
    assert (error.failure, error.param) == (F.AUTHENTICATION, "options.profile")
    assert "modles" in error.message


async def test_half_a_pair_of_keys(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    error = await bench.fail(bench.deployment(key=""))
    assert "PartialCredentialsError" in error.message


async def test_a_role_by_the_deployments_own_keys(bench: Bench, sts: FakeSts) -> None:
    deployment = bench.deployment(role_arn=ROLE, external_id="team-7")
    other = msgspec.structs.replace(deployment, name="the same role")
    await bench.ask(deployment)
    await bench.ask(deployment)
    await bench.ask(other)
    (asked,) = sts.asked
    assert asked["RoleArn"] == ROLE
    assert asked["ExternalId"] == "team-7"
    assert asked["RoleSessionName"] == "inhouse"
    assert {each.headers["x-amz-security-token"] for each in bench.server.requests} == {"token-1=="}


async def test_a_role_by_the_containers_keys(
    bench: Bench, sts: FakeSts, container: FakeContainer
) -> None:
    sts.source = bench.server.known
    assert await bench.ask(bench.deployment(key="", role_arn=ROLE))
    assert (container.issued, len(sts.asked)) == (1, 1)


@pytest.mark.usefixtures("sts")
async def test_a_role_that_we_may_not_assume(bench: Bench) -> None:
    role = "arn:aws:iam::999999999999:role/models"
    error = await bench.fail(bench.deployment(role_arn=role))
    assert (error.failure, error.param) == (F.AUTHENTICATION, "options.role_arn")
    assert f"does not let us assume the role {role}" in error.message


@pytest.mark.usefixtures("sts")
async def test_a_role_asked_for_with_wrong_keys(bench: Bench) -> None:
    error = await bench.fail(bench.deployment(role_arn=ROLE, key="AKIANOBODY0000000000:hush"))
    assert (error.failure, error.param) == (F.AUTHENTICATION, "api_key")
    assert "hush" not in error.message


async def test_a_role_without_anybody_to_assume_it(bench: Bench) -> None:
    error = await bench.fail(bench.deployment(role_arn=ROLE, key=""))
    assert "No AWS credentials were found" in error.message


async def test_sts_is_not_there(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    error = await bench.fail(bench.deployment(role_arn=ROLE))
    assert error.failure is F.UNREACHABLE
    assert "AWS_ENDPOINT_URL_STS" in error.message


async def test_by_web_identity(
    bench: Bench, sts: FakeSts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("a pod's token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    assert await bench.ask(bench.deployment(key=""))
    (asked,) = sts.asked
    assert asked["Action"] == "AssumeRoleWithWebIdentity"
    assert asked["WebIdentityToken"] == "a pod's token"


async def test_from_a_container(bench: Bench, container: FakeContainer) -> None:
    deployment = bench.deployment(key="")
    for _ in range(3):
        await bench.ask(deployment)
    assert container.issued == 1


async def test_from_the_instance_s_role(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeInstance(bench.server.known) as instance:
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.url)
        deployment = bench.deployment(key="")
        for _ in range(3):
            await bench.ask(deployment)
        assert instance.issued == 1


@pytest.mark.usefixtures("container")
async def test_the_keys_of_a_role_are_not_quoted(bench: Bench) -> None:
    deployment = bench.deployment(key="")
    await bench.ask(deployment)
    keys = list(bench.server.known.values())[-1]
    secret, token = keys.secret, keys.token
    assert token
    said = f"The canonical request held x-amz-security-token:{token} and {secret}"
    bench.server.faults.append(refuses(400, "ValidationException", said))
    error = await bench.fail(deployment)
    assert "x-amz-security-token" in error.message
    assert secret not in error.message
    assert token not in error.message


async def test_many_requests_wait_for_one_answer(bench: Bench, container: FakeContainer) -> None:
    container.gate.clear()
    deployment = bench.deployment(key="")
    asking = [asyncio.ensure_future(bench.ask(deployment)) for _ in range(5)]
    await container.until(lambda: len(container.requests) == 1)
    asking[0].cancel()
    container.gate.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert len([each for each in answers if isinstance(each, list)]) == 4
    assert container.issued == 1


async def test_credentials_have_as_long_as_a_first_token(
    bench: Bench, container: FakeContainer
) -> None:
    container.gate.clear()
    bench.deadlines = Deadlines(first_token=0.01)
    error = await bench.fail(bench.deployment(key=""))
    assert (error.failure, error.message) == (
        F.TIMEOUT,
        "AWS credentials did not come within 0.01 s.",
    )
    container.gate.set()
    await container.until(lambda: container.issued == 1)


async def test_expired_keys_are_renewed_and_shown_once_more(
    bench: Bench, container: FakeContainer
) -> None:
    deployment = bench.deployment(key="")
    await bench.ask(deployment)
    for known in bench.server.known.values():
        known.expired = True
    answers = await asyncio.gather(*(bench.ask(deployment) for _ in range(3)))
    assert [text(each) for each in answers] == [" w0 w1"] * 3
    assert container.issued == 2


async def test_keys_that_stay_expired_are_not_asked_for_again_and_again(
    bench: Bench, container: FakeContainer
) -> None:
    deployment = bench.deployment(key="")
    await bench.ask(deployment)
    container.stale = True
    for known in bench.server.known.values():
        known.expired = True
    for _ in range(3):
        assert (await bench.fail(deployment)).failure is F.AUTHENTICATION
    assert container.issued == 2


# How they stay fresh, by the clock.


class Renewing:
    """Keys numbered from one, that end by a clock of our own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.ends = 10_000.0
        self.renewals = 0
        self.resolutions = 0
        self.asked = 0
        self.failing = False

    def resolve(self) -> Held:
        self.resolutions += 1
        self.renewals += 1
        return self

    def keys(self) -> Keys:
        self.asked += 1
        if self.failing:
            raise UpstreamError(UpstreamFailure.UNREACHABLE, "STS is away.")
        if self.due(AHEAD):
            self.renewals += 1
            self.ends = self.now + 10_000
        return Keys(f"key {self.renewals}", "secret")

    def due(self, seconds: float) -> bool:
        return self.ends - self.now < seconds


@pytest.fixture
async def renewing() -> Renewing:
    return Renewing()


async def quiet(credentials: Credentials) -> None:
    """Wait for what runs in the background."""
    while credentials.renewing is not None:
        await asyncio.gather(credentials.renewing, return_exceptions=True)
        await asyncio.sleep(0)


def credentials_of(renewing: Renewing) -> Credentials:
    return Credentials(renewing.resolve, lambda: renewing.now)


async def key(credentials: Credentials) -> str:
    return (await credentials.keys(10)).access_key


async def test_keys_are_renewed_ahead_while_requests_use_the_old_ones(renewing: Renewing) -> None:
    credentials = credentials_of(renewing)
    assert await key(credentials) == "key 1"
    renewing.now = renewing.ends - AHEAD + 1
    assert await key(credentials) == "key 1"
    await quiet(credentials)
    assert await key(credentials) == "key 2"
    assert renewing.resolutions == 1


async def test_a_failed_renewal_is_tried_again_later(renewing: Renewing) -> None:
    credentials = credentials_of(renewing)
    await key(credentials)
    renewing.failing = True
    renewing.now = renewing.ends - AHEAD + 1
    for _ in range(3):
        assert await key(credentials) == "key 1"
        await quiet(credentials)
    assert renewing.asked == 2
    renewing.now += PAUSE
    renewing.failing = False
    assert await key(credentials) == "key 1"
    await quiet(credentials)
    assert await key(credentials) == "key 2"


async def test_ended_keys_are_waited_for(renewing: Renewing) -> None:
    credentials = credentials_of(renewing)
    await key(credentials)
    renewing.now = renewing.ends + 1
    renewing.failing = True
    with pytest.raises(UpstreamError, match="STS is away"):
        await key(credentials)
    renewing.failing = False
    assert await key(credentials) == "key 2"


async def test_refused_keys_are_replaced_once(renewing: Renewing) -> None:
    credentials = credentials_of(renewing)
    first = await credentials.keys(10)
    both = await asyncio.gather(credentials.replaced(first, 10), credentials.replaced(first, 10))
    assert [each.access_key for each in both] == ["key 2", "key 2"]
    second = both[0]
    assert await credentials.replaced(first, 10) is second
    # So soon, others would be no better.
    assert await credentials.replaced(second, 10) is second
    renewing.now += PAUSE
    assert (await credentials.replaced(second, 10)).access_key == "key 3"


async def test_closing_ends_a_renewal() -> None:
    renewing = Renewing()
    credentials = credentials_of(renewing)
    asking = asyncio.ensure_future(credentials.keys(10))
    await asyncio.sleep(0)
    await credentials.aclose()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_temporary_keys_in_the_key_itself(bench: Bench) -> None:
    bench.server.known[KEY_ID].token = "a-token=="
    assert await bench.ask(bench.deployment(key=f"{KEY_ID}:{SECRET}:a-token=="))


async def test_temporary_credentials_that_have_expired(
    bench: Bench, container: FakeContainer
) -> None:
    container.stale = True
    error = await bench.fail(bench.deployment(key=""))
    assert (error.failure, error.param) == (F.AUTHENTICATION, None)
    assert "Renew them: the credentials of the gateway's process" in error.message


async def test_a_role_asked_for_with_expired_keys(bench: Bench, sts: FakeSts) -> None:
    sts.source[KEY_ID].expired = True
    error = await bench.fail(bench.deployment(role_arn=ROLE))
    assert error.param == "options.role_arn"
    assert "have expired. Renew them" in error.message


async def test_a_session_that_has_ended(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "[profile models]\nsso_session = ours\nsso_account_id = 123456789012\nsso_role_name = dev\n"
        "[sso-session ours]\nsso_region = eu-central-1\nsso_start_url = https://ours.example\n"
    )
    error = await bench.fail(bench.deployment(key="", profile="models"))
    assert (error.failure, error.param) == (F.AUTHENTICATION, "options.profile")
    assert "aws sso login --profile models" in error.message


async def test_a_replaced_deployment_has_its_own_keys(bench: Bench) -> None:
    assert await bench.ask(bench.deployment())
    error = await bench.fail(bench.deployment(key=f"{KEY_ID}:wrong"))
    assert error.param == "api_key"
    assert await bench.ask(bench.deployment())
