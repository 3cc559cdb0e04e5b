"""A model that goes on where the suggestion is complete is left there, streamed or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inhouse.core.trace import Outcome
from tests.server.serving import DEVELOPER, Served, configuration, route, scripted, serving

CASES = {
    "the line goes on behind the cursor": (
        {"prompt": "print(", "suffix": ")\n"},
        ["area", "(2)", ")\n"],
        "area(2)",
    ),
    "the lines behind the cursor come": (
        {"prompt": "def f(x):\n    ", "suffix": "\n    return x\n"},
        ["x += 1\n", "    return", " x\n"],
        "x += 1",
    ),
    "the block ends": (
        {"prompt": "def f(x):\n    ", "suffix": "\n", "path": "a.py"},
        ["return", " x\n\n", "def g"],
        "return x",
    ),
    "a line of a string at the margin ends no block": (
        {"prompt": "def f():\n    ", "suffix": "\n", "path": "a.py"},
        ['x = """\n', "a)\n", '"""\n', "    go(x)\n", "def g"],
        'x = """\na)\n"""\n    go(x)',
    ),
    "a word ends the block": (
        {"prompt": "if a; then\n", "suffix": "\nfi\n", "path": "a.sh"},
        ["b\n", "fi\n"],
        "b",
    ),
    "the model repeats itself": (
        {"prompt": "def f(x):\n    ", "suffix": "\n"},
        ["x = 1\n", "    g(x)\n", "    g(x)\n", "    g(x)\n"],
        "x = 1\n    g(x)\n    g(x)\n    g(x)",
    ),
    "a sentinel comes": (
        {"prompt": "x = ", "suffix": "\n"},
        ["1", "<|endof", "text|>"],
        "1",
    ),
}


async def complete(served: Served, **fields: Any) -> tuple[str, str]:
    content = {"model": "completion"} | fields
    reply = await served.ask("POST", "/v1/completions", key=DEVELOPER, content=content)
    assert reply.status == 200, reply.body
    (choice,) = reply.json["choices"]
    return choice["text"], choice["finish_reason"]


async def stream(served: Served, prompt: str, suffix: str, path: str = "") -> tuple[str, str]:
    async with served.client() as client:
        chunks = await client.completions.create(
            model="completion",
            prompt=prompt,
            suffix=suffix,
            stream=True,
            extra_body={"path": path} if path else {},
        )
        choices = [choice async for chunk in chunks for choice in chunk.choices]
    return "".join(choice.text for choice in choices), choices[-1].finish_reason


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("case", CASES)
async def test_the_upstream_is_left_as_soon_as_the_suggestion_is_complete(
    tmp_path: Path, case: str, streamed: bool
) -> None:
    fields, tokens, wanted = CASES[case]
    # Behind what completes the suggestion the model says nothing any more, and does not end.
    model = scripted(
        "endless", family="codestral", tokens=[*tokens, "!"], gate="shut", gate_after=len(tokens)
    )
    models = model + route("completion", "endless")
    async with serving(configuration(tmp_path, models)) as served:
        shown = await (stream if streamed else complete)(served, **fields)
        assert shown == (wanted, "stop")
        (call,) = served.scripted.calls
        assert call.aborted
        assert call.deltas == len(tokens)
        (trace,) = await served.traces()
    assert (trace.outcome, trace.finish_reason) == (Outcome.OK, "stop")
