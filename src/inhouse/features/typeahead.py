"""Type-ahead: what an earlier suggestion already said needs no upstream.

A developer who types the first characters of a suggestion, or deletes what was typed since, is
where a suggestion that is known goes on. What is answered from here, the first answer has said: it
stands there behind what was typed since, character for character.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from inhouse.core.delta import Delta, Usage
from inhouse.core.requests import CompletionRequest, Params
from inhouse.features.closing import CLOSERS, closed
from inhouse.features.live import Live, Reader, Said
from inhouse.features.orphans import Orphans
from inhouse.features.windows import agree, typed
from inhouse.records.recording import Recording
from inhouse.routing.target import Target
from inhouse.routing.watch import Watch

LIFETIME = 120.0
"""Seconds that a suggestion is remembered, counted from its request."""
ENTRIES = 2000
"""Suggestions that are remembered at most."""
NEARBY = 64
"""Of these, for one file of one caller."""
BYTES = 16 * 1024 * 1024
"""Memory that they may take, about."""
AN_ENTRY = 2048
"""Bytes of a suggestion besides its text and the code around it, about."""
HEAD = 64
"""Characters that tell files apart which have no name."""
MOST_TOKENS = 4096
"""A completion that may be longer is neither remembered nor shared."""
MOST_CLOSERS = 8
"""Characters that an editor may have closed since."""
VARIED = 0.5
"""The temperature from which on the same question again is a wish for another answer.

Editors' plugins say up to 0.2 at each keystroke, and more where somebody wants to choose.
"""

_Scope = tuple[Any, ...]


class Suggestion:
    """What is suggested at one place, while it comes from `live` and afterwards."""

    __slots__ = ("_said", "born", "context", "live", "place", "scope", "size", "target")

    def __init__(
        self, scope: _Scope, request: CompletionRequest, target: Target, born: float
    ) -> None:
        """Know the place; what is said there comes with `live`."""
        self.scope = scope
        self.place = (request.prefix, request.suffix)
        self.context = hash(request.context)
        self.target = target
        self.born = born
        self.size = AN_ENTRY + sum(map(sys.getsizeof, self.place))
        self.live: Live | None = None
        self._said = Said()

    @property
    def said(self) -> Said:
        """What has come so far."""
        return self._said if self.live is None else self.live.said

    def settle(self, live: Live) -> None:
        """Keep what was said, and not in which pieces it came."""
        self._said, self.live = live.said, None
        self.size += sys.getsizeof(self._said.text)

    def part(self, request: CompletionRequest) -> Part | None:
        """Return what of the suggestion answers `request`, None where nothing does."""
        prefix, suffix = self.place
        slides = bool(request.path)
        if not (slides or request.prefix.startswith(prefix)):
            return None
        live = self.live
        if live is not None and live.doomed:
            return None
        text = self.said.text
        if live is not None and live.unread and not text:
            # Whoever gave up on it and asks again wants another try, not the same wait.
            return None
        start = typed(prefix, text, request.prefix, slides=slides)
        if start is None:
            return None
        if agree(request.suffix, suffix) if slides else request.suffix == suffix:
            if start:
                # Whoever has typed all that is known wants to know how it goes on.
                return Part(self, start) if text[start:].strip() else None
            same = hash(request.context) == self.context and not _varied(request.params)
            return Part(self) if same else None
        closers = _inserted(request.suffix, suffix) if start else ""
        stop = closed(text, start, closers) if closers else None
        return Part(self, start, stop) if stop and text[start:stop].strip() else None


class Part(Struct, frozen=True):
    """Some of a suggestion: from the character `start` to `stop`, or to the end.

    It is `asked` where this request is why there is a suggestion.
    """

    suggestion: Suggestion
    start: int = 0
    stop: int | None = None
    asked: bool = False

    def reader(self, recording: Recording, watch: Watch) -> Reader | None:
        """Return who reads what is still to come, None where all of it is there."""
        live = self.suggestion.live
        if live is None or self.stop is not None:
            return None
        return Reader(live, recording, watch, self.start)

    def deltas(self, recording: Recording) -> Iterator[Delta]:
        """Yield what is there."""
        if (live := self.suggestion.live) is not None:
            live.touch()
        said = self.suggestion.said
        recording.remembers(said.deployment, said.family)
        recording.finish_reason = said.finish_reason if self.stop is None else "stop"
        text = said.text[self.start : self.stop]
        yield Delta(text=text, finish_reason=recording.finish_reason)
        yield Delta(usage=Usage())


class Typeahead:
    """Remembers suggestions, those that are still coming included, for those who type along.

    Scoped by all that an answer depends on: caller and user, file, deployments, settings of the
    request. Code from elsewhere may differ for those who type along: editors choose it anew at each
    keystroke, and what they show goes on all the same. Bounded in number, size and time.
    """

    def __init__(
        self, orphans: Orphans | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Know of none; `orphans` are those that nobody reads just now, `clock` tells seconds."""
        self._orphans = Orphans() if orphans is None else orphans
        self._clock = clock
        self._scopes: dict[_Scope, list[Suggestion]] = {}
        # In the order of their coming, which is that of their going.
        self._known: dict[Suggestion, None] = {}
        self._size = 0

    def forget(self) -> None:
        """Forget everything; who reads, reads on, and what nobody reads is aborted."""
        for suggestion in self._known:
            if suggestion.live is not None:
                suggestion.live.abandon()
        self._scopes.clear()
        self._known.clear()
        self._size = 0

    def part(self, request: CompletionRequest, target: Target) -> Part:
        """Return what answers `request`: some of a suggestion, or one that is still to be asked.

        What is still coming has to be read before anything is waited for, and likewise asked.
        """
        now = self._clock()
        while self._known and (oldest := next(iter(self._known))).born <= now - LIFETIME:
            self._drop(oldest)
        scope = _scope(request, target)
        for suggestion in () if request.fresh else reversed(self._scopes.get(scope, [])):
            part = suggestion.part(request)
            if part is not None and suggestion.target.deployments == target.deployments:
                return part
        suggestion = Suggestion(scope, request, target, now)
        caller = (target.caller.name, request.user)
        suggestion.live = Live(self._orphans, caller, lambda: self._over(suggestion))
        self._keep(suggestion)
        return Part(suggestion, asked=True)

    def _keep(self, suggestion: Suggestion) -> None:
        nearby = self._scopes.setdefault(suggestion.scope, [])
        nearby.append(suggestion)
        self._known[suggestion] = None
        self._size += suggestion.size
        if len(nearby) > NEARBY:
            self._drop(nearby[0])
        self._shrink()

    def _over(self, suggestion: Suggestion) -> None:
        """Keep what a model has said to its end, and nothing else."""
        if suggestion not in self._known or suggestion.live is None:
            return
        if not suggestion.live.complete:
            self._drop(suggestion)
            return
        self._size -= suggestion.size
        suggestion.settle(suggestion.live)
        self._size += suggestion.size
        self._shrink()

    def _shrink(self) -> None:
        while len(self._known) > ENTRIES or self._size > BYTES:
            self._drop(next(iter(self._known)))

    def _drop(self, suggestion: Suggestion) -> None:
        del self._known[suggestion]
        self._size -= suggestion.size
        if suggestion.live is not None:
            suggestion.live.abandon()
        nearby = self._scopes[suggestion.scope]
        nearby.remove(suggestion)
        if not nearby:
            del self._scopes[suggestion.scope]


def _inserted(suffix: str, earlier: str) -> str:
    """Return the closing characters that stand before what stood behind the cursor."""
    for count in range(1, min(MOST_CLOSERS, len(suffix)) + 1):
        if suffix[count - 1] not in CLOSERS:
            break
        if agree(suffix[count:], earlier):
            return suffix[:count]
    return ""


def _varied(params: Params) -> bool:
    """Tell whether a model is to say something else each time that it is asked."""
    return (params.temperature or 0.0) >= VARIED and params.seed is None


def _scope(request: CompletionRequest, target: Target) -> _Scope:
    """Return all that an answer depends on, but for the code around the cursor."""
    params, caller = request.params, target.caller
    return (
        caller.name,
        caller.mark,
        caller.team,
        request.user,
        request.project,
        request.path,
        # All files without a name would else be looked through for each request.
        "" if request.path or len(request.prefix) < HEAD else request.prefix[:HEAD],
        request.language,
        params.max_tokens,
        params.temperature,
        params.top_p,
        params.stop,
        params.seed,
        params.whole,
        msgspec.json.encode(params.extra, order="deterministic") if params.extra else b"",
        target.feature,
        tuple([each.name for each in target.deployments]),
        target.weights,
        target.deadlines,
    )
