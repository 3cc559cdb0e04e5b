"""One process that accepts connections, and keeps others alive that serve them.

It has neither threads nor an event loop, so that it may fork whenever a worker is to be replaced.
Accepting here, not in each worker, lets it choose: connections of one address stay together, since
an editor's next request may come on another connection, and those of a proxy are spread evenly.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from itertools import count

from inhouse.config import Config
from inhouse.errors import InhouseError
from inhouse.gateway import open_log
from inhouse.server.board import Board
from inhouse.server.link import READY, Kind, Lower, Upper
from inhouse.server.listen import Addresses, base_url, bound
from inhouse.server.worker import Desk

SIGNALS = (signal.SIGINT, signal.SIGTERM)
TOGETHER = 4
"""Connections of one address that go to one worker: more than an editor has, less than a proxy."""
AT_ONCE = 64
"""Connections that are accepted before something else is looked at."""
BREATH = 0.05
"""Seconds until the next try, where nobody has room for another connection."""
MANY_DEATHS = 5
"""Deaths of one worker within `RECENT` that end it all: it would only die again."""
RECENT = 60.0
"""Seconds."""
FIRST_PAUSE = 0.25
"""Seconds before a worker that died twice is replaced; doubled with each further death."""


class _Worker:
    """A running process: its link, and the connections that it has."""

    def __init__(self, place: int, pid: int, link: Upper) -> None:
        self.place = place
        self.pid = pid
        self.link = link
        self.ready = False
        self.connections: dict[int, str] = {}
        self.addresses = Counter[str]()

    def take(self, number: int, address: str) -> None:
        self.connections[number] = address
        self.addresses[address] += 1

    def lose(self, number: int) -> None:
        address = self.connections.pop(number, "")
        self.addresses[address] -= 1
        if self.addresses[address] <= 0:
            del self.addresses[address]


class Supervisor:
    """Starts workers, hands connections to them, replaces those that die."""

    def __init__(self, config: Config) -> None:
        """Listen; raises `ConfigError` where an address cannot be had."""
        self._entrances = _entrances(config)
        self.addresses = Addresses(
            url=base_url(self._entrances[Kind.CALLER]),
            metrics=base_url(self._entrances[Kind.METRICS]) if config.metrics.enabled else None,
        )
        self._places = range(config.server.workers)
        self._board = Board(config.server.workers)
        self._log = open_log(config.log)
        self._workers: dict[int, _Worker] = {}
        self._due: list[tuple[float, int]] = [(0.0, 0)]
        """When to start a worker at which place: at first one, which finds what keeps it off."""
        self._deaths: dict[int, list[float]] = {place: [] for place in self._places}
        self._numbers = count(READY + 1)
        self._selector = selectors.DefaultSelector()
        self._begun = False
        self._unplaced: tuple[Kind, socket.socket, str] | None = None
        """The connection that no worker could take; others wait where they are."""
        self._resumed_at: float | None = None
        """When to accept again; None where we do."""
        self._asked_to_stop = 0
        self._worn = ""
        self.status = 0
        """That of a worker which could not even start, having said why; else 0."""

    def run(self) -> Desk | None:
        """Supervise until a signal has stopped all workers; in each of these, return its desk.

        As with `os.fork`, whose call it is, this returns several times.

        Raises:
            InhouseError: a worker died again and again.

        """
        waking, wake = socket.socketpair()
        for end in (waking, wake):
            end.setblocking(False)
        handlers = {each: signal.signal(each, _heard) for each in SIGNALS}
        signal.set_wakeup_fd(wake.fileno())
        self._await(waking, partial(self._signalled, waking))
        gc.collect()
        gc.freeze()  # or each worker would copy all that it only looks at
        try:
            while self._workers or self._due:
                desk = self._start_due()
                if desk is not None:
                    return desk
                for key, _ in self._selector.select(self._pause()):
                    key.data()
                if self._resumed_at is not None and self._resumed_at <= time.monotonic():
                    self._resume()
        finally:
            signal.set_wakeup_fd(-1)
            self._close()
            waking.close()
            wake.close()
        for each, handler in handlers.items():
            signal.signal(each, handler)
        if self._worn:
            raise InhouseError(self._worn)
        return None

    def _await(self, source: socket.socket | Upper, react: Callable[[], None]) -> None:
        self._selector.register(source, selectors.EVENT_READ, react)

    def _start_due(self) -> Desk | None:
        while self._due and self._due[0][0] <= time.monotonic():
            _, place = heappop(self._due)
            upper, lower = socket.socketpair()
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
            pid = os.fork()
            if pid == 0:
                upper.close()
                for each in SIGNALS:
                    # They come to the whole group, and would count twice with the supervisor's.
                    signal.signal(each, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            if pid == 0:
                return Desk(place, Lower(lower), self._board, first=not self._begun)
            lower.close()
            worker = self._workers[place] = _Worker(place, pid, Upper(upper))
            self._await(worker.link, partial(self._hear, worker))
        return None

    def _hear(self, worker: _Worker) -> None:
        numbers = worker.link.received()
        if numbers is None:
            self._bury(worker)
            return
        for number in numbers:
            if number == READY:
                self._welcome(worker)
            else:
                worker.lose(number)

    def _welcome(self, worker: _Worker) -> None:
        worker.ready = True
        self._log.info("worker started", worker=worker.place, pid=worker.pid)
        if self._begun or self._asked_to_stop:
            return
        self._begun = True
        for place in self._places[1:]:
            self._start(place)
        self._resume()

    def _bury(self, worker: _Worker) -> None:
        """Note a death, and replace the worker, at once where it is the first for long."""
        self._selector.unregister(worker.link)
        worker.link.close()
        del self._workers[worker.place]
        self._board.retire(worker.place)
        _, state = os.waitpid(worker.pid, 0)
        code = os.waitstatus_to_exitcode(state)
        if self._asked_to_stop:
            return
        if not self._begun and code > 0:
            self.status = code  # and it has said what is wrong
            self._stop()
            return
        why = f"signal {-code}" if code < 0 else f"status {code}"
        now = time.monotonic()
        deaths = [each for each in self._deaths[worker.place] if now - each < RECENT] + [now]
        self._deaths[worker.place] = deaths
        self._log.failure("worker died", worker=worker.place, pid=worker.pid, why=why)
        if len(deaths) >= MANY_DEATHS:
            self._worn = (
                f"Worker {worker.place} died {len(deaths)} times within {RECENT:g} s, last with"
                f" {why}, so inhouse stops. The log says what went before."
            )
            self._stop()
        else:
            pause = FIRST_PAUSE * 2 ** (len(deaths) - 2) if len(deaths) > 1 else 0.0
            self._start(worker.place, pause)

    def _start(self, place: int, pause: float = 0.0) -> None:
        heappush(self._due, (time.monotonic() + pause, place))

    def _signalled(self, waking: socket.socket) -> None:
        for _ in waking.recv(AT_ONCE):
            self._stop()

    def _stop(self) -> None:
        """Let workers end what they do; the second time not wait for it, then not for them."""
        self._asked_to_stop += 1
        if self._asked_to_stop == 1:
            self._due.clear()
            self._rest()
            self._resumed_at = None
            for entrance in self._entrances.values():
                entrance.close()
            self._entrances.clear()
            if self._unplaced is not None:
                self._unplaced[1].close()
                self._unplaced = None
        for worker in self._workers.values():
            if self._asked_to_stop == 1:
                worker.link.stop()
            elif self._asked_to_stop > 2 or not worker.link.send(Kind.HURRY):
                os.kill(worker.pid, signal.SIGKILL)

    def _rest(self) -> None:
        """Accept nobody for a breath."""
        if self._begun and self._resumed_at is None:
            for entrance in self._entrances.values():
                self._selector.unregister(entrance)
        self._resumed_at = time.monotonic() + BREATH

    def _resume(self) -> None:
        if self._unplaced is not None and not self._placed(*self._unplaced):
            self._rest()
            return
        self._unplaced = self._resumed_at = None
        for kind, entrance in self._entrances.items():
            self._await(entrance, partial(self._accept, kind, entrance))

    def _accept(self, kind: Kind, entrance: socket.socket) -> None:
        for _ in range(AT_ONCE):
            if self._resumed_at is not None:
                return
            try:
                connection, (address, *_) = entrance.accept()
            except BlockingIOError:
                return
            except OSError:
                self._rest()
                return
            if not self._placed(kind, connection, address):
                self._unplaced = kind, connection, address
                self._rest()

    def _placed(self, kind: Kind, connection: socket.socket, address: str) -> bool:
        """Hand a connection on; tells whether a worker took it."""
        number = next(self._numbers)
        for worker in self._choice(address):
            if worker.link.send(kind, number, connection):
                worker.take(number, address)
                connection.close()
                return True
        return False

    def _choice(self, address: str) -> list[_Worker]:
        """Return the workers that take connections, the one that should have this one first."""
        ready = [worker for worker in self._workers.values() if worker.ready]
        ready.sort(key=lambda worker: len(worker.connections))
        if sum(worker.addresses[address] for worker in ready) < TOGETHER:
            ready.sort(key=lambda worker: -worker.addresses[address])
        return ready

    def _pause(self) -> float | None:
        times = [self._due[0][0]] if self._due else []
        if self._resumed_at is not None:
            times.append(self._resumed_at)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _close(self) -> None:
        """Close what is the supervisor's alone; the workers' ends of the links are theirs."""
        self._selector.close()
        if self._unplaced is not None:
            self._unplaced[1].close()
        for worker in self._workers.values():
            worker.link.close()
        for entrance in self._entrances.values():
            entrance.close()
        self._log.close()


def _entrances(config: Config) -> dict[Kind, socket.socket]:
    """Return sockets that listen, by who connects there."""
    # Bound first: where another gateway runs, its port is what people know it by.
    found = {Kind.CALLER: bound(config.server.host, config.server.port, "server")}
    if config.metrics.enabled:
        found[Kind.METRICS] = bound(config.metrics.host, config.metrics.port, "metrics")
    return found


def _heard(number: int, frame: object) -> None:
    """Nothing: the wake-up socket tells the loop."""
