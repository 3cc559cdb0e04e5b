"""Whatever a body holds, GitLab's and Tabby's endpoints answer: as asked, or in words about it."""

import io
import json
import random
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any, cast

import aiohttp
import msgspec
import pytest

from tests.gitlab.suite import FOLDER
from tests.server.serving import DEVELOPER, Served, configuration, route, scripted, serving

EACH = 60
"""Bodies that each endpoint gets."""
DEEP = 700
"""Levels that the decoder can still take."""
ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    0.5,
    2**63,
    10**40,
    "",
    " ",
    "\0",
    "a\rb\nc\u2028d\u2029e\x85f",
    "\U0001f600" * 300,
    "%2F..%2F..",
    "http://[::1",
    "x" * 100_001,
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"role": "user", "content": None},
    {"name": []},
    "<deep list>",
    "<deep object>",
)
RAW = (
    b"",
    b"\0",
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{}",
    b'"\\ud800"',
    b'{"inputs": {"input": "\\ud800"}}',
    b"NaN",
    b"1e999",
    b"1" * 6000,
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"[]",
    b"null",
    b"{}{}",
    b'{"stream": true, "stream": 3}',
)
UPSTREAM = "".join(
    [
        scripted("talker", echo=True),
        scripted("filler", family="codestral", echo=True),
        scripted("vectors", family="embedding"),
        route("completion", "filler"),
        route("generation", "talker"),
        route("chat", "talker"),
        route("embedding", "vectors"),
        "[gitlab]\nserve_editor_api = true\n",
    ]
)
BESIDES: tuple[tuple[str, Any], ...] = (
    (
        "/api/graphql",
        {
            "query": "query($n: String!) { featureFlagEnabled(name: $n) currentUser { id } }",
            "variables": {"n": "x"},
        },
    ),
    (
        "/api/v4/code_suggestions/completions",
        {
            "prompt_version": 1,
            "project_path": "",
            "project_id": -1,
            "current_file": {
                "file_name": "a.py",
                "content_above_cursor": "def f(",
                "content_below_cursor": "",
            },
            "choices_count": 4,
            "intent": "completion",
            "context": [{"type": "file", "name": "b.py", "content": "x = 1"}],
        },
    ),
    ("/api/v4/code_suggestions/direct_access", {}),
    ("/api/v4/code_suggestions/connection_details", {}),
    ("/v1/code/user_access_token", {}),
)
"""Endpoints whose bodies stand in no case."""


@pytest.fixture
async def served(tmp_path: Path) -> AsyncGenerator[Served]:
    async with serving(configuration(tmp_path, UPSTREAM)) as running:
        yield running


def endpoints() -> dict[str, list[Any]]:
    """Return good bodies by path: those of both suites' cases that are answered."""
    found: dict[str, list[Any]] = {path: [body] for path, body in BESIDES}
    for file in sorted([*FOLDER.glob("*.json"), *(FOLDER.parent / "tabby").glob("*.json")]):
        for case in json.loads(file.read_bytes()):
            asked = case["request"]
            if "body" in asked and case["expect"].get("status", 200) == 200:
                found.setdefault(asked["path"], []).append(asked["body"])
    return found


def spoiled(body: Any, order: random.Random) -> bytes:
    """Return a body of which one to three places are other than they were."""
    text = json.dumps([body])
    for _ in range(order.randint(1, 3)):
        # Read anew, since no two places may share what they hold.
        spoilt = json.loads(text)
        holder, key = order.choice([*places(spoilt)])
        match order.randrange(4):
            case 0 if holder is not spoilt:
                del holder[key]
            case 1:
                holder[key] = [holder[key]] * order.choice((1, 2, 200))
            case 2:
                holder[key] = order.choice([json.loads(text), *ODD])
            case _:
                holder[key] = order.choice(ODD)
        text = json.dumps(spoilt)
    text = text[1:-1]
    text = text.replace('"<deep list>"', "[" * DEEP + "]" * DEEP)
    text = text.replace('"<deep object>"', '{"a":' * DEEP + "1" + "}" * DEEP)
    return text.encode()


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each place in a JSON value: what holds it, and under which key."""
    match value:
        case list():
            inside = [*enumerate(cast("list[Any]", value))]
        case dict():
            inside = [*cast("dict[str, Any]", value).items()]
        case _:
            return
    for key, each in inside:
        yield value, key
        yield from places(each)


ENDPOINTS = endpoints()


@pytest.mark.parametrize("group", sorted({path.rpartition("/")[0] for path in ENDPOINTS}))
async def test_any_body_is_answered(served: Served, group: str) -> None:
    order = random.Random(group)  # noqa: S311 - no secret
    asked = [
        (path, body)
        for path, good in ENDPOINTS.items()
        if path.rpartition("/")[0] == group
        for body in [*RAW, *(spoiled(order.choice(good), order) for _ in range(EACH))]
    ]
    wrong: list[str] = []
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {DEVELOPER}"}) as session:
        for path, body in asked:
            # A broken connection is a wrong answer too, and raises here.
            async with session.post(served.url + path, data=io.BytesIO(body)) as answer:
                said = await answer.read()
            if answer.status >= 500 or not fits(answer.status, said):
                wrong.append(f"{path}: {answer.status} {said[:200]!r} for {body[:500]!r}")
    assert not wrong, "\n".join(wrong)
    # What breaks behind the head of a stream shows only here.
    assert not [each for each in await served.traces() if each.error == "internal"]


def fits(status: int, said: bytes) -> bool:
    """Tell whether an error says in JSON what is wrong."""
    if status < 400:
        return True
    body = msgspec.json.decode(said)
    return bool(body.get("detail") or body.get("error") or body.get("message"))
