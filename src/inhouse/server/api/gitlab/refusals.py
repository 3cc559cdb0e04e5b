"""Errors in the shapes that GitLab reads.

A wrong token is told under ``error``; a missing permission, a path that is not there and a failed
model of the prompt endpoints as a sentence under ``detail``, since GitLab shows these sentences;
anything else as a list under ``detail``, of which GitLab shows the first ``msg``.
"""

from __future__ import annotations

import re
from http import HTTPStatus

import msgspec

from inhouse.server.dialect import Dialect
from inhouse.server.errors import Problem
from inhouse.server.exchange import Exchange

FAILED = "Inference failed"
BUSY = "Too many requests. Please try again later."
MISDIRECTED = 421
"""What the prompt endpoints answer where the model's server failed."""

_PASSED = frozenset({400, 401})
"""What an upstream refuses for good; what it refuses for now is passed on everywhere."""
_STEP = re.compile(r"[^.\[\]]+")
"""One step on the way to a field such as ``context[0].name``."""
_HEADERS = ((b"access-control-allow-origin", b"*"),)


def refusal(found: Problem, trace_id: str) -> tuple[int, bytes]:
    """Return status and body of an error for the endpoints of code and conversations."""
    if found.status == 429:
        return 429, _listed(f"{BUSY} {found.message}", found, trace_id)
    if found.upstream is not None or found.code == "model_not_found":
        # What an upstream finds wrong is a field of ours, and nothing that the caller sent.
        nowhere = msgspec.structs.replace(found, param=None)
        return 503, _listed(f"{FAILED}: {found.message}", nowhere, trace_id)
    return _own_refusal(found, trace_id)


def prompt_refusal(found: Problem, trace_id: str) -> tuple[int, bytes]:
    """Return status and body of an error for the prompt endpoints."""
    upstream = 404 if found.code == "model_not_found" else found.upstream
    if upstream is not None:
        return MISDIRECTED, sentence(f"{upstream}: {phrase(upstream)} - {found.message}")
    return refusal(found, trace_id)


def passing_refusal(found: Problem, trace_id: str) -> tuple[int, bytes]:
    """Return status and body of an error where GitLab wants to know what the upstream said."""
    if found.upstream in _PASSED:
        return found.upstream, _listed(f"{FAILED}: {found.message}", found, trace_id)
    return refusal(found, trace_id)


def sentence(detail: str) -> bytes:
    """Return the body of an error that is one sentence."""
    return msgspec.json.encode({"detail": detail})


async def refuse(exchange: Exchange, error: Exception, status: int, detail: str) -> None:
    """Answer with an error that has a status of its own here."""
    exchange.recording.fail(error, status)
    await exchange.answer(sentence(detail), status=status)


def _own_refusal(found: Problem, trace_id: str) -> tuple[int, bytes]:
    """Return status and body of an error for which no upstream is to blame."""
    match found.status:
        case 401:
            return 401, msgspec.json.encode({"error": found.message})
        case 403:
            return 403, sentence(found.message)
        case 404 | 405 if found.code in ("unknown_path", "method_not_allowed"):
            return found.status, sentence(phrase(found.status))
        case 404:
            return 404, sentence(found.message)
        case 400:
            return 422, _listed(found.message, found, trace_id)
        case status:
            return status, _listed(found.message, found, trace_id)


def _listed(message: str, found: Problem, trace_id: str) -> bytes:
    steps = _STEP.findall(found.param or "")
    place = ["body", *(int(step) if step.isdecimal() else step for step in steps)]
    entry = {"type": found.code, "loc": place, "msg": message}
    return msgspec.json.encode({"detail": [entry], "trace_id": trace_id})


def phrase(status: int) -> str:
    """Return HTTP's own words for a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


GITLAB = Dialect(
    name="gitlab", refusal=refusal, late=None, timed=True, shared=True, headers=_HEADERS
)
GITLAB_PROMPTS = msgspec.structs.replace(GITLAB, name="gitlab-prompts", refusal=prompt_refusal)
GITLAB_EMBEDDINGS = msgspec.structs.replace(
    GITLAB, name="gitlab-embeddings", refusal=passing_refusal
)
