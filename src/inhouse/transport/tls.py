"""TLS as a deployment wants it: further authorities, a client certificate, resumed sessions."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

MAX_SESSIONS = 1024
"""Hosts whose session is kept: requests may name many below one wildcard."""


class Tls(Struct, frozen=True, kw_only=True):
    """Paths of PEM files; the system's authorities hold in any case, and so does the hostname."""

    ca_file: str = ""
    client_cert_file: str = ""
    client_key_file: str = ""

    def files(self) -> Iterator[tuple[str, str]]:
        """Yield the name and path of each file that is set."""
        for name in self.__struct_fields__:
            if path := getattr(self, name):
                yield name, path

    def fault(self) -> str | None:
        """Return what is wrong with the files in words that name the path, None if nothing is."""
        for name, path in self.files():
            if not Path(path).is_file():
                return f"{name}: there is no file '{path}'"
        if self.client_key_file and not self.client_cert_file:
            return "client_key_file: a key needs its certificate, client_cert_file, too"
        try:
            context(self)
        except (OSError, ssl.SSLError) as error:
            reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
            paths = ", ".join(f"{name} '{path}'" for name, path in self.files())
            return f"{paths}: not a usable PEM file ({reason or 'no certificate in it'})"
        return None


class ResumingContext(ssl.SSLContext):
    """A context that offers the last session of the same host, which saves half a handshake.

    asyncio and uvloop both call `wrap_bio` and leave no other place for a session.
    """

    sessions: dict[str, ssl.SSLSession]

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Wrap as `ssl.SSLContext` does, with a remembered session where there is one."""
        session = session or self.sessions.get(str(server_hostname))
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)


def context(tls: Tls | None, authorities: Sequence[str] = ()) -> ResumingContext:
    """Return a client context; reads files, so call it in a thread. Raises OSError, SSLError.

    `authorities` are PEM files, or folders of them as OpenSSL hashes their names.
    """
    made = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    made.sessions = {}
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_default_certs()
    for path in authorities:
        if Path(path).is_dir():
            made.load_verify_locations(capath=path)
        else:
            made.load_verify_locations(cafile=path)
    if tls is not None and tls.ca_file:
        made.load_verify_locations(cafile=tls.ca_file)
    if tls is not None and tls.client_cert_file:
        made.load_cert_chain(
            tls.client_cert_file, tls.client_key_file or None, password=_no_password
        )
    return made


def _no_password() -> str:
    # Without this, OpenSSL would ask for the password of an encrypted key on the terminal.
    return ""


class Contexts:
    """Contexts in use; one is made anew when a file of it has changed (renewed certificates)."""

    def __init__(self, authorities: Sequence[str] = ()) -> None:
        """Start without any; `authorities` are trusted in each, beside the system's."""
        self._authorities = authorities
        self._made: dict[Tls | None, tuple[tuple[float, ...], ResumingContext]] = {}

    def get(self, tls: Tls | None) -> ResumingContext:
        """Return the context for `tls`; reads files. Raises OSError, SSLError."""
        stamps = _stamps(self._authorities, tls)
        made = self._made.get(tls)
        if made is None or made[0] != stamps:
            made = self._made[tls] = (stamps, context(tls, self._authorities))
        return made[1]

    def remember(self, tls: Tls | None, host: str, connection: ssl.SSLObject | None) -> None:
        """Keep the session of a connection that works; TLS 1.3 sends it behind the handshake."""
        made = self._made.get(tls)
        if made is None or connection is None or connection.session_reused:
            return
        if (session := connection.session) is not None:
            sessions = made[1].sessions
            sessions[host] = session
            if len(sessions) > MAX_SESSIONS:
                del sessions[next(iter(sessions))]


def _stamps(authorities: Sequence[str], tls: Tls | None) -> tuple[float, ...]:
    stamps: list[float] = []
    for path in (*authorities, *(path for _, path in (tls or Tls()).files())):
        with contextlib.suppress(OSError):
            stamps.append(Path(path).stat().st_mtime)
    return tuple(stamps)
