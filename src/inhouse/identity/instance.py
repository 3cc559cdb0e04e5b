"""One GitLab that may ask us: the names of its issuer, and its keys as far as they are known."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Protocol

from inhouse.errors import UpstreamError
from inhouse.identity.clock import Clock
from inhouse.identity.discovery import Discovered
from inhouse.identity.keys import nameless
from inhouse.identity.looking import Look
from inhouse.identity.reporting import Log

RENEW_EVERY = 3600.0
"""Seconds after which keys are read anew, though nobody has missed one."""
RETRY_FROM, RETRY_TO = 5.0, 300.0
"""Seconds until the next try after a failure; twice as many after each further one."""
JITTER = 0.1
"""The share by which waits differ, so that replicas do not ask all at once."""
SPACING = 10.0
"""Seconds between two looks for keys that tokens name and nobody knows."""


class Written(Protocol):
    """An entry of ``[[gitlab.instances]]``, read."""

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        ...

    @property
    def issuer(self) -> str:
        """What its tokens name as their issuer; empty where that is said elsewhere."""
        ...

    @property
    def team(self) -> str:
        """Whose routes and limits hold for it."""
        ...

    @property
    def keys(self) -> tuple[str, ...]:
        """Public keys as PEM; where there are some, it is never asked."""
        ...

    @property
    def ca_file(self) -> str:
        """The path of certificates of authorities, or empty."""
        ...


class Instance:
    """One GitLab; belongs to one event loop. `name` is its host, with its path where it has one."""

    def __init__(
        self,
        written: Written,
        *,
        audience: str,
        ask: Callable[[], Awaitable[Discovered]],
        changed: Callable[[], None],
        log: Log,
        clock: Clock,
    ) -> None:
        """Know the keys from the file, if any; raises ValueError where one is not fit.

        `ask` raises `UpstreamError`; `changed` is called when keys are no longer the same.
        """
        self.name = written.url.partition("://")[2]
        self.team = written.team
        self.audience = audience
        self.issuers = frozenset({written.url, written.issuer} - {""})
        """What the file says that its tokens name as their issuer."""
        self.discovered = ""
        """What it says so itself."""
        self.keys = nameless(written.keys)
        self.asked = not self.keys
        """Whether its keys come from itself."""
        self.trouble = ""
        """Why its keys could not be read the last time; empty where they could."""
        self._ask = ask
        self._changed = changed
        self._log = log
        self._sleep = clock.sleep
        self._failures = 0
        self._look = Look(self._refresh, spacing=SPACING, clock=clock)

    async def run(self) -> None:
        """Read its keys now and then again and again, until cancelled."""
        while self.asked:
            await self._look.now()
            spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 -- no secret
            await self._sleep(self._pause() * spread)

    async def learn(self) -> None:
        """Read its keys anew because a token needs an unknown one; wait only for a moment."""
        if self.asked:
            await self._look.missed()

    async def aclose(self) -> None:
        """Stop asking."""
        await self._look.aclose()

    def _pause(self) -> float:
        if not self._failures:
            return RENEW_EVERY
        return min(RETRY_FROM * 2 ** min(self._failures - 1, 10), RETRY_TO)

    async def _refresh(self) -> None:
        try:
            found = await self._ask()
        except UpstreamError as error:
            self._failed(error.message)
        except Exception as error:  # noqa: BLE001 -- a defect must not end the looking
            self._log.defect("defect", error, instance=self.name)
            self._failed("a defect of inhouse")
        else:
            self._found(found)

    def _failed(self, why: str) -> None:
        self._failures += 1
        if not self.trouble:
            effect = "those that are known hold on" if self.keys else "its tokens are refused"
            self._log.failure(
                "GitLab's keys not read", instance=self.name, why=why, meanwhile=effect
            )
        self.trouble = why

    def _found(self, found: Discovered) -> None:
        if self.trouble:
            self._log.info("GitLab's keys read again", instance=self.name)
        self.trouble = ""
        self._failures = 0
        if (found.issuer, found.keys) != (self.discovered, self.keys):
            self.discovered, self.keys = found.issuer, found.keys
            self._changed()
