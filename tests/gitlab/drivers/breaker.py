"""The breakers of GitLab's language server."""

from tests.gitlab.drivers.clock import Clock


class Breaker:
    """Open for a while after `errors` failures in a row.

    The while is `seconds` times `factor` to the power of how many times it was open in a row, at
    most `most` seconds.
    """

    def __init__(
        self, clock: Clock, *, errors: int = 1, seconds: float, factor: float = 1, most: float
    ) -> None:
        self._clock = clock
        self._errors = errors
        self._seconds = seconds
        self._factor = factor
        self._most = most
        self._failures = 0
        self._opened = 0
        self._until = 0.0

    @property
    def open(self) -> bool:
        return self._clock.now < self._until

    @property
    def remaining(self) -> float:
        return max(0.0, self._until - self._clock.now)

    def failed(self, *, times: int = 1) -> None:
        """Count a failure; some count as several openings."""
        self._failures += 1
        if self._failures < self._errors:
            return
        self._failures = 0
        for _ in range(times):
            pause = min(self._seconds * self._factor**self._opened, self._most)
            self._until = self._clock.now + pause
            self._opened += 1

    def succeeded(self) -> None:
        self._failures = self._opened = 0
        self._until = 0.0
