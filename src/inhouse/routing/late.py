"""The times of one attempt, and the errors for whoever passes them."""

from __future__ import annotations

from inhouse.core.catalog import Deployment
from inhouse.core.deadlines import Deadlines
from inhouse.core.settings import Settings, timed_as
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.routing.target import Target
from inhouse.routing.watch import Watch

GRACE = 1.0
"""Seconds by which a provider's own timers come after these, whose words are clearer."""


class Late:
    """When the first token, the next one and the end of an answer are due, by the loop's time.

    What the request says goes before what the deployment says, and that before the feature's
    settings.
    """

    __slots__ = (
        "_asked_at",
        "_deadlines",
        "_deployment",
        "_target",
        "_usual",
        "_watch",
        "first",
        "total",
    )

    def __init__(
        self, target: Target, deployment: Deployment, settings: Settings, watch: Watch
    ) -> None:
        """The attempt begins now; the total runs since the request came."""
        usual = deployment.deadlines.over(settings.deadlines(target.feature))
        deadlines = target.deadlines.over(usual)
        self._target = target
        self._deployment = deployment
        self._usual = usual
        self._deadlines = deadlines
        self._watch = watch
        self.total = watch.began + deadlines.total
        self._asked_at = watch.now()
        self.first = min(self._asked_at + deadlines.first_token, self.total)

    @property
    def cut(self) -> bool:
        """Whether what came before has left less than half of the usual time for a first token."""
        usual = min(self._usual.first_token, self._usual.total)
        return 2 * (self.first - self._asked_at) < usual

    def hurried(self, error: UpstreamError) -> bool:
        """Tell whether the request allowed less time than usual, and that may be the fault."""
        asked, usual = self._deadlines, self._usual
        if asked is usual:
            return False
        sooner = asked.total < usual.total
        match error.failure:
            case UpstreamFailure.TIMEOUT | UpstreamFailure.DEADLINE:
                first = asked.first_token < usual.first_token
                return sooner or first or asked.between_tokens < usual.between_tokens
            case UpstreamFailure.UNREACHABLE:
                # A connection that is refused fails at once, however long it might take.
                waited = self._watch.now() - self._asked_at
                return (sooner or asked.connect < usual.connect) and waited >= asked.connect
            case _:
                return False

    def next(self) -> float:
        """Return when the next token is due."""
        return min(self._watch.now() + self._deadlines.between_tokens, self.total)

    def left(self) -> Deadlines:
        """Return what a provider may take."""
        now, deadlines = self._watch.now(), self._deadlines
        total = max(0.0, self.total - now)
        return Deadlines(
            connect=max(0.001, min(deadlines.connect, total)),
            first_token=max(0.0, self.first - now) + GRACE,
            between_tokens=deadlines.between_tokens + GRACE,
            total=total + GRACE,
        )

    def not_begun(self) -> UpstreamError:
        """Return the error for an answer that does not begin."""
        if self.first >= self.total:
            return self.not_finished()
        return self._error(UpstreamFailure.TIMEOUT, "begin to answer", "first_token")

    def silent(self) -> UpstreamError:
        """Return the error for an answer that stops in the middle."""
        if self._watch.now() >= self.total:
            return self.not_finished()
        seconds = self._deadlines.between_tokens
        return UpstreamError(
            UpstreamFailure.TIMEOUT,
            f"The deployment '{self._deployment.name}' fell silent for {seconds:g} s in the middle"
            f" of its answer ({self._source('between_tokens')}).",
            deployment=self._deployment.name,
        )

    def not_finished(self) -> UpstreamError:
        """Return the error for a request whose whole time is up."""
        return self._error(UpstreamFailure.DEADLINE, "finish", "total")

    def _error(self, failure: UpstreamFailure, what: str, phase: str) -> UpstreamError:
        seconds: float = getattr(self._deadlines, phase)
        return UpstreamError(
            failure,
            f"The deployment '{self._deployment.name}' did not {what} within {seconds:g} s"
            f" ({self._source(phase)}).",
            deployment=self._deployment.name,
        )

    def _source(self, phase: str) -> str:
        """Say who set a deadline."""
        if getattr(self._target.deadlines, phase) is not None:
            return f"as the request's X-Inhouse-{phase.replace('_', '-').title()}-Timeout says"
        if getattr(self._deployment.deadlines, phase) is not None:
            return f"the deployment's deadlines.{phase}"
        return f"{timed_as(self._target.feature)}_{phase}_timeout"
