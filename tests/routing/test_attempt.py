"""One deployment is asked: what its reader, its circuit, its queue and its witness are told."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest

from inhouse.core.catalog import Deployment, Role
from inhouse.core.deadlines import DeadlineOverrides
from inhouse.core.delta import Delta
from inhouse.core.feature import Feature
from inhouse.core.requests import Caller, Params
from inhouse.core.settings import Settings
from inhouse.errors import (
    ConfigError,
    InhouseError,
    NotFoundError,
    UpstreamError,
    UpstreamFailure,
)
from inhouse.routing.attempt import Asked, Attempt
from inhouse.routing.circuit import IN_A_ROW, State
from inhouse.routing.late import GRACE
from inhouse.routing.standing import Standing, Standings
from inhouse.routing.target import Target
from inhouse.routing.watch import Watch

ONE = Deployment(name="x", family="general", identifier="scripted/x", max_concurrent=1)
A, B = Delta(text="a"), Delta(text="b")
SOON = 0.01


class Note:
    """A witness that remembers."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.failures: list[UpstreamFailure] = []
        self.deltas: list[Delta] = []

    def tried(self, deployment: str, family: str) -> None:
        self.asked.append((deployment, family))

    def failed(self, error: UpstreamError) -> None:
        self.failures.append(error.failure)

    def received(self, delta: Delta) -> None:
        self.deltas.append(delta)


class Source:
    """An upstream that says deltas, and then ends, raises `error`, or waits for ever."""

    def __init__(self, *deltas: Delta, error: Exception | None = None, hangs: bool = False) -> None:
        self._deltas = deltas
        self._error = error
        self._hangs = hangs
        self.waiting = asyncio.Event()
        self.params: list[Params] = []
        self.hung_up = False

    async def begin(self, params: Params) -> AsyncGenerator[Delta]:
        self.params.append(params)
        try:
            for delta in self._deltas:
                yield delta
            if self._error is not None:
                raise self._error
            if self._hangs:
                self.waiting.set()
                await asyncio.get_running_loop().create_future()
        except (GeneratorExit, asyncio.CancelledError):
            self.hung_up = True
            raise


class Stage:
    """One deployment, and requests to it."""

    def __init__(self, **deadlines: float) -> None:
        self.standing: Standing = Standings()[ONE]
        self.note = Note()
        self.watch = Watch()
        self._deadlines = DeadlineOverrides(**deadlines)

    def attempt(self) -> Attempt:
        target = Target(
            model="chat",
            feature=Feature.CHAT,
            deployments=(ONE,),
            caller=Caller("ada", Role.DEVELOPER),
            deadlines=self._deadlines,
        )
        return Attempt(target, self.standing, self.note, Settings(), self.watch)

    async def stream(self, source: Source, *, whole: bool = False) -> AsyncGenerator[Delta]:
        attempt = self.attempt()
        async with attempt:
            async for delta in attempt.ask(Asked(Params(), source.begin, whole)):
                attempt.received(delta)
                yield delta
                attempt.go_on()

    async def read(self, source: Source, *, whole: bool = False) -> list[Delta]:
        return [delta async for delta in self.stream(source, whole=whole)]

    def all_is_given_back(self) -> bool:
        task = asyncio.current_task()
        return task is not None and not task.cancelling() and not self.standing.queue.running


async def test_an_answer_is_handed_on_and_told() -> None:
    stage, source = Stage(total=50), Source(A, B)
    assert await stage.read(source) == [A, B] == stage.note.deltas
    assert (stage.note.asked, stage.note.failures) == ([("x", "general")], [])
    assert stage.all_is_given_back()
    assert not source.hung_up
    (params,) = source.params
    assert 40 < params.deadlines.total <= 50 + GRACE


async def test_who_stops_reading_hangs_up() -> None:
    stage, source = Stage(), Source(A, B)
    async with contextlib.aclosing(stage.stream(source)) as deltas:
        assert await anext(deltas) == A
        assert stage.standing.queue.running == 1
    assert source.hung_up
    assert stage.all_is_given_back()
    assert not stage.note.failures


@pytest.mark.parametrize(
    ("deadlines", "said", "whole", "failure", "words"),
    [
        ({"first_token": SOON}, (), False, UpstreamFailure.TIMEOUT, "did not begin"),
        ({"between_tokens": SOON}, (A,), False, UpstreamFailure.TIMEOUT, "fell silent"),
        ({"total": SOON}, (), False, UpstreamFailure.DEADLINE, "did not finish"),
        ({"total": SOON}, (A,), False, UpstreamFailure.DEADLINE, "did not finish"),
        (
            {"first_token": SOON, "total": 2 * SOON},
            (),
            True,
            UpstreamFailure.DEADLINE,
            "did not finish",
        ),
    ],
)
async def test_who_is_late_is_hung_up_and_told(
    deadlines: dict[str, float],
    said: tuple[Delta, ...],
    whole: bool,
    failure: UpstreamFailure,
    words: str,
) -> None:
    stage, source = Stage(**deadlines), Source(*said, hangs=True)
    with pytest.raises(UpstreamError, match=words) as caught:
        await stage.read(source, whole=whole)
    assert caught.value.failure is failure
    assert stage.note.failures == [failure]
    assert source.hung_up
    assert stage.all_is_given_back()


async def test_of_a_whole_answer_nothing_is_late_once_it_is_there() -> None:
    assert await Stage(between_tokens=-1).read(Source(A, B), whole=True) == [A, B]
    with pytest.raises(UpstreamError, match="fell silent"):
        await Stage(between_tokens=-1).read(Source(A, B))


async def test_what_the_reader_waits_for_is_not_the_upstream_s_time() -> None:
    stage, source = Stage(), Source(A, B)
    deltas = stage.stream(source)
    assert await anext(deltas) == A
    stage.watch.interrupt(InhouseError("make room"))
    await asyncio.sleep(0)  # cancels nothing of the reader's
    with pytest.raises(InhouseError, match="make room"):
        await anext(deltas)
    assert source.hung_up
    assert stage.all_is_given_back()


async def test_an_interruption_hangs_up_and_blames_nobody() -> None:
    stage, source = Stage(), Source(A, hangs=True)
    reading = asyncio.create_task(stage.read(source))
    await source.waiting.wait()
    stage.watch.interrupt(InhouseError("make room"))
    with pytest.raises(InhouseError, match="make room"):
        await reading
    assert source.hung_up
    assert stage.all_is_given_back()
    assert not stage.note.failures


async def test_hanging_up_is_not_interrupted() -> None:
    stage = Stage()
    done: list[str] = []

    async def begin(_: Params) -> AsyncGenerator[Delta]:
        try:
            yield A
            yield B
        finally:
            stage.watch.interrupt(InhouseError("make room"))
            await asyncio.sleep(0)
            done.append("hung up")

    async def fail() -> None:
        async with stage.attempt() as attempt:
            attempt.received(await anext(attempt.ask(Asked(Params(), begin))))
            attempt.go_on()
            raise ValueError("the reader's")

    with pytest.raises(ValueError, match="the reader's"):
        await fail()
    assert done
    assert stage.all_is_given_back()


async def test_who_is_interrupted_at_the_door_asks_nothing_and_gives_its_slot_back() -> None:
    stage, source = Stage(), Source(A)
    stage.watch.interrupt(InhouseError("make room"))
    with pytest.raises(InhouseError, match="make room"):
        await stage.read(source)
    assert not source.params
    assert stage.all_is_given_back()


@pytest.mark.parametrize("error", [ConfigError("no key"), NotFoundError("no key")])
async def test_a_mistake_of_the_administrator_s_is_an_upstream_s_failure(
    error: InhouseError,
) -> None:
    stage = Stage()
    with pytest.raises(UpstreamError, match="'x' cannot work as it is configured: no key") as said:
        await stage.read(Source(error=error))
    assert said.value.__cause__ is error
    assert stage.note.failures == [UpstreamFailure.MISCONFIGURED]
    assert stage.all_is_given_back()


async def test_who_rests_is_not_asked() -> None:
    stage = Stage()
    broken = UpstreamError(UpstreamFailure.SERVER, "It broke.")
    for _ in range(IN_A_ROW):
        with pytest.raises(UpstreamError, match="It broke"):
            await stage.read(Source(error=broken))
    assert stage.standing.circuit.state is State.OPEN
    source = Source(A)
    with pytest.raises(UpstreamError, match="left alone") as caught:
        await stage.read(source)
    assert caught.value.failure is UpstreamFailure.RESTING
    assert not source.params
    assert len(stage.note.asked) == len(stage.note.failures) == IN_A_ROW


async def test_an_answer_that_has_begun_shows_that_the_upstream_is_well() -> None:
    """Before its end, which may be far."""
    stage = Stage()
    broken = UpstreamError(UpstreamFailure.SERVER, "It broke.")
    for _ in range(IN_A_ROW - 1):
        with pytest.raises(UpstreamError):
            await stage.read(Source(error=broken))
    async with contextlib.aclosing(stage.stream(Source(A, B))) as deltas:
        await anext(deltas)
    with pytest.raises(UpstreamError):
        await stage.read(Source(error=broken))
    assert stage.standing.circuit.state is State.CLOSED


async def test_who_finds_no_slot_in_time_is_told() -> None:
    stage, waiting = Stage(), Stage(first_token=SOON)
    waiting.standing = stage.standing
    source = Source(A, hangs=True)
    async with contextlib.aclosing(stage.stream(source)) as deltas:
        await anext(deltas)
        with pytest.raises(UpstreamError, match="max_concurrent"):
            await waiting.read(Source(A))
        assert waiting.note.failures == [UpstreamFailure.BUSY]
        assert stage.standing.queue.running == 1
    assert stage.all_is_given_back()


async def test_requests_earn_second_tries() -> None:
    stage = Stage()
    while stage.standing.retries.spend():
        pass
    for _ in range(11):
        await stage.read(Source(A))
    assert stage.standing.retries.spend()
