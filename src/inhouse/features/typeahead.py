"""Type-ahead: what an earlier suggestion already said needs no upstream.

A developer who types the first characters of a suggestion, or deletes what was typed since, is
where a suggestion that is known goes on. An answer from here makes the file that the first answer
would have made: what stands before the cursor, the answer and what stands behind it are together
the same, character for character.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec

from inhouse.core.catalog import Deployment
from inhouse.core.requests import CompletionRequest
from inhouse.features.live import Live, Make, Reader
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
MOST_TOKENS = 4096
"""A completion that may be longer is neither remembered nor shared."""
CLOSERS = ")]}>\"'`"
"""What editors insert behind the cursor when its counterpart is typed."""
MOST_CLOSERS = 8

_Scope = tuple[Any, ...]


class _Entry:
    """A suggestion and where it belongs."""

    __slots__ = ("born", "deployments", "live", "prefix", "scope", "size", "suffix")

    live: Live

    def __init__(
        self, scope: _Scope, request: CompletionRequest, target: Target, born: float
    ) -> None:
        self.scope = scope
        self.prefix = request.prefix
        self.suffix = request.suffix
        self.deployments: tuple[Deployment, ...] = target.deployments
        self.born = born
        self.size = AN_ENTRY + sum(
            map(sys.getsizeof, (self.prefix, self.suffix, *(s.content for s in request.context)))
        )

    def part(self, request: CompletionRequest) -> tuple[int, int | None] | None:
        """Return which characters of the suggestion answer `request`, None where none do."""
        if not request.prefix.startswith(self.prefix):
            return None
        typed = request.prefix[len(self.prefix) :]
        start, text = len(typed), self.live.text
        if not text.startswith(typed):
            return None
        if request.suffix == self.suffix:
            # Whoever has typed all that is known wants to know how it goes on.
            return (start, None) if not typed or text[start:].strip() else None
        closers = request.suffix[: max(0, len(request.suffix) - len(self.suffix))]
        inserted = 0 < len(closers) <= MOST_CLOSERS and not closers.strip(CLOSERS)
        if not inserted or request.suffix != closers + self.suffix or not self.live.whole:
            return None
        # The suggestion must end with what stands behind the cursor already.
        stop = len(text) - len(closers)
        known = text.endswith(closers) and text[start:stop].strip()
        return (start, stop) if typed and known else None


class Typeahead:
    """Remembers suggestions, those that are still coming included, for those who type along.

    Scoped by all that an answer depends on: caller and user, file, deployments, context, settings
    of the request. Bounded in number, size and time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Know of none; `clock` tells seconds."""
        self._clock = clock
        self._scopes: dict[_Scope, list[_Entry]] = {}
        # In the order of their coming, which is that of their going.
        self._entries: dict[_Entry, None] = {}
        self._size = 0

    def forget(self) -> None:
        """Forget everything; who reads, reads on."""
        self._scopes.clear()
        self._entries.clear()
        self._size = 0

    def reading(
        self,
        request: CompletionRequest,
        target: Target,
        recording: Recording,
        watch: Watch,
        make: Make,
    ) -> Reader:
        """Return who reads the answer to `request`: a known one, else what `make` begins to ask.

        The reader must be entered before anything is waited for.
        """
        now = self._clock()
        while self._entries and (oldest := next(iter(self._entries))).born <= now - LIFETIME:
            self._drop(oldest)
        scope = _scope(request, target)
        for entry in reversed(self._scopes.get(scope, [])):
            part = entry.part(request)
            if part is not None and entry.deployments == target.deployments:
                return Reader(entry.live, recording, watch, *part)
        entry = _Entry(scope, request, target, now)
        entry.live = Live(make, watch.began, lambda live: self._over(entry, live))
        self._keep(entry)
        return Reader(entry.live, recording, watch)

    def _keep(self, entry: _Entry) -> None:
        nearby = self._scopes.setdefault(entry.scope, [])
        nearby.append(entry)
        self._entries[entry] = None
        self._size += entry.size
        if len(nearby) > NEARBY:
            self._drop(nearby[0])
        self._shrink()

    def _over(self, entry: _Entry, live: Live) -> None:
        """Keep what a model has said to its end, and nothing else."""
        if entry not in self._entries:
            return
        if not live.whole:
            self._drop(entry)
            return
        grown = sys.getsizeof(live.text)
        entry.size += grown
        self._size += grown
        self._shrink()

    def _shrink(self) -> None:
        while len(self._entries) > ENTRIES or self._size > BYTES:
            self._drop(next(iter(self._entries)))

    def _drop(self, entry: _Entry) -> None:
        del self._entries[entry]
        self._size -= entry.size
        nearby = self._scopes[entry.scope]
        nearby.remove(entry)
        if not nearby:
            del self._scopes[entry.scope]


def _scope(request: CompletionRequest, target: Target) -> _Scope:
    params = msgspec.json.encode(msgspec.structs.replace(request.params, request_id=""))
    return (
        target.caller.name,
        target.caller.mark,
        target.caller.team,
        request.user,
        request.project,
        request.path,
        request.language,
        request.context,
        params,
        target.feature,
        tuple(each.name for each in target.deployments),
        target.weights,
        target.deadlines,
    )
