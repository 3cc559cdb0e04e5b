"""What refusals teach about a model."""

from __future__ import annotations

import re

import msgspec

from inhouse.errors import UpstreamFailure
from inhouse.providers.habits import ended_here, left_out
from inhouse.wire.bedrock.converse import Habits
from inhouse.wire.bedrock.refusals import Refusal

_STOP = "stopSequences"
_FIELD = re.compile(r"doesn't support the ([\w.]+) field")
_DEPRECATED = re.compile(r"`?(temperature|top_?p)`? is (?:deprecated|not supported)", re.IGNORECASE)


def learned(habits: Habits, found: Refusal) -> Habits:
    """Return the habits with what a refusal teaches; the same where it is about something else."""
    if found.failure is not UpstreamFailure.BAD_REQUEST:
        return habits
    said = found.said.replace("\u2019", "'")
    replace = msgspec.structs.replace
    if "tool use in streaming" in said:
        return replace(habits, streams_tools=False)
    if "unsupported for streaming" in said or "doesn't support streaming" in said:
        return replace(habits, streams=False)
    if "doesn't support system" in said or "doesn't support the system" in said:
        return replace(habits, system=False)
    name = _named(said)
    return habits if name is None else replace(habits, without=habits.without | {name})


def told(habits: Habits) -> list[str]:
    """Return in words what a model has taught."""
    sentences = [
        ended_here(name) if name == _STOP else left_out(name) for name in sorted(habits.without)
    ]
    if not habits.streams:
        sentences.append("It does not stream: inhouse asks for whole answers.")
    elif not habits.streams_tools:
        sentences.append("It does not stream with tools: inhouse asks for whole answers then.")
    if not habits.system:
        sentences.append("It takes no instructions apart: inhouse puts them before the question.")
    return sentences


def _named(said: str) -> str | None:
    """Return the field that a refusal says the model does not take, as Converse calls it."""
    if "temperature" in said and "top_p" in said and "both" in said:
        return "topP"
    if found := _FIELD.search(said):
        return "toolChoice" if "toolChoice" in found[1] else found[1].rpartition(".")[2]
    if found := _DEPRECATED.search(said):
        return "temperature" if found[1].lower() == "temperature" else "topP"
    return None
