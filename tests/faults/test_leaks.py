"""After ten thousand faulty requests everything is as it was before the first one."""

import asyncio
import gc
import random
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from inhouse.core.deadlines import Deadlines
from inhouse.errors import UpstreamError
from inhouse.routing import circuit
from inhouse.transport import Response, Transport, header_block
from tests.fakes import faults
from tests.fakes.faults import FaultProxy
from tests.fakes.openai import LLAMA, FakeOpenAI
from tests.faults import gitlab
from tests.faults.asking import QUESTIONS, deployment, healthy, routes
from tests.faults.test_faults import CASES
from tests.server.serving import DEVELOPER, Served, configuration, serving

REQUESTS = 10_000
WARMING = 200
AT_ONCE = 100
PATIENCE = 120.0
"""Seconds after which what has not come is a bug."""
LEFT_OUT = {"refused", "endless stream", "429 with patience"}
"""Faults that are had otherwise here, or that keep the others from happening."""
PATIENT = Deadlines(connect=PATIENCE, first_token=PATIENCE, between_tokens=PATIENCE, total=PATIENCE)
"""Who asks shares one loop with all that it asks, and is not to give up where that is slow."""
SHORT = {"first_token": 0.2, "between_tokens": 0.2, "total": 1.0}
HEADERS = header_block({"authorization": f"Bearer {DEVELOPER}", "content-type": "application/json"})


def held(transport: Transport) -> Counter[str]:
    """Count what may leak, after those who hold on to it by mistake had their chance."""
    gc.collect()
    found: Counter[str] = Counter(open_files())
    found.update(f"task {each.get_name()}" for each in asyncio.all_tasks() if named(each))
    found["tasks"] = len(asyncio.all_tasks())
    # The loop's executor grows to its bound whenever it likes.
    threads = [each.name for each in threading.enumerate() if not each.name.startswith("asyncio")]
    found.update(f"thread {each}" for each in threads)
    found["connections"] = transport.connections()
    return found


def open_files() -> Iterator[str]:
    """Yield each open file's kind; those of the store, which is pooled, are bounded elsewhere."""
    for each in Path("/proc/self/fd").iterdir():
        try:
            kind = str(each.readlink()).partition(":")[0]
        except FileNotFoundError:
            continue  # the listing itself
        if ".db" not in kind:
            yield kind


def named(task: asyncio.Task[object]) -> bool:
    return not task.get_name().startswith("Task-")


class Run:
    """Asks a gateway many times, hanging up on some answers, and counts what came."""

    def __init__(self, served: Served, transport: Transport) -> None:
        self.came: Counter[str] = Counter()
        self._served = served
        self._transport = transport
        self._order = random.Random(7)  # noqa: S311 - no secret
        self._bodies = [
            (path, msgspec.json.encode(body))
            for questions in (QUESTIONS, gitlab.QUESTIONS)
            for path, body in questions
        ]

    async def ask(self, times: int) -> None:
        """Ask `times`, so many at once."""
        waiting = iter(range(times))

        async def worker() -> None:
            for number in waiting:
                path, body = self._bodies[number % len(self._bodies)]
                await self._ask(path, body, leaves=self._order.random() < 0.1)

        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))

    async def _ask(self, path: str, body: bytes, *, leaves: bool) -> None:
        asked = self._transport.request(
            "POST", self._served.url + path, HEADERS, body, deadlines=PATIENT
        )
        if leaves:
            try:
                async with asyncio.timeout(self._order.random() / 50):
                    (await asked).abort()
            except TimeoutError:
                pass
            self.came["left"] += 1
            return
        response: Response = await asked
        try:
            said = await response.read(1 << 24)
        except UpstreamError:
            # Streams of GitLab's have no other sign for a failure than that they break off.
            self.came["error"] += 1
            return
        good = response.status == 200 and b'"error"' not in said
        self.came["ok" if good else "error"] += 1


async def idle(transport: Transport, upstream: FakeOpenAI, proxies: tuple[FaultProxy, ...]) -> None:
    """Wait until every connection has had its time."""
    for each in proxies:
        await each.until(lambda each=each: not each.open)
    await upstream.until(lambda: not upstream.peers)
    async with asyncio.timeout(PATIENCE):
        while transport.connections():  # noqa: ASYNC110 - idle connections tell nobody
            await asyncio.sleep(0.1)


async def settled(transport: Transport, before: Counter[str]) -> Counter[str]:
    """Wait until no more is held than before; return what is held in excess."""
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE
    while (excess := held(transport) - before) and loop.time() < until:  # noqa: ASYNC110 - no event
        await asyncio.sleep(0.1)
    return excess


async def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # With circuits that open a gateway would meet few faults of ten thousand.
    monkeypatch.setattr(circuit, "IN_A_ROW", REQUESTS)
    monkeypatch.setattr(circuit, "SHARE", 2.0)
    worst = [case.fault for name, case in CASES.items() if case.fault and name not in LEFT_OUT]
    async with (
        FakeOpenAI(LLAMA) as upstream,
        FaultProxy(upstream.port, faults.one_of(1, worst)) as one,
        FaultProxy(
            upstream.port, faults.one_of(2, [*worst, *[faults.passing] * len(worst)])
        ) as two,
        FaultProxy(upstream.port) as dead,
    ):
        await dead.down()
        text = "\n".join(
            [
                deployment("one", one.endpoint, SHORT, whole_answers=True),
                deployment("dead", dead.endpoint, SHORT),
                deployment("two", two.endpoint, SHORT),
                healthy(upstream),
                routes("one", "dead", "two"),
                gitlab.EDITOR,
            ]
        )
        async with serving(configuration(tmp_path, text)) as served:
            await measured(served, upstream, (one, two, dead))
        await one.until(lambda: not one.open)
        await two.until(lambda: not two.open)


async def measured(served: Served, upstream: FakeOpenAI, proxies: tuple[FaultProxy, ...]) -> None:
    transport = Transport()
    run = Run(served, transport)
    try:
        await run.ask(WARMING)  # threads and pools that stay come with the first requests
        await idle(transport, upstream, proxies)
        before = held(transport)
        run.came.clear()
        await run.ask(REQUESTS)
        excess = await settled(transport, before)
    finally:
        await transport.aclose()
    assert not excess
    assert run.came.total() == REQUESTS
    assert min(run.came["ok"], run.came["error"], run.came["left"]) > REQUESTS // 100
    ended = await outcomes(served)
    # Who leaves may do so before all is asked, or when all is said.
    assert 0 <= WARMING + REQUESTS - ended.total() <= run.came["left"] + WARMING
    assert 0 < ended["cancelled"] <= run.came["left"] + WARMING
    assert not any(each.open for each in proxies)


async def outcomes(served: Served) -> Counter[str]:
    """Return how the requests ended, by the metrics, once every one of them has its trace."""
    gateway = served.gateway
    await gateway.records.flush()
    ended: Counter[str] = Counter()
    before: str | None = None
    while page := await asyncio.to_thread(gateway.registry.traces.list_traces, 1000, before=before):
        ended.update(each.outcome.value for each in page)
        before = page[-1].id
    counted: Counter[str] = Counter()
    for line in gateway.records.metrics.text().decode().splitlines():
        if line.startswith("inhouse_requests_total{"):
            counted[line.partition('outcome="')[2].partition('"')[0]] += round(
                float(line.rpartition(" ")[2])
            )
    assert ended == counted
    return counted
