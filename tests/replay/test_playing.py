import asyncio

import pytest

from inhouse.core.requests import CompletionRequest
from inhouse.errors import GatewayError
from inhouse.replay import Pace, Player, Session
from inhouse.replay.asking import Suggested
from inhouse.replay.session import (
    Accept,
    Backspace,
    Event,
    Head,
    Leave,
    Move,
    Over,
    Type,
    parsed,
    written,
)

AT_ONCE = Pace(debounce=0.075, speed=0)


class Model:
    """Suggests the rest of what it knows is written, and remembers what it was asked."""

    def __init__(self, knows: str = "") -> None:
        self.knows = knows
        self.asked: list[str] = []

    async def __call__(self, request: CompletionRequest) -> Suggested:
        self.asked.append(request.prefix)
        known = self.knows.startswith(request.prefix)
        return Suggested(self.knows[len(request.prefix) :] if known else "", None)


class Silent(Model):
    """Never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()

    async def __call__(self, request: CompletionRequest) -> Suggested:
        self.asked.append(request.prefix)
        self.reached.set()
        return await asyncio.get_running_loop().create_future()


class Failing(Model):
    """Fails from the request of this number on."""

    def __init__(self, number: int) -> None:
        super().__init__("abc")
        self._number = number

    async def __call__(self, request: CompletionRequest) -> Suggested:
        found = await super().__call__(request)
        if len(self.asked) > self._number:
            raise GatewayError("It is on fire.")
        return found


def session(*events: Event, text: str = "", cursor: int = 0) -> Session:
    head = Head(session=1, file="a.py", text=text, cursor=cursor)
    return parsed(b"".join(written(head, events)))


def typed(text: str, start: float = 0.0, gap: float = 1.0) -> list[Event]:
    return [Type(at=start + gap * at, text=each) for at, each in enumerate(text)]


async def played(what: Session, model: Model, pace: Pace = AT_ONCE) -> Player:
    shares: list[float] = []
    player = Player(what, model, pace, shares.append)
    await player.play()
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    return player


@pytest.mark.parametrize(
    ("debounce", "asked"),
    [(0.0, ["a", "ab", "abc"]), (0.075, ["ab", "abc"]), (0.25, ["abc"])],
)
async def test_an_editor_asks_when_nothing_is_typed_for_a_while(
    debounce: float, asked: list[str]
) -> None:
    model = Model()
    events = (Type(at=0, text="a"), Type(at=0.07, text="b"), Type(at=0.3, text="c"))
    await played(session(*events), model, Pace(debounce=debounce, speed=0))
    assert model.asked == asked


async def test_moving_and_leaving_ask_nothing() -> None:
    model = Model()
    await played(session(Move(at=0, to=0), Leave(at=1)), model)
    assert model.asked == []


async def test_what_is_accepted_needs_no_typing() -> None:
    model = Model("width")
    events = [*typed("w"), Accept(at=1), *typed("idth", 2), *typed("!", 9)]
    found = (await played(session(*events), model)).tally.figures(None)
    assert model.asked == ["w", "width", "width!"]
    assert (found.keystrokes, found.spared) == (3, 4)
    assert (found.shown, found.accepted, found.accepted_characters) == (1, 1, 4)
    assert (found.asked, found.answered, found.empty) == (3, 3, 2)


async def test_what_the_session_does_not_write_is_not_accepted() -> None:
    model = Model("widen")
    events = [*typed("w"), Accept(at=1), *typed("idth", 2)]
    found = (await played(session(*events), model)).tally.figures(None)
    assert model.asked == ["w", "wi", "wid", "widt", "width"]
    assert (found.accepted, found.spared, found.keystrokes) == (0, 0, 5)


async def test_a_suggestion_with_brackets_is_where_the_closing_one_is_typed_over() -> None:
    model = Model("f(a)")
    events = [
        *typed("f"),
        Accept(at=1),
        Type(at=2, text="(", closes=")"),
        Type(at=3, text="a"),
        Over(at=4),
    ]
    found = (await played(session(*events), model)).tally.figures(None)
    assert model.asked == ["f", "f(a)"]
    assert (found.accepted, found.spared) == (1, 3)


async def test_the_first_line_is_accepted_and_the_rest_stays() -> None:
    model = Model("ab\ncd")
    events = [
        *typed("a"),
        Accept(at=1, part="line"),
        *typed("b", 2),
        Accept(at=3),
        *typed("\ncd", 4),
    ]
    found = (await played(session(*events), model)).tally.figures(None)
    assert model.asked == ["a", "ab", "ab\ncd"]
    assert (found.accepted, found.accepted_characters, found.spared) == (2, 4, 4)
    assert found.shown == 1


async def test_a_patient_editor_asks_when_what_it_shows_no_longer_agrees() -> None:
    model = Model("width")
    what = session(*typed("wider"))
    await played(what, model, Pace(speed=0, patient=True))
    assert model.asked == ["w", "wide", "wider"]


async def test_a_text_that_comes_again_is_compared() -> None:
    model = Model("ab")
    events = [*typed("ab"), Backspace(at=3)]
    player = await played(session(*events), model)
    found = player.tally.figures(None)
    assert (found.repeated, found.wrong.changed) == (1, 0)


async def test_what_is_outdated_is_hung_up() -> None:
    model = Silent()
    what = session(*typed("abc"), Leave(at=5))
    player = await played(what, model, Pace(debounce=0, speed=1000))
    found = player.tally.figures(None)
    assert model.asked == ["a", "ab", "abc"]
    assert (found.asked, found.hung_up, found.answered, found.failed) == (3, 3, 0, 0)


async def test_who_stops_a_replay_hangs_up() -> None:
    model = Silent()
    task = asyncio.create_task(played(session(*typed("a")), model, Pace(speed=1000)))
    await model.reached.wait()
    before = len(asyncio.all_tasks())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == before - 2


@pytest.mark.parametrize("speed", [0, 1000])
async def test_a_gateway_that_never_answers_ends_the_replay(speed: float) -> None:
    with pytest.raises(GatewayError, match="on fire"):
        await played(session(*typed("abc")), Failing(0), Pace(debounce=0, speed=speed))


async def test_later_failures_are_counted() -> None:
    found = (await played(session(*typed("abc")), Failing(1))).tally.figures(None)
    assert (found.asked, found.answered, found.failed) == (3, 1, 2)
    assert found.first_failure == "It is on fire."
    assert not found.good
