"""What the contract's cases cannot tell of the endpoints for code: frames, hang-ups, defects."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.delta import Delta
from inhouse.core.trace import Outcome
from inhouse.errors import InvalidValueError, RequestError
from inhouse.server.api.gitlab.refusals import refusal
from inhouse.server.errors import problem
from inhouse.wire.gitlab import code, suggestions
from inhouse.wire.gitlab.answers import Answering
from inhouse.wire.gitlab.suggestion_events import Events
from inhouse.wire.gitlab.unframed import Unframed
from tests.fakes.http import PATIENCE
from tests.gitlab.holding import frames
from tests.gitlab.serving import gitlab_serving
from tests.server.serving import DEVELOPER, Served, configuration, route, scripted, serving

WHO = Answering(engine="agent", name="general", language="", created=1, flags=[])
FILE = {"file_name": "a.py", "content_above_cursor": "x = ", "content_below_cursor": ""}
PROMPT = {"prompt_version": 2, "prompt": "one"}


def flat(**more: Any) -> dict[str, Any]:
    return {"current_file": FILE, **more}


def component(kind: str, **more: Any) -> dict[str, Any]:
    return {"prompt_components": [{"type": f"code_editor_{kind}", "payload": {**FILE, **more}}]}


BODIES: list[tuple[str, dict[str, Any]]] = [
    (path, body)
    for stream in (False, True)
    for path, body in (
        ("/v2/code/completions", flat(stream=stream)),
        ("/v2/completions", flat(stream=stream)),
        ("/v2/code/generations", flat(stream=stream, **PROMPT)),
        ("/v3/code/completions", component("completion", stream=stream)),
        ("/v4/code/suggestions", component("completion", stream=stream)),
        ("/v4/code/suggestions", component("generation", stream=stream)),
    )
]


@given(st.lists(st.text()))
def test_frames_parse_back_to_the_text_for_any_split(texts: list[str]) -> None:
    events = Events(WHO)
    deltas = [events.encode(Delta(text=text)) for text in texts]
    first, *chunks, last = frames(b"".join([events.begin(), *deltas, events.end()]))
    assert first == (
        "stream_start",
        {"metadata": {"model": {"engine": "agent", "name": "general"}, "timestamp": 1}},
    )
    assert last == ("stream_end", None)
    assert {name for name, _ in chunks} <= {"content_chunk"}
    said = [chunk["choices"][0]["delta"]["content"] for _, chunk in chunks]
    assert said == [text for text in texts if text]


@given(st.lists(st.text()))
def test_a_stream_without_frames_is_its_text(texts: list[str]) -> None:
    raw = Unframed()
    pieces = [raw.begin(), *(raw.encode(Delta(text=text)) for text in texts), raw.end()]
    assert b"".join(pieces).decode() == "".join(texts)


def test_a_defect_is_told_in_a_form_that_gitlab_shows() -> None:
    status, body = refusal(problem(ZeroDivisionError("secret")), "7e57")
    told = msgspec.json.decode(body)
    assert status == 500
    assert told["trace_id"] == "7e57"
    assert "went wrong inside inhouse" in told["detail"][0]["msg"]
    assert "secret" not in body.decode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
MEMBERS = (*code.CodeBody.__struct_fields__, *suggestions.Body.__struct_fields__)


@given(st.binary() | st.dictionaries(st.sampled_from(MEMBERS), JSON).map(json.dumps))
def test_whatever_is_sent_is_read_or_refused(raw: bytes | str) -> None:
    body = raw if isinstance(raw, bytes) else raw.encode()
    for decode in (code.decode_completion, code.decode_generation, decode_suggestion):
        with contextlib.suppress(InvalidValueError, RequestError):
            decode(body)


def decode_suggestion(raw: bytes) -> object:
    return suggestions.decode(raw, "")


FILLING = {"inputs": {"prefix": "def f(", "suffix": "", "file_name": "a.py", "language": ""}}
APART = {
    "nobody in particular": ("/v2/code/completions", None, [flat(), flat()]),
    "nobody by a prompt": ("/v2/prompts/code_suggestions%2Fcompletions", None, [FILLING, FILLING]),
    "files of two projects": (
        "/v2/completions",
        "ada",
        [flat(project_path="group/one"), flat(project_path="group/two")],
    ),
}
"""Requests that are none of each other's business: the path, the user, and the bodies."""


@pytest.mark.parametrize(("path", "user", "bodies"), APART.values(), ids=APART)
async def test_requests_apart_do_not_take_each_other_s_place(
    tmp_path: Path, path: str, user: str | None, bodies: list[dict[str, Any]]
) -> None:
    deployment = scripted("gated", family="codestral", gate="held", tokens=["1"])
    async with (
        gitlab_serving(tmp_path, deployment + route("completion", "gated")) as (served, gitlab),
        asyncio.TaskGroup() as group,
    ):
        headers = gitlab.headers(x_gitlab_global_user_id=user)
        asked = [
            group.create_task(served.ask("POST", path, key=None, headers=headers, content=body))
            for body in bodies
        ]
        async with asyncio.timeout(PATIENCE):
            while len(served.scripted.calls) < 2:
                await served.ask("GET", "/health")
            served.scripted.gate("held").release()
            replies = [await each for each in asked]
    assert [reply.status for reply in replies] == [200, 200]
    assert {trace.outcome for trace in await served.traces()} == {Outcome.OK}


def test_a_body_that_is_printed_shows_no_key() -> None:
    raw = json.dumps(flat(model_api_key="sk-hush", model_metadata={"api_key": "sk-hush"}))
    body = msgspec.json.decode(raw, type=code.CodeBody)
    assert body.model_api_key == "sk-hush"
    assert "hush" not in f"{body!r} {body.model_metadata!r}"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncGenerator[Served]:
    gated = scripted("gated", family="codestral", gate="held", gate_after=2)
    routes = route("completion", "gated") + route("generation", "gated")
    async with serving(configuration(tmp_path, gated + routes)) as running:
        yield running


@pytest.mark.parametrize(("path", "body"), BODIES)
async def test_a_hang_up_stops_the_upstream(
    served: Served, path: str, body: dict[str, Any]
) -> None:
    content = msgspec.json.encode(body)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {DEVELOPER}\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    async with asyncio.timeout(PATIENCE):
        await served.scripted.gate("held").reached.wait()
        writer.close()
        (call,) = served.scripted.calls
        await call.ended.wait()
        while not (traces := await served.traces()):
            pass
    assert call.aborted
    assert [(each.endpoint, each.outcome) for each in traces] == [(path, Outcome.CANCELLED)]


@pytest.mark.parametrize(("path", "body"), BODIES)
async def test_each_answer_tells_how_long_it_took(
    served: Served, path: str, body: dict[str, Any]
) -> None:
    served.scripted.gate("held").release()
    reply = await served.ask("POST", path, key=DEVELOPER, content=body)
    assert reply.status == 200
    assert 0 < float(reply.headers["X-Process-Time"]) < 60
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
