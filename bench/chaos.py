"""Upstreams that die and return: each behind a proxy that spoils what passes, now and then."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import AsyncGenerator

from tests.fakes import faults
from tests.fakes.faults import Fault, FaultProxy
from tests.fakes.http import Exchange, Handler
from tests.fakes.openai import LLAMA, VLLM, FakeOpenAI

UPSTREAMS = {"first": VLLM, "second": LLAMA, "third": VLLM}
WELL = (1.0, 4.0)
ILL = (0.5, 3.0)
"""Seconds that an upstream is well or ill, at least and at most."""
TOKENS = 8
"""Of an answer at most: GitLab's requests name no limit, and some of ours are thousands."""
_GRAMMAR = b"Final Answer:"
"""What only the prompt of a conversation with tools speaks of."""

_REFUSAL = (
    b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: 33\r\n\r\n"
    b'{"error": {"message": "not now"}}'
)
FAULTS: dict[str, Fault | None] = {
    "dead": None,
    "resets at once": faults.reset_at_once,
    "resets when asked": faults.reset_when_asked,
    "closes in mid-answer": faults.closed_after(500),
    "stalls": faults.stalled,
    "stalls in mid-answer": faults.stalled_after(500),
    "fails": faults.saying(_REFUSAL % b"500 X"),
    "asks for patience": faults.saying(_REFUSAL % b"429 X\r\nretry-after: 1"),
    "speaks no HTTP": faults.saying(b"220 mail.example ESMTP\r\n"),
}


class Chaos:
    """Runs upstreams behind proxies; the same seed gives the same illnesses in the same order."""

    def __init__(self, seed: int) -> None:
        """Start nothing yet."""
        self.upstreams = {name: FakeOpenAI(dialect) for name, dialect in UPSTREAMS.items()}
        self.proxies: dict[str, FaultProxy] = {}
        for upstream in self.upstreams.values():
            upstream.handler = _brief(upstream)
        self.illnesses: Counter[str] = Counter()
        self._seed = seed

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Listen until the block is left; everybody is well so far."""
        async with contextlib.AsyncExitStack() as stack:
            for name, upstream in self.upstreams.items():
                await stack.enter_async_context(upstream)
                proxy = FaultProxy(upstream.port)
                self.proxies[name] = await stack.enter_async_context(proxy)
            yield

    async def rage(self, seconds: float) -> None:
        """Make each upstream ill and well again, by itself; in the end all are well."""
        until = asyncio.get_running_loop().time() + seconds
        await asyncio.gather(*(self._suffer(name, until) for name in self.proxies))

    async def _suffer(self, name: str, until: float) -> None:
        loop, proxy = asyncio.get_running_loop(), self.proxies[name]
        order = random.Random(f"{self._seed} {name}")  # noqa: S311 - no secret
        while True:
            await asyncio.sleep(order.uniform(*WELL))
            if loop.time() >= until:
                return
            illness = order.choice(list(FAULTS))
            self.illnesses[illness] += 1
            fault = FAULTS[illness]
            if fault is None:
                await proxy.down()
            else:
                await proxy.switch(fault)
            await asyncio.sleep(order.uniform(*ILL))
            await proxy.switch(faults.passing)
            await proxy.up()
            # What a fake remembers of five minutes is a lot.
            self.upstreams[name].requests.clear()


def _brief(upstream: FakeOpenAI) -> Handler:
    """Return a handler that answers in few tokens, and in a conversation's grammar where asked."""
    at_length = upstream.handler
    words = [f" w{number}" for number in range(TOKENS)]
    usage = {"prompt_tokens": TOKENS, "completion_tokens": TOKENS}
    in_grammar = upstream.saying([["Thought: easy.\nFinal Answer:", *words]], "stop", usage)

    async def answer(exchange: Exchange) -> None:
        request = exchange.request
        if _GRAMMAR in request.body:
            await in_grammar(exchange)
            return
        if request.body:
            asked = request.json
            asked["max_tokens"] = min(asked.get("max_tokens") or TOKENS, TOKENS)
            exchange.request = request._replace(body=json.dumps(asked).encode())
        await at_length(exchange)

    return answer
