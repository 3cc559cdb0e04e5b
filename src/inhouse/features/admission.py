"""The door of a feature: what the caller's limits allow passes, and is watched from then on."""

from __future__ import annotations

from types import TracebackType

from inhouse.core.settings import Settings
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.records.recording import Recording
from inhouse.routing.quotas import Permit, Quotas
from inhouse.routing.target import Target
from inhouse.routing.watch import Watch


class Admission:
    """Reserves what the caller's limits allow while its block runs; corrected by what was used."""

    __slots__ = ("_permit", "_quotas", "_recording", "_settings", "_target", "_tokens", "_watch")

    def __init__(
        self, quotas: Quotas, target: Target, tokens: int, recording: Recording, settings: Settings
    ) -> None:
        """Ask for nothing yet."""
        self._quotas = quotas
        self._target = target
        self._tokens = tokens
        self._recording = recording
        self._settings = settings
        self._permit: Permit | None = None
        self._watch = Watch()

    async def __aenter__(self) -> Watch:
        """Return the watch.

        Raises:
            LimitError: the key or team has used up its minute.
            UpstreamError: the request's time is up before that is known.

        """
        caller = self._target.caller
        if caller.limited:
            admitted = self._quotas.admit(caller, self._tokens)
            until = self._watch.began + self._total
            try:
                self._permit = await self._watch.wait(admitted, until, self._uncounted)
            except BaseException:
                self._watch.close()
                raise
        return self._watch

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Correct what was reserved."""
        self._watch.close()
        if self._permit is not None:
            self._permit.settle(self._recording.usage)

    @property
    def _total(self) -> float:
        usual = self._settings.deadlines(self._target.feature)
        return self._target.deadlines.over(usual).total

    def _uncounted(self) -> UpstreamError:
        return UpstreamError(
            UpstreamFailure.DEADLINE,
            f"The store did not count this request towards its limits within {self._total:g} s, all"
            " the time that it has.",
        )
