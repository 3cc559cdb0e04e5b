"""What refusals teach about an upstream."""

from __future__ import annotations

import msgspec

from inhouse.core.requests import Params
from inhouse.providers.habits import left_out
from inhouse.wire.anthropic.outbound import DEFAULT_HABITS, Habits
from inhouse.wire.anthropic.refusals import Refusal

ANSWER_SHARE = 4
"""An answer without a limit may take this part of a window that it must share with the prompt."""


def learned(habits: Habits, found: Refusal) -> Habits:
    """Return the habits that a refusal teaches; the same where it is about something else."""
    if found.status not in {400, 422}:
        return habits
    said = found.said
    most = found.most_tokens
    if most is not None and (habits.most_tokens is None or most < habits.most_tokens):
        return msgspec.structs.replace(habits, most_tokens=most)
    if "thinking" in said:
        return habits
    temperature, top_p = "temperature" in said, "top_p" in said
    if temperature and top_p and habits.both:
        return msgspec.structs.replace(habits, both=False)
    if temperature and habits.temperature:
        return msgspec.structs.replace(habits, temperature=False)
    if top_p and habits.top_p:
        return msgspec.structs.replace(habits, top_p=False)
    if "effort" in said and habits.effort:
        return msgspec.structs.replace(habits, effort=False)
    return habits


def within(habits: Habits, params: Params, window: int | None) -> Habits:
    """Return habits under which an answer without a limit fits a window that turned out small."""
    if params.max_tokens is not None or window is None:
        return habits
    usual = min(habits.usual_tokens, max(1, window // ANSWER_SHARE))
    return msgspec.structs.replace(habits, usual_tokens=usual)


def told(habits: Habits) -> list[str]:
    """Return in words what an upstream has taught."""
    taken = {"effort": habits.effort, "temperature": habits.temperature, "top_p": habits.top_p}
    sentences = [left_out(name) for name, takes in taken.items() if not takes]
    if not habits.both:
        sentences.append("It takes temperature or top_p, not both: inhouse leaves top_p out.")
    if habits.most_tokens is not None:
        sentences.append(f"It gives at most {habits.most_tokens} tokens: inhouse asks for no more.")
    if habits.usual_tokens != DEFAULT_HABITS.usual_tokens:
        sentences.append(
            f"Its window is small: without a limit inhouse asks for {habits.usual_tokens} tokens."
        )
    return sentences
