"""A real engine that dies and returns, seen through the gateway."""

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from tests.engines.conftest import Fleet
from tests.engines.engine import DIALECTS, SLOW, SMALL, Engine
from tests.fakes.faults import FaultProxy
from tests.faults.asking import QUESTIONS, ask, check_counters
from tests.server.serving import DEVELOPER, configuration, route, scripted, serving

PATIENCE = 60


def declared(engine: Engine, proxy: FaultProxy) -> str:
    served = {"fills": "starcoder2", "talks": "general"}
    deployments = [
        f'[[deployments]]\nname = "{name}"\nfamily = "{family}"\n'
        f'identifier = "custom_openai/{engine.model}"\nendpoint = "{proxy.endpoint}"'
        for name, family in served.items()
    ]
    return "\n".join(
        [
            "[settings]\ncompletion_memory = false  # each question is to reach an engine",
            *deployments,
            scripted("fallback"),
            route("completion", "fills", "fallback"),
            route("generation", "talks", "fallback"),
            route("chat", "talks", "fallback"),
        ]
    )


@pytest.mark.parametrize("name", list(DIALECTS))
async def test_it_is_left_alone_while_dead_and_asked_again(
    name: str, fleet: Fleet, tmp_path: Path
) -> None:
    engine = fleet.get(name, SMALL)
    async with (
        FaultProxy(engine.port) as proxy,
        serving(configuration(tmp_path, declared(engine, proxy))) as served,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {DEVELOPER}"}) as session,
    ):
        asked = 0

        async def answering() -> set[str]:
            nonlocal asked
            asked += len(QUESTIONS)
            came = [await ask(session, served, *each) for each in QUESTIONS]
            assert all(each.ok for each in came)
            return {each.deployment for each in came}

        assert await answering() == {"fills", "talks"}
        for _ in range(2):
            await proxy.down()
            assert await answering() == {"fallback"}
            await proxy.up()
            async with asyncio.timeout(PATIENCE):
                while "fallback" in await answering():
                    pass
        await check_counters(session, served, asked)
    assert await engine.settled() > 0


@pytest.mark.parametrize("name", list(DIALECTS))
async def test_dying_in_mid_answer_is_told_and_stops_the_engine(
    name: str, fleet: Fleet, tmp_path: Path
) -> None:
    engine = fleet.get(name, SLOW)
    before = await engine.settled()
    body = {
        "model": "chat",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 1000,
        "ignore_eos": True,
        "stream": True,
    }
    async with (
        FaultProxy(engine.port) as proxy,
        serving(configuration(tmp_path, declared(engine, proxy))) as served,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {DEVELOPER}"}) as session,
    ):
        async with session.post(f"{served.url}/v1/chat/completions", json=body) as answer:
            await answer.content.readuntil(b"data: ")
            await proxy.down()
            rest = await answer.read()
        *_, last = [each for each in rest.split(b"\n\n") if each]
        error = json.loads(last.removeprefix(b"data: "))["error"]
        assert error["code"] == "closed"
        (trace,) = await served.traces()
        assert (trace.error, trace.deployments) == ("closed", ("talks",))
    assert await engine.settled() - before < 900
