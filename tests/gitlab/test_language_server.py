"""GitLab's language server is served: by this gateway alone, and by a GitLab in front of it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from inhouse.config import Config
from tests.fakes.http import Exchange
from tests.fakes.openai import FakeOpenAI
from tests.gitlab.drivers.clock import Clock
from tests.gitlab.drivers.document import Document
from tests.gitlab.drivers.language_server import (
    DEBOUNCE,
    DIRECT_PATIENCE,
    FailedError,
    LanguageServer,
    RefusedError,
)
from tests.gitlab.drivers.rails import PERSONAL_TOKEN, Rails
from tests.gitlab.drivers.streams import BrokenStreamError
from tests.server.serving import AUDITOR, DEVELOPER, Served, configuration, route, serving

FILE = Document("file:///project/a.py", "def add(a, b):\n    ret", "\n\nprint(add(1, 2))\n")
DEPLOYMENTS = """
[gitlab]
serve_editor_api = true
[[deployments]]
name = "gpu"
family = "codestral"
identifier = "custom_openai/tiny-coder"
endpoint = "{}"
"""
LONG_KEY = "ihk_long_0123456789abcdef0123456789abcdef0123456789"


class Editing:
    """A language server, its gateway, and the model behind that."""

    def __init__(
        self, upstream: FakeOpenAI, served: Served, language_server: LanguageServer
    ) -> None:
        self.upstream = upstream
        self.served = served
        self.server = language_server
        self.clock = language_server.clock

    def will_say(self, *pieces: str) -> None:
        self.upstream.faults.append(self.upstream.saying([list(pieces)], "stop"))

    def will_fail(self, times: int) -> None:
        async def fail(exchange: Exchange) -> None:
            await exchange.answer(500, b'{"error":{"message":"out of memory"}}')

        self.upstream.faults.extend([fail] * times)

    async def pause(self, document: Document) -> asyncio.Task[list[str]]:
        """Type, and stop for as long as it takes to be asked for."""
        task = asyncio.create_task(self.server.complete(document))
        await asyncio.sleep(0)  # others may be asleep already
        await self.clock.until_sleeping(DEBOUNCE)
        self.clock.advance(DEBOUNCE)
        return task

    async def complete(self, document: Document) -> list[str]:
        return await (await self.pause(document))

    async def generate(self, instruction: str = "Write add.") -> str:
        document = Document(FILE.uri, "# Write add.\n")
        return "".join([each async for each in self.server.generate(document, instruction)])


def configured(folder: Path, upstream: FakeOpenAI, text: str = "") -> Config:
    text = DEPLOYMENTS.format(upstream.endpoint) + route("completion", "gpu") + text
    return configuration(folder, text + route("generation", "gpu"))


@contextlib.asynccontextmanager
async def alone(folder: Path, token: str = DEVELOPER, text: str = "") -> AsyncGenerator[Editing]:
    """Let this gateway be the editor's GitLab."""
    async with (
        FakeOpenAI() as upstream,
        serving(configured(folder, upstream, text)) as served,
        LanguageServer(served.url, token, Clock()) as language_server,
    ):
        yield Editing(upstream, served, language_server)


@contextlib.asynccontextmanager
async def behind_gitlab(folder: Path, token: str = PERSONAL_TOKEN) -> AsyncGenerator[Editing]:
    """Put a GitLab between the editor and this gateway."""
    clock = Clock()
    async with (
        FakeOpenAI() as upstream,
        Rails(clock, {"name": "codestral", "endpoint": upstream.endpoint}) as rails,
        serving(configured(folder, upstream, rails.toml())) as served,
        LanguageServer(rails.url, token, clock) as language_server,
    ):
        rails.gateway = served.url
        yield Editing(upstream, served, language_server)


Setup = Callable[[Path], contextlib.AbstractAsyncContextManager[Editing]]
both = pytest.mark.parametrize("setup", [alone, behind_gitlab])


@both
async def test_it_starts(tmp_path: Path, setup: Setup) -> None:
    async with setup(tmp_path) as editing:
        await editing.server.start()


async def test_it_shows_that_suggestions_are_there(tmp_path: Path) -> None:
    async with alone(tmp_path) as editing:
        await editing.server.start()
        user = editing.server.state["currentUser"]
        assert user["duoCodeSuggestionsAvailable"] is True
        assert user["username"] == "ada"
        assert editing.server.state["featureFlagEnabled"] is True
        assert editing.server.state["project"] == {"duoFeaturesEnabled": True}


async def test_it_takes_a_long_key_for_a_token_of_oauth(tmp_path: Path) -> None:
    key = f'[[keys]]\nname = "long"\nrole = "developer"\nkey = "{LONG_KEY}"\n'
    async with alone(tmp_path, LONG_KEY, key) as editing:
        await editing.server.start()
        assert editing.server.state["currentUser"]["username"] == "long"


async def test_it_refuses_a_key_that_may_not_ask(tmp_path: Path) -> None:
    async with alone(tmp_path, AUDITOR) as editing:
        with pytest.raises(RefusedError):
            await editing.server.start()
    async with alone(tmp_path, "ihk_nobody_0123456789abcdef") as editing:
        with pytest.raises(FailedError) as caught:
            await editing.server.start()
        assert caught.value.status == 401


@both
async def test_typing_a_line_gives_suggestions(tmp_path: Path, setup: Setup) -> None:
    async with setup(tmp_path) as editing:
        editing.will_say("urn a", " + b")
        assert await editing.complete(FILE) == ["urn a + b"]
        editing.will_say("c = ", "3")
        assert await editing.complete(FILE.type("urn a + b\n    ")) == ["c = 3"]
        # How to ask directly was fetched with the first, and used for the second.
        assert editing.server.asked == ["gitlab", "direct"]
        assert not editing.server.failures
        asked = [each["prompt"] for each in editing.upstream.asked()]
        assert all("def add(a, b):" in each and "print(add(1, 2))" in each for each in asked)


async def test_only_the_last_of_several_keystrokes_asks(tmp_path: Path) -> None:
    async with alone(tmp_path) as editing:
        editing.will_say(" a + b")
        typed = [asyncio.create_task(editing.server.complete(FILE.type("urn"[:n]))) for n in (0, 1)]
        await editing.clock.until_sleeping(DEBOUNCE)
        last = await editing.pause(FILE.type("urn"))
        assert [await each for each in typed] == [[], []]
        assert await last == [" a + b"]
        assert len(editing.upstream.asked()) == 1


async def test_who_types_along_is_served_from_memory_once_a_place(tmp_path: Path) -> None:
    # The editor's memory is meant; ours would answer after it.
    forgetful = "[settings]\ncompletion_memory = false\n"
    async with alone(tmp_path, text=forgetful) as editing:
        editing.will_say("urn a + b")
        await editing.complete(FILE)
        assert await editing.server.complete(FILE.type("urn")) == [" a + b"]
        editing.will_say(" b - a")
        assert await editing.complete(FILE.type("urn")) == [" b - a"]
        assert len(editing.upstream.asked()) == 2


async def test_what_is_superseded_is_neither_an_error_nor_remembered(tmp_path: Path) -> None:
    async with alone(tmp_path) as editing:
        upstream = editing.upstream

        async def hang(exchange: Exchange) -> None:
            await exchange.hang()

        upstream.faults.append(hang)
        earlier = await editing.pause(FILE)
        await upstream.until(lambda: len(upstream.asked()) == 1)
        editing.will_say("n a + b")
        assert await editing.complete(FILE.type("ur")) == ["n a + b"]
        assert await earlier == []
        assert not editing.server.failures
        assert upstream.aborted == 1
        # The earlier place is asked for anew.
        editing.will_say("urn a + b")
        assert await editing.complete(FILE) == ["urn a + b"]


async def test_a_dead_model_opens_the_breaker_and_is_back_when_it_closes(tmp_path: Path) -> None:
    async with alone(tmp_path) as editing:
        editing.will_fail(100)
        for number in range(4):
            assert not editing.server.breaker.open
            assert await editing.complete(FILE.type(f"urn{number}")) == []
        assert editing.server.breaker.open
        asked = len(editing.upstream.requests)
        assert await editing.complete(FILE) == []
        assert len(editing.upstream.requests) == asked
        editing.upstream.faults.clear()
        for standing in editing.served.gateway.standings.known():
            standing.circuit.succeeded()
        editing.clock.advance(10)
        editing.will_say("urn a + b")
        assert await editing.complete(FILE) == ["urn a + b"]
        assert {each.status for each in editing.server.failures} <= {429, 502, 503}


async def test_while_asking_directly_fails_gitlab_is_asked(tmp_path: Path) -> None:
    async with behind_gitlab(tmp_path) as editing:
        editing.will_say("x")
        await editing.complete(FILE)
        editing.will_fail(2)  # the gateway itself tries twice
        editing.will_say("urn a")
        assert await editing.complete(FILE.type("\n    ")) == ["urn a"]
        assert editing.server.asked == ["gitlab", "direct", "gitlab"]
        assert editing.server.direct_breaker.remaining == 1
        editing.clock.advance(1)
        editing.will_say("y")
        await editing.complete(FILE.type("\n    \n    "))
        assert editing.server.asked[3:] == ["direct"]


async def test_it_fetches_how_to_ask_directly_before_that_expires(tmp_path: Path) -> None:
    async with alone(tmp_path) as editing:
        for line, seconds in (("", 3600 - 60), ("1", 30), ("12", 0)):
            editing.will_say("x")
            await editing.complete(FILE.type(f"\n    {line}"))
            editing.clock.advance(seconds)
        assert editing.server.asked == ["gitlab", "direct", "gitlab"]
        asked = [each.endpoint for each in await editing.served.traces()]
        assert asked.count("/api/v4/code_suggestions/direct_access") == 2


async def test_it_hangs_up_only_when_its_time_is_up(tmp_path: Path) -> None:
    async with alone(tmp_path) as editing:
        upstream = editing.upstream

        async def hang(exchange: Exchange) -> None:
            await exchange.hang()

        editing.will_say("x")
        await editing.complete(FILE)
        upstream.faults.append(hang)
        task = await editing.pause(FILE.type("\n    "))
        await upstream.until(lambda: len(upstream.asked()) == 2)
        editing.will_say("urn a")
        editing.clock.advance(DIRECT_PATIENCE)
        assert await task == ["urn a"]
        assert editing.server.asked == ["gitlab", "direct", "gitlab"]
        await upstream.until(lambda: upstream.aborted == 1)


@both
async def test_it_reads_code_as_it_is_written(tmp_path: Path, setup: Setup) -> None:
    async with setup(tmp_path) as editing:
        editing.will_say("def add(a, b):\n", "    return a", " + b  # Ä\n")
        text = await editing.generate()
        assert text.strip() == "def add(a, b):\n    return a + b  # Ä"
        (asked,) = editing.upstream.asked()
        assert "Write add." in str(asked)
        assert "OTHER = 1" in str(asked)


@both
async def test_it_notices_where_code_breaks_off(tmp_path: Path, setup: Setup) -> None:
    async with setup(tmp_path) as editing:
        upstream = editing.upstream
        upstream.faults.append(upstream.saying([["def add(a, b):\n", "    return a + b\n"]], None))
        with pytest.raises(BrokenStreamError):
            await editing.generate()


@both
async def test_it_is_told_when_there_is_no_model(tmp_path: Path, setup: Setup) -> None:
    async with setup(tmp_path) as editing:
        editing.will_fail(2)
        with pytest.raises(FailedError) as caught:
            await editing.generate()
        assert caught.value.status in {502, 503}
