"""What a probe finds out: facts without judgement, in the form in which they are stored.

Times are in milliseconds. `None` means that it could not be told; `why` says so in words, or quotes
what the upstream said. No prompt and no answer is kept.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from inhouse.families import CompletionMode, GenerationMode


class Skipped(Struct, frozen=True):
    """Something that was not measured, and why."""

    why: str
    part: str = ""


class Asked(Struct, frozen=True, kw_only=True):
    """How the deployment is asked: its family, in the modes that hold for it.

    `completion_tokens` is the window that a completion uses by the settings.
    """

    family: str
    completion: CompletionMode
    generation: GenerationMode
    chat: bool
    completion_tokens: int


class Connection(Struct, frozen=True, kw_only=True):
    """Whether the upstream answers at all, and the window in tokens that it tells."""

    error: str = ""
    window: int | None = None


class Sentinels(Struct, frozen=True, kw_only=True):
    """The family's FIM sentinels that the served tokenizer takes for plain text.

    `fits` are the families whose sentinels it does know, looked up only where some are unknown.
    `counted_by` is ``tokenizer``, or ``usage`` where only the prompt's count in answers told it.
    """

    unknown: tuple[str, ...]
    fits: tuple[str, ...] = ()
    counted_by: str


class Suffix(StrEnum):
    """What the code behind the cursor does: the right thing, something, or nothing."""

    RIGHT = "right"
    USED = "used"
    IGNORED = "ignored"


class Filling(Struct, frozen=True, kw_only=True):
    """How holes are filled that only the code behind them explains."""

    suffix: Suffix


class Answered(Struct, frozen=True, kw_only=True):
    """How a feature's sample was answered; `leaked` are special tokens that came as text."""

    error: str = ""
    empty: bool = False
    leaked: tuple[str, ...] = ()
    milliseconds: float = 0.0


class Streaming(Struct, frozen=True, kw_only=True):
    """How an answer came: `spread` lies between its first piece and its last."""

    buffered: bool | None
    deltas: int
    milliseconds: float
    spread: float
    why: str = ""


class Stops(Struct, frozen=True, kw_only=True):
    """Whether an answer ends before a stop sequence that stands in it."""

    honoured: bool | None
    why: str = ""


class Structured(Struct, frozen=True, kw_only=True):
    """Whether JSON came in the form asked for, and whether it is of the schema."""

    framed: bool
    valid: bool | None = None
    why: str = ""


class Window(Struct, frozen=True, kw_only=True):
    """Tokens that the deployment takes.

    `claimed` is what is believed: the upstream's word, the option, or the family's. `accepted` is
    the longest prompt that was taken whole, `refused` the shortest that was refused. `cut` says
    that a longer prompt was taken and silently cut; None where nothing tells.
    """

    claimed: int
    accepted: int = 0
    refused: int | None = None
    cut: bool | None = None
    why: str = ""


class Hangup(Struct, frozen=True, kw_only=True):
    """What hanging up did: `after` are tokens generated behind it, of `asked`."""

    stopped: bool | None
    asked: int = 0
    after: float | None = None
    why: str = ""


class Cancelling(Struct, frozen=True, kw_only=True):
    """Whether generation stops when the caller leaves, of a stream and of a whole answer."""

    streamed: Hangup
    whole: Hangup


class Level(Struct, frozen=True, kw_only=True):
    """What `concurrent` requests at once get: milliseconds to the first token, tokens a second.

    `failed` requests had an error, `unfinished` ones were still running when the time was up.
    """

    concurrent: int
    requests: int
    failed: int = 0
    unfinished: int = 0
    first_median: float | None = None
    first_p95: float | None = None
    total_median: float | None = None
    total_p95: float | None = None
    tokens_per_second: float = 0.0
    why: str = ""


class Evidence(Struct, frozen=True, kw_only=True):
    """Everything that a probe found out; what it did not measure is None, and in `skipped`."""

    asked: Asked
    connection: Connection | None = None
    sentinels: Sentinels | None = None
    filling: Filling | None = None
    completion: Answered | None = None
    generation: Answered | None = None
    chat: Answered | None = None
    embedding: Answered | None = None
    streaming: Streaming | None = None
    stops: Stops | None = None
    tools: Structured | None = None
    schema: Structured | None = None
    window: Window | None = None
    cancelling: Cancelling | None = None
    load: tuple[Level, ...] | None = None
    skipped: tuple[Skipped, ...] = ()
