"""How long a prompt does the deployment really take?

One prompt just below what is claimed, one just above it; where the first fails, up to three shorter
ones. No prompt is longer than `MOST_TOKENS`: a larger window is believed from there on.
"""

from __future__ import annotations

from enum import Enum, auto

from msgspec import Struct

from inhouse.core.prompt import Prompt, Text
from inhouse.core.requests import Params
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.features.probing.evidence import Evidence, Skipped, Window
from inhouse.features.probing.subject import Heard, Subject, question

MOST_TOKENS = 32_768
"""Tokens of a prompt at most: reading more may keep somebody's server busy for too long."""
MARGIN = 64
"""Tokens left free for what a template adds."""
ABOVE = 1.1
WHOLE_SHARE = 0.9
"""Of the tokens sent, the upstream counts at least these where it has read the whole prompt."""
SHARES = (0.5, 0.25, 0.125)
ANSWER_TOKENS = 16
NEEDLE = "PELICAN-4711"
FEW, MORE = 16, 128
"""Lines by which a line's tokens are counted."""


class _Fate(Enum):
    WHOLE = auto()
    CUT = auto()
    TAKEN = auto()
    REFUSED = auto()


class _Line(Struct, frozen=True):
    """Tokens of a line of filling, and of what stands around them in each prompt."""

    tokens: float
    around: float


async def measure(subject: Subject, evidence: Evidence) -> Window | Skipped:
    """Look for the longest prompt that is taken whole."""
    if subject.native:
        return Skipped("An index has no window.")
    chat = _chats(evidence)
    if chat is None:
        return Skipped("It answers nothing.")
    claimed = _claimed(subject, evidence)
    return await _Measuring(subject, claimed, chat=chat).run()


def _chats(evidence: Evidence) -> bool | None:
    if evidence.chat is not None and not evidence.chat.error:
        return True
    if evidence.completion is not None and not evidence.completion.error:
        return False
    return None


def _claimed(subject: Subject, evidence: Evidence) -> int:
    """Return the window that the gateway would reckon with."""
    told = evidence.connection.window if evidence.connection is not None else None
    declared = subject.deployment.options.get("window")
    limits = [each for each in (told, declared) if isinstance(each, int) and each > 0]
    return min(limits, default=subject.family.window)


class _Measuring:
    """Sends prompts of known length."""

    def __init__(self, subject: Subject, claimed: int, *, chat: bool) -> None:
        self._subject = subject
        self._claimed = claimed
        self._chat = chat
        self._line: _Line | None = None

    async def run(self) -> Window:
        claimed, reach = self._claimed, min(self._claimed, MOST_TOKENS)
        self._line = await self._counted()
        if self._line is None:
            return Window(claimed=claimed, why="The upstream does not tell how it counts tokens.")
        near = max(MARGIN, reach - MARGIN - ANSWER_TOKENS)
        fate = await self._fate(near)
        if fate in {_Fate.WHOLE, _Fate.TAKEN}:
            if reach < claimed:
                why = f"Not tried beyond {reach} tokens, to spare the upstream."
                return Window(claimed=claimed, accepted=near, why=why)
            return await self._above(near, fate)
        accepted = await self._below(reach)
        if fate is _Fate.CUT:
            return Window(claimed=claimed, accepted=accepted, cut=True)
        return Window(claimed=claimed, accepted=accepted, refused=near, cut=False)

    async def _above(self, near: int, before: _Fate) -> Window:
        above = int(self._claimed * ABOVE) + MARGIN
        match await self._fate(above):
            case _Fate.REFUSED:
                return Window(claimed=self._claimed, accepted=near, refused=above, cut=False)
            case _Fate.CUT:
                return Window(claimed=self._claimed, accepted=near, cut=True)
            case _Fate.TAKEN if before is _Fate.WHOLE:
                why = "Of a longer prompt, it does not find the head."
                return Window(claimed=self._claimed, accepted=near, cut=True, why=why)
            case _Fate.WHOLE if before is _Fate.WHOLE:
                why = "It takes more than is claimed."
                return Window(claimed=self._claimed, accepted=above, cut=False, why=why)
            case _:
                why = "Whether longer prompts are cut cannot be told: it does not count them."
                return Window(claimed=self._claimed, accepted=near, why=why)

    async def _below(self, reach: int) -> int:
        """Return the longest of a few shorter prompts that was taken whole, 0 where none was."""
        for share in SHARES:
            tokens = max(1, int(reach * share) - MARGIN)
            if await self._fate(tokens) in {_Fate.WHOLE, _Fate.TAKEN}:
                return tokens
        return 0

    async def _fate(self, tokens: int) -> _Fate:
        """Send a prompt of about so many tokens, and see what becomes of it."""
        line = self._line or _Line(1.0, 0.0)
        lines = max(1, int((tokens - line.around) / line.tokens))
        try:
            heard = await self._ask(lines, ANSWER_TOKENS)
        except UpstreamError as error:
            if error.failure in {UpstreamFailure.CONTEXT_LENGTH, UpstreamFailure.BAD_REQUEST}:
                return _Fate.REFUSED
            raise
        counted = heard.prompt_tokens
        if counted is not None:
            sent = line.around + lines * line.tokens
            return _Fate.WHOLE if counted >= WHOLE_SHARE * sent else _Fate.CUT
        return _Fate.WHOLE if self._chat and NEEDLE in heard.text else _Fate.TAKEN

    async def _counted(self) -> _Line | None:
        """Count a line: by the usage of two short prompts, else by the tokenizer."""
        few, more = await self._count(FEW), await self._count(MORE)
        if few is None or more is None or more <= few:
            return None
        tokens = (more - few) / (MORE - FEW)
        return _Line(tokens, few - FEW * tokens)

    async def _count(self, lines: int) -> int | None:
        told = (await self._ask(lines, 1)).prompt_tokens
        if told is not None:
            return told
        return await self._subject.provider.count_tokens(self._subject.deployment, _text(lines))

    async def _ask(self, lines: int, answer_tokens: int) -> Heard:
        text = _text(lines)
        prompt: Prompt = question(text) if self._chat else Text(text)
        return await self._subject.ask(prompt, Params(max_tokens=answer_tokens))


def _text(lines: int) -> str:
    """Return a text with a needle in its head, which is what a silent cut loses."""
    filling = "value = compute(value, [1, 2, 3])\n" * lines
    return f"The code word is {NEEDLE}.\n{filling}Say the code word.\n"
