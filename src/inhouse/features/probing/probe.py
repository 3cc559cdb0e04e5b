"""Run the parts of a probe in order, each within its own time and all within three minutes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from inhouse.core.ports import Progress, Warming
from inhouse.errors import InhouseError, UpstreamError
from inhouse.features.probing import (
    answering,
    cancelling,
    flow,
    load,
    structured,
    tokenizing,
    window,
)
from inhouse.features.probing.badges import badges
from inhouse.features.probing.evidence import Answered, Asked, Connection, Evidence, Skipped
from inhouse.features.probing.report import Report, probed
from inhouse.features.probing.subject import Subject
from inhouse.features.remedies import FATAL

LIMIT = 180.0
"""Seconds that a probe takes at most."""
CLOSING = 5.0
"""Of these, seconds kept to hang up in good order."""


async def _connect(subject: Subject, _: Evidence) -> Connection:
    """Ask what is served; that it lists nothing is no fault, that it cannot be reached is."""
    try:
        subject.provider.check(subject.deployment)
        served = await subject.provider.served(subject.deployment)
    except UpstreamError as error:
        return Connection(error=str(error) if error.failure in FATAL else "")
    except InhouseError as error:
        return Connection(error=str(error))
    told = {each.name: each.window for each in served}
    alone = served[0].window if len(served) == 1 else None
    return Connection(window=told.get(subject.deployment.model, alone))


def _silent(seconds: float) -> Answered:
    return Answered(error=f"It did not answer the sample within {seconds:.0f} s.")


def _unreachable(seconds: float) -> Connection:
    return Connection(error=f"It did not answer within {seconds:.0f} s.")


class Part(NamedTuple):
    """What finds out one field of the evidence, and the seconds that it may take.

    `late` makes the finding where that these were too few says it all.
    """

    name: str
    doing: str
    seconds: float
    measure: Callable[[Subject, Evidence], Awaitable[Any]]
    late: Callable[[float], Any] | None = None


PARTS = (
    Part("connection", "connection", 8.0, _connect, _unreachable),
    Part("completion", "completion", 10.0, answering.complete, _silent),
    Part("sentinels", "FIM sentinels", 8.0, tokenizing.sentinels),
    Part("filling", "filling in", 8.0, answering.fill),
    Part("generation", "generation", 12.0, answering.generate, _silent),
    Part("chat", "chat", 10.0, answering.chat, _silent),
    Part("streaming", "streaming", 10.0, flow.stream),
    Part("stops", "stop sequences", 10.0, flow.stop),
    Part("tools", "tools", 10.0, structured.tools),
    Part("schema", "JSON schema", 10.0, structured.schema),
    Part("window", "window", 20.0, window.measure),
    Part("cancelling", "cancellation", 20.0, cancelling.measure),
    Part("load", "load", 38.0, load.measure),
)
GENTLE = (*PARTS[:-1], Part("load", "speed", 10.0, load.alone))
"""The parts of a gentle probe: never more than one request at once."""
EMBEDDING = (PARTS[0], Part("embedding", "embedding", 12.0, answering.embed, _silent))
"""The parts for a model that writes no text."""


async def probe(
    subject: Subject,
    *,
    gentle: bool = False,
    seconds: float = LIMIT,
    progress: Progress = lambda _share, _doing: None,
) -> Report:
    """Measure, and judge; a `gentle` probe never asks twice at once.

    Upstreams' failures are evidence: nothing is raised for them. Cancelling it hangs up everywhere.
    """
    at, began = time.time(), time.monotonic()
    end = began + seconds - min(CLOSING, seconds / 2)
    evidence = Evidence(asked=_asked(subject))
    evidence = await _warmed(subject, evidence, end, progress)
    parts = EMBEDDING if subject.family.embeds else GENTLE if gentle else PARTS
    whole = sum(part.seconds for part in parts)
    for number, part in enumerate(parts):
        if evidence.connection is not None and evidence.connection.error:
            break
        progress(sum(each.seconds for each in parts[:number]) / whole, part.doing)
        evidence = await _measured(part, subject, evidence, end)
    # What the first answers taught may have changed how it is asked.
    evidence = msgspec.structs.replace(evidence, asked=_asked(subject))
    return Report(
        probed=probed(subject.deployment),
        at=at,
        seconds=round(time.monotonic() - began, 1),
        gentle=gentle,
        badges=badges(evidence),
        evidence=evidence,
    )


async def _warmed(subject: Subject, evidence: Evidence, end: float, progress: Progress) -> Evidence:
    """Let a provider that must prepare do so."""
    provider = subject.provider
    if not isinstance(provider, Warming):
        return evidence
    try:
        async with asyncio.timeout(end - time.monotonic()):
            await provider.warm(subject.deployment, progress)
    except TimeoutError:
        why = "Its index is not ready yet; probe it again when it is."
        return msgspec.structs.replace(evidence, connection=Connection(error=why))
    except InhouseError as error:
        return msgspec.structs.replace(evidence, connection=Connection(error=str(error)))
    return evidence


async def _measured(part: Part, subject: Subject, evidence: Evidence, end: float) -> Evidence:
    """Return the evidence with what a part found out, or with why it did not."""
    left = end - time.monotonic()
    if left <= 0:
        return _skip(evidence, part.name, "No time was left for it.")
    allowed = min(part.seconds, left)
    try:
        async with asyncio.timeout(allowed):
            found = await part.measure(subject, evidence)
    except TimeoutError:
        if part.late is None or allowed < part.seconds:
            return _skip(evidence, part.name, f"It was not done within {allowed:.0f} s.")
        found = part.late(allowed)
    except InhouseError as error:
        return _skip(evidence, part.name, str(error))
    if isinstance(found, Skipped):
        return _skip(evidence, part.name, found.why)
    return msgspec.structs.replace(evidence, **{part.name: found})


def _skip(evidence: Evidence, part: str, why: str) -> Evidence:
    skipped = (*evidence.skipped, Skipped(why, part))
    return msgspec.structs.replace(evidence, skipped=skipped)


def _asked(subject: Subject) -> Asked:
    family, settings = subject.family, subject.settings
    return Asked(
        family=subject.deployment.family,
        completion=family.completion,
        generation=family.generation,
        chat=family.chat,
        completion_tokens=settings.completion_prefix_tokens
        + settings.completion_suffix_tokens
        + settings.completion_max_tokens,
    )
