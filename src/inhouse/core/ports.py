"""The seams: what upper floors need, and lower rooms provide."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct, field

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta, Embedded, Served
from inhouse.core.documents import Document
from inhouse.core.prompt import Prompt
from inhouse.core.requests import Params
from inhouse.core.trace import Trace

HttpClient = Literal["httptools", "aiohttp"]
"""What asks upstreams: a client of our own on httptools, or aiohttp."""


class Egress(Protocol):
    """Which connections this process may open."""

    def check_place(self, host: str, port: int) -> None:
        """Raise `UpstreamError` (FORBIDDEN) where no deployment or peer is at that place."""
        ...

    def check_address(self, host: str, port: int, address: str) -> None:
        """Raise `UpstreamError` (FORBIDDEN) where `host` may not stand for this IP address."""
        ...


class ProviderContext(Struct, frozen=True, kw_only=True):
    """What a provider is built with.

    `cache` is a folder that may be lost at any time.
    `proxies` are the environment's proxy variables in lower case (``http_proxy`` …). `documents`
    reads a folder, less the files that its patterns exclude; it blocks, so call it in a thread.
    `egress` decides on each connection; None lets everything pass but link-local addresses.
    `environment` holds the variables by which platforms tell a process who it is; one is a secret.
    `authorities` are paths of certificates that are trusted beside the system's. Upstreams are
    asked by `http_client`. A provider calls `changed` where it will answer otherwise from now on,
    an index say having been made anew.
    """

    cache: PurePath
    proxies: Mapping[str, str]
    documents: Callable[[PurePath, Sequence[str]], Iterable[Document]] = lambda _root, _exclude: ()
    egress: Egress | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    authorities: Sequence[str] = ()
    http_client: HttpClient = "httptools"
    changed: Callable[[], None] = lambda: None


Place = tuple[str, int]
"""A host, in lower case, and a port."""


class Provider(Protocol):
    """Our code that talks to one kind of upstream; one object serves all its deployments.

    Every method raises only `UpstreamError`, or `ConfigError` where the deployment itself is
    misconfigured. Closing or cancelling the iterator of `stream` aborts the upstream request at
    once, in every phase.
    """

    def check(self, deployment: Deployment) -> None:
        """Raise `ConfigError`, naming the field, where the deployment cannot work as written."""
        ...

    def takes_text(self, deployment: Deployment) -> bool:
        """Tell whether the model takes rendered text (`Text`), or only `Messages`.

        A provider may learn that from a refusal: its answer holds for the next prompt.
        """
        ...

    def answers_whole(self, deployment: Deployment, params: Params) -> bool:
        """Tell whether the answer comes in one piece, its first word with its last one."""
        ...

    def endpoints(self, deployment: Deployment) -> frozenset[Place]:
        """Return where this deployment makes us connect to, credentials' servers included.

        Empty where it cannot work as written.
        """
        ...

    def stream(
        self, deployment: Deployment, prompt: Prompt, params: Params
    ) -> AsyncGenerator[Delta]:
        """Ask the model and yield its answer piece by piece."""
        ...

    async def served(self, deployment: Deployment) -> Sequence[Served]:
        """List the models that the upstream says it serves."""
        ...

    async def count_tokens(self, deployment: Deployment, text: str) -> int | None:
        """Count tokens with the served tokenizer; None where the upstream cannot tell."""
        ...

    async def aclose(self) -> None:
        """Abort what runs and close every connection."""
        ...


Progress = Callable[[float, str], None]
"""Is told a share between 0 and 1, and what is being done."""


@runtime_checkable
class Warming(Protocol):
    """A provider that must prepare before its deployments can answer."""

    async def warm(self, deployment: Deployment, progress: Progress) -> None:
        """Prepare, or return at once where it is done; raises as `Provider.stream` does."""
        ...


@runtime_checkable
class Embedding(Protocol):
    """A provider whose deployments may turn text into vectors."""

    async def embed(
        self, deployment: Deployment, texts: Sequence[str], dimensions: int | None, params: Params
    ) -> Embedded:
        """Return a vector a text, of so many dimensions where that is said.

        Raises as `Provider.stream` does; cancelling it aborts the upstream request.
        """
        ...


class TraceStore(Protocol):
    """Where traces are kept; called from the writer's thread, never from a request."""

    def append(self, batch: Sequence[Trace]) -> None:
        """Write a batch in one transaction; raises `StoreError`."""
        ...


class Counters(Protocol):
    """Counts what was granted in each minute, for all processes; blocking, raises `StoreError`."""

    def take(self, subject: str, minute: int, wanted: int, limit: int) -> int:
        """Grant up to `wanted` units; the sum of a minute never exceeds `limit`."""
        ...

    def give_back(self, subject: str, minute: int, units: int) -> None:
        """Take back units that were granted and not used."""
        ...

    def charge(self, subject: str, minute: int, units: int) -> None:
        """Count units that were used without a grant, beyond the limit if need be."""
        ...
