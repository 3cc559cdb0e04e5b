"""Limits, full queues and hang-ups, at each of GitLab's endpoints that asks a model."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from inhouse.core.trace import Outcome
from tests.faults.gitlab import EDITOR, QUESTIONS, check_refusal
from tests.gitlab.serving import gitlab_serving
from tests.server.serving import DEVELOPER, Reply, configuration, route, scripted, serving

CALM = EDITOR + "[settings]\ncompletion_superseding = false\n"
ROUTES = "".join(route(feature, "only") for feature in ("completion", "generation", "chat"))
EACH = pytest.mark.parametrize(
    ("path", "body"),
    QUESTIONS,
    ids=[f"{path} {position}" for position, (path, _) in enumerate(QUESTIONS)],
)


async def test_a_team_s_limit_holds_everywhere(tmp_path: Path) -> None:
    team = '[[teams]]\nname = "small"\nrequests_per_minute = 1\n'
    configured = CALM + scripted("only") + ROUTES + team
    async with gitlab_serving(tmp_path, configured, team='"small"') as (served, gitlab):
        headers = gitlab.headers()
        # The editor's endpoints know nothing of an instance.
        questions = [each for each in QUESTIONS if not each[0].startswith("/api/")]
        replies = [
            (path, await served.ask("POST", path, key=None, headers=headers, content=body))
            for path, body in [*questions, questions[0]]
        ]
        traces = await served.traces()
    # A minute may have ended meanwhile.
    refused = [(path, reply) for path, reply in replies if reply.status != 200]
    assert len(refused) >= len(questions) - 1
    for path, reply in refused:
        assert reply.status == 429
        assert 0 < int(reply.headers["retry-after"]) <= 60
        assert "The team 'small'" in reply.json["detail"][0]["msg"]
        check_refusal(path, 429, reply.body, reply.headers["retry-after"])
    assert [each.outcome for each in traces].count(Outcome.REFUSED) == len(refused)


async def test_a_full_queue_is_told_everywhere(tmp_path: Path) -> None:
    options = "[deployments.options]"
    full = scripted("only", gate="held").replace(options, f"max_concurrent = 1\n{options}")
    settings = CALM + "completion_memory = false\nmax_queued = 0\n"
    async with serving(configuration(tmp_path, settings + full + ROUTES)) as served:
        path, body = QUESTIONS[0]
        first = asyncio.create_task(served.ask("POST", path, key=DEVELOPER, content=body))
        await served.scripted.gate("held").reached.wait()
        for path, body in QUESTIONS:
            reply = await served.ask("POST", path, key=DEVELOPER, content=body)
            busy(path, reply)
        served.scripted.gate("held").release()
        assert (await first).status == 200


def busy(path: str, reply: Reply) -> None:
    if path == "/v2/chat/agent":
        (event,) = [msgspec.json.decode(line) for line in reply.body.splitlines()]
        assert event["data"]["retryable"] is True
        assert "is busy" in event["data"]["message"]
        return
    assert reply.status == (421 if "/prompts/" in path else 429)
    assert int(reply.headers["retry-after"]) > 0
    check_refusal(path, reply.status, reply.body, reply.headers["retry-after"])


@EACH
@pytest.mark.parametrize("after", [0, 2])
async def test_a_hang_up_reaches_the_model(
    tmp_path: Path, path: str, body: dict[str, Any], after: int
) -> None:
    said = ["Final Answer: a\n", "b\n", "c\n"]
    held = scripted("only", gate="held", gate_after=after, tokens=said)
    content = msgspec.json.encode(body)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {DEVELOPER}\r\n"
    async with serving(configuration(tmp_path, CALM + held + ROUTES)) as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        await served.scripted.gate("held").reached.wait()
        (call,) = served.scripted.calls
        writer.transport.abort()
        await call.ended.wait()
        assert call.aborted
        while not (traces := await served.traces()):
            pass
        assert [each.outcome for each in traces] == [Outcome.CANCELLED]
        standings = served.gateway.standings.known()
        assert not [each for each in standings if each.load]


async def test_behind_a_cut_the_connection_is_closed(tmp_path: Path) -> None:
    breaks = scripted("only", error="server", error_after=1, tokens=["a\n", "b\n", "c"])
    content = msgspec.json.encode(QUESTIONS[0][1] | {"stream": True})
    head = "POST /v2/code/generations HTTP/1.1\r\nHost: x\r\n"
    head += f"Authorization: Bearer {DEVELOPER}\r\nContent-Length: {len(content)}\r\n\r\n"
    async with serving(configuration(tmp_path, CALM + breaks + ROUTES)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        # The second one waits in the pipeline, and must not be taken for the first one's end.
        writer.write((head.encode() + content) * 2)
        said = await reader.read()
        writer.close()
        traces = await served.traces()
    assert said.count(b"HTTP/1.1 200 OK") == 1
    assert b"\r\n0\r\n\r\n" not in said
    assert traces[-1].outcome is Outcome.FAILED
