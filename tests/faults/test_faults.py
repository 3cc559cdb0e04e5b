"""Whatever an upstream does, the caller gets the fallback's answer or a clear error."""

import asyncio
import json
import socket
import threading
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec import Struct

from tests.fakes import faults
from tests.fakes.faults import Fault, FaultProxy
from tests.fakes.openai import LLAMA, STREAM_HEAD, FakeOpenAI, sse
from tests.faults.asking import (
    HASTE,
    QUESTIONS,
    WORDS,
    Came,
    ask,
    check_counters,
    deployment,
    faulty,
    healthy,
    routes,
)
from tests.server.serving import DEVELOPER, Served, configuration, serving


def answer(status: int, body: bytes, *fields: str, kind: str = "application/json") -> bytes:
    head = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body)}"]
    return "\r\n".join([*head, *fields, "\r\n"]).encode() + body


def refusal(status: int, *fields: str) -> Fault:
    said = {"error": {"message": "not now", "type": "x", "code": status}}
    return faults.saying(answer(status, json.dumps(said).encode(), *fields))


DELTA = sse(
    json.dumps({"choices": [{"index": 0, "text": "a\nb", "delta": {"content": "a\nb"}}]}).encode()
)
HALF = b'{"id": "x", "choices": [{"te'


class Case(Struct, frozen=True):
    """A fault, the words for it, and whether some of the answer may have come before it."""

    fault: Fault | None
    codes: frozenset[str]
    late: bool
    hasty: bool
    statuses: frozenset[int]


def case(fault: Fault | None, *codes: str, late: bool = False, status: int = 502) -> Case:
    waits = bool({"timeout", "deadline"} & set(codes))
    return Case(fault, frozenset(codes), late, waits, frozenset({502, status}))


CASES = {
    "refused": case(None, "unreachable"),
    "reset at once": case(faults.reset_at_once, "closed"),
    "reset when asked": case(faults.reset_when_asked, "closed"),
    "closed when asked": case(faults.closed_when_asked, "closed"),
    "stalled": case(faults.stalled, "timeout", status=504),
    "reset in the head": case(faults.reset_after(40), "closed"),
    "closed in the head": case(faults.closed_after(40), "closed"),
    "stalled in the head": case(faults.stalled_after(40), "timeout", status=504),
    "reset in the body": case(faults.reset_after(500), "closed", late=True),
    "closed in the body": case(faults.closed_after(500), "closed", late=True),
    "stalled in the body": case(faults.stalled_after(500), "timeout", late=True, status=504),
    "half a JSON": case(faults.saying(answer(200, HALF)), "protocol"),
    "half a JSON in an event": case(
        faults.saying(STREAM_HEAD + sse(HALF) + sse(b"[DONE]") + b"0\r\n\r\n"), "protocol"
    ),
    "HTML": case(
        faults.saying(answer(200, b"<html><p>Sign in</html>", kind="text/html")), "protocol"
    ),
    "nothing": case(faults.saying(answer(200, b"")), "protocol", "closed"),
    "no HTTP": case(faults.saying(b"220 mail.example ESMTP\r\n"), "protocol"),
    "TLS garbage": case(faults.saying(b"\x15\x03\x03\x00\x02\x02\x28" * 9), "protocol"),
    "large headers": case(
        faults.saying(b"HTTP/1.1 200 X\r\nx: " + b"y" * 200_000 + b"\r\n\r\n"), "protocol"
    ),
    "endless headers": case(
        faults.repeating(b"HTTP/1.1 200 X\r\n", b"x: " + b"y" * 1000 + b"\r\n"), "protocol"
    ),
    "endless event": case(
        faults.repeating(
            b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\n\r\ndata: ", b"y" * 60_000
        ),
        *("protocol", "timeout"),
        status=504,
    ),
    "endless stream": case(
        faults.repeating(STREAM_HEAD, DELTA), "deadline", "protocol", late=True, status=504
    ),
    "408": case(refusal(408), "timeout", status=504),
    "429": case(refusal(429), "rate_limit_exceeded", status=429),
    "429 with patience": case(refusal(429, "retry-after: 7"), "rate_limit_exceeded", status=429),
    "500": case(refusal(500), "server"),
    "503": case(refusal(503), "server", "not_ready"),
    "401": case(refusal(401), "authentication"),
    "redirect": case(refusal(302, "location: http://elsewhere.example/v1"), "protocol"),
}
WHOLE = pytest.mark.parametrize(
    "whole", [pytest.param(False, id="as stream"), pytest.param(True, id="in one piece")]
)


async def spoil(proxy: FaultProxy, fault: Fault | None) -> None:
    if fault is None:
        await proxy.down()
    else:
        await proxy.switch(fault)


async def asked(served: Served) -> list[Came]:
    """Ask everything at once; return what came, after a look at traces and metrics."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {DEVELOPER}"}) as session:
        came = await asyncio.gather(*(ask(session, served, *each) for each in QUESTIONS))
        await check_counters(session, served, len(QUESTIONS))
    return came


def ended_by_total(came: Came, case: Case, *, whole: bool) -> bool:
    """Tell whether an answer in one piece was waited for to the end of the request's time.

    Its first token comes with its last, so that nothing else can end a silence.
    """
    return whole and case.hasty and (came.status, came.code) == (504, "deadline")


@WHOLE
@pytest.mark.parametrize("name", CASES)
async def test_alone_it_is_told_clearly(name: str, whole: bool, tmp_path: Path) -> None:
    case = CASES[name]
    async with FakeOpenAI(LLAMA) as upstream, FaultProxy(upstream.port) as proxy:
        await spoil(proxy, case.fault)
        text = faulty(proxy, hasty=case.hasty, whole_answers=whole) + routes("faulty")
        async with serving(configuration(tmp_path, text)) as served:
            for came in await asked(served):
                if came.ok:
                    assert case.late
                    continue
                assert came.code in case.codes or ended_by_total(came, case, whole=whole)
                assert came.status in case.statuses or (came.status == 200 and case.late)
                assert "faulty" in came.message or str(proxy.port) in came.message
                assert came.retry_after == ("7" if name == "429 with patience" else None)
                assert not came.text or case.late
                assert name != "redirect" or "http://elsewhere.example/v1" in came.message
        await proxy.until(lambda: not proxy.open)


@WHOLE
@pytest.mark.parametrize("name", CASES)
async def test_the_next_deployment_answers(name: str, whole: bool, tmp_path: Path) -> None:
    case = CASES[name]
    async with FakeOpenAI(LLAMA) as upstream, FaultProxy(upstream.port) as proxy:
        await spoil(proxy, case.fault)
        text = (
            faulty(proxy, hasty=case.hasty, whole_answers=whole)
            + healthy(upstream)
            + routes("faulty", "healthy")
        )
        async with serving(configuration(tmp_path, text)) as served:
            for came in await asked(served):
                if ended_by_total(came, case, whole=whole):
                    continue
                if case.late and came.deployment == "faulty":
                    assert came.ok or came.code in case.codes
                else:
                    assert (came.text, came.code, came.deployment) == (WORDS, "", "healthy")
        await proxy.until(lambda: not proxy.open)


async def test_what_only_trickles_is_answered(tmp_path: Path) -> None:
    async with FakeOpenAI() as upstream, FaultProxy(upstream.port, faults.trickling) as proxy:
        text = deployment("faulty", proxy.endpoint, {}) + routes("faulty")
        async with serving(configuration(tmp_path, text)) as served:
            for came in await asked(served):
                assert (came.text, came.code) == (WORDS, "")


@pytest.mark.parametrize("stage", ["handshake", "hello"])
async def test_garbage_for_tls_is_told_clearly(stage: str, tmp_path: Path) -> None:
    garbage = {"handshake": faults.babbling(b"\x16\x03\x03" + b"garbage" * 99)}
    fault = garbage.get(stage, faults.babbling(b"220 mail.example ESMTP\r\n"))
    async with FakeOpenAI() as upstream, FaultProxy(upstream.port, fault) as proxy:
        endpoint = proxy.endpoint.replace("http:", "https:")
        text = deployment("faulty", endpoint, {}) + healthy(upstream)
        text += routes("faulty", "healthy")
        async with serving(configuration(tmp_path, text)) as served:
            for came in await asked(served):
                assert (came.text, came.code, came.deployment) == (WORDS, "", "healthy")
            failures = {each for trace in await served.traces() for each in trace.failures if each}
            assert failures == {"tls"}
        await proxy.until(lambda: not proxy.open)


async def test_a_dns_that_is_silent_is_told_clearly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    looked_up: list[str] = []
    ask_the_system = socket.getaddrinfo

    def slow(host: str, *arguments: Any, **more: Any) -> Any:
        if host == "gpu.example":
            looked_up.append(host)
            answers.wait(30)
        return ask_the_system("127.0.0.1" if host == "gpu.example" else host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    async with FakeOpenAI() as upstream:
        endpoint = f"http://gpu.example:{upstream.port}/v1"
        text = f'[egress]\npeers = ["gpu.example:{upstream.port}"]\n'
        text += deployment("faulty", endpoint, HASTE) + routes("faulty")
        async with serving(configuration(tmp_path, text)) as served:
            for came in await asked(served):
                assert came.code in {"unreachable", "timeout"}
                assert "gpu.example" in came.message or "faulty" in came.message
            # However many ask, and however often: one thread waits.
            assert looked_up == ["gpu.example"]
            answers.set()


async def test_it_is_asked_again_when_it_is_back(tmp_path: Path) -> None:
    async with FakeOpenAI(LLAMA) as upstream, FaultProxy(upstream.port) as proxy:
        # The same questions come again and again, and each is for the models.
        text = "[settings]\ncompletion_memory = false\n"
        text += faulty(proxy) + healthy(upstream) + routes("faulty", "healthy")
        async with serving(configuration(tmp_path, text)) as served:
            headers = {"Authorization": f"Bearer {DEVELOPER}"}
            async with aiohttp.ClientSession(headers=headers) as session:

                async def answering() -> set[str]:
                    came = [await ask(session, served, *each) for each in QUESTIONS]
                    assert all(each.ok for each in came)
                    return {each.deployment for each in came}

                assert await answering() == {"faulty"}
                await proxy.down()
                assert await answering() == {"healthy"}
                await proxy.up()
                async with asyncio.timeout(60):
                    while await answering() != {"faulty"}:
                        pass
