"""Our gateway as GitLab sees it: each request that GitLab's own checks make, and one of each kind.

They go with an API key: who may ask with which token is seen at the GitLab that signs it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, cast
from urllib.parse import quote

import msgspec

from inhouse import config
from inhouse.cli.gitlab import routes
from inhouse.cli.gitlab.asking import Answer, Asking
from inhouse.cli.output import argument
from inhouse.client import NO_KEY
from inhouse.errors import GatewayError
from inhouse.features.check import Check, Status, failed, ok, skipped, warning

HEALTH_LIMIT = 3.0
"""Seconds after which GitLab's health check gives up."""
HEALTH_SLOW = 1.5
UNSERVED = "No route serves it."
OTHER_KEY = "Put an administrator's key into INHOUSE_API_KEY: inhouse keys create NAME --role admin"

_FILE = {"file_name": "test.rb", "content_above_cursor": "def hello_world"}
_COMPLETION: dict[str, Any] = {"current_file": {**_FILE, "content_below_cursor": ""}}
_GENERATION = {
    **_COMPLETION,
    "prompt_version": 2,
    "prompt": "Write a method that returns a greeting.",
    "stream": True,
}
_STEP = {"messages": [{"role": "user", "content": "Say hello."}]}


async def checks(configured: config.Config) -> AsyncGenerator[Check]:
    """Look at the gateway that the command line talks to."""
    client = configured.client
    try:
        asking = Asking(client)
    except ValueError as error:
        yield failed("gateway", f"Its URL cannot be used: {error}.", "Correct INHOUSE_URL.")
        return
    try:
        for name, check in _OPEN:
            found = await _made(name, check, asking)
            yield found
            if name == "gateway" and found.status is Status.FAILED:
                return
        if not client.api_key:
            yield failed("API key", "There is none to ask with.", NO_KEY)
            return
        async for found in _with_key(configured.gitlab, asking):
            yield found
    finally:
        await asking.aclose()


async def _with_key(section: config.GitLab, asking: Asking) -> AsyncGenerator[Check]:
    """Look at what only the holder of a key may see, and at each feature."""
    try:
        listed = await asking.ask("GET", "/api/v1/routes")
    except GatewayError as error:
        yield failed("routes", error.message)
        return
    if listed.status == 401:
        unknown = "The gateway does not know it. One that was just made is known within 2 s."
        yield failed("API key", unknown, OTHER_KEY)
        return
    known = routes.read(listed)
    yield routes.served("routes", listed, known)
    for team in sorted({each.team for each in section.instances} - {""}):
        if (missing := await _missing(team, asking)) is not None:
            yield missing
    for name, check, feature in _ASKED:
        found = await _made(name, check, asking)
        yield routes.helped(_excused(found, section), known, feature)
    yield await _made("direct access", _direct, asking)


Checking = Callable[[str, Asking], Awaitable[Check]]


async def _made(name: str, check: Checking, asking: Asking) -> Check:
    try:
        return await check(name, asking)
    except GatewayError as error:
        return failed(name, error.message)


async def _alive(name: str, asking: Asking) -> Check:
    answer = await asking.ask("GET", "/monitoring/healthz", key=False)
    if answer.status != 200:
        return failed(
            name,
            f"/monitoring/healthz is answered with {answer.said}.",
            "Let INHOUSE_URL name the gateway; the same URL goes into AI_GATEWAY_URL of GitLab.",
        )
    return ok(name, "/monitoring/healthz is answered.")


async def _ready(name: str, asking: Asking) -> Check:
    answer = await asking.ask("GET", "/monitoring/ready", key=False)
    if answer.status != 200:
        return failed(name, f"/monitoring/ready is answered with {answer.said}.")
    return ok(name, "/monitoring/ready is answered.")


async def _closed(name: str, asking: Asking) -> Check:
    answer = await asking.ask("POST", "/v2/code/completions", _COMPLETION, key=False)
    if answer.status == 401:
        return ok(name, "A request without a token is refused.")
    return failed(
        name,
        f"A request without a token is answered with status {answer.status}, not 401.",
        "Ask the gateway itself: what is in between adds a token, or answers for it.",
    )


async def _missing(team: str, asking: Asking) -> Check | None:
    """Warn of a team that an instance has and the gateway does not."""
    name = f"team '{team}'"
    try:
        answer = await asking.ask("GET", f"/api/v1/teams/{quote(team, safe='')}")
    except GatewayError as error:
        return failed(name, error.message)
    if answer.status != 404:
        return None
    sentence = "There is none: its GitLab has everybody's routes, and no limits."
    return warning(name, sentence, f"inhouse teams create {argument(team)}")


async def _health(name: str, asking: Asking) -> Check:
    answer = await asking.ask("POST", "/v2/code/completions", _COMPLETION)
    if answer.status != 200:
        return _refused(name, answer, "completion")
    took = f"It took {answer.seconds:.1f} s; GitLab waits for {HEALTH_LIMIT:.0f} s"
    match answer.json():
        case {"choices": [{"text": str(text)}, *_]} if text.strip():
            pass
        case _:
            return failed(
                name,
                "The completion of 'def hello_world' is empty, which GitLab takes for a failure.",
                "Choose a model that completes code: inhouse deployments probe DEPLOYMENT",
            )
    faster = "Keep the model loaded, or let a faster one serve completion."
    if answer.seconds > HEALTH_LIMIT:
        return failed(name, f"{took}.", faster)
    if answer.seconds > HEALTH_SLOW:
        return warning(name, f"{took}: a cold model fails there.", faster)
    return ok(name, f"{took}.")


async def _generation(name: str, asking: Asking) -> Check:
    answer = await asking.ask("POST", "/v2/code/generations", _GENERATION)
    if answer.status != 200:
        return _refused(name, answer, "generation")
    if not answer.body.strip():
        return failed(name, "The stream is empty.")
    return ok(name, f"A stream of {len(answer.body)} bytes.")


async def _model(name: str, asking: Asking) -> Check:
    answer = await asking.ask("POST", "/v1/prompts/model_configuration%2Fcheck", {"inputs": {}})
    if answer.status != 200:
        return _refused(name, answer, "completion")
    return ok(name, "GitLab's 'Test connection' passes.")


async def _chat(name: str, asking: Asking) -> Check:
    answer = await asking.ask("POST", "/v2/chat/agent", _STEP)
    if answer.status != 200:
        return _refused(name, answer, "chat")
    events = _events(answer)
    for event in events:
        if event.get("type") == "error":
            said = cast("dict[str, object]", event.get("data", {})).get("message", "")
            return failed(name, f"The step ended in an error: {said}")
    kinds = {event.get("type") for event in events}
    if kinds & {"final_answer_delta", "action"}:
        return ok(name, f"One step: {len(events)} events.")
    if "unknown" in kinds:
        return warning(
            name,
            "The model did not keep to the form of steps; its text is shown as the answer.",
            "A larger model uses GitLab's tools more reliably.",
        )
    return failed(name, "The step has no event that GitLab can read.")


async def _direct(name: str, asking: Asking) -> Check:
    answer = await asking.ask("POST", "/v1/code/user_access_token")
    if answer.status != 200:
        return failed(
            name,
            f"No token for editors can be issued: {answer.said}.",
            "Look at signing_key of [gitlab]; the log of the gateway tells why.",
        )
    return ok(name, "Tokens for editors can be issued.")


def _refused(name: str, answer: Answer, feature: str) -> Check:
    if answer.unserved:
        return failed(name, UNSERVED, f"inhouse routes set {feature} DEPLOYMENT")
    remedy = OTHER_KEY if answer.status in (401, 403) else ""
    return failed(name, f"{answer.said[0].upper()}{answer.said[1:]}", remedy)


def _excused(found: Check, section: config.GitLab) -> Check:
    """Skip a check that failed for want of a route, where GitLab's requests name their models."""
    if section.models == "registry" or found.sentence != UNSERVED:
        return found
    return skipped(
        found.name,
        "GitLab's requests name their model, this one names none, and no route serves it.",
        "Test it there: Self-hosted models, Test connection.",
    )


def _events(answer: Answer) -> list[dict[str, object]]:
    try:
        found = [msgspec.json.decode(line) for line in answer.body.splitlines()]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
    return [cast("dict[str, object]", each) for each in found if isinstance(each, dict)]


_OPEN: tuple[tuple[str, Checking], ...] = (
    ("gateway", _alive),
    ("ready", _ready),
    ("authentication", _closed),
)
"""What needs no key."""
_ASKED: tuple[tuple[str, Checking, str], ...] = (
    ("health check", _health, "completion"),
    ("generation", _generation, "generation"),
    ("model check", _model, "completion"),
    ("chat", _chat, "chat"),
)
"""What asks a model, and for which feature."""
