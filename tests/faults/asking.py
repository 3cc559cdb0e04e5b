"""A gateway with a faulty deployment, everything that can be asked of it, and what came of it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from tests.fakes.faults import FaultProxy
from tests.fakes.openai import FakeOpenAI
from tests.server.serving import Reply, Served

HOLE: dict[str, Any] = {"prompt": "def area(width, height):\n    return", "suffix": "\n"}
SAID: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
FEATURES = ("completion", "generation", "chat")
QUESTIONS: tuple[tuple[str, dict[str, Any]], ...] = tuple(
    (path, {**body, "max_tokens": 8, "stream": stream})
    for stream in (False, True)
    for path, body in (
        ("/v1/completions", {"model": "completion", **HOLE}),
        ("/v1/completions", {"model": "generation", "instruction": "add", **HOLE}),
        ("/v1/chat/completions", {"model": "chat", **SAID}),
    )
)
WORDS = "".join(f" w{number}" for number in range(8))
HASTE = {"connect": 0.5, "first_token": 0.4, "between_tokens": 0.4, "total": 1.5}
"""Deadlines of a faulty deployment: a healthy one beside it has all its time."""


class Came(Struct, frozen=True):
    """What came of a request: text to its end, or a clear error, perhaps behind some text."""

    status: int
    text: str = ""
    code: str = ""
    message: str = ""
    deployment: str = ""
    retry_after: str | None = None

    @property
    def ok(self) -> bool:
        return not self.code


def deployment(name: str, endpoint: str, deadlines: dict[str, float], **options: object) -> str:
    lines = [f"{key} = {json.dumps(value)}" for key, value in options.items()]
    times = [f"{key} = {value}" for key, value in deadlines.items()]
    return "\n".join(
        [
            f'[[deployments]]\nname = "{name}"\nfamily = "qwen-coder"',
            f'identifier = "custom_openai/tiny-coder"\nendpoint = "{endpoint}"',
            *("[deployments.options]", *lines),
            *("[deployments.deadlines]", *times),
            "",
        ]
    )


def routes(*deployments: str) -> str:
    return "\n".join(
        f'[[routes]]\nfeature = "{feature}"\ndeployments = {json.dumps(deployments)}'
        for feature in FEATURES
    )


def faulty(proxy: FaultProxy, *, hasty: bool = False, **options: object) -> str:
    """Return a deployment behind a proxy; a `hasty` one is not waited for long."""
    return deployment("faulty", proxy.endpoint, HASTE if hasty else {}, **options)


def healthy(upstream: FakeOpenAI) -> str:
    return deployment("healthy", upstream.endpoint, {})


async def ask(
    session: aiohttp.ClientSession, served: Served, path: str, body: dict[str, Any]
) -> Came:
    """Send one request and read what comes of it; anything unclear is an assertion's failure."""
    async with session.post(served.url + path, json=body) as answer:
        reply = Reply(answer.status, answer.headers, await answer.read())
    assert answer.headers["x-inhouse-trace-id"]
    came = _stream(reply) if reply.status == 200 and body["stream"] else _whole(reply)
    return msgspec.structs.replace(
        came,
        deployment=answer.headers.get("x-inhouse-deployment", ""),
        retry_after=answer.headers.get("retry-after"),
    )


def _whole(reply: Reply) -> Came:
    assert reply.headers["content-type"].startswith("application/json")
    if reply.status != 200:
        return _error(reply.status, reply.json, "")
    (choice,) = reply.json["choices"]
    assert choice["finish_reason"]
    return Came(200, choice["text"] if "text" in choice else choice["message"]["content"])


def _stream(reply: Reply) -> Came:
    assert reply.headers["content-type"].startswith("text/event-stream")
    *events, end = reply.body.decode().split("\n\n")
    assert not end
    text, finished = "", False
    for event in events:
        assert event.startswith("data: ")
        data = event.removeprefix("data: ")
        if data == "[DONE]":
            assert finished
            assert event is events[-1]
            return Came(200, text)
        said = json.loads(data)
        if "error" in said:
            assert event is events[-1] or events[-1] == "data: [DONE]"
            return _error(200, said, text)
        for choice in said["choices"]:
            text += choice.get("text") or choice.get("delta", {}).get("content") or ""
            finished = finished or bool(choice["finish_reason"])
    raise AssertionError(f"a stream that ends without saying so: {reply.body!r}")


def _error(status: int, body: Any, text: str) -> Came:
    """Check that an error has the dialect's shape and says something."""
    error = body["error"]
    assert error.keys() >= {"message", "type", "param", "code"}
    assert error["message"].endswith((".", "?", '"', ".)"))
    assert "Traceback" not in error["message"]
    return Came(status, text, error["code"], error["message"])


async def check_counters(session: aiohttp.ClientSession, served: Served, sent: int) -> None:
    """Check that each request has one trace and is counted once, under the same outcome."""
    traces = [each for each in await served.traces() if each.endpoint.startswith("/v1/")]
    assert len(traces) == sent
    assert len({each.id for each in traces}) == sent
    assert served.metrics is not None
    async with session.get(f"{served.metrics}/metrics") as answer:
        text = await answer.text()
    counted: Counter[str] = Counter()
    for line in text.splitlines():
        if line.startswith("inhouse_requests_total{") and 'endpoint="/v1/' in line:
            outcome = line.partition('outcome="')[2].partition('"')[0]
            counted[outcome] += int(float(line.rpartition(" ")[2]))
    assert counted == Counter(each.outcome.value for each in traces)
    for each in traces:
        assert bool(each.error) == (each.outcome.value != "ok")
