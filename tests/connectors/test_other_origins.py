"""``http2_coalesce``: one connection for several origins, where certificate and address allow it (H2-14)."""

import asyncio
import socket
import ssl
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from aioclient import (
    AddressNotAllowedError,
    AddressPolicy,
    ClientConnectorError,
    ClientSession,
    ClientTimeout,
    ConnectTimeoutError,
    TCPConnector,
    TotalTimeoutError,
)
from aioclient.connectors.other_origins import is_valid_for
from aioclient.message.origin import Origin
from aioclient.testing import H2Connection, H2Server

from ..servers.certificates import Certificates

pytestmark = pytest.mark.rows("H2-14")

OK = (":status", "200")


async def site(conn: H2Connection) -> None:
    """Answer with the number of the connection and the authority; refuse ``refused.test`` on a first connection."""
    while True:
        request = await conn.read_request()
        if request.authority.startswith("refused.") and not conn.index:
            conn.send_headers(request.stream_id, [(":status", "421")], end=True)
            continue
        conn.send_headers(request.stream_id, [OK])
        answer = f"{conn.index} {request.authority.partition(':')[0]} {request.body.decode()}"
        conn.send_data(request.stream_id, answer.strip().encode(), end=True)


def server(certificates: Certificates, *names: str) -> H2Server:
    context = certificates.server_context(*names)
    context.set_alpn_protocols(["h2"])
    return H2Server(site, ssl=context)


def connector(certificates: Certificates, peer: H2Server, **more: Any) -> TCPConnector:
    context = certificates.client_context()
    context.set_alpn_protocols(["h2"])
    more.setdefault("resolve", {f"*:{peer.port}": "127.0.0.1"})
    more.setdefault("http2_coalesce", True)
    return TCPConnector(http2=True, ssl=context, **more)


async def text(session: ClientSession, peer: H2Server, host: str, **more: Any) -> str:
    url = peer.url("/").replace("127.0.0.1", host)
    async with session.request(more.pop("method", "GET"), url, **more) as response:
        assert response.status == 200
        return await response.text()


@pytest.mark.both_loops
class TestCoalescing:
    async def test_another_origin(self, certificates: Certificates) -> None:
        """A host that the certificate names and that has the address shares the connection, idle or busy."""
        async with (
            server(certificates, "a.test", "*.b.test") as peer,
            ClientSession(connector=connector(certificates, peer)) as session,
        ):
            assert await text(session, peer, "a.test") == "0 a.test"
            assert await text(session, peer, "x.b.test") == "0 x.b.test"
            hosts = ["a.test", "y.b.test", "z.b.test"] * 3
            answers = await asyncio.gather(*(text(session, peer, host) for host in hosts))
            assert answers == [f"0 {host}" for host in hosts]
            now = session.connector.statistics()  # type: ignore[union-attr]
            assert (now.in_use, now.idle, now.opened) == (0, 1, 1)

    @pytest.mark.parametrize(
        "why", ["certificate", "address", "off", "setting", "not verified", "name"]
    )
    async def test_own_connection(self, certificates: Certificates, why: str) -> None:
        """Where one of it differs, or nobody asked for it, each origin has its own."""
        names = ["a.test"] if why == "certificate" else ["a.test", "b.test", "c.test"]
        async with server(certificates, *names) as peer:
            more: dict[str, Any] = {}
            call: dict[str, Any] = {}
            if why == "address":
                more["resolve"] = {
                    f"a.test:{peer.port}": "127.0.0.1",
                    f"*:{peer.port}": "127.0.0.2",
                }
            elif why == "off":
                more["http2_coalesce"] = False
            elif why == "setting":
                call["ssl"] = certificates.client_context()
                call["ssl"].set_alpn_protocols(["h2"])
            elif why == "name":
                call["server_hostname"] = "c.test"
            made = connector(certificates, peer, **more)
            if why in ("certificate", "not verified"):
                made.ssl_context.check_hostname = False
            if why == "not verified":
                made.ssl_context.verify_mode = ssl.CERT_NONE
            async with ClientSession(connector=made) as session:
                assert await text(session, peer, "a.test") == "0 a.test"
                if why == "address":
                    with pytest.raises(ClientConnectorError, match=r"b\.test"):
                        await text(session, peer, "b.test")
                else:
                    assert await text(session, peer, "b.test", **call) == "1 b.test"

    @pytest.mark.parametrize("body", [None, b"body"])
    async def test_misdirected(self, certificates: Certificates, body: bytes | None) -> None:
        """A 421 leads to a connection of its own, once; the next request goes there at once."""
        method = "GET" if body is None else "POST"
        said = "" if body is None else " body"
        async with (
            server(certificates, "a.test", "refused.test") as peer,
            ClientSession(connector=connector(certificates, peer)) as session,
        ):
            assert await text(session, peer, "a.test") == "0 a.test"
            for _ in range(2):
                answer = await text(session, peer, "refused.test", method=method, data=body)
                assert answer == f"1 refused.test{said}"
            assert await text(session, peer, "a.test") == "0 a.test"
            assert len(peer.requests) == 5

    async def test_address_policy(self, certificates: Certificates) -> None:
        """A host that may not be connected to is not reached by another one's connection."""
        policy = AddressPolicy(hosts=["a.test"])
        async with (
            server(certificates, "a.test", "b.test") as peer,
            ClientSession(
                connector=connector(certificates, peer, address_policy=policy)
            ) as session,
        ):
            assert await text(session, peer, "a.test") == "0 a.test"
            with pytest.raises(AddressNotAllowedError):
                await text(session, peer, "b.test")


class OneName(AbstractResolver):
    """Knows ``a.test``, and never answers for another name."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host != "a.test":
            await asyncio.Event().wait()
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        """Nothing is held."""


@pytest.mark.virtual_clock
@pytest.mark.parametrize(
    ("limit", "error"),
    [
        ("total", TotalTimeoutError),
        ("connect", ConnectTimeoutError),
        ("sock_connect", ConnectTimeoutError),
    ],
)
async def test_no_address_in_time(
    certificates: Certificates, limit: str, error: type[Exception]
) -> None:
    """The lookup that tells whether a connection may be shared ends at the limits of a dial, and is not repeated."""
    async with (
        server(certificates, "a.test", "b.test") as peer,
        ClientSession(
            connector=connector(certificates, peer, resolver=OneName(), resolve=None)
        ) as session,
    ):
        assert await text(session, peer, "a.test") == "0 a.test"
        begin = asyncio.get_running_loop().time()
        with pytest.raises(error, match=r"no address of b\.test"):
            await text(session, peer, "b.test", timeout=ClientTimeout(**{limit: 5}))
        assert asyncio.get_running_loop().time() - begin == 5


class TestCertificates:
    @pytest.mark.parametrize(
        ("names", "host", "valid"),
        [
            ([("DNS", "a.test")], "a.test", True),
            ([("DNS", "A.test")], "a.test", True),
            ([("DNS", "*.a.test")], "b.a.test", True),
            ([("DNS", "*.a.test")], "a.test", False),
            ([("DNS", "*.a.test")], "c.b.a.test", False),
            ([("DNS", "*.test")], "a.test", False),
            ([("DNS", "b*.a.test")], "bc.a.test", False),
            ([("DNS", "a.test"), ("DNS", "b.test")], "b.test", True),
            ([("IP Address", "127.0.0.1")], "127.0.0.1", True),
            ([("DNS", "127.0.0.1")], "127.0.0.1", False),
            ([("DNS", "*.0.0.1")], "127.0.0.1", False),
            ([("IP Address", "127.0.0.1")], "127.0.0.2", False),
            ([], "a.test", False),
        ],
    )
    def test_names(self, names: list[tuple[str, str]], host: str, valid: bool) -> None:
        """A wildcard stands for the first label, below two others at least; nothing but these names counts."""
        assert is_valid_for({"subjectAltName": names}, Origin("https", host, 443)) is valid

    def test_not_verified(self) -> None:
        """Of a certificate that was not verified nothing is known."""
        assert not is_valid_for({}, Origin("https", "a.test", 443))
