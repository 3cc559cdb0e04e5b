"""A repository's index: built from documents, asked at cursors, kept in one file."""

from __future__ import annotations

import hashlib
import os
import tempfile
from array import array
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from inhouse.core.documents import Document
from inhouse.providers.repository.completer import Query, Vocabulary
from inhouse.providers.repository.lexer import lex
from inhouse.providers.repository.suffixes import SEPARATOR, Contexts, Ids, sort

FORMAT = b"inhouse repository index 3\n"
_DIGEST_BYTES = 32
_ID = np.dtype("<i4")

Progress = Callable[[float], None]


class Tokens(Struct, frozen=True):
    """Documents as ids: a separator, then each file and a separator; `words` is indexed by id."""

    ids: Ids
    words: list[str]


class _Header(Struct, frozen=True):
    key: str
    words: list[str]
    count: int
    threshold: float


class UnusableIndexError(Exception):
    """A saved index is damaged, of another version, or of other documents."""


class Index:
    """What a repository's code says about the next token, and when that is worth showing.

    `threshold` is the least confidence that is shown, calibrated on held-out lines.
    """

    def __init__(self, tokens: Tokens, rows: Ids, threshold: float) -> None:
        """Take `read_tokens` and `sort` of them."""
        self.threshold = threshold
        self._tokens = tokens
        self._rows = rows
        self._contexts = Contexts(tokens.ids, rows)
        self._vocabulary = {word: number for number, word in enumerate(tokens.words)}

    @property
    def size(self) -> int:
        """Tokens in the index."""
        return len(self._rows)

    def query(
        self, prefix: str, suffix: str = "", given_up: Callable[[], bool] = lambda: False
    ) -> Query:
        """Return the query at a cursor; `given_up` may end it early."""
        vocabulary = Vocabulary(self._vocabulary, self._tokens.words)
        return Query(self._contexts, vocabulary, prefix, suffix, given_up)

    def save(self, path: Path, key: str) -> None:
        """Write the index beside `path` and put it in place at once; `key` names its documents."""
        header = msgspec.msgpack.encode(_Header(key, self._tokens.words, self.size, self.threshold))
        body = [
            len(header).to_bytes(8, "little"),
            header,
            self._tokens.ids.astype(_ID, copy=False).tobytes(),
            self._rows.astype(_ID, copy=False).tobytes(),
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
            try:
                file.writelines([FORMAT, _digest(body), *body])
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise


def load(path: Path, key: str) -> Index:
    """Read the index that was saved of the documents that `key` names.

    Raises:
        UnusableIndexError: it is damaged, of another version, or of other documents.
        OSError: there is none, or it cannot be read.

    """
    data = path.read_bytes()
    start = len(FORMAT) + _DIGEST_BYTES
    body = memoryview(data)[start:]
    if not data.startswith(FORMAT) or data[len(FORMAT) : start] != _digest([body]):
        raise UnusableIndexError(f"{path} is damaged or of another version")
    size = 8 + int.from_bytes(body[:8], "little")
    header = msgspec.msgpack.decode(body[8:size], type=_Header)
    if header.key != key:
        raise UnusableIndexError(f"{path} is of other documents")
    # Copies are aligned, native, and free of the file's other bytes.
    ids = np.frombuffer(body, _ID, header.count, size).astype(np.int32)
    rows = np.frombuffer(body, _ID, header.count, size + ids.nbytes).astype(np.int32)
    return Index(Tokens(ids, header.words), rows, header.threshold)


def read_tokens(documents: Iterable[Document], seen: Progress = lambda _: None) -> Tokens:
    """Split documents into tokens; `seen` hears the characters of each."""
    numbers: dict[str, int] = {"": SEPARATOR}
    ids = array("i", [SEPARATOR])
    for document in documents:
        ids.extend([numbers.setdefault(token, len(numbers)) for token in lex(document.text)])
        ids.append(SEPARATOR)
        seen(len(document.text))
    return Tokens(np.frombuffer(ids, np.int32), list(numbers))


def build(
    documents: Sequence[Document], threshold: float, progress: Progress = lambda _: None
) -> Index:
    """Index documents; `progress` hears the share that is done."""
    whole = sum(len(document.text) for document in documents) or 1
    read = 0.0

    def seen(characters: float) -> None:
        nonlocal read
        read += characters
        progress(0.5 * read / whole)

    tokens = read_tokens(documents, seen)
    return Index(tokens, sort(tokens.ids, lambda share: progress(0.5 + 0.5 * share)), threshold)


def _digest(parts: Iterable[bytes | memoryview]) -> bytes:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(part)
    return digest.digest()
