"""HTTP servers that are shared by all that listen on the same host and port."""

import asyncio
import contextlib
import gzip
import logging
import re
import socket
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from aioclient import ClientSession, UnprotectedServerWarning
from aioclient.onebot import server as module
from aioclient.onebot.server import (
    MAX_MESSAGE,
    BodyError,
    Endpoint,
    Listening,
    check_path,
    check_port,
    is_loopback,
    listen,
    mount,
    read_body,
)
from aioclient.testing import cancel_everywhere, run_virtual

from ..servers.certificates import Certificates

HOST = "127.0.0.1"

pytestmark = pytest.mark.both_loops


async def ok(request: web.BaseRequest) -> web.Response:
    return web.Response(text=f"{request.method} {request.path}")


async def length(request: web.BaseRequest) -> web.Response:
    try:
        return web.Response(text=str(len(await read_body(request))))
    except BodyError as error:
        return web.Response(text=str(error))


@asynccontextmanager
async def listening(*endpoints: Endpoint, port: int = 0) -> AsyncIterator[int]:
    all_of_them: list[Listening] = []
    try:
        for endpoint in endpoints:
            all_of_them.append(await listen(endpoint, HOST, port))
            port = all_of_them[0].port
        yield port
    finally:
        for one in all_of_them:
            await one.close()


async def ask(method: str, port: int, path: str, **more: object) -> tuple[int, str]:
    async with (
        ClientSession() as session,
        session.request(method, f"http://{HOST}:{port}{path}", **more) as response,  # type: ignore[arg-type]
    ):
        return response.status, await response.text()


async def raw(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(data)
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


class TestStatuses:
    """The order in which a request is refused: 405, 404, then 401."""

    @pytest.mark.rows("S002-10", "S002-12")
    async def test_the_order(self) -> None:
        """An unknown method comes before an unknown path, and that before a missing token."""
        async with listening(Endpoint("POST", "/", ok, access_token="t")) as port:
            assert (await ask("GET", port, "/nowhere"))[0] == 405
            assert (await ask("GET", port, "/"))[0] == 405
            assert (await ask("POST", port, "/nowhere"))[0] == 404
            assert (await ask("POST", port, "/"))[0] == 401
            assert (await ask("POST", port, "/?access_token=t")) == (200, "POST /")
            assert (await ask("POST", port, "//"))[0] == 404

    async def test_fields(self) -> None:
        """A 405 has Allow, a 401 has WWW-Authenticate."""
        endpoints = Endpoint("POST", "/", ok, access_token="t"), Endpoint("GET", "/ws", ok)
        async with (
            listening(*endpoints) as port,
            ClientSession(f"http://{HOST}:{port}/") as session,
        ):
            async with session.put("") as response:
                assert response.status, response.headers["Allow"] == (405, "POST")
            async with session.put("other") as response:
                assert response.status, response.headers["Allow"] == (405, "GET, POST")
            async with session.post("") as response:
                assert response.headers["WWW-Authenticate"] == "Bearer"
            async with session.head("ws") as response:
                assert response.status == 405

    @pytest.mark.rows("SRV-01")
    async def test_a_browser(self) -> None:
        """Without a token an Origin is refused with 403; other clients are served."""
        async with listening(Endpoint("POST", "/", ok)) as port:
            assert (await ask("POST", port, "/", headers={"Origin": "https://a.example"}))[0] == 403
            assert (await ask("POST", port, "/"))[0] == 200

    @pytest.mark.rows("SRV-01")
    async def test_no_token_in_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        """Neither a right nor a wrong token is logged, nor what was received in place of HTTP."""
        caplog.set_level(logging.DEBUG)
        async with listening(Endpoint("POST", "/", ok, access_token="s3cret")) as port:
            await ask("POST", port, "/?access_token=s3cret")
            await ask("POST", port, "/?access_token=s3cret1")
            await ask("POST", port, "/", headers={"Authorization": "s3cret"})
            assert b"400" in await raw(port, b"s3cret s3cret\r\n\r\n")
            assert b"400" in await raw(port, b"POST /?s3cret HTTP/1.1\r\nHost: a\r\ns3cret\r\n\r\n")
            assert b"400" in await raw(port, b"\x16\x03\x01s3cret\r\n\r\n")
        ours = [r for r in caplog.records if r.name == "aioclient.onebot.server"]
        assert [r.getMessage() for r in ours if r.levelno == logging.WARNING] == [
            f"POST / from {HOST}: refused with 401"
        ] * 2
        assert not [r for r in caplog.records if r.levelno > logging.WARNING]
        texts = [
            logging.Formatter().format(r)
            for r in caplog.records
            if "client" not in r.name or r in ours
        ]
        assert not [text for text in texts if "s3cret" in text]


class TestFraming:
    @pytest.mark.rows("SRV-02")
    @pytest.mark.parametrize(
        "fields",
        [
            b"Content-Length: 4\r\nTransfer-Encoding: chunked",
            b"Transfer-Encoding: chunked\r\nContent-Length: 4",
            b"Content-Length: 4\r\nContent-Length: 5",
            b"Content-Length: +4",
            b"Content-Length: 4\r\nHost: b",
            b"Transfer-Encoding: gzip",
            b"Content-Length : 4",
        ],
    )
    async def test_two_framings(self, fields: bytes) -> None:
        """A request whose end can be read in two ways is refused with 400, and nothing behind it is a request."""
        served: list[str] = []

        async def note(request: web.BaseRequest) -> web.Response:
            served.append(request.path)
            return web.Response(text=str(len(await read_body(request))))

        async with listening(Endpoint("POST", "/", note), Endpoint("POST", "/x", note)) as port:
            hidden = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
            data = b"POST / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n\r\n0\r\n\r\n" + hidden
            assert b" 400 " in (await raw(port, data))[:20]
        assert served == []

    @pytest.mark.rows("SRV-02")
    async def test_pipelining(self) -> None:
        """Requests one behind the other are answered in order, each by itself; a refused one does not open the next."""
        async with listening(Endpoint("POST", "/", length, access_token="t")) as port:
            good = b"POST /?access_token=t HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok"
            bad = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
            answer = await raw(port, good + good + bad)
        assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"200", b"200", b"401"]


class TestSharing:
    async def test_one_port(self) -> None:
        """Several endpoints share a port, also a method each at one path; each ends alone."""
        ends = [
            Endpoint("POST", "/", ok),
            Endpoint("GET", "/", ok),
            Endpoint("POST", "/a/b", ok),
        ]
        first = await listen(ends[0], HOST, 0)
        port = first.port
        second = await listen(ends[1], HOST, port)
        third = await listen(ends[2], HOST, port)
        assert first.port == second.port == third.port
        assert await ask("POST", port, "/") == (200, "POST /")
        assert await ask("GET", port, "/") == (200, "GET /")
        await first.close()
        assert (await ask("POST", port, "/"))[0] == 405
        assert (await ask("POST", port, "/a/b"))[0] == 200
        await third.close()
        assert await ask("GET", port, "/") == (200, "GET /")
        await second.close()
        with pytest.raises(OSError):
            await asyncio.open_connection(HOST, port)

    async def test_the_same_twice(self) -> None:
        """The same method and path at one port is an error that says what to do; nothing else is disturbed."""
        async with listening(Endpoint("POST", "/", ok)) as port:
            with pytest.raises(ValueError, match=f"POST / of {HOST}:{port} is served already"):
                await listen(Endpoint("POST", "/", length), HOST, port)
            assert await ask("POST", port, "/") == (200, "POST /")

    async def test_the_port_is_taken(self) -> None:
        """The error names the address, and nothing is left behind."""
        with socket.create_server((HOST, 0)) as other:
            port = other.getsockname()[1]
            with pytest.raises(OSError, match=f"cannot listen on {HOST}:{port}: .*; give another"):
                await listen(Endpoint("POST", "/", ok), HOST, port)
        async with listening(Endpoint("POST", "/", ok), port=port):
            assert (await ask("POST", port, "/"))[0] == 200

    async def test_again_at_once(self) -> None:
        """A port can be used again as soon as the last endpoint has gone."""
        port = 0
        for _ in range(5):
            async with listening(Endpoint("POST", "/", ok), port=port) as port:
                assert (await ask("POST", port, "/"))[0] == 200

    async def test_at_once(self) -> None:
        """Endpoints that start at the same time share a server."""
        async with listening(Endpoint("GET", "/x", ok)) as port:
            pass
        ends = [Endpoint("POST", f"/{number}", ok) for number in range(5)]
        all_of_them = await asyncio.gather(*(listen(end, HOST, port) for end in ends))
        for number in range(5):
            assert (await ask("POST", port, f"/{number}"))[0] == 200
        await asyncio.gather(*(one.close() for one in all_of_them))

    async def test_a_port_each(self) -> None:
        """Port 0 is a port of one's own."""
        async with (
            listening(Endpoint("POST", "/", ok)) as one,
            listening(Endpoint("POST", "/", ok)) as two,
        ):
            assert one != two

    def test_two_loops(self) -> None:
        """An endpoint can be served in one loop after another."""
        endpoint = Endpoint("POST", "/", ok)

        async def main() -> tuple[int, str]:
            async with listening(endpoint) as port:
                return await ask("POST", port, "/")

        assert asyncio.run(main()) == asyncio.run(main()) == (200, "POST /")

    async def test_tls(self, certificates: Certificates) -> None:
        """With ssl_context= it is HTTPS; another context at the same port is an error."""
        server, client = certificates.server_context(), certificates.client_context()
        one = await listen(Endpoint("POST", "/", ok), "localhost", 0, ssl_context=server)
        async with (
            ClientSession() as session,
            session.post(f"https://localhost:{one.port}/", ssl=client) as response,
        ):
            assert response.status == 200
        with pytest.raises(ValueError, match="another ssl_context"):
            await listen(Endpoint("POST", "/a", ok), "localhost", one.port)
        await one.close()


class TestWarning:
    @pytest.mark.rows("SRV-01", "S002-08")
    async def test_beyond_loopback(self) -> None:
        """A server without a token that other machines can reach warns at the caller's line."""
        with pytest.warns(UnprotectedServerWarning, match="needs no token") as found:
            one = await listen(Endpoint("POST", "/", ok), "0.0.0.0", 0)
        await one.close()
        assert found[0].filename == __file__

    async def test_as_an_error(self) -> None:
        """Where warnings are errors, nothing is listened on."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(UnprotectedServerWarning):
                await listen(Endpoint("POST", "/", ok), "0.0.0.0", 0)

    async def test_no_warning(self) -> None:
        """With a token, and on loopback, there is none."""
        one = await listen(Endpoint("POST", "/", ok, access_token="t"), "0.0.0.0", 0)
        await one.close()

    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("127.0.0.1", True),
            ("127.9.9.9", True),
            ("::1", True),
            ("localhost", True),
            ("a.localhost", True),
            ("0.0.0.0", False),
            ("::", False),
            ("", False),
            ("10.0.0.1", False),
            ("example.org", False),
            ("127.0.0.1.example.org", False),
        ],
    )
    def test_loopback(self, host: str, expected: bool) -> None:
        assert is_loopback(host) == expected


class TestBody:
    @pytest.mark.rows("SRV-01")
    async def test_a_large_one(self) -> None:
        """4 MiB are read, more is not, with and without a length, also if a coding hides it."""
        async with listening(Endpoint("POST", "/", length)) as port:
            assert await ask("POST", port, "/") == (200, "0")
            assert await ask("POST", port, "/", data=bytes(MAX_MESSAGE)) == (200, str(MAX_MESSAGE))
            large = f"the body is larger than {MAX_MESSAGE} bytes"
            assert await ask("POST", port, "/", data=bytes(MAX_MESSAGE + 1)) == (200, large)
            bomb = gzip.compress(bytes(10 * MAX_MESSAGE))
            coded = {"Content-Encoding": "gzip"}
            assert await ask("POST", port, "/", data=bomb, headers=coded) == (200, large)
            assert await ask("POST", port, "/", data=b"no gzip", headers=coded) == (
                200,
                "the body is broken",
            )

            async def pieces() -> AsyncIterator[bytes]:
                for _ in range(10):
                    yield bytes(MAX_MESSAGE // 4)

            assert await ask("POST", port, "/", data=pieces()) == (200, large)

    async def test_a_slow_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A body that does not arrive is given up."""
        monkeypatch.setattr(module, "BODY_LIMIT", 0.01)
        async with listening(Endpoint("POST", "/", length)) as port:
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
            answer = await reader.readuntil(b"longer than 0.01 s")
            assert answer.startswith(b"HTTP/1.1 200 ")
            writer.close()
            await writer.wait_closed()

    async def test_expect(self) -> None:
        """A client that asks first is told to go on, but not if it is refused."""
        async with listening(Endpoint("POST", "/", length, access_token="t")) as port:
            head = b"POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: %s\r\n\r\n"
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(head % (b"?access_token=t", b"100-continue"))
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"ok")
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n2")
            writer.close()
            await writer.wait_closed()
            for query, expectation, status in (
                (b"", b"100-continue", b"401"),
                (b"?access_token=t", b"something", b"417"),
            ):
                reader, writer = await asyncio.open_connection(HOST, port)
                writer.write(head % (query, expectation))
                assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 " + status)
                writer.close()
                await writer.wait_closed()

    def test_a_refused_one_that_expects(self) -> None:
        """One that asks first and is refused is not waited for."""

        async def main() -> float:
            async with listening(Endpoint("POST", "/", length, access_token="t")) as port:
                clock = asyncio.get_running_loop().time
                began = clock()
                head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
                reader, writer = await asyncio.open_connection(HOST, port)
                writer.write(head)
                assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 401")
                writer.close()
                await writer.wait_closed()
                return clock() - began

        assert run_virtual(main()) < 1

    async def test_a_refused_one_that_is_sent(self) -> None:
        """One that is sent all the same is read and dropped: a client that has not sent all sees the answer."""
        size = 2**25
        async with listening(Endpoint("POST", "/", length, access_token="t")) as port:
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
            for _ in range(size // 2**20):
                writer.write(bytes(2**20))
                await writer.drain()
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 401")
            writer.close()
            await writer.wait_closed()

    def test_a_refused_one_without_end(self) -> None:
        """One that does not come is dropped for ten seconds, no longer."""

        async def main() -> float:
            async with listening(Endpoint("POST", "/", length, access_token="t")) as port:
                clock = asyncio.get_running_loop().time
                began = clock()
                reader, writer = await asyncio.open_connection(HOST, port)
                writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
                assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 401")
                writer.close()
                await writer.wait_closed()
                return clock() - began

        assert run_virtual(main()) == pytest.approx(10, abs=1)

    def test_a_silent_handshake(self, certificates: Certificates) -> None:
        """A TLS handshake has ten seconds."""
        context = certificates.server_context()

        async def main() -> float:
            one = await listen(Endpoint("POST", "/", length), HOST, 0, ssl_context=context)
            clock = asyncio.get_running_loop().time
            began = clock()
            reader, writer = await asyncio.open_connection(HOST, one.port)
            assert await reader.read() == b""
            took = clock() - began
            writer.close()
            await writer.wait_closed()
            await one.close()
            return took

        assert run_virtual(main()) == pytest.approx(10, abs=1)


class TestEnd:
    async def test_running_requests_end(self) -> None:
        """close() waits for the requests that are being answered."""
        entered, go_on = asyncio.Event(), asyncio.Event()

        async def slow(request: web.BaseRequest) -> web.Response:
            entered.set()
            await go_on.wait()
            return web.Response(text="done")

        one = await listen(Endpoint("POST", "/", slow), HOST, 0)
        asked = asyncio.create_task(ask("POST", one.port, "/"))
        await entered.wait()
        closing = asyncio.create_task(one.close())
        await asyncio.sleep(0)
        assert not closing.done()
        go_on.set()
        assert await asked == (200, "done")
        await closing

    async def test_they_do_not_end(self, caplog: pytest.LogCaptureFixture) -> None:
        """After the limit they are cancelled, with a line in the log."""
        entered = asyncio.Event()

        async def stuck(request: web.BaseRequest) -> web.Response:
            entered.set()
            await asyncio.Event().wait()
            raise AssertionError

        one = await listen(Endpoint("POST", "/", stuck), HOST, 0)
        asked = asyncio.create_task(ask("POST", one.port, "/"))
        await entered.wait()
        await one.close(0.01)
        with pytest.raises(Exception, match=r"closed|disconnect|reset"):
            await asked
        assert "1 requests were not answered within 0.01 s" in caplog.text

    @pytest.mark.parametrize("turns", range(6))
    async def test_connections_that_are_just_made(self, turns: int) -> None:
        """A connection that is accepted while the server closes is closed, too."""
        one = await listen(Endpoint("POST", "/", length), HOST, 0)
        with socket.create_connection((HOST, one.port)) as client:
            client.setblocking(False)
            for _ in range(turns):
                await asyncio.sleep(0)
            await one.close()
            with contextlib.suppress(ConnectionError):
                assert await asyncio.get_running_loop().sock_recv(client, 1) == b""

    async def test_idle_connections(self) -> None:
        """Kept-alive connections are closed with the server."""
        one = await listen(Endpoint("POST", "/", ok), HOST, 0)
        half, half_writer = await asyncio.open_connection(HOST, one.port)
        half_writer.write(b"POST / HT")
        reader, writer = await asyncio.open_connection(HOST, one.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"POST /")
        await one.close()
        assert await reader.read() == await half.read() == b""
        writer.close()
        half_writer.close()
        await writer.wait_closed()
        await half_writer.wait_closed()

    async def test_cancelled(self) -> None:
        """Cancelled at any await, nothing is left."""

        async def scenario() -> None:
            async with listening(Endpoint("POST", "/", ok), Endpoint("GET", "/", ok)) as port:
                reader, writer = await asyncio.open_connection(HOST, port)
                try:
                    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n")
                    await reader.readuntil(b"POST /")
                finally:
                    writer.close()

        await cancel_everywhere(scenario)


class TestMounting:
    async def test_an_application(self) -> None:
        """An endpoint can be a route of an application; it answers 503 while it is not open."""
        app = web.Application()
        endpoint = Endpoint("POST", "/bot", ok, access_token="t")
        mount(app, endpoint)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        try:
            assert (await ask("POST", site.port, "/bot?access_token=t"))[0] == 503
            endpoint.is_open = True
            assert (await ask("POST", site.port, "/bot"))[0] == 401
            assert await ask("POST", site.port, "/bot?access_token=t") == (200, "POST /bot")
            await endpoint.stop(1.0)
            assert (await ask("POST", site.port, "/bot?access_token=t"))[0] == 503
        finally:
            await runner.cleanup()

    async def test_a_route_that_exists(self) -> None:
        """A second route for the same method and path is an error of the application."""
        app = web.Application()
        mount(app, Endpoint("POST", "/", ok))
        with pytest.raises(RuntimeError, match="already registered"):
            mount(app, Endpoint("POST", "/", ok))


@pytest.mark.parametrize("path", ["", "a", "/a?b", "/a#b"])
def test_paths(path: str) -> None:
    """A path begins with a slash, and has no query."""
    with pytest.raises(ValueError, match="give the path of a URL"):
        check_path(path)


def test_ports() -> None:
    """A port is an int from 0 to 65535."""
    assert check_port(0) == 0
    for port in (-1, 65536):
        with pytest.raises(ValueError, match="give 1 to 65535"):
            check_port(port)
    for port in (True, "80"):  # type: ignore[assignment]
        with pytest.raises(TypeError, match="port must be an int"):
            check_port(port)
