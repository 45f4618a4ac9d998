"""The cache before real servers: nginx, with expires, entity tags and ranges, and aiohttp.web."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from aioclient import Cache, ClientSession

from ...servers.nginx import Nginx


class Clock:
    """The real time, and what the test adds."""

    def __init__(self) -> None:
        self.later = 0.0

    def __call__(self) -> float:
        return time.time() + self.later


@pytest.mark.both_loops
class TestNginx:
    async def test_expires_etag_and_ranges(self, nginx: Nginx) -> None:
        """nginx's expires, then its 304; a range from what is stored."""
        clock = Clock()
        url = nginx.url("/cached/1m")
        body = nginx.file("1m")
        cache = Cache(clock=clock)
        async with ClientSession(middlewares=[cache]) as session:
            for expected in ("fwd=uri-miss; fwd-status=200", "hit"):
                async with session.get(url) as response:
                    assert await response.read() == body
                    assert f"aioclient; {expected}; ttl=" in str(response.cache_status)
            async with session.get(url, headers={"Range": "bytes=1000-1999"}) as response:
                assert response.status == 206
                assert await response.read() == body[1000:2000]
                assert response.cache_status is not None
                assert response.cache_status.hit
            clock.later = 100
            async with session.get(url) as response:
                assert await response.read() == body
            assert (await cache.statistics()).revalidated == 1

    async def test_no_cache(self, nginx: Nginx) -> None:
        """What is to be asked for each time is, and comes as 304."""
        cache = Cache()
        async with ClientSession(middlewares=[cache]) as session:
            for _ in range(3):
                async with session.get(nginx.url("/kept/1k")) as response:
                    assert await response.read() == nginx.file("1k")
        statistics = await cache.statistics()
        assert (statistics.misses, statistics.revalidated, statistics.hits) == (1, 2, 0)

    async def test_static_files(self, nginx: Nginx) -> None:
        """A file without a word of caching is validated when its guessed time is over."""
        clock = Clock()
        cache = Cache(clock=clock)
        async with ClientSession(middlewares=[cache]) as session:
            for _ in range(3):
                async with session.get(nginx.url("/file/1k")) as response:
                    assert await response.read() == nginx.file("1k")
                clock.later += 10 * 86400
        assert (await cache.statistics()).revalidated == 2


@asynccontextmanager
async def aiohttp_server() -> AsyncIterator[tuple[str, list[str]]]:
    """Serve by aiohttp.web; give the URL, and what was asked."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.method)
        response = web.StreamResponse(headers={"Cache-Control": "max-age=60", "Vary": "Accept"})
        response.etag = "1"
        if request.if_none_match:
            raise web.HTTPNotModified(headers=response.headers)
        response.enable_compression()
        await response.prepare(request)
        for _ in range(10):
            await response.write(b"x" * 10_000)
        return response

    app = web.Application()
    app.router.add_route("*", "/", answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}/", seen
    finally:
        await runner.cleanup()


@pytest.mark.both_loops
async def test_aiohttp() -> None:
    """aiohttp.web: chunked, compressed, with a tag and Vary."""
    clock = Clock()
    async with (
        aiohttp_server() as (url, seen),
        ClientSession(middlewares=[Cache(clock=clock)]) as session,
    ):
        for later in (0, 0, 100):
            clock.later = later
            async with session.get(url) as response:
                assert await response.read() == b"x" * 100_000
        assert seen == ["GET", "GET"]
        clock.later = 0  # else all that comes is 100 s old already, as its Date says
        async with session.get(url, headers={"Accept": "text/html"}) as response:
            await response.read()
            assert response.cache_status is not None
            assert response.cache_status.reason == "vary-miss"
        async with session.delete(url) as response:
            await response.read()
        async with session.get(url) as response:
            await response.read()
        assert seen == ["GET", "GET", "GET", "DELETE", "GET"]
