"""What this process may still grant of each limit: small leases of what the store counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct

from inhouse.core.ports import Counters
from inhouse.errors import StoreError

SHARES = 20
"""Leases that a whole limit is worth: what an idle process may keep from the others is one."""
PATIENCE = 2.0
"""Seconds that a request waits for the store; then this process counts alone."""
ASK_AGAIN = 1.0
"""Seconds that a store with nothing left is believed: a caller that is refused asks on and on."""


class Subject(Struct, frozen=True):
    """Whose minute, of what, and how much."""

    name: str
    limit: int
    units: int
    said: str

    @property
    def share(self) -> int:
        """A lease's usual size."""
        return max(1, self.limit // SHARES)


class _Lease:
    """What is left of one subject's minute."""

    __slots__ = ("alone", "asking", "dry_until", "had", "left", "lock", "minute")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.asking: asyncio.Task[None] | None = None
        self.begin(-1)

    def begin(self, minute: int) -> None:
        self.minute = minute
        self.left = 0
        self.had = 0
        """Granted in this minute, by the store or without it."""
        self.alone = False
        """Whether the store could not be asked: what is left is not the store's then."""
        self.dry_until = 0.0

    def grant(self, units: int) -> None:
        self.left += units
        self.had += units


class Leases:
    """The leases of this process, by subject."""

    def __init__(self, counters: Counters, failed: Callable[[StoreError], None]) -> None:
        """`failed` is told when the store cannot count; limits then hold for this process alone."""
        self._counters = counters
        self._failed = failed
        self._leases: dict[str, _Lease] = {}
        self._owed: dict[tuple[str, int], int] = {}
        self._telling: asyncio.Task[None] | None = None
        self._late: set[asyncio.Task[None]] = set()
        """Questions that the store has not answered in time, and has not answered yet."""

    async def take(self, subject: Subject, minute: int) -> bool:
        """Take the subject's units; tells whether there were as many. Cancelling takes none."""
        lease = self._lease(subject.name, minute)
        async with lease.lock:
            if lease.minute != minute:
                lease.begin(minute)
            if lease.left < subject.units and not lease.alone:
                await self._refill(lease, subject)
            if lease.left < subject.units:
                self._trim(lease, subject)
                return False
            lease.left -= subject.units
            return True

    def put_back(self, subject: Subject, minute: int, units: int, now: int) -> None:
        """Put units of a minute back, `now` being the present one; less than none is a debt."""
        lease = self._lease(subject.name, now)
        if now != minute or lease.minute != minute:
            if units < 0:
                self._owe(subject.name, now, -units)
            return
        lease.left += units
        lease.dry_until = 0.0
        if lease.left < 0:
            # The others must hear of a debt, or the minute would grant it twice.
            self._owe(subject.name, minute, -lease.left)
            lease.left = 0
        self._trim(lease, subject)

    async def aclose(self) -> None:
        """Wait for what is still to be told to the store, while it answers."""
        tasks = {each.asking for each in self._leases.values() if each.asking is not None}
        if self._telling is not None:
            tasks.add(self._telling)
        if tasks:
            await asyncio.wait(tasks, timeout=PATIENCE)

    async def _refill(self, lease: _Lease, subject: Subject) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < lease.dry_until:
            return
        if self._telling is not None and not self._telling.done():
            # What we are giving back ourselves must be there when we ask.
            await asyncio.wait([self._telling], timeout=PATIENCE)
        if not self._late:
            asking = lease.asking
            if asking is None:
                asking = lease.asking = loop.create_task(self._ask(lease, subject, lease.minute))
            # Whoever asked may be gone before the answer, which is good for the next one.
            await asyncio.wait([asking], timeout=PATIENCE)
            if asking.done():
                asking.result()
                return
            self._late.add(asking)
            asking.add_done_callback(self._late.discard)
            self._failed(StoreError(f"The store did not answer within {PATIENCE:g} s."))
        self._go_alone(lease, subject)

    async def _ask(self, lease: _Lease, subject: Subject, minute: int) -> None:
        wanted = max(subject.units - lease.left, subject.share)
        try:
            granted = await asyncio.to_thread(
                self._counters.take, subject.name, minute, wanted, subject.limit
            )
        except StoreError as error:
            self._failed(error)
            granted = None
        finally:
            lease.asking = None
        if lease.minute != minute or lease.alone:
            return
        if granted is None:
            self._go_alone(lease, subject)
        else:
            lease.grant(granted)
            if not granted:
                lease.dry_until = asyncio.get_running_loop().time() + ASK_AGAIN

    def _go_alone(self, lease: _Lease, subject: Subject) -> None:
        lease.alone = True
        lease.grant(max(0, subject.limit - lease.had))

    def _trim(self, lease: _Lease, subject: Subject) -> None:
        """Leave to the others what is much more than a lease."""
        if lease.left > 2 * subject.share and not lease.alone:
            surplus = lease.left - subject.share
            lease.grant(-surplus)
            self._owe(subject.name, lease.minute, -surplus)

    def _owe(self, name: str, minute: int, units: int) -> None:
        """Have the store told of units that were used beyond; less than none go back to it."""
        self._owed[name, minute] = self._owed.get((name, minute), 0) + units
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        while self._owed:
            (name, minute), units = self._owed.popitem()
            tell = self._counters.charge if units > 0 else self._counters.give_back
            try:
                await asyncio.to_thread(tell, name, minute, abs(units))
            except StoreError as error:
                # They would only wait one by one for a store that is away.
                self._owed.clear()
                self._failed(error)

    def _lease(self, name: str, minute: int) -> _Lease:
        lease = self._leases.get(name)
        if lease is None:
            for other, known in list(self._leases.items()):
                # Keys come and go; whose minute is long over is no longer asked for.
                if known.minute < minute - 1 and not known.lock.locked():
                    del self._leases[other]
            lease = self._leases[name] = _Lease()
        return lease
