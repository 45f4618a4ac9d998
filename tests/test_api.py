"""One-shot calls: awaited they are whole, entered they stream, and nothing stays open."""

import asyncio
import re
from typing import Any

import pytest

import aioclient
from aioclient import TCPConnector, UnixConnector
from aioclient.testing import RawConnection

from .loopback import OK, answer, moved
from .servers.either import RawServer

pytestmark = pytest.mark.both_protocols

VERBS = ("get", "options", "head", "post", "put", "patch", "delete")


@pytest.mark.rows("S003-68", "S004-06")
class TestAwaited:
    @pytest.mark.parametrize("verb", VERBS)
    async def test_verbs(self, verb: str) -> None:
        """Each verb sends its method with the arguments of a session's call; its connection is closed."""
        reply = answer(b"" if verb == "head" else b"ok")
        async with RawServer.replies([reply]) as server:
            response = await getattr(aioclient, verb)(server.url(), params={"a": "1"})
            assert response.status == 200
            assert await response.text() == ("" if verb == "head" else "ok")
            assert response.closed
        (request,) = server.requests
        assert (request.method, request.target) == (verb.upper(), "/?a=1")

    async def test_request(self) -> None:
        """request() takes any method and every argument of a session's call."""
        async with RawServer.replies([OK]) as server:
            response = await aioclient.request(
                "propfind",
                server.url(),
                headers={"X": "1"},
                json={"a": 1},
                auth=("u", "p"),
                cookies={"c": "1"},
                timeout=5,
                raise_for_status=True,
            )
            assert await response.read() == b"ok"
        (request,) = server.requests
        assert request.method == "PROPFIND"
        assert request.body == b'{"a": 1}'
        assert (request.value("X"), request.value("Cookie")) == ("1", "c=1")

    async def test_a_long_body_is_read(self) -> None:
        """The body is read before the connection is closed, however long it takes to come."""
        body = bytes(3 * 2**20)
        async with RawServer.replies([answer(body)]) as server:
            response = await aioclient.get(server.url())
            assert len(await response.read()) == len(body)
            assert server.connections == 1

    @pytest.mark.http1_only("about the field Connection")
    async def test_each_call_has_its_own_connection(self) -> None:
        """The server is told that the connection will not be used again."""
        async with RawServer.replies([OK], repeat=True) as server:
            await aioclient.get(server.url())
            await aioclient.get(server.url())
        assert server.connections == 2
        assert [request.value("Connection") for request in server.requests] == ["close"] * 2

    async def test_head_stays_at_a_redirect(self) -> None:
        """As in a session, HEAD follows no redirect unless told to."""
        async with RawServer.replies([moved("/b")] * 2 + [answer(b"")]) as server:
            assert (await aioclient.head(server.url())).status == 302
            assert (await aioclient.head(server.url(), allow_redirects=True)).status == 200

    async def test_it_is_a_coroutine(self) -> None:
        """A call can be made a task, gathered, or run."""
        async with RawServer.replies([OK], repeat=True) as server:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(aioclient.get(server.url()))
            assert task.result().status == 200
            responses = await asyncio.gather(
                aioclient.get(server.url()), aioclient.post(server.url(), data=b"x")
            )
            assert [response.status for response in responses] == [200, 200]
        with pytest.raises(aioclient.ClientError):
            await asyncio.to_thread(lambda: asyncio.run(aioclient.get(server.url())))

    async def test_an_error_leaves_nothing(self) -> None:
        """After an error, in the head or in the body, everything is closed."""

        async def broken(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")

        async with RawServer(broken) as server:
            with pytest.raises(aioclient.IncompleteBodyError):
                await aioclient.get(server.url())
        with pytest.raises(aioclient.ClientConnectorError):
            await aioclient.get(server.url())

    async def test_unknown_arguments(self) -> None:
        """An argument that a call does not have raises TypeError that names it."""
        with pytest.raises(TypeError, match=re.escape("unknown arguments ['verify']")):
            await aioclient.get("http://127.0.0.1:1/", verify=False)  # type: ignore[call-arg]

    async def test_it_is_not_awaited(self) -> None:
        """A call that is neither awaited nor entered warns, as every coroutine does."""
        with pytest.warns(RuntimeWarning, match="was never awaited"):
            aioclient.get("http://127.0.0.1:1/")


@pytest.mark.rows("S003-68")
class TestEntered:
    async def test_the_body_is_read_inside(self) -> None:
        """Entered, the response comes with its head, and the body can be streamed."""

        async def slow(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none")
            await told.wait()
            conn.send(b"two")

        told = asyncio.Event()
        async with RawServer(slow) as server:
            async with aioclient.request("GET", server.url()) as response:
                assert await response.content.readexactly(3) == b"one"
                told.set()
                assert await response.read() == b"two"
            assert response.closed

    async def test_leaving_closes(self) -> None:
        """Leaving the block closes the connection, whatever was left of the body, and after an error too."""

        async def endless(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nok")
            assert await conn.closed() == b""
            closed.set()

        closed = asyncio.Event()
        async with RawServer(endless) as server:
            with pytest.raises(LookupError):
                async with aioclient.get(server.url()):
                    raise LookupError
            await closed.wait()

    async def test_an_error_on_the_way_in(self) -> None:
        """When there is no response there is nothing left to close."""
        async with RawServer.replies([answer(b"", status="404 No")]) as server:
            with pytest.raises(aioclient.ClientResponseError):
                async with aioclient.get(server.url(), raise_for_status=True):
                    raise AssertionError("not reached")


@pytest.mark.rows("S003-68")
class TestConnector:
    @pytest.mark.parametrize("entered", [True, False])
    async def test_it_stays_open(self, entered: bool) -> None:
        """A connector that was given is used, its connections with it, and stays open."""
        async with RawServer.replies([OK], repeat=True) as server, TCPConnector() as connector:
            for _ in range(2):
                if entered:
                    async with aioclient.get(server.url(), connector=connector) as response:
                        await response.read()
                else:
                    await aioclient.get(server.url(), connector=connector)
            assert not connector.closed
        assert server.connections == 1

    async def test_a_unix_socket(self, tmp_path: Any) -> None:
        """Any connector will do."""
        path = tmp_path / "s"
        async with (
            RawServer.replies([OK], unix_path=path) as server,
            UnixConnector(str(path)) as connector,
        ):
            assert (await aioclient.get(server.url(), connector=connector)).status == 200


async def test_one_that_is_not_awaited() -> None:
    """Who reads the response of a call at once is told of the functions that block."""
    pending: Any = aioclient.get("http://a.test/")
    with pytest.raises(AttributeError, match=r"await it first.*aioclient\.sync\.get\(\)"):
        pending.text  # noqa: B018
    pending.close()
