"""What each worker has counted, in memory that all processes of one gateway share."""

from __future__ import annotations

import mmap
import struct

from inhouse.records import merging

ROOM = 1 << 20
"""Bytes of one half of a place: ten thousand lines of metrics."""
_HEAD = struct.Struct("=Q")
_PLACE = _HEAD.size + 2 * (_HEAD.size + ROOM)


class Board:
    """A place for each worker, written by it alone, and one for those that are gone.

    It survives a worker that is killed in the middle of a word: a place has two halves, and its
    head counts what was written, so that readers look at the half that is whole.
    """

    def __init__(self, workers: int) -> None:
        """Make the memory; fork afterwards."""
        self._gone = workers
        self._memory = mmap.mmap(-1, (workers + 1) * _PLACE)

    def write(self, place: int, taken: bytes) -> bool:
        """Put a snapshot up; tells whether it fits."""
        if len(taken) > ROOM:
            return False
        count = self._count(place) + 1
        at = self._half(place, count)
        _HEAD.pack_into(self._memory, at, len(taken))
        self._memory[at + _HEAD.size : at + _HEAD.size + len(taken)] = taken
        _HEAD.pack_into(self._memory, place * _PLACE, count)
        return True

    def retire(self, place: int) -> None:
        """Keep what a worker had counted, and clear its place for the next: no counter falls."""
        left = merging.lasting(self._read(place))
        self.write(self._gone, merging.merged([self._read(self._gone), left]))
        self.write(place, b"")

    def text(self) -> bytes:
        """Return the metrics of all, in Prometheus' text format."""
        taken = [self._read(place) for place in range(self._gone + 1)]
        return merging.text(merging.merged(taken))

    def _read(self, place: int) -> bytes:
        while True:
            count = self._count(place)
            at = self._half(place, count)
            (length,) = _HEAD.unpack_from(self._memory, at)
            taken = self._memory[at + _HEAD.size : at + _HEAD.size + length]
            if self._count(place) == count:
                return taken

    def _count(self, place: int) -> int:
        return _HEAD.unpack_from(self._memory, place * _PLACE)[0]

    def _half(self, place: int, count: int) -> int:
        return place * _PLACE + _HEAD.size + count % 2 * (_HEAD.size + ROOM)
