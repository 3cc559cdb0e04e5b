"""The one HTTP client: pooled HTTP/1.1, aborts at once, follows nothing, says what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from inhouse.core.deadlines import Deadlines
from inhouse.core.ports import Egress, HttpClient
from inhouse.errors import ConfigError
from inhouse.transport.carrier import Carrier
from inhouse.transport.dialling import Dialler
from inhouse.transport.egress import Anywhere
from inhouse.transport.limits import MAX_CONNECTIONS
from inhouse.transport.origin import prepared
from inhouse.transport.pooled import Pooled
from inhouse.transport.proxy import Proxy
from inhouse.transport.reaching import Reaching
from inhouse.transport.resolving import Lookup, Resolver, system_lookup
from inhouse.transport.response import Response
from inhouse.transport.tls import Contexts, Tls

_DEFAULT = Deadlines()


class Transport:
    """Sends requests over pooled connections; belongs to one event loop."""

    def __init__(
        self,
        egress: Egress | None = None,
        lookup: Lookup = system_lookup,
        authorities: Sequence[str] = (),
        http_client: HttpClient = "httptools",
    ) -> None:
        """Open nothing yet.

        `egress` decides which connections may be opened, None about addresses alone. `lookup` finds
        the addresses of names. `authorities` are paths, as in `Contexts`.

        Raises:
            ConfigError: `http_client` is not installed.

        """
        contexts = Contexts(authorities)
        self._resolver = Resolver(lookup)
        dialler = Dialler(Reaching(egress or Anywhere(), self._resolver), contexts)
        self._carrier = _carrier(http_client, dialler, contexts)

    async def request(
        self,
        method: str,
        url: str,
        headers: bytes = b"",
        body: bytes = b"",
        *,
        tls: Tls | None = None,
        proxy: Proxy | None = None,
        deadlines: Deadlines = _DEFAULT,
        max_connections: int = MAX_CONNECTIONS,
    ) -> Response:
        """Send a request and return its answer as soon as status and headers are there.

        `headers` come from `header_block`; ``Host`` and ``Content-Length`` are added. Cancelling
        aborts the request in any phase. Redirects are answers like others.

        Raises:
            UpstreamError: there is no answer. A request of which a single byte was sent is never
                sent again.

        """
        opening = prepared(method, url, tls, proxy)
        response = Response(opening.origin.place, deadlines, asyncio.get_running_loop())
        await self._carrier.carry(opening, headers, body, response, max_connections)
        return response

    def connections(self) -> int:
        """Count the connections that exist or are being opened."""
        return self._carrier.connections()

    async def aclose(self) -> None:
        """Abort what runs and close every connection."""
        await self._carrier.aclose()
        await self._resolver.aclose()


def _carrier(http_client: HttpClient, dialler: Dialler, contexts: Contexts) -> Carrier:
    if http_client == "httptools":
        return Pooled(dialler, contexts)
    try:
        # An extra, and half a second of imports.
        from inhouse.transport.fallback import Fallback  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "aiohttp":
            raise
        raise ConfigError(
            "[egress] http_client is 'aiohttp', which is not installed:"
            " pip install 'inhouse[aiohttp]'.",
            param="http_client",
        ) from None
    return Fallback(dialler, contexts)
