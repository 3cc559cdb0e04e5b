"""What is answered from memory is what the first answer implied, however it came and is typed."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc
from collections.abc import AsyncGenerator, Callable, Sequence
from math import inf

from anyio import wait_all_tasks_blocked
from hypothesis import example, given
from hypothesis import strategies as st

from inhouse.core.catalog import Deployment, Role
from inhouse.core.delta import Delta, Usage
from inhouse.core.feature import Feature
from inhouse.core.requests import Caller, CompletionRequest
from inhouse.core.trace import Outcome, Trace
from inhouse.errors import SupersededError, UpstreamError, UpstreamFailure
from inhouse.features.orphans import PER_CALLER, PER_DEPLOYMENT, Orphans
from inhouse.features.typeahead import BYTES, ENTRIES, LIFETIME, NEARBY, Typeahead
from inhouse.features.windows import COMMON, typed
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
    along: list[tuple[str, Upstream, asyncio.Task[str]]] = []
    async for delta in editor.deltas():
        shown += delta.text
        for start in starts:
            typed, again = shown[:start], Upstream(["?"])
            reading = asyncio.create_task(read(typeahead, again, f"x = {typed}"))
            along.append((typed, again, reading))
        await asyncio.sleep(0)
    for typed, again, reading in along:
        rest = await reading
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
        self.asked = 0

    def __call__(self, recording: Recording, watch: Watch) -> AsyncGenerator[Delta]:
        self.asked += 1
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
    """A request of a file in a task of its own, whose caller may hang up."""

    def __init__(self, typeahead: Typeahead, held: Held, typed: str, grace: float) -> None:
        self.typed, self.shown = typed, ""
        self.superseded = self.left = False
        request = CompletionRequest(prefix=f"x = {typed}", path="a.py")
        self.editor = Editor(typeahead, held, request, grace)
        self.task = asyncio.create_task(self._read())

    @property
    def reads(self) -> bool:
        """Whether there is still somebody to read for."""
        return not (self.task.done() or self.left)

    def leave(self) -> None:
        """Do as the server does when a caller hangs up."""
        self.left = True
        if not self.editor.recording.left():
            self.task.cancel()

    def take(self) -> None:
        """Have another request take its place."""
        self.editor.watch.interrupt(SupersededError("Another one came."))

    async def _read(self) -> None:
        with self.editor.recording:
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
        st.tuples(st.sampled_from(["take", "both", "end"]), st.integers(0, 9)),
    ),
    max_size=20,
)


class Desk:
    """A file that one caller edits: requests come, and go in every way."""

    def __init__(self, grace: float) -> None:
        self.orphans = Orphans()
        self.typeahead, self.held = Typeahead(self.orphans), Held()
        self.said, self.spoken, self.grace = "", 0, grace
        self.readings: list[Reading] = []
        self.come("")

    def come(self, typed: str) -> None:
        self.readings.append(Reading(self.typeahead, self.held, typed, self.grace))

    def say(self, text: str) -> None:
        self.said, self.spoken = self.said + text, self.spoken + 1
        self.held.said.put_nowait(text)

    def step(self, what: str, argument: int | str) -> None:
        reading = [each for each in self.readings if each.reads]
        if isinstance(argument, str):
            self.say(argument)
        elif what == "come":
            # Whoever asks again for what has said nothing yet, and nobody reads, asks anew.
            if self.said[argument:] or (reading and not argument):
                self.come(self.said[:argument])
        elif what == "end":
            self.orphans.end()
        else:
            if reading and what != "take":
                reading[argument % len(reading)].leave()
            for each in self.readings if what != "leave" else ():
                each.take()

    async def leave(self) -> None:
        """Have everybody leave, and no more grace."""
        for each in self.readings:
            if each.reads:
                each.leave()
        # The grace begins when the last who reads along has gone, not when it is told to go.
        await wait_all_tasks_blocked()
        self.orphans.end()

    def check(self) -> None:
        """Nobody asks a second time, whoever is left, and all who are read the same."""
        assert self.held.asked == 1
        for each in self.readings:
            assert each.left or each.typed + each.shown == self.said


@given(steps=STEPS, ends=st.booleans(), grace=st.sampled_from([0, 3600]))
@example(steps=[("say", "ab"), ("leave", 0), ("come", 1)], ends=False, grace=3600)
async def test_whoever_comes_and_goes_the_others_read_on(
    steps: list[tuple[str, int | str]], ends: bool, grace: float
) -> None:
    desk = Desk(grace)
    held, readings = desk.held, desk.readings
    await wait_all_tasks_blocked()
    for step, argument in steps:
        desk.step(step, argument)
        await wait_all_tasks_blocked()
        if held.ended:
            break
        assert grace or any(each.reads for each in readings)
        desk.check()
    ends = ends and not held.ended
    if ends:
        held.said.put_nowait(None)
        await wait_all_tasks_blocked()
        desk.check()
    await desk.leave()
    await asyncio.gather(*(each.task for each in readings), return_exceptions=True)
    assert held.ended == ("well" if ends else "aborted")
    # What an upstream has counted is borne once, by who asked.
    asker, *along = (each.editor.traces[0] for each in readings)
    assert asker.completion_tokens == (7 if ends else asker.deltas)
    assert asker.deltas in {desk.spoken, desk.spoken + ends}
    assert not any(trace.completion_tokens or trace.deltas for trace in along)
    for each in readings:
        (trace,) = each.editor.traces
        assert (trace.outcome is Outcome.CANCELLED) == each.left
    again = Upstream(["?"])
    rest = await read(desk.typeahead, again, "x = ", path="a.py")
    assert rest == (desk.said if ends else "?")


async def test_what_has_said_nothing_and_nobody_reads_is_asked_anew() -> None:
    desk = Desk(3600)
    await wait_all_tasks_blocked()
    desk.come("")
    await wait_all_tasks_blocked()
    assert desk.held.asked == 1
    for each in desk.readings:
        each.leave()
    await wait_all_tasks_blocked()
    assert len(desk.orphans) == 1
    desk.come("")
    await wait_all_tasks_blocked()
    assert desk.held.asked == 2
    await desk.leave()
    await asyncio.gather(*(each.task for each in desk.readings), return_exceptions=True)


class Written:
    """An answer that may become an orphan."""

    def __init__(self, deployment: str = "model") -> None:
        self.deployment = deployment
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


async def test_orphans_are_bounded_and_the_oldest_go() -> None:
    orphans = Orphans()
    many = [Written() for _ in range(PER_CALLER + 1)]
    assert all(orphans.take(each, "ada", 3600) for each in many)
    assert [each.aborted for each in many] == [True] + [False] * PER_CALLER
    more = [Written() for _ in range(PER_DEPLOYMENT)]
    assert all(orphans.take(each, number, 3600) for number, each in enumerate(more))
    assert all(each.aborted for each in many)
    elsewhere = Written("other")
    assert orphans.take(elsewhere, "ada", 3600)
    assert not any(each.aborted for each in more)
    orphans.close()
    assert all(each.aborted for each in (*more, elsewhere))
    assert not orphans.take(Written(), "ada", 3600)


async def test_orphans_make_way_where_somebody_waits() -> None:
    waiting = {"model": 0}
    orphans = Orphans(waiting.__getitem__)
    first = Written()
    assert orphans.take(first, "ada", 3600)
    assert orphans.make_way("other") == 0
    assert not first.aborted
    assert orphans.make_way("model") == 1
    assert first.aborted
    waiting["model"] = 1
    assert not orphans.take(Written(), "ada", 3600)


FILE = st.text(alphabet="ab\n", max_size=8)


@given(
    head=FILE,
    common=st.text(alphabet="ab\n", min_size=COMMON, max_size=COMMON + 40),
    text=st.text(alphabet="ab\n", min_size=1, max_size=8),
    count=st.integers(0, 8),
    cut=st.integers(0, 60),
    more=FILE,
)
def test_a_window_that_slid_shows_what_was_typed_or_is_not_told(
    head: str, common: str, text: str, count: int, cut: int, more: str
) -> None:
    earlier, written = head + common, text[:count]
    assert typed(earlier, text, earlier + written, slides=False) == len(written)
    slid = (earlier + written)[cut:]
    found = typed(earlier, text, slid, slides=True)
    # A window that shows the very same code asks the very same question.
    if found is not None and not slid.startswith(earlier):
        assert found == len(written)
        assert len(slid) - found >= COMMON
    other = slid + more
    found = typed(earlier, text, other, slides=True)
    # Whatever was typed, it is how the suggestion begins, behind code that was known.
    assert found is None or (earlier + text[:found]).endswith(other)


async def test_editors_that_send_a_window_type_along() -> None:
    typeahead, upstream = Typeahead(), Upstream(["return a", " + b"])
    file = "".join(f"line_{number} = {number}\n" for number in range(200))
    behind = "".join(f"\nafter_{number}" for number in range(200))
    suffix = behind[:900]
    assert await read(typeahead, upstream, file[-900:], suffix, "a.py") == "return a + b"
    assert await read(typeahead, upstream, f"{file}re"[-900:], suffix, "a.py") == "turn a + b"
    assert await read(typeahead, upstream, f"{file}re"[-880:], behind[:800], "a.py") == "turn a + b"
    lines = f"{file}retu"[-900:].partition("\n")[2]
    assert await read(typeahead, upstream, lines, suffix, "a.py") == "rn a + b"
    assert upstream.asked == 1
    for prefix, following in (
        (f"{file}x"[-900:], suffix),
        (f"{file}re"[-1000:], suffix),
        (f"{file}re"[-200:], suffix),
        (f"{file}re"[-900:], "x" + suffix),
        (f"{file}re"[-900:], suffix[:100]),
    ):
        asked = upstream.asked
        await read(Typeahead(), upstream, prefix, following, "a.py")
        await read(typeahead, upstream, prefix, following, "b.py")
        await read(typeahead, upstream, prefix, following, "a.py")
        assert upstream.asked == asked + 3
