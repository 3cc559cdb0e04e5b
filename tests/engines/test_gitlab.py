"""What an administrator's GitLab asks first, with a GitLab's token and a real engine."""

from pathlib import Path

import pytest

from inhouse.core.trace import Outcome
from tests.engines.conftest import Fleet
from tests.engines.engine import DIALECTS, SMALL, Engine
from tests.gitlab.serving import gitlab_serving
from tests.server.serving import route

FILE = {
    "file_name": "test.rb",
    "content_above_cursor": "def hello_world",
    "content_below_cursor": "",
}


def declared(engine: Engine) -> str:
    deployments = "".join(
        f'[[deployments]]\nname = "{name}"\nfamily = "{family}"\n'
        f'endpoint = "{engine.base_url}/v1"\nidentifier = "custom_openai/{engine.model}"\n'
        for name, family in (("fills", "starcoder2"), ("talks", "general"))
    )
    routes = route("completion", "fills") + route("generation", "talks") + route("chat", "talks")
    return deployments + routes


@pytest.mark.parametrize("name", list(DIALECTS))
async def test_the_health_check_gets_code(name: str, fleet: Fleet, tmp_path: Path) -> None:
    async with gitlab_serving(tmp_path, declared(fleet.get(name, SMALL))) as (served, gitlab):
        reply = await served.ask(
            "POST",
            "/v2/code/completions",
            key=None,
            headers=gitlab.headers(),
            content={"prompt_version": 2, "prompt": None, "current_file": FILE},
        )
        assert reply.status == 200, reply.body
        assert reply.json["choices"][0]["text"].strip()
        model = reply.json["model"]
        assert (model["engine"], model["name"], model["lang"]) == ("litellm", "starcoder2", "ruby")
        (trace,) = await served.traces()
        assert trace.outcome is Outcome.OK
        assert trace.completion_tokens > 0


@pytest.mark.parametrize("name", list(DIALECTS))
async def test_code_streams_as_text_and_as_events(name: str, fleet: Fleet, tmp_path: Path) -> None:
    async with gitlab_serving(tmp_path, declared(fleet.get(name, SMALL))) as (served, gitlab):
        wanted = {
            "prompt_version": 2,
            "prompt": "Write a method that says hello.",
            "current_file": FILE,
            "stream": True,
        }
        reply = await served.ask(
            "POST", "/v2/code/generations", key=None, headers=gitlab.headers(), content=wanted
        )
        assert reply.status == 200, reply.body
        assert reply.headers["Content-Type"].startswith("text/event-stream")
        assert not reply.body.startswith(b"data:")
        component = {"type": "code_editor_completion", "payload": {**FILE, "stream": True}}
        reply = await served.ask(
            "POST",
            "/v4/code/suggestions",
            key=None,
            headers=gitlab.headers(),
            content={"prompt_components": [component]},
        )
        assert reply.status == 200, reply.body
        assert reply.headers["X-Streaming-Format"] == "sse"
        assert reply.body.startswith(b"event: stream_start\r\n")
        assert b"event: stream_end\r\n" in reply.body
