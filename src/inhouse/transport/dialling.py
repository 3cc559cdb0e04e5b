"""Open a connection: name, TCP, proxy, TLS; and say in words what stands in the way."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.transport.connection import Connection
from inhouse.transport.origin import Origin
from inhouse.transport.proxy import Proxy
from inhouse.transport.tls import Contexts, ResumingContext

TUNNEL_HEAD = 16 * 1024


async def dial(
    origin: Origin, contexts: Contexts, new: Callable[[], Connection], seconds: float
) -> Connection:
    """Return a new connection to an origin, ready for requests.

    Raises:
        UpstreamError: unreachable, not within `seconds`, or TLS fails.

    """
    where = origin.place if origin.proxy is None else f"The proxy {origin.proxy.place}"
    try:
        async with asyncio.timeout(seconds):
            if origin.secure:
                context = await _context(origin, contexts)
                if origin.proxy is not None:
                    return await _through_tunnel(origin, origin.proxy, context, new)
                return await _connect(origin.host, origin.port, context, new)
            if origin.proxy is not None:
                return await _connect(origin.proxy.host, origin.proxy.port, None, new)
            return await _connect(origin.host, origin.port, None, new)
    except TimeoutError:
        # A server that speaks no TLS may wait for more of what it takes for a request.
        hint = ", and that it speaks TLS: else write http://" if origin.secure else ""
        raise UpstreamError(
            UpstreamFailure.UNREACHABLE,
            f"{where} did not accept a connection within {seconds:g} s (connect_timeout)."
            f" Check host, port and firewall{hint}.",
        ) from None
    except ssl.SSLError as error:
        raise _tls_failure(origin, error) from error
    except OSError as error:
        raise _unreachable(where, origin, error) from error


async def _context(origin: Origin, contexts: Contexts) -> ResumingContext:
    try:
        # The system's authorities are read from disk: tens of milliseconds.
        return await asyncio.to_thread(contexts.get, origin.tls)
    except (OSError, ssl.SSLError):
        fault = "a file cannot be read" if origin.tls is None else origin.tls.fault()
        raise UpstreamError(
            UpstreamFailure.TLS, f"TLS to {origin.place} cannot be set up: {fault}."
        ) from None


async def _connect(
    host: str, port: int, context: ssl.SSLContext | None, new: Callable[[], Connection]
) -> Connection:
    loop = asyncio.get_running_loop()
    server_hostname = host if context is not None else None
    _, connection = await loop.create_connection(
        new, host, port, ssl=context, server_hostname=server_hostname
    )
    return connection


async def _through_tunnel(
    origin: Origin, proxy: Proxy, context: ResumingContext, new: Callable[[], Connection]
) -> Connection:
    loop = asyncio.get_running_loop()
    transport, tunnel = await loop.create_connection(_Tunnel, proxy.host, proxy.port)
    try:
        await _ask(proxy, origin.place, transport, tunnel)
        connection = new()
        secured = await loop.start_tls(transport, connection, context, server_hostname=origin.host)
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
