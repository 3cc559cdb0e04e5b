"""From evidence to Full, Partial or Limited: the rules, and nothing else.

Each rule gives a reason with the best badge that it still allows; a feature's badge is the worst of
these. A reason that allows Full is a note: what could not be told takes nothing away, but the right
FIM sentinels must have been shown.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from inhouse.core.feature import Feature
from inhouse.families import CompletionMode, GenerationMode, Support
from inhouse.features.probing.evidence import (
    Answered,
    Evidence,
    Hangup,
    Level,
    Structured,
    Suffix,
    Window,
)

FEATURES = (Feature.COMPLETION, Feature.GENERATION, Feature.CHAT)
CHAT_TOKENS = 8000
"""A shorter window loses the files that a chat is about."""
FIRST_PROMPT, FIRST_LATE = 1000.0, 3000.0
"""Milliseconds to the first token: a completion after the one is late, after the other useless."""
CROWDED_FIRST = 3000.0
"""Milliseconds within which 95 % of ten developers at once have the first token."""
TALK_FIRST = 10_000.0
SLOW, CRAWLING = 15.0, 3.0
"""Tokens a second of one answer: slower than reading, slower than typing."""
_ORDER = (Support.UNSUPPORTED, Support.LIMITED, Support.PARTIAL, Support.FULL, Support.UNRATED)

_WINDOW = "Set the option window=TOKENS to what it really takes."


class Reason(Struct, frozen=True):
    """The best badge that something allows, and a sentence that says what it is."""

    allows: Support
    sentence: str


class Badge(Struct, frozen=True, kw_only=True):
    """How well the deployment serves a feature, and why; the gravest reason first."""

    feature: Feature
    support: Support
    reasons: tuple[Reason, ...] = ()


def badges(evidence: Evidence) -> tuple[Badge, ...]:
    """Return a badge a feature; `Support.UNRATED` where too little could be measured."""
    embeds = evidence.asked.completion is CompletionMode.NONE
    features = (Feature.EMBEDDING,) if embeds else FEATURES
    return tuple(_badge(feature, evidence) for feature in features)


def _badge(feature: Feature, evidence: Evidence) -> Badge:
    reasons = sorted(_reasons(feature, evidence), key=lambda each: _ORDER.index(each.allows))
    support = min((each.allows for each in reasons), key=_ORDER.index, default=Support.FULL)
    return Badge(feature=feature, support=support, reasons=tuple(reasons))


def _reasons(feature: Feature, evidence: Evidence) -> Iterator[Reason]:
    asked = evidence.asked
    if feature is Feature.CHAT and not asked.chat:
        yield _unsupported(f"Models of the family '{asked.family}' do not chat.")
    elif feature is Feature.GENERATION and asked.generation is GenerationMode.NONE:
        yield _unsupported(f"Models of the family '{asked.family}' write no code from words.")
    elif evidence.connection is not None and evidence.connection.error:
        yield _limited(f"It cannot be asked: {evidence.connection.error}")
    else:
        answered = _answered(feature, evidence)
        if answered is None:
            yield Reason(Support.UNRATED, "Not measured.")
        elif answered.error:
            yield _limited(f"It does not answer: {answered.error}")
        elif feature is not Feature.EMBEDDING:
            yield from _measured(feature, evidence, answered)


def _measured(feature: Feature, evidence: Evidence, answered: Answered) -> Iterator[Reason]:
    yield from _content(feature, evidence, answered)
    if evidence.asked.completion is not CompletionMode.NATIVE:
        yield from _flow(evidence)
        yield from _window(feature, evidence)
        yield from _cancelling(evidence)
    if feature is Feature.COMPLETION:
        yield from _fim(evidence)
    if feature is Feature.GENERATION and evidence.asked.generation is GenerationMode.TEXT:
        yield from _sentinels(evidence)
    if feature is Feature.CHAT:
        yield from _structured("Tools", evidence.tools)
        yield from _structured("JSON of a schema", evidence.schema)
    yield from _speed(feature, evidence)


def _content(feature: Feature, evidence: Evidence, answered: Answered) -> Iterator[Reason]:
    native = evidence.asked.completion is CompletionMode.NATIVE
    known = evidence.sentinels is not None and not evidence.sentinels.unknown
    # A model may end raw text with a special token of its own, which is then no leak.
    if answered.leaked and (not known or feature is Feature.CHAT):
        shown = " ".join(answered.leaked)
        yield _limited(f"Special tokens come as text ({shown}): the family is the wrong one.")
    if answered.empty and not native:
        yield _partial("It answers the sample with nothing.")


def _fim(evidence: Evidence) -> Iterator[Reason]:
    mode, sentinels, filling = evidence.asked.completion, evidence.sentinels, evidence.filling
    if mode is CompletionMode.TEXT:
        yield _partial("The model does not see the code behind the cursor.")
    if mode is CompletionMode.INSTRUCTION:
        yield _partial("The model chats only: the hole is explained to it in words.")
    if mode is not CompletionMode.FIM:
        return
    yield from _sentinels(evidence)
    if filling is not None and filling.suffix is Suffix.IGNORED:
        yield _limited("The code behind the cursor changes nothing: it is no model that fills in.")
    elif sentinels is None and (filling is None or filling.suffix is not Suffix.RIGHT):
        family = evidence.asked.family
        yield _partial(f"That it knows the sentinels of the family '{family}' could not be shown.")


def _sentinels(evidence: Evidence) -> Iterator[Reason]:
    sentinels = evidence.sentinels
    if sentinels is not None and sentinels.unknown:
        fits = f" It knows those of: {', '.join(sentinels.fits)}." if sentinels.fits else ""
        yield _limited(
            f"The tokenizer does not know {' '.join(sentinels.unknown)}: the model is not of the"
            f" family '{evidence.asked.family}', or served with another tokenizer.{fits}"
        )


def _flow(evidence: Evidence) -> Iterator[Reason]:
    streaming, stops = evidence.streaming, evidence.stops
    if streaming is not None and streaming.buffered:
        yield _partial(
            "Answers come in one lump at the end: something holds the stream (in nginx,"
            " proxy_buffering off lets it pass)."
        )
    elif streaming is None or streaming.buffered is None:
        yield _note("Whether answers are streamed could not be told.")
    if stops is not None and stops.honoured is False:
        yield _partial("Stop sequences are not honoured.")
    elif stops is None or stops.honoured is None:
        yield _note("Whether stop sequences are honoured could not be told.")


def _window(feature: Feature, evidence: Evidence) -> Iterator[Reason]:
    window = evidence.window
    if window is None:
        yield _note("How long prompts may really be: not measured.")
        return
    if window.cut:
        taken = (
            f"beyond about {window.accepted} tokens" if window.accepted else "when they are long"
        )
        yield _partial(f"Prompts are silently cut {taken}, {window.claimed} are claimed. {_WINDOW}")
    elif window.refused is not None and window.refused <= window.claimed:
        yield _partial(
            f"A prompt of {window.refused} tokens is refused, {window.claimed} are claimed."
            f" {_WINDOW}"
        )
    taken = _taken(window)
    if not taken:
        yield _partial("Shorter prompts, down to an eighth, were not taken whole either.")
        return
    if feature is Feature.COMPLETION and taken < evidence.asked.completion_tokens:
        wanted = evidence.asked.completion_tokens
        yield _partial(f"It takes {taken} tokens, a completion would use {wanted}.")
    if feature is Feature.CHAT and taken < CHAT_TOKENS:
        yield _partial(f"It takes {taken} tokens, a chat about code needs {CHAT_TOKENS}.")


def _taken(window: Window) -> int:
    """Return the tokens that it takes: what is claimed, where nothing speaks against it."""
    disproved = window.cut or (window.refused is not None and window.refused <= window.claimed)
    return window.accepted if disproved else max(window.accepted, window.claimed)


def _cancelling(evidence: Evidence) -> Iterator[Reason]:
    found = evidence.cancelling
    if found is None:
        yield _note("Whether generation stops when a caller leaves could not be told.")
        return
    yield from _hangup("a stream", found.streamed)
    if found.whole.why != found.streamed.why or found.whole.stopped is not None:
        yield from _hangup("a whole answer", found.whole)


def _hangup(what: str, hangup: Hangup) -> Iterator[Reason]:
    if hangup.stopped is None:
        yield _note(f"Whether generation stops when a caller leaves {what}: {hangup.why}")
    elif not hangup.stopped:
        after = f" ({hangup.after:.0f} more tokens)" if hangup.after is not None else ""
        yield _partial(f"Generation goes on when a caller leaves {what}{after}.")


def _structured(what: str, found: Structured | None) -> Iterator[Reason]:
    if found is None:
        yield _note(f"{what}: not measured.")
    elif not found.framed:
        yield _partial(f"{what}: not supported. {found.why}")
    elif found.valid is False:
        yield _partial(f"{what}: what comes is not valid. {found.why}")


def _speed(feature: Feature, evidence: Evidence) -> Iterator[Reason]:
    levels = {each.concurrent: each for each in evidence.load or () if each.requests}
    alone, crowded = levels.get(1), levels.get(10)
    if alone is None:
        yield _note("Speed: not measured.")
        return
    for level in (alone, crowded):
        if level is not None and level.failed + level.unfinished:
            yield _partial(
                f"Of {level.requests} requests, {level.concurrent} at once, {level.failed} failed"
                f" and {level.unfinished} were not answered in time. {level.why}"
            )
    crowd = levels.get(50)
    if crowd is not None and crowd.failed + crowd.unfinished:
        missing = crowd.failed + crowd.unfinished
        yield _note(f"Of 50 requests at once, {missing} were not answered in time.")
    if feature is Feature.COMPLETION:
        yield from _fast_enough(alone, crowded)
    else:
        yield from _fluent_enough(alone)


def _fast_enough(alone: Level, crowded: Level | None) -> Iterator[Reason]:
    first = alone.first_median
    if first is not None and first > FIRST_PROMPT:
        reason = _limited if first > FIRST_LATE else _partial
        yield reason(f"The first token of a completion takes {first / 1000:.1f} s.")
    slow = crowded.first_p95 if crowded is not None else None
    if slow is not None and slow > CROWDED_FIRST:
        yield _partial(f"Of ten developers at once, some wait {slow / 1000:.1f} s for a token.")


def _fluent_enough(alone: Level) -> Iterator[Reason]:
    if alone.first_median is not None and alone.first_median > TALK_FIRST:
        yield _partial(f"The first token takes {alone.first_median / 1000:.1f} s.")
    speed = alone.tokens_per_second
    if speed < SLOW and alone.requests > alone.failed:
        reason = _limited if speed < CRAWLING else _partial
        yield reason(f"It writes {speed:.1f} tokens a second.")


def _answered(feature: Feature, evidence: Evidence) -> Answered | None:
    match feature:
        case Feature.COMPLETION:
            return evidence.completion
        case Feature.GENERATION:
            return evidence.generation
        case Feature.EMBEDDING:
            return evidence.embedding
        case _:
            return evidence.chat


def _unsupported(sentence: str) -> Reason:
    return Reason(Support.UNSUPPORTED, sentence)


def _limited(sentence: str) -> Reason:
    return Reason(Support.LIMITED, sentence.rstrip())


def _partial(sentence: str) -> Reason:
    return Reason(Support.PARTIAL, sentence.rstrip())


def _note(sentence: str) -> Reason:
    return Reason(Support.FULL, sentence.rstrip())
