"""Every kind of bad input: the dialect's own shape, the right status, a sentence, a trace."""

import io
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from inhouse.core.trace import Outcome
from inhouse.records.log import Log
from tests.server.serving import (
    ADMIN,
    DEVELOPER,
    Reply,
    Served,
    configuration,
    route,
    scripted,
    serving,
)

DEPLOYMENTS = "".join(
    [
        scripted("talker"),
        scripted("liar", error="protocol"),
        scripted("locked", error="authentication", error_message="It refuses our key."),
        route("completion", "talker"),
        route("generation", "talker"),
        '[[routes]]\nfeature = "chat.fix"\ndisabled = true\n',
    ]
)
CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
HI = [{"role": "user", "content": "Hi"}]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncGenerator[Served]:
    async with serving(configuration(tmp_path, DEPLOYMENTS)) as running:
        yield running


async def check(served: Served, reply: Reply, status: int, says: str) -> None:
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/json"
    assert set(reply.error) == {"message", "type", "param", "code", "trace_id"}
    assert says in reply.error["message"]
    assert b"Traceback" not in reply.body
    assert b".py" not in reply.body
    (trace,) = await served.traces()
    assert reply.error["trace_id"] == trace.id == reply.headers["x-inhouse-trace-id"]
    assert trace.status == status
    assert trace.outcome in {Outcome.REFUSED, Outcome.FAILED}
    assert trace.error


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        (CHAT, {"model": "nobody", "messages": HI}, 404, "no model 'nobody'"),
        (CHAT, {"model": "talkr", "messages": HI}, 404, "talker"),
        (CHAT, {"model": "chat.fix", "messages": HI}, 404, "disabled"),
        (CHAT, {"model": "chat.tests", "messages": HI}, 404, "inhouse routes set chat.tests"),
        (CHAT, {"model": "completion", "messages": HI}, 400, "/v1/completions"),
        (CHAT, {"messages": HI}, 400, "model"),
        (CHAT, {"model": "chat"}, 400, "messages"),
        (CHAT, {"model": 5, "messages": HI}, 400, "expected `str`"),
        (CHAT, {"model": "chat", "messages": HI, "max_tokens": -5}, 400, "max_tokens"),
        (CHAT, {"model": "chat", "messages": HI, "temperature": "warm"}, 400, "temperature"),
        (CHAT, [], 400, "expected `object`"),
        (CHAT, "Hi", 400, "expected `object`"),
        (COMPLETIONS, {"model": "chat", "prompt": "x"}, 400, "/v1/chat/completions"),
        (COMPLETIONS, {"model": "completion"}, 400, "prompt"),
        (COMPLETIONS, {"model": "generation", "prompt": "x"}, 400, "'instruction'"),
        (COMPLETIONS, {"model": "completion", "prompt": [1, 2]}, 400, "token numbers"),
        (COMPLETIONS, {"model": "completion", "prompt": "x", "echo": True}, 400, "echo"),
        (COMPLETIONS, {"model": "completion", "prompt": "x", "n": 10**30}, 400, "'n'"),
        (CHAT, {"model": "liar", "messages": HI}, 502, "script says so"),
        (CHAT, {"model": "locked", "messages": HI, "stream": True}, 502, "refuses our key"),
    ],
)
async def test_a_wrong_request_is_told_so(
    served: Served, path: str, body: Any, status: int, says: str
) -> None:
    reply = await served.ask("POST", path, key=DEVELOPER, content=body)
    await check(served, reply, status, says)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b'{"model": chat}', b"\xff\xfe", b'{"model": "x"' + b"[" * 50_000],
    ids=["empty", "cut", "unquoted", "not UTF-8", "deep"],
)
@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
async def test_what_is_not_json_is_told_so(served: Served, path: str, raw: bytes) -> None:
    reply = await served.ask("POST", path, raw=raw)
    await check(served, reply, 400, "The body is not JSON")


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "no API key"),
        ({"Authorization": "Bearer"}, "no API key"),
        ({"Authorization": "Basic dTpw"}, "no API key"),
        ({"Authorization": "Bearer ihk_unknown"}, "Unknown or revoked"),
        ({"Authorization": f"Bearer {ADMIN}x"}, "Unknown or revoked"),
        ({"api-key": "\u00fc"}, "Unknown or revoked"),
    ],
)
async def test_a_wrong_key_is_told_so(served: Served, headers: dict[str, str], says: str) -> None:
    reply = await served.ask("POST", CHAT, key=None, headers=headers, content={})
    await check(served, reply, 401, says)
    assert reply.headers["www-authenticate"] == "Bearer"


async def test_a_defect_shows_nothing_and_is_logged(served: Served) -> None:
    class Broken:
        def stream(self, *_: object) -> None:
            raise ZeroDivisionError("the inner secret")

    served.gateway.log = Log(style="json", out=(written := io.StringIO()))
    served.gateway.chat = Broken()  # pyright: ignore[reportAttributeAccessIssue]
    reply = await served.ask("POST", CHAT, content={"model": "talker", "messages": HI})
    await check(served, reply, 500, "inside inhouse")
    assert b"secret" not in reply.body
    (line,) = written.getvalue().splitlines()
    assert "the inner secret" in line
    assert reply.error["trace_id"] in line


async def test_after_every_refusal_the_gateway_still_answers(served: Served) -> None:
    for raw in (b"", b"{", b"[]", b'{"model": "x"}'):
        await served.ask("POST", CHAT, raw=raw)
    reply = await served.ask("POST", CHAT, content={"model": "talker", "messages": HI})
    assert reply.status == 200
