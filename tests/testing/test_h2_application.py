"""An aiohttp.web application over HTTP/2 does for its clients what it does over HTTP/1.1."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest
from aiohttp import WSMsgType, web
from h2.errors import ErrorCodes

from aioclient.testing import H2Setting, serve_h2, turns
from tests.servers.app import App
from tests.servers.certificates import Certificates
from tests.servers.require import require

from .h2_client import connect

pytestmark = pytest.mark.both_loops


async def echo(request: web.Request) -> web.Response:
    """Answer with the body, and the request's cookies in a field."""
    body = await request.read()
    cookies = ",".join(f"{name}={value}" for name, value in request.cookies.items())
    return web.Response(body=body, headers={"X-Cookies": cookies, "X-Host": request.host})


class TestRequests:
    async def test_of_an_application(self) -> None:
        """The routes of an application answer: JSON, redirects, statuses, streams, cookies."""
        app = App()
        async with serve_h2(app.application()) as server, connect(server.port) as client:
            got = await client.get("/get?a=1", ("x-a", "b"))
            assert (got.status, got.value("content-type")) == (
                200,
                "application/json; charset=utf-8",
            )
            assert b'"args": {"a": "1"}' in got.body and b'["x-a", "b"]' in got.body
            redirect = await client.get("/redirect/1")
            assert (redirect.status, redirect.value("location")) == (302, "/get")
            streamed = await client.get("/stream/3")
            assert streamed.body == b'{"id": 0}\n{"id": 1}\n{"id": 2}\n'
            assert streamed.value("transfer-encoding") is None
            set_cookie = await client.get("/cookies/set?a=1")
            assert set_cookie.value("set-cookie") == "a=1; Path=/"
            for status in (204, 304, 404, 500):
                answer = await client.get(f"/status/{status}")
                assert (answer.status, answer.reset) == (status, None)
        assert len(app.requests) == 8 and server.connections == 1

    async def test_of_a_handler(self) -> None:
        """A handler alone answers every request; it sees host and cookies as over HTTP/1.1."""
        async with serve_h2(echo) as server, connect(server.port) as client:
            answer = await client.get("/any/path", ("cookie", "a=1"), ("cookie", "b=2"))
        assert (answer.value("x-cookies"), answer.value("x-host")) == ("a=1,b=2", "a.test")

    async def test_head(self) -> None:
        """HEAD is answered with the fields of GET, and no body."""

        async def hello(request: web.Request) -> web.Response:
            return web.Response(text="hello")

        async with serve_h2(hello) as server, connect(server.port) as client:
            size = str(len((await client.get("/get")).body))
            answer = await client.get("/get", method="HEAD")
        assert (answer.value("content-length"), answer.body) == (size, b"")
        assert answer.ended and answer.reset is None

    async def test_bodies(self) -> None:
        """A body of known or unknown length comes whole, and so does a larger answer than the window."""
        body = os.urandom(300_000)
        async with serve_h2(echo) as server, connect(server.port) as client:
            for fields in ([], [("content-length", str(len(body)))]):
                stream_id = client.request("/", *fields, method="POST", end=False)
                await client.send(stream_id, body)
                assert (await client.answer(stream_id)).body == body
            stream_id = client.request("/", method="POST", end=False)
            await client.send(stream_id, b"x", end=False)
            client.h2.send_headers(stream_id, [("trailer", "dropped")], end_stream=True)
            client.flush()
            assert (await client.answer(stream_id)).body == b"x"

    async def test_expect(self) -> None:
        """`Expect: 100-continue` gets its interim response before the body is sent."""
        async with serve_h2(echo) as server, connect(server.port) as client:
            stream_id = client.request("/", ("expect", "100-continue"), method="PUT", end=False)
            while not client.answers[stream_id].interim:
                await client.read()
            await client.send(stream_id, b"body")
            answer = await client.answer(stream_id)
        assert answer.interim == [{":status": "100"}] and answer.body == b"body"

    async def test_many_at_a_time(self) -> None:
        """A hundred streams are answered side by side."""
        async with serve_h2(App().application()) as server, connect(server.port) as client:
            streams = [client.request(f"/bytes/{1000 * n}") for n in range(100)]
            sizes = [len((await client.answer(stream_id)).body) for stream_id in streams]
        assert sizes == [1000 * n for n in range(100)]

    async def test_over_tls(self, certificates: Certificates) -> None:
        """With a context that offers h2, the handler sees `https`."""
        context = certificates.server_context()
        context.set_alpn_protocols(["h2"])
        tls = certificates.client_context()
        tls.set_alpn_protocols(["h2"])

        async def scheme(request: web.Request) -> web.Response:
            return web.Response(text=request.scheme)

        async with serve_h2(scheme, ssl=context) as server, connect(server.port, tls) as client:
            assert (await client.get()).body == b"https"


class TestFlow:
    async def test_an_early_answer(self) -> None:
        """A handler that does not read the body answers, and the rest is refused without a fault."""

        async def refuse(request: web.Request) -> web.Response:
            return web.Response(status=413)

        async with serve_h2(refuse) as server, connect(server.port) as client:
            stream_id = client.request("/", method="POST", end=False)
            answer = await client.answer(stream_id)
            assert answer.status == 413
            while answer.reset is None:
                await client.read()
            assert answer.reset == ErrorCodes.NO_ERROR
            assert (await client.get()).status == 413

    async def test_both_directions(self) -> None:
        """A handler may answer while the request still comes."""

        async def both(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            async for data in request.content.iter_any():
                await response.write(data.upper())
            return response

        async with serve_h2(both) as server, connect(server.port) as client:
            stream_id = client.request("/", method="POST", end=False)
            answer = client.answers[stream_id]
            for sent in (b"a", b"ab", b"abc"):
                await client.send(stream_id, sent[-1:], end=False)
                while answer.body != sent.upper():
                    await client.read()
            client.h2.end_stream(stream_id)
            client.flush()
            assert (await client.answer(stream_id)).body == b"ABC"

    async def test_a_handler_waits_for_the_window(self) -> None:
        """What a client does not take stays with the handler, and other streams go on."""
        written = 0

        async def endless(request: web.Request) -> web.StreamResponse:
            nonlocal written
            if request.path == "/quick":
                return web.Response(text="quick")
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(bytes(10_000))
                written += 10_000

        async with serve_h2(endless) as server, connect(server.port) as client:
            client.acknowledges = False
            client.h2.increment_flow_control_window(1_000_000)
            stream_id = client.request()
            while len(client.answers[stream_id].body) < 65_535:
                await client.read()
            await turns(100)
            before = written
            assert (await client.get("/quick")).body == b"quick"
            assert written == before < 300_000

    async def test_the_client_waits_for_the_handler(self) -> None:
        """A handler that does not read stops the upload of its stream alone."""
        release = asyncio.Event()

        async def late(request: web.Request) -> web.Response:
            if request.method == "POST":
                await release.wait()
            return web.Response(text=str(len(await request.read())))

        async with serve_h2(late) as server, connect(server.port) as client:
            stream_id = client.request("/", method="POST", end=False)
            sent = 0
            for _ in range(200):
                size = min(10_000, client.h2.local_flow_control_window(stream_id))
                if not size:
                    assert (await client.get()).body == b"0"  # what comes meanwhile is read
                    size = min(10_000, client.h2.local_flow_control_window(stream_id))
                if not size:
                    break
                client.h2.send_data(stream_id, bytes(size))
                sent += size
                client.flush()
            assert 65_535 <= sent < 1_000_000
            release.set()
            client.h2.increment_flow_control_window(1000)
            await client.send(stream_id, bytes(200_000))
            assert (await client.answer(stream_id)).body == str(sent + 200_000).encode()

    async def test_a_reset_cancels_the_handler(self) -> None:
        """A client that resets a stream is one that went away, for its handler alone."""
        ended: list[str] = []
        entered = asyncio.Event()

        async def wait(request: web.Request) -> web.Response:
            if request.path != "/wait":
                return web.Response()
            try:
                entered.set()
                await asyncio.Event().wait()
            finally:
                ended.append(request.path)
            return web.Response()

        async with serve_h2(wait) as server, connect(server.port) as client:
            stream_id = client.request("/wait")
            await entered.wait()
            client.h2.reset_stream(stream_id, ErrorCodes.CANCEL)
            assert (await client.get()).status == 200
            await turns(10)
            assert ended == ["/wait"]

    @pytest.mark.parametrize("how", ["close", "abort"])
    async def test_a_handler_closes_its_transport(self, how: str) -> None:
        """The stream is reset in the midst of the response; others go on."""

        async def cut(request: web.Request) -> web.StreamResponse:
            if request.path != "/cut":
                return web.Response()
            response = web.StreamResponse()
            response.content_length = 1000
            await response.prepare(request)
            await response.write(b"some")
            assert request.transport is not None
            getattr(request.transport, how)()
            return response

        async with serve_h2(cut) as server, connect(server.port) as client:
            answer = await client.get("/cut")
            assert answer.reset == ErrorCodes.INTERNAL_ERROR
            assert answer.body == (b"some" if how == "close" else b"")
            assert (await client.get()).status == 200

    async def test_the_end_with_a_handler_that_waits(self) -> None:
        """At the end of the block what still runs is cancelled."""
        app = App()
        async with serve_h2(app.application()) as server, connect(server.port) as client:
            client.request("/wait")
            await app.entered.wait()


class TestWebSocket:
    async def test_over_a_stream(self) -> None:
        """An extended CONNECT is a WebSocket to the handler (RFC 8441)."""

        async def shout(request: web.Request) -> web.WebSocketResponse:
            socket = web.WebSocketResponse(protocols=("chat",))
            await socket.prepare(request)
            async for message in socket:
                assert message.type is WSMsgType.TEXT
                await socket.send_str(message.data.upper())
            return socket

        async with serve_h2(shout) as server, connect(server.port) as client:
            await client.read()
            assert client.h2.remote_settings.enable_connect_protocol == 1
            stream_id = client.request(
                "/chat",
                ("sec-websocket-version", "13"),
                ("sec-websocket-protocol", "chat"),
                method="CONNECT",
                end=False,
                protocol="websocket",
            )
            answer = client.answers[stream_id]
            while not answer.fields:
                await client.read()
            assert answer.status == 200
            assert answer.value("sec-websocket-protocol") == "chat"
            assert answer.value("sec-websocket-accept") is None
            await client.send(stream_id, masked(0x1, b"hello"), end=False)
            while len(answer.body) < 7:
                await client.read()
            assert answer.body == b"\x81\x05HELLO"
            await client.send(stream_id, masked(0x8, b"\x03\xe8"), end=False)
            assert (await client.answer(stream_id)).body[7:] == b"\x88\x02\x03\xe8"


def masked(opcode: int, payload: bytes) -> bytes:
    """A frame of a WebSocket's client, with a mask of zeros."""
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload


class TestOtherClients:
    async def run(self, *command: str) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        output, errors = await process.communicate()
        assert process.returncode == 0, errors
        return output

    async def test_curl(self, tmp_path: Path) -> None:
        """curl sends a body, gets it back, and asks for a head."""
        curl = require("curl", "curl")
        body = os.urandom(500_000)
        (tmp_path / "body").write_bytes(body)
        async with serve_h2(echo) as server:
            command = [curl, "-sS", "--http2-prior-knowledge", "--fail", server.url("/a")]
            sent = await self.run(*command, "--data-binary", f"@{tmp_path / 'body'}")
            head = await self.run(*command, "--head")
        assert sent == body and head.startswith(b"HTTP/2 200")

    async def test_curl_by_alpn(self, certificates: Certificates) -> None:
        """curl speaks HTTP/2 when the TLS handshake chooses it."""
        curl = require("curl", "curl")
        context = certificates.server_context()
        context.set_alpn_protocols(["h2"])
        async with serve_h2(App().application(), ssl=context) as server:
            url = server.url("/bytes/100000", host="localhost")
            output = await self.run(
                curl, "-sS", "--http2", "--cacert", str(certificates.ca_file), url,
                "-o", os.devnull, "-w", "%{http_version} %{size_download}",
            )  # fmt: skip
        assert output == b"2 100000"

    async def test_nghttp(self) -> None:
        """nghttp, which the makers of nghttp2 wrote, finds nothing to complain about."""
        nghttp = require("nghttp", "nghttp2-client")
        async with serve_h2(App().application()) as server:
            output = await self.run(nghttp, "-v", "-n", "-m", "50", server.url("/bytes/10000"))
        assert b"error_code=NO_ERROR" in output and output.count(b":status: 200") == 50
        assert b"RST_STREAM" not in output

    async def test_load(self) -> None:
        """h2load gets its answers, some on each of several connections."""
        h2load = require("h2load", "nghttp2-client")
        async with serve_h2(
            App().application(), settings={H2Setting.MAX_CONCURRENT_STREAMS: 10}
        ) as server:
            output = await self.run(h2load, "-n", "200", "-c", "4", "-m", "20", server.url("/get"))
        assert b"200 succeeded, 0 failed, 0 errored" in output
