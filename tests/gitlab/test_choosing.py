"""Whose model answers: over HTTP, against upstreams that remember."""

import contextlib
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.http import Exchange
from tests.fakes.openai import FakeOpenAI
from tests.server.serving import (
    AUDITOR,
    CHAT_ONLY,
    DEVELOPER,
    Served,
    configuration,
    route,
    serving,
)

HUSH = "sk-hush-0123456789"
FILE = {"file_name": "a.py", "content_above_cursor": "def f():\n    ", "content_below_cursor": ""}


class Unlisted(FakeOpenAI):
    """An upstream that lists no models."""

    async def _models(self, exchange: Exchange) -> None:
        await exchange.answer(404, b"", "text/plain")


def registered(name: str, upstream: FakeOpenAI, *, model: str = "tiny-coder") -> str:
    return f"""
[[deployments]]
name = "{name}"
family = "codestral"
identifier = "custom_openai/{model}"
endpoint = "{upstream.endpoint}"
"""


def requests(*allowed: str) -> str:
    return f'[gitlab]\nmodels = "request"\nallowed_endpoints = {json.dumps(allowed)}\n'


@contextlib.asynccontextmanager
async def requesting(folder: Path, fake: FakeOpenAI) -> AsyncGenerator[tuple[Served, FakeOpenAI]]:
    """Serve where requests may name the models of one upstream."""
    async with fake as upstream:
        configured = configuration(folder, requests(upstream.url))
        async with serving(configured) as served:
            yield served, upstream


async def ask(
    served: Served,
    endpoint: str,
    identifier: str = "custom_openai/tiny-coder",
    *,
    key: str = DEVELOPER,
    **fields: Any,
) -> Any:
    """Ask for a completion as GitLab does for a self-hosted model."""
    model = {
        "model_provider": "litellm",
        "model_name": "codestral",
        "model_endpoint": endpoint,
        "model_identifier": identifier,
        "model_api_key": HUSH,
    }
    content = {"prompt_version": 2, "prompt": None, "current_file": FILE, **model, **fields}
    return await served.ask("POST", "/v2/code/completions", key=key, content=content)


async def test_a_registered_model_that_is_named_answers(tmp_path: Path) -> None:
    async with FakeOpenAI() as first, FakeOpenAI() as second:
        text = "[settings]\ncompletion_memory = false\n"
        text += registered("first", first) + registered("second", second)
        configured = configuration(tmp_path, text + route("completion", "first"))
        async with serving(configured) as served:
            for endpoint in (second.endpoint, f"{second.url}/", f"{second.endpoint}/completions"):
                answer = await ask(served, endpoint)
                assert answer.status == 200
            assert (len(first.asked()), len(second.asked())) == (0, 3)
            # A registered model is asked with its own key.
            assert all("authorization" not in each.headers for each in second.requests)
            assert {each.deployments for each in await served.traces()} == {("second",)}
            assert not any(each.warnings for each in await served.traces())


@pytest.mark.parametrize("provider", ["openai", "custom_openai", "codestral"])
async def test_what_is_not_registered_is_answered_by_the_route_with_a_warning(
    tmp_path: Path, provider: str
) -> None:
    async with FakeOpenAI() as first, FakeOpenAI() as other:
        configured = configuration(tmp_path, registered("first", first) + route("chat", "first"))
        async with serving(configured) as served:
            content = {
                "messages": [{"role": "user", "content": "Hi"}],
                "model_metadata": {
                    "provider": provider,
                    "name": "mistral",
                    "endpoint": other.endpoint,
                    "identifier": "custom_openai/other",
                    "api_key": HUSH,
                },
            }
            answer = await served.ask("POST", "/v2/chat/agent", key=DEVELOPER, content=content)
            assert answer.status == 200
            assert not other.connections
            (trace,) = await served.traces()
            (warning,) = trace.warnings
            assert f"'custom_openai/other' at {other.endpoint}" in warning
            assert "'chat'" in warning
            assert "(first)" in warning
            assert HUSH not in str(trace)


async def test_a_registered_model_is_not_for_who_may_not_use_it(tmp_path: Path) -> None:
    key = "ihk_completion_0123456789abcdef"
    async with FakeOpenAI() as first, FakeOpenAI() as second:
        text = registered("first", first) + registered("second", second)
        text += route("completion", "first")
        text += (
            f'[[keys]]\nname = "x"\nrole = "developer"\nkey = "{key}"\nmodels = ["completion"]\n'
        )
        async with serving(configuration(tmp_path, text)) as served:
            assert (await ask(served, second.endpoint, key=key)).status == 200
            assert (len(first.asked()), len(second.asked())) == (1, 0)
            assert len((await served.traces())[0].warnings) == 1
            assert (await ask(served, second.endpoint, key=CHAT_ONLY)).status == 403


async def test_a_feature_that_is_disabled_stays_so(tmp_path: Path) -> None:
    async with FakeOpenAI() as gpu:
        disabled = '[[routes]]\nfeature = "completion"\ndisabled = true\n'
        for text in ("", requests(gpu.url)):
            configured = configuration(tmp_path, text + registered("gpu", gpu) + disabled)
            async with serving(configured) as served:
                answer = await ask(served, gpu.endpoint)
                assert answer.status == 503
                assert "disabled" in answer.json["detail"][0]["msg"]
        assert not gpu.asked()


async def test_the_model_of_the_request_answers_where_that_is_allowed(tmp_path: Path) -> None:
    async with requesting(tmp_path, FakeOpenAI(api_key=HUSH)) as (served, upstream):
        answer = await ask(served, upstream.endpoint, "hosted_vllm/tiny-coder")
        assert answer.json["choices"][0]["text"]
        assert upstream.asked()[0]["model"] == "tiny-coder"
        (trace,) = await served.traces()
        (name,) = trace.deployments
        assert name.startswith(f"custom_openai/tiny-coder@127.0.0.1:{upstream.port}#")
        assert (trace.family, trace.warnings) == ("codestral", ())
        assert HUSH not in str(trace)


async def test_nobody_is_asked_anything_for_who_may_not_ask(tmp_path: Path) -> None:
    disabled = '[[routes]]\nfeature = "chat"\ndisabled = true\n'
    async with FakeOpenAI(api_key=HUSH) as upstream:
        configured = configuration(tmp_path, requests(upstream.url) + disabled)
        async with serving(configured) as served:
            for key in (AUDITOR, CHAT_ONLY):
                assert (await ask(served, upstream.endpoint, "", key=key)).status == 403
            content = {
                "messages": [{"role": "user", "content": "Hi"}],
                "model_metadata": {
                    "provider": "openai",
                    "name": "codestral",
                    "endpoint": upstream.endpoint,
                    "api_key": HUSH,
                },
            }
            answer = await served.ask("POST", "/v2/chat/agent", key=DEVELOPER, content=content)
            assert answer.status == 503
        assert not upstream.connections


async def test_without_a_model_in_the_request_the_route_answers(tmp_path: Path) -> None:
    async with FakeOpenAI() as upstream:
        text = requests() + registered("gpu", upstream) + route("completion", "gpu")
        async with serving(configuration(tmp_path, text)) as served:
            content = {"current_file": FILE}
            path = "/v2/completions"
            answer = await served.ask("POST", path, key=DEVELOPER, content=content)
            assert answer.status == 200
            assert [each.deployments for each in await served.traces()] == [("gpu",)]


async def test_an_unknown_family_is_asked_as_any_with_a_warning(tmp_path: Path) -> None:
    async with requesting(tmp_path, FakeOpenAI(api_key=HUSH)) as (served, upstream):
        assert (await ask(served, upstream.endpoint, model_name="brand-new")).status == 200
        (trace,) = await served.traces()
        assert trace.family == "general"
        assert "'brand-new'" in trace.warnings[0]


async def test_no_identifier_means_the_only_model_that_is_served(tmp_path: Path) -> None:
    async with requesting(tmp_path, FakeOpenAI(api_key=HUSH, model="org/only-one")) as (
        served,
        upstream,
    ):
        for _ in range(3):
            assert (await ask(served, upstream.endpoint, "")).status == 200
        assert {each["model"] for each in upstream.asked()} == {"org/only-one"}


async def test_no_identifier_means_the_family_where_nobody_lists_models(tmp_path: Path) -> None:
    async with requesting(tmp_path, Unlisted(api_key=HUSH, model="codestral")) as (
        served,
        upstream,
    ):
        assert (await ask(served, upstream.endpoint, "")).status == 200
        assert {each["model"] for each in upstream.asked()} == {"codestral"}


async def test_nothing_else_is_connected_to(tmp_path: Path) -> None:
    async with FakeOpenAI() as evil, requesting(tmp_path, FakeOpenAI()) as (served, good):
        for endpoint in (
            evil.endpoint,
            f"http://127.0.0.1:{good.port}@127.0.0.1:{evil.port}/v1",
            f"http://localhost:{good.port}/v1",
            f"http://0x7f000001:{good.port}/v1",
            "http://169.254.169.254/v1",
            "/v1",
            "file:///etc/passwd",
        ):
            answer = await ask(served, endpoint)
            assert answer.status == 422, endpoint
            (told,) = answer.json["detail"]
            assert told["loc"] == ["body", "model_endpoint"]
            assert "model_endpoint" in told["msg"]
            assert HUSH not in answer.body.decode()
        assert not good.connections + evil.connections


async def test_what_is_allowed_is_still_subject_to_the_networks(tmp_path: Path) -> None:
    async with FakeOpenAI(api_key=HUSH) as upstream:
        text = requests("http://*:*") + '[egress]\nnetworks = ["10.0.0.0/8"]\n'
        async with serving(configuration(tmp_path, text)) as served:
            answer = await ask(served, upstream.endpoint)
            assert answer.status == 503
            assert "outside of the networks" in answer.json["detail"][0]["msg"]
            metadata = await ask(served, "http://169.254.169.254/v1")
            assert metadata.status == 422
            assert "metadata service" in metadata.json["detail"][0]["msg"]
            assert not upstream.connections


async def test_a_redirect_leads_nowhere(tmp_path: Path) -> None:
    async with FakeOpenAI() as evil, FakeOpenAI() as good:

        async def redirect(exchange: Exchange) -> None:
            head = f"HTTP/1.1 307 X\r\nlocation: {evil.endpoint}/completions\r\n"
            await exchange.send(f"{head}content-length: 0\r\n\r\n".encode())

        good.faults.extend([redirect] * 3)
        async with serving(configuration(tmp_path, requests(good.url))) as served:
            answer = await ask(served, good.endpoint)
            assert answer.status == 503
            assert not evil.connections


async def test_a_wrong_key_closes_the_door_for_nobody_else(tmp_path: Path) -> None:
    async with requesting(tmp_path, FakeOpenAI(api_key=HUSH)) as (served, upstream):
        for _ in range(8):
            wrong = await ask(served, upstream.endpoint, model_api_key="sk-wrong-0123456789")
            assert wrong.status == 503
            assert "sk-wrong" not in wrong.body.decode()
        assert (await ask(served, upstream.endpoint)).status == 200


async def test_a_model_of_a_request_is_not_asked_when_nobody_asks_for_it(tmp_path: Path) -> None:
    async with FakeOpenAI(api_key=HUSH) as ours, FakeOpenAI(api_key=HUSH) as theirs:
        text = requests(theirs.url) + registered("gpu", ours) + route("completion", "gpu")
        async with serving(configuration(tmp_path, text)) as served:
            for _ in range(6):
                wrong = await ask(served, theirs.endpoint, model_api_key="sk-wrong-0123456789")
                assert wrong.status == 503
            for _ in range(6):
                without = dict.fromkeys(("model_provider", "model_name", "model_identifier"))
                refused = await ask(served, "", **without, model_api_key=None)
                assert refused.status == 503
            before = len(ours.requests), len(theirs.requests)
            # Ours rests and is looked at again and again; the second look begins after the first.
            await ours.until(lambda: len(ours.requests) == before[0] + 2)
            assert len(theirs.requests) == before[1]


async def test_metrics_have_one_label_for_all_of_them(tmp_path: Path) -> None:
    async with requesting(tmp_path, FakeOpenAI(api_key=HUSH)) as (served, upstream):
        await ask(served, upstream.endpoint)
        await ask(served, upstream.endpoint, model_api_key="sk-wrong-0123456789")
        await served.gateway.records.flush()
        text = served.gateway.records.metrics.text().decode()
        labels = {part.split('"')[1] for part in text.split("deployment=")[1:]}
        assert labels == {"(requested)"}


@pytest.mark.parametrize("models", ["registry", "request"])
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"model_endpoint": "gpu:8000"}, "model_endpoint"),
        ({"model_endpoint": 7}, "model_endpoint"),
        ({"model_name": None}, "model_name"),
        ({"model_name": "x" * 51}, "model_name"),
        ({"model_provider": "unheard-of"}, "model_provider"),
        ({"model_identifier": ["x"]}, "model_identifier"),
        ({"model_endpoint": f"http://{'x' * 250}"}, "model_endpoint"),
        ({"model_api_key": "x" * 2001}, "model_api_key"),
        ({"model_identifier": "custom_openai/" + "x" * 1000}, "model_identifier"),
        ({"model_metadata": {"name": "mistral"}}, "model_metadata.provider"),
        ({"model_metadata": {"provider": "openai"}}, "model_metadata.name"),
        ({"model_metadata": "mistral"}, "model_metadata"),
        ({"model_metadata": {"provider": "x" * 256, "name": "m"}}, "model_metadata.provider"),
        (
            {"model_metadata": {"provider": "openai", "name": "m", "endpoint": "http://u:p@h/v1"}},
            "model_metadata.endpoint",
        ),
        (
            {"model_metadata": {"provider": "openai", "name": "m", "endpoint": "x" * 256}},
            "model_metadata.endpoint",
        ),
        (
            {"model_metadata": {"provider": "openai", "name": "m", "api_key": "x" * 2001}},
            "model_metadata.api_key",
        ),
        (
            {"model_metadata": {"provider": "openai", "name": "m", "identifier": "x" * 1001}},
            "model_metadata.identifier",
        ),
    ],
)
async def test_a_malformed_model_is_an_error_that_names_the_field(
    tmp_path: Path, models: str, fields: dict[str, Any], field: str
) -> None:
    async with FakeOpenAI() as upstream:
        text = f'[gitlab]\nmodels = "{models}"\nallowed_endpoints = ["http://*:*"]\n'
        text += registered("gpu", upstream) + route("completion", "gpu")
        async with serving(configuration(tmp_path, text)) as served:
            answer = await ask(served, upstream.endpoint, **fields)
            assert answer.status == 422
            (told,) = answer.json["detail"]
            assert told["loc"] == ["body", *field.split(".")]
            assert "u:p" not in answer.body.decode()
            assert not upstream.connections
