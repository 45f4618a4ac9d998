"""Sockets that connect and cannot be made a connection: they are closed, whatever refuses them."""

import asyncio
import errno
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

import aioclient
from aioclient import ClientSession, TCPConnector, UnixConnector
from aioclient.testing import RawConnection, RawServer

from ..loopback import names
from ..servers.certificates import Certificates
from .proxies.parts import tunnel

pytestmark = pytest.mark.both_loops


async def silent(conn: RawConnection) -> None:
    await conn.closed()


@pytest.mark.parametrize("way", ["http", "https", "unix", "tunnel", "proxy"])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOMEM, "no memory"), ValueError("not a socket")], ids=repr
)
async def test_the_event_loop_refuses(
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    way: str,
    error: Exception,
) -> None:
    """When the event loop makes no transport the socket is closed at once, and the slot is free."""

    refused: list[socket.socket] = []

    async def refuse(*_: Any, **more: Any) -> Any:
        refused.append(more["sock"])
        assert more["sock"].fileno() >= 0
        raise error

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "create_connection", refuse)
    monkeypatch.setattr(loop, "create_unix_connection", refuse)
    path = tmp_path / "socket"
    unix: dict[str, Any] = {"unix_path": path} if way == "unix" else {}
    async with RawServer(tunnel(None) if way == "tunnel" else silent, **unix) as server:
        connector = UnixConnector(path) if unix else names(ssl=certificates.client_context())
        async with ClientSession(connector=connector) as session:
            url, call = "http://a.test/" if unix else server.url(host="a.test"), {}
            if way in ("tunnel", "proxy"):
                scheme = "https" if way == "proxy" else "http"
                call["proxy"] = server.url().replace("http", scheme)
            if way in ("https", "tunnel"):
                url = url.replace("http", "https")
            expected = aioclient.ClientConnectorError if isinstance(error, OSError) else ValueError
            for _ in range(2):
                with pytest.raises(expected, match=r"no memory|not a socket"):
                    await session.get(url, **call)
            assert connector.statistics().in_use == 0
            assert [sock.fileno() for sock in refused] == [-1, -1]


@pytest.mark.parametrize("way", ["https", "unix", "tunnel", "proxy", "tunnel by proxy"])
async def test_ssl_refuses(certificates: Certificates, tmp_path: Path, way: str) -> None:
    """When `ssl` refuses the context, after the connection is there, the socket is closed and no other one is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    path = tmp_path / "socket"
    unix: dict[str, Any] = {"unix_path": path} if way == "unix" else {}
    near = certificates.server_context() if way == "tunnel by proxy" else None
    script = tunnel(None, silent) if "tunnel" in way else silent
    async with (
        RawServer(script, ssl=near, **unix) as server,
        ClientSession(connector=UnixConnector(path) if unix else TCPConnector()) as session,
    ):
        url, call = "https://127.0.0.1:1/", {"ssl": context}
        if way == "https":
            url = server.url().replace("http", "https")
        elif way == "tunnel":
            call["proxy"] = server.url()
        elif way == "tunnel by proxy":
            call |= {"proxy": server.url(), "proxy_ssl": certificates.client_context()}
        elif way == "proxy":
            call = {"proxy": server.url().replace("http", "https"), "proxy_ssl": context}
        for _ in range(3):
            with pytest.raises(aioclient.ClientConnectorSSLError, match="PROTOCOL_TLS_SERVER"):
                await session.get(url, **call)
        assert session.connector is not None
        assert session.connector.statistics().in_use == 0
