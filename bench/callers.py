"""Callers of a gateway, some of whom hang up, and what each of them came away with."""

from __future__ import annotations

import asyncio
import json
import random
import time
from typing import Any

from msgspec import Struct

from inhouse.core.deadlines import Deadlines
from inhouse.errors import UpstreamError
from inhouse.transport import Response, Transport, header_block

CALLERS = 24
THINKING = 0.1
"""Seconds that a caller thinks at most before the next request."""
STREAMED = 0.5
"""Share of answers that are asked for as streams."""
LEAVING = 0.1
"""Share of requests on which the caller hangs up."""
PATIENCE = 0.01
"""Seconds until then, at most; a healthy upstream answers in as many."""
ENDLESS = Deadlines(connect=60, first_token=300, between_tokens=300, total=600)
"""The gateway's deadlines are the ones that are looked at."""
LARGEST = 1 << 24

_HOLE: dict[str, Any] = {"prompt": "def area(width, height):\n    return ", "suffix": "\n"}
_SAID: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
QUESTIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("completion", "/v1/completions", {"model": "completion", **_HOLE}),
    ("generation", "/v1/completions", {"model": "generation", "instruction": "add", **_HOLE}),
    ("chat", "/v1/chat/completions", {"model": "chat", **_SAID}),
)


class Ended(Struct, frozen=True):
    """How one request ended for its caller: ``ok``, ``error``, ``left`` or ``broken``."""

    request_id: str
    feature: str
    how: str
    seconds: float
    what: str = ""


class Callers:
    """Ask for as long as they are left to."""

    def __init__(self, url: str, key: str, seed: int) -> None:
        """Know the gateway."""
        self.ended: list[Ended] = []
        self.running: dict[str, float] = {}
        """When each request began that has not ended."""
        self._url = url
        self._key = key
        self._order = random.Random(seed)  # noqa: S311 - no secret
        self._transport = Transport()
        self._asked = 0
        self._open = True

    async def ask(self) -> None:
        """Ask until `stop`, each caller one request at a time."""
        try:
            await asyncio.gather(*(self._caller() for _ in range(CALLERS)))
        finally:
            await self._transport.aclose()

    def stop(self) -> None:
        """Begin nothing more."""
        self._open = False

    async def _caller(self) -> None:
        while self._open:
            feature, path, body = self._order.choice(QUESTIONS)
            stream = self._order.random() < STREAMED
            leaves = self._order.random() < LEAVING
            await self._one(feature, path, {**body, "max_tokens": 8, "stream": stream}, leaves)
            await asyncio.sleep(self._order.random() * THINKING)

    async def _one(self, feature: str, path: str, body: dict[str, Any], leaves: bool) -> None:
        self._asked += 1
        request_id = f"soak-{self._asked}"
        began = self.running[request_id] = time.monotonic()
        try:
            if leaves:
                async with asyncio.timeout(self._order.random() * PATIENCE):
                    how, what = await self._answer(path, body, request_id)
            else:
                how, what = await self._answer(path, body, request_id)
        except TimeoutError:
            how, what = "left", ""
        except UpstreamError as error:
            how, what = "broken", error.message
        del self.running[request_id]
        seconds = time.monotonic() - began
        self.ended.append(Ended(request_id, feature, how, seconds, what))

    async def _answer(self, path: str, body: dict[str, Any], request_id: str) -> tuple[str, str]:
        headers = header_block(
            {
                "authorization": f"Bearer {self._key}",
                "content-type": "application/json",
                "x-request-id": request_id,
                # Another user each time, so that no completion supersedes another.
                "x-inhouse-user": request_id,
            }
        )
        response = await self._transport.request(
            "POST", self._url + path, headers, json.dumps(body).encode(), deadlines=ENDLESS
        )
        try:
            return _judged(response, await response.read(LARGEST), stream=body["stream"])
        finally:
            response.abort()


def _judged(response: Response, body: bytes, *, stream: bool) -> tuple[str, str]:
    """Return how an answer ended; it is broken where it says neither that it is whole nor why."""
    try:
        if not (stream and response.status == 200):
            said = json.loads(body)
            if response.status == 200:
                return ("ok", "") if said["choices"][0]["finish_reason"] else ("broken", str(said))
            return "error", said["error"]["code"]
        *events, end = body.decode().split("\n\n")
        datas = [each.removeprefix("data: ") for each in events]
        failed = [each for each in datas if each.startswith('{"error"')]
        if failed:
            return "error", json.loads(failed[0])["error"]["code"]
        whole = not end and datas[-1] == "[DONE]" and '"finish_reason":"' in body.decode()
        return ("ok", "") if whole else ("broken", f"a stream without an end: {body[-200:]!r}")
    except (ValueError, KeyError, IndexError, TypeError):
        return "broken", f"status {response.status}: {body[:200]!r}"
