"""What 1, 10 and 50 developers at once get."""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from collections.abc import Sequence

import msgspec

from inhouse.core.prompt import Prompt
from inhouse.core.requests import Params
from inhouse.errors import InhouseError
from inhouse.features import samples
from inhouse.features.probing.answering import completion
from inhouse.features.probing.evidence import Evidence, Level, Skipped
from inhouse.features.probing.flow import COUNTING
from inhouse.features.probing.subject import Heard, Subject, question

LEVELS = ((1, 8.0), (10, 10.0), (50, 18.0))
"""Requests at once, and the seconds that they may take."""
ONE_BY_ONE = 3
"""Requests that the first level makes, one after another."""
MAX_TOKENS = 32
TOLERATED = 0.2
"""Share of requests that may fail before more load is out of the question."""


async def measure(subject: Subject, evidence: Evidence) -> tuple[Level, ...] | Skipped:
    """Ask with growing concurrency, as far as the deployment allows and bears."""
    return await _levels(subject, evidence, most=LEVELS[-1][0])


async def alone(subject: Subject, evidence: Evidence) -> tuple[Level, ...] | Skipped:
    """Ask one request after another."""
    return await _levels(subject, evidence, most=1)


async def _levels(
    subject: Subject, evidence: Evidence, *, most: int
) -> tuple[Level, ...] | Skipped:
    answers = [each for each in (evidence.completion, evidence.chat) if each and not each.error]
    if not answers:
        return Skipped("It answers nothing.")
    loading = _Loading(subject, chats=answers[0] is evidence.chat)
    limit, made = subject.deployment.max_concurrent, list[Level]()
    for concurrent, seconds in LEVELS:
        why = ""
        if concurrent > most:
            why = "A gentle probe leaves it out."
        elif limit is not None and concurrent > limit:
            why = f"The deployment allows {limit} requests at once."
        elif made and _strained(made[-1]):
            why = "Left out, since fewer requests at once were too many already."
        if why:
            made.append(Level(concurrent=concurrent, requests=0, why=why))
        else:
            made.append(await loading.level(concurrent, seconds))
    return tuple(made)


def _strained(level: Level) -> bool:
    return not level.requests or level.failed + level.unfinished > TOLERATED * level.requests


class _Loading:
    """Makes short requests that differ in their heads, so that no cache answers them."""

    def __init__(self, subject: Subject, *, chats: bool) -> None:
        self._subject = subject
        self._chats = chats
        self._number = 0

    async def level(self, concurrent: int, seconds: float) -> Level:
        """Make the requests of one level."""
        heard: list[Heard] = []
        failures: list[str] = []
        requests = ONE_BY_ONE if concurrent == 1 else concurrent
        began = time.perf_counter()
        try:
            async with asyncio.timeout(seconds):
                if concurrent == 1:
                    for _ in range(requests):
                        await self._ask(heard, failures)
                else:
                    async with asyncio.TaskGroup() as group:
                        for _ in range(requests):
                            group.create_task(self._ask(heard, failures))
        except TimeoutError:
            why = f"Not all were answered within {seconds:g} s."
        else:
            why = failures[0] if failures else ""
        took = time.perf_counter() - began
        return Level(
            concurrent=concurrent,
            requests=requests,
            failed=len(failures),
            unfinished=requests - len(failures) - len(heard),
            first_median=_median([each.first for each in heard if each.deltas]),
            first_p95=_p95([each.first for each in heard if each.deltas]),
            total_median=_median([each.milliseconds for each in heard]),
            total_p95=_p95([each.milliseconds for each in heard]),
            tokens_per_second=round(sum(each.length for each in heard) / took, 1),
            why=why,
        )

    async def _ask(self, heard: list[Heard], failures: list[str]) -> None:
        try:
            heard.append(await self._subject.ask(*self._prompt()))
        except InhouseError as error:
            failures.append(str(error))

    def _prompt(self) -> tuple[Prompt, Params]:
        self._number += 1
        if self._chats:
            return question(f"{self._number}. {COUNTING}"), Params(max_tokens=MAX_TOKENS)
        asked = completion(self._subject, f"# shapes, part {self._number}\n{samples.PREFIX}")
        return asked.prompt, msgspec.structs.replace(asked.params, max_tokens=MAX_TOKENS)


def _median(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 1) if values else None


def _p95(values: Sequence[float]) -> float | None:
    """Return the smallest value that 95 % do not exceed."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1] if values else None
