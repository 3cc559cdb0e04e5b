"""The egress policy for what botocore asks by itself: STS, SSO, and whoever else knows keys."""

from __future__ import annotations

import importlib
import socket
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from inhouse.core.ports import Egress
from inhouse.errors import UpstreamError
from inhouse.providers.bedrock.identity import DOMAINS, Identity


class Sent(Protocol):
    """A request of botocore's."""

    url: str


def guard(session: Any, egress: Egress, identity: Identity) -> None:
    """Let the clients that a session makes connect only where the policy lets them.

    AWS's own services pass without being registered: which of them a profile leads to, only AWS's
    files know. The metadata services of containers and machines are asked without a client, so not
    looked at here; nobody but the process's environment can name them.
    """

    def check(request: Sent, **_: object) -> None:
        try:
            _check(egress, request.url)
        except UpstreamError as error:
            error.param = identity.blamed or None
            raise

    session.register("before-send", check)


def _check(egress: Egress, url: str) -> None:
    """Raise `UpstreamError` (FORBIDDEN) where a URL may not be asked."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    aws = any(host.endswith(f".{domain}") for domain in DOMAINS)
    if not (aws and parts.scheme == "https"):
        egress.check_place(host, port)
    if parts.scheme in _proxies(url):
        return
    # Looked up once more by botocore: a name that moves in between is left to TLS.
    for address in _addresses(host, port):
        egress.check_address(host, port, address)


def _proxies(url: str) -> dict[str, str]:
    utils: Any = importlib.import_module("botocore.utils")
    return cast("dict[str, str]", utils.get_environ_proxies(url))


def _addresses(host: str, port: int) -> set[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return set()  # botocore will tell
    return {str(each[4][0]) for each in found}
