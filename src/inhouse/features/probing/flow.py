"""Does an answer come as it is written, and does it end where it should?"""

from __future__ import annotations

import re

import msgspec

from inhouse.core.prompt import Prompt
from inhouse.core.requests import Params
from inhouse.features.probing.answering import completion
from inhouse.features.probing.evidence import Evidence, Skipped, Stops, Streaming
from inhouse.features.probing.subject import Heard, Subject, question

COUNTING = "Count from one to one hundred in words, separated by commas."
MAX_TOKENS = 64
ENOUGH_TOKENS = 8
"""Tokens of an answer from which its arrival tells something."""
LUMP_SHARE = 0.1
"""A stream whose pieces all come in the last tenth of the time was held back."""
LUMP_MILLISECONDS = 250.0
"""Faster answers may come in one piece without anybody's fault."""
_WORDS = re.compile(r"[!-~]{2,8}")
"""What a stop sequence is taken from: visible ASCII, as every tokenizer writes it."""


def _askings(subject: Subject, evidence: Evidence) -> list[tuple[Prompt, Params]]:
    """Return prompts that are answered, each with greedy params."""
    found: list[tuple[Prompt, Params]] = []
    if evidence.chat is not None and not evidence.chat.error:
        found.append((question(COUNTING), Params(max_tokens=MAX_TOKENS, temperature=0.0)))
    if evidence.completion is not None and not evidence.completion.error:
        asked = completion(subject)
        found.append((asked.prompt, msgspec.structs.replace(asked.params, max_tokens=MAX_TOKENS)))
    return found


async def stream(subject: Subject, evidence: Evidence) -> Streaming | Skipped:
    """Time the pieces of an answer; what looks held back is asked for once more."""
    askings = _askings(subject, evidence)
    if subject.native or not askings:
        return Skipped("An index answers at once." if subject.native else "It answers nothing.")
    found = _timed(await subject.ask(*askings[0]))
    # A wait in the upstream's queue looks like a held stream, but seldom twice.
    return _timed(await subject.ask(*askings[0])) if found.buffered else found


def _timed(heard: Heard) -> Streaming:
    buffered, why = _buffered(heard)
    return Streaming(
        buffered=buffered,
        deltas=heard.deltas,
        milliseconds=heard.milliseconds,
        spread=heard.spread,
        why=why,
    )


def _buffered(heard: Heard) -> tuple[bool | None, str]:
    if heard.length < ENOUGH_TOKENS:
        return None, "The answer was too short to tell."
    if heard.deltas > 1 and heard.spread >= LUMP_SHARE * heard.milliseconds:
        return False, ""
    if heard.milliseconds < LUMP_MILLISECONDS:
        return None, "The answer came too quickly to tell."
    return True, ""


async def stop(subject: Subject, evidence: Evidence) -> Stops | Skipped:
    """Take a stop sequence from an answer, and ask again with it."""
    askings = _askings(subject, evidence)
    if subject.native or not askings:
        return Skipped("An index needs none." if subject.native else "It answers nothing.")
    for prompt, params in askings:
        first = (await subject.ask(prompt, params)).text
        chosen = _chosen(first)
        if chosen is not None:
            stopping = msgspec.structs.replace(params, stop=(chosen,))
            return _judged(first, chosen, await subject.ask(prompt, stopping))
    return Stops(honoured=None, why="The answers hold nothing to stop at.")


def _judged(first: str, chosen: str, second: Heard) -> Stops:
    if chosen in second.text:
        return Stops(honoured=False, why="The answer went on over the stop sequence.")
    if first.startswith(second.text.rstrip()) and len(second.text) < len(first):
        return Stops(honoured=True)
    if second.finish_reason == "stop":
        return Stops(honoured=True, why="The two answers differ, but the second one stopped.")
    return Stops(honoured=None, why="The second answer did not come to the stop sequence.")


def _chosen(text: str) -> str | None:
    """Return a piece of the text's second half, or later than its start, that stands there once."""
    found = [each for each in _WORDS.finditer(text) if each.start()]
    late = [each for each in found if text.find(each[0]) == each.start()]
    late = [each for each in late if each.start() >= len(text) // 4] or late
    return late[0][0] if late else None
