"""The gateway over aiohttp, the other HTTP client: the same answers, errors, and aborts."""

import asyncio
from pathlib import Path

import pytest

from tests.fakes import faults
from tests.fakes.faults import FaultProxy
from tests.fakes.openai import LLAMA, FakeOpenAI
from tests.faults.asking import WORDS, faulty, healthy, routes
from tests.faults.test_faults import CASES, asked, spoil
from tests.server.serving import DEVELOPER, configuration, serving

OTHER = '[egress]\nhttp_client = "aiohttp"\n'


@pytest.mark.parametrize("name", CASES)
async def test_the_next_deployment_answers(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    async with FakeOpenAI(LLAMA) as upstream, FaultProxy(upstream.port) as proxy:
        await spoil(proxy, case.fault)
        text = OTHER + faulty(proxy, hasty=case.hasty) + healthy(upstream)
        text += routes("faulty", "healthy")
        async with serving(configuration(tmp_path, text)) as served:
            for came in await asked(served):
                if case.late and came.deployment == "faulty":
                    assert came.ok or came.code in case.codes
                else:
                    assert (came.text, came.code, came.deployment) == (WORDS, "", "healthy")
        await proxy.until(lambda: not proxy.open)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_hang_up_reaches_the_upstream(tmp_path: Path, *, stream: bool) -> None:
    async with FakeOpenAI() as upstream, FaultProxy(upstream.port, faults.stalled) as proxy:
        text = OTHER + faulty(proxy) + routes("faulty")
        async with serving(configuration(tmp_path, text)) as served:
            _, writer = await asyncio.open_connection("127.0.0.1", served.port)
            body = b'{"model":"chat","messages":[{"role":"user","content":"Hi"}],"stream":%b}'
            said = body % (b"true" if stream else b"false")
            head = f"host: x\r\nauthorization: Bearer {DEVELOPER}\r\ncontent-length: {len(said)}"
            writer.write(f"POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n\r\n".encode() + said)
            await proxy.until(lambda: bool(proxy.open))
            writer.close()
            await proxy.until(lambda: not proxy.open)
