"""The index of one folder: loaded where nothing has changed, else built by another process."""

from __future__ import annotations

import asyncio
import hashlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from msgspec import Struct

from inhouse.core.documents import Document
from inhouse.errors import ConfigError, InhouseError, UpstreamError, UpstreamFailure

if TYPE_CHECKING:
    from inhouse.providers.repository.index import Index

Documents = Callable[[PurePath, Sequence[str]], Iterable[Document]]
Progress = Callable[[float, str], None]

MOST_CHARACTERS = 64_000_000
"""Source text that one index may hold; building takes twenty times that in memory."""
RETRY_SECONDS = 30.0
_READ_SHARE = 0.1
_ERROR_BYTES = 4000


class Folder(Struct, frozen=True):
    """What is indexed: a folder, less what the patterns exclude."""

    root: Path
    exclude: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The name of the folder's index in the cache."""
        return _digest([str(self.root), *self.exclude]) + ".index"


class _Source(Struct, frozen=True):
    """The documents of a folder, and the key that says whether they have changed."""

    documents: list[Document]
    key: str


class Indexing:
    """Keeps one folder's index; an older one goes on serving while the next is built."""

    def __init__(
        self, folder: Folder, cache: PurePath, documents: Documents, changed: Callable[[], None]
    ) -> None:
        """Read the folder through `documents`, keep the index in `cache`.

        `changed` is called when there is a new one.
        """
        self._folder = folder
        self._path = Path(cache) / "repository" / folder.file
        self._documents = documents
        self._changed = changed
        self._index: Index | None = None
        self._key = ""
        self._task: asyncio.Task[None] | None = None
        self._failure: tuple[float, InhouseError] | None = None
        self._progress = (0.0, "reading files")
        self._listeners: list[Progress] = []
        self._closing = threading.Event()

    def current(self, name: str) -> Index:
        """Return the index, of whatever age; without one, begin to make it.

        Raises:
            UpstreamError: the index is being made, or could not be.
            ConfigError: the folder cannot be indexed.

        """
        if self._index is not None:
            return self._index
        if self._failure is not None and time.monotonic() - self._failure[0] < RETRY_SECONDS:
            raise self._failure[1]
        self._started()
        share, phase = self._progress
        raise UpstreamError(
            UpstreamFailure.NOT_READY,
            f"The repository index of '{name}' is not ready yet: {phase}, {share:.0%} done."
            " Ask again in a moment.",
            deployment=name,
            retry_after=1.0,
        )

    async def refresh(self, progress: Progress) -> None:
        """Bring the index up to date with its folder.

        Raises:
            UpstreamError: the index could not be made.
            ConfigError: the folder cannot be indexed.

        """
        self._listeners.append(progress)
        try:
            await asyncio.shield(self._started())
        finally:
            self._listeners.remove(progress)
        if self._failure is not None:
            raise self._failure[1]

    async def aclose(self) -> None:
        """Stop reading and building."""
        self._closing.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _started(self) -> asyncio.Task[None]:
        if self._task is None or self._task.done():
            self._failure = None
            self._task = asyncio.create_task(self._run(), name=f"index of {self._folder.root}")
        return self._task

    async def _run(self) -> None:
        try:
            await self._bring_up_to_date()
        except InhouseError as error:
            self._failure = (time.monotonic(), error)
        except OSError as error:
            self._failure = (time.monotonic(), _failed(self._folder, _told(error)))

    async def _bring_up_to_date(self) -> None:
        self._report(0.0, "reading files")
        source = await asyncio.to_thread(self._read)
        if self._index is None or source.key != self._key:
            self._report(_READ_SHARE, "loading the index")
            index = await asyncio.to_thread(_loaded, self._path, source.key)
            if index is None:
                await self._build(source)
                index = await asyncio.to_thread(_loaded, self._path, source.key)
            if index is None:
                raise _failed(self._folder, f"{self._path} is gone or damaged")
            self._index, self._key = index, source.key
            self._changed()
        self._report(1.0, "ready")

    def _read(self) -> _Source:
        """Read every document; runs in a thread."""
        documents: list[Document] = []
        characters = 0
        for document in self._documents(self._folder.root, self._folder.exclude):
            documents.append(document)
            characters += len(document.text)
            if characters > MOST_CHARACTERS:
                raise ConfigError(
                    f"'{self._folder.root}' holds more than {MOST_CHARACTERS // 1_000_000} MB of"
                    " source text, too much for one repository index. Leave folders out with"
                    " options.exclude, or register parts of it as deployments of their own.",
                    param="options.exclude",
                )
            if self._closing.is_set():
                break
        texts = (part for each in documents for part in (each.path, each.text))
        return _Source(documents, _digest(texts))

    async def _build(self, source: _Source) -> None:
        """Let another process build and save the index; it ends with us."""
        # Safe path (-P): a numpy.py in the folder that we were started in is not numpy.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "inhouse.providers.repository.builder"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            complaint, _, _ = await asyncio.gather(
                _tail(process), self._feed(process, source), self._follow(process)
            )
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if code:
            last = complaint.strip().rpartition("\n")[2]
            raise _failed(self._folder, last or f"the builder ended with status {code}")

    async def _feed(self, process: asyncio.subprocess.Process, source: _Source) -> None:
        # Imported late: it brings numpy along, which costs the gateway's start too much.
        from inhouse.providers.repository.builder import Job, frame  # noqa: PLC0415

        if process.stdin is None:
            return
        try:
            process.stdin.write(frame(Job(str(self._path), source.key)))
            for document in source.documents:
                process.stdin.write(frame(document))
                await process.stdin.drain()
            process.stdin.write(frame(None))
            await process.stdin.drain()
            process.stdin.close()
        except ConnectionError:
            return  # The builder has ended: its exit status and complaint say why.

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is not None:
            async for line in process.stdout:
                self._report(_READ_SHARE + (1 - _READ_SHARE) * float(line), "indexing")

    def _report(self, share: float, phase: str) -> None:
        self._progress = (share, phase)
        for listener in self._listeners:
            listener(share, phase)


def _loaded(path: Path, key: str) -> Index | None:
    # Imported late: it brings numpy along, which costs the gateway's start too much.
    from inhouse.providers.repository.index import UnusableIndexError, load  # noqa: PLC0415

    try:
        return load(path, key)
    except (UnusableIndexError, FileNotFoundError):
        return None


def _told(error: OSError) -> str:
    """Say what the system says, and of which file, where it tells."""
    why = error.strerror or str(error)
    return why if error.filename is None else f"{error.filename}: {why}"


def _failed(folder: Folder, why: str) -> UpstreamError:
    return UpstreamError(
        UpstreamFailure.SERVER, f"The repository index of '{folder.root}' could not be made: {why}"
    )


def _digest(parts: Iterable[str]) -> str:
    """Return one digest of several texts; where one ends and the next begins matters."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode(errors="surrogatepass")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


async def _tail(process: asyncio.subprocess.Process) -> str:
    """Return the last of what a process wrote to stderr."""
    kept = b""
    if process.stderr is not None:
        while data := await process.stderr.read(_ERROR_BYTES):
            kept = (kept + data)[-_ERROR_BYTES:]
    return kept.decode(errors="replace")
