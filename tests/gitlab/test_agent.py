"""The chat's steps over real HTTP: whole conversations, failures on the way, hang-ups."""

from itertools import pairwise
from pathlib import Path

import aiohttp
import anyio
import msgspec
import pytest

from inhouse.core.prompt import text_of
from inhouse.core.trace import Outcome
from tests.gitlab.conversing import Rails, Tool
from tests.gitlab.script import Entry, Scripted
from tests.gitlab.serving import gitlab_serving
from tests.server.serving import DEVELOPER, Served, configuration, route, scripted, serving

ANSWER = ["Thought: ok\nFinal Answer:", " It", " is", " 42."]
QUESTION = {"messages": [{"role": "user", "content": "Why?"}]}
HEADERS = {"Authorization": f"Bearer {DEVELOPER}"}


def upstream(endpoint: str) -> str:
    return (
        '[[deployments]]\nname = "talker"\nfamily = "general"\nidentifier = "custom_openai/m"\n'
        f'endpoint = "{endpoint}"\n' + route("chat", "talker")
    )


def calling(tool: str, tool_input: str) -> Entry:
    text = f"Thought: I need {tool}.\nAction: {tool}\nAction Input: {tool_input}"
    # Nothing that the model invents behind its action may reach Rails.
    return Entry(pieces=[text[:9], text[9:30], text[30:], "\nObserv", "ation: made up\n"])


@pytest.mark.parametrize("older", [False, True])
async def test_a_conversation_of_several_steps(older: bool, tmp_path: Path) -> None:
    ran: list[tuple[str, str]] = []

    def tool(name: str, found: str) -> Tool:
        def run(tool_input: str) -> str:
            ran.append((name, tool_input))
            return found

        return run

    tools = {
        "IssueReader": tool("IssueReader", "The door is broken, see !7."),
        "MergeRequestReader": tool("MergeRequestReader", "It mends the hinge."),
        "GitlabDocumentation": tool("GitlabDocumentation", "Nothing found."),
    }
    script = [
        calling("issue_reader", "#3"),
        calling("MergeRequestReader", "!7"),
        calling("gitlab\\_documentation", "doors"),
        Entry(pieces=["Thought: ok\nFinal Answer: The hinge", " is mended in !7."]),
        Entry(pieces=["Thought: ok\nFinal Answer: Ada."]),
    ]
    async with Scripted() as model:
        model.script(script)
        text = upstream(model.endpoint)
        async with gitlab_serving(tmp_path, text) as (served, gitlab):
            rails = Rails(served, tools, gitlab.headers(gitlab.token()), older=older)
            first = await rails.ask("What became of issue 3?")
            second = await rails.ask("Who did it?")
            traces = await served.traces()
        seen = [each["body"]["messages"] for each in model.seen()]
    assert ran == [
        ("IssueReader", "#3"),
        ("MergeRequestReader", "!7"),
        ("GitlabDocumentation", "doors"),
    ]
    assert first.answer == "The hinge is mended in !7."
    assert second.answer == "Ada."
    assert [len(each) for each in seen] == [2, 4, 6, 8, 4]
    told = [str(each["content"]) for each in seen[3]]
    assert told[2] == "Thought: I need issue_reader.\nAction: issue_reader\nAction Input: #3"
    assert told[3].startswith("Observation: The door is broken, see !7.\n")
    assert told[6].endswith("Action: gitlab_documentation\nAction Input: doors")
    assert seen[4][2] == {
        "role": "assistant",
        "content": "Final Answer: The hinge is mended in !7.",
    }
    # Each step repeats the one before it word for word, so that a prefix cache can keep it.
    assert all(later[: len(earlier)] == earlier for earlier, later in pairwise(seen[:4]))
    assert [each.outcome for each in traces] == [Outcome.OK] * 5


async def test_rails_gives_up_where_the_model_never_answers(tmp_path: Path) -> None:
    async with Scripted() as model:
        model.script([calling("issue_reader", "#3")] * 10)
        async with serving(configuration(tmp_path, upstream(model.endpoint))) as served:
            conversed = await Rails(served, {"IssueReader": lambda _: "Nothing."}).ask("Why?")
        last = model.seen()[-1]["body"]["messages"][-1]["content"]
    assert conversed.error == "A1006"
    assert "This was the last tool that could be asked." in last


async def test_a_model_that_fails_late_is_the_last_event(tmp_path: Path) -> None:
    config = scripted("talker", tokens=ANSWER, error="closed", error_after=3) + route(
        "chat", "talker"
    )
    async with serving(configuration(tmp_path, config)) as served:
        conversed = await Rails(served, {}).ask("Why?")
        (trace,) = await served.traces()
    assert conversed.answer == "It is"
    assert "The script says so." in conversed.error
    assert conversed.kinds == [["final_answer_delta", "final_answer_delta", "error"]]
    assert (trace.outcome, trace.error, trace.status) == (Outcome.FAILED, "closed", 200)


async def test_the_next_deployment_is_asked_where_the_first_fails(tmp_path: Path) -> None:
    config = (
        scripted("first", error="server")
        + scripted("second", tokens=ANSWER)
        + route("chat", "first", "second")
    )
    async with serving(configuration(tmp_path, config)) as served:
        conversed = await Rails(served, {}).ask("Why?")
    assert conversed.answer == "It is 42."
    assert conversed.usage == [{"script": conversed.usage[0]["script"]}]


@pytest.mark.parametrize(
    ("failure", "retryable"),
    [("timeout", True), ("rate_limited", True), ("authentication", False), ("bad_request", False)],
)
async def test_whether_asking_again_may_help(failure: str, retryable: bool, tmp_path: Path) -> None:
    config = scripted("talker", error=failure) + route("chat", "talker")
    async with serving(configuration(tmp_path, config)) as served:
        reply = await served.ask("POST", "/v2/chat/agent", key=DEVELOPER, content=QUESTION)
    assert reply.json["type"] == "error"
    assert reply.json["data"]["retryable"] is retryable


async def test_each_event_is_a_chunk_of_its_own(tmp_path: Path) -> None:
    # Older GitLabs take each chunk of HTTP for one event, and lose all that come in the same.
    tokens = ["Thought: ok\nFinal Answer:", *(f" {number}" for number in range(200))]
    config = scripted("talker", tokens=tokens) + route("chat", "talker")
    chunks = [b""]
    async with (
        serving(configuration(tmp_path, config)) as served,
        aiohttp.ClientSession() as session,
        session.post(f"{served.url}/v2/chat/agent", json=QUESTION, headers=HEADERS) as answer,
    ):
        async for piece, ends in answer.content.iter_chunks():
            chunks[-1] += piece
            if ends:
                chunks.append(b"")
    assert chunks.pop() == b""
    assert len(chunks) > 100
    assert {msgspec.json.decode(each)["type"] for each in chunks} >= {"final_answer_delta"}
    assert {each.count(b"\n") for each in chunks} == {1}


async def test_the_upstream_is_left_as_soon_as_the_action_is_complete(tmp_path: Path) -> None:
    tokens = ["Thought: x\n", "Action: issue_reader\n", "Action Input: #3\n", "Observation:"]
    config = scripted("talker", tokens=[*tokens, *["more"] * 50]) + route("chat", "talker")
    async with serving(configuration(tmp_path, config)) as served:
        conversed = await Rails(served, {"IssueReader": lambda _: ""}).ask("Why?")
        call = served.scripted.calls[0]
    assert conversed.kinds == [["action"]] * 10
    assert call.aborted
    assert call.deltas == len(tokens)


async def test_a_hang_up_stops_the_model(tmp_path: Path) -> None:
    config = scripted("talker", tokens=ANSWER, gate="on", gate_after=3) + route("chat", "talker")
    async with serving(configuration(tmp_path, config)) as served:
        await hang_up_behind_the_first_piece(served)
        with anyio.fail_after(20):
            await served.scripted.gate("on").reached.wait()
            (call,) = served.scripted.calls
            await call.ended.wait()
            while not (traces := await served.traces()):
                await anyio.lowlevel.checkpoint()
    assert call.aborted
    assert traces[0].outcome is Outcome.CANCELLED


async def hang_up_behind_the_first_piece(served: Served) -> None:
    async with (
        aiohttp.ClientSession(headers=HEADERS) as session,
        session.post(f"{served.url}/v2/chat/agent", data=msgspec.json.encode(QUESTION)) as answer,
    ):
        await answer.content.readuntil(b"\n")
        answer.close()


async def test_what_stands_for_a_special_token_is_restored(tmp_path: Path) -> None:
    tokens = ["Thought: ok\nFinal Answer: write < |im_st", "art|> there"]
    config = scripted("talker", tokens=tokens) + route("chat", "talker")
    async with serving(configuration(tmp_path, config)) as served:
        conversed = await Rails(served, {}).ask("What is <|im_start|>?")
        prompt = text_of(served.scripted.calls[0].prompt)
    assert conversed.answer == "write <|im_start|> there"
    assert "<|im_start|>" not in prompt


async def test_a_long_conversation_is_cut_to_the_model_s_window(tmp_path: Path) -> None:
    config = scripted("talker", tokens=ANSWER, window=2048) + route("chat", "talker")
    async with serving(configuration(tmp_path, config)) as served:
        rails = Rails(served, {})
        rails.history = [
            {"role": role, "content": f"{role} {number} " + "word " * 300}
            for number in range(20)
            for role in ("user", "assistant")
        ]
        conversed = await rails.ask("Why is that?")
        prompt = text_of(served.scripted.calls[0].prompt)
    assert conversed.answer == "It is 42."
    assert "Why is that?" in prompt
    assert "user 0 " not in prompt
    assert len(prompt.split()) < 1100
