"""Digest credentials for proxies (RFC 7616): asked once, answered for each request, and for that proxy alone."""

import asyncio
import io
import re
from collections.abc import AsyncIterator

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

import aioclient
from aioclient import ClientSession, ProxyDigestAuth, TCPConnector
from aioclient.connectors.proxies.logins import Logins
from aioclient.message.proxy import Proxy
from aioclient.testing import RawConnection, RawServer

from ...servers.certificates import Certificates
from ...test_cancellation import cancelled_everywhere
from .parts import ESTABLISHED, OK, fetch, numbered, refusal

LOGIN = ProxyDigestAuth("user", "secret")


class Asking:
    """A proxy that wants its challenge answered, and forwards or opens a tunnel then.

    Attributes:
        answers: The answers it got, by their parameters.
    """

    def __init__(self, realm: str, context: object = None, *, uses: int = 10**9) -> None:
        self.realm = realm
        self.answers: list[dict[str, str]] = []
        self.nonce = 1
        self._left = self._uses = uses
        self._context = context

    async def __call__(self, conn: RawConnection) -> None:
        while True:
            request = await conn.read_request()
            value = request.value("Proxy-Authorization")
            if value is None or self._parse(value)["nonce"] != self._nonce or not self._left:
                stale = ""
                if value is not None:
                    stale = ", stale=true"
                    self.nonce += 1
                    self._left = self._uses
                conn.send(
                    b"HTTP/1.1 407 Asking\r\nContent-Length: 2\r\n"
                    b"Proxy-Authenticate: Basic realm=x\r\nProxy-Authenticate: "
                    + f'Digest realm="{self.realm}", nonce="{self._nonce}", qop="auth"{stale}'.encode()
                    + b"\r\n\r\nno"
                )
                continue
            self._left -= 1
            self.answers.append(self._parse(value))
            assert self.answers[-1]["uri"] == request.target
            if request.method == "CONNECT":
                conn.send(ESTABLISHED)
                await conn.start_tls(self._context)  # type: ignore[arg-type]
                await numbered(conn)
            conn.send(OK)

    @property
    def _nonce(self) -> str:
        return f"{self.realm}-{self.nonce}"

    @staticmethod
    def _parse(value: str) -> dict[str, str]:
        assert value.startswith("Digest ")
        return {
            name: quoted or bare
            for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^", ]+))', value)
        }


@pytest.mark.both_loops
class TestDigest:
    @pytest.mark.rows("S003-38")
    async def test_forwarding(self) -> None:
        """The first request asks and is sent again; those that follow carry an answer at once."""
        script = Asking("r")
        async with (
            RawServer(script) as proxy,
            ClientSession(proxy=proxy.url(), proxy_auth=LOGIN) as session,
        ):
            assert await fetch(session, "http://a.test/x?y=1", method="POST", data=b"body") == b"ok"
            assert await fetch(session, "http://b.test/") == b"ok"
        assert len(proxy.requests) == 3
        assert [request.body for request in proxy.requests] == [b"body", b"body", b""]
        assert [found["uri"] for found in script.answers] == [
            "http://a.test/x?y=1",
            "http://b.test/",
        ]
        assert [found["nc"] for found in script.answers] == ["00000001", "00000002"]
        assert script.answers[0]["cnonce"] != script.answers[1]["cnonce"]
        assert b"secret" not in b"".join(request.head for request in proxy.requests)

    @pytest.mark.rows("S003-38")
    async def test_tunnels(self, certificates: Certificates) -> None:
        """CONNECT asks, and is asked again on a connection of its own."""
        script = Asking("r", certificates.server_context("a.test", "b.test"))
        async with (
            RawServer(script) as proxy,
            ClientSession(
                proxy=proxy.url(),
                proxy_auth=LOGIN,
                connector=TCPConnector(ssl=certificates.client_context()),
            ) as session,
        ):
            assert await fetch(session, "https://a.test/") == b"1.0"
            assert await fetch(session, "https://b.test/") == b"2.0"
            for request in proxy.requests:
                if request.method != "CONNECT":
                    assert request.values("Proxy-Authorization") == []
        assert [found["uri"] for found in script.answers] == ["a.test:443", "b.test:443"]
        assert [found["nc"] for found in script.answers] == ["00000001", "00000002"]

    @pytest.mark.rows("AUTH-05")
    async def test_two_proxies(self) -> None:
        """What one proxy has asked is not answered to another one, nor for another login."""
        one, other = Asking("one"), Asking("other")
        async with (
            RawServer(one) as first,
            RawServer(other) as second,
            ClientSession(proxies={"all": first.url(), "http://b.test": second.url()}) as session,
        ):
            for auth in (LOGIN, ProxyDigestAuth("user2", "secret")):
                for host in ("a.test", "b.test", "a.test"):
                    assert await fetch(session, f"http://{host}/", proxy_auth=auth) == b"ok"
        for proxy, script in ((first, one), (second, other)):
            asked = [request.value("Proxy-Authorization") for request in proxy.requests]
            assert asked.count(None) == 2
            assert {found["realm"] for found in script.answers} == {script.realm}
            assert {found["username"] for found in script.answers} == {"user", "user2"}
        assert [found["nc"] for found in one.answers] == ["00000001", "00000002"] * 2

    @pytest.mark.rows("AUTH-07")
    async def test_many_at_once(self) -> None:
        """Of a hundred requests at a time no two carry the same nonce, count and cnonce."""
        script = Asking("r")
        async with (
            RawServer(script) as proxy,
            ClientSession(proxy=proxy.url(), proxy_auth=LOGIN) as session,
        ):
            await fetch(session, "http://a.test/")
            await asyncio.gather(*(fetch(session, "http://a.test/") for _ in range(100)))
        found = [(one["nonce"], one["nc"], one["cnonce"]) for one in script.answers]
        assert len(set(found)) == len(found) == 101
        assert sorted(one["nc"] for one in script.answers) == [f"{n:08x}" for n in range(1, 102)]

    @pytest.mark.rows("AUTH-07")
    async def test_stale(self) -> None:
        """A nonce that is used up is replaced, with one request more."""
        script = Asking("r", uses=2)
        async with (
            RawServer(script) as proxy,
            ClientSession(proxy=proxy.url(), proxy_auth=LOGIN) as session,
        ):
            for _ in range(6):
                assert await fetch(session, "http://a.test/") == b"ok"
        assert [found["nonce"] for found in script.answers] == [
            "r-1",
            "r-1",
            "r-2",
            "r-2",
            "r-3",
            "r-3",
        ]
        assert len(proxy.requests) == 6 + 3

    @pytest.mark.parametrize(
        "challenge",
        [
            pytest.param('Digest realm="r", nonce="n", qop="auth"', id="AUTH-07-always-407"),
            pytest.param('Digest realm="r", nonce="n", algorithm=ROT13', id="AUTH-08-unknown"),
            pytest.param('Basic realm="r"', id="AUTH-08-Basic"),
        ],
    )
    @pytest.mark.parametrize("url", ["http://a.test/", "https://a.test/"])
    async def test_refused(self, challenge: str, url: str) -> None:
        """A proxy that is never content gets two requests; one that wants something weaker gets nothing."""
        answer = f"HTTP/1.1 407 No\r\nProxy-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n"
        async with (
            RawServer.replies([answer.encode()], repeat=True) as proxy,
            ClientSession(proxy=proxy.url(), proxy_auth=LOGIN) as session,
        ):
            with pytest.raises(aioclient.ProxyRefusedError) as caught:
                await session.get(url)
            assert caught.value.status == 407
        values = [request.values("Proxy-Authorization") for request in proxy.requests]
        if 'qop="auth"' in challenge:
            assert [len(found) for found in values] == [0, 1]
            assert values[1][0].startswith("Digest ")
        else:
            assert values == [[]]

    async def test_a_body_that_cannot_be_sent_twice(self) -> None:
        """A body that is gone after the first attempt is an error, and never an empty one."""

        async def body() -> AsyncIterator[bytes]:
            yield b"once"

        async with (
            RawServer(Asking("r")) as proxy,
            ClientSession(proxy=proxy.url(), proxy_auth=LOGIN) as session,
        ):
            with pytest.raises(aioclient.BodyConsumedError):
                await session.post("http://a.test/", data=body())
            assert (
                await fetch(session, "http://a.test/", method="POST", data=io.BytesIO(b"x"))
                == b"ok"
            )
            assert await fetch(session, "http://a.test/", method="POST", data=body()) == b"ok"
        assert [request.body for request in proxy.requests] == [b"once", b"x", b"once"]
        assert proxy.connections == 1  # nothing of a second attempt was sent


@pytest.mark.both_loops
@pytest.mark.rows("PRX-10")
@pytest.mark.parametrize("url", ["http://a.test/", "https://a.test/"])
async def test_cancelled(certificates: Certificates, url: str) -> None:
    """A request may be cancelled at any await of the two rounds."""

    async def ok(conn: RawConnection) -> None:
        while True:
            await conn.read_request()
            conn.send(OK)

    async def script(conn: RawConnection) -> None:
        while True:
            request = await conn.read_request()
            if request.value("Proxy-Authorization") is None:
                challenge = 'Proxy-Authenticate: Digest realm="r", nonce="n", qop="auth"'
                conn.send(refusal("407 Asking", challenge))
            elif request.method == "CONNECT":
                conn.send(ESTABLISHED)
                await conn.start_tls(certificates.server_context("a.test"))
                await ok(conn)
            else:
                conn.send(OK)

    async with RawServer(script) as proxy:
        await cancelled_everywhere(
            lambda session: fetch(session, "/"),
            lambda: ClientSession(
                url,
                proxy=proxy.url(),
                proxy_auth=LOGIN,
                connector=TCPConnector(ssl=certificates.client_context()),
            ),
            least=4,
        )


def test_few_are_remembered() -> None:
    """The challenges of 256 proxies are remembered; of others they are asked for again."""
    logins = Logins()
    headers = CIMultiDictProxy(CIMultiDict({"Proxy-Authenticate": 'Digest realm="r", nonce="n"'}))
    for number in range(1000):
        assert logins.learn(Proxy(f"http://p{number}.test", auth=LOGIN), headers)
    assert len(logins._nonces) == 256
    last, first = Proxy("http://p999.test", auth=LOGIN), Proxy("http://p0.test", auth=LOGIN)
    assert len(logins.fields(last, "GET", "http://a.test/")) == 1
    assert logins.fields(first, "GET", "http://a.test/") == []
    assert not logins.learn(Proxy("http://p.test", auth=("u", "p")), headers)
    assert "secret" not in f"{LOGIN!r}"
