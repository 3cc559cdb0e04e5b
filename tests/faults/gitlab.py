"""Everything of GitLab's that asks a model, in each of its forms, and what came of it."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from tests.server.serving import Served

FILE: dict[str, Any] = {
    "file_name": "a.py",
    "content_above_cursor": "def area(width, height):\n    return ",
    "content_below_cursor": "\n",
}


def component(kind: str, *, stream: bool) -> dict[str, Any]:
    payload = {**FILE, "stream": stream}
    return {"prompt_components": [{"type": f"code_editor_{kind}", "payload": payload}]}


def conversation(*, stream: bool) -> dict[str, Any]:
    payload = {"content": "Explain.", "provider": "litellm"}
    return {"prompt_components": [{"type": "prompt", "payload": payload}], "stream": stream}


def editing(*, stream: bool, **more: Any) -> dict[str, Any]:
    return {"current_file": FILE, "stream": stream, **more}


def diff(*, stream: bool) -> dict[str, Any]:
    return {"inputs": {"diff": "+ 1"}, "stream": stream}


QUESTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    *(
        question
        for stream in (False, True)
        for question in (
            ("/v2/code/completions", editing(stream=stream)),
            ("/v2/completions", editing(stream=stream, choices_count=4)),
            ("/v2/code/generations", editing(stream=stream, prompt_version=2, prompt="add")),
            ("/v3/code/completions", component("completion", stream=stream)),
            ("/v4/code/suggestions", component("completion", stream=stream)),
            ("/v4/code/suggestions", component("generation", stream=stream)),
            ("/v1/chat/explain_code", conversation(stream=stream)),
            ("/v1/prompts/generate_commit_message", diff(stream=stream)),
            ("/v2/prompts/generate_commit_message", diff(stream=stream)),
            (
                "/api/v4/code_suggestions/completions",
                editing(stream=stream, intent="generation", project_path="group/project"),
            ),
        )
    ),
    ("/v2/chat/agent", {"messages": [{"role": "user", "content": "Hello"}]}),
    ("/v1/prompts/model_configuration/check", {}),
)
EDITOR = "[gitlab]\nserve_editor_api = true\n"


class Came(Struct, frozen=True):
    """What came of a request: `cut` where it broke off, `failed` where it says that it failed."""

    path: str
    status: int
    body: bytes
    cut: bool
    failed: bool
    trace: str

    @property
    def ok(self) -> bool:
        return self.status == 200 and not self.cut and not self.failed


async def ask(
    session: aiohttp.ClientSession, served: Served, path: str, body: dict[str, Any]
) -> Came:
    """Send one request and read what comes of it; an unclear refusal is an assertion's failure."""
    pieces: list[bytes] = []
    cut = False
    headers = {"X-Supports-Sse-Streaming": "true"}
    async with session.post(served.url + path, json=body, headers=headers) as answer:
        try:
            async for piece in answer.content.iter_any():
                pieces.append(piece)  # noqa: PERF401, what came before a cut counts
        except aiohttp.ClientPayloadError:
            cut = True
        whole = b"".join(pieces)
        kind, trace = answer.headers["content-type"], answer.headers["x-inhouse-trace-id"]
        events = answer.headers.get("x-streaming-format") == "sse"
    failed = False
    if answer.status != 200:
        assert not cut
        check_refusal(path, answer.status, whole, answer.headers.get("retry-after"))
    elif path == "/v2/chat/agent":
        assert not cut
        failed = check_events(kind, whole)
    elif events:
        assert whole.startswith(b"event: stream_start\r\n")
        assert cut != whole.endswith(b"event: stream_end\r\ndata: null\r\n\r\n")
    return Came(path, answer.status, whole, cut, failed, trace)


def check_refusal(path: str, status: int, body: bytes, retry_after: str | None) -> None:
    """Check that an error has the status and the shape that GitLab reads at this path."""
    assert b"Traceback" not in body
    said = msgspec.json.decode(body)
    if path.startswith("/api/"):
        assert said["message"].startswith(f"{status} ")
    elif status == 429:
        assert retry_after is None or int(retry_after) > 0
        if "/prompts/" not in path:
            assert said["detail"][0]["msg"].startswith("Too many requests. Please try again later.")
    elif "/prompts/" in path:
        assert status == 421
        number, _, why = said["detail"].partition(": ")
        assert 400 <= int(number) < 600
        assert " - " in why
    else:
        assert status == 503
        assert said["detail"][0]["msg"].startswith("Inference failed: ")


def check_events(kind: str, body: bytes) -> bool:
    """Check that a step of a conversation ends in one event of its kind; tell whether it failed."""
    assert kind.startswith("application/x-ndjson")
    events = [json.loads(line) for line in body.splitlines()]
    kinds = [each["type"] for each in events]
    assert body.endswith(b"\n")
    assert kinds.count("error") <= 1
    if "error" in kinds:
        assert kinds[-1] == "error"
        assert events[-1]["data"]["message"]
    return "error" in kinds
