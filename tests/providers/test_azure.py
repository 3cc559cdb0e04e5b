"""Azure OpenAI: what people paste, which routes there are, filters, limits, refusals."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.delta import Delta, Usage, merged
from inhouse.core.prompt import Text
from inhouse.core.requests import Params
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.openai_compatible.azure.address import read, routes
from tests.fakes.azure import (
    CODER,
    FORBIDDEN,
    REASONER,
    UNSAFE,
    FakeAzure,
    Model,
    throttled,
)
from tests.fakes.http import Exchange, Handler
from tests.fakes.openai import STREAM_HEAD, sse
from tests.providers.azure_bench import KEY, AzureBench, benched, chat, said

F = UpstreamFailure
CLASSIC = "/openai/deployments/tiny-coder/chat/completions?api-version=2024-10-21"
V1 = "/openai/v1/chat/completions"
NAMED_TWICE = (
    "The endpoint names the deployment 'other', the identifier 'tiny-coder', which goes first"
)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[AzureBench]:
    async with benched(tmp_path) as made:
        yield made


def targets(server: FakeAzure) -> list[str]:
    return [each.target for each in server.requests]


# Addresses.

RESOURCE = "https://r.openai.azure.com"
PORTAL = "/openai/deployments/gpt/chat/completions?api-version=2025-01-01-preview"


@pytest.mark.parametrize(
    ("endpoint", "base"),
    [
        (RESOURCE, f"{RESOURCE}/openai/v1"),
        (f" {RESOURCE}/ ", f"{RESOURCE}/openai/v1"),
        ("r.openai.azure.com", f"{RESOURCE}/openai/v1"),
        (f"{RESOURCE}/openai", f"{RESOURCE}/openai/v1"),
        (f"{RESOURCE}/openai/v1/", f"{RESOURCE}/openai/v1"),
        (f"{RESOURCE}/v1", f"{RESOURCE}/openai/v1"),
        (f"{RESOURCE}/openai/v1/chat/completions", f"{RESOURCE}/openai/v1"),
        (f"{RESOURCE}//openai//responses?x=y#z", f"{RESOURCE}/openai/v1"),
        (RESOURCE + PORTAL, f"{RESOURCE}/openai/deployments/gpt"),
        (f"{RESOURCE}/openai/deployments/gpt", f"{RESOURCE}/openai/v1"),
        (
            "https://r.cognitiveservices.azure.com" + PORTAL,
            "https://r.cognitiveservices.azure.com/openai/deployments/gpt",
        ),
        (
            "https://r.services.ai.azure.com/api/projects/ours",
            "https://r.services.ai.azure.com/openai/v1",
        ),
        ("https://r.services.ai.azure.com/models", "https://r.services.ai.azure.com/openai/v1"),
        ("https://r.openai.azure.us/", "https://r.openai.azure.us/openai/v1"),
        ("https://r.openai.azure.cn", "https://r.openai.azure.cn/openai/v1"),
        (
            "https://westeurope.api.cognitive.microsoft.com/",
            "https://westeurope.api.cognitive.microsoft.com/openai/v1",
        ),
        ("https://front.azure-api.net", "https://front.azure-api.net/openai/v1"),
        ("https://front.azure-api.net/ai", "https://front.azure-api.net/ai/openai/v1"),
        ("https://front.azure-api.net/ai/openai/", "https://front.azure-api.net/ai/openai/v1"),
        (
            "https://front.azure-api.net/ai" + PORTAL,
            "https://front.azure-api.net/ai/openai/deployments/gpt",
        ),
        (
            "https://front.azure-api.net/ai/deployments/gpt/chat/completions?api-version=2024-10-21",
            "https://front.azure-api.net/ai/deployments/gpt",
        ),
        ("https://front.azure-api.net/ai/v1", "https://front.azure-api.net/ai/v1"),
        ("http://127.0.0.1:8080/openai", "http://127.0.0.1:8080/openai/v1"),
    ],
)
def test_heals_addresses(endpoint: str, base: str) -> None:
    first = routes(read(endpoint), "gpt", "", endpoint)[0]
    assert first.base == base
    canonical = read(endpoint).canonical
    again = read(canonical)
    assert (again.prefix, again.canonical) == (read(endpoint).prefix, canonical)
    assert not routes(again, "gpt", "v1", canonical)[0].remarks


@given(st.text(alphabet="av1/?:#.openaideployments", max_size=60))
def test_healing_twice_changes_nothing(rest: str) -> None:
    healed = read(f"https://front.example/{rest}")
    again = read(healed.canonical)
    assert (again.prefix, again.canonical) == (healed.prefix, healed.canonical)


@pytest.mark.parametrize(
    ("path", "options", "target", "remarks"),
    [
        ("", {}, V1, []),
        ("", {"api_version": "v1"}, V1, []),
        ("/openai/v1/", {}, V1, []),
        ("", {"api_version": "preview"}, f"{V1}?api-version=preview", []),
        ("", {"api_version": "2024-10-21"}, CLASSIC, []),
        ("/openai", {"api_version": "2024-10-21"}, CLASSIC, []),
        (
            "/openai/deployments/other/chat/completions?api-version=2024-10-21",
            {},
            CLASSIC,
            [
                "The endpoint should be {}, with the option api_version=2024-10-21",
                NAMED_TWICE,
            ],
        ),
        (
            "/openai/deployments/tiny-coder/chat/completions?api-version=2024-06-01",
            {"api_version": "v1"},
            V1,
            ["The endpoint should be {}"],
        ),
    ],
)
async def test_asks_at_the_routes_that_are_meant(
    bench: AzureBench, path: str, options: dict[str, str], target: str, remarks: list[str]
) -> None:
    async with FakeAzure(api_key=KEY) as server:
        deployment = bench.deployment(server.url + path, **options)
        for _ in range(2):
            assert said(await bench.ask(deployment)) == " w0 w1 w2"
        assert targets(server) == [target, target]
        assert bench.provider.remarks(deployment) == [each.format(server.url) for each in remarks]
    assert server.requests[0].headers["api-key"] == KEY
    assert "authorization" not in server.requests[0].headers
    assert server.asked()[0]["model"] == "tiny-coder"


async def test_finds_the_classic_routes_where_there_are_no_others(bench: AzureBench) -> None:
    async with FakeAzure(api_key=KEY, generations=("classic",)) as server:
        deployment = bench.deployment(server.url)
        for _ in range(2):
            assert await bench.ask(deployment)
        assert targets(server) == [V1, CLASSIC, CLASSIC]
        assert bench.provider.remarks(deployment) == ["The option api_version should be 2024-10-21"]


async def test_asks_through_a_gateway_with_a_path_and_a_header_of_its_own(
    bench: AzureBench,
) -> None:
    async with FakeAzure(api_key=KEY, prefix="/team/ai") as server:
        deployment = bench.deployment(
            f"{server.url}/team/ai/v1",
            key_header="ocp-apim-subscription-key",
            headers={"api-key": KEY},  # the fake knows no other
        )
        assert await bench.ask(deployment)
    assert server.requests[0].headers["ocp-apim-subscription-key"] == KEY


async def test_lists_the_deployments_where_the_resource_tells_them(bench: AzureBench) -> None:
    async with FakeAzure(api_key=KEY) as server:
        deployment = bench.deployment(server.url)
        assert [each.name for each in await bench.provider.served(deployment)] == ["tiny-coder"]
        server.lists_deployments = False
        assert await bench.provider.served(deployment) == ()


async def test_a_front_that_lists_nothing_is_asked_all_the_same(bench: AzureBench) -> None:
    async with FakeAzure(api_key=KEY, generations=("classic",)) as server:
        server.lists_models = False
        deployment = bench.deployment(server.url)
        with pytest.raises(UpstreamError) as caught:
            await bench.provider.served(deployment)
        assert caught.value.param == "endpoint"
        assert await bench.ask(deployment)
        assert targets(server)[-2:] == [V1, CLASSIC]


async def test_finds_the_lists_of_the_classic_routes(bench: AzureBench) -> None:
    async with FakeAzure(api_key=KEY, generations=("classic",)) as server:
        deployment = bench.deployment(server.url)
        assert [each.name for each in await bench.provider.served(deployment)] == ["tiny-coder"]
        assert await bench.ask(deployment)
        assert targets(server) == [
            "/openai/v1/models",
            "/openai/models?api-version=2024-10-21",
            "/openai/deployments?api-version=2023-03-15-preview",
            CLASSIC,
        ]


# Answers.


@pytest.mark.parametrize("version", ["2024-10-21", "v1"])
@pytest.mark.parametrize("asynchronous", [True, False])
async def test_reads_chunks_without_choices_and_late_annotations(
    bench: AzureBench, version: str, *, asynchronous: bool
) -> None:
    async with FakeAzure(api_key=KEY, asynchronous=asynchronous) as server:
        deltas = await bench.ask(bench.deployment(server.url, api_version=version))
    assert merged(deltas[:-1]) == [Delta(text=" w0 w1 w2", finish_reason="length", pieces=4)]
    assert deltas[-1] == Delta(usage=Usage(prompt_tokens=1, completion_tokens=3))


async def test_passes_on_that_the_answer_was_filtered(bench: AzureBench) -> None:
    async with FakeAzure(api_key=KEY) as server:
        deltas = await bench.ask(bench.deployment(server.url), chat(UNSAFE))
    assert [each.finish_reason for each in deltas if each.finish_reason] == ["content_filter"]
    assert said(deltas) == " w0 w1"


async def test_names_what_the_filter_found_in_the_prompt(bench: AzureBench) -> None:
    async with FakeAzure(api_key=KEY) as server:
        error = await bench.fail(bench.deployment(server.url), chat(FORBIDDEN))
    assert (error.failure, error.status) == (F.CONTENT_FILTER, 400)
    assert not error.retryable
    assert "its content filter objects to: violence" in error.message
    assert FORBIDDEN not in error.message


async def test_says_how_long_to_wait(bench: AzureBench) -> None:
    async with FakeAzure(api_key=KEY) as server:
        server.faults.append(throttled)
        error = await bench.fail(bench.deployment(server.url))
    assert (error.failure, error.retry_after) == (F.RATE_LIMITED, 1.75)


async def test_says_that_the_prompt_is_too_long(bench: AzureBench) -> None:
    async with FakeAzure(api_key=KEY) as server:
        error = await bench.fail(bench.deployment(server.url), chat("word " * 3000))
    assert error.failure is F.CONTEXT_LENGTH


# Text or messages.


async def test_takes_messages_unless_the_options_say_otherwise(bench: AzureBench) -> None:
    async with FakeAzure({"talker": Model(), "tiny-coder": CODER}, api_key=KEY) as server:
        assert not bench.provider.takes_text(bench.deployment(server.url))
        texts = bench.deployment(server.url, takes_text=True)
        assert bench.provider.takes_text(texts)
        assert said(await bench.ask(texts, Text("def"))) == " w0 w1 w2"
        wrong = bench.deployment(server.url, "talker", takes_text=True)
        error = await bench.fail(wrong, Text("def"))
        assert (error.failure, error.param) == (F.BAD_REQUEST, "options.takes_text")


async def test_a_text_for_a_model_that_chats_is_to_be_asked_otherwise(bench: AzureBench) -> None:
    async with FakeAzure({"talker": Model()}, api_key=KEY) as server:
        error = await bench.fail(bench.deployment(server.url, "talker"), Text("def"))
    assert error.failure is F.MESSAGES_ONLY


async def test_a_model_that_completes_only_cannot_chat(bench: AzureBench) -> None:
    async with FakeAzure({"ada": Model(chats=False, completes=True)}, api_key=KEY) as server:
        error = await bench.fail(bench.deployment(server.url, "ada"))
    assert (error.failure, error.param) == (F.BAD_REQUEST, "options.takes_text")
    assert "takes_text=true" in error.message


# What models refuse.


async def test_learns_what_a_model_refuses_one_thing_at_a_time(bench: AzureBench) -> None:
    params = Params(
        max_tokens=8,
        temperature=0.2,
        top_p=0.9,
        stop=("w5",),
        seed=7,
        extra={"presence_penalty": 0.5, "tools": [], "response_format": {"type": "text"}},
    )
    async with FakeAzure({"thinker": REASONER}, api_key=KEY) as server:
        deployment = bench.deployment(server.url, "thinker")
        for _ in range(2):
            deltas = await bench.ask(deployment, None, params)
            assert said(deltas) == " w0 w1 w2 w3 w4 "
            assert deltas[-1].finish_reason == "stop"
        asked = server.asked()
        assert len(asked) == 7  # a refusal each for five fields, and the two answers
        assert asked[-1].keys() == {
            "model",
            "messages",
            "max_completion_tokens",
            "seed",
            "tools",
            "response_format",
            "stream",
            "stream_options",
        }
        # The last answer was left where it was to stop.
        await server.until(lambda: not server.busy)
    assert bench.provider.habits(deployment) == [
        "It does not take presence_penalty: inhouse leaves it out.",
        "It does not take stop: inhouse ends the answer there by itself.",
        "It does not take temperature: inhouse leaves it out.",
        "It does not take top_p: inhouse leaves it out.",
        "It wants max_completion_tokens: inhouse says so instead of max_tokens.",
    ]


async def test_what_one_request_learns_all_know(bench: AzureBench) -> None:
    params = Params(max_tokens=2, temperature=0.2, top_p=0.9)
    async with FakeAzure({"thinker": REASONER}, api_key=KEY) as server:
        deployment = bench.deployment(server.url, "thinker")
        answers = await asyncio.gather(*(bench.ask(deployment, None, params) for _ in range(20)))
        assert all(said(each) == " w0 w1" for each in answers)
        before = len(server.requests)
        await bench.ask(deployment, None, params)
        assert len(server.requests) == before + 1


@pytest.mark.parametrize(
    "extra", [{"tools": []}, {"response_format": {"type": "text"}}, {"logit_bias": {"1": 1}}]
)
async def test_never_leaves_out_what_the_caller_needs(
    bench: AzureBench, extra: dict[str, Any]
) -> None:
    model = Model(refuses=frozenset(extra))
    async with FakeAzure({"plain": model}, api_key=KEY) as server:
        deployment = bench.deployment(server.url, "plain")
        error = await bench.fail(deployment, None, Params(extra=extra))
        assert (error.failure, [error.param]) == (F.BAD_REQUEST, list(extra))
        assert len(server.requests) == 1


async def test_a_refusal_of_what_was_not_sent_teaches_nothing(bench: AzureBench) -> None:
    refusing = Model(refuses=frozenset({"messages"}))
    async with FakeAzure({"odd": refusing}, api_key=KEY) as server:
        odd = bench.deployment(server.url, "odd")
        server.faults.append(
            says(400, {"message": "'temperature' is not supported", "param": "temperature"})
        )
        assert (await bench.fail(odd)).failure is F.BAD_REQUEST
        assert len(server.requests) == 1
        assert bench.provider.habits(odd) == []


def says(status: int, error: dict[str, Any]) -> Handler:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(status, msgspec.json.encode({"error": error}))

    return handler


# Refusals that an administrator must mend.


@pytest.mark.parametrize(
    ("status", "error", "param", "words"),
    [
        (
            401,
            {"code": "401", "message": "Access denied due to invalid subscription key"},
            "api_key",
            "KEY 1 or KEY 2",
        ),
        (
            400,
            {"code": "BadRequest", "message": "Token tenant 1 does not match resource tenant."},
            "options.tenant_id",
            "another directory",
        ),
        (
            401,
            {"code": "PermissionDenied", "message": "The principal lacks the required data action"},
            "options.auth",
            "Cognitive Services OpenAI User",
        ),
        (
            403,
            {"code": "AuthenticationTypeDisabled", "message": "Key based authentication is off."},
            "options.auth",
            "takes no keys",
        ),
        (
            400,
            {"message": "Please provide a custom subdomain for token authentication"},
            "endpoint",
            "RESOURCE.openai.azure.com",
        ),
        (
            401,
            {"message": "Access token audience is incorrect"},
            "options.scope",
            "Correct the option scope",
        ),
        (
            403,
            {"code": "403", "message": "Access denied due to Virtual Network/Firewall rules."},
            "endpoint",
            "networking",
        ),
        (
            400,
            {"code": "BadRequest", "message": "API version not supported"},
            "options.api_version",
            "api_version to 2024-10-21, or to v1",
        ),
    ],
)
async def test_names_the_field_and_the_fix(
    bench: AzureBench, status: int, error: dict[str, Any], param: str, words: str
) -> None:
    async with FakeAzure(api_key=KEY) as server:
        server.faults.append(says(status, error))
        found = await bench.fail(bench.deployment(server.url, api_version="2024-10-21"))
    assert found.param == param
    assert words in found.message
    assert found.retryable


async def test_names_a_wrong_deployment(bench: AzureBench) -> None:
    async with FakeAzure(api_key=KEY) as server:
        error = await bench.fail(bench.deployment(server.url, "tiny-code"))
    assert (error.failure, error.param) == (F.UNKNOWN_MODEL, "identifier")
    assert "did you mean 'tiny-coder'?" in error.message


async def test_names_a_wrong_version(bench: AzureBench) -> None:
    async with FakeAzure(api_key=KEY) as server:
        error = await bench.fail(bench.deployment(server.url, api_version="2020-01-01"))
    assert (error.failure, error.param) == (F.MISCONFIGURED, "options.api_version")
    assert "Set the option api_version to 2024-10-21, or to v1" in error.message


async def test_names_a_wrong_address(bench: AzureBench) -> None:
    async with FakeAzure(api_key=KEY, prefix="/elsewhere/openai") as server:
        error = await bench.fail(bench.deployment(server.url))
        assert (error.failure, error.param) == (F.MISCONFIGURED, "endpoint")
    for address in (server.url, "http://nowhere.invalid"):
        error = await bench.fail(bench.deployment(address))
        assert (error.failure, error.param) == (F.UNREACHABLE, "endpoint")


async def test_names_a_wrong_key(bench: AzureBench) -> None:
    async with FakeAzure(api_key="another") as server:
        error = await bench.fail(bench.deployment(server.url))
    assert (error.failure, error.param) == (F.AUTHENTICATION, "api_key")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"endpoint": ""}, "endpoint"),
        ({"endpoint": "https://portal.azure.com/#resource/1"}, "endpoint"),
        ({"endpoint": "https://ai.azure.com/build"}, "endpoint"),
        ({"endpoint": "https://user:hush@r.openai.azure.com"}, "endpoint"),
        ({"key": ""}, "api_key"),
        ({"key": "hush\n"}, "api_key"),
        ({"api_version": "2024"}, "options.api_version"),
        ({"key_header": "a b"}, "api_key"),
        ({"auth": "password"}, "options.auth"),
        ({"auth": "managed_identity"}, "api_key"),
        ({"tenant_id": "t"}, "options.client_id"),
        ({"client_id": "c"}, "options.tenant_id"),
        ({"tenant_id": "a/b", "client_id": "c"}, "options.tenant_id"),
        ({"auth": "client_secret", "key": ""}, "api_key"),
        ({"auth": "workload_identity", "key": ""}, "options.tenant_id"),
        (
            {"tenant_id": "t", "client_id": "c", "authority_host": "ftp://x"},
            "options.authority_host",
        ),
        ({"takes_text": "no"}, "options.takes_text"),
        ({"windows": 1}, "options.windows"),
    ],
    ids=str,
)
async def test_checks_a_deployment(bench: AzureBench, change: dict[str, Any], param: str) -> None:
    endpoint = change.pop("endpoint", RESOURCE)
    assert bench.fault(bench.deployment(endpoint, **change)).param == param


async def test_finds_nothing_wrong_with_a_good_deployment(bench: AzureBench) -> None:
    bench.provider.check(bench.deployment(RESOURCE, api_version="2024-10-21", window=128_000))
    deployment = bench.deployment(RESOURCE)
    assert bench.provider.endpoints(deployment) == {("r.openai.azure.com", 443)}


# Hang-ups and faults.


async def hangs(exchange: Exchange) -> None:
    await exchange.hang()


async def hangs_after_the_first_chunk(exchange: Exchange) -> None:
    await exchange.send(STREAM_HEAD, sse(b'{"choices":[],"prompt_filter_results":[]}'))
    await exchange.hang()


@pytest.mark.parametrize("fault", [hangs, hangs_after_the_first_chunk])
async def test_a_hang_up_reaches_azure(bench: AzureBench, fault: Handler) -> None:
    async with FakeAzure(api_key=KEY) as server:
        server.faults.append(fault)
        asking = asyncio.ensure_future(bench.ask(bench.deployment(server.url)))
        await server.until(lambda: len(server.requests) == 1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await server.until(lambda: server.aborted == 1 and not server.peers)


async def test_a_stream_that_breaks_off_is_no_answer(bench: AzureBench) -> None:
    async def breaks_off(exchange: Exchange) -> None:
        await exchange.send(STREAM_HEAD, sse(b'{"choices":[]}'), b"0\r\n\r\n")

    async with FakeAzure(api_key=KEY) as server:
        server.faults.append(breaks_off)
        error = await bench.fail(bench.deployment(server.url))
    assert error.failure is F.CLOSED
