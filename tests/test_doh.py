"""DNS over HTTPS, against a server that answers with DNS messages over TLS."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

import aioclient
from aioclient import ClientSession, DoHResolver, TCPConnector
from aioclient import doh as module
from aioclient.testing import RawConnection, RawServer, cancel_everywhere

from .loopback import OK
from .servers.certificates import Certificates
from .servers.dns import DNSServer

pytestmark = pytest.mark.both_loops


class Upstream(DNSServer):
    """Answers DNS messages in requests; *fields* and *status* are of all its responses."""

    fields = ""
    status = "200 OK"
    media_type = "application/dns-message"
    gate: asyncio.Event | None = None

    async def serve(self, conn: RawConnection) -> None:
        while True:
            request = await conn.read_request()
            assert (request.method, request.target) == ("POST", "/dns-query")
            assert request.value("Content-Type") == "application/dns-message"
            assert request.value("Cookie") is None
            if self.gate is not None:
                await self.gate.wait()
            body = self.answer(request.body, tcp=True)
            assert body is not None
            head = f"HTTP/1.1 {self.status}\r\nContent-Type: {self.media_type}\r\n{self.fields}"
            conn.send(
                f"{head}Set-Cookie: a=1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            )


@contextlib.asynccontextmanager
async def resolving(
    certificates: Certificates, upstream: Upstream, host: str = "dns.test"
) -> AsyncIterator[DoHResolver]:
    """A resolver that asks *upstream*, by its name."""
    async with (
        RawServer(
            upstream.serve, ssl=certificates.server_context("dns.test", "127.0.0.1")
        ) as server,
        DoHResolver(
            f"https://{host}:{server.port}/dns-query",
            resolve={f"dns.test:{server.port}": "127.0.0.1"},
            ssl=certificates.client_context(),
        ) as resolver,
    ):
        yield resolver


def addresses(found: Any) -> list[str]:
    return [each["host"] for each in found]


class TestAnswers:
    @pytest.mark.parametrize("host", ["dns.test", "127.0.0.1"])
    async def test_addresses(self, certificates: Certificates, host: str) -> None:
        """Both families are asked for, over a server known by name or address; results carry their time."""
        upstream = Upstream({"a.test": ["127.0.0.1", "127.0.0.2", "::1"]}, ttl=77)
        async with resolving(certificates, upstream, host) as resolver:
            found: Any = await resolver.resolve("a.test", 8080, socket.AF_UNSPEC)
        assert addresses(found) == ["::1", "127.0.0.1", "127.0.0.2"]
        assert {(each["port"], each["ttl"]) for each in found} == {(8080, 77.0)}
        assert [each["family"] for each in found] == [socket.AF_INET6, *[socket.AF_INET] * 2]
        assert upstream.questions("a.test") == ["A", "AAAA"]

    @pytest.mark.parametrize(
        ("family", "found", "kind"),
        [(socket.AF_INET, "127.0.0.1", "A"), (socket.AF_INET6, "::1", "AAAA")],
    )
    async def test_family(
        self, certificates: Certificates, family: socket.AddressFamily, found: str, kind: str
    ) -> None:
        """Only the family that is wanted is asked for."""
        upstream = Upstream({"a.test": ["127.0.0.1", "::1"]})
        async with resolving(certificates, upstream) as resolver:
            assert addresses(await resolver.resolve("a.test", 80, family)) == [found]
        assert upstream.questions("a.test") == [kind]

    async def test_another_name(self, certificates: Certificates) -> None:
        """A CNAME in the answer is followed."""
        upstream = Upstream({"a.test": "b.test", "b.test": ["127.0.0.1"]})
        async with resolving(certificates, upstream) as resolver:
            assert addresses(await resolver.resolve("a.test", 80)) == ["127.0.0.1"]

    @pytest.mark.parametrize(("age", "left"), [("30", 47.0), ("100", 0.0), ("old", 77.0)])
    async def test_age(self, certificates: Certificates, age: str, left: float) -> None:
        """What a cache on the way kept the answer for is taken off its time (RFC 8484, section 5.1)."""
        upstream = Upstream({"a.test": ["127.0.0.1"]}, ttl=77)
        upstream.fields = f"Age: {age}\r\n"
        async with resolving(certificates, upstream) as resolver:
            (found,) = await resolver.resolve("a.test", 80)
        assert found["ttl"] == left  # type: ignore[typeddict-item]

    async def test_padding(
        self, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Questions for short and long names are equally long (RFC 8467, section 4.1)."""
        sizes = []
        upstream = Upstream({"a.test": ["127.0.0.1"], "a-longer-name.test": ["127.0.0.1"]})
        answer = upstream.answer

        def measured(query: bytes, *, tcp: bool = False) -> bytes | None:
            sizes.append(len(query))
            return answer(query, tcp=tcp)

        monkeypatch.setattr(upstream, "answer", measured)
        async with resolving(certificates, upstream) as resolver:
            for name in upstream.names:
                await resolver.resolve(name, 80)
        assert sizes == [128, 128]


class TestFailures:
    @pytest.mark.parametrize("code", ["NXDOMAIN", "SERVFAIL"])
    async def test_codes(self, certificates: Certificates, code: str) -> None:
        """A failure of DNS is an OSError that names it."""
        async with resolving(certificates, Upstream({"a.test": code})) as resolver:
            with pytest.raises(OSError, match=rf"lookup of a\.test: {code}"):
                await resolver.resolve("a.test", 80, socket.AF_UNSPEC)

    async def test_one_family(self, certificates: Certificates) -> None:
        """A name with addresses of one family is found; one without any is not."""
        upstream = Upstream({"a.test": ["127.0.0.1"], "b.test": []})
        async with resolving(certificates, upstream) as resolver:
            assert addresses(await resolver.resolve("a.test", 80, socket.AF_UNSPEC)) == [
                "127.0.0.1"
            ]
            with pytest.raises(OSError, match=r"b\.test has no address"):
                await resolver.resolve("b.test", 80, socket.AF_UNSPEC)

    @pytest.mark.parametrize(
        ("status", "media_type"),
        [
            ("404 Not Found", "application/dns-message"),
            ("200 OK", "text/html"),
            ("302 Found", "x/y"),
        ],
    )
    async def test_another_server(
        self, certificates: Certificates, status: str, media_type: str
    ) -> None:
        """A response that is no DNS message is an OSError, and no redirect is followed."""
        upstream = Upstream({"a.test": ["127.0.0.1"]})
        upstream.status, upstream.media_type = status, media_type
        upstream.fields = "Location: https://dns.test/elsewhere\r\n"
        async with resolving(certificates, upstream) as resolver:
            with pytest.raises(OSError, match=rf"status {status[:3]} and {media_type}"):
                await resolver.resolve("a.test", 80)

    @pytest.mark.parametrize("damage", ["cut", "empty", "another", "long"])
    async def test_damage(
        self, certificates: Certificates, damage: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A message that is cut, too long, or answers another question, is an OSError."""
        upstream = Upstream({"a.test": ["127.0.0.1"], "b.test": ["127.0.0.2"]})
        answer = upstream.answer

        def damaged(query: bytes, *, tcp: bool = False) -> bytes | None:
            whole = answer(query.replace(b"\x01a\x04test", b"\x01b\x04test"))
            assert whole is not None
            right = answer(query)
            assert right is not None
            return {
                "cut": right[:-3],
                "empty": b"",
                "another": whole,
                "long": right + bytes(70000),
            }[damage]

        monkeypatch.setattr(upstream, "answer", damaged)
        async with resolving(certificates, upstream) as resolver:
            with pytest.raises(OSError, match="65535" if damage == "long" else r"a\.test"):
                await resolver.resolve("a.test", 80)

    async def test_certificate(self, certificates: Certificates) -> None:
        """A server whose certificate does not hold is not asked."""
        upstream = Upstream({"a.test": ["127.0.0.1"]})
        async with (
            RawServer(upstream.serve, ssl=certificates.server_context("b.test")) as server,
            DoHResolver(
                f"https://127.0.0.1:{server.port}/dns-query", ssl=certificates.client_context()
            ) as resolver,
        ):
            with pytest.raises(OSError, match=r"lookup of a\.test: .*Cannot connect"):
                await resolver.resolve("a.test", 80)
        assert upstream.asked == []

    async def test_timeout(self, certificates: Certificates) -> None:
        """A question that takes longer than its timeout fails."""
        upstream = Upstream({"a.test": ["127.0.0.1"]})
        upstream.gate = asyncio.Event()
        async with (
            RawServer(upstream.serve, ssl=certificates.server_context()) as server,
            DoHResolver(
                f"https://127.0.0.1:{server.port}/dns-query",
                ssl=certificates.client_context(),
                timeout=0.05,
            ) as resolver,
        ):
            with pytest.raises(OSError, match=r"within total=0\.05 s"):
                await resolver.resolve("a.test", 80)

    @pytest.mark.parametrize("host", ["a..test", f"{'a' * 64}.test"])
    async def test_no_name(self, host: str) -> None:
        """A name that DNS cannot carry fails before anything is sent."""
        async with DoHResolver("https://127.0.0.1:1/dns-query") as resolver:
            with pytest.raises(OSError, match="not a name for DNS"):
                await resolver.resolve(host, 80)


class TestConstruction:
    @pytest.mark.parametrize(
        ("url", "resolve", "text"),
        [
            ("http://127.0.0.1/dns-query", None, "needs an https URL"),
            ("https://dns.test/dns-query", None, "give the host's addresses"),
            (
                "https://dns.test/dns-query",
                {"dns.test:8443": "127.0.0.1"},
                "give the host's addresses",
            ),
            ("https://dns.test/dns-query", {"dns.test:443": "b.test"}, "is not an IP address"),
            ("/dns-query", None, "relative"),
        ],
    )
    async def test_nonsense(self, url: str, resolve: Any, text: str) -> None:
        """A URL that is not https, or whose host would have to be looked up, is refused."""
        with pytest.raises(ValueError, match=text):
            DoHResolver(url, resolve=resolve)

    async def test_the_package_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without dnspython the error says which command installs it."""
        monkeypatch.setattr(module, "find_spec", lambda name: None)
        with pytest.raises(aioclient.MissingExtraError, match=r'pip install "aioclient\[doh\]"'):
            DoHResolver("https://127.0.0.1/dns-query")


class TestUse:
    async def test_in_a_connector(self, certificates: Certificates) -> None:
        """A session whose names are looked up over HTTPS; kept for their time, asked once for many."""
        upstream = Upstream({"a.test": ["127.0.0.1"]})
        async with (
            RawServer.replies([OK], repeat=True) as web,
            resolving(certificates, upstream) as resolver,
            ClientSession(connector=TCPConnector(resolver=resolver)) as session,
        ):

            async def fetch() -> bytes:
                async with session.get(web.url(host="a.test")) as response:
                    return await response.read()

            assert await asyncio.gather(*(fetch() for _ in range(20))) == [b"ok"] * 20
            assert await fetch() == b"ok"
            assert upstream.questions("a.test") == ["A", "AAAA"]
            with pytest.raises(aioclient.ClientConnectorDNSError, match=r"b\.test.*NXDOMAIN"):
                await session.get(web.url(host="b.test"))

    async def test_cancelled_everywhere(self, certificates: Certificates) -> None:
        """A lookup cancelled at any await leaves nothing, and the next one succeeds."""
        upstream = Upstream({"a.test": ["127.0.0.1"]})
        async with RawServer(upstream.serve, ssl=certificates.server_context()) as server:

            async def scenario() -> None:
                async with DoHResolver(
                    f"https://127.0.0.1:{server.port}/dns-query", ssl=certificates.client_context()
                ) as resolver:
                    assert await resolver.resolve("a.test", 80, socket.AF_UNSPEC)

            assert await cancel_everywhere(scenario, scenario) > 1

    async def test_closed_meanwhile(self, certificates: Certificates) -> None:
        """close() fails the lookup that runs; a later one begins anew."""
        upstream = Upstream({"a.test": ["127.0.0.1"]})
        upstream.gate = asyncio.Event()
        async with resolving(certificates, upstream) as resolver:
            task = asyncio.create_task(resolver.resolve("a.test", 80))
            for _ in range(20):
                await asyncio.sleep(0)
            await resolver.close()
            with pytest.raises(OSError, match=r"lookup of a\.test"):
                await task
            upstream.gate.set()
            assert addresses(await resolver.resolve("a.test", 80)) == ["127.0.0.1"]
