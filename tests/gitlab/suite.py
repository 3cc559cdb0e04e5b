"""The contract suite as data: cases in JSON, each asked over real HTTP and held against its answer.

Nothing in a case is ignored: an unknown member is an error, and so is an upstream that is asked
more or less often than its script says. The format is told in `tests.gitlab.case`.
"""

import contextlib
import io
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import aiohttp
import msgspec
from msgspec import UNSET, Struct
from yarl import URL

from inhouse.core.trace import Trace
from tests.fakes.gitlab import FakeGitLab
from tests.gitlab.case import PLAIN, Answer, Case, Request
from tests.gitlab.holding import differences, upstream_differences
from tests.gitlab.script import Scripted
from tests.gitlab.visiting import authorization, instance
from tests.server.serving import Served, configuration, route, serving

FOLDER = Path(__file__).parent
DEPLOYMENTS = """
[[deployments]]
name = "filler"
family = "codestral"
identifier = "custom_openai/fill-model"
endpoint = "{endpoint}"
[[deployments]]
name = "talker"
family = "general"
identifier = "custom_openai/talk-model"
endpoint = "{endpoint}"
"""
"""What every case can ask: one that fills in at the cursor, and one that talks."""


def cases(folder: Path = FOLDER) -> dict[str, Path]:
    """Return the names of all cases with the file that holds each; a name stands once."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.json")):
        for entry in json.loads(path.read_bytes()):
            name = f"{path.stem}: {entry['name']}"
            if name in found:
                raise AssertionError(f"Two cases are called '{name}'.")
            found[name] = path
    return found


def load(path: Path, name: str) -> Case:
    """Return a case; raises `msgspec.ValidationError` where it is malformed."""
    for entry in json.loads(path.read_bytes()):
        if f"{path.stem}: {entry['name']}" == name:
            return msgspec.convert(entry, Case)
    raise AssertionError(f"There is no case '{name}' in {path.name}.")


class Stage(Struct):
    """Where cases are played: a gateway, its upstream, and the GitLab that may ask it."""

    served: Served
    upstream: Scripted
    gitlab: FakeGitLab


@contextlib.asynccontextmanager
async def stage(folder: Path, setting: Case = PLAIN) -> AsyncGenerator[Stage]:
    """Yield a stage as a case sets it, until the block is left."""
    async with Scripted() as upstream, instance() as gitlab:
        routes = [route(feature, *names) for feature, names in setting.routes.items()]
        text = _filled(DEPLOYMENTS + "".join(routes) + setting.config, upstream)
        async with serving(configuration(folder, text + gitlab.toml())) as served:
            yield Stage(served, upstream, gitlab)


async def run(case: Case, folder: Path) -> None:
    """Play a case on a stage of its own."""
    async with stage(folder, case) as own:
        await play(case, own)


async def play(case: Case, stage: Stage) -> None:
    """Ask what the case asks, and hold everything against it; raises `AssertionError`."""
    served, upstream = stage.served, stage.upstream
    upstream.script(case.upstream)
    headers = await authorization(served, stage.gitlab, case.visitor, case.claims)
    answer = await _ask(served, _request(case, upstream), headers)
    trace = await _trace(served, answer)
    problems = differences(case.expect, answer, trace)
    asked = len(case.upstream) if case.expect.asked is UNSET else case.expect.asked
    problems += upstream_differences(case.expect, upstream.seen(), asked)
    if problems:
        raise AssertionError(_told(case, problems, answer, upstream, trace))


def _filled(text: str, upstream: Scripted) -> str:
    return text.replace("{endpoint}", upstream.endpoint)


def _request(case: Case, upstream: Scripted) -> Request:
    """Return the request with the upstream's address in it, and with its long texts."""
    filled = json.loads(_filled(msgspec.json.encode(case.request).decode(), upstream))
    return msgspec.convert(_lengthened(filled), Request)


def _lengthened(value: Any) -> Any:
    """Return a JSON value with each ``{"repeat": ["text", times]}`` in it written out."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        if members.keys() == {"repeat"}:
            part, times = members["repeat"]
            return _lengthened(part) * times
        return {name: _lengthened(each) for name, each in members.items()}
    if isinstance(value, list):
        return [_lengthened(each) for each in cast("list[Any]", value)]
    return value


async def _ask(served: Served, request: Request, headers: dict[str, str]) -> Answer:
    body = None if request.body is UNSET else json.dumps(request.body).encode()
    if request.raw is not UNSET:
        body = request.raw.encode()
    # Paths are sent as they stand, and a header that a case sets itself wins.
    url = URL(served.url + request.path, encoded=True)
    own = {name.lower(): value for name, value in request.headers.items()}
    merged = {"content-type": "application/json", **headers, **own}
    sent = {name: value for name, value in merged.items() if value is not None}
    data = None if body is None else io.BytesIO(body)
    pieces: list[bytes] = []
    cut = False
    async with (
        aiohttp.ClientSession() as session,
        session.request(request.method, url, headers=sent, data=data) as answer,
    ):
        try:
            async for piece in answer.content.iter_any():
                pieces.append(piece)  # noqa: PERF401, what came before a cut counts
        except aiohttp.ClientPayloadError:
            cut = True
        return Answer(answer.status, answer.headers, b"".join(pieces), cut)


async def _trace(served: Served, answer: Answer) -> Trace | None:
    wanted = answer.headers.get("X-Inhouse-Trace-Id")
    return next((each for each in await served.traces() if each.id == wanted), None)


def _told(
    case: Case, problems: list[str], answer: Answer, upstream: Scripted, trace: Trace | None
) -> str:
    """Return everything that is known of a case that failed."""
    return "\n".join(
        [
            case.name,
            *problems,
            f"Request: {msgspec.json.encode(case.request).decode()[:4000]}",
            f"Answer: {answer.status}{', cut' if answer.cut else ''}, {dict(answer.headers)}",
            answer.body.decode(errors="replace")[:4000],
            f"Upstream saw: {json.dumps(upstream.seen(), indent=1)[:8000]}",
            f"Trace: {trace}",
        ]
    )
