"""The scripted server of HTTP/2 says what the script wants, does the rest right, and is strict with its client."""

import asyncio
import ssl
from collections.abc import Callable

import pytest
from h2.events import (
    PingAckReceived,
    PushedStreamReceived,
    RemoteSettingsChanged,
    SettingsAcknowledged,
)
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    PushPromiseFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from aioclient.testing import (
    H2Code,
    H2Connection,
    H2Kind,
    H2Server,
    H2Setting,
    turns,
)
from tests.servers.certificates import Certificates

from .h2_client import Client, connect

pytestmark = pytest.mark.both_loops

OK = (":status", "200")


async def answers(conn: H2Connection) -> None:
    """Answer each request with what it asked."""
    while True:
        request = await conn.read_request()
        body = f"{request.method} {request.target} {len(request.body)}".encode()
        await conn.respond(request.stream_id, 200, [("x-a", "1")], body)


class TestRequests:
    async def test_one_after_the_other(self) -> None:
        """A request comes with its fields, its body and its trailers; the answer goes on its stream."""
        async with H2Server(answers) as server, connect(server.port) as client:
            first = await client.get("/x?y", ("cookie", "a=1"), ("cookie", "b=2"))
            stream_id = client.request("/up", method="POST", end=False)
            await client.send(stream_id, b"x" * 200_000, end=False)
            client.h2.send_headers(stream_id, [("t", "1")], end_stream=True)
            client.flush()
            second = await client.answer(stream_id)
        assert (first.status, first.value("x-a"), first.body) == (200, "1", b"GET /x?y 0")
        assert second.body == b"POST /up 200000"
        get, post = server.requests
        assert (get.method, get.target, get.version, get.authority) == (
            "GET",
            "/x?y",
            "HTTP/2",
            "a.test",
        )
        assert get.values("cookie") == ["a=1", "b=2"] and get.fields[0] == (b":method", b"GET")
        assert (post.stream_id, post.trailers) == (3, [(b"t", b"1")])
        assert server.connections == 1 and server.served[0].requests == [get, post]

    async def test_the_first_that_is_complete(self) -> None:
        """Requests are read as they become complete, with `body=False` as they begin."""

        async def script(conn: H2Connection) -> None:
            head = await conn.read_request(body=False)
            assert (head.target, head.body) == ("/slow", b"")
            second = await conn.read_request()
            await conn.respond(second.stream_id, body=b"quick")
            whole = await conn.read_body(head)
            await conn.respond(whole.stream_id, body=whole.body)
            await conn.closed()

        async with H2Server(script) as server, connect(server.port) as client:
            slow = client.request("/slow", method="POST", end=False)
            assert (await client.get("/quick")).body == b"quick"
            await client.send(slow, b"and slow")
            assert (await client.answer(slow)).body == b"and slow"

    async def test_over_tls(self, certificates: Certificates) -> None:
        """The context offers h2, and the script is the same."""
        context = certificates.server_context()
        context.set_alpn_protocols(["h2"])
        tls = certificates.client_context()
        tls.set_alpn_protocols(["h2", "http/1.1"])
        async with H2Server(answers, ssl=context) as server, connect(server.port, tls) as client:
            assert server.url("/").startswith("https:")
            ssl_object: ssl.SSLObject = client.writer.get_extra_info("ssl_object")
            assert ssl_object.selected_alpn_protocol() == "h2"
            assert (await client.get()).body == b"GET / 0"

    async def test_a_reset_ends_the_wait_for_a_body(self) -> None:
        """The client resets its request: what waits for the rest of it ends, the connection goes on."""
        seen: list[str] = []

        async def script(conn: H2Connection) -> None:
            head = await conn.read_request(body=False)
            try:
                await conn.read_body(head)
            except ConnectionResetError as exc:
                seen.append(str(exc))
            await conn.respond((await conn.read_request()).stream_id)
            assert (await conn.read_frame(H2Kind.RST_STREAM)).code == H2Code.CANCEL
            await conn.closed()

        async with H2Server(script) as server, connect(server.port) as client:
            stream_id = client.request(method="POST", end=False)
            client.h2.reset_stream(stream_id, H2Code.CANCEL)
            assert (await client.get()).status == 200
        assert seen == ["the client reset stream 1, code 8"]


class TestWindows:
    async def test_a_body_waits_for_the_client(self) -> None:
        """More than the client's window is sent as the client gives it back, several bodies at a time."""
        body = b"0123456789abcdef" * 20_000

        async def script(conn: H2Connection) -> None:
            requests = [await conn.read_request() for _ in range(3)]
            await asyncio.gather(
                *(conn.respond(request.stream_id, body=body) for request in requests)
            )
            await conn.closed()

        async with H2Server(script) as server, connect(server.port) as client:
            streams = [client.request() for _ in range(3)]
            for stream_id in streams:
                assert (await client.answer(stream_id)).body == body

    async def test_a_window_changed_in_flight(self) -> None:
        """INITIAL_WINDOW_SIZE of the client is that of the open streams too, below zero even."""
        states: list[int] = []

        async def script(conn: H2Connection) -> None:
            request = await conn.read_request()
            conn.send_headers(request.stream_id, [OK])
            conn.send_data(request.stream_id, bytes(1000))
            await conn.read_frame(H2Kind.SETTINGS)
            while H2Setting.INITIAL_WINDOW_SIZE not in conn.client_settings or not states:
                states.append(conn.allowed(request.stream_id))
                await conn.advance()
            await conn.send_body(request.stream_id, b"end")
            await conn.closed()

        async with H2Server(script) as server, connect(server.port) as client:
            client.acknowledges = False
            stream_id = client.request()
            while len(client.answers[stream_id].body) < 1000:
                await client.read()
            client.h2.update_settings({H2Setting.INITIAL_WINDOW_SIZE: 100})
            client.flush()
            await turns(10)
            client.h2.increment_flow_control_window(2000, stream_id)
            client.flush()
            assert (await client.answer(stream_id)).body == bytes(1000) + b"end"

    async def test_windows_not_given(self) -> None:
        """Without `gives_windows` the client gets no window but by the script."""

        async def script(conn: H2Connection) -> None:
            conn.gives_windows = False
            head = await conn.read_request(body=False)
            for _ in range(4):  # 65,535 bytes in frames of 16,384
                await conn.read_frame(H2Kind.DATA)
            conn.window_update(0, 1000)
            conn.window_update(head.stream_id, 100)
            assert len((await conn.read_frame(H2Kind.DATA)).payload) == 100
            conn.window_update(head.stream_id, 70_000)
            conn.window_update(0, 70_000)
            whole = await conn.read_body(head)
            await conn.respond(head.stream_id, body=str(len(whole.body)).encode())
            await conn.closed()

        async with H2Server(script) as server, connect(server.port) as client:
            stream_id = client.request(method="POST", end=False)
            await client.send(stream_id, bytes(100_000))
            assert (await client.answer(stream_id)).body == b"100000"


class TestSends:
    async def test_whatever_the_script_wants(self) -> None:
        """Each helper sends its frame."""

        async def script(conn: H2Connection) -> None:
            one = (await conn.read_request()).stream_id
            conn.send_headers(one, [(":status", "103"), ("link", "</x>")])
            conn.send_headers(one, [OK, ("a", "b" * 100)], pieces=4, padding=7)
            conn.send_data(one, b"hello", padding=9)
            conn.send_headers(one, [("trailer", "1")], end=True)
            conn.ping(b"12345678")
            assert (await conn.read_frame(H2Kind.PING)).payload == b"12345678"
            two = (await conn.read_request()).stream_id
            conn.push_promise(two, 2, GET)
            conn.reset_stream(two, H2Code.REFUSED_STREAM)
            three = (await conn.read_request()).stream_id
            conn.send_settings({H2Setting.MAX_CONCURRENT_STREAMS: 7})
            conn.send(conn.encode([]))
            conn.send_frame(0xFA, 0xFF, three, b"unknown")
            await conn.respond(three, 204)
            conn.goaway(three, H2Code.ENHANCE_YOUR_CALM, b"why")
            await conn.closed()

        settings = {H2Setting.INITIAL_WINDOW_SIZE: 1000}
        async with H2Server(script, settings=settings) as server, connect(server.port) as client:
            answer = await client.get()
            assert answer.interim == [{":status": "103", "link": "</x>"}]
            assert (answer.value("a"), answer.body) == ("b" * 100, b"hello")
            assert answer.trailers == [("trailer", "1")]
            assert (await client.get()).reset == H2Code.REFUSED_STREAM
            assert (await client.get()).status == 204
            while client.closed is None:
                await client.read()
            assert client.closed == H2Code.ENHANCE_YOUR_CALM
            kinds = [type(event) for event in client.events]
            assert RemoteSettingsChanged in kinds and PushedStreamReceived in kinds
            assert client.h2.remote_settings.max_concurrent_streams == 7

    async def test_nothing_by_itself(self) -> None:
        """Without settings the script sends the first bytes; SETTINGS and PING may stay unanswered."""

        async def script(conn: H2Connection) -> None:
            conn.answers_pings = conn.answers_settings = False
            await conn.read_frame(H2Kind.PING)
            conn.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await conn.closed()

        async with H2Server(script, settings=None) as server, connect(server.port) as client:
            client.h2.ping(b"12345678")
            client.flush()
            text = b"HTTP/1.1 400 Bad Request\r\n\r\n"
            assert await client.reader.readexactly(len(text)) == text

    async def test_pings_and_settings_are_answered(self) -> None:
        """What a script does not look at is answered."""
        async with H2Server(answers) as server, connect(server.port) as client:
            client.h2.ping(b"12345678")
            await client.get()
            kinds = [type(event) for event in client.events]
            assert PingAckReceived in kinds and SettingsAcknowledged in kinds


GET = [(":method", "GET"), (":scheme", "http"), (":authority", "a.test"), (":path", "/")]


def head(client: Client, fields: list[tuple[str, str]], stream_id: int = 1, *flags: str) -> Frame:
    block = client.h2.encoder.encode(fields)
    return HeadersFrame(stream_id, block, flags=flags or ("END_HEADERS", "END_STREAM"))


FAULTS: dict[str, tuple[str, Callable[[Client], list[Frame]]]] = {
    "no authority": (":authority", lambda c: [head(c, GET[:2] + GET[3:])]),
    "no path": (":path", lambda c: [head(c, GET[:3])]),
    "no method": (":method", lambda c: [head(c, GET[1:])]),
    "user": ("u@a.test", lambda c: [head(c, [*GET[:2], (":authority", "u@a.test"), GET[3]])]),
    "host differs": ("b.test", lambda c: [head(c, [*GET, ("host", "b.test")])]),
    "double": ("double", lambda c: [head(c, [*GET, *GET])]),
    "late pseudo": (":path", lambda c: [head(c, [*GET[:3], ("a", "b"), GET[3]])]),
    "connection": ("does not belong", lambda c: [head(c, [*GET, ("connection", "close")])]),
    "te": ("does not belong", lambda c: [head(c, [*GET, ("te", "gzip")])]),
    "upper case": ("is not a field", lambda c: [head(c, [*GET, ("X-A", "b")])]),
    "line break": ("is not a field", lambda c: [head(c, [*GET, ("x", "a\r\nb")])]),
    "even": ("odd", lambda c: [head(c, GET, 2)]),
    "idle": ("idle", lambda c: [DataFrame(1, b"x")]),
    "after the end": ("ended", lambda c: [head(c, GET), DataFrame(1, b"x")]),
    "ended twice": ("ended", lambda c: [head(c, GET), head(c, [("a", "b")])]),
    "too short": (
        "Content-Length is 5",
        lambda c: [
            head(c, [*GET, ("content-length", "5")], 1, "END_HEADERS"),
            DataFrame(1, b"x", flags=["END_STREAM"]),
        ],
    ),
    "within a block": ("within", lambda c: [head(c, GET, 1, "END_STREAM"), PingFrame(0, b"8" * 8)]),
    "continuation": ("no field block", lambda c: [ContinuationFrame(1, b"")]),
    "push": ("from a client", lambda c: [PushPromiseFrame(1, 2)]),
    "window of 0": ("grows by 0", lambda c: [_raw_window()]),
    "too large": (
        "are allowed",
        lambda c: [head(c, GET, 1, "END_HEADERS"), DataFrame(1, bytes(20_000))],
    ),
    "too much": (
        "exceeds a window",
        lambda c: [
            head(c, GET, 1, "END_HEADERS"),
            *[DataFrame(1, bytes(16_000)) for _ in range(5)],
        ],
    ),
    "acknowledged": (
        "were not sent",
        lambda c: [SettingsFrame(0, flags=["ACK"]) for _ in range(2)],
    ),
}


def _raw_window() -> Frame:
    frame = WindowUpdateFrame(0)
    frame.window_increment = 1
    frame.serialize_body = lambda: bytes(4)  # type: ignore[method-assign]
    return frame


class TestIsStrict:
    @pytest.mark.parametrize("fault", FAULTS)
    async def test_a_client_that_breaks_a_rule(self, fault: str) -> None:
        """It is an error at the server's end, which fails the test."""
        text, make = FAULTS[fault]

        async def script(conn: H2Connection) -> None:
            conn.gives_windows = False
            await conn.closed()

        with pytest.raises(ValueError, match=text):
            async with H2Server(script) as server, connect(server.port) as client:
                await client.read()
                for frame in make(client):
                    client.writer.write(frame.serialize())
                with pytest.raises((EOFError, ConnectionError)):
                    while True:
                        await client.read()

    async def test_more_streams_than_allowed(self) -> None:
        """The client is held to a limit that it has acknowledged, also to one that was lowered."""

        async def script(conn: H2Connection) -> None:
            await conn.read_request()
            conn.send_settings({H2Setting.MAX_CONCURRENT_STREAMS: 1})
            await conn.closed()

        settings = {H2Setting.MAX_CONCURRENT_STREAMS: 2}
        with pytest.raises(ValueError, match="1 streams are open, 1 are allowed"):
            async with (
                H2Server(script, settings=settings) as server,
                connect(server.port) as client,
            ):
                await client.read()
                client.request()
                while client.h2.remote_settings.max_concurrent_streams != 1:
                    await client.read()
                client.writer.write(head(client, GET, 3).serialize())
                with pytest.raises((EOFError, ConnectionError)):
                    while True:
                        await client.read()

    async def test_a_reset_stream_is_closed(self) -> None:
        """A stream that the server has reset does not count, though the client has not ended it (section 5.1)."""

        async def script(conn: H2Connection) -> None:
            for _ in range(3):
                stream_id = (await conn.read_request(body=False)).stream_id
                conn.reset_stream(stream_id, H2Code.CANCEL)
            await conn.closed()

        settings = {H2Setting.MAX_CONCURRENT_STREAMS: 1}
        async with H2Server(script, settings=settings) as server, connect(server.port) as client:
            for _ in range(3):
                answer = await client.answer(client.request(method="POST", end=False))
                assert answer.reset == H2Code.CANCEL

    async def test_another_protocol(self) -> None:
        """A client that speaks HTTP/1.1 is one that breaks a rule."""
        with pytest.raises(ValueError, match="is not the preface"):
            async with H2Server(answers) as server:
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
                await reader.read()
                writer.close()
                await writer.wait_closed()
