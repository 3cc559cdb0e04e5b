"""The port between the transport and the HTTP client beneath it."""

from __future__ import annotations

from typing import Protocol

from inhouse.transport.origin import Opening
from inhouse.transport.response import Response


class Carrier(Protocol):
    """Carries requests to their origins, and what comes back into responses.

    Both implementations hold to the same deadlines, limits and failures, and dial by the same
    `Dialler`, so that neither gets around the egress policy.
    """

    async def carry(
        self, opening: Opening, headers: bytes, body: bytes, response: Response, limit: int
    ) -> None:
        """Send a request and return when `response` has its status and headers.

        No more than `limit` connections to its origin are open. A request of which a byte was sent
        is never sent again. Cancelling aborts it in any phase. Raises UpstreamError.
        """
        ...

    def connections(self) -> int:
        """Count the connections that exist or are being opened."""
        ...

    async def aclose(self) -> None:
        """Abort what runs and close every connection."""
        ...
