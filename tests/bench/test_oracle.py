"""The upstream of the replays writes what the files say, and the same at each place."""

import asyncio
import contextlib
import json
import runpy
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.replay import read
from inhouse.replay.session import EDITS

BENCH = Path(__file__).resolve().parents[2] / "bench"
SESSIONS = sorted((BENCH / "typing").glob("*.jsonl"))
MADE: dict[str, Any] = runpy.run_path(str(BENCH / "oracle.py"))

TEXT = st.text(st.sampled_from("ab_ ()\n\t.é"), min_size=1, max_size=200)
CODE = "def area(r):\n    return r * r\n"


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.name)
def test_who_knows_all_words_writes_what_the_file_says(path: Path) -> None:
    session, knows = read(path), MADE["author"]([path], 0)
    whole, asked, slips, nothing = session.states[-1].text, 0, 0, 0
    for event, state in zip(session.events, session.states[1:], strict=True):
        if not isinstance(event, EDITS):
            continue
        said = knows.middle(state.prefix, state.suffix)
        asked += 1
        if whole.startswith(state.prefix):
            assert whole.startswith(state.prefix + said)
            nothing += not said
        else:
            assert said.startswith(MADE["ODD_END"])
            slips += 1
    assert slips < asked / 10
    assert nothing < asked / 10, "the last character of a block has nothing behind it"


@given(TEXT, st.data(), st.sampled_from([0.0, 0.3, 1.0]))
def test_typing_along_what_it_wrote_it_writes_the_rest(
    text: str, data: st.DataObject, unknown: float
) -> None:
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, len(text)))
    knows = MADE["Author"]([text], unknown)
    prefix, suffix = text[:start], text[stop:]
    said = knows.middle(prefix, suffix)
    assert said == knows.middle(prefix, suffix)
    if said and text.startswith(prefix + said[0]) and text[start : start + 20].isascii():
        along = knows.middle(prefix + said[0], suffix)
        assert said[1:] == along or not along


@contextlib.asynccontextmanager
async def oracle(text: str = CODE, first: float = 0) -> AsyncGenerator[int]:
    serving = MADE["Oracle"](MADE["Author"]([text], 0), first, 0)
    server = await asyncio.start_server(serving.serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def ask(port: int, prompt: str, **more: Any) -> tuple[str, dict[str, Any]]:
    body = json.dumps({"prompt": prompt, "stream": True, **more}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /v1/completions HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    answer = (await reader.readuntil(b"0\r\n\r\n")).decode()
    writer.close()
    events = [
        json.loads(line.removeprefix("data: "))
        for line in answer.split("\n")
        if line.startswith("data: {")
    ]
    text = "".join(each["choices"][0]["text"] for each in events if each["choices"])
    return text, {"finish": events[-2]["choices"][0]["finish_reason"]} | events[-1]["usage"]


@pytest.mark.parametrize(
    "prompt",
    [
        "[SUFFIX]\n[PREFIX]def area(r):\n    re",
        "<fim_prefix>def area(r):\n    re<fim_suffix>\n<fim_middle>",
    ],
)
async def test_it_understands_prompts_of_any_family(prompt: str) -> None:
    async with oracle() as port:
        text, ending = await ask(port, prompt)
    assert text == "turn r * r"
    assert ending["finish"] == "stop"


async def test_it_keeps_within_the_tokens_that_are_asked_for_and_counts_them() -> None:
    async with oracle() as port:
        text, ending = await ask(port, "[SUFFIX]\n[PREFIX]def area(r):\n    re", max_tokens=2)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /counted HTTP/1.1\r\n\r\n")
        answer = await reader.readuntil(b"}")
        writer.close()
    assert text == "turn r"
    assert (ending["finish"], ending["completion_tokens"]) == ("length", 2)
    counted = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert counted["requests"] == 1
    assert counted["completion_tokens"] == 2
    assert counted["prompt_tokens"] == ending["prompt_tokens"] > 0
