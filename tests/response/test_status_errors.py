"""A status of 400 or more as an error, with the start of the body."""

import asyncio
import gzip
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

import aioclient
from aioclient import ClientResponse, ClientSession, StatusError, TCPConnector
from aioclient.testing import RawConnection, turns

from .. import spoken
from ..loopback import OK, answer, moved
from ..message.test_codings import zeros
from ..servers.either import RawServer

pytestmark = [pytest.mark.both_protocols, pytest.mark.rows("S003-90")]

LIMIT = 64 * 1024
MORE = bytes(range(256)) * 400  # 100 KiB
HEAD = b"HTTP/1.1 404 Not There\r\nX: 1\r\nContent-Type: text/plain; charset=latin1\r\n"

Raise = Callable[[ClientResponse], Awaitable[None]]


async def at_once(response: ClientResponse) -> None:
    response.raise_for_status()


async def with_body(response: ClientResponse) -> None:
    await response.check_status()


WAYS = pytest.mark.parametrize("way", [at_once, with_body])


async def settled(connector: aioclient.BaseConnector | None) -> aioclient.PoolStatistics:
    """Return the pool's numbers when nothing is in use any more."""
    assert connector is not None
    while connector.statistics().in_use:
        await turns(1)
    return connector.statistics()


def framed(body: bytes, framing: str) -> bytes:
    """Return a 404 with this body, its end told in one of three ways."""
    if framing == "length":
        return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    if framing == "chunked":
        chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n"
    return HEAD + b"\r\n" + body


class TestError:
    @WAYS
    async def test_what_it_carries(self, way: Raise) -> None:
        """Status, reason, fields, history, the request without its secrets, and the body as bytes and text."""
        replies = [
            moved("/b?token=geheim"),
            answer(
                b"n\xf6", "X: 1", "Content-Type: text/plain; charset=latin1", status="404 Not There"
            ),
        ]
        async with RawServer.replies(replies) as server, ClientSession() as session:
            response = await session.get(server.url("/a"), auth=("u", "geheim"))
            with pytest.raises(aiohttp.ClientResponseError) as caught:
                await way(response)
            assert response.closed
        error = caught.value
        assert isinstance(error, StatusError)
        assert (error.status, error.message) == (404, spoken.phrase(404, "Not There"))
        assert error.headers is not None
        assert error.headers["X"] == "1"
        assert [hop.status for hop in error.history] == [302]
        assert error.request_info.method == "GET"
        assert error.args == (error.request_info, error.history)
        assert (error.body, error.text) == (b"n\xf6", "nö")
        reason, url = spoken.phrase(404, "Not There"), server.url("/b?token=***")
        assert str(error) == f"404, message='{reason}', url='{url}', body: nö"
        assert repr(error) == f"<StatusError 404 '{reason}' of GET {url}, 2 bytes of its body>"
        assert "geheim" not in repr(error.request_info.headers)

    def test_shape(self) -> None:
        """It is made as aiohttp's error is, and body is what it has beside."""
        info: Any = None
        error = StatusError(info, (), status=500, message="Oops", headers=None)
        assert (error.status, error.message, error.headers, error.history) == (
            500,
            "Oops",
            None,
            (),
        )
        assert (error.body, error.text) == (b"", "")
        assert StatusError(info, ()).status == 0
        assert StatusError(info, (), body=b"\xff").text == "\ufffd"

    async def test_pickle(self) -> None:
        """It can be pickled, without the responses of its history."""
        replies = [moved("/b"), answer(b"no", "X: 1", status="404 Not There")]
        async with RawServer.replies(replies) as server, ClientSession() as session:
            with pytest.raises(StatusError) as caught:
                await session.get(server.url(), raise_for_status=True)
        error = caught.value
        copy = pickle.loads(pickle.dumps(error))
        assert isinstance(copy, StatusError)
        assert (copy.status, copy.message, copy.body) == (
            404,
            spoken.phrase(404, "Not There"),
            b"no",
        )
        assert copy.headers == error.headers
        assert copy.request_info.headers == error.request_info.headers
        assert copy.request_info.real_url == error.request_info.real_url
        assert copy.history == ()
        assert str(copy) == str(error)

    async def test_an_unknown_charset(self) -> None:
        """text is UTF-8 when the header names no charset that Python knows."""
        reply = answer("ö".encode(), "Content-Type: text/plain; charset=rot13", status="500 X")
        async with RawServer.replies([reply]) as server, ClientSession() as session:
            with pytest.raises(StatusError) as caught:
                await session.get(server.url(), raise_for_status=True)
        assert caught.value.text == "ö"

    @WAYS
    async def test_a_good_status(self, way: Raise) -> None:
        """Below 400 nothing is raised, and the body is still there."""
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            response = await session.get(server.url())
            await way(response)
            assert await response.text() == "ok"


class TestBody:
    @WAYS
    @pytest.mark.parametrize("framing", ["length", "chunked", "eof"])
    @pytest.mark.parametrize("size", [0, 2, LIMIT, LIMIT + 1, len(MORE)])
    async def test_that_is_here(self, way: Raise, framing: str, size: int) -> None:
        """At most its first 64 KiB are carried, and the connection is kept if its framing allows."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(framed(MORE[:size], framing))
            if framing == "eof":
                conn.send_eof()
            await conn.closed()

        async with RawServer(script) as server, ClientSession() as session:
            response = await session.get(server.url())
            await turns(5)
            with pytest.raises(StatusError) as caught:
                await way(response)
            if way is with_body or size <= 2:  # more may be on its way still
                assert caught.value.body == MORE[: min(size, LIMIT)]
            assert response.closed
            assert (await settled(session.connector)).idle == (framing != "eof" or spoken.kept())

    @WAYS
    async def test_that_was_read(self, way: Raise) -> None:
        """A body that was read is carried too, and can be read again."""
        async with (
            RawServer.replies([framed(MORE, "length")]) as server,
            ClientSession() as session,
        ):
            response = await session.get(server.url())
            await response.read()
            with pytest.raises(StatusError) as caught:
                await way(response)
            assert caught.value.body == MORE[:LIMIT]
            assert await response.read() == MORE

    @WAYS
    async def test_that_was_read_in_part(self, way: Raise) -> None:
        """Of a body of which a part was read, the rest is carried."""
        async with (
            RawServer.replies([framed(b"one\ntwo", "length")]) as server,
            ClientSession() as session,
        ):
            response = await session.get(server.url())
            assert await response.content.readline() == b"one\n"
            with pytest.raises(StatusError) as caught:
                await way(response)
            assert caught.value.body == b"two"

    @WAYS
    async def test_that_was_given_up(self, way: Raise) -> None:
        """Of a response that was released nothing is left to carry."""
        async with (
            RawServer.replies([framed(b"no", "length")]) as server,
            ClientSession() as session,
        ):
            response = await session.get(server.url())
            response.release()
            with pytest.raises(StatusError) as caught:
                await way(response)
            assert caught.value.body == b""

    async def test_that_is_on_its_way(self) -> None:
        """raise_for_status() carries what has come, check_status() and the session's own check wait."""

        async def script(conn: RawConnection) -> None:
            while True:
                await conn.read_request()
                conn.send(HEAD + b"Content-Length: 10\r\n\r\n01234")
                await turns(10)
                conn.send(b"56789")

        async with RawServer(script) as server, ClientSession() as session:
            response = await session.get(server.url())
            with pytest.raises(StatusError) as caught:
                response.raise_for_status()
            assert caught.value.body == b"01234"
            await settled(session.connector)
            with pytest.raises(StatusError) as caught:
                await (await session.get(server.url())).check_status()
            assert caught.value.body == b"0123456789"
            with pytest.raises(StatusError) as caught:
                await session.get(server.url(), raise_for_status=True)
            assert caught.value.body == b"0123456789"
            assert (await settled(session.connector)).idle == 1
            assert server.connections == 1

    async def test_of_a_coroutine_functions_error(self) -> None:
        """A coroutine function as raise_for_status= decides itself whether to wait."""

        async def check(response: ClientResponse) -> None:
            if response.status == 404:
                await response.check_status()

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(HEAD + b"Content-Length: 2\r\n\r\n")
            await turns(5)
            conn.send(b"no")
            await conn.read_request()
            conn.send(answer(status="500 X"))

        async with RawServer(script) as server, ClientSession(raise_for_status=check) as session:
            with pytest.raises(StatusError) as caught:
                await session.get(server.url())
            assert caught.value.body == b"no"
            assert (await session.get(server.url())).status == 500

    async def test_a_subclass_that_knows_better(self) -> None:
        """The session's check asks raise_for_status() of response_class; the body is still whole then."""

        class Lenient(ClientResponse):
            def raise_for_status(self) -> None:
                if self.status != 404:
                    super().raise_for_status()

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(HEAD + b"Content-Length: %d\r\n\r\n" % len(MORE))
            await turns(5)
            conn.send(MORE)
            await conn.closed()

        async with (
            RawServer(script) as server,
            ClientSession(raise_for_status=True, response_class=Lenient) as session,
        ):
            assert await (await session.get(server.url())).read() == MORE


class TestHostileBodies:
    async def dripping(self, conn: RawConnection) -> None:
        await conn.read_request()
        conn.send(HEAD + b"\r\nfirst")
        await conn.closed()

    @pytest.mark.virtual_clock
    @pytest.mark.parametrize("timeout", [None, 300, 5.5])
    async def test_it_is_not_waited_for_longer_than_5_s(self, timeout: float | None) -> None:
        """A body that does not end holds its status back for 5 s; what came of it is carried."""
        async with RawServer(self.dripping) as server, ClientSession() as session:
            start = asyncio.get_running_loop().time()
            with pytest.raises(StatusError) as caught:
                await session.get(server.url(), timeout=timeout, raise_for_status=True)
            assert asyncio.get_running_loop().time() - start == pytest.approx(5.0, abs=0.1)
            assert caught.value.body == b"first"
            assert isinstance(caught.value.__context__, TimeoutError)
            assert (await settled(session.connector)).idle == spoken.kept()

    @pytest.mark.virtual_clock
    async def test_nor_longer_than_the_deadline(self) -> None:
        """The call's deadline counts, and so does sock_read: the status is told when they are over."""
        async with RawServer(self.dripping) as server, ClientSession() as session:
            for timeout, kind in (
                (aioclient.ClientTimeout(total=2), aioclient.TotalTimeoutError),
                (aioclient.ClientTimeout(sock_read=2), aioclient.ReadTimeoutError),
            ):
                start = asyncio.get_running_loop().time()
                with pytest.raises(StatusError) as caught:
                    await session.get(server.url(), timeout=timeout, raise_for_status=True)
                assert asyncio.get_running_loop().time() - start == pytest.approx(2.0, abs=0.1)
                assert caught.value.body == b"first"
                assert isinstance(caught.value.__context__, kind)

    @WAYS
    async def test_a_body_that_breaks_off(self, way: Raise) -> None:
        """The status is the error, with what came of the body; why it ended is the context."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(HEAD + b"Content-Length: 10\r\n\r\n01234")

        async with RawServer(script) as server, ClientSession() as session:
            response = await session.get(server.url())
            with pytest.raises(StatusError) as caught:
                await way(response)
            assert caught.value.body == b"01234"
            if way is with_body:
                assert isinstance(caught.value.__context__, aioclient.IncompleteBodyError)
            assert (await settled(session.connector)).idle == spoken.kept()

    @WAYS
    @pytest.mark.parametrize("split", [False, True])
    async def test_a_body_that_is_no_gzip(self, way: Raise, split: bool) -> None:
        """A body that cannot be decoded does not hide the status."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n")
            if split:
                await turns(5)
            conn.send(b"JUNK")
            await conn.closed()

        async with RawServer(script) as server, ClientSession() as session:
            response = await session.get(server.url())
            with pytest.raises(StatusError) as caught:
                await way(response)
            assert caught.value.body == b""
            await settled(session.connector)

    @WAYS
    @pytest.mark.parametrize("coding", ["identity", "gzip", "br", "zstd", "deflate"])
    async def test_max_body_size(self, way: Raise, coding: str) -> None:
        """A body larger than max_body_size is carried up to that size."""
        body = zeros(coding, 2**20) if coding != "identity" else bytes(1000)
        reply = answer(body, f"Content-Encoding: {coding}", status="500 X")
        async with (
            RawServer.replies([reply]) as server,
            ClientSession(max_body_size=100) as session,
        ):
            with pytest.raises(StatusError) as caught:
                await way(await session.get(server.url()))
            assert caught.value.body == bytes(100)

    @WAYS
    @pytest.mark.parametrize("coding", ["identity", "gzip"])
    async def test_max_body_size_of_one_that_still_comes(self, way: Raise, coding: str) -> None:
        """The same for a body of which more than max_body_size is here, and not its end."""
        body = zeros(coding, 2**20) if coding != "identity" else bytes(1000)

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(answer(body + b"x", f"Content-Encoding: {coding}", status="500 X")[:-1])
            await conn.closed()

        async with RawServer(script) as server, ClientSession(max_body_size=100) as session:
            with pytest.raises(StatusError) as caught:
                await way(await session.get(server.url()))
            assert caught.value.body == bytes(100)

    @pytest.mark.both_loops
    async def test_cancelled(self) -> None:
        """Whoever cancels while the body of an error is waited for gets the slot back."""
        connector = TCPConnector(limit=1)
        async with (
            RawServer(self.dripping) as server,
            ClientSession(connector=connector) as session,
        ):
            response = await session.get(server.url())
            task = asyncio.create_task(response.check_status())  # type: ignore[arg-type]
            await turns(3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert response.closed
            assert connector.statistics().in_use == 0

    async def test_one_that_is_gzipped(self) -> None:
        """The body is carried decoded."""
        reply = answer(gzip.compress(MORE), "Content-Encoding: gzip", status="500 X")
        async with RawServer.replies([reply]) as server, ClientSession() as session:
            with pytest.raises(StatusError) as caught:
                await session.get(server.url(), raise_for_status=True)
            assert caught.value.body == MORE[:LIMIT]
