"""What the identity room is tried in: a clock that waits for nobody, a log that remembers."""

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from inhouse.config import GitLab, Issuer
from inhouse.core.ports import Place
from inhouse.core.secret import Secret
from inhouse.identity import Clock, Identity
from inhouse.identity.signing import KeyStore, StoredKey
from inhouse.store import Registry
from inhouse.transport import Policy
from tests.fakes.gitlab import FakeGitLab
from tests.fakes.http import PATIENCE

START = 1_000_000.0


class Time:
    """Time that stands still until somebody lets it go on; wall time starts at the real one."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self.now = START
        self._begun = wall()
        self._numbers = itertools.count()
        self._slept = asyncio.Event()
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self.clock = Clock(lambda: self.now, self.wall, self.sleep)

    def wall(self) -> float:
        return self._begun + self.now - START

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (self.now + seconds, next(self._numbers), future))
        self._slept.set()
        await future

    def go(self, seconds: float) -> None:
        """Let time go on, and wake whoever has waited for it."""
        self.now += seconds
        while self._waiting and self._waiting[0][0] <= self.now:
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(None)

    async def settled(self) -> None:
        """Wait until somebody waits for time to go on."""
        async with asyncio.timeout(PATIENCE):
            while not self.pauses():
                self._slept.clear()
                await self._slept.wait()

    def pauses(self) -> list[float]:
        """Return for how long is still waited, the shortest first."""
        return sorted(at - self.now for at, _, future in self._waiting if not future.done())


class Line(Struct):
    level: str
    event: str
    facts: dict[str, Any]


class KeptLog:
    """A log in memory; a defect is an error unless the test is about `defects`."""

    def __init__(self, *, defects: bool = False) -> None:
        self._defects = defects
        self.lines: list[Line] = []

    def info(self, event: str, **facts: object) -> None:
        self.lines.append(Line("info", event, facts))

    def warning(self, event: str, **facts: object) -> None:
        self.lines.append(Line("warning", event, facts))

    def failure(self, event: str, **facts: object) -> None:
        self.lines.append(Line("error", event, facts))

    def defect(self, event: str, error: BaseException, **facts: object) -> None:
        if not self._defects:
            raise AssertionError(event, facts) from error
        self.lines.append(Line("error", event, facts))

    def events(self) -> list[str]:
        return [each.event for each in self.lines]

    def kinds(self) -> list[str]:
        """Return why tokens were refused, in words for programs."""
        return [each.facts["kind"] for each in self.lines if each.event == "token refused"]

    def text(self) -> str:
        return "\n".join(f"{each.event} {each.facts}" for each in self.lines)


class NoKeys:
    """A store of keys that has none, where a test is not about tokens of our own."""

    def load(self) -> Sequence[StoredKey]:
        return ()

    def renew(self, key_id: str, private_key: Secret, **times: float) -> Sequence[StoredKey]:
        raise AssertionError(key_id, private_key, times)


def issuer(gitlab: FakeGitLab, **fields: Any) -> Issuer:
    """Return the entry of an instance, with further fields."""
    return Issuer(url=gitlab.address, **fields)


def section(*instances: Issuer, **fields: Any) -> GitLab:
    return GitLab(docs=Path("docs.db"), instances=instances, **fields)


def registry(folder: Path) -> Registry:
    """Open a store in a folder; as often as wanted, as replicas do."""
    return Registry.open(
        f"sqlite:///{folder}/inhouse.db", secret=Secret("x" * 32), key_file=folder / "unused"
    )


@contextlib.asynccontextmanager
async def identity(
    written: GitLab,
    time: Time,
    log: KeptLog,
    store: KeyStore,
    peers: Iterable[Place] = (),
    proxies: Mapping[str, str] | None = None,
) -> AsyncGenerator[Identity]:
    """Yield an identity room whose connections are allowed as a gateway allows them."""
    policy = Policy(peers)
    found = Identity(
        written,
        store,
        log,
        egress=policy,
        proxies=proxies or {},
        peers=frozenset(peers),
        clock=time.clock,
    )
    policy.register(found.places())
    try:
        yield found
    finally:
        await found.aclose()
