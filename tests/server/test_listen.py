"""Listening: many at once, an orderly stop, addresses that cannot be had."""

import asyncio
import os
import re
import signal
import sqlite3
from pathlib import Path

import aiohttp
import msgspec
import pytest

from inhouse.core.trace import Outcome
from inhouse.errors import ConfigError
from inhouse.gateway import Gateway
from inhouse.server import Addresses, serve
from tests.server.serving import ADMIN, Served, configuration, route, scripted, serving

BODY = {"model": "chat", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
HELD = scripted("held", gate="end", gate_after=5) + route("chat", "held")


async def ask(served: Served) -> bytes:
    return (await served.ask("POST", "/v1/chat/completions", content=BODY)).body


def stored(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "x.db") as database:
        return [outcome for (outcome,) in database.execute("SELECT outcome FROM traces")]


async def test_a_hundred_streams_at_once(tmp_path: Path) -> None:
    async with serving(configuration(tmp_path, HELD)) as served:
        asking = [asyncio.create_task(ask(served)) for _ in range(100)]
        while len(served.scripted.calls) < 100:
            await served.ask("GET", "/health")
        served.scripted.gate("end").release()
        answers = await asyncio.gather(*asking)
    assert all(answer.endswith(b"data: [DONE]\n\n") for answer in answers)
    assert stored(tmp_path) == ["ok"] * 100


async def test_a_stop_lets_running_requests_end_and_takes_no_new_ones(tmp_path: Path) -> None:
    async with serving(configuration(tmp_path, HELD)) as served:
        asking = asyncio.create_task(ask(served))
        gate = served.scripted.gate("end")
        await gate.reached.wait()
        asyncio.get_running_loop().call_later(0, gate.release)
    assert (await asking).endswith(b"data: [DONE]\n\n")
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(served)
    assert stored(tmp_path) == ["ok"]


async def test_a_stop_does_not_wait_for_ever_and_loses_no_trace(tmp_path: Path) -> None:
    configured = configuration(tmp_path, HELD, server="shutdown_seconds = 0")
    async with serving(configured) as served:
        asking = asyncio.create_task(ask(served))
        await served.scripted.gate("end").reached.wait()
        (call,) = served.scripted.calls
    body = await asking
    assert b'"code":"stopping"' in body
    assert b"[DONE]" not in body
    assert call.aborted
    assert stored(tmp_path) == [Outcome.FAILED]


async def test_who_still_waits_when_it_stops_is_told_so(tmp_path: Path) -> None:
    busy = scripted("busy", hang=True).replace(
        "[deployments.options]", "max_concurrent = 1\n[deployments.options]"
    )
    configured = configuration(
        tmp_path, busy + route("chat", "busy"), server="shutdown_seconds = 0"
    )
    async with serving(configured) as served:
        tasks = [
            asyncio.create_task(served.ask("POST", "/v1/chat/completions", content=BODY))
            for _ in range(3)
        ]
        while sum(each.load for each in served.gateway.standings.known()) < 3:
            await served.ask("GET", "/health")
    for reply in await asyncio.gather(*tasks):
        assert (reply.status, reply.error["code"]) == (503, "stopping")
        assert reply.headers["retry-after"] == "1"
    assert stored(tmp_path) == ["failed"] * 3
    assert [each.load for each in served.gateway.standings.known()] == [0]


async def test_a_signal_stops_the_server_with_every_trace_written(tmp_path: Path) -> None:
    seen: list[Addresses] = []
    started = asyncio.Event()

    def on_started(addresses: Addresses) -> None:
        seen.append(addresses)
        started.set()

    async with Gateway.open(configuration(tmp_path, HELD)) as gateway:
        serving = asyncio.create_task(serve(gateway, on_started=on_started))
        await started.wait()
        await Served(gateway, seen[0]).ask("GET", "/v1/models")
        os.kill(os.getpid(), signal.SIGTERM)
        await serving
    assert stored(tmp_path) == ["ok"]


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    async with serving(configuration(tmp_path)) as served:
        configured = configuration(tmp_path / "second")
        taken = msgspec.structs.replace(configured.server, port=served.port)
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1, port {served.port}: .*in use"):
            async with serving(msgspec.structs.replace(configured, server=taken)):
                pass


async def test_of_two_ports_that_are_taken_the_callers_is_named(tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    async with serving(configuration(tmp_path)) as served:
        assert served.metrics is not None
        configured = configuration(tmp_path / "second")
        both = msgspec.structs.replace(
            configured,
            server=msgspec.structs.replace(configured.server, port=served.port),
            metrics=msgspec.structs.replace(
                configured.metrics, port=int(served.metrics.rpartition(":")[2])
            ),
        )
        with pytest.raises(ConfigError, match=rf"port {served.port}: .*\[server\]"):
            async with serving(both):
                pass


@pytest.mark.parametrize("host", ["192.0.2.1", "ü..x", "x" * 300])
async def test_a_host_that_is_not_here_is_named(tmp_path: Path, host: str) -> None:
    configured = configuration(tmp_path)
    elsewhere = msgspec.structs.replace(configured.server, host=host)
    with pytest.raises(ConfigError, match=f"Cannot listen on {re.escape(host)}"):
        async with serving(msgspec.structs.replace(configured, server=elsewhere)):
            pass


async def test_the_metrics_listener_can_be_off(tmp_path: Path) -> None:
    configured = configuration(tmp_path)
    off = msgspec.structs.replace(configured.metrics, enabled=False)
    async with serving(msgspec.structs.replace(configured, metrics=off)) as served:
        assert served.metrics is None
        assert (await served.ask("GET", "/health", key=ADMIN)).status == 200
