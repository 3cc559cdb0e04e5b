"""Each seeded fault is found, told in words, and comes with a remedy; no key is shown."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta, Served, Usage
from inhouse.core.ports import Progress, Provider, ProviderContext
from inhouse.core.prompt import Messages, Prompt
from inhouse.core.requests import Params
from inhouse.core.secret import Secret
from inhouse.core.settings import Settings
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.families import load
from inhouse.features.check import Check, Status
from inhouse.features.checks import check_deployment
from inhouse.providers.openai_compatible import Azure, OpenAICompatible
from inhouse.providers.scripted import Scripted
from tests.fakes.authority import Authority
from tests.fakes.azure import CODER, REASONER, FakeAzure
from tests.fakes.entra import FakeEntra
from tests.fakes.http import Exchange, Server
from tests.fakes.openai import LLAMA, OLLAMA, FakeOpenAI

FAMILIES = load()
KEY = "sk-upstream-0123456789"
QWEN = frozenset({"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"})


class Model:
    """A provider of one model, whose traits can be set; three letters of text make a token."""

    def __init__(
        self,
        *,
        special: frozenset[str] | None = QWEN,
        says: str = "2 * (width + height)",
        chats: UpstreamError | None = None,
        window: int | None = 32768,
    ) -> None:
        self.special = special
        self.says = says
        self.chats = chats
        self.window = window

    def check(self, deployment: Deployment) -> None:
        assert deployment

    def answers_whole(self, deployment: Deployment, params: Params) -> bool:
        return not (deployment or params)

    def takes_text(self, deployment: Deployment) -> bool:
        return bool(deployment)

    def endpoints(self, deployment: Deployment) -> frozenset[tuple[str, int]]:
        assert deployment
        return frozenset()

    async def stream(
        self, deployment: Deployment, prompt: Prompt, params: Params
    ) -> AsyncGenerator[Delta]:
        assert deployment
        if isinstance(prompt, Messages) and self.chats is not None:
            raise self.chats
        assert params.max_tokens
        for word in re.findall(r"\s*\S+", self.says):
            yield Delta(text=word)
        yield Delta(finish_reason="stop", usage=Usage(completion_tokens=40))

    async def served(self, deployment: Deployment) -> Sequence[Served]:
        return [Served(name=deployment.model, window=self.window)]

    async def count_tokens(self, deployment: Deployment, text: str) -> int | None:
        assert deployment
        if self.special is None:
            return None
        count = 1  # the start of the text, as many tokenizers add it
        for token in self.special:
            count += text.count(token)
            text = text.replace(token, "")
        return count + (len(text) + 2) // 3

    async def aclose(self) -> None: ...


class Index(Model):
    """A provider that must build something first."""

    def __init__(self, error: UpstreamError | None = None) -> None:
        super().__init__()
        self.error = error

    async def warm(self, deployment: Deployment, progress: Progress) -> None:
        progress(1.0, f"reading {deployment.name}")
        if self.error is not None:
            raise self.error


def deployment(**changes: Any) -> Deployment:
    found = Deployment(name="toy", family="qwen-coder", identifier="custom_openai/tiny-coder")
    return msgspec.structs.replace(found, **changes)


async def checks(
    provider: Provider, asked: Deployment, settings: Settings | None = None
) -> dict[str, Check]:
    made = check_deployment(asked, provider, FAMILIES, settings or Settings())
    found = {check.name: check async for check in made}
    for check in found.values():
        assert check.sentence.endswith((".", "?", "!", '"')), check
        assert KEY not in f"{check}"
    return found


@pytest.fixture
async def openai(tmp_path: Path) -> AsyncGenerator[OpenAICompatible]:
    context = ProviderContext(cache=tmp_path, proxies={})
    provider = OpenAICompatible(context)
    yield provider
    await provider.aclose()


async def test_all_is_well() -> None:
    found = await checks(Model(), deployment())
    assert {name: check.status for name, check in found.items()} == {
        "configuration": Status.OK,
        "connection": Status.OK,
        "window": Status.OK,
        "special tokens": Status.OK,
        "completion": Status.OK,
        "model": Status.OK,
        "chat": Status.OK,
        "streaming": Status.OK,
    }


async def test_the_wrong_family_is_found_by_its_tokens_and_the_right_one_named() -> None:
    found = (await checks(Model(), deployment(family="codestral")))["special tokens"]
    assert found.status is Status.FAILED
    assert "does not know [PREFIX] [SUFFIX]" in found.sentence
    assert "qwen-coder" in found.remedy
    assert "inhouse deployments set toy --family " in found.remedy


async def test_a_model_without_special_tokens_is_of_no_fim_family() -> None:
    found = (await checks(Model(special=frozenset()), deployment()))["special tokens"]
    assert found.status is Status.FAILED
    assert "'general' suits any model" in found.remedy


async def test_tokens_that_cannot_be_counted_are_not_judged() -> None:
    found = (await checks(Model(special=None), deployment()))["special tokens"]
    assert found.status is Status.SKIPPED


async def test_sentinels_behind_a_blank_are_known() -> None:
    blank = frozenset({" <PRE>", " <SUF>", " <MID>"})
    found = await checks(Model(special=blank), deployment(family="codellama"))
    assert found["special tokens"].status is Status.OK


async def test_the_wrong_family_is_found_by_what_comes_back() -> None:
    found = await checks(Model(special=None, says="x <|fim_suffix|> y"), deployment())
    assert found["completion"].status is Status.FAILED
    assert "<|fim_suffix|> as text" in found["completion"].sentence


async def test_an_empty_completion_is_worth_a_look() -> None:
    found = await checks(Model(says=""), deployment())
    assert found["completion"].status is Status.WARNING
    assert found["chat"].status is Status.WARNING
    native = await checks(
        Model(says=""), deployment(family="repository-index", identifier="repository/index")
    )
    assert native["completion"].status is Status.OK
    assert "window" not in native


async def test_a_missing_chat_template_is_recognised() -> None:
    error = UpstreamError(
        UpstreamFailure.BAD_REQUEST,
        'It refused the request. Its answer says: "As of transformers v4.44, default chat'
        ' template is no longer allowed"',
        status=400,
    )
    found = await checks(Model(chats=error), deployment())
    assert found["completion"].status is Status.OK
    assert found["chat"].status is Status.FAILED
    assert "--chat-template" in found["chat"].remedy


async def test_families_that_do_not_chat_are_not_asked_to() -> None:
    found = await checks(Model(), deployment(family="qwen-coder-base"))
    assert found["chat"].status is Status.SKIPPED


@pytest.mark.parametrize(
    ("window", "options", "status", "said"),
    [
        (4096, {}, Status.WARNING, "is 4096 tokens, the family's is 32768"),
        (4096, {"window": 8192}, Status.WARNING, "is 4096 tokens, declared are 8192"),
        (4096, {"window": 4096}, Status.OK, "4096 tokens."),
        (1024, {"window": 1024}, Status.WARNING, "the settings would use 2688"),
        (None, {}, Status.SKIPPED, "32768 tokens are assumed"),
        (None, {"window": 2048}, Status.SKIPPED, "2048 tokens are assumed"),
    ],
)
async def test_the_window(
    window: int | None, options: dict[str, Any], status: Status, said: str
) -> None:
    found = (await checks(Model(window=window), deployment(options=options)))["window"]
    assert found.status is status
    assert said in found.sentence


async def test_an_unknown_family_ends_the_examination() -> None:
    found = await checks(Model(), deployment(family="codestrl"))
    assert list(found) == ["configuration"]
    assert "codestral" in found["configuration"].sentence


async def test_an_index_is_built_first() -> None:
    assert (await checks(Index(), deployment()))["completion"].status is Status.OK
    error = UpstreamError(UpstreamFailure.SERVER, "It could not be made: no room.")
    assert list(await checks(Index(error), deployment())) == ["configuration", "index"]


async def test_a_good_upstream(openai: OpenAICompatible) -> None:
    async with FakeOpenAI(api_key=KEY, window=16384) as upstream:
        found = await checks(
            openai,
            deployment(family="starcoder2", endpoint=upstream.endpoint, api_key=Secret(KEY)),
        )
    assert {check.status for check in found.values()} == {Status.OK, Status.SKIPPED}
    assert "takes the key" in found["connection"].sentence
    assert found["streaming"].status is Status.OK


async def test_nobody_listens(openai: OpenAICompatible) -> None:
    found = await checks(openai, deployment(endpoint="http://127.0.0.1:1/v1"))
    assert list(found) == ["configuration", "connection"]
    assert "refused the connection" in found["connection"].sentence
    assert "firewall" in found["connection"].remedy


async def test_a_host_that_does_not_exist(openai: OpenAICompatible) -> None:
    found = await checks(openai, deployment(endpoint="http://nowhere.invalid/v1"))
    assert "cannot be resolved" in found["connection"].sentence


async def test_a_certificate_of_our_own(openai: OpenAICompatible, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with FakeOpenAI(tls=authority.server()) as upstream:
        asked = deployment(family="starcoder2", endpoint=upstream.endpoint)
        found = await checks(openai, asked)
        assert found["connection"].status is Status.FAILED
        assert "ca_file" in found["connection"].remedy
        options = {"ca_file": authority.ca_file}
        mended = await checks(openai, msgspec.structs.replace(asked, options=options))
        assert mended["connection"].status is Status.OK


async def test_a_wrong_key(openai: OpenAICompatible) -> None:
    async with FakeOpenAI(api_key="another key") as upstream:
        asked = deployment(endpoint=upstream.endpoint, api_key=Secret(KEY))
        found = (await checks(openai, asked))["connection"]
    assert found.status is Status.FAILED
    assert "refused the API key" in found.sentence
    assert "--api-key" in found.remedy


async def test_an_unknown_model_and_the_nearest(openai: OpenAICompatible) -> None:
    async with FakeOpenAI() as upstream:
        asked = deployment(endpoint=upstream.endpoint, identifier="custom_openai/tiny-code")
        found = await checks(openai, asked)
    assert found["completion"].status is Status.FAILED
    assert found["model"].status is Status.FAILED
    assert "did you mean 'tiny-coder'?" in found["model"].sentence
    command = "inhouse deployments set toy --identifier custom_openai/tiny-coder"
    assert found["model"].remedy == command


async def test_a_server_that_answers_to_any_name(openai: OpenAICompatible) -> None:
    async with FakeOpenAI(LLAMA) as upstream:
        asked = deployment(endpoint=upstream.endpoint, identifier="custom_openai/another")
        found = await checks(openai, asked)
    assert found["model"].status is Status.WARNING
    assert "answers all the same" in found["model"].sentence


async def test_a_model_that_takes_messages_only(openai: OpenAICompatible) -> None:
    async with FakeOpenAI() as upstream:
        upstream.completes = False
        found = await checks(openai, deployment(family="starcoder2", endpoint=upstream.endpoint))
    assert found["completion"].status is Status.OK
    assert "by an instruction" in found["completion"].sentence
    assert found["chat"].status is Status.OK


async def test_what_was_learned_is_told(openai: OpenAICompatible) -> None:
    async with FakeOpenAI() as upstream:
        upstream.unsupported = {"max_tokens"}
        found = await checks(openai, deployment(family="starcoder2", endpoint=upstream.endpoint))
    assert found["habits"].status is Status.OK
    assert "max_completion_tokens" in found["habits"].sentence


@pytest.fixture
async def azure(tmp_path: Path) -> AsyncGenerator[OpenAICompatible]:
    provider = Azure(ProviderContext(cache=tmp_path, proxies={}))
    yield provider
    await provider.aclose()


def on_azure(upstream: FakeAzure, model: str = "coder", **options: str) -> Deployment:
    return deployment(
        family="general",
        identifier=f"azure/{model}",
        endpoint=upstream.url,
        api_key=Secret(KEY),
        options=options,
    )


async def test_a_good_deployment_on_azure(azure: OpenAICompatible) -> None:
    async with FakeAzure({"coder": REASONER}, api_key=KEY) as upstream:
        found = await checks(azure, on_azure(upstream))
        assert {check.status for check in found.values()} == {Status.OK, Status.SKIPPED}
        assert "takes the key. It serves 'coder'." in found["connection"].sentence
        assert "temperature" in found["habits"].sentence or "max_" in found["habits"].sentence
        upstream.lists_deployments = False
        found = await checks(azure, on_azure(upstream))
        assert found["connection"].status is Status.OK
        assert "model" not in found


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"model": "code"}, "--identifier", "did you mean 'coder'?"),
        ({"api_version": "2020-01-01"}, "--option api_version=", "2024-10-21"),
        ({"tenant_id": "t", "client_id": "c"}, "--option tenant_id=", "no such directory"),
    ],
    ids=str,
)
async def test_a_deployment_on_azure_names_field_and_fix(
    azure: OpenAICompatible, change: dict[str, str], field: str, said: str
) -> None:
    async with FakeEntra() as entra, FakeAzure({"coder": CODER}, api_key=KEY) as upstream:
        if "tenant_id" in change:
            change = {**change, "authority_host": entra.url}
        found = await checks(azure, on_azure(upstream, **change))
    last = list(found.values())[-1] if "completion" not in found else found["completion"]
    assert last.status is Status.FAILED
    assert field in last.remedy
    assert said in last.sentence


async def test_a_wrong_key_on_azure(azure: OpenAICompatible) -> None:
    async with FakeAzure(api_key="another key") as upstream:
        found = (await checks(azure, on_azure(upstream)))["connection"]
    assert found.status is Status.FAILED
    assert "--api-key" in found.remedy


@pytest.mark.parametrize("path", ["", "/v1/v1", "/v1/chat/completions"])
async def test_an_endpoint_written_otherwise(path: str, openai: OpenAICompatible) -> None:
    async with FakeOpenAI() as upstream:
        found = await checks(openai, deployment(endpoint=upstream.url + path))
    assert found["address"].status is Status.WARNING
    assert f"should be {upstream.endpoint}" in found["address"].sentence


async def test_an_upstream_that_lists_nothing(openai: OpenAICompatible) -> None:
    async with FakeOpenAI(OLLAMA) as upstream:
        served = upstream.handler

        async def unlisted(exchange: Exchange) -> None:
            if exchange.request.target == "/v1/models":
                await exchange.answer(404, b'{"error":{"message":"model list is off"}}')
            else:
                await served(exchange)

        upstream.handler = unlisted
        found = await checks(openai, deployment(endpoint=upstream.endpoint))
    assert found["connection"].status is Status.WARNING
    assert found["completion"].status is Status.OK
    assert "model" not in found


async def test_a_web_page_is_no_upstream(openai: OpenAICompatible) -> None:
    async def page(exchange: Exchange) -> None:
        await exchange.answer(200, b"<!doctype html><title>Welcome</title>", "text/html")

    async with Server(page) as upstream:
        found = await checks(openai, deployment(endpoint=f"{upstream.url}/v1"))
    assert "HTML" in found["connection"].sentence
    assert found["completion"].status is Status.FAILED


async def test_a_stream_that_something_holds() -> None:
    options = {"first_delay": 0.4, "tokens": [f" w{number}" for number in range(12)]}
    asked = deployment(family="codellama", identifier="scripted/slow", options=options)
    found = (await checks(Scripted(), asked))["streaming"]
    assert found.status is Status.WARNING
    assert "proxy_buffering off" in found.remedy


async def test_a_stream_that_flows() -> None:
    options = {"delay": 0.03, "tokens": [f" w{number}" for number in range(12)]}
    asked = deployment(family="codellama", identifier="scripted/steady", options=options)
    assert (await checks(Scripted(), asked))["streaming"].status is Status.OK


async def test_a_model_that_is_listed_but_does_not_answer_is_not_called_served(
    openai: OpenAICompatible,
) -> None:
    async with FakeOpenAI() as upstream:
        upstream.routes.clear()
        found = await checks(openai, deployment(endpoint=upstream.endpoint))
    assert found["completion"].status is Status.FAILED
    assert "model" not in found


async def test_what_is_declared_is_corrected_in_the_file() -> None:
    declared = deployment(family="codestral", declared=True)
    found = (await checks(Model(), declared))["special tokens"]
    assert "Correct 'family' of the deployment in inhouse.toml" in found.remedy
