"""A gateway of several processes, started as people start it, and callers at several addresses."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from tests.server.serving import DEVELOPER, KEYS, Reply

PATIENCE = 60
"""Seconds after which what has not come is a bug."""
CHAT = {"model": "chat", "messages": [{"role": "user", "content": "Hi"}]}


class Several:
    """A supervisor and its workers; their log lines as they come."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.url = self.metrics = ""
        self.log: list[dict[str, Any]] = []
        self.said: list[str] = []
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            if line.startswith(b"{"):
                self.log.append(msgspec.json.decode(line))
            else:
                self.said.append(line.decode())
            async with self._news:
                self._news.notify_all()

    async def until(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until the log has told so often of an event; return those lines."""
        async with asyncio.timeout(PATIENCE), self._news:
            while len(found := [each for each in self.log if each["event"] == event]) < count:
                await self._news.wait()
        return found

    async def pids(self, count: int = 2) -> dict[int, int]:
        """Return the newest process of each worker, once so many have started."""
        started = await self.until("worker started", count)
        return {each["worker"]: each["pid"] for each in started}

    async def ended(self) -> int:
        """Wait until every process has ended; return the supervisor's status."""
        async with asyncio.timeout(PATIENCE):
            await self._reading  # all of them hold the other end
            assert self.process.stdout is not None
            await self.process.stdout.read()  # or its pipe stays open
            return await self.process.wait()

    async def ask(
        self,
        path: str = "/v1/chat/completions",
        content: object = CHAT,
        *,
        key: str = DEVELOPER,
        caller: int = 1,
    ) -> Reply:
        """Send one request from the address 127.0.0.`caller`."""
        async with self.calling(caller, key) as session:
            body = None if content is None else msgspec.json.encode(content)
            async with session.request("POST" if body else "GET", path, data=body) as answer:
                return Reply(answer.status, answer.headers, await answer.read())

    @contextlib.asynccontextmanager
    async def calling(
        self, caller: int, key: str = DEVELOPER
    ) -> AsyncGenerator[aiohttp.ClientSession]:
        """Yield a session of the caller at 127.0.0.`caller`."""
        connector = aiohttp.TCPConnector(local_addr=(f"127.0.0.{caller}", 0))
        headers = {"Authorization": f"Bearer {key}"}
        async with aiohttp.ClientSession(self.url, connector=connector, headers=headers) as session:
            yield session

    async def sample(self, name: str) -> float:
        """Return the sum of a metric over its labels, from one scrape."""
        async with aiohttp.ClientSession() as session, session.get(self.metrics) as answer:
            text = await answer.text()
        lines = [line for line in text.splitlines() if line.partition("{")[0].split()[0] == name]
        return sum(float(line.split()[-1]) for line in lines)

    async def sample_reaches(self, name: str, value: float) -> None:
        """Wait until a metric has at least that value; workers publish once a second."""
        async with asyncio.timeout(PATIENCE):
            while await self.sample(name) < value:
                pass

    async def shut(self) -> None:
        """Wait until nobody is let in any more."""
        with contextlib.suppress(aiohttp.ClientConnectionError):
            async with asyncio.timeout(PATIENCE):
                while True:
                    await self.ask("/health", None)


async def begun(folder: Path, text: str = "", *, server: str = "port = 0") -> Several:
    """Start a gateway of two workers."""
    file = folder / "inhouse.toml"
    file.write_text(
        f"[server]\nworkers = 2\n{server}\n[metrics]\nport = 0\n"
        f'[store]\nurl = "sqlite:///x.db"\n[log]\nformat = "json"\n{KEYS}{text}'
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "inhouse", "--config", str(file), "serve", "--json"),
        env={"HOME": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    return Several(process)


@contextlib.asynccontextmanager
async def several(folder: Path, text: str = "", *, server: str = "") -> AsyncGenerator[Several]:
    """Serve with two workers, both started, until the block is left."""
    running = await begun(folder, text, server=f"port = 0\n{server}")
    assert running.process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            addresses = msgspec.json.decode(await running.process.stdout.readline())
        running.url, running.metrics = addresses["url"], addresses["metrics"] + "/metrics"
        await running.pids()
        yield running
    finally:
        if running.process.returncode is None:
            running.process.send_signal(signal.SIGTERM)
        await running.ended()


def outcomes(folder: Path) -> list[str]:
    """Return how the requests of all traces in the store ended."""
    with contextlib.closing(sqlite3.connect(folder / "x.db")) as database:
        return [each for (each,) in database.execute("SELECT outcome FROM traces ORDER BY 1")]
