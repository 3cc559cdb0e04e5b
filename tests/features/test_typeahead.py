"""What is answered from memory is what the first answer implied, however it came and is typed."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc
from collections.abc import AsyncGenerator, Callable, Sequence
from math import inf

from anyio import wait_all_tasks_blocked
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.catalog import Deployment, Role
from inhouse.core.delta import Delta, Usage
from inhouse.core.feature import Feature
from inhouse.core.requests import Caller, CompletionRequest
from inhouse.core.trace import Outcome, Trace
from inhouse.errors import SupersededError, UpstreamError, UpstreamFailure
from inhouse.features.typeahead import BYTES, ENTRIES, LIFETIME, NEARBY, Typeahead
from inhouse.records.recording import Recording
from inhouse.routing.target import Target
from inhouse.routing.watch import Watch

MODEL = Deployment(name="model", family="general", identifier="scripted/script")
TARGET = Target(
    model="completion",
    feature=Feature.COMPLETION,
    deployments=(MODEL,),
    caller=Caller(name="ada", role=Role.DEVELOPER),
)
CODE = st.text(alphabet="ab([{)]}\"' \r\n\u00e9\U0001f600\ud800", max_size=8)
"""With line ends of both kinds, a letter of two bytes, one of two surrogates, and half of one."""


Make = Callable[[Recording, Watch], AsyncGenerator[Delta]]


class Upstream:
    """Says one answer again and again, and counts."""

    def __init__(self, pieces: Sequence[str]) -> None:
        self.pieces = pieces
        self.asked = 0

    def __call__(self, recording: Recording, watch: Watch) -> AsyncGenerator[Delta]:
        del recording, watch
        self.asked += 1
        return self.answer()

    async def answer(self) -> AsyncGenerator[Delta]:
        for piece in self.pieces:
            yield Delta(text=piece)
        yield Delta(finish_reason="stop")


class Editor:
    """Asks as a completion does, and remembers what it was told."""

    def __init__(
        self, typeahead: Typeahead, make: Make, request: CompletionRequest, grace: float = 0
    ) -> None:
        self.traces: list[Trace] = []
        self.recording = Recording(request_id="", endpoint="", done=self.traces.append)
        self.watch = Watch()
        self.asked = False
        self._make = make
        self._grace = grace
        self._part = typeahead.part(request, TARGET)

    async def deltas(self) -> AsyncGenerator[Delta]:
        part, live = self._part, self._part.suggestion.live
        if part.asked:
            assert live is not None
            self.asked = True
            with live.asked(self.recording, self.watch, self._grace):
                async with contextlib.aclosing(self._make(self.recording, self.watch)) as deltas:
                    async for delta in deltas:
                        live.add(delta)
                        yield delta
        elif (reader := part.reader(self.recording, self.watch)) is not None:
            with reader:
                async for delta in reader:
                    yield delta
        else:
            for delta in part.deltas(self.recording):
                yield delta


async def read(
    typeahead: Typeahead, make: Make, prefix: str, suffix: str = "", path: str = ""
) -> str:
    request = CompletionRequest(prefix=prefix, suffix=suffix, path=path)
    editor = Editor(typeahead, make, request)
    return "".join([delta.text async for delta in editor.deltas()])


@given(
    pieces=st.lists(CODE, max_size=6),
    suffix=CODE,
    typing=st.lists(st.tuples(st.integers(0, 40), CODE, CODE), max_size=8),
)
async def test_memory_makes_the_file_that_the_first_answer_made(
    pieces: list[str], suffix: str, typing: list[tuple[int, str, str]]
) -> None:
    typeahead, first = Typeahead(), "".join(pieces)
    assert await read(typeahead, Upstream(pieces), "x = ", suffix) == first
    for kept, more, inserted in typing:
        typed = first[:kept] + more
        again = Upstream(["?"])
        rest = await read(typeahead, again, f"x = {typed}", inserted + suffix)
        if not again.asked:
            # A "?" may also be what is remembered by now, of a question of this very list.
            assert rest == "?" or first.startswith(typed + rest + inserted)
            assert rest == "?" or inserted or typed + rest == first
        elif first.startswith(typed) and not inserted:
            assert not first[len(typed) :].strip()


@given(pieces=st.lists(CODE, min_size=1, max_size=6), starts=st.lists(st.integers(0, 20)))
async def test_who_reads_along_gets_the_same_whenever_it_comes(
    pieces: list[str], starts: list[int]
) -> None:
    typeahead, first = Typeahead(), "".join(pieces)
    upstream = Upstream(pieces)
    shown = ""
    editor = Editor(typeahead, upstream, CompletionRequest(prefix="x = "))
    async for delta in editor.deltas():
        shown += delta.text
        for start in starts:
            typed = shown[:start]
            again = Upstream(["?"])
            rest = await read(typeahead, again, f"x = {typed}")
            assert again.asked or rest == "?" or typed + rest == first
    assert shown == first
    assert upstream.asked == 1


async def test_it_lasts_for_a_while() -> None:
    now = 0.0
    typeahead, upstream = Typeahead(clock=lambda: now), Upstream(["abc"])
    await read(typeahead, upstream, "x")
    now = LIFETIME - 1
    assert await read(typeahead, upstream, "xa") == "bc"
    assert upstream.asked == 1
    now = LIFETIME
    assert await read(typeahead, upstream, "xa") == "abc"
    assert upstream.asked == 2


async def test_it_is_bounded() -> None:
    typeahead, upstream = Typeahead(), Upstream(["abc"])
    for number in range(NEARBY + 1):
        await read(typeahead, upstream, f"{number:04}")
    await read(typeahead, upstream, f"{1:04}a")
    assert upstream.asked == NEARBY + 1
    await read(typeahead, upstream, f"{0:04}a")
    assert upstream.asked == NEARBY + 2
    for number in range(ENTRIES):
        await read(typeahead, upstream, "x", path=f"{number}.py")
    await read(typeahead, upstream, f"{1:04}a")
    assert upstream.asked == NEARBY + ENTRIES + 3


async def test_its_memory_is_bounded() -> None:
    typeahead, upstream = Typeahead(), Upstream(["abc"])
    await read(typeahead, upstream, "x", path="first.py")
    tracemalloc.start()
    try:
        for number in range(3 * ENTRIES):
            await read(typeahead, upstream, f"{number}" + "x" * 20_000, path=f"{number % 1000}.py")
            assert number % 500 or tracemalloc.get_traced_memory()[0] < 1.25 * BYTES
    finally:
        tracemalloc.stop()
    await read(typeahead, upstream, "xa", path="first.py")
    assert upstream.asked == 3 * ENTRIES + 2


class Held:
    """Says what a test tells it to, and notes how it ended."""

    def __init__(self) -> None:
        self.said = asyncio.Queue[str | None]()
        self.ended = ""

    def __call__(self, recording: Recording, watch: Watch) -> AsyncGenerator[Delta]:
        return self.answer(recording, watch)

    async def answer(self, recording: Recording, watch: Watch) -> AsyncGenerator[Delta]:
        recording.tried("model", "general")
        try:
            while (piece := await watch.wait(self.said.get(), inf, late)) is not None:
                recording.received(delta := Delta(text=piece))
                yield delta
            recording.received(
                delta := Delta(finish_reason="stop", usage=Usage(completion_tokens=7))
            )
            yield delta
            self.ended = "well"
        finally:
            self.ended = self.ended or "aborted"


def late() -> UpstreamError:
    """Return what is never raised: the upstream here has all the time there is."""
    return UpstreamError(UpstreamFailure.DEADLINE, "")


class Reading:
    """A request that reads along in a task of its own."""

    def __init__(self, typeahead: Typeahead, held: Held, typed: str) -> None:
        self.typed, self.shown, self.superseded = typed, "", False
        self.editor = Editor(typeahead, held, CompletionRequest(prefix=f"x = {typed}"))
        self.task = asyncio.create_task(self._read())

    def end(self, how: str) -> None:
        """Have another request take its place, its caller leave, or both at once."""
        if how != "leave":
            self.editor.watch.interrupt(SupersededError("Another one came."))
        if how != "take":
            self.task.cancel()

    async def _read(self) -> None:
        try:
            async with contextlib.aclosing(self.editor.deltas()) as deltas:
                async for delta in deltas:
                    self.shown += delta.text
        except SupersededError:
            self.superseded = True


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.text(alphabet="ab", min_size=1, max_size=3)),
        st.tuples(st.just("come"), st.integers(0, 6)),
        st.tuples(st.just("leave"), st.integers(0, 9)),
        st.tuples(st.just("take"), st.integers(0, 9)),
        st.tuples(st.just("both"), st.integers(0, 9)),
    ),
    max_size=20,
)


@given(steps=STEPS, ends=st.booleans())
async def test_whoever_comes_and_goes_the_others_read_on(
    steps: list[tuple[str, int | str]], ends: bool
) -> None:
    typeahead, held, said, spoken = Typeahead(), Held(), "", 0
    readings = [Reading(typeahead, held, "")]
    await wait_all_tasks_blocked()
    for step, argument in steps:
        running = [each for each in readings if not each.task.done()]
        if not running:
            break
        if isinstance(argument, str):
            said, spoken = said + argument, spoken + 1
            held.said.put_nowait(argument)
        elif step == "come":
            if argument == 0 or said[argument:].strip():
                readings.append(Reading(typeahead, held, said[:argument]))
        else:
            running[argument % len(running)].end(step)
        await wait_all_tasks_blocked()
        for each in readings:
            if not each.task.done():
                assert each.typed + each.shown == said
    staying = [each for each in readings if not each.task.done()]
    ends = ends and bool(staying)
    if ends:
        held.said.put_nowait(None)
        await wait_all_tasks_blocked()
        assert all(each.typed + each.shown == said for each in staying)
    for each in staying:
        each.task.cancel()
    await asyncio.gather(*(each.task for each in readings), return_exceptions=True)
    assert held.ended == ("well" if ends else "aborted")
    # What an upstream has counted is borne once, whoever is left to do so.
    told = [each.editor.recording.usage.completion_tokens for each in readings]
    assert len([tokens for tokens in told if tokens]) <= 1
    assert sum(told) == (7 if ends else spoken)
    again = Upstream(["?"])
    assert await read(typeahead, again, "x = ") == (said if ends else "?")
