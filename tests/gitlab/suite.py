"""The contract suite as data: cases in JSON, each asked over real HTTP and held against its answer.

Nothing in a case is ignored: an unknown member is an error, and so is an upstream that is asked
more or less often than its script says. The format is told in `tests.gitlab.case`.
"""

import json
from pathlib import Path

import aiohttp
import msgspec
from msgspec import UNSET
from yarl import URL

from inhouse.core.trace import Trace
from tests.gitlab.case import Answer, Case, Request
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


def cases() -> dict[str, Path]:
    """Return the names of all cases with the file that holds each; a name stands once."""
    found: dict[str, Path] = {}
    for path in sorted(FOLDER.glob("*.json")):
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


async def run(case: Case, folder: Path) -> None:
    """Ask what the case asks, and hold everything against it; raises `AssertionError`."""
    async with Scripted(case.upstream) as upstream, instance() as gitlab:
        routes = [route(feature, *names) for feature, names in case.routes.items()]
        text = DEPLOYMENTS + "".join(routes) + case.config
        config = configuration(folder, _filled(text, upstream) + gitlab.toml())
        async with serving(config) as served:
            headers = await authorization(served, gitlab, case.visitor, case.claims)
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
    """Return the request with the upstream's address in it."""
    filled = json.loads(_filled(msgspec.json.encode(case.request).decode(), upstream))
    return msgspec.convert(filled, Request)


async def _ask(served: Served, request: Request, headers: dict[str, str]) -> Answer:
    body = None if request.body is UNSET else json.dumps(request.body).encode()
    if request.raw is not UNSET:
        body = request.raw.encode()
    # Paths are sent as they stand, and a header that a case sets itself wins.
    url = URL(served.url + request.path, encoded=True)
    own = {name.lower(): value for name, value in request.headers.items()}
    merged = {"content-type": "application/json", **headers, **own}
    sent = {name: value for name, value in merged.items() if value is not None}
    pieces: list[bytes] = []
    cut = False
    async with (
        aiohttp.ClientSession() as session,
        session.request(request.method, url, headers=sent, data=body) as answer,
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
