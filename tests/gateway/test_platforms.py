"""Azure, and models that only chat, from a developer's editor to the upstream and back."""

from pathlib import Path

import pytest
from openai import APIStatusError

from inhouse.routing.circuit import IN_A_ROW, State
from tests.fakes.anthropic import MODEL, FakeAnthropic
from tests.fakes.aws import KEY_ID
from tests.fakes.aws import SECRET as KEY
from tests.fakes.azure import FORBIDDEN, REASONER, FakeAzure, Model, throttled
from tests.fakes.bedrock import CLAUDE, REGION, FakeBedrock
from tests.fakes.entra import CLIENT, SECRET, TENANT, FakeEntra
from tests.fakes.openai import FakeOpenAI
from tests.server.serving import configuration, route, scripted, serving


def deployment(
    name: str, identifier: str, endpoint: str, key: str = "key-1", more: str = ""
) -> str:
    """Return TOML that declares a deployment of a family that fills holes with sentinels."""
    return f"""
[[deployments]]
name = "{name}"
family = "qwen-coder"
identifier = "{identifier}"
endpoint = "{endpoint}"
api_key = "{key}"
{more}
"""


async def test_a_completion_from_azure(tmp_path: Path) -> None:
    async with FakeEntra() as entra, FakeAzure({"ours": REASONER}, entra=entra) as azure:
        options = f"""
[deployments.options]
tenant_id = "{TENANT}"
client_id = "{CLIENT}"
authority_host = "{entra.url}"
"""
        declared = deployment("gpt", "azure/ours", azure.url, SECRET, options)
        config = configuration(tmp_path, declared + route("completion", "gpt"))
        async with serving(config) as served, served.client() as client:
            for _ in range(2):
                answer = await client.completions.create(
                    model="completion", prompt="x = ", suffix="\n", max_tokens=3, temperature=0.1
                )
                assert answer.choices
            assert [each.failures for each in await served.traces()] == [(), ()]
    # Nobody was asked with text, and each thing that the model refuses was learned once.
    targets = [each.target for each in azure.requests if each.method == "POST"]
    assert set(targets) == {"/openai/v1/chat/completions"}
    assert all("messages" in each for each in azure.asked())
    assert "temperature" not in azure.asked()[-1]
    assert entra.issued == 1


async def test_the_caller_never_sees_that_a_model_only_chats(tmp_path: Path) -> None:
    async with FakeOpenAI() as server:
        server.completes = False
        declared = deployment("talker", f"custom_openai/{server.model}", server.endpoint)
        config = configuration(tmp_path, declared + route("completion", "talker"))
        async with serving(config) as served, served.client() as client:
            for name in ("x", "y"):
                answer = await client.completions.create(
                    model="completion", prompt=f"{name} = ", suffix="\n", max_tokens=3
                )
                assert answer.choices
    assert ["prompt" in each for each in server.asked()] == [True, False, False]


async def test_a_filtered_prompt_goes_nowhere_else(tmp_path: Path) -> None:
    async with FakeAzure({"ours": Model()}, api_key="key-1") as azure:
        declared = deployment("gpt", "azure/ours", azure.url) + scripted("spare", tokens=["x"])
        config = configuration(tmp_path, declared + route("chat", "gpt", "spare"))
        async with serving(config) as served, served.client() as client:
            with pytest.raises(APIStatusError) as caught:
                await client.chat.completions.create(
                    model="chat", messages=[{"role": "user", "content": FORBIDDEN}]
                )
            assert (caught.value.status_code, caught.value.code) == (400, "content_filter")
            azure.faults.append(throttled)
            answer = await client.chat.completions.create(
                model="chat", messages=[{"role": "user", "content": "hi"}]
            )
            assert answer.choices[0].message.content == "x"


async def test_the_request_error_names_the_field_and_the_fix(tmp_path: Path) -> None:
    async with FakeAzure({"ours": Model()}, api_key="key-1") as azure:
        options = '[deployments.options]\napi_version = "2020-01-01"'
        declared = deployment("old", "azure/ours", azure.url, more=options)
        declared += deployment("wrong", "azure/our", azure.url)
        config = configuration(tmp_path, declared)
        async with serving(config) as served, served.client() as client:
            for model, param, words in (
                ("old", "options.api_version", "2024-10-21"),
                ("wrong", "identifier", "did you mean 'ours'?"),
            ):
                with pytest.raises(APIStatusError, match=words.replace("?", r"\?")) as caught:
                    await client.chat.completions.create(
                        model=model, messages=[{"role": "user", "content": "hi"}]
                    )
                assert caught.value.param == param


async def test_a_group_learns_that_it_only_chats_and_no_circuit_suffers(tmp_path: Path) -> None:
    async with FakeOpenAI() as one, FakeOpenAI() as two:
        one.completes = two.completes = False
        names = {"one": one, "two": two}
        declared = "".join(
            deployment(name, f"custom_openai/{server.model}", server.endpoint)
            for name, server in names.items()
        )
        declared += route("completion", *names) + "weights = [1, 1]\n"
        async with serving(configuration(tmp_path, declared)) as served, served.client() as client:
            for number in range(20):
                # Each member has the files of its own.
                answer = await client.completions.create(
                    model="completion", prompt=f"x{number} = ", suffix="\n", max_tokens=3
                )
                assert answer.choices
            standings = list(served.gateway.standings.known())
            traces = await served.traces()
    # Each was asked with text once, and was none the worse for it.
    for server in names.values():
        assert ["prompt" in each for each in server.asked()].count(True) == 1
    assert {each.deployment.name for each in standings} == set(names)
    assert all(each.circuit.state is State.CLOSED for each in standings)
    assert all(each.circuit.last is None for each in standings)
    assert {each.deployments[-1] for each in traces} == set(names)


async def test_taking_messages_only_opens_no_circuit(tmp_path: Path) -> None:
    declared = scripted("stubborn", family="codestral", error="messages_only")
    config = configuration(tmp_path, declared + route("completion", "stubborn"))
    async with serving(config) as served, served.client() as client:
        for _ in range(2 * IN_A_ROW):
            with pytest.raises(APIStatusError) as caught:
                await client.completions.create(model="completion", prompt="x = ", max_tokens=3)
            assert caught.value.code == "messages_only"
        (standing,) = served.gateway.standings.known()
    assert standing.circuit.state is State.CLOSED
    assert standing.circuit.last is None


async def test_the_test_of_a_deployment_tells_what_was_learned(tmp_path: Path) -> None:
    async with FakeAnthropic(most_tokens=7) as anthropic, FakeBedrock() as aws:
        aws.unsupported = {"temperature"}
        declared = deployment("messages", f"anthropic/{MODEL}", anthropic.url, "sk-hush")
        options = f'[deployments.options]\nregion = "{REGION}"'
        declared += deployment("converse", f"bedrock/{CLAUDE}", aws.url, f"{KEY_ID}:{KEY}", options)
        async with serving(configuration(tmp_path, declared)) as served:
            for name, told in (
                ("messages", "It gives at most 7 tokens: inhouse asks for no more."),
                ("converse", "It does not take temperature: inhouse leaves it out."),
            ):
                reply = await served.ask("POST", f"/api/v1/deployments/{name}/test")
                said = {each["name"]: each["sentence"] for each in reply.json["data"]}
                assert said["habits"] == told
