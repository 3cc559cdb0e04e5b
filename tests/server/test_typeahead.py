"""Typing along a suggestion asks no upstream, at OpenAI's doors and at GitLab's."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inhouse.core.trace import Outcome
from inhouse.providers.repository.provider import Repository
from tests.server.serving import (
    ADMIN,
    DEVELOPER,
    Served,
    configuration,
    route,
    scripted,
    serving,
)

SAID = ["foo", "(a", ", b)"]
EDITOR = "[gitlab]\nserve_editor_api = true\n"
Ask = Callable[..., Any]
CODE = st.text(alphabet="ab([{)]}\"' \r\n\u00e9\u6f22", max_size=8)


@contextlib.asynccontextmanager
async def served(
    folder: Path, declared: str = "", tokens: list[str] = SAID, limits: str = "", **options: object
) -> AsyncGenerator[Served]:
    model = scripted("model", family="codestral", tokens=tokens, **options)
    model = model.replace("[deployments.options]", f"{limits}\n[deployments.options]")
    configured = configuration(folder, declared + model + route("completion", "model"))
    async with serving(configured) as found:
        yield found


async def openai(here: Served, prefix: str, suffix: str = "\n", **fields: Any) -> str:
    key = fields.pop("key", DEVELOPER)
    content = {"model": "completion", "prompt": prefix, "suffix": suffix, "path": "a.py"} | fields
    reply = await here.ask("POST", "/v1/completions", key=key, content=content)
    assert reply.status == 200, reply.body
    assert reply.json["model"] == "model"
    return reply.json["choices"][0]["text"]


async def gitlab(here: Served, prefix: str, suffix: str = "\n") -> str:
    file = {
        "file_name": "a.py",
        "content_above_cursor": prefix,
        "content_below_cursor": suffix,
    }
    reply = await here.ask(
        "POST", "/v2/code/completions", key=DEVELOPER, content={"current_file": file}
    )
    assert reply.status == 200, reply.body
    return reply.json["choices"][0]["text"] if reply.json["choices"] else ""


async def tabby(here: Served, prefix: str, suffix: str = "\n", **fields: Any) -> str:
    content = {"segments": {"prefix": prefix, "suffix": suffix, "filepath": "a.py"}} | fields
    reply = await here.ask("POST", "/v1/completions", key=DEVELOPER, content=content)
    assert reply.status == 200, reply.body
    return reply.json["choices"][0]["text"]


DOORS = pytest.mark.parametrize("ask", [openai, gitlab, tabby])


@DOORS
async def test_typing_along_asks_once(tmp_path: Path, ask: Ask) -> None:
    async with served(tmp_path) as here:
        assert await ask(here, "x = ") == "foo(a, b)"
        for typed in ("f", "foo", "foo(a, ", "fo", ""):
            assert typed + await ask(here, f"x = {typed}") == "foo(a, b)"
        assert len(here.scripted.calls) == 1
        *memory, first = await here.traces()
    assert first.deltas
    for trace in memory:
        assert trace.outcome is Outcome.REMEMBERED
        assert trace.deployments == ()
        assert (trace.deltas, trace.prompt_tokens, trace.completion_tokens) == (0, 0, 0)


@DOORS
async def test_what_the_editor_closed_is_not_said_again(tmp_path: Path, ask: Ask) -> None:
    async with served(tmp_path) as here:
        await ask(here, "x = ")
        assert await ask(here, "x = foo(", ")\n") == "a, b"
        assert len(here.scripted.calls) == 1
        # Nothing of the suggestion ends so: the model has to think anew.
        await ask(here, "x = foo(", "]\n")
        assert len(here.scripted.calls) == 2


@DOORS
@pytest.mark.parametrize(
    ("prefix", "suffix"),
    [("x = bar", "\n"), ("y = ", "\n"), ("x = f", "\ny"), ("x = foo(a, b)", "\n")],
    ids=["other characters", "other code", "other code behind", "all of it"],
)
async def test_anything_else_is_asked(tmp_path: Path, ask: Ask, prefix: str, suffix: str) -> None:
    async with served(tmp_path) as here:
        await ask(here, "x = ")
        await ask(here, prefix, suffix)
        assert len(here.scripted.calls) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"key": ADMIN},
        {"user": "bob"},
        {"path": "b.py"},
        {"max_tokens": 9},
        {"temperature": 0.5},
        {"stop": ["x"]},
        {"n": 2},
        {"logit_bias": {"1": 1}},
        {"seed": 1},
        {"model": "model"},
    ],
    ids=str,
)
async def test_nobody_gets_the_answer_to_another_question(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    async with served(tmp_path, route("chat", "model")) as here:
        await openai(here, "x = ")
        # A deployment that is asked by its name is the same one.
        alike = "model" in other
        await openai(here, "x = f", **other)
        assert len(here.scripted.calls) == (1 if alike else 2)


@pytest.mark.parametrize("extra", [{"logit_bias": {"1": 1}}, {"logprobs": None}], ids=str)
async def test_what_is_only_handed_on_belongs_to_the_question(
    tmp_path: Path, extra: dict[str, Any]
) -> None:
    async with served(tmp_path) as here:
        assert await openai(here, "x = ", **extra) == "foo(a, b)"
        assert await openai(here, "x = f", **extra) == "oo(a, b)"
        assert len(here.scripted.calls) == 1


@pytest.mark.parametrize("fields", [{"n": 2}, {"logprobs": 0}, {"max_tokens": 5000}], ids=str)
async def test_what_others_cannot_read_is_asked_again(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    async with served(tmp_path) as here:
        for asked in (1, 2):
            await openai(here, "x = ", **fields)
            assert len(here.scripted.calls) == asked


async def test_whoever_wants_variety_gets_it_and_types_along_all_the_same(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        await openai(here, "x = ", temperature=0.8)
        await openai(here, "x = ", temperature=0.8)
        assert len(here.scripted.calls) == 2
        assert await openai(here, "x = f", temperature=0.8) == "oo(a, b)"
        assert len(here.scripted.calls) == 2
        for _ in range(2):
            await openai(here, "x = ", temperature=0.2)
            await openai(here, "x = ", temperature=0.8, seed=1)
        assert len(here.scripted.calls) == 4


async def test_the_same_place_with_other_code_from_elsewhere_is_asked_again(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as here:
        for asked, body in ((1, "def foo(a, b): ..."), (2, "def bar(): ...")):
            near = [{"name": "foo", "filepath": "b.py", "body": body}]
            segments = {"prefix": "x = ", "suffix": "\n", "filepath": "a.py", "declarations": near}
            assert await tabby(here, "", segments=segments) == "foo(a, b)"
            assert len(here.scripted.calls) == asked
        # Editors choose it anew at each keystroke.
        assert await tabby(here, "x = f") == "oo(a, b)"
        assert len(here.scripted.calls) == 2


async def test_a_request_may_want_no_memory(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        content = {"model": "completion", "prompt": "x = ", "suffix": "\n", "path": "a.py"}
        headers = {"Cache-Control": "max-age=0, No-Cache"}
        for asked in (1, 2):
            reply = await here.ask("POST", "/v1/completions", headers=headers, content=content)
            assert "X-Inhouse-Remembered" not in reply.headers
            assert len(here.scripted.calls) == asked
        reply = await here.ask("POST", "/v1/completions", content=content)
        assert reply.headers["X-Inhouse-Remembered"] == "true"
        assert reply.headers["X-Inhouse-Deployment"] == "model"
        assert len(here.scripted.calls) == 2


async def test_gitlab_s_health_check_asks_the_model_each_time(tmp_path: Path) -> None:
    file = {
        "file_name": "test.rb",
        "content_above_cursor": "def hello_world",
        "content_below_cursor": "",
    }
    async with served(tmp_path) as here:
        for asked in (1, 2):
            reply = await here.ask("POST", "/v2/code/completions", content={"current_file": file})
            assert reply.status == 200, reply.body
            assert len(here.scripted.calls) == asked


@DOORS
async def test_it_can_be_switched_off(tmp_path: Path, ask: Ask) -> None:
    async with served(tmp_path, "[settings]\ncompletion_memory = false\n") as here:
        await ask(here, "x = ")
        await ask(here, "x = f")
        assert len(here.scripted.calls) == 2


@DOORS
async def test_a_change_of_the_registry_empties_it(tmp_path: Path, ask: Ask) -> None:
    async with served(tmp_path) as here:
        await ask(here, "x = ")
        changed = await here.ask("PATCH", "/api/v1/settings", content={"max_queued": 7})
        assert changed.status == 200, changed.body
        await ask(here, "x = f")
        assert len(here.scripted.calls) == 2


@DOORS
async def test_the_same_question_twice_is_asked_once(tmp_path: Path, ask: Ask) -> None:
    async with served(tmp_path, gate="open", gate_after=2) as here:
        first = asyncio.create_task(ask(here, "x = "))
        await here.scripted.gate("open").reached.wait()
        others = [asyncio.create_task(ask(here, f"x = {typed}")) for typed in ("", "f")]
        here.scripted.gate("open").release()
        assert [await each for each in (first, *others)] == ["foo(a, b)", "foo(a, b)", "oo(a, b)"]
        assert len(here.scripted.calls) == 1
        traces = await here.traces()
    asked = [trace for trace in traces if trace.outcome is Outcome.OK]
    along = [trace for trace in traces if trace.outcome is Outcome.REMEMBERED]
    assert [bool(trace.completion_tokens) for trace in asked] == [True]
    assert [trace.completion_tokens for trace in along] == [0, 0]


async def stream(here: Served, prefix: str, path: str = "") -> AsyncGenerator[bytes]:
    content = {"model": "completion", "prompt": prefix, "suffix": "\n", "stream": True}
    content["path"] = path
    headers = {"Authorization": f"Bearer {DEVELOPER}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{here.url}/v1/completions", json=content, headers=headers) as answer,
    ):
        async for line in answer.content:
            if line.strip():
                yield line


async def test_typing_along_a_live_suggestion_gets_what_has_come_and_follows(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, gate="open", gate_after=2) as here:
        first = stream(here, "x = ", path="a.py")
        assert b'"foo"' in await anext(first)
        along = stream(here, "x = f", path="a.py")
        assert b'"oo"' in await anext(along)
        here.scripted.gate("open").release()
        # Neither has taken the place of the other.
        for reader in (first, along):
            rest = [line async for line in reader]
            assert b'", b)"' in b"".join(rest)
            assert rest[-1] == b"data: [DONE]\n"
        assert len(here.scripted.calls) == 1
        told = {trace.outcome for trace in await here.traces()}
        assert told == {Outcome.OK, Outcome.REMEMBERED}


async def test_memory_is_streamed_in_one_piece(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        assert [line async for line in stream(here, "x = ")][-1] == b"data: [DONE]\n"
        lines = [line async for line in stream(here, "x = f")]
        assert len(here.scripted.calls) == 1
    told = [msgspec.json.decode(line.removeprefix(b"data: ")) for line in lines[:-1]]
    (choice,) = (choice for each in told for choice in each["choices"])
    assert (choice["text"], choice["finish_reason"]) == ("oo(a, b)", "stop")


async def test_whoever_types_something_else_takes_the_place_of_all_who_read(tmp_path: Path) -> None:
    async with served(tmp_path, gate="open", gate_after=1) as here:
        readers = [stream(here, "x = ", path="a.py") for _ in range(2)]
        for reader in readers:
            assert b'"foo"' in await anext(reader)
        other = asyncio.create_task(openai(here, "x = b"))
        for reader in readers:
            assert b'"finish_reason":"stop"' in b"".join([line async for line in reader])
        assert here.scripted.calls[0].aborted
        here.scripted.gate("open").release()
        assert await other == "foo(a, b)"


async def test_who_leaves_does_not_stop_the_others_and_the_last_one_aborts(tmp_path: Path) -> None:
    async with served(tmp_path, gate="open", gate_after=1) as here:
        first, second = stream(here, "x = "), stream(here, "x = ")
        assert b'"foo"' in await anext(first)
        assert b'"foo"' in await anext(second)
        (call,) = here.scripted.calls
        await first.aclose()
        # The server has heard of it once the connection that came later is answered.
        await here.ask("GET", "/health")
        assert not call.ended.is_set()
        await second.aclose()
        await call.ended.wait()
        assert call.aborted
        while len(traces := await here.traces()) < 2:
            pass
        assert [trace.outcome for trace in traces] == [Outcome.CANCELLED] * 2
        # Nothing is left of it.
        again = asyncio.create_task(openai(here, "x = ", path=""))
        here.scripted.gate("open").release()
        assert await again == "foo(a, b)"
        assert len(here.scripted.calls) == 2


async def hung_up(here: Served, path: str = "a.py", *, stays: bool = True) -> None:
    """Ask, and hang up behind the first token."""
    first = stream(here, "x = ", path=path)
    assert b'"foo"' in await anext(first)
    await first.aclose()
    while stays and not len(here.gateway.orphans):
        await here.ask("GET", "/health")


BLANK = {"model": "completion", "prompt": " ", "suffix": "", "path": "a.py"}
GRACE = "[settings]\ncompletion_grace = 5\n"


async def test_who_hangs_up_and_types_along_asks_once(tmp_path: Path) -> None:
    async with served(tmp_path, GRACE, gate="open", gate_after=2) as here:
        await hung_up(here)
        for typed in ("f", "fo"):
            along = stream(here, f"x = {typed}", path="a.py")
            await anext(along)
            await along.aclose()
        last = stream(here, "x = foo", path="a.py")
        assert b'"(a"' in await anext(last)
        here.scripted.gate("open").release()
        assert b'", b)"' in b"".join([line async for line in last])
        (call,) = here.scripted.calls
        assert not call.aborted
        while len(traces := await here.traces()) < 4:
            pass
    (asked,) = (trace for trace in traces if trace.deployments)
    assert (asked.outcome, asked.status) == (Outcome.CANCELLED, 499)
    assert asked.completion_tokens == 3
    assert sum(trace.completion_tokens for trace in traces) == asked.completion_tokens
    outcomes = sorted(trace.outcome for trace in traces if trace is not asked)
    assert outcomes == [Outcome.CANCELLED, Outcome.CANCELLED, Outcome.REMEMBERED]


async def test_who_hangs_up_on_silence_and_asks_again_gets_another_try(tmp_path: Path) -> None:
    async with served(tmp_path, GRACE, gate="open") as here:
        first = asyncio.create_task(openai(here, "x = ", path="a.py"))
        while not here.scripted.calls:
            await here.ask("GET", "/health")
        first.cancel()
        while not len(here.gateway.orphans):
            await here.ask("GET", "/health")
        again = asyncio.create_task(openai(here, "x = ", path="a.py"))
        await here.scripted.calls[0].ended.wait()
        assert here.scripted.calls[0].aborted
        here.scripted.gate("open").release()
        assert await again == "foo(a, b)"
        assert len(here.scripted.calls) == 2


async def test_what_nobody_waited_for_is_remembered_when_it_is_complete(tmp_path: Path) -> None:
    async with served(tmp_path, GRACE, gate="open", gate_after=1) as here:
        await hung_up(here)
        here.scripted.gate("open").release()
        while not (traces := await here.traces()):
            pass
        assert traces[0].outcome is Outcome.CANCELLED
        assert traces[0].completion_tokens == 3
        lines = [line async for line in stream(here, "x = foo(a", path="a.py")]
        assert b'", b)"' in lines[0]
        assert len(here.scripted.calls) == 1


@pytest.mark.parametrize("what", ["another", "silence", "registry", "waiting"])
async def test_what_nobody_reads_is_aborted_when_it_is_in_the_way(
    tmp_path: Path, what: str
) -> None:
    declared = GRACE + "completion_min_prefix = 1\nmax_queued = 0\n"
    limits = "max_concurrent = 1"
    async with served(tmp_path, declared, gate="open", gate_after=1, limits=limits) as here:
        await hung_up(here)
        other: asyncio.Task[str] | None = None
        if what == "another":
            other = asyncio.create_task(openai(here, "y = "))
        elif what == "waiting":
            other = asyncio.create_task(openai(here, "y = ", path="b.py"))
        elif what == "registry":
            await here.ask("PATCH", "/api/v1/settings", content={"trace_days": 7})
        else:
            reply = await here.ask("POST", "/v1/completions", key=DEVELOPER, content=BLANK)
            assert reply.status == 200, reply.body
        call = here.scripted.calls[0]
        await call.ended.wait()
        assert call.aborted
        here.scripted.gate("open").release()
        if other is not None:
            assert await other == "foo(a, b)"


@pytest.mark.parametrize(
    ("path", "declared"),
    [
        ("", GRACE),
        ("a.py", "[settings]\ncompletion_grace = 0\n"),
        ("a.py", GRACE + "completion_superseding = false\n"),
    ],
    ids=["no file", "no grace", "nobody is superseded"],
)
async def test_a_hang_up_aborts_at_once_where_nobody_would_type_along(
    tmp_path: Path, path: str, declared: str
) -> None:
    async with served(tmp_path, declared, gate="open", gate_after=1) as here:
        await hung_up(here, path, stays=False)
        (call,) = here.scripted.calls
        await call.ended.wait()
        assert call.aborted
        while not (traces := await here.traces()):
            pass
        assert (traces[0].outcome, traces[0].finish_reason) == (Outcome.CANCELLED, "")


async def test_what_nobody_reads_does_not_keep_the_server_from_stopping(tmp_path: Path) -> None:
    async with served(tmp_path, GRACE, gate="open", gate_after=1) as here:
        await hung_up(here)
        (call,) = here.scripted.calls
    assert call.aborted


async def test_a_failure_is_everybody_s_and_is_forgotten(tmp_path: Path) -> None:
    async with served(tmp_path, error="bad_request", error_after=0) as here:
        content = {"model": "completion", "prompt": "x = ", "path": "a.py"}
        for calls in (1, 2):
            reply = await here.ask("POST", "/v1/completions", content=content)
            assert reply.status >= 400
            assert len(here.scripted.calls) == calls


async def test_a_stream_that_breaks_off_fails_for_all_who_read_it(tmp_path: Path) -> None:
    async with served(tmp_path, gate="open", gate_after=1, error="server", error_after=2) as here:
        readers = [stream(here, "x = ") for _ in range(3)]
        for reader in readers:
            assert b'"foo"' in await anext(reader)
        here.scripted.gate("open").release()
        for reader in readers:
            assert b'"error"' in b"".join([line async for line in reader])
        assert len(here.scripted.calls) == 1
        while len(traces := await here.traces()) < 3:
            pass
        assert [trace.outcome for trace in traces] == [Outcome.FAILED] * 3
        # Nobody types along what was never finished.
        await here.ask(
            "POST", "/v1/completions", content={"model": "completion", "prompt": "x = f"}
        )
        assert len(here.scripted.calls) == 2


async def test_what_time_has_cut_is_not_remembered(tmp_path: Path) -> None:
    tokens = ["    foo()\n", "    bar()\n", "    baz()\n"]
    async with served(tmp_path, tokens=tokens, gate="open", gate_after=2) as here:
        content = {"model": "completion", "prompt": "def run():\n", "path": "a.py"}
        headers = {"X-Inhouse-Total-Timeout": "0.5"}
        for asked in (1, 2):
            reply = await here.ask("POST", "/v1/completions", headers=headers, content=content)
            assert reply.json["choices"][0]["finish_reason"] == "length"
            assert len(here.scripted.calls) == asked


async def test_a_new_index_is_asked_at_once(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    file = tmp_path / "code" / "a.py"
    file.write_text("total = add(first, second)\n" * 9)
    index = f"""
[[deployments]]
name = "index"
family = "repository-index"
identifier = "repository/index"
endpoint = "{file.parent}"
options.threshold = 0.0
"""
    configured = configuration(tmp_path, index + route("completion", "index"))
    async with serving(configured) as here:
        (deployment,) = here.gateway.catalog.deployments.values()
        provider = here.gateway.provider(deployment)
        assert isinstance(provider, Repository)
        await provider.warm(deployment, lambda _share, _phase: None)
        content = {"model": "completion", "prompt": "total = add(", "path": "b.py"}
        first = await here.ask("POST", "/v1/completions", content=content)
        again = await here.ask("POST", "/v1/completions", content=content)
        assert again.headers["X-Inhouse-Remembered"] == "true"
        assert first.json["choices"] == again.json["choices"]
        assert "first" in first.json["choices"][0]["text"]
        file.write_text("total = add(third, fourth)\n" * 9)
        await provider.warm(deployment, lambda _share, _phase: None)
        changed = await here.ask("POST", "/v1/completions", content=content)
        assert "third" in changed.json["choices"][0]["text"]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    tokens=st.lists(CODE, min_size=1, max_size=6),
    suffix=CODE,
    typing=st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from(["", ")", "]", '"', "})"])), max_size=6
    ),
)
async def test_at_each_door_memory_says_what_the_first_answer_said(
    tokens: list[str], suffix: str, typing: list[tuple[int, str]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with served(Path(folder), tokens=tokens) as here:
            for ask in (openai, gitlab, tabby, streamed):
                # One door does not answer what another has asked.
                before = f"def {ask.__name__}(x):\n    y = "
                first = await ask(here, before, suffix)
                for kept, inserted in typing:
                    typed, calls = first[:kept], len(here.scripted.calls)
                    rest = await ask(here, before + typed, inserted + suffix)
                    if len(here.scripted.calls) == calls:
                        assert first.startswith(typed + rest + inserted)
                        assert inserted or typed + rest == first
                    else:
                        # Another answer is known from here on.
                        break


async def streamed(here: Served, prefix: str, suffix: str = "\n") -> str:
    content = {"model": "completion", "prompt": prefix, "suffix": suffix, "stream": True}
    reply = await here.ask("POST", "/v1/completions", key=DEVELOPER, content=content)
    events = reply.body.removesuffix(b"data: [DONE]\n\n").split(b"\n\n")[:-1]
    told = [msgspec.json.decode(event.removeprefix(b"data: ")) for event in events]
    return "".join(choice["text"] for each in told for choice in each["choices"])
