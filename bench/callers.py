"""Callers of a gateway, some of whom hang up, and what each of them came away with."""

from __future__ import annotations

import asyncio
import json
import random
import time

from msgspec import Struct

from doors import DOORS, Door, Judged
from inhouse.core.deadlines import Deadlines
from inhouse.errors import UpstreamError
from inhouse.transport import Transport, header_block
from instance import Instance

CALLERS = 24
THINKING = 0.1
"""Seconds that a caller thinks at most before the next request."""
LEAVING = 0.1
"""Share of requests on which the caller hangs up."""
PATIENCE = 0.01
"""Seconds until then, at most; a healthy upstream answers in as many."""
ENDLESS = Deadlines(connect=60, first_token=300, between_tokens=300, total=600)
"""The gateway's deadlines are the ones that are looked at."""
LARGEST = 1 << 24


class Ended(Struct, frozen=True):
    """How one request ended for its caller: as `Judged` says, ``cut``, or ``left``."""

    request_id: str
    door: Door
    how: str
    seconds: float
    what: str = ""


class Callers:
    """Ask for as long as they are left to."""

    def __init__(self, url: str, key: str, gitlab: Instance, seed: int) -> None:
        """Know the gateway; at GitLab's doors `gitlab` asks, at all others the key's holder."""
        self.ended: list[Ended] = []
        self.running: dict[str, float] = {}
        """When each request began that has not ended."""
        self._url = url
        self._key = key
        self._gitlab = gitlab
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
            door = self._order.choice(DOORS)
            await self._one(door, leaves=self._order.random() < LEAVING)
            await asyncio.sleep(self._order.random() * THINKING)

    async def _one(self, door: Door, *, leaves: bool) -> None:
        self._asked += 1
        request_id = f"soak-{self._asked}"
        began = self.running[request_id] = time.monotonic()
        try:
            if leaves:
                async with asyncio.timeout(self._order.random() * PATIENCE):
                    how, what = await self._answer(door, request_id)
            else:
                how, what = await self._answer(door, request_id)
        except TimeoutError:
            how, what = Judged("left")
        except UpstreamError as error:
            how, what = Judged("broken", f"{door.path}: {error.message}")
        del self.running[request_id]
        seconds = time.monotonic() - began
        self.ended.append(Ended(request_id, door, how, seconds, what))

    async def _answer(self, door: Door, request_id: str) -> Judged:
        headers = header_block(self._headers(door, request_id))
        body = json.dumps(door.body).encode()
        response = await self._transport.request(
            "POST", self._url + door.path, headers, body, deadlines=ENDLESS
        )
        try:
            return door.judged(response.status, await response.read(LARGEST))
        except UpstreamError:
            if door.cut and response.status == 200:
                return Judged("cut")
            raise
        finally:
            response.abort()

    def _headers(self, door: Door, request_id: str) -> dict[str, str]:
        # Another user each time, so that no completion supersedes another.
        said = {"content-type": "application/json", "x-request-id": request_id}
        if door.gitlab:
            user = {"x-gitlab-global-user-id": request_id, **self._gitlab.headers}
            return {"authorization": f"Bearer {self._gitlab.token}", **user, **said}
        return {"authorization": f"Bearer {self._key}", "x-inhouse-user": request_id, **said}
