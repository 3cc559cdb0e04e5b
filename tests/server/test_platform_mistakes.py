"""Each mistake in a deployment is told with its field and its fix: to callers, and by the test."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from inhouse import config
from inhouse.core.catalog import Deployment
from inhouse.core.secret import Secret
from inhouse.core.settings import Settings
from inhouse.features.check import Status
from inhouse.features.checks import check_deployment
from inhouse.gateway import Gateway
from tests.fakes.anthropic import MODEL, FakeAnthropic
from tests.fakes.aws import KEY_ID, FakeSts, Known
from tests.fakes.aws import SECRET as AWS_SECRET
from tests.fakes.azure import FakeAzure, Model
from tests.fakes.bedrock import CLAUDE, PROFILE, REGION, SONNET, FakeBedrock
from tests.fakes.entra import CLIENT, SECRET, TENANT, FakeEntra
from tests.fakes.openai import FakeOpenAI
from tests.server.serving import Reply, Served, configuration, serving

OURS = f"{KEY_ID}:{AWS_SECRET}"
ENDED = "ASIAENDEDENDEDENDED0"
ROLE = "arn:aws:iam::999999999999:role/models"
ARN = f"arn:aws:bedrock:{REGION}:999999999999:inference-profile/{PROFILE}"
CODER = "custom_openai/tiny-coder"
CLAUDE_HERE = f"anthropic/{MODEL}"
MISSING = "write it as env:NAME"


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A deployment with one thing wrong, the field that is blamed, and words of the fix.

    Unless `endpoint` says otherwise it is at its platform's fake. What can be seen `early` is
    refused when it is to be registered, the rest when the deployment is asked.
    """

    identifier: str
    blamed: str
    fix: str
    key: str = "key-1"
    endpoint: str = "{there}"
    options: dict[str, str] = field(default_factory=dict[str, str])
    early: bool = False


def at(identifier: str, blamed: str, fix: str, key: str = "key-1", **more: Any) -> Mistake:
    return Mistake(identifier=identifier, blamed=blamed, fix=fix, key=key, **more)


def bedrock(
    blamed: str, fix: str, model: str = CLAUDE, *, key: str = OURS, early: bool = False, **said: str
) -> Mistake:
    return at(f"bedrock/{model}", blamed, fix, key, options={"region": REGION} | said, early=early)


def azure(
    blamed: str, fix: str, *, key: str = "key-1", early: bool = False, **said: str
) -> Mistake:
    return at("azure/ours", blamed, fix, key, options=said, early=early)


def entra(blamed: str, fix: str, *, key: str = SECRET, **said: str) -> Mistake:
    own = {"tenant_id": TENANT, "client_id": CLIENT, "authority_host": "{entra}"}
    return at("azure/ours", blamed, fix, key, options=own | said)


MISTAKES = {
    "bedrock: no such model": bedrock("identifier", "Check the identifier", "claude-3"),
    "bedrock: profile only": bedrock("identifier", f"bedrock/eu.{SONNET}", SONNET),
    "bedrock: no model's ARN": bedrock(
        "identifier", "such a one reads", "arn:aws:iam::1:role/x", early=True
    ),
    "bedrock: ARN of another account": bedrock(
        "identifier", "Set options.role_arn to a role of that account", ARN
    ),
    "bedrock: a zone, no region": bedrock(
        "options.region", "one looks like eu-central-1", region=f"{REGION}a", early=True
    ),
    "bedrock: no region": bedrock("options.region", "set it, to", region="", early=True),
    "bedrock: another region": bedrock(
        "options.region", "Set options.region to the endpoint's region", region="us-east-1"
    ),
    "bedrock: region of another ARN": bedrock(
        "options.region", "leave one of them out", ARN, region="us-east-1", early=True
    ),
    "bedrock: no role's ARN": bedrock(
        "options.role_arn", "such a one reads", role_arn="models", early=True
    ),
    "bedrock: a role that trusts others": bedrock(
        "options.role_arn", "The role's trust policy must name who we are", role_arn=ROLE
    ),
    "bedrock: an id for no role": bedrock(
        "options.external_id", "without options.role_arn", external_id="7", early=True
    ),
    "bedrock: no such profile": bedrock(
        "options.profile", "have no such profile", key="", profile="nobody"
    ),
    "bedrock: wrong secret": bedrock("api_key", "Check api_key", key=f"{KEY_ID}:wrong"),
    "bedrock: expired key": bedrock(
        "api_key", "Create a new one and set api_key", key=f"{ENDED}:{AWS_SECRET}:token"
    ),
    "bedrock: half a key": bedrock("api_key", "write ID:SECRET", key=KEY_ID, early=True),
    "azure: no such deployment": at("azure/our", "identifier", "did you mean 'ours'?"),
    "azure: an old api-version": azure(
        "options.api_version", "Set the option api_version to 2024-10-21", api_version="2020-01-01"
    ),
    "azure: no api-version": azure(
        "options.api_version", "write it as in v1", api_version="latest", early=True
    ),
    "azure: wrong key": azure("api_key", "Set KEY 1 or KEY 2", key="key-3"),
    "azure: no key": azure("api_key", "set a key of the resource", key="", early=True),
    "azure: expired secret": entra("api_key", "make a new one", key="expired"),
    "azure: wrong tenant": entra(
        "options.tenant_id", "correct the option tenant_id", tenant_id="other"
    ),
    "azure: wrong application": entra(
        "options.client_id", "correct the option client_id", client_id="other"
    ),
    "azure: a page of the portal": at(
        "azure/ours", "endpoint", "Keys and Endpoint", endpoint="https://oai.azure.com/", early=True
    ),
    "anthropic: no such model": at(f"{CLAUDE_HERE}1", "identifier", f"did you mean '{MODEL}'?"),
    "anthropic: wrong key": at(CLAUDE_HERE, "api_key", "Check the deployment's api_key", "key-3"),
    "anthropic: no key": at(CLAUDE_HERE, "api_key", MISSING, "", endpoint="", early=True),
    "anthropic: wrong path": at(
        CLAUDE_HERE, "endpoint", "Check the path of the endpoint", endpoint="{there}/elsewhere"
    ),
    "openai: no key": at("openai/gpt-5", "api_key", MISSING, "", endpoint="", early=True),
    "custom_openai: no such model": at(f"{CODER}s", "identifier", "did you mean 'tiny-coder'?"),
    "custom_openai: wrong key": at(CODER, "api_key", "Check the deployment's api_key", "key-3"),
    "custom_openai: wrong path": at(
        CODER, "endpoint", "Check the path of the endpoint", endpoint="{there}/elsewhere"
    ),
    "custom_openai: no URL": at(CODER, "endpoint", "http", endpoint="gpu:8000", early=True),
    "custom_openai: nobody there": at(
        CODER, "endpoint", "Is the server running", endpoint="http://127.0.0.1:1/v1"
    ),
}


@pytest.fixture
async def places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncGenerator[dict[str, str]]:
    """Where each platform's fake is, and those who issue credentials; AWS's files are empty."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    async with (
        FakeEntra() as entra,
        FakeBedrock() as aws,
        FakeSts(aws.known) as sts,
        FakeAzure({"ours": Model()}, api_key="key-1", entra=entra) as resource,
        FakeAnthropic(api_key="key-1") as anthropic,
        FakeOpenAI(api_key="key-1") as openai,
    ):
        aws.known[ENDED] = Known(AWS_SECRET, "token", expired=True)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        yield {
            "anthropic": anthropic.url,
            "azure": resource.url,
            "bedrock": aws.url,
            "custom_openai": openai.endpoint,
            "entra": entra.url,
            "openai": openai.endpoint,
            "sts": sts.url,
        }


@contextlib.asynccontextmanager
async def gateway(folder: Path, places: dict[str, str]) -> AsyncGenerator[Served]:
    path = configuration(folder).path
    environment = {
        "HOME": str(folder),
        "AWS_ENDPOINT_URL_STS": places["sts"],
        "INHOUSE_SECRET_KEY": "0123456789abcdef0123456789abcdef",
    }
    async with serving(config.load(path, environment)) as served:
        yield served


def deployment(mistake: Mistake, places: dict[str, str]) -> Deployment:
    there = places[mistake.identifier.partition("/")[0]]
    options = {name: value.format(**places) for name, value in mistake.options.items()}
    return Deployment(
        name="wrong",
        family="general",
        identifier=mistake.identifier,
        endpoint=mistake.endpoint.format(there=there),
        api_key=Secret(mistake.key),
        options=options,
    )


async def register(served: Served, wrong: Deployment) -> Reply:
    content = {
        "family": wrong.family,
        "identifier": wrong.identifier,
        "endpoint": wrong.endpoint,
        "api_key": wrong.api_key.reveal(),
        "options": wrong.options,
    }
    return await served.ask("PUT", f"/api/v1/deployments/{wrong.name}", content=content)


async def ask(served: Served, wrong: Deployment) -> Reply:
    content = {"model": wrong.name, "messages": [{"role": "user", "content": "hi"}]}
    return await served.ask("POST", "/v1/chat/completions", content=content)


async def examined(gateway: Gateway, wrong: Deployment) -> str:
    """Return what the test of a deployment says of all that failed, with the remedies."""
    provider = gateway.provider(wrong)
    checks = check_deployment(wrong, provider, gateway.families, Settings())
    failed = [check async for check in checks if check.status is Status.FAILED]
    return " ".join(f"{check.sentence} {check.remedy}" for check in failed)


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
async def test_field_and_fix_are_named(
    mistake: Mistake, places: dict[str, str], tmp_path: Path
) -> None:
    wrong = deployment(mistake, places)
    async with gateway(tmp_path, places) as served:
        reply = await register(served, wrong)
        if not mistake.early:
            assert reply.status == 200, reply.body
            reply = await ask(served, wrong)
        said = await examined(served.gateway, wrong)
    assert reply.status >= 400
    assert reply.error["param"] == mistake.blamed
    assert mistake.fix in reply.error["message"]
    assert mistake.fix in said
    assert any(name in said for name in written(mistake))


def written(mistake: Mistake) -> tuple[str, ...]:
    """Return the ways in which the test of a deployment may name the field."""
    if mistake.early:
        return (f" {mistake.blamed}: ",)
    if mistake.blamed.startswith("options."):
        return (f"--option {mistake.blamed.removeprefix('options.')}=",)
    return f"--{mistake.blamed.replace('_', '-')} ", f"the {mistake.blamed}'s "
