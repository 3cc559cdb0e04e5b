"""The rules by which evidence becomes Full, Partial or Limited, one row each."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from inhouse.core.feature import Feature
from inhouse.families import CompletionMode, GenerationMode, Support
from inhouse.features.probing import badges
from inhouse.features.probing.evidence import (
    Answered,
    Asked,
    Cancelling,
    Connection,
    Evidence,
    Filling,
    Hangup,
    Level,
    Sentinels,
    Stops,
    Streaming,
    Structured,
    Suffix,
    Window,
)

ASKED = Asked(
    family="qwen-coder",
    completion=CompletionMode.FIM,
    generation=GenerationMode.CHAT,
    chat=True,
    completion_tokens=2688,
)
FINE = Answered(milliseconds=100)
STOPPED = Hangup(stopped=True, asked=1000, after=3)
GOOD = Evidence(
    asked=ASKED,
    connection=Connection(window=32768),
    sentinels=Sentinels(unknown=(), counted_by="tokenizer"),
    filling=Filling(suffix=Suffix.RIGHT),
    completion=FINE,
    generation=FINE,
    chat=FINE,
    streaming=Streaming(buffered=False, deltas=64, milliseconds=900, spread=800),
    stops=Stops(honoured=True),
    tools=Structured(framed=True, valid=True),
    schema=Structured(framed=True, valid=True),
    window=Window(claimed=32768, accepted=32688, refused=36108, cut=False),
    cancelling=Cancelling(streamed=STOPPED, whole=STOPPED),
    load=(
        Level(concurrent=1, requests=3, first_median=90, tokens_per_second=80),
        Level(concurrent=10, requests=10, first_median=200, first_p95=400, tokens_per_second=500),
        Level(concurrent=50, requests=50, first_median=900, first_p95=2400, tokens_per_second=900),
    ),
)
FULL, PARTIAL, LIMITED = "full", "partial", "limited"
UNSUPPORTED, UNRATED = "unsupported", "unrated"


def level(concurrent: int, requests: int, **more: Any) -> Level:
    given: dict[str, Any] = {"first_median": 90.0, "tokens_per_second": 80.0} | more
    return Level(concurrent=concurrent, requests=requests, **given)


def asked(**changes: Any) -> dict[str, Any]:
    return {"asked": msgspec.structs.replace(ASKED, **changes)}


ROWS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "full full full", ""),
    ({"connection": Connection(error="Nobody listens.")}, "limited limited limited", "Nobody"),
    ({"completion": None}, "unrated full full", "Not measured"),
    ({"completion": Answered(error="500.")}, "limited full full", "does not answer: 500."),
    ({"generation": Answered(error="500.")}, "full limited full", "does not answer: 500."),
    ({"chat": Answered(error="500.")}, "full full limited", "does not answer: 500."),
    ({"completion": Answered(empty=True)}, "partial full full", "with nothing"),
    (
        # A model may end raw text with a special token; its tokenizer knows them, so all is well.
        {"completion": Answered(leaked=("<|fim_pad|>",))},
        "full full full",
        "",
    ),
    (
        {"completion": Answered(leaked=("<|fim_suffix|>",)), "sentinels": None},
        "limited full full",
        "as text (<|fim_suffix|>)",
    ),
    ({"chat": Answered(leaked=("<|im_end|>",))}, "full full limited", "as text (<|im_end|>)"),
    (
        {"sentinels": Sentinels(unknown=("[A]",), fits=("codestral",), counted_by="usage")},
        "limited full full",
        "does not know [A]",
    ),
    (
        {
            "sentinels": Sentinels(unknown=("[A]",), counted_by="usage"),
            **asked(generation=GenerationMode.TEXT),
        },
        "limited limited full",
        "does not know [A]",
    ),
    ({"filling": Filling(suffix=Suffix.IGNORED)}, "limited full full", "changes nothing"),
    ({"filling": Filling(suffix=Suffix.USED)}, "full full full", ""),
    ({"sentinels": None}, "full full full", ""),
    (
        {"sentinels": None, "filling": Filling(suffix=Suffix.USED)},
        "partial full full",
        "could not be shown",
    ),
    ({"sentinels": None, "filling": None}, "partial full full", "could not be shown"),
    (asked(completion=CompletionMode.INSTRUCTION), "partial full full", "chats only"),
    (asked(completion=CompletionMode.TEXT), "partial full full", "does not see the code behind"),
    (
        {**asked(completion=CompletionMode.NATIVE), "stops": None, "cancelling": None},
        "full full full",
        "",
    ),
    (asked(chat=False), "full full unsupported", "do not chat"),
    (asked(generation=GenerationMode.NONE), "full unsupported full", "no code from words"),
    (
        {"streaming": Streaming(buffered=True, deltas=1, milliseconds=900, spread=0)},
        "partial partial partial",
        "in one lump",
    ),
    ({"streaming": None}, "full full full", "streamed could not be told"),
    ({"stops": Stops(honoured=False)}, "partial partial partial", "not honoured"),
    ({"stops": Stops(honoured=None)}, "full full full", "honoured could not be told"),
    ({"tools": Structured(framed=False, why="It talks.")}, "full full partial", "It talks."),
    ({"tools": Structured(framed=True, valid=False)}, "full full partial", "Tools: what comes"),
    ({"schema": Structured(framed=True, valid=False)}, "full full partial", "JSON of a schema"),
    ({"schema": None}, "full full full", "JSON of a schema: not measured"),
    ({"window": None}, "full full full", ""),
    (
        {"window": Window(claimed=32768, accepted=16320, refused=32688, cut=False)},
        "partial partial partial",
        "of 32688 tokens is refused, 32768 are claimed",
    ),
    (
        {"window": Window(claimed=32768, accepted=4032, cut=True)},
        "partial partial partial",
        "silently cut beyond about 4032",
    ),
    (
        {"window": Window(claimed=4096, accepted=4016, refused=4569, cut=False)},
        "full full partial",
        "a chat about code needs 8000",
    ),
    (
        {"window": Window(claimed=2048, accepted=1968, refused=2316, cut=False)},
        "partial full partial",
        "takes 2048 tokens, a completion would use 2688",
    ),
    (
        {"cancelling": Cancelling(streamed=STOPPED, whole=Hangup(stopped=False, after=700))},
        "partial partial partial",
        "leaves a whole answer (700 more tokens)",
    ),
    (
        {"cancelling": Cancelling(streamed=Hangup(stopped=False), whole=STOPPED)},
        "partial partial partial",
        "leaves a stream.",
    ),
    (
        {"cancelling": Cancelling(streamed=Hangup(stopped=None, why="B."), whole=STOPPED)},
        "full full full",
        "leaves a stream: B.",
    ),
    ({"load": None}, "full full full", "Speed: not measured"),
    ({"load": (level(1, 3, first_median=1500.0),)}, "partial full full", "takes 1.5 s"),
    ({"load": (level(1, 3, first_median=4000.0),)}, "limited full full", "takes 4.0 s"),
    ({"load": (level(1, 3, first_median=11000.0),)}, "limited partial partial", "takes 11.0 s"),
    ({"load": (level(1, 3, tokens_per_second=9.0),)}, "full partial partial", "9.0 tokens a"),
    ({"load": (level(1, 3, tokens_per_second=1.0),)}, "full limited limited", "1.0 tokens a"),
    (
        {"load": (level(1, 3), level(10, 10, first_p95=5000.0))},
        "partial full full",
        "some wait 5.0 s",
    ),
    (
        {"load": (level(1, 3), level(10, 10, failed=2, unfinished=1))},
        "partial partial partial",
        "2 failed and 1 were not answered",
    ),
    (
        {"load": (level(1, 3), level(10, 10), level(50, 50, unfinished=20))},
        "full full full",
        "Of 50 requests at once, 20",
    ),
]


@pytest.mark.parametrize(("changes", "supports", "sentence"), ROWS)
def test_rules(changes: dict[str, Any], supports: str, sentence: str) -> None:
    found = badges(msgspec.structs.replace(GOOD, **changes))
    assert [each.feature for each in found] == [
        Feature.COMPLETION,
        Feature.GENERATION,
        Feature.CHAT,
    ]
    assert " ".join(each.support for each in found) == supports
    said = [reason.sentence for each in found for reason in each.reasons]
    assert any(sentence in each for each in said) or not sentence, said
    assert all(each.endswith(".") for each in said)


def test_every_badge_comes_with_the_reason_for_it() -> None:
    order = [Support.UNSUPPORTED, Support.LIMITED, Support.PARTIAL, Support.FULL, Support.UNRATED]
    for changes, _, _ in ROWS:
        for badge in badges(msgspec.structs.replace(GOOD, **changes)):
            ranks = [order.index(each.allows) for each in badge.reasons]
            assert ranks == sorted(ranks)
            if badge.support is not Support.FULL:
                assert badge.reasons[0].allows is badge.support
