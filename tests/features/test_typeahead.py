"""What is answered from memory is what the first answer implied, however it came and is typed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.catalog import Deployment, Role
from inhouse.core.delta import Delta
from inhouse.core.feature import Feature
from inhouse.core.requests import Caller, CompletionRequest
from inhouse.features.live import Make
from inhouse.features.typeahead import ENTRIES, LIFETIME, NEARBY, Typeahead
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
CODE = st.text(alphabet="ab([{)]}\"' \n", max_size=8)


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

    def __init__(self, typeahead: Typeahead, make: Make, request: CompletionRequest) -> None:
        self.recording = Recording(request_id="", endpoint="", done=lambda _: None)
        self.watch = Watch()
        self._part = typeahead.part(request, TARGET, make, self.watch.began)

    async def deltas(self) -> AsyncGenerator[Delta]:
        reader = self._part.reader(self.recording, self.watch)
        if reader is None:
            for delta in self._part.deltas(self.recording):
                yield delta
            return
        async with reader:
            async for delta in reader:
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
    typeahead, upstream = Typeahead(lambda: now), Upstream(["abc"])
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
    for number in range(17):
        await read(typeahead, upstream, "x" * 1024 * 1024, path=f"{number}.py")
    await read(typeahead, upstream, "xa", path="first.py")
    assert upstream.asked == 19
