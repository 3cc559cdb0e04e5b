"""What a refusal teaches: which field of a request the upstream does not take.

A refusal teaches one thing, and only about fields that an answer can do without: how it is sampled,
what comes along with it. What a caller needs of the answer (tools, a response format, a number of
choices) is never left out. Stop sequences are, since the text is then ended here.
"""

from __future__ import annotations

import re

import msgspec

from inhouse.providers.habits import ended_here, left_out
from inhouse.wire.openai.outbound import Habits
from inhouse.wire.openai.refusals import Refusal

STOP = "stop"
_OURS = {
    "stream_options": ("stream_options", "include_usage"),
    "skip_special_tokens": ("skip_special_tokens",),
}
"""Fields that we add ourselves, each with the words by which refusals name it."""
_SPARABLE = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "seed",
    "top_logprobs",
    "logprobs",
    STOP,
)
_NAMES = frozenset({*_SPARABLE, "max_tokens"})
_ENGLISH = frozenset({STOP, "seed"})
"""Words that mean the field only where they are quoted, or announced as an argument."""
_ANNOUNCED = re.compile(
    r"""(?:['"`]|\b(?:supplied|parameters?|arguments?|fields?):? )(?=([\w-]+))""", re.IGNORECASE
)
_TOGETHER = {"logprobs": {"logprobs", "top_logprobs"}}
"""``top_logprobs`` without ``logprobs`` is refused in turn."""
_WHATEVER_THE_VALUE = re.compile(
    r"unsupported|not support|n't support|unrecogni[sz]ed|unknown|unexpected"
    r"|extra (?:inputs|fields)|not (?:permitted|allowed)|only the default",
    re.IGNORECASE,
)


def learned(habits: Habits, found: Refusal) -> Habits:
    """Return the habits with what a refusal teaches; the same where it is about something else."""
    if found.status not in {400, 422}:
        return habits
    about = f"{found.param} {found.said}"
    for name, words in _OURS.items():
        if any(word in about for word in words):
            return _without(habits, {name})
    if not habits.max_completion_tokens and "max_completion_tokens" in about:
        return msgspec.structs.replace(habits, max_completion_tokens=True)
    if not _WHATEVER_THE_VALUE.search(f"{found.kind} {found.said}"):
        return habits
    name = _named(found)
    if name == "max_tokens":
        return msgspec.structs.replace(habits, max_completion_tokens=True)
    return habits if name is None else _without(habits, _TOGETHER.get(name, {name}))


def told(habits: Habits, known: Habits) -> list[str]:
    """Return in words what an upstream has taught, beyond what was known of it."""
    sentences = [
        ended_here(name) if name == STOP else left_out(name)
        for name in sorted(habits.left_out - known.left_out)
    ]
    if habits.max_completion_tokens and not known.max_completion_tokens:
        sentences.append("It wants max_completion_tokens: inhouse says so instead of max_tokens.")
    return sentences


def _without(habits: Habits, names: set[str]) -> Habits:
    return msgspec.structs.replace(habits, left_out=habits.left_out | names)


def _named(found: Refusal) -> str | None:
    """Return the field that a refusal names: as its parameter, else the first in its words."""
    if found.param is not None:
        return found.param if found.param in _NAMES else None
    announced = (word for word in _ANNOUNCED.findall(found.said) if word in _NAMES)
    plain = (word for word in re.findall(r"[\w-]+", found.said) if word in _NAMES - _ENGLISH)
    return next(announced, None) or next(plain, None)
