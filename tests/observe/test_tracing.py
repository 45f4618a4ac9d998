"""The signals of trace configs: the same ones as from aiohttp, at the same moments."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

import aioclient
from aioclient.testing import RawConnection, RawServer, turns

from ..loopback import Loopback, answer, moved
from .signals import Log

OK = answer()


async def site(conn: RawConnection) -> None:
    """Answer each path in its own way."""
    while True:
        request = await conn.read_request()
        path = request.target.partition("?")[0]
        if path == "/moved":
            conn.send(moved("/there"))
        elif path == "/loop":
            conn.send(moved("/loop"))
        elif path == "/empty":
            conn.send(answer(b""))
        elif path == "/missing":
            conn.send(answer(b"no", status="404 Not Found"))
        elif path == "/long":
            conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for piece in (b"one", b"two"):
                conn.send(b"3\r\n%b\r\n" % piece)
            conn.send(b"0\r\n\r\n")
        elif path == "/closes":
            return
        elif path == "/holds":
            await conn.closed()
        else:
            conn.send(OK)


class Nowhere(Loopback):
    """Knows no name."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
        raise OSError(None, f"{host} is unknown")


Scenario = Callable[[Any, str], Awaitable[None]]


async def two_gets(session: Any, url: str) -> None:
    for path in ("/?a=1#fragment", "/"):
        async with session.get(url + path, params={"b": "2"}) as response:
            assert await response.text() == "ok"
            assert await response.read() == b"ok"


async def empty(session: Any, url: str) -> None:
    async with session.get(url + "/empty") as response:
        assert await response.read() == b""


async def unread(session: Any, url: str) -> None:
    async with session.get(url + "/"):
        pass


async def head(session: Any, url: str) -> None:
    async with session.head(url + "/empty") as response:
        assert await response.read() == b""


async def post_json(session: Any, url: str) -> None:
    async with session.post(url + "/", json={"a": 1}) as response:
        assert await response.text() == "ok"


async def post_generator(session: Any, url: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        await asyncio.sleep(0)
        yield b"two"

    async with session.post(url + "/", data=pieces()) as response:
        assert await response.read() == b"ok"


async def post_form(session: Any, url: str) -> None:
    async with session.post(url + "/", data={"name": "value"}) as response:
        assert await response.read() == b"ok"


async def redirect(session: Any, url: str) -> None:
    async with session.get(url + "/moved", params={"a": "1"}) as response:
        assert await response.read() == b"ok"


async def redirect_of_post(session: Any, url: str) -> None:
    async with session.post(url + "/moved", data=b"body") as response:
        assert await response.read() == b"ok"


async def redirect_not_followed(session: Any, url: str) -> None:
    async with session.get(url + "/moved", allow_redirects=False) as response:
        assert await response.read() == b""


async def status_raises(session: Any, url: str) -> None:
    with pytest.raises(aiohttp.ClientResponseError):
        await session.get(url + "/missing", raise_for_status=True)


async def disconnected(session: Any, url: str) -> None:
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await session.post(url + "/closes")


async def refused(session: Any, url: str) -> None:
    with pytest.raises(aiohttp.ClientConnectorError):
        await session.get("http://a.example:1/")


async def middleware_repeats(session: Any, url: str) -> None:
    async def twice(request: Any, handler: Any) -> Any:
        response = await handler(request)
        await response.read()
        return await handler(request)

    async with session.get(url + "/", middlewares=[twice]) as response:
        assert await response.read() == b"ok"


async def cancelled(session: Any, url: str) -> None:
    task = asyncio.ensure_future(session.get(url + "/holds"))
    await turns(100)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


SCENARIOS: list[Scenario] = [
    two_gets,
    empty,
    unread,
    head,
    post_json,
    post_generator,
    post_form,
    redirect,
    redirect_of_post,
    redirect_not_followed,
    status_raises,
    disconnected,
    refused,
    middleware_repeats,
    cancelled,
]


async def run(
    library: Any, scenario: Scenario, server: RawServer, *, log: Log | None = None, **options: Any
) -> list[str]:
    """Return what is signalled while *library* runs the scenario."""
    log = Log() if log is None else log
    options.setdefault("resolver", Loopback())
    async with library.ClientSession(
        connector=library.TCPConnector(**options), trace_configs=[log.config()]
    ) as session:
        await scenario(session, server.url("", host="a.example"))
    return list(log)


@pytest.mark.both_loops
class TestSameAsAiohttp:
    """The same calls, to the same server, are signalled by both in the same way."""

    @pytest.mark.parametrize("scenario", SCENARIOS)
    async def test_sequence(self, scenario: Scenario) -> None:
        """Both signal the same things in the same order."""
        async with RawServer(site) as server:
            ours = await run(aioclient, scenario, server)
            assert ours == await run(aiohttp, scenario, server)
        assert ours[0].startswith("request_start")

    @pytest.mark.parametrize(
        "options",
        [
            pytest.param({"use_dns_cache": False}, id="no-dns-cache"),
            pytest.param({"ttl_dns_cache": None, "force_close": True}, id="dns-cache-hit"),
            pytest.param({"resolver": Nowhere()}, id="no-such-name"),
        ],
    )
    async def test_lookups(self, options: dict[str, Any]) -> None:
        """A lookup is signalled as what it was: a hit, a miss and its answer, or a question without a cache."""

        async def two(session: Any, url: str) -> None:
            for _ in range(2):
                try:
                    async with session.get(url + "/") as response:
                        await response.read()
                except aiohttp.ClientConnectorDNSError:
                    pass

        async with RawServer(site) as server:
            ours = await run(aioclient, two, server, **options)
            assert ours == await run(aiohttp, two, server, **options)
        assert any("dns" in line for line in ours)

    async def test_wait_for_the_pool(self) -> None:
        """Who waits for a slot hears of the wait, and then of the connection it gets."""

        async def two_at_once(session: Any, url: str) -> None:
            async def get() -> None:
                async with session.get(url + "/") as response:
                    await response.read()

            await asyncio.gather(get(), get())

        async with RawServer(site) as server:
            ours = await run(aioclient, two_at_once, server, limit=1)
            assert sorted(ours) == sorted(await run(aiohttp, two_at_once, server, limit=1))
        assert "connection_queued_end" in ours
