"""A caller who hangs up stops the upstream: in every phase, whatever was asked."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest

from inhouse.core.trace import Outcome, Trace
from tests.server.serving import DEVELOPER, Served, configuration, route, scripted, serving

DEPLOYMENTS = "".join(
    [
        scripted("before", family="codestral", gate="start"),
        scripted("middle", family="codestral", gate="middle", gate_after=2),
        scripted("last", family="codestral", gate="last", gate_after=5),
        route("chat", "before"),
    ]
)
BODIES = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hi"}]},
    "/v1/completions": {"prompt": "def f("},
}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncGenerator[Served]:
    async with serving(configuration(tmp_path, DEPLOYMENTS)) as running:
        yield running


async def start(
    served: Served, path: str, model: str, *, stream: bool
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    body = msgspec.json.encode({**BODIES[path], "model": model, "stream": stream})
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {DEVELOPER}\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return reader, writer


@pytest.mark.parametrize("abruptly", [False, True], ids=["FIN", "RST"])
@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    ("model", "gate", "stream"),
    [
        ("before", "start", False),
        ("before", "start", True),
        ("middle", "middle", False),
        ("middle", "middle", True),
        ("last", "last", True),
    ],
    ids=[
        "not streaming",
        "before the first token",
        "not streaming, the upstream is",
        "in mid-stream",
        "before the end",
    ],
)
async def test_a_hang_up_stops_the_upstream(
    served: Served, path: str, model: str, gate: str, stream: bool, abruptly: bool
) -> None:
    reader, writer = await start(served, path, model, stream=stream)
    await served.scripted.gate(gate).reached.wait()
    if stream and model != "before":
        assert b"200 OK" in await reader.readuntil(b"\n\n")
    if abruptly:
        writer.transport.abort()
    else:
        writer.close()
    (call,) = served.scripted.calls
    await call.ended.wait()
    assert call.aborted
    (trace,) = await settled(served, 1)
    assert (trace.outcome, trace.status, trace.error) == (Outcome.CANCELLED, 499, "")
    assert trace.deltas == call.deltas
    assert trace.deployments == (model,)


async def test_a_hang_up_within_the_body_is_noted(served: Served) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {DEVELOPER}\r\n"
    writer.write(f"{head}Content-Length: 100\r\n\r\nabc".encode())
    await writer.drain()
    while served.gateway.records.running_requests == 0:
        await served.ask("GET", "/health")
    writer.close()
    (trace,) = await settled(served, 1)
    assert trace.outcome is Outcome.CANCELLED
    assert not served.scripted.calls


async def test_others_are_not_disturbed(served: Served) -> None:
    many = [await start(served, "/v1/chat/completions", "chat", stream=True) for _ in range(20)]
    await served.scripted.gate("start").reached.wait()
    while len(served.scripted.calls) < 20:
        await served.ask("GET", "/health")
    for _, writer in many[::2]:
        writer.close()
    traces = await settled(served, 10)
    assert {trace.outcome for trace in traces} == {Outcome.CANCELLED}
    served.scripted.gate("start").release()
    for reader, writer in many[1::2]:
        assert b"[DONE]" in await reader.readuntil(b"[DONE]")
        writer.close()
    outcomes = [trace.outcome for trace in await settled(served, 20)]
    assert outcomes.count(Outcome.OK) == 10


async def test_a_hang_up_after_the_answer_is_none(served: Served) -> None:
    served.scripted.gate("start").release()
    reader, writer = await start(served, "/v1/completions", "before", stream=False)
    await reader.readuntil(b"}}")
    writer.close()
    (trace,) = await settled(served, 1)
    assert trace.outcome is Outcome.OK


async def settled(served: Served, count: int) -> list[Trace]:
    """Return the traces once there are `count` of them."""
    while len(found := await served.traces()) < count:
        pass
    return list(found)
