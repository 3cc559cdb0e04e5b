"""Look whether resting deployments are back, before a request has to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from inhouse.core.catalog import Deployment
from inhouse.core.ports import Provider
from inhouse.errors import InhouseError, UpstreamError, UpstreamFailure
from inhouse.routing.circuit import NOT_THERE, State
from inhouse.routing.standing import Standing, Standings

LOOK_EVERY = 1.0
PATIENCE = 5.0
"""Seconds that an upstream has to answer a probe."""


class Recovery:
    """Probes deployments whose circuit is open, by having them list their models.

    An answer lets the next request try, where the upstream was not there before; where nobody
    answers, no request is spent on it.
    """

    def __init__(
        self,
        provider: Callable[[Deployment], Provider],
        standings: Standings,
        broke: Callable[[Deployment, Exception], None],
        *,
        registered: Callable[[Deployment], bool] = lambda _: True,
    ) -> None:
        """`provider` finds the code that talks to a deployment's upstream.

        `broke` is told of a defect in it, which must not end the looking. What is not `registered`
        was named by a request, with its caller's key: only its caller has us ask there again.
        """
        self._provider = provider
        self._standings = standings
        self._broke = broke
        self._registered = registered

    async def run(self) -> None:
        """Look every second, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """Probe each resting deployment once."""
        resting = [
            standing
            for standing in self._standings.known()
            if standing.circuit.state is not State.CLOSED
            and not _limited(standing)
            and self._registered(standing.deployment)
        ]
        await asyncio.gather(*(self._probe(standing) for standing in resting))

    async def _probe(self, standing: Standing) -> None:
        circuit, deployment = standing.circuit, standing.deployment
        try:
            async with asyncio.timeout(PATIENCE):
                await self._provider(deployment).served(deployment)
        except TimeoutError:
            circuit.unreachable(2 * LOOK_EVERY)
        except UpstreamError as error:
            # Some upstreams list nothing, and work: whatever they say, they are there.
            if error.failure in NOT_THERE or error.failure is UpstreamFailure.TIMEOUT:
                circuit.unreachable(2 * LOOK_EVERY)
        except InhouseError:
            return
        except Exception as error:  # noqa: BLE001 -- others still want to be looked at
            self._broke(deployment, error)
        else:
            circuit.probed()


def _limited(standing: Standing) -> bool:
    """Tell whether the upstream itself said when to come again."""
    last = standing.circuit.last
    return last is not None and last.retry_after is not None
