"""Open a connection: name, TCP, proxy, TLS; and say in words what stands in the way."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.transport.limits import Allowance
from inhouse.transport.origin import Origin
from inhouse.transport.proxy import Proxy
from inhouse.transport.reaching import AnyProtocol, Reaching, SilentDnsError
from inhouse.transport.tls import Contexts, ResumingContext

TUNNEL_HEAD = 16 * 1024


class Dialler:
    """Opens connections to origins: directly, or through their proxies."""

    def __init__(self, reaching: Reaching, contexts: Contexts) -> None:
        """Reach hosts by `reaching`, with TLS by `contexts`."""
        self._reaching = reaching
        self._contexts = contexts

    async def dial(
        self, origin: Origin, new: Callable[[], AnyProtocol], allowed: Allowance
    ) -> AnyProtocol:
        """Return a new connection to an origin, ready for requests.

        Raises:
            UpstreamError: forbidden, unreachable, not in the time allowed, or TLS fails.

        """
        by = asyncio.get_running_loop().time() + allowed.seconds
        where = origin.place if origin.proxy is None else f"The proxy {origin.proxy.place}"
        try:
            return await self._open(origin, new, by)
        except SilentDnsError as error:
            raise UpstreamError(
                UpstreamFailure.UNREACHABLE,
                f"{where}: the DNS did not tell the address of '{error.host}' within {allowed}."
                " Check the name server, or write the address instead of the name.",
            ) from None
        except TimeoutError:
            # A server that speaks no TLS may wait for more of what it takes for a request.
            hint = ", and that it speaks TLS: else write http://" if origin.secure else ""
            raise UpstreamError(
                UpstreamFailure.UNREACHABLE,
                f"{where} did not accept a connection within {allowed}."
                f" Check host, port and firewall{hint}.",
            ) from None
        except ssl.SSLError as error:
            raise _tls_failure(origin, error) from error
        except OSError as error:
            raise _unreachable(where, origin, error) from error

    async def _open(self, origin: Origin, new: Callable[[], AnyProtocol], by: float) -> AnyProtocol:
        proxy = origin.proxy
        if proxy is not None:
            # Whom the proxy connects to is ours to decide; which address that has is not.
            self._reaching.check(origin.host, origin.port)
        context = await self._context(origin) if origin.secure else None
        if proxy is not None and context is not None:
            return await self._through_tunnel(origin, proxy, context, new, by)
        host, port = (origin.host, origin.port) if proxy is None else (proxy.host, proxy.port)
        _, connection = await self._reaching.connect(host, port, new, by=by, context=context)
        return connection

    async def _context(self, origin: Origin) -> ResumingContext:
        try:
            # The system's authorities are read from disk: tens of milliseconds.
            return await asyncio.to_thread(self._contexts.get, origin.tls)
        except (OSError, ssl.SSLError):
            fault = "a file cannot be read" if origin.tls is None else origin.tls.fault()
            raise UpstreamError(
                UpstreamFailure.TLS, f"TLS to {origin.place} cannot be set up: {fault}."
            ) from None

    async def _through_tunnel(
        self,
        origin: Origin,
        proxy: Proxy,
        context: ResumingContext,
        new: Callable[[], AnyProtocol],
        by: float,
    ) -> AnyProtocol:
        loop = asyncio.get_running_loop()
        transport, tunnel = await self._reaching.connect(proxy.host, proxy.port, _Tunnel, by=by)
        try:
            async with asyncio.timeout_at(by):
                await _ask(proxy, origin.place, transport, tunnel)
                connection = new()
                secured = await loop.start_tls(
                    transport, connection, context, server_hostname=origin.host
                )
            connection.connection_made(cast(asyncio.Transport, secured))
        except BaseException:
            transport.abort()
            raise
        return connection


async def _ask(proxy: Proxy, place: str, transport: asyncio.Transport, tunnel: _Tunnel) -> None:
    lines = [f"CONNECT {place} HTTP/1.1", f"host: {place}"]
    if proxy.authorization:
        lines.append(f"proxy-authorization: {proxy.authorization.reveal()}")
    transport.write("\r\n".join([*lines, "\r\n"]).encode())
    status = await tunnel.answered
    if status != 200:
        hint = " It wants a user and password in its URL." if status == 407 else ""
        raise UpstreamError(
            UpstreamFailure.UNREACHABLE,
            f"The proxy {proxy.place} refused to connect to {place}: status {status}.{hint}",
        )


class _Tunnel(asyncio.Protocol):
    """Waits for a proxy's answer to CONNECT."""

    def __init__(self) -> None:
        self.answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._head = b""

    def data_received(self, data: bytes) -> None:
        self._head += data
        if self.answered.done():
            return
        if b"\r\n\r\n" in self._head:
            word = self._head.split(b"\r\n", 1)[0].split(b" ")[1:2]
            self.answered.set_result(int(word[0]) if word and word[0].isdigit() else 0)
        elif len(self._head) > TUNNEL_HEAD:
            self.answered.set_result(0)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answered.done():
            self.answered.set_exception(exc or ConnectionResetError("closed"))


def _tls_failure(origin: Origin, error: ssl.SSLError) -> UpstreamError:
    place = origin.place
    if isinstance(error, ssl.SSLCertVerificationError):
        message = f"The certificate of {place} is not trusted: {error.verify_message.rstrip('.')}."
        if error.verify_code in {18, 19, 20, 21}:
            message += " If your team has its own authority, name its PEM file as ca_file."
    elif error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST"}:
        message = f"{place} does not speak TLS. Does its endpoint begin with http://?"
    else:
        message = f"TLS to {place} failed: {error.reason or 'the session ended early'}."
    return UpstreamError(UpstreamFailure.TLS, message)


def _unreachable(where: str, origin: Origin, error: OSError) -> UpstreamError:
    if isinstance(error, ConnectionRefusedError):
        what = f"{where} refused the connection. Is the server running there?"
    elif isinstance(error, ConnectionResetError | ConnectionAbortedError) and origin.secure:
        return UpstreamError(
            UpstreamFailure.TLS,
            f"{where} closed the connection in the TLS handshake."
            " Does its endpoint begin with http://, or does it want a client certificate?",
        )
    elif type(error).__name__ == "gaierror":
        what = f"{where}: the host name cannot be resolved. Check its spelling and the DNS."
    else:
        reason = error.strerror or type(error).__name__
        what = f"{where} cannot be reached: {reason}."
    return UpstreamError(UpstreamFailure.UNREACHABLE, what)
