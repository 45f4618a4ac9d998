"""The opening handshake (RFC 6455, section 4): what is asked, what is accepted; and it is a request like others."""

import asyncio
import base64
import warnings
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientWSTimeout, TraceConfig

import aioclient
from aioclient import (
    BasicAuth,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    Fingerprint,
    Handler,
    Request,
    TCPConnector,
    WSServerHandshakeError,
)
from aioclient.exceptions import (
    HandshakeRefusedError,
    HeadTooLargeError,
    RedirectClientError,
    TooManyRedirects,
    TotalTimeoutError,
    UnsafeRedirectError,
)
from aioclient.protocols.websocket.deflate import Deflate, agreed_deflate, offer
from aioclient.testing import RawConnection, RawRequest, turns

from .. import spoken
from ..loopback import answer, moved, names, open_jar
from ..servers.certificates import Certificates
from ..servers.either import RawServer
from .wire import TEXT, close, end, frame, opened_by, sends, switching, websocket_server

pytestmark = pytest.mark.both_protocols

ASKED = "Sec-WebSocket-Protocol: chat"


async def opened(url_of: str = "/", *fields: str, **arguments: Any) -> RawRequest:
    """Return the request that opens a WebSocket with these arguments; the server answers with *fields*."""
    async with (
        sends(fields=fields) as server,
        ClientSession(cookie_jar=open_jar()) as session,
        session.ws_connect(server.url(url_of), **arguments),
    ):
        return server.requests[0]


async def refused(reply: Callable[[RawRequest], bytes], **arguments: Any) -> WSServerHandshakeError:
    """Return the error of a handshake that is answered like this; the connection must be closed."""
    closed: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(conn: RawConnection) -> None:
        conn.send(reply(await conn.read_request()))
        closed.set_result(await conn.closed())

    async with RawServer(script) as server, ClientSession() as session:
        with pytest.raises(WSServerHandshakeError) as caught:
            await session.ws_connect(server.url(), **arguments)
        assert session.connector is not None
        assert session.connector.statistics().in_use == 0
        assert session.connector.statistics().idle == spoken.kept()
        assert await closed == b"", "nothing was sent after the request"
    return caught.value


class TestAsked:
    @pytest.mark.http1_only("that speaks HTTP/2, and asks by HTTP/1.1")
    async def test_of_a_session_that_speaks_http2(self) -> None:
        """Without TLS it is asked for by HTTP/1.1, unless HTTP/2 is known to be spoken there."""
        for session_says, call_says in ((True, {}), ("prior-knowledge", {"http2": False})):
            async with (
                sends() as server,
                ClientSession(http2=session_says) as session,
                session.ws_connect(server.url("/"), **call_says),  # an http:// one
            ):
                assert server.requests[0].value("Upgrade") == "websocket"

    @pytest.mark.http1_only("the fields of an upgrade; those of RFC 8441 are in test_http2.py")
    async def test_fields(self) -> None:
        """The request asks for an upgrade to version 13, with a new random key each time (section 4.1)."""
        first, second = await opened("/chat?room=1"), await opened()
        assert (first.method, first.target) == ("GET", "/chat?room=1")
        assert first.value("Upgrade") == "websocket"
        assert first.value("Connection") == "Upgrade"
        assert first.value("Sec-WebSocket-Version") == "13"
        keys = [request.value("Sec-WebSocket-Key") or "" for request in (first, second)]
        assert keys[0] != keys[1]
        assert [len(base64.b64decode(key)) for key in keys] == [16, 16]
        for name in ("Origin", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"):
            assert first.value(name) is None

    @pytest.mark.rows("S003-53")
    @pytest.mark.parametrize("scheme", ["ws", "http"])
    async def test_url(self, scheme: str) -> None:
        """The URL's scheme is ws or http; it may be relative to base_url, and have params."""
        async with sends() as server:
            base = server.url("/api/").replace("http", scheme)
            async with (
                ClientSession(base) as session,
                session.ws_connect("feed", params={"a": 1}) as ws,
            ):
                assert str(ws.response.url) == f"{base}feed?a=1"
            assert server.requests[0].target == "/api/feed?a=1"
            assert server.requests[0].value("Host") == f"127.0.0.1:{server.port}"

    @pytest.mark.http1_only("extended CONNECT has no other method")
    @pytest.mark.rows("S003-65")
    async def test_method_and_headers(self) -> None:
        """The method may be another one, and headers are added; the handshake's own cannot be changed."""
        request = await opened(
            method="post", headers={"X-Own": "1", "Upgrade": "h2c", "Sec-WebSocket-Key": "none"}
        )
        assert request.method == "POST"
        assert request.value("X-Own") == "1"
        assert request.value("Upgrade") == "websocket"
        assert request.value("Sec-WebSocket-Key") != "none"

    @pytest.mark.rows("S003-61")
    async def test_origin(self) -> None:
        """origin= is sent as it is."""
        assert (await opened(origin="https://a.example")).value("Origin") == "https://a.example"

    async def test_session_defaults(self) -> None:
        """Headers, cookies and credentials of the session go along, and those of the call."""
        async with (
            sends() as server,
            ClientSession(
                headers={"X-Session": "s"}, cookie_jar=open_jar(), auth=BasicAuth("user", "pass")
            ) as session,
        ):
            session.cookie_jar.update_cookies(
                {"jar": "1"}, aioclient.session.urls.parsed(server.url())
            )
            async with session.ws_connect(server.url(), cookies={"call": "2"}):
                pass
            request = server.requests[0]
        assert request.value("X-Session") == "s"
        assert request.value("Cookie") in ("jar=1; call=2", "call=2; jar=1")
        assert request.value("Authorization") == "Basic dXNlcjpwYXNz"

    @pytest.mark.rows("S003-57")
    async def test_auth(self) -> None:
        """auth= is a feature: it does not warn."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            request = await opened(auth=("user", "pass"))
        assert request.value("Authorization") == "Basic dXNlcjpwYXNz"

    async def test_cookies_of_the_answer(self) -> None:
        """A cookie in the answer goes into the jar, and a Secure one goes to wss:// alone."""
        async with (
            sends(fields=("Set-Cookie: a=1",)) as server,
            ClientSession(cookie_jar=open_jar()) as session,
        ):
            async with session.ws_connect(server.url()) as ws:
                assert ws.response.cookies["a"].value == "1"
            async with session.ws_connect(server.url()):
                pass
            assert server.requests[1].value("Cookie") == "a=1"

    @pytest.mark.parametrize(
        ("arguments", "error", "text"),
        [
            ({"data": b"x"}, TypeError, r"does not take \['data'\]"),
            ({"json": 1, "chunked": True}, TypeError, r"does not take \['chunked', 'json'\]"),
            ({"nonsense": 1}, TypeError, "unknown arguments"),
            ({"protocols": "chat"}, TypeError, "iterable of names"),
            ({"protocols": ["a b"]}, ValueError, "not a token"),
            (
                {"protocols": ["a"], "headers": {"Sec-WebSocket-Protocol": "b"}},
                ValueError,
                "leave out one",
            ),
            ({"headers": {"Sec-WebSocket-Extensions": "x"}}, ValueError, "use compress="),
            ({"origin": "a\r\nX: 1"}, ValueError, "control character"),
            ({"max_msg_size": -1}, ValueError, "max_msg_size=-1"),
            ({"heartbeat": -1}, ValueError, "heartbeat=-1"),
            ({"heartbeat": "1"}, TypeError, "heartbeat is str"),
            ({"pong_timeout": 1.0}, ValueError, "without heartbeat"),
            ({"timeout": ClientWSTimeout(ws_close=-1)}, ValueError, "ws_close=-1"),
            ({"timeout": ClientWSTimeout(ws_receive=-1)}, ValueError, "ws_receive=-1"),
            *[
                pytest.param({"compress": bad}, ValueError, "compress=", id=f"S003-64-{bad}")
                for bad in (-1, 1, 8, 16, "15", 9.5)
            ],
        ],
    )
    async def test_what_cannot_be_asked(
        self, arguments: dict[str, Any], error: type[Exception], text: str
    ) -> None:
        """What cannot be sent raises before a connection is made."""
        async with sends() as server, ClientSession() as session:
            with pytest.raises(error, match=text):
                await session.ws_connect(server.url(), **arguments)
            assert server.connections == 0


class TestAnswered:
    @pytest.mark.parametrize(
        ("change", "text"),
        [
            pytest.param(
                ("Upgrade: websocket", "Upgrade: h2c"), "Upgrade is 'h2c'", id="WS-01-upgrade"
            ),
            pytest.param(
                ("Connection: Upgrade", "Connection: keep-alive"), "101", id="WS-01-connection"
            ),
            pytest.param(("Connection: Upgrade\r\n", ""), "101", id="WS-01-no-connection"),
            pytest.param(("Upgrade: websocket\r\n", ""), "101", id="WS-01-no-upgrade"),
            pytest.param(("Accept: ", "Accept: x"), "Accept is", id="WS-01-accept"),
            pytest.param(("Sec-WebSocket-Accept", "X"), "Accept is ''", id="WS-01-no-accept"),
        ],
    )
    @pytest.mark.http1_only("the fields of an upgrade")
    async def test_wrong_answers(self, change: tuple[str, str], text: str) -> None:
        """A 101 whose fields are not what section 4.1 says is refused, and the connection closed."""
        error = await refused(
            lambda request: switching(request).replace(change[0].encode(), change[1].encode())
        )
        assert error.status == 101
        assert text in str(error)
        assert str(error).startswith("GET http://127.0.0.1")

    @pytest.mark.http1_only("the fields of an upgrade")
    @pytest.mark.rows("WS-01")
    async def test_right_in_other_letters(self) -> None:
        """Upgrade and Connection ignore case, and Connection may list more."""

        async def script(conn: RawConnection) -> None:
            request = await conn.read_request()
            conn.send(
                switching(request)
                .replace(b"websocket", b"WebSocket", 1)
                .replace(b"Connection: Upgrade", b"connection: keep-alive, UPGRADE")
            )
            await end(conn)

        async with (
            RawServer(script) as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            assert not ws.closed

    @pytest.mark.parametrize(
        "extension", ["", ",", ", permessage-deflate,\t,", "permessage-deflate"]
    )
    @pytest.mark.parametrize("protocol", ["", " , ", ",chat, ", "chat"])
    async def test_empty_elements_of_lists(self, extension: str, protocol: str) -> None:
        """Empty elements of the answer's lists are none, and neither is an empty field (RFC 9110, section 5.6.1)."""

        async def script(conn: RawConnection) -> None:
            request = await conn.read_request()
            fields = (
                f"Sec-WebSocket-Extensions: {extension}",
                "Sec-WebSocket-Extensions:",
                f"Sec-WebSocket-Protocol: {protocol}",
                "Sec-WebSocket-Protocol: ,",
            )
            conn.send(
                switching(request, *fields)
                .replace(b"Upgrade: websocket", b"Upgrade: , websocket,")
                .replace(b"Connection: Upgrade", b"Connection: ,, Upgrade ,")
            )
            await end(conn)

        async with RawServer(script) as server, ClientSession() as session:
            named = {"Sec-WebSocket-Protocol": ", chat,,"}
            async with session.ws_connect(server.url(), headers=named, compress=15) as ws:
                assert ws.protocol == ("chat" if "chat" in protocol else None)
                assert ws.compress == (15 if "deflate" in extension else 0)
            assert server.requests[0].value("Sec-WebSocket-Protocol") == "chat"

    async def test_empty_fields_that_nothing_asked_for(self) -> None:
        """A field without elements chooses nothing."""
        fields = ("Sec-WebSocket-Extensions:", "Sec-WebSocket-Protocol: ,")
        async with (
            sends(fields=fields) as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            assert (ws.protocol, ws.compress) == (None, 0)

    @pytest.mark.parametrize(
        "status",
        [
            pytest.param("200 OK", marks=pytest.mark.http1_only("it opens a WebSocket")),
            "401 No",
            "404 No",
            "500 No",
        ],
    )
    @pytest.mark.rows("WS-01", "WS-11")
    async def test_another_status(self, status: str) -> None:
        """An answer that is no 101 is a refusal, with status, headers and body, whatever raise_for_status says."""
        async with (
            RawServer.replies([answer(b"no" * 50_000, "X-Why: full", status=status)]) as server,
            ClientSession(raise_for_status=True) as session,
        ):
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await session.ws_connect(server.url())
            error = caught.value
            expected = "not 2xx" if spoken.http2() else "not 101"
            assert isinstance(error, HandshakeRefusedError)
            assert error.status == int(status[:3])
            assert error.headers is not None
            assert error.headers["X-Why"] == "full"
            assert error.body == (b"no" * 50_000)[: 64 * 1024]
            assert b"no" not in str(error).replace(expected, "").encode()
            assert session.connector is not None
            assert session.connector.statistics().idle == spoken.kept()

    @pytest.mark.rows("WS-11")
    async def test_a_refusal_that_ends_early(self) -> None:
        """A refusal whose body breaks off carries what came of it."""
        error = await refused_raw(b"HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nhalf")
        assert (error.status, error.body) == (403, b"half")

    @pytest.mark.rows("WS-11")
    @pytest.mark.virtual_clock
    async def test_a_refusal_that_drips(self) -> None:
        """A refusal whose body does not end is not waited for: 5 seconds are enough."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"HTTP/1.1 403 No\r\n\r\nsome")
            await conn.closed()

        loop = asyncio.get_running_loop()
        async with RawServer(script) as server, ClientSession() as session:
            start = loop.time()
            with pytest.raises(HandshakeRefusedError) as caught:
                await session.ws_connect(server.url())
            assert loop.time() - start == pytest.approx(5)
            assert caught.value.body == b"some"

    @pytest.mark.rows("WS-11")
    @pytest.mark.both_loops
    async def test_frames_behind_the_answer(self) -> None:
        """Frames in the segment of the 101 are read as frames, cut anywhere."""
        behind = frame(TEXT, b"one") + frame(TEXT, b"x" * 500)
        for cut in (len(behind), 1, 7, 100):

            async def talk(conn: RawConnection, rest: bytes = behind[cut:]) -> None:
                await turns()
                conn.send(rest)
                await end(conn)

            async with (
                websocket_server(talk, behind=behind[:cut]) as server,
                ClientSession() as session,
                session.ws_connect(server.url()) as ws,
            ):
                assert await ws.receive_str() == "one"
                assert await ws.receive_str() == "x" * 500

    @pytest.mark.rows("WS-11")
    @pytest.mark.both_loops
    async def test_the_end_behind_the_answer(self) -> None:
        """A server that hangs up right behind its 101 and a message loses neither."""

        async def talk(conn: RawConnection) -> None:
            conn.close()

        async with (
            websocket_server(talk, behind=frame(TEXT, b"last") + close(1001)) as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            assert await ws.receive_str() == "last"
            assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE
            assert ws.close_code == 1001

    @pytest.mark.http1_only("a frame has a length")
    @pytest.mark.rows("WS-12")
    async def test_a_head_without_end(self) -> None:
        """The answer's head has the limits of every response."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"x" * 100_000)
            await conn.closed()

        async with RawServer(script) as server, ClientSession() as session:
            with pytest.raises(HeadTooLargeError):
                await session.ws_connect(server.url())

    @pytest.mark.rows("WS-12")
    @pytest.mark.virtual_clock
    @pytest.mark.parametrize("timeout", [3.0, ClientTimeout(total=3)])
    async def test_its_own_timeout(self, timeout: Any) -> None:
        """handshake_timeout limits the handshake, a byte at a time too, and the open WebSocket not at all."""

        async def drips(conn: RawConnection) -> None:
            await conn.read_request()
            while not conn.lost:
                conn.send(b"H")
                await asyncio.sleep(1)

        async with RawServer(drips) as server, ClientSession() as session:
            with pytest.raises((TotalTimeoutError, aiohttp.ClientResponseError)):
                await session.ws_connect(server.url(), handshake_timeout=timeout)

        async def late(conn: RawConnection) -> None:
            await asyncio.sleep(100)
            conn.send(frame(TEXT, b"late"))
            await end(conn)

        async with (
            websocket_server(late) as server,
            ClientSession() as session,
            session.ws_connect(server.url(), handshake_timeout=timeout) as ws,
        ):
            assert await ws.receive_str() == "late"


async def refused_raw(reply: bytes) -> HandshakeRefusedError:
    """Return the error for a server that sends this and closes."""
    async with RawServer.replies([reply], close=True) as server, ClientSession() as session:
        with pytest.raises(HandshakeRefusedError) as caught:
            await session.ws_connect(server.url())
        return caught.value


@pytest.mark.rows("S003-54")
class TestSubprotocols:
    @pytest.mark.parametrize(
        ("kind", "names"), [(tuple, ["chat"]), (list, ["a", "chat"]), (iter, ["chat"])]
    )
    async def test_offered_and_chosen(self, kind: Any, names: list[str]) -> None:
        """Subprotocols are offered in their order; the server's choice is told."""
        async with (
            sends(fields=(ASKED,)) as server,
            ClientSession() as session,
            session.ws_connect(server.url(), protocols=kind(names)) as ws,
        ):
            assert ws.protocol == "chat"
            assert (server.requests[0].value("Sec-WebSocket-Protocol") or "").endswith("chat")

    async def test_none_chosen(self) -> None:
        """A server may choose none."""
        async with (
            sends() as server,
            ClientSession() as session,
            session.ws_connect(server.url(), protocols=["chat", "b"]) as ws,
        ):
            assert ws.protocol is None
            assert server.requests[0].value("Sec-WebSocket-Protocol") == "chat, b"

    async def test_as_a_header(self) -> None:
        """A header field written by hand offers them too."""
        async with (
            sends(fields=(ASKED,)) as server,
            ClientSession() as session,
            session.ws_connect(server.url(), headers={"Sec-WebSocket-Protocol": "b, chat"}) as ws,
        ):
            assert ws.protocol == "chat"

    @pytest.mark.parametrize("asked", [(), ("other",), ("CHAT",)])
    @pytest.mark.rows("WS-02")
    async def test_not_offered(self, asked: tuple[str, ...]) -> None:
        """A choice that was not offered fails the handshake; names are compared letter by letter."""
        error = await refused(lambda request: switching(request, ASKED), protocols=asked)
        assert "chose the subprotocol 'chat'" in error.message

    @pytest.mark.rows("WS-02")
    async def test_two_chosen(self) -> None:
        """Two choices fail the handshake."""
        error = await refused(
            lambda request: switching(request, ASKED, "Sec-WebSocket-Protocol: b"),
            protocols=["chat", "b"],
        )
        assert "'chat, b'" in error.message


class TestExtensions:
    @pytest.mark.parametrize(
        ("compress", "asked"),
        [
            pytest.param(0, None, id="S003-64-0"),
            pytest.param(False, None, id="S003-64-False"),
            pytest.param(True, "permessage-deflate; client_max_window_bits", id="S003-64-True"),
            pytest.param(15, "permessage-deflate; client_max_window_bits", id="S003-64-15"),
            pytest.param(
                9,
                "permessage-deflate; client_max_window_bits=9; server_max_window_bits=9",
                id="S003-64-9",
            ),
        ],
    )
    async def test_offer(self, compress: int, asked: str | None) -> None:
        """compress= offers permessage-deflate, with the window asked for; a server may decline."""
        async with (
            sends() as server,
            ClientSession() as session,
            session.ws_connect(server.url(), compress=compress) as ws,
        ):
            assert server.requests[0].value("Sec-WebSocket-Extensions") == asked
            assert ws.compress == 0
            assert not ws.client_notakeover

    @pytest.mark.parametrize(
        ("said", "bits", "agreed"),
        [
            ("permessage-deflate", 15, Deflate()),
            ("Permessage-Deflate", 15, Deflate()),
            (
                "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
                15,
                Deflate(15, 15, True, True),
            ),
            ("permessage-deflate;server_max_window_bits=8", 15, Deflate(8, 15)),
            ("permessage-deflate; ; client_max_window_bits=9;", 15, Deflate(15, 9)),
            ('permessage-deflate; client_max_window_bits="10"', 15, Deflate(15, 10)),
            ("permessage-deflate; server_max_window_bits=9", 9, Deflate(9, 9)),
            (
                "permessage-deflate; server_max_window_bits=9; client_max_window_bits=12",
                10,
                Deflate(9, 10),
            ),
        ],
    )
    def test_agreed(self, said: str, bits: int, agreed: Deflate) -> None:
        """The server's answer sets windows and context takeovers (RFC 7692, section 7.1)."""
        assert agreed_deflate([said], bits) == agreed

    @pytest.mark.parametrize(
        ("said", "bits"),
        [
            pytest.param("permessage-deflate", 0, id="WS-02-not-offered"),
            pytest.param("x-webkit-deflate-frame", 15, id="WS-02-another"),
            pytest.param("permessage-deflate, permessage-deflate", 15, id="WS-02-twice"),
            pytest.param("permessage-deflate; nonsense", 15, id="WS-02-unknown"),
            pytest.param("permessage-deflate; server_max_window_bits", 15, id="WS-02-no-value"),
            pytest.param("permessage-deflate; server_max_window_bits=99", 15, id="WS-02-99"),
            pytest.param("permessage-deflate; server_max_window_bits=7", 15, id="WS-02-7"),
            pytest.param("permessage-deflate; server_max_window_bits=08", 15, id="WS-02-08"),
            pytest.param("permessage-deflate; client_max_window_bits=16", 15, id="WS-02-16"),
            pytest.param(
                "permessage-deflate; client_no_context_takeover=1", 15, id="WS-02-takeover-1"
            ),
            pytest.param(
                "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
                15,
                id="WS-02-repeated",
            ),
            pytest.param("permessage-deflate", 9, id="WS-02-larger-than-asked"),
            pytest.param("permessage-deflate; =", 15, id="WS-02-no-name"),
        ],
    )
    async def test_not_agreed(self, said: str, bits: int) -> None:
        """An extension or a parameter that was not asked for, or is none, fails the handshake."""
        error = await refused(
            lambda request: switching(request, f"Sec-WebSocket-Extensions: {said}"), compress=bits
        )
        assert "extension" in error.message.lower()

    def test_offers_are_accepted_as_they_are(self) -> None:
        """A server that repeats an offer of a window agrees to it."""
        for bits in range(9, 15):
            assert agreed_deflate([offer(bits)], bits) == Deflate(bits, bits)


class TestChain:
    @pytest.mark.rows("WS-10")
    async def test_redirects(self) -> None:
        """Redirects are followed; credentials and cookies stay with their origin."""
        async with sends() as target:
            there = target.url("/there", host="b.example")
            async with (
                RawServer.replies([moved(there)]) as server,
                ClientSession(
                    connector=names(), headers={"X-Api-Key": "k", "X-Plain": "p"}
                ) as session,
                session.ws_connect(
                    server.url(host="a.example").replace("http", "ws"),
                    auth=("user", "pass"),
                    cookies={"c": "1"},
                    origin="https://a.example",
                ) as ws,
            ):
                assert str(ws.response.url) == there
                assert [old.status for old in ws.response.history] == [302]
            first, second = server.requests[0], target.requests[0]
            assert first.value("Authorization") is not None
            assert first.value("Cookie") == "c=1"
            assert second.value("Host") == f"b.example:{target.port}"
            for name in ("Authorization", "Cookie", "X-Api-Key"):
                assert second.value(name) is None
            assert second.value("X-Plain") == "p"
            assert second.value("Origin") == "https://a.example"

    @pytest.mark.both_loops
    @pytest.mark.rows("WS-10")
    @pytest.mark.parametrize("call", ["http", "ws"])
    async def test_redirects_to_websocket_schemes(self, call: str) -> None:
        """A handshake follows ws:// as WebSocket servers write it, and further; a request does not."""
        async with sends() as target:
            there = target.url("/there").replace("http", "ws")
            async with RawServer.replies([moved(there)] * 2) as server, ClientSession() as session:
                async with session.ws_connect(server.url().replace("http", call)) as ws:
                    assert str(ws.response.url) == there
                with pytest.raises(UnsafeRedirectError):
                    await session.get(server.url())
            assert len(target.requests) == 1

    @pytest.mark.rows("WS-10")
    @pytest.mark.parametrize("location", ["ws:///x", "wss://a:b/", "ws:x", "file:///x"])
    async def test_redirects_to_nothing(self, location: str) -> None:
        """What is no URL of a WebSocket is an error that names the call."""
        async with RawServer.replies([moved(location)]) as server, ClientSession() as session:
            with pytest.raises(RedirectClientError, match="the server redirects"):
                await session.ws_connect(server.url())

    @pytest.mark.rows("WS-10")
    async def test_redirects_refused(self) -> None:
        """Redirects may be turned off, or be too many."""
        async with (
            RawServer.replies([moved("/")], repeat=True) as server,
            ClientSession() as session,
        ):
            with pytest.raises(WSServerHandshakeError) as caught:
                await session.ws_connect(server.url(), allow_redirects=False)
            assert caught.value.status == 302
            with pytest.raises(TooManyRedirects):
                await session.ws_connect(server.url(), max_redirects=2)

    async def test_middlewares(self) -> None:
        """Middlewares see the handshake and may change it."""

        async def sign(request: Request, handler: Handler) -> ClientResponse:
            request.headers["X-Signed"] = request.headers["Upgrade"]
            return await handler(request)

        async with sends() as server, ClientSession(middlewares=[sign]) as session:
            async with session.ws_connect(server.url()):
                pass
            async with session.ws_connect(server.url(), middlewares=()):
                pass
        assert [request.value("X-Signed") for request in server.requests] == ["websocket", None]

    async def test_an_answer_without_a_connection(self) -> None:
        """An answer that a middleware has closed is refused."""

        async def drop(request: Request, handler: Handler) -> ClientResponse:
            response = await handler(request)
            response.close()
            return response

        async with sends() as server, ClientSession(middlewares=[drop]) as session:
            with pytest.raises(WSServerHandshakeError, match="closed, by a middleware"):
                await session.ws_connect(server.url())

    async def test_traces(self) -> None:
        """A trace config follows the handshake."""
        seen: list[str] = []
        config = TraceConfig()

        async def start(session: object, context: Any, params: Any) -> None:
            seen.append(f"start {params.method} {context.trace_request_ctx}")

        async def finish(session: object, context: Any, params: Any) -> None:
            seen.append(f"end {params.response.status}")

        config.on_request_start.append(start)
        config.on_request_end.append(finish)
        async with (
            sends() as server,
            ClientSession(trace_configs=[config]) as session,
            session.ws_connect(server.url(), trace_request_ctx="mine"),
        ):
            pass
        assert seen == ["start GET mine", f"end {opened_by()}"]

    @pytest.mark.both_loops
    async def test_tls(self, certificates: Certificates) -> None:
        """wss:// and https:// are secured, with the settings of the call."""

        async def talk(conn: RawConnection) -> None:
            conn.send(frame(TEXT, b"secure") + frame(TEXT, b"x" * 100_000))
            await end(conn)

        async def script(conn: RawConnection) -> None:
            conn.send(switching(await conn.read_request()))
            await talk(conn)

        async with (
            RawServer(script, ssl=certificates.server_context()) as server,
            ClientSession() as session,
        ):
            url = server.url(host="localhost").replace("https", "wss")
            with pytest.raises(aioclient.ClientConnectorCertificateError):
                await session.ws_connect(url)
            async with session.ws_connect(url, ssl=certificates.client_context()) as ws:
                assert await ws.receive_str() == "secure"
                assert len(await ws.receive_str()) == 100_000
                assert ws.get_extra_info("ssl_object") is not None
            async with session.ws_connect(url, ssl=False, server_hostname="localhost") as ws:
                assert await ws.receive_str() == "secure"

    @pytest.mark.http1_only("what the proxy of the test speaks within the tunnel")
    @pytest.mark.rows("S003-62")
    async def test_by_way_of_a_proxy(self) -> None:
        """An HTTP proxy is asked for a tunnel, for ws:// too (section 4.1), with its credentials and fields."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\n\r\n")
            conn.send(switching(await conn.read_request()) + frame(TEXT, b"far away"))
            await end(conn)

        async with (
            RawServer(script) as proxy,
            ClientSession() as session,
            session.ws_connect(
                "ws://far.example/feed",
                proxy=proxy.url(),
                proxy_auth=("user", "pass"),
                proxy_headers={"X-Proxy": "p"},
                headers={"X-Own": "1"},
            ) as ws,
        ):
            assert await ws.receive_str() == "far away"
            connect, request = proxy.requests
            assert (connect.method, connect.target) == ("CONNECT", "far.example:80")
            assert connect.value("Proxy-Authorization") == "Basic dXNlcjpwYXNz"
            assert connect.value("X-Proxy") == "p"
            assert connect.value("X-Own") is None
            assert (request.method, request.target) == ("GET", "/feed")
            assert request.value("Proxy-Authorization") is None
            assert request.value("X-Own") == "1"

    @pytest.mark.rows("S003-63")
    async def test_older_tls_spellings(self, certificates: Certificates) -> None:
        """verify_ssl, ssl_context and fingerprint do as ssl= does, and warn."""

        async def script(conn: RawConnection) -> None:
            conn.send(switching(await conn.read_request()))
            await end(conn)

        async with (
            RawServer(script, ssl=certificates.server_context()) as server,
            ClientSession() as session,
        ):
            url = server.url(host="localhost")
            older: list[dict[str, Any]] = [
                {"verify_ssl": False},
                {"ssl_context": certificates.client_context()},
            ]
            for arguments in older:
                with pytest.warns(aioclient.LegacyParameterWarning, match=next(iter(arguments))):
                    async with session.ws_connect(url, **arguments):
                        pass
            with (
                pytest.warns(aioclient.LegacyParameterWarning, match="fingerprint"),
                pytest.raises(aioclient.ServerFingerprintMismatch),
            ):
                await session.ws_connect(url, fingerprint=bytes(32))
            with pytest.raises(aioclient.ServerFingerprintMismatch):
                await session.ws_connect(url, ssl=Fingerprint(bytes(32)))


class TestSession:
    async def test_await_or_enter(self) -> None:
        """ws_connect() may be awaited or entered; entering closes the WebSocket."""
        async with sends() as server, ClientSession() as session:
            ws = await session.ws_connect(server.url())
            assert not ws.closed
            assert await ws.close()
            async with session.ws_connect(server.url()) as entered:
                assert not entered.closed
            assert entered.closed

    async def test_response_class(self) -> None:
        """ws_response_class= is what ws_connect() returns."""

        class Mine(ClientWebSocketResponse):
            pass

        async with (
            sends() as server,
            ClientSession(ws_response_class=Mine) as session,
            session.ws_connect(server.url()) as ws,
        ):
            assert type(ws) is Mine

    @pytest.mark.http1_only("over HTTP/2 they share a connection")
    async def test_a_slot_of_the_pool(self) -> None:
        """An open WebSocket holds a connection of the pool, and a closed one does not."""
        async with sends() as server, ClientSession(connector=TCPConnector(limit=1)) as session:
            connector = session.connector
            assert connector is not None
            first = await session.ws_connect(server.url())
            assert connector.statistics().in_use == 1
            waiting = asyncio.ensure_future(session.ws_connect(server.url()))
            await turns()
            assert not waiting.done()
            await first.close()
            second = await waiting
            assert connector.statistics().in_use == 1
            await second.close()
            assert connector.statistics().in_use == 0
            assert connector.statistics().idle == 0

    async def test_dropped(self) -> None:
        """A WebSocket that is dropped unclosed warns, and its connection is closed."""
        async with sends() as server, ClientSession() as session:
            ws = await session.ws_connect(server.url())
            await turns()
            with pytest.warns(ResourceWarning, match="unclosed response to GET"):
                del ws
            await turns()
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0

    async def test_closing_the_session(self) -> None:
        """Closing the session closes its WebSockets: who receives is told."""
        async with sends() as server:
            async with ClientSession() as session:
                ws = await session.ws_connect(server.url())
                receiving = asyncio.ensure_future(ws.receive())
                await turns()
            message = await receiving
            assert message.type is aiohttp.WSMsgType.CLOSED
            assert ws.closed
            assert ws.close_code == 1006

    async def test_closed_session(self) -> None:
        """A closed session opens nothing."""
        async with ClientSession() as session:
            pass
        with pytest.raises(RuntimeError, match="closed"):
            await session.ws_connect("ws://127.0.0.1/")
