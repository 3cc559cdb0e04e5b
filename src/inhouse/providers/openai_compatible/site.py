"""What the platforms of the dialect differ in: addresses, authorization, words, defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from inhouse.core.catalog import Deployment
from inhouse.core.deadlines import Deadlines
from inhouse.core.ports import Place, ProviderContext
from inhouse.providers.connecting import Connecting, HttpOptions
from inhouse.providers.refusing import Advice
from inhouse.transport import Transport
from inhouse.wire.openai.outbound import DEFAULT_HABITS, Habits
from inhouse.wire.openai.refusals import Refusal


class Options(HttpOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``[deployments.options]`` may hold for every platform that speaks the dialect.

    `whole_answers` claims that the upstream stops when a caller hangs up who waits for an answer
    that is not streamed; such answers are then asked for in one piece, which costs less, and have
    only a total to be late by. `takes_text` tells whether the model takes rendered
    text on ``/completions``, or only messages; unsaid, it is learned.
    """

    whole_answers: bool = False
    takes_text: bool | None = None


class Routes(Struct, frozen=True, kw_only=True):
    """Where the dialect's routes are.

    `models` is the whole URL of the list of models. `remarks` hold where these routes are right.
    """

    base: str
    models: str
    query: str = ""
    remarks: tuple[str, ...] = ()

    def url(self, route: str) -> str:
        """Return the URL of a route such as ``/chat/completions``."""
        return self.base + route + self.query


class Authorization(Protocol):
    """How an upstream is shown who asks."""

    @property
    def endpoints(self) -> frozenset[Place]:
        """Where it connects to by itself."""
        ...

    @property
    def secrets(self) -> list[str]:
        """What must not be quoted from answers."""
        ...

    def check(self) -> None:
        """Raise `ConfigError` where it cannot work as written; may read files."""
        ...

    async def header(self, deadlines: Deadlines) -> bytes:
        """Return the header field to send; raises `UpstreamError` where there is none to be had."""
        ...

    def refused(self, header: bytes) -> bool:
        """Hear that the upstream refused a header; tell whether another may do better."""
        ...

    async def aclose(self) -> None:
        """Stop what runs in the background."""
        ...


class Key:
    """A header that never changes: a key, or nothing."""

    endpoints: frozenset[Place] = frozenset()

    def __init__(self, header: bytes) -> None:
        """Keep the header field, empty for none."""
        self._header = header
        # The key itself is among the deployment's secrets already.
        self.secrets: list[str] = []

    def check(self) -> None:
        """Find nothing wrong."""

    async def header(self, deadlines: Deadlines) -> bytes:
        """Return the header field."""
        del deadlines
        return self._header

    def refused(self, header: bytes) -> bool:
        """There is no other."""
        del header
        return False

    async def aclose(self) -> None:
        """Nothing runs."""


class Site(Struct, frozen=True, kw_only=True):
    """One deployment's place on its platform.

    Of `routes` the first are tried first, the others where an upstream does not know those.
    `names` is the URL of what may stand in the identifier, where the list of models is about
    something else. `advise` knows what the platform's own refusals mean.
    """

    connecting: Connecting
    options: Options
    routes: tuple[Routes, ...]
    authorization: Authorization
    habits: Habits = DEFAULT_HABITS
    takes_text: bool = True
    counts_tokens: bool = True
    whole_answers: bool = False
    names: str = ""
    advise: Callable[[Refusal, Routes], Advice | None] = lambda _found, _routes: None


Platform = Callable[[Deployment, ProviderContext, Transport], Site]
"""Settles a deployment on a platform; raises `ConfigError`, which names the field."""
