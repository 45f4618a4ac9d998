"""The client speaks HTTP/2 with the servers of the field."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Iterator

import pytest

from aioclient import ClientSession, TCPConnector

from .servers.certificates import Certificates
from .servers.http2 import Apache, H2o, HAProxy, Http2Daemon, Nghttpd
from .servers.hypercorn import hypercorn
from .servers.nginx import JSON, Nginx

pytestmark = pytest.mark.both_loops


@pytest.fixture(
    scope="module", params=[Nghttpd, Apache, H2o, HAProxy], ids=lambda kind: kind.command
)
def server(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Http2Daemon]:
    """One process of each for all tests."""
    with request.param(certificates) as daemon:
        yield daemon


@pytest.fixture
def tls(certificates: Certificates) -> ssl.SSLContext:
    """A context that offers HTTP/2."""
    context = certificates.client_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def over_tls(tls: ssl.SSLContext) -> ClientSession:
    """A session with one connection for each server."""
    return ClientSession(http2=True, connector=TCPConnector(ssl=tls))


def connections(session: ClientSession) -> int:
    assert isinstance(session.connector, TCPConnector)
    return session.connector.statistics().opened


async def fetch(session: ClientSession, url: str) -> bytes:
    async with session.get(url) as response:
        assert (response.status, response.version) == (200, (2, 0))
        return await response.read()


class TestServers:
    async def test_small_and_large(self, server: Http2Daemon, tls: ssl.SSLContext) -> None:
        """Files come whole, one after the other and side by side, on one connection."""
        async with over_tls(tls) as session:
            for name, content in server.files.items():
                assert await fetch(session, server.url(f"/{name}")) == content
            bodies = await asyncio.gather(*(fetch(session, server.url("/large")) for _ in range(8)))
            assert set(bodies) == {server.files["large"]}
            assert connections(session) == 1

    async def test_many(self, server: Http2Daemon, tls: ssl.SSLContext) -> None:
        """A thousand requests, many at a time, have each their answer."""
        async with over_tls(tls) as session:
            await fetch(session, server.url("/small"))
            bodies = await asyncio.gather(
                *(fetch(session, server.url("/small")) for _ in range(1000))
            )
        assert bodies == [server.files["small"]] * 1000

    async def test_head(self, server: Http2Daemon, tls: ssl.SSLContext) -> None:
        """HEAD has the length of the body, and no body."""
        async with (
            over_tls(tls) as session,
            session.head(server.url("/large")) as response,
        ):
            assert response.content_length == len(server.files["large"])
            assert await response.read() == b""

    async def test_left_early(self, server: Http2Daemon, tls: ssl.SSLContext) -> None:
        """Responses that are left before their end, and requests that are cancelled, hurt no other."""
        async with over_tls(tls) as session:
            for _ in range(20):
                async with session.get(server.url("/large")) as response:
                    await response.content.readany()
                task = asyncio.create_task(fetch(session, server.url("/large")))
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
            assert await fetch(session, server.url("/large")) == server.files["large"]
            # Apache sends GOAWAY now and then when a stream is reset, with a code of its own (-902).
            assert connections(session) == 1 or type(server).__name__ == "Apache"


@pytest.fixture(scope="module")
def nghttpd(certificates: Certificates) -> Iterator[Nghttpd]:
    """The server that answers a POST with its body."""
    with Nghttpd(certificates) as daemon:
        yield daemon


class TestUploads:
    @pytest.mark.parametrize("streamed", [False, True])
    async def test_echo(self, nghttpd: Nghttpd, tls: ssl.SSLContext, streamed: bool) -> None:
        """A body that is larger than every window comes back as it was."""
        body = os.urandom(3_000_000)

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(body), 70_000):
                yield body[start : start + 70_000]

        async with over_tls(tls) as session:
            for _ in range(3):
                data = pieces() if streamed else body
                async with session.post(nghttpd.url("/"), data=data) as response:
                    assert await response.read() == body
            assert connections(session) == 1


class TestHypercorn:
    async def test_requests(self, certificates: Certificates, tls: ssl.SSLContext) -> None:
        """Small and large, one after the other and side by side, with bodies and without."""
        body = os.urandom(1_000_000)
        async with hypercorn(certificates) as origin, over_tls(tls) as session:
            for name, content in Http2Daemon.files.items():
                assert await fetch(session, f"{origin}/{name}") == content
            for _ in range(3):
                async with session.post(f"{origin}/", data=body) as response:
                    assert await response.read() == body
            bodies = await asyncio.gather(*(fetch(session, f"{origin}/small") for _ in range(300)))
            assert set(bodies) == {Http2Daemon.files["small"]}
            async with session.head(f"{origin}/large") as response:
                assert response.content_length == len(Http2Daemon.files["large"])
            assert connections(session) == 1


class TestNginx:
    def url(self, nginx: Nginx, path: str) -> str:
        return f"https://localhost:{nginx.http2_port}{path}"

    async def test_downloads(self, nginx: Nginx, tls: ssl.SSLContext) -> None:
        """Small, large and compressed responses; all on the first connection."""
        async with over_tls(tls) as session:
            assert await fetch(session, self.url(nginx, "/json")) == JSON
            sizes = ("1k", "1m", "20m")
            urls = [self.url(nginx, f"/file/{size}") for size in sizes]
            bodies = await asyncio.gather(*(fetch(session, url) for url in urls))
            assert bodies == [nginx.file(size) for size in sizes]
            for path in ("/gzip", "/gzip-static", "/chunked", "/headers"):
                assert await fetch(session, self.url(nginx, path))
            assert connections(session) == 1

    async def test_uploads(self, nginx: Nginx, tls: ssl.SSLContext) -> None:
        """Several large bodies at a time are taken whole."""
        size = 2_000_000

        async def upload(session: ClientSession) -> bytes:
            async with session.put(self.url(nginx, "/upload"), data=bytes(size)) as response:
                return await response.read()

        async with over_tls(tls) as session:
            bodies = await asyncio.gather(*(upload(session) for _ in range(4)))
        assert bodies == [str(size).encode()] * 4

    async def test_many(self, nginx: Nginx, tls: ssl.SSLContext) -> None:
        """More at a time than the server allows streams."""
        async with over_tls(tls) as session:
            await fetch(session, self.url(nginx, "/json"))
            bodies = await asyncio.gather(
                *(fetch(session, self.url(nginx, "/json")) for _ in range(1000))
            )
        assert bodies == [JSON] * 1000

    async def test_without_being_asked(self, nginx: Nginx, certificates: Certificates) -> None:
        """A session that does not ask for it speaks HTTP/1.1 with the same server."""
        async with (
            ClientSession(connector=TCPConnector(ssl=certificates.client_context())) as session,
            session.get(self.url(nginx, "/json")) as response,
        ):
            assert response.version == (1, 1)
