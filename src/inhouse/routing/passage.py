"""A request's way to a deployment: through its circuit and its queue, and what it told us there."""

from __future__ import annotations

from math import inf

from inhouse.core.settings import Settings
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.routing.circuit import NO_PROBE
from inhouse.routing.late import Late
from inhouse.routing.standing import Standing
from inhouse.routing.target import Target
from inhouse.routing.watch import Watch


class Passage:
    """Holds a slot of a deployment from `enter` to `leave`, and tells its circuit how it went."""

    __slots__ = (
        "_answered",
        "_circuit",
        "_late",
        "_probe",
        "_queued_at",
        "_settings",
        "_standing",
        "_target",
        "_watch",
    )

    def __init__(
        self, target: Target, standing: Standing, late: Late, settings: Settings, watch: Watch
    ) -> None:
        """Ask for nothing yet."""
        self._target = target
        self._standing = standing
        self._late = late
        self._settings = settings
        self._watch = watch
        # A deployment that is changed meanwhile gets a new one, which this request says nothing of.
        self._circuit = standing.circuit
        self._answered = False
        self._probe = NO_PROBE
        self._queued_at = inf

    def answered(self) -> None:
        """The first delta is there."""
        self._answered = True
        self._circuit.succeeded()

    async def enter(self) -> None:
        """Wait for a slot; raises `UpstreamError` where there is none in time, or it rests."""
        standing = self._standing
        queue = standing.queue
        if not queue.enter(standing.deployment.max_concurrent):
            self._queued_at = self._watch.now()
            priority = self._target.feature.priority
            # Who leaves gives a slot back soon: that many more may wait.
            longest = self._settings.max_queued + standing.make_way()
            turn = queue.wait(priority, longest)
            await self._watch.wait(turn, self._late.first, self._not_let_in)
        circuit = self._circuit = standing.circuit
        if not circuit.admits():
            queue.leave()
            raise resting(standing)
        self._probe = circuit.enter()

    def leave(self, error: BaseException | None) -> None:
        """Give the slot back; `error` is what ended the request."""
        circuit = self._circuit
        self._standing.queue.leave()
        if isinstance(error, UpstreamError):
            # Who allows a tenth of a second must not close the door for everybody else.
            if self._late.hurried(error) or self._crowded(error):
                circuit.abandoned(probe=self._probe)
            else:
                circuit.failed(self._judged(error), probe=self._probe)
        elif error is None and not self._answered:
            circuit.succeeded()
        else:
            circuit.abandoned(probe=self._probe)

    def _crowded(self, error: UpstreamError) -> bool:
        """Tell whether the time went by elsewhere: at other deployments, or in our own queue.

        Who waits there while others are answered has met a busy upstream, not a dead one.
        """
        late = error.failure in {UpstreamFailure.TIMEOUT, UpstreamFailure.DEADLINE}
        waited = self._queued_at <= self._circuit.heard
        return late and not self._answered and (waited or self._late.cut)

    def _judged(self, error: UpstreamError) -> UpstreamError:
        """Return the error as the circuit sees it: not a word in all that time is a failure."""
        if error.failure is UpstreamFailure.DEADLINE and not self._answered:
            return UpstreamError(UpstreamFailure.TIMEOUT, error.message)
        return error

    def _not_let_in(self) -> UpstreamError:
        name = self._standing.deployment.name
        return UpstreamError(
            UpstreamFailure.BUSY,
            f"The deployment '{name}' runs as many requests as it takes (max_concurrent), and this"
            " one waited too long for its turn.",
            deployment=name,
            retry_after=1.0,
        )


def resting(standing: Standing) -> UpstreamError:
    """Return the error for a deployment whose circuit is open."""
    name, circuit = standing.deployment.name, standing.circuit
    why = "" if circuit.last is None else f" It failed last with: {circuit.last.message}"
    limited = circuit.last is not None and circuit.last.failure is UpstreamFailure.RATE_LIMITED
    return UpstreamError(
        UpstreamFailure.RATE_LIMITED if limited else UpstreamFailure.RESTING,
        f"The deployment '{name}' is left alone for {max(circuit.remaining, 0.1):.1f} s.{why}",
        deployment=name,
        retry_after=max(circuit.remaining, 0.1),
    )
