"""The process that builds an index: documents come in by stdin, progress goes out by stdout.

A process of its own, because splitting text into tokens is pure Python: in a thread it would hold
up every request that the gateway serves meanwhile. It also returns its memory when it ends.

stdin holds frames, each a length (4 bytes, little-endian) and so many bytes of MessagePack: a
`Job`, then documents, then an empty frame. stdout holds the share that is done, one number a line.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from inhouse.core.documents import Document
from inhouse.providers.repository import calibration
from inhouse.providers.repository.index import Index, build

LENGTH_BYTES = 4
_NICE = 10
_SEED = 1


class Job(Struct, frozen=True):
    """Where to save the index, and the key of its documents."""

    path: str
    key: str


def frame(content: Job | Document | None) -> bytes:
    """Return one frame; None is the empty one, which ends the documents."""
    data = b"" if content is None else msgspec.msgpack.encode(content)
    return len(data).to_bytes(LENGTH_BYTES, "little") + data


def calibrated(documents: list[Document], report: calibration.Report) -> Index:
    """Learn the threshold from held-out files, then index everything."""
    threshold = _learnt(documents, lambda share: report(0.6 * share))
    return build(documents, threshold, lambda share: report(0.6 + 0.4 * share))


def _learnt(documents: list[Document], report: calibration.Report) -> float:
    choose = random.Random(_SEED)  # noqa: S311 -- the same files each time, no secret
    kept, held = calibration.held_out(documents, choose)
    asked = list(calibration.cursors(held, calibration.CURSORS, choose))
    if not asked:
        return calibration.DEFAULT
    part = build(kept, calibration.DEFAULT, lambda share: report(0.7 * share))
    made = calibration.guesses(part, asked, lambda share: report(0.7 + 0.3 * share))
    return calibration.threshold(made)


def main() -> None:
    """Build one index and save it; the process ends with an error where that fails."""
    os.nice(_NICE)
    frames = _frames(sys.stdin.buffer)
    job = msgspec.msgpack.decode(next(frames), type=Job)
    documents = [msgspec.msgpack.decode(each, type=Document) for each in frames]
    calibrated(documents, _report).save(Path(job.path), job.key)


def _frames(stream: BinaryIO) -> Iterator[bytes]:
    """Yield frames up to the empty one.

    Raises:
        EOFError: the stream ended before it: whoever wanted the index is gone.

    """
    while True:
        length = stream.read(LENGTH_BYTES)
        if len(length) < LENGTH_BYTES:
            raise EOFError
        size = int.from_bytes(length, "little")
        if not size:
            return
        yield stream.read(size)


def _report(share: float) -> None:
    sys.stdout.write(f"{share:.3f}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
