"""`--workers`: several processes that look like one from outside."""

import asyncio
import contextlib
import os
import resource
import signal
import socket
import time
from pathlib import Path

import aiohttp
import msgspec

from tests.fakes.openai import HOLD, FakeOpenAI
from tests.server.serving import ADMIN, route, scripted
from tests.server.several import CHAT, PATIENCE, Several, begun, outcomes, several

TOY = scripted("toy") + route("chat", "toy")
STREAM = msgspec.json.encode({**CHAT, "stream": True})
LIMIT = 20
LIMITED = "ihk_limited_0123456789abcdef"


def held(upstream: FakeOpenAI) -> str:
    """Return TOML of a deployment that says nothing before its upstream is let go."""
    return (
        '[[deployments]]\nname = "held"\nfamily = "general"\n'
        f'identifier = "custom_openai/tiny-coder"\nendpoint = "{upstream.endpoint}"\n'
        f'[deployments.options]\nheaders = {{ {HOLD} = "1" }}\n' + route("chat", "held")
    )


async def streamed(gateway: Several, caller: int) -> bytes:
    """Return what of a stream arrives before it ends or breaks."""
    said = b""
    async with gateway.calling(caller) as session:
        try:
            async with session.post("/v1/chat/completions", data=STREAM) as answer:
                async for piece in answer.content.iter_any():
                    said += piece
        except aiohttp.ClientError:
            return said + b"(broken)"
    return said


async def test_each_worker_serves_and_counts_and_no_trace_is_lost(tmp_path: Path) -> None:
    async with several(tmp_path, TOY) as gateway:
        answers = await asyncio.gather(*(gateway.ask(caller=1 + i % 5) for i in range(200)))
        assert {answer.status for answer in answers} == {200}
        await gateway.sample_reaches("inhouse_requests_total", 200)
        assert await gateway.sample("inhouse_requests_total") == 200
        assert await gateway.sample("inhouse_request_seconds_count") == 200
        assert await gateway.sample("inhouse_workers") == 2
        assert await gateway.sample("inhouse_build") == 1
    assert gateway.process.returncode == 0
    assert outcomes(tmp_path) == ["ok"] * 200


async def test_a_killed_worker_takes_its_own_streams_with_it_and_is_replaced(
    tmp_path: Path,
) -> None:
    async with FakeOpenAI() as upstream, several(tmp_path, held(upstream)) as gateway:
        pids = await gateway.pids()
        first = asyncio.create_task(streamed(gateway, 2))
        await upstream.until(lambda: upstream.busy == 1)
        second = asyncio.create_task(streamed(gateway, 3))
        await upstream.until(lambda: upstream.busy == 2)
        os.kill(pids[0], signal.SIGKILL)
        assert (await first).endswith(b"(broken)")
        (death,) = await gateway.until("worker died")
        assert (death["worker"], death["why"]) == (0, "signal 9")
        replaced = await gateway.pids(3)
        assert replaced[0] != pids[0]
        assert replaced[1] == pids[1]
        upstream.released.set()
        assert (await second).endswith(b"data: [DONE]\n\n")
        for caller in range(2, 8):
            assert (await gateway.ask(caller=caller)).status == 200


async def test_what_a_killed_worker_had_counted_stays_counted(tmp_path: Path) -> None:
    async with several(tmp_path, TOY) as gateway:
        for caller in (2, 3, 4, 5):
            assert (await gateway.ask(caller=caller)).status == 200
        await gateway.sample_reaches("inhouse_requests_total", 4)
        for pid in (await gateway.pids()).values():
            os.kill(pid, signal.SIGKILL)
        await gateway.pids(4)
        assert await gateway.sample("inhouse_requests_total") == 4
        assert (await gateway.ask()).status == 200
        await gateway.sample_reaches("inhouse_requests_total", 5)
        assert await gateway.sample("inhouse_requests_total") == 5


async def test_connections_of_one_address_stay_together(tmp_path: Path) -> None:
    # The later completion comes on another connection, since the earlier still runs on its own.
    body = {"model": "completion", "prompt": "def f(", "suffix": "\n", "path": "a.py"}
    other = {**body, "prompt": "class A("}
    toy = scripted("toy", family="qwen-coder", hang=True) + route("completion", "toy")
    async with several(tmp_path, toy) as gateway:
        for caller in (2, 3):
            earlier = asyncio.create_task(gateway.ask("/v1/completions", body, caller=caller))
            later = asyncio.create_task(gateway.ask("/v1/completions", other, caller=caller))
            await asyncio.wait([earlier, later], return_when=asyncio.FIRST_COMPLETED)
            running = earlier if later.done() else later
            assert running.cancel()
            await asyncio.wait([running])
    assert outcomes(tmp_path) == ["cancelled"] * 2 + ["superseded"] * 2


async def test_a_limit_is_one_for_all_workers(tmp_path: Path) -> None:
    key = f'[[keys]]\nname = "lim"\nrole = "developer"\nkey = "{LIMITED}"\n'
    limited = TOY + key + f"requests_per_minute = {LIMIT}\n"
    async with several(tmp_path, limited) as gateway:
        began = time.time() // 60
        statuses = [
            (caller, (await gateway.ask(caller=caller, key=LIMITED)).status)
            for _ in range(LIMIT)
            for caller in (2, 3)
        ]
        minutes = time.time() // 60 - began + 1
    passed = [caller for caller, status in statuses if status == 200]
    assert {status for _, status in statuses} <= {200, 429}
    assert LIMIT <= len(passed) <= minutes * LIMIT


async def test_a_change_at_one_worker_reaches_all(tmp_path: Path) -> None:
    async with several(tmp_path, TOY) as gateway:
        wanted = {"name": "new", "role": "developer"}
        made = await gateway.ask("/api/v1/keys", wanted, key=ADMIN)
        assert made.status in {200, 201}, made.body
        key = made.json["key"]
        async with gateway.calling(2, key) as one, gateway.calling(3, key) as other:
            for session in (one, other):
                async with asyncio.timeout(30):
                    while (await session.get("/v1/models")).status != 200:
                        pass


async def test_a_stop_lets_running_requests_of_all_workers_end(tmp_path: Path) -> None:
    async with FakeOpenAI() as upstream, several(tmp_path, held(upstream)) as gateway:
        asking = [asyncio.create_task(streamed(gateway, caller)) for caller in (2, 3)]
        await upstream.until(lambda: upstream.busy == 2)
        gateway.process.send_signal(signal.SIGTERM)
        await gateway.shut()
        upstream.released.set()
        for said in await asyncio.gather(*asking):
            assert said.endswith(b"data: [DONE]\n\n")
        assert await gateway.ended() == 0
    assert outcomes(tmp_path) == ["ok", "ok"]


async def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    async with FakeOpenAI() as upstream, several(tmp_path, held(upstream)) as gateway:
        asking = [asyncio.create_task(streamed(gateway, caller)) for caller in (2, 3)]
        await upstream.until(lambda: upstream.busy == 2)
        gateway.process.send_signal(signal.SIGTERM)
        await gateway.shut()
        gateway.process.send_signal(signal.SIGINT)
        for said in await asyncio.gather(*asking):
            assert b'"code":"stopping"' in said
        assert await gateway.ended() == 0
    assert outcomes(tmp_path) == ["failed", "failed"]


async def test_workers_do_not_outlive_their_supervisor(tmp_path: Path) -> None:
    async with several(tmp_path, TOY) as gateway:
        assert (await gateway.ask()).status == 200
        gateway.process.kill()
        assert await gateway.ended() == -signal.SIGKILL
    assert outcomes(tmp_path) == ["ok"]


async def test_a_worker_that_dies_again_and_again_ends_it_all(tmp_path: Path) -> None:
    async with several(tmp_path, TOY) as gateway:
        for started in range(2, 7):
            os.kill((await gateway.pids(started))[1], signal.SIGKILL)
        assert await gateway.ended() == 1
    assert len(await gateway.until("worker died", 5)) == 5
    (said,) = gateway.said
    assert "Worker 1 died 5 times" in said


async def test_what_keeps_it_from_starting_is_said_once(tmp_path: Path) -> None:
    wrong = scripted("toy", tokens="none") + route("chat", "toy")
    gateway = await begun(tmp_path, wrong)
    assert await gateway.ended() == 1
    (said,) = gateway.said
    assert "toy" in said


async def test_a_port_that_is_taken_is_named_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        gateway = await begun(tmp_path, TOY, server=f"port = {port}")
        assert await gateway.ended() == 1
    (said,) = gateway.said
    assert f"port {port}" in said


MANY = 700
"""More connections than the links of two workers hold."""


async def connected(gateway: Several, count: int) -> list[socket.socket]:
    """Return connections, made by the kernel whether or not somebody takes them."""
    port = int(gateway.url.rpartition(":")[2])
    return [
        await asyncio.to_thread(socket.create_connection, ("127.0.0.1", port)) for _ in range(count)
    ]


async def answered(connection: socket.socket) -> bool:
    reader, writer = await asyncio.open_connection(sock=connection)
    writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    said = b""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE):
            said = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return said.startswith(b"HTTP/1.1 200 OK\r\n")


async def refused(gateway: Several) -> None:
    """Wait until nobody can connect any more, whether or not workers would answer."""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE):
            while True:
                (await connected(gateway, 1))[0].close()


def child(pid: int) -> int | None:
    """Return the first process that a process has started."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return int(found[0]) if found else None


async def test_who_comes_while_all_workers_are_dead_is_answered_by_the_next(tmp_path: Path) -> None:
    async with several(tmp_path, TOY) as gateway:
        for pid in (await gateway.pids()).values():
            os.kill(pid, signal.SIGKILL)
        await gateway.until("worker died", 2)
        answers = await asyncio.gather(*(gateway.ask() for _ in range(20)))
        assert {answer.status for answer in answers} == {200}


async def test_nobody_is_turned_away_while_all_workers_are_held_up(tmp_path: Path) -> None:
    async with several(tmp_path, TOY) as gateway:
        pids = (await gateway.pids()).values()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        connections = await connected(gateway, MANY)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        assert all(await asyncio.gather(*map(answered, connections)))


async def test_a_stop_reaches_workers_that_are_held_up(tmp_path: Path) -> None:
    async with several(tmp_path, TOY) as gateway:
        pids = (await gateway.pids()).values()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        connections = await connected(gateway, MANY)
        gateway.process.send_signal(signal.SIGTERM)
        await refused(gateway)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        assert await gateway.ended() == 0
        for each in connections:
            each.close()


async def test_a_third_signal_does_not_wait_for_workers_that_hang(tmp_path: Path) -> None:
    async with several(tmp_path, TOY) as gateway:
        for pid in (await gateway.pids()).values():
            os.kill(pid, signal.SIGSTOP)
        gateway.process.send_signal(signal.SIGTERM)
        await refused(gateway)
        gateway.process.send_signal(signal.SIGINT)
        gateway.process.send_signal(signal.SIGTERM)
        assert await gateway.ended() == 0


async def test_a_stop_before_the_first_worker_has_started_starts_no_other(tmp_path: Path) -> None:
    gateway = await begun(tmp_path, TOY)
    async with asyncio.timeout(PATIENCE):
        while (first := await asyncio.to_thread(child, gateway.process.pid)) is None:
            pass
    os.kill(first, signal.SIGSTOP)
    gateway.process.send_signal(signal.SIGTERM)
    os.kill(first, signal.SIGCONT)
    assert await gateway.ended() == 0
    assert {each["worker"] for each in gateway.log if each["event"] == "worker started"} <= {0}


async def test_a_worker_without_room_for_another_file_goes_on(tmp_path: Path) -> None:
    async with several(tmp_path, TOY) as gateway:
        pids = await gateway.pids()
        for pid in pids.values():
            used = len(await asyncio.to_thread(os.listdir, f"/proc/{pid}/fd"))
            _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 10, most))
        for each in await connected(gateway, 100):
            each.close()
        async with asyncio.timeout(PATIENCE):
            while not await answered((await connected(gateway, 1))[0]):
                pass
        assert await gateway.pids() == pids
        assert not [each for each in gateway.log if each["event"] == "worker died"]
