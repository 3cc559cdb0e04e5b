"""What no single answer shows: who may ask, what is counted, and that hanging up helps."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from inhouse.core.trace import Outcome
from tests.server.serving import (
    CHAT_ONLY,
    DEVELOPER,
    Served,
    configuration,
    route,
    scripted,
    serving,
)

PATHS = ("/v1/completions", "/tabby/v1/completions")
TEAM = "ihk_team_0123456789abcdef"
TEXT = "".join(
    [
        scripted("filler", family="codestral", tokens=["a", " + ", "b"]),
        scripted("Größe 7", family="codestral", tokens=["c"]),
        scripted("talker"),
        route("completion", "filler"),
        route("chat", "talker"),
        '[[teams]]\nname = "backend"\n',
        '[[routes]]\nfeature = "completion"\nteam = "backend"\ndeployments = ["Größe 7"]\n',
        f'[[keys]]\nname = "tim"\nrole = "developer"\nteam = "backend"\nkey = "{TEAM}"\n',
    ]
)


def body(prefix: str = "return ", **segments: Any) -> dict[str, Any]:
    return {"language": "python", "segments": {"prefix": prefix, **segments}}


async def told(served: Served, completion: str, event: str, query: str = "") -> None:
    content = {"type": event, "completion_id": completion, "choice_index": 0}
    reply = await served.ask("POST", f"/v1/events{query}", key=DEVELOPER, content=content)
    assert (reply.status, reply.body) == (200, b"")


async def counted(served: Served) -> set[str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{served.metrics}/metrics") as answer,
    ):
        text = await answer.text()
    return {line for line in text.splitlines() if line.startswith("inhouse_suggestions_total")}


async def test_what_becomes_of_suggestions_is_counted(tmp_path: Path) -> None:
    async with serving(configuration(tmp_path, TEXT)) as served:
        for key in (DEVELOPER, TEAM):
            reply = await served.ask("POST", PATHS[0], key=key, content=body())
            await told(served, reply.json["id"], "view")
            await told(served, reply.json["id"], "select", "?select_kind=line")
        await told(served, reply.json["id"], "select")
        # Whatever an id says, it makes no new label.
        for odd in ("agent-1", f"cmpl-{'0' * 32}-nobody", f"cmpl-{'0' * 32}-%FF", "cmpl-x-filler"):
            await told(served, odd, "dismiss")
        found = await counted(served)
        traces = await served.traces()
    assert found == {
        'inhouse_suggestions_total{deployment="filler",event="view"} 1.0',
        'inhouse_suggestions_total{deployment="filler",event="select_line"} 1.0',
        'inhouse_suggestions_total{deployment="Größe 7",event="view"} 1.0',
        'inhouse_suggestions_total{deployment="Größe 7",event="select_line"} 1.0',
        'inhouse_suggestions_total{deployment="Größe 7",event="select"} 1.0',
        'inhouse_suggestions_total{deployment="",event="dismiss"} 4.0',
    }
    assert {each.feature for each in traces} == {"completion"}


@pytest.mark.parametrize("path", PATHS)
async def test_a_key_may_not_ask_for_what_it_does_not_allow(path: str, tmp_path: Path) -> None:
    async with serving(configuration(tmp_path, TEXT)) as served:
        reply = await served.ask("POST", path, key=CHAT_ONLY, content=body())
        health = await served.ask("GET", "/v1/health", key=CHAT_ONLY)
        models = await served.ask("GET", "/v1beta/models", key=CHAT_ONLY)
        assert not served.scripted.calls
    assert reply.status == 403
    assert reply.json.keys() == {"error", "trace_id"}
    assert "'completion'" in reply.json["error"]
    assert "model" not in health.json
    assert health.json["chat_model"] == "talker"
    assert models.json == {"completion": None, "chat": ["chat"]}


async def test_a_team_is_told_of_its_own_models(tmp_path: Path) -> None:
    async with serving(configuration(tmp_path, TEXT)) as served:
        health = await served.ask("GET", "/v1/health", key=TEAM)
        models = await served.ask("GET", "/v1beta/models", key=TEAM)
    assert health.json["model"] == "Größe 7"
    assert models.json["completion"] == ["completion", "Größe 7"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_hang_up_reaches_the_upstream(path: str, tmp_path: Path) -> None:
    text = scripted("toy", gate="here") + route("completion", "toy")
    async with serving(configuration(tmp_path, text)) as served:
        asking = asyncio.create_task(served.ask("POST", path, content=body()))
        await served.scripted.gate("here").reached.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        (call,) = served.scripted.calls
        await call.ended.wait()
        assert call.aborted


async def test_a_later_completion_takes_the_place_of_the_earlier_one(tmp_path: Path) -> None:
    """In whichever of the two dialects of the path it asks."""
    text = scripted("toy", gate="here") + route("completion", "toy")
    async with serving(configuration(tmp_path, text)) as served:
        asked = body("x = ", filepath="a.py") | {"user": "ada"}
        earlier = asyncio.create_task(served.ask("POST", PATHS[0], content=asked))
        await served.scripted.gate("here").reached.wait()
        later = {"model": "completion", "prompt": "def f(", "path": "a.py", "user": "ada"}
        latest = asyncio.create_task(served.ask("POST", PATHS[0], content=later))
        reply = await earlier
        served.scripted.gate("here").release()
        await latest
        traces = await served.traces()
    assert (reply.status, reply.json["choices"]) == (200, [{"index": 0, "text": ""}])
    assert {each.outcome for each in traces} == {Outcome.SUPERSEDED, Outcome.OK}
