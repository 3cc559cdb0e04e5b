"""Deadlines, queues, circuits, limits and superseding, as callers meet them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from inhouse.core.trace import Outcome
from inhouse.providers.scripted import Call
from tests.fakes.http import Exchange
from tests.fakes.openai import HOLD, FakeOpenAI
from tests.server.serving import (
    ADMIN,
    CHAT_ONLY,
    DEVELOPER,
    Reply,
    Served,
    configuration,
    route,
    scripted,
    serving,
)

CODE = ["a = 1\n", "b = 2\n", "c = "]
SEEDS = itertools.count()
"""No two questions are the same: the second would be answered without asking anybody."""


@contextlib.asynccontextmanager
async def served(folder: Path, *declared: str) -> AsyncGenerator[Served]:
    async with serving(configuration(folder, "\n".join(declared))) as found:
        yield found


def fim(name: str, **options: object) -> str:
    return scripted(name, family="codestral", **options)


async def complete(here: Served, model: str = "completion", **fields: Any) -> Reply:
    headers: dict[str, str] = fields.pop("headers", {})
    key: str = fields.pop("key", DEVELOPER)
    code = {"prompt": "x = ", "suffix": "\n", "max_tokens": 9}
    content = {"model": model, "seed": next(SEEDS)} | code | fields
    return await here.ask("POST", "/v1/completions", key=key, headers=headers, content=content)


async def chat(here: Served, model: str = "chat", key: str = DEVELOPER, **fields: Any) -> Reply:
    content = {"model": model, "messages": [{"role": "user", "content": "Hello?"}]} | fields
    return await here.ask("POST", "/v1/chat/completions", key=key, content=content)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 -- the gateway tells nobody
            await asyncio.sleep(0)


async def begun(here: Served, calls: int) -> list[Call]:
    """Wait until the scripts have been asked so often."""
    await until(lambda: len(here.scripted.calls) >= calls)
    return list(here.scripted.calls)


def text(reply: Reply) -> str:
    assert reply.status == 200, reply.body
    return reply.json["choices"][0]["text"]


# Deadlines.


async def test_the_next_deployment_answers_when_the_first_token_is_late(tmp_path: Path) -> None:
    hurry = "[deployments.deadlines]\nfirst_token = 0.05\n"
    hangs, up = fim("hangs", hang=True) + hurry, fim("up", tokens=["1"])
    async with served(tmp_path, hangs, up, route("completion", "hangs", "up")) as here:
        assert text(await complete(here)) == "1"
        (trace,) = await here.traces()
        # On a busy machine the time may be up before the first one is asked.
        asked = [call for call in here.scripted.calls if call.deployment.name == "hangs"]
        assert all(call.aborted for call in asked)
    assert (trace.deployments, trace.failures) == (("hangs", "up"), ("timeout",))


@pytest.mark.parametrize("stream", [False, True])
async def test_a_late_first_token_is_told_with_the_setting(tmp_path: Path, stream: bool) -> None:
    settings = "[settings]\ncompletion_first_token_timeout = 0.05\n"
    async with served(
        tmp_path, settings, fim("hangs", hang=True), route("completion", "hangs")
    ) as here:
        reply = await complete(here, stream=stream)
    assert reply.status == 504
    assert reply.error["code"] == "timeout"
    assert "completion_first_token_timeout" in reply.error["message"]


async def test_silence_in_mid_stream_ends_with_an_error(tmp_path: Path) -> None:
    settings = "[settings]\nchat_between_tokens_timeout = 0.05\n"
    stalls = scripted("stalls", tokens=["a", "b"], gate="never", gate_after=1)
    async with served(tmp_path, settings, stalls, route("chat", "stalls")) as here:
        whole = await chat(here)
        streamed = await chat(here, stream=True)
    assert whole.status == 504
    assert b"fell silent for 0.05 s" in whole.body
    assert b'"content":"a"' in streamed.body
    assert b"fell silent" in streamed.body
    assert b"[DONE]" not in streamed.body


@pytest.mark.parametrize(
    ("stream", "tokens", "shown"),
    [
        (False, CODE, "a = 1\nb = 2\n"),
        (True, CODE, "a = 1\nb = 2\n"),
        (False, ["a", " = 1"], ""),
        (True, ["a", " = 1"], "a"),
    ],
)
async def test_a_completion_ends_at_the_last_whole_line_when_its_time_is_up(
    tmp_path: Path, stream: bool, tokens: list[str], shown: str
) -> None:
    settings = "[settings]\ncompletion_total_timeout = 1.0\n"
    stalls = fim("stalls", tokens=[*tokens, "1"], gate="never", gate_after=len(tokens))
    if not shown or shown == "a":
        stalls = fim("stalls", tokens=tokens, gate="never", gate_after=1)
    async with served(tmp_path, settings, stalls, route("completion", "stalls")) as here:
        reply = await complete(here, stream=stream, prompt="# Below this line.\n")
        (trace,) = await here.traces()
        assert here.scripted.calls[0].aborted
    assert reply.status == 200
    if stream:
        pieces = [line for line in reply.body.split(b"\n\n") if b'"text":' in line]
        assert reply.body.endswith(b"data: [DONE]\n\n")
        assert b'"finish_reason":"length"' in reply.body
        found = "".join(_piece(piece) for piece in pieces)
    else:
        found = text(reply)
        assert reply.json["choices"][0]["finish_reason"] == "length"
    assert found == shown
    assert (trace.outcome, trace.finish_reason, trace.failures) == (
        Outcome.OK,
        "length",
        ("deadline",),
    )


def _piece(event: bytes) -> str:
    return json.loads(event.removeprefix(b"data: "))["choices"][0]["text"]


async def test_a_chat_whose_time_is_up_is_an_error(tmp_path: Path) -> None:
    settings = "[settings]\nchat_total_timeout = 0.1\n"
    stalls = scripted("stalls", tokens=["a\n", "b"], gate="never", gate_after=1)
    async with served(tmp_path, settings, stalls, route("chat", "stalls")) as here:
        reply = await chat(here)
    assert reply.status == 504
    assert reply.error["code"] == "deadline"
    assert "chat_total_timeout" in reply.error["message"]


async def test_a_request_sets_its_own_deadlines(tmp_path: Path) -> None:
    async with served(tmp_path, fim("hangs", hang=True), route("completion", "hangs")) as here:
        headers = {"X-Inhouse-First-Token-Timeout": "0.05"}
        reply = await complete(here, headers=headers)
        assert reply.status == 504
        said = reply.error["message"]
        assert "within 0.05 s (as the request's X-Inhouse-First-Token-Timeout says)" in said
        for wrong in ("soon", "-1", "0", "1e9", "nan"):
            reply = await complete(here, headers={"X-Inhouse-Total-Timeout": wrong})
            assert reply.status == 400, wrong
            assert reply.error["param"] == "X-Inhouse-Total-Timeout"
            assert "must be a number of seconds" in reply.error["message"]


async def test_a_deployment_sets_its_own_deadlines(tmp_path: Path) -> None:
    slow = fim("slow", hang=True) + "[deployments.deadlines]\nfirst_token = 0.05\n"
    async with served(tmp_path, slow, route("completion", "slow")) as here:
        reply = await complete(here)
    assert reply.status == 504
    assert "within 0.05 s (the deployment's deadlines.first_token)" in reply.error["message"]


async def test_the_hurry_of_one_caller_closes_no_door(tmp_path: Path) -> None:
    async with served(tmp_path, fim("hangs", hang=True), route("completion", "hangs")) as here:
        headers = {"X-Inhouse-First-Token-Timeout": "0.01"}
        for _ in range(8):
            assert (await complete(here, headers=headers)).status == 504


async def test_patience_excuses_nothing(tmp_path: Path) -> None:
    down, up = fim("down", error="unreachable"), fim("up", tokens=["1"])
    headers = {"X-Inhouse-Total-Timeout": "600", "X-Inhouse-Connect-Timeout": "1"}
    async with served(tmp_path, down, up, route("completion", "down", "up")) as here:
        for _ in range(12):
            assert text(await complete(here, headers=headers)) == "1"
        asked = [call.deployment.name for call in here.scripted.calls]
    assert asked.count("down") < 8


# Circuits and second tries.


async def test_a_failing_deployment_is_left_alone(tmp_path: Path) -> None:
    down, up = fim("down", error="server", error_status=500), fim("up", tokens=["1"])
    async with served(tmp_path, down, up, route("completion", "down", "up")) as here:
        for _ in range(12):
            assert text(await complete(here)) == "1"
        asked = [call.deployment.name for call in here.scripted.calls]
        assert asked.count("down") < 8
        assert asked.count("up") == 12
        reply = await complete(here, model="down")
        shown = (await here.ask("GET", "/api/v1/deployments/down")).json["standing"]
        well = (await here.ask("GET", "/api/v1/deployments/up")).json["standing"]
    assert reply.status == 503
    assert (shown["state"], shown["last_failure"]) == ("open", "The script says so.")
    assert shown["retry_in"] > 0
    assert well == {
        "state": "closed",
        "running": 0,
        "waiting": 0,
        "retry_in": 0.0,
        "last_failure": None,
    }
    assert reply.error["code"] == "resting"
    assert int(reply.headers["retry-after"]) >= 1
    assert "It failed last with: The script says so." in reply.error["message"]


async def test_an_upstream_that_asks_for_patience_is_not_asked_again(tmp_path: Path) -> None:
    limited = fim("limited", error="rate_limited", retry_after=30)
    async with served(tmp_path, limited, route("completion", "limited")) as here:
        replies = [await complete(here) for _ in range(5)]
        assert [reply.status for reply in replies] == [429] * 5
        assert len(here.scripted.calls) == 1
        assert 25 <= int(replies[-1].headers["retry-after"]) <= 30


async def test_the_log_says_when_a_deployment_is_left_alone_and_when_it_is_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limited = fim("limited", error="rate_limited", error_message="Too much.", retry_after=30)
    async with served(tmp_path, limited, route("completion", "limited")) as here:
        await complete(here)
        await complete(here)
        (standing,) = here.gateway.standings.known()
        standing.circuit.succeeded()
    said = [line for line in capsys.readouterr().err.splitlines() if '"deployment ' in line]
    alone, back = (json.loads(line) for line in said)
    assert (alone["event"], alone["level"]) == ("deployment left alone", "warning")
    assert (alone["deployment"], alone["why"], alone["seconds"]) == ("limited", "Too much.", 30)
    assert (back["event"], back["deployment"]) == ("deployment answers again", "limited")


async def test_an_outage_costs_few_second_tries(tmp_path: Path) -> None:
    down = fim("down", error="unreachable")
    async with served(tmp_path, down, route("completion", "down")) as here:
        for _ in range(4):
            assert (await complete(here)).status in {502, 503}
        assert len(here.scripted.calls) <= 8


async def test_a_failure_that_is_over_in_a_moment_is_tried_again(tmp_path: Path) -> None:
    async def closes(exchange: Exchange) -> None:
        exchange.reset()

    async with FakeOpenAI() as upstream:
        upstream.faults.append(closes)
        declared = (
            '[[deployments]]\nname = "tiny"\nfamily = "codestral"\n'
            f'identifier = "custom_openai/tiny-coder"\nendpoint = "{upstream.endpoint}"\n'
        )
        async with served(tmp_path, declared, route("completion", "tiny")) as here:
            assert text(await complete(here))
            (trace,) = await here.traces()
    assert (trace.deployments, trace.failures) == (("tiny", "tiny"), ("closed",))


# Groups.


async def test_a_group_keeps_a_file_together_and_spreads_files(tmp_path: Path) -> None:
    declared = [fim(name, tokens=[name]) for name in ("one", "two")]
    group = route("completion", "one", "two") + "weights = [1, 1]\n"
    async with served(tmp_path, *declared, group) as here:
        first = {
            path: text(await complete(here, path=path)) for path in (f"m{n}.py" for n in range(16))
        }
        assert set(first.values()) == {"one", "two"}
        for path, answered in first.items():
            assert text(await complete(here, path=path)) == answered


async def test_a_team_has_its_own_route(tmp_path: Path) -> None:
    declared = (
        fim("everybody", tokens=["all"])
        + fim("theirs", tokens=["team"])
        + '[[teams]]\nname = "payments"\n'
        + '[[keys]]\nname = "pam"\nrole = "developer"\nkey = "ihk_pam_0123456789abcdef"\n'
        + 'team = "payments"\n'
        + route("completion", "everybody")
        + route("completion", "theirs")
        + 'team = "payments"\n'
    )
    async with served(tmp_path, declared) as here:
        assert text(await complete(here)) == "all"
        assert text(await complete(here, key="ihk_pam_0123456789abcdef")) == "team"
        traces = await here.traces()
    assert [trace.team for trace in traces] == ["payments", ""]


# Queues.


async def test_completions_go_before_chats(tmp_path: Path) -> None:
    busy = fim("busy", tokens=["1"], gate="open").replace(
        "[deployments.options]", "max_concurrent = 1\n[deployments.options]"
    )
    routes = route("completion", "busy") + route("chat", "busy")
    async with served(tmp_path, busy, routes) as here:
        first = asyncio.create_task(chat(here))
        await begun(here, 1)
        chats = [asyncio.create_task(chat(here)) for _ in range(2)]
        await waiting(here, 2)
        completion = asyncio.create_task(complete(here))
        await waiting(here, 3)
        here.scripted.gate("open").release()
        replies = await asyncio.gather(first, *chats, completion)
        assert [reply.status for reply in replies] == [200] * 4
        kinds = [type(call.prompt).__name__ for call in here.scripted.calls]
    assert kinds == ["Messages", "Text", "Messages", "Messages"]


async def waiting(here: Served, wanted: int) -> None:
    standings = here.gateway.standings
    await until(lambda: sum(each.queue.waiting for each in standings.known()) >= wanted)


async def test_a_full_queue_is_a_429_or_goes_on_to_the_next(tmp_path: Path) -> None:
    busy = fim("busy", tokens=["1"], gate="open").replace(
        "[deployments.options]", "max_concurrent = 1\n[deployments.options]"
    )
    spare = fim("spare", tokens=["2"])
    settings = "[settings]\nmax_queued = 0\n"
    declared = [settings, busy, spare, route("completion", "busy", "spare")]
    async with served(tmp_path, *declared) as here:
        first = asyncio.create_task(complete(here))
        await begun(here, 1)
        assert text(await complete(here)) == "2"
        refused = await complete(here, model="busy")
        here.scripted.gate("open").release()
        assert text(await first) == "1"
    assert refused.status == 429
    assert refused.error["code"] == "busy"
    assert refused.headers["retry-after"] == "1"


# Superseding.


async def test_a_later_completion_of_the_same_file_ends_the_earlier_one(tmp_path: Path) -> None:
    held = fim("held", tokens=["1", "2"], gate="open", gate_after=1)
    async with served(tmp_path, held, route("completion", "held")) as here:
        first = asyncio.create_task(complete(here, path="a.py"))
        await begun(here, 1)
        second = asyncio.create_task(complete(here, path="a.py"))
        ended = await first
        assert here.scripted.calls[0].aborted
        here.scripted.gate("open").release()
        assert text(await second) == "12"
        traces = await here.traces()
    assert ended.status == 200
    assert ended.json["choices"][0]["finish_reason"] == "stop"
    assert sorted(trace.outcome for trace in traces) == ["ok", "superseded"]


@pytest.mark.parametrize(
    "other",
    [
        {"path": "b.py"},
        {"path": ""},
        {"path": "a.py", "key": ADMIN},
        {"path": "a.py", "user": "bob"},
    ],
    ids=["file", "no file", "key", "user"],
)
async def test_nobody_else_is_superseded(tmp_path: Path, other: dict[str, str]) -> None:
    held = fim("held", tokens=["1", "2"], gate="open", gate_after=1)
    async with served(tmp_path, held, route("completion", "held")) as here:
        first = asyncio.create_task(complete(here, path="a.py"))
        await begun(here, 1)
        second = asyncio.create_task(complete(here, **other))
        await begun(here, 2)
        here.scripted.gate("open").release()
        assert [text(await first), text(await second)] == ["12", "12"]


async def test_superseding_can_be_switched_off(tmp_path: Path) -> None:
    settings = "[settings]\ncompletion_superseding = false\n"
    held = fim("held", tokens=["1"], gate="open")
    async with served(tmp_path, settings, held, route("completion", "held")) as here:
        tasks = [asyncio.create_task(complete(here, path="a.py")) for _ in range(2)]
        await begun(here, 2)
        here.scripted.gate("open").release()
        assert [text(await task) for task in tasks] == ["1", "1"]


# Limits.


def limited(**limits: int) -> str:
    lines = "".join(f"{name} = {value}\n" for name, value in limits.items())
    return f'[[keys]]\nname = "lim"\nrole = "developer"\nkey = "ihk_lim_0123456789abcdef"\n{lines}'


async def test_a_key_s_requests_are_limited(tmp_path: Path) -> None:
    declared = [scripted("x"), route("chat", "x"), limited(requests_per_minute=3)]
    async with served(tmp_path, *declared) as here:
        replies = [await chat(here, key="ihk_lim_0123456789abcdef") for _ in range(8)]
        assert (await chat(here)).status == 200
        assert (await chat(here, key=CHAT_ONLY)).status == 200
        traces = await here.traces()
    refused = [reply for reply in replies if reply.status == 429]
    # A minute may end in between.
    assert 2 <= len(refused) <= 5
    assert refused[0].error["code"] == "rate_limit_exceeded"
    assert "'lim' may ask for 3 requests a minute" in refused[0].error["message"]
    assert 1 <= int(refused[0].headers["retry-after"]) <= 60
    assert [trace.outcome for trace in traces].count(Outcome.REFUSED) == len(refused)


async def test_a_team_s_requests_are_limited(tmp_path: Path) -> None:
    team = '[[teams]]\nname = "payments"\nrequests_per_minute = 2\n'
    members = "".join(
        f'[[keys]]\nname = "{name}"\nrole = "developer"\nteam = "payments"\n'
        f'key = "ihk_{name}_0123456789abcdef"\n'
        for name in ("pam", "pat")
    )
    async with served(tmp_path, scripted("x"), route("chat", "x"), team, members) as here:
        replies = [
            await chat(here, key=f"ihk_{name}_0123456789abcdef")
            for name in ("pam", "pat", "pam", "pat", "pam", "pat")
        ]
        assert (await chat(here)).status == 200
    refused = [reply for reply in replies if reply.status == 429]
    assert 2 <= len(refused) <= 4  # a minute may end in between
    assert "The team 'payments' may ask for 2 requests a minute" in refused[0].error["message"]


async def test_two_gateways_keep_one_limit(tmp_path: Path) -> None:
    declared = "\n".join([scripted("x"), route("chat", "x"), limited(requests_per_minute=10)])
    configured = configuration(tmp_path, declared)
    async with serving(configured) as one, serving(configured) as other:
        replies = await asyncio.gather(
            *(
                chat(here, key="ihk_lim_0123456789abcdef")
                for here in (one, other)
                for _ in range(15)
            )
        )
    passed = sum(reply.status == 200 for reply in replies)
    assert passed in {10, 20}  # twenty where a minute ended in between


async def test_a_key_s_tokens_are_limited(tmp_path: Path) -> None:
    declared = [scripted("x"), route("chat", "x"), limited(tokens_per_minute=100)]
    async with served(tmp_path, *declared) as here:
        asked = [await chat(here, key="ihk_lim_0123456789abcdef", max_tokens=40) for _ in range(30)]
    statuses = [reply.status for reply in asked]
    # An answer uses six tokens, so far more pass than 100 / 40.
    assert statuses.count(200) > 4
    assert 429 in statuses


async def test_metrics_tell_how_deployments_stand(tmp_path: Path) -> None:
    down, up = fim("down", error="server"), fim("up", tokens=["1"])
    async with served(tmp_path, down, up, route("completion", "down", "up")) as here:
        for _ in range(6):
            await complete(here)
        await here.gateway.records.flush()
        said = here.gateway.records.metrics.text().decode()
    assert 'inhouse_deployment_resting{deployment="down"} 1.0' in said
    assert 'inhouse_deployment_resting{deployment="up"} 0.0' in said
    assert 'inhouse_deployment_running{deployment="up"} 0.0' in said
    assert 'inhouse_upstream_failures_total{deployment="down",failure="server"} 5.0' in said


@pytest.mark.parametrize("stream", [False, True])
async def test_superseding_hangs_up_at_a_real_upstream(tmp_path: Path, stream: bool) -> None:
    async with FakeOpenAI() as upstream:
        declared = (
            '[[deployments]]\nname = "tiny"\nfamily = "codestral"\n'
            f'identifier = "custom_openai/tiny-coder"\nendpoint = "{upstream.endpoint}"\n'
            f'[deployments.options]\nheaders = {{"{HOLD}" = "1"}}\n'
        )
        async with served(tmp_path, declared, route("completion", "tiny")) as here:
            first = asyncio.create_task(complete(here, path="a.py", stream=stream))
            await upstream.until(lambda: upstream.busy == 1)
            second = asyncio.create_task(complete(here, path="a.py"))
            ended = await first
            # The second waits at the upstream, and the first is gone from there.
            await upstream.until(lambda: len(upstream.asked()) == 2 and upstream.busy == 1)
            upstream.released.set()
            assert text(await second)
    assert ended.status == 200
    assert b'"finish_reason":"stop"' in ended.body
    assert ended.body.endswith(b"data: [DONE]\n\n") or not stream


async def test_one_conversation_stays_with_one_replica(tmp_path: Path) -> None:
    declared = [scripted(name, tokens=[name]) for name in ("one", "two")]
    group = route("chat", "one", "two") + "weights = [1, 1]\n"
    async with served(tmp_path, *declared, group) as here:

        async def answered(system: str, *said: str) -> str:
            turns = [{"role": "system", "content": system}]
            turns += [{"role": "user", "content": each} for each in said]
            reply = await chat(here, messages=turns)
            return reply.json["choices"][0]["message"]["content"]

        first = {str(n): await answered(f"You are number {n}.", "Hello") for n in range(16)}
        assert set(first.values()) == {"one", "two"}
        for n, replica in first.items():
            assert await answered(f"You are number {n}.", "Hello", "And then?") == replica
