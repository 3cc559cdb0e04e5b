"""TLS: own authorities, client certificates, names, resumption, and what goes wrong in words."""

import asyncio
import contextlib
import os
import socket
import ssl
from pathlib import Path

import pytest

from inhouse.core.deadlines import Deadlines
from inhouse.core.ports import HttpClient
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.transport import Tls, Transport
from inhouse.transport.tls import MAX_SESSIONS, Contexts
from tests.fakes.authority import Authority
from tests.fakes.http import Exchange, Server

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


async def answering(exchange: Exchange) -> None:
    await exchange.send(OK)


async def ask(transport: Transport, url: str, tls: Tls | None) -> bytes:
    response = await transport.request("GET", url, tls=tls, deadlines=Deadlines(first_token=5))
    return await response.read(100)


async def test_trusts_the_authority_in_ca_file(transport: Transport, authority: Authority) -> None:
    async with Server(answering, authority.server()) as server:
        for _ in range(3):
            assert await ask(transport, server.url, Tls(ca_file=authority.ca_file)) == b"ok"
        assert server.connections == 1


async def test_trusts_the_authorities_of_the_environment_too(
    authority: Authority, tmp_path: Path, http_client: HttpClient
) -> None:
    (tmp_path / "third").mkdir()
    other, third = Authority(tmp_path), Authority(tmp_path / "third")
    client = Transport(authorities=[authority.ca_file, other.ca_file], http_client=http_client)
    try:
        for each in (authority, other):
            async with Server(answering, each.server()) as server:
                assert await ask(client, server.url, None) == b"ok"
        async with Server(answering, third.server()) as server:
            assert await ask(client, server.url, Tls(ca_file=third.ca_file)) == b"ok"
        async with Server(answering, authority.server()) as server:
            assert await ask(client, server.url, Tls(ca_file=third.ca_file)) == b"ok"
    finally:
        await client.aclose()


async def test_reads_renewed_authorities_of_the_environment(
    authority: Authority, tmp_path: Path, http_client: HttpClient
) -> None:
    bundle = tmp_path / "bundle.pem"
    Authority(tmp_path).write_ca(bundle)
    client = Transport(authorities=[str(bundle)], http_client=http_client)
    try:
        async with Server(answering, authority.server()) as server:
            with pytest.raises(UpstreamError):
                await ask(client, server.url, None)
            authority.write_ca(bundle)
            os.utime(bundle, (1, 1))  # a file system's clock may be coarse
            assert await ask(client, server.url, None) == b"ok"
    finally:
        await client.aclose()


async def test_trusts_nobody_else(transport: Transport, authority: Authority) -> None:
    async with Server(answering, authority.server()) as server:
        with pytest.raises(UpstreamError, match="ca_file") as caught:
            await ask(transport, server.url, None)
    assert caught.value.failure is UpstreamFailure.TLS


async def test_checks_the_name(transport: Transport, authority: Authority) -> None:
    async with Server(answering, authority.server("other.example")) as server:
        with pytest.raises(UpstreamError, match=r"not trusted.*127\.0\.0\.1") as caught:
            await ask(transport, server.url, Tls(ca_file=authority.ca_file))
    assert caught.value.failure is UpstreamFailure.TLS


async def test_shows_its_certificate(transport: Transport, authority: Authority) -> None:
    context = authority.server(asks_client=True)
    tls = Tls(
        ca_file=authority.ca_file,
        client_cert_file=authority.client_cert_file,
        client_key_file=authority.client_key_file,
    )
    async with Server(answering, context) as server:
        assert await ask(transport, server.url, tls) == b"ok"
        # asyncio's servers do not send the alert that would tell why.
        with pytest.raises(UpstreamError, match="client certificate"):
            await ask(transport, server.url, Tls(ca_file=authority.ca_file))


async def test_says_that_its_certificate_is_missed(
    transport: Transport, authority: Authority
) -> None:
    context = authority.server(asks_client=True)

    def refuse(listener: socket.socket) -> None:
        plain, _ = listener.accept()
        with plain, contextlib.suppress(ssl.SSLError):
            context.wrap_socket(plain, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        refusing = asyncio.create_task(asyncio.to_thread(refuse, listener))
        with pytest.raises(UpstreamError, match="client certificate"):
            await ask(transport, url, Tls(ca_file=authority.ca_file))
        await refusing


async def test_resumes_a_session(transport: Transport, authority: Authority) -> None:
    async def closing(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
        exchange.close()

    context = authority.server()
    async with Server(closing, context) as server:
        for _ in range(3):
            assert await ask(transport, server.url, Tls(ca_file=authority.ca_file)) == b"ok"
        assert server.connections == 3
        assert context.session_stats()["hits"] == 2


async def test_says_that_the_upstream_speaks_no_tls(transport: Transport) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(UpstreamError, match="http://") as caught:
            await transport.request("GET", url)
    assert caught.value.failure is UpstreamFailure.TLS


async def test_gives_up_on_a_handshake_that_never_ends(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(UpstreamError, match="connect_timeout") as caught:
            await transport.request("GET", url, deadlines=Deadlines(connect=0.05))
    assert caught.value.failure is UpstreamFailure.UNREACHABLE
    assert transport.connections() == 0


async def test_says_that_the_upstream_speaks_only_tls(
    transport: Transport, authority: Authority
) -> None:
    async with Server(answering, authority.server()) as server:
        with pytest.raises(UpstreamError) as caught:
            await ask(transport, server.url.replace("https:", "http:"), None)
    assert caught.value.failure in {UpstreamFailure.PROTOCOL, UpstreamFailure.CLOSED}


def test_finds_faults_in_files(authority: Authority, tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no certificate")
    assert Tls(ca_file=authority.ca_file).fault() is None
    assert Tls().fault() is None
    assert "no file" in (Tls(ca_file="/nowhere.pem").fault() or "")
    assert str(rubbish) in (Tls(ca_file=str(rubbish)).fault() or "")
    assert "client_cert_file" in (Tls(client_key_file=authority.client_key_file).fault() or "")
    swapped = Tls(
        client_cert_file=authority.client_key_file, client_key_file=authority.client_cert_file
    )
    assert "not a usable PEM file" in (swapped.fault() or "")


async def test_reads_renewed_files(
    transport: Transport, authority: Authority, tmp_path: Path
) -> None:
    path = tmp_path / "renewed.pem"
    Authority(tmp_path).write_ca(path)
    tls = Tls(ca_file=str(path))
    async with Server(answering, authority.server()) as server:
        with pytest.raises(UpstreamError):
            await ask(transport, server.url, tls)
        authority.write_ca(path)
        assert await ask(transport, server.url, tls) == b"ok"


async def test_says_that_a_file_has_gone(transport: Transport) -> None:
    with pytest.raises(UpstreamError, match=r"no file '/nowhere\.pem'") as caught:
        await ask(transport, "https://127.0.0.1:1/", Tls(ca_file="/nowhere.pem"))
    assert caught.value.failure is UpstreamFailure.TLS


def test_sessions_of_the_newest_hosts_are_kept(authority: Authority) -> None:
    contexts, tls = Contexts(), Tls(ca_file=authority.ca_file)
    context = contexts.get(tls)
    connection = shaken(context, authority.server())
    for number in range(MAX_SESSIONS + 2):
        contexts.remember(tls, f"h{number}.internal", connection)
    assert len(context.sessions) == MAX_SESSIONS
    assert {"h0.internal", "h1.internal"}.isdisjoint(context.sessions)


def shaken(client: ssl.SSLContext, server: ssl.SSLContext) -> ssl.SSLObject:
    """Return the client's end of a handshake that takes place in memory."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(down, up, server_hostname="127.0.0.1")
    theirs = server.wrap_bio(up, down, server_side=True)
    for end in (ours, theirs, ours, theirs):
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()
    with contextlib.suppress(ssl.SSLWantReadError):
        ours.read(1)
    return ours
