"""Azure, and models that only chat, from a developer's editor to the upstream and back."""

from pathlib import Path

import pytest
from openai import APIStatusError

from tests.fakes.azure import FORBIDDEN, REASONER, FakeAzure, Model, throttled
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
            for _ in range(2):
                answer = await client.completions.create(
                    model="completion", prompt="x = ", suffix="\n", max_tokens=3
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
