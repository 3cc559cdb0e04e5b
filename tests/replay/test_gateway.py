"""A session against a running gateway, in each dialect."""

import asyncio
from pathlib import Path

import pytest

from inhouse.client import Client
from inhouse.core.secret import Secret
from inhouse.errors import GatewayError
from inhouse.replay import DIALECTS, Dialect, Figures, Meter, Pace, Player, Session, Wrong
from inhouse.replay.session import Accept, Backspace, Event, Head, Leave, Type, parsed, written
from tests.server.serving import CHAT_ONLY, DEVELOPER, Served, configuration, route, serving
from tests.server.serving import scripted as script

SAID = "width + height"
TOKENS = ["width", " +", " height"]
TEXT = "def area(width, height):\n    retur\n"
AT_ONCE = Pace(debounce=0.075, speed=0)


def session() -> Session:
    """Finish a line: one detour on which the same text comes twice, and what is said accepted."""
    events: list[Event] = [
        Type(at=0, text="n"),
        Type(at=0.01, text=" ", right="width"),
        Type(at=1, text="("),
        Backspace(at=2),
        Accept(at=3),
        *(Type(at=3.01 + at / 1000, text=each) for at, each in enumerate(SAID)),
        Leave(at=3.05),
    ]
    head = Head(session=1, file="shapes.py", text=TEXT, cursor=len(TEXT) - 1)
    return parsed(b"".join(written(head, tuple(events))))


async def replayed(served: Served, dialect: Dialect) -> Figures:
    async with Client(served.url, Secret(DEVELOPER)) as client:
        player = Player(session(), DIALECTS[dialect](client), AT_ONCE, lambda _: None)
        async with Meter(f"{served.metrics}/metrics") as meter:
            before = await meter.read()
            await player.play()
            added = await meter.added(before, player.tally.asked)
    assert added.requests == 3
    return player.tally.figures(added)


@pytest.mark.parametrize("dialect", Dialect)
async def test_a_session_is_played_and_counted(dialect: Dialect, tmp_path: Path) -> None:
    text = script("toy", tokens=TOKENS) + route("completion", "toy")
    async with serving(configuration(tmp_path, text)) as served:
        found = await replayed(served, dialect)
        calls, traces = served.scripted.calls, await served.traces()
    assert (found.keystrokes, found.spared) == (5, len(SAID))
    assert (found.asked, found.answered, found.empty, found.hung_up, found.failed) == (
        (3, 3, 0, 0, 0)
    )
    assert (found.shown, found.accepted, found.accepted_characters) == (3, 1, len(SAID))
    assert (found.repeated, found.wrong, found.good) == (1, Wrong(0, 0), True)
    assert found.milliseconds is not None
    cost = found.cost
    assert (cost.source, cost.requests) == ("metrics", len(calls))
    assert cost.prompt_tokens == sum(each.prompt_tokens for each in traces)
    assert cost.completion_tokens == sum(each.completion_tokens for each in traces)
    assert cost.requests_per_accepted_character == len(calls) / len(SAID)
    tokens = cost.prompt_tokens + cost.completion_tokens
    assert cost.tokens_per_accepted_character == tokens / len(SAID)


@pytest.mark.parametrize("dialect", [Dialect.OPENAI, Dialect.GITLAB])
async def test_answers_tell_tokens_where_metrics_do_not(dialect: Dialect, tmp_path: Path) -> None:
    text = script("toy", tokens=TOKENS) + route("completion", "toy")
    async with (
        serving(configuration(tmp_path, text)) as served,
        Client(served.url, Secret(DEVELOPER)) as client,
    ):
        player = Player(session(), DIALECTS[dialect](client), AT_ONCE, lambda _: None)
        await player.play()
        traces = await served.traces()
    cost = player.tally.figures(None).cost
    assert (cost.source, cost.requests) == ("answers", None)
    assert cost.prompt_tokens == sum(each.prompt_tokens for each in traces) > 0
    assert cost.completion_tokens == sum(each.completion_tokens for each in traces) > 0


async def test_tabby_s_answers_tell_no_tokens(tmp_path: Path) -> None:
    text = script("toy", tokens=TOKENS) + route("completion", "toy")
    async with (
        serving(configuration(tmp_path, text)) as served,
        Client(served.url, Secret(DEVELOPER)) as client,
    ):
        player = Player(session(), DIALECTS[Dialect.TABBY](client), AT_ONCE, lambda _: None)
        await player.play()
    found = player.tally.figures(None)
    assert found.untold == found.answered == 3
    assert (found.cost.prompt_tokens, found.cost.completion_tokens) == (0, 0)


@pytest.mark.parametrize("dialect", Dialect)
async def test_a_hang_up_reaches_the_upstream(dialect: Dialect, tmp_path: Path) -> None:
    text = script("toy", gate="here") + route("completion", "toy")
    async with (
        serving(configuration(tmp_path, text)) as served,
        Client(served.url, Secret(DEVELOPER)) as client,
    ):
        player = Player(session(), DIALECTS[dialect](client), AT_ONCE, lambda _: None)
        task = asyncio.create_task(player.play())
        await served.scripted.gate("here").reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (call,) = served.scripted.calls
        await call.ended.wait()
        assert call.aborted


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("ihk_wrong", "refused the API key"),
        (CHAT_ONLY, "completion"),
        ("", "There is no API key"),
    ],
)
@pytest.mark.parametrize("dialect", Dialect)
async def test_a_refusal_is_told(dialect: Dialect, key: str, said: str, tmp_path: Path) -> None:
    text = script("toy", tokens=TOKENS) + route("completion", "toy")
    async with (
        serving(configuration(tmp_path, text)) as served,
        Client(served.url, Secret(key)) as client,
    ):
        player = Player(session(), DIALECTS[dialect](client), AT_ONCE, lambda _: None)
        with pytest.raises(GatewayError) as failed:
            await player.play()
    assert said in str(failed.value)
    assert "no inhouse gateway" not in str(failed.value)


@pytest.mark.parametrize(
    ("path", "said"),
    [("/nowhere", "status 404"), ("/metrics", "")],
)
async def test_metrics_that_are_none(path: str, said: str, tmp_path: Path) -> None:
    async with serving(configuration(tmp_path)) as served:
        async with Meter(f"{served.metrics}{path}") as meter:
            if said:
                with pytest.raises(GatewayError, match=said):
                    await meter.read()
            else:
                assert (await meter.read()).requests == 0
        async with Meter(served.url + "/health") as meter:
            with pytest.raises(GatewayError, match="are no metrics"):
                await meter.read()
