"""Messages of an open WebSocket: sent, received, refused; each method does what it says."""

import asyncio
import json
import random
import socket
import zlib
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientWSTimeout, WSCloseCode, WSMessage, WSMsgType

import aioclient
from aioclient import ClientSession, ClientWebSocketResponse
from aioclient.exceptions import (
    ClientConnectionResetError,
    ServerDisconnectedError,
    WSMessageTypeError,
    WSReceiveTimeoutError,
)
from aioclient.protocols.websocket import frames
from aioclient.protocols.websocket.connection import BURST
from aioclient.testing import RawConnection, turns

from ..servers.either import RawServer
from .wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    DEFLATE,
    FIN,
    PING,
    PONG,
    RSV1,
    RSV2,
    TEXT,
    Frame,
    close,
    deflated,
    end,
    frame,
    gone,
    no_connection_in_use,
    opened_by,
    read_frame,
    send_and_reset,
    sends,
    shake_hands,
    websocket_server,
)

pytestmark = pytest.mark.both_protocols


class Log:
    """A server that keeps what it gets, and answers a close frame."""

    def __init__(self, *fields: str) -> None:
        self.frames: list[Frame] = []
        self.server = websocket_server(self._talk, *fields)

    async def _talk(self, conn: RawConnection) -> None:
        while not self.frames or self.frames[-1].opcode != CLOSE:
            self.frames.append(await read_frame(conn))
        conn.send(frame(CLOSE, self.frames[-1].payload))

    async def __aenter__(self) -> RawServer:
        return await self.server.__aenter__()

    async def __aexit__(self, *error: object) -> None:
        await self.server.__aexit__(*error)

    @property
    def messages(self) -> list[tuple[int, bytes]]:
        return [(got.first, got.payload) for got in self.frames if got.opcode != CLOSE]


Act = Callable[[ClientWebSocketResponse], Any]


async def sent(act: Act, *fields: str, **arguments: Any) -> list[tuple[int, bytes]]:
    """Return first byte and payload of each frame that *act* sends."""
    log = Log(*fields)
    async with (
        log as server,
        ClientSession() as session,
        session.ws_connect(server.url(), **arguments) as ws,
    ):
        await act(ws)
    return log.messages


async def received(*pieces: bytes, **arguments: Any) -> list[WSMessage]:
    """Return what is received, to the end, from a server that sends these pieces."""
    async with (
        sends(*pieces, fields=arguments.pop("fields", ())) as server,
        ClientSession() as session,
        session.ws_connect(server.url(), **arguments) as ws,
    ):
        messages = []
        while not messages or messages[-1].type is not WSMsgType.CLOSED:
            messages.append(await ws.receive())
        return messages


class TestSending:
    @pytest.mark.rows("S003-97")
    async def test_each_kind(self) -> None:
        """Text, bytes of each type and JSON go out as one frame each."""

        async def act(ws: ClientWebSocketResponse) -> None:
            await ws.send_str("grüß")
            await ws.send_bytes(b"1")
            await ws.send_bytes(bytearray(b"2"))
            await ws.send_bytes(memoryview(b"_3_")[1:2])
            await ws.send_json({"a": [1]})
            await ws.send_json({"a": 1}, dumps=lambda data: "dumped")
            await ws.send_json_bytes({"a": 1}, dumps=lambda data: b"dumped")
            await ws.send_bytes(memoryview(bytes(8)).cast("Q"))

        text, binary = FIN | TEXT, FIN | BINARY
        assert await sent(act) == [
            (text, "grüß".encode()),
            (binary, b"1"),
            (binary, b"2"),
            (binary, b"3"),
            (text, b'{"a": [1]}'),
            (text, b"dumped"),
            (binary, b"dumped"),
            (binary, bytes(8)),
        ]

    @pytest.mark.rows("S003-96")
    async def test_control_frames(self) -> None:
        """ping() and pong() are coroutines, whose message is empty by default."""

        async def act(ws: ClientWebSocketResponse) -> None:
            await ws.ping()
            await ws.ping(b"1")
            await ws.pong()
            await ws.pong(b"2")
            await ws.send_frame(b"3", WSMsgType.PING)
            await ws.send_frame(b"4", WSMsgType.TEXT)
            await ws.ping("5")  # type: ignore[arg-type]

        assert await sent(act) == [
            (FIN | PING, b""),
            (FIN | PING, b"1"),
            (FIN | PONG, b""),
            (FIN | PONG, b"2"),
            (FIN | PING, b"3"),
            (FIN | TEXT, b"4"),
            (FIN | PING, b"5"),
        ]

    async def test_many_in_one_write(self) -> None:
        """Several messages and control frames go out in their order, each a frame of its own; none are nothing."""
        large = bytes(70_000)

        async def act(ws: ClientWebSocketResponse) -> None:
            await ws.send_frames([(b"1", WSMsgType.TEXT), (large, WSMsgType.BINARY)])
            await ws.send_frames(iter([(memoryview(b"3"), WSMsgType.PING)]))
            await ws.send_frames([])
            await ws.send_frames([(b"%d" % n, WSMsgType.TEXT) for n in range(200)])

        assert await sent(act) == [
            (FIN | TEXT, b"1"),
            (FIN | BINARY, large),
            (FIN | PING, b"3"),
            *((FIN | TEXT, b"%d" % n) for n in range(200)),
        ]

    @pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 2**20])
    async def test_each_form_of_the_length(self, size: int) -> None:
        """Frames of every size arrive whole, with the length in the fewest bytes."""
        data = random.Random(size).randbytes(size)
        assert await sent(lambda ws: ws.send_bytes(data)) == [(FIN | BINARY, data)]

    @pytest.mark.parametrize(
        ("act", "error"),
        [
            pytest.param(lambda ws: ws.send_str(b"a"), TypeError, id="S003-97-bytes-as-text"),
            pytest.param(lambda ws: ws.send_str(None), TypeError, id="S003-97-none"),
            pytest.param(lambda ws: ws.send_bytes("a"), TypeError, id="S003-97-text-as-bytes"),
            pytest.param(lambda ws: ws.send_bytes([1]), TypeError, id="S003-97-list"),
            pytest.param(lambda ws: ws.send_json(object()), TypeError, id="S003-97-no-json"),
            pytest.param(
                lambda ws: ws.send_json(float("nan"), dumps=strict_dumps),
                ValueError,
                id="S003-97-nan",
            ),
            pytest.param(
                lambda ws: ws.send_json(1, dumps=lambda data: b"1"), TypeError, id="S003-97-dumps"
            ),
            pytest.param(lambda ws: ws.ping(b"x" * 126), ValueError, id="S003-96-long"),
            pytest.param(
                lambda ws: ws.send_frame(b"", WSMsgType.CLOSE), ValueError, id="S003-97-close"
            ),
            pytest.param(
                lambda ws: ws.send_frame(b"", WSMsgType.ERROR), ValueError, id="S003-97-error"
            ),
            pytest.param(
                lambda ws: ws.send_frames([(b"a", WSMsgType.TEXT), (b"", WSMsgType.CLOSE)]),
                ValueError,
                id="S003-97-close-of-many",
            ),
            pytest.param(
                lambda ws: ws.send_frames([(b"a", WSMsgType.TEXT), (bytes(126), WSMsgType.PING)]),
                ValueError,
                id="S003-96-long-of-many",
            ),
            pytest.param(
                lambda ws: ws.send_str("a", compress=15), ValueError, id="S003-97-not-agreed"
            ),
            pytest.param(lambda ws: ws.close(code=1005), ValueError, id="S003-98-code"),
            pytest.param(lambda ws: ws.close(code=99), ValueError, id="S003-98-code-99"),
            pytest.param(lambda ws: ws.close(message=b"x" * 124), ValueError, id="S003-98-long"),
        ],
    )
    async def test_what_cannot_be_sent(self, act: Act, error: type[Exception]) -> None:
        """What cannot be sent raises, nothing of it goes out, and the WebSocket stays open."""

        async def all_of_it(ws: ClientWebSocketResponse) -> None:
            with pytest.raises(error):
                await act(ws)
            await ws.send_str("next")

        assert await sent(all_of_it) == [(FIN | TEXT, b"next")]

    @pytest.mark.rows("S003-97")
    async def test_closed(self) -> None:
        """Every send on a closed WebSocket raises ClientConnectionResetError."""
        async with sends() as server, ClientSession() as session:
            async with session.ws_connect(server.url()) as ws:
                pass
            for act in (
                ws.send_str("a"),
                ws.send_bytes(b"a"),
                ws.send_json(1),
                ws.ping(),
                ws.pong(),
                ws.send_frame(b"", WSMsgType.TEXT),
                ws.send_frames([(b"", WSMsgType.TEXT)]),
            ):
                with pytest.raises(ClientConnectionResetError, match="closed"):
                    await act

    @pytest.mark.rows("WS-07")
    async def test_masks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each frame has a new mask of the system's random source, whatever the state of random."""
        masks: list[list[bytes]] = []
        for _ in range(2):
            random.seed(1)
            log = Log()
            async with (
                log as server,
                ClientSession() as session,
                session.ws_connect(server.url()) as ws,
            ):
                for _ in range(10_000):
                    await ws.send_bytes(b"1234")
            assert [got.payload for got in log.frames[:-1]] == [b"1234"] * 10_000
            masks.append([got.mask for got in log.frames])
        both = masks[0] + masks[1]
        assert len(set(both)) > len(both) - 10, "32-bit masks, of which a few may meet by chance"
        blocks = iter([bytes(range(256)), bytes(256)])
        monkeypatch.setattr(frames.os, "urandom", lambda size: next(blocks))
        supply = frames.masks()
        assert [next(supply) for _ in range(64)] == [
            bytes(range(n, n + 4)) for n in range(0, 256, 4)
        ]
        assert next(supply) == bytes(4)

    @pytest.mark.parametrize("size", [*range(10), 125, 1000])
    def test_masking_without_compiled_parts(self, size: int) -> None:
        """The mask is laid over the payload in the same way with and without aiohttp's compiled function."""
        data = random.Random(size).randbytes(size)
        results = []
        for mask in (frames.apply_mask, frames.mask_with_integers):
            array = bytearray(data)
            mask(b"\x01\x80\xff\x0a", array)
            results.append(bytes(array))
        assert results[0] == results[1]
        assert frames.apply_mask is not frames.mask_with_integers


def strict_dumps(data: object) -> str:
    return json.dumps(data, allow_nan=False)


@pytest.mark.both_loops
class TestSendingWithoutAWait:
    async def test_others_have_their_turn(self) -> None:
        """A loop that does nothing but send lets the event loop go round."""
        seen = 0

        async def count() -> None:
            nonlocal seen
            while True:
                seen += 1
                await asyncio.sleep(0)

        async with (
            sends() as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            counting = asyncio.ensure_future(count())
            for _ in range(1000):
                await ws.send_str("x")
            assert 1000 // BURST <= seen < 500
            counting.cancel()

    async def test_after_a_reset(self, caplog: pytest.LogCaptureFixture) -> None:
        """It ends when the server has reset the connection, with an error whose cause says so."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            async with ClientSession() as session:
                opening = asyncio.ensure_future(
                    session.ws_connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/")
                )
                peer = await shake_hands(listener)
                ws = await opening
                send_and_reset(peer)
                with pytest.raises(ClientConnectionResetError) as caught:
                    for _ in range(10_000):
                        await ws.send_str("x")
                assert isinstance(caught.value.__cause__, aiohttp.ClientOSError)
                assert (ws.closed, ws.close_code) == (True, 1006)
                await ws.close()
        assert not caplog.records


class TestCompressed:
    """Messages go out compressed once permessage-deflate is agreed (RFC 7692, section 7.2.1)."""

    async def test_context_takeover(self) -> None:
        """With context takeover a message may refer to the one before."""
        text = "a text that comes twice, and is shorter then"

        async def act(ws: ClientWebSocketResponse) -> None:
            assert ws.compress == 15
            assert not ws.client_notakeover
            await ws.send_str(text)
            await ws.ping(b"p")
            await ws.send_str(text)

        first, ping, second = await sent(act, DEFLATE, compress=15)
        assert first[0] == second[0] == FIN | RSV1 | TEXT
        assert ping == (FIN | PING, b"p")
        assert len(second[1]) < 12 < len(first[1])
        stream = zlib.decompressobj(-15)
        for _, payload in (first, second):
            assert stream.decompress(payload + b"\0\0\xff\xff") == text.encode()

    async def test_no_context_takeover(self) -> None:
        """A server may ask that each message stands on its own."""

        async def act(ws: ClientWebSocketResponse) -> None:
            assert ws.client_notakeover
            await ws.send_str("Hello")
            await ws.send_str("Hello")

        found = await sent(act, f"{DEFLATE}; client_no_context_takeover", compress=True)
        assert found[0] == found[1]
        assert zlib.decompressobj(-15).decompress(found[0][1] + b"\0\0\xff\xff") == b"Hello"

    @pytest.mark.rows("S003-64")
    async def test_windows(self) -> None:
        """Nothing is referred to that lies outside the window: the smaller one of both sides'."""
        block = random.Random(1).randbytes(600)
        data = block * 2

        for asked, said, bits in ((15, 15, 15), (9, 15, 9), (15, 9, 9), (12, 11, 11)):
            fields = f"{DEFLATE}; client_max_window_bits={said}"
            if asked < 15:
                fields += f"; server_max_window_bits={asked}"

            async def act(ws: ClientWebSocketResponse, bits: int = bits) -> None:
                assert ws.compress == bits
                await ws.send_bytes(data)

            ((_, payload),) = await sent(act, fields, compress=asked)
            assert zlib.decompressobj(-bits).decompress(payload + b"\0\0\xff\xff") == data
            assert (len(payload) < 1000) == (bits > 9)

    async def test_a_window_that_zlib_cannot_make(self) -> None:
        """A server that asks for a window of 8 bits gets plain messages, which are always allowed."""

        async def act(ws: ClientWebSocketResponse) -> None:
            assert ws.compress == 0
            await ws.send_str("Hello")
            with pytest.raises(ValueError, match="did not agree"):
                await ws.send_str("Hello", compress=9)

        found = await sent(act, f"{DEFLATE}; client_max_window_bits=8", compress=15)
        assert found == [(FIN | TEXT, b"Hello")]

    @pytest.mark.rows("S003-97")
    async def test_for_one_message(self) -> None:
        """compress= of a call is for that message alone, and does not disturb what comes after."""
        text = "a text that comes again and again"

        async def act(ws: ClientWebSocketResponse) -> None:
            await ws.send_str(text)
            await ws.send_str(text, compress=0)
            await ws.send_bytes(text.encode(), compress=9)
            await ws.send_json(text, compress=15)
            await ws.send_frame(text.encode(), WSMsgType.TEXT, 0)
            await ws.send_json_bytes(text, 0, dumps=str.encode)
            await ws.send_str(text)
            await ws.send_str(text)
            for bits in (8, 16, -1):
                with pytest.raises(ValueError, match="compress="):
                    await ws.send_str(text, compress=bits)

        found = await sent(act, DEFLATE, compress=15)
        marked = [bool(first & RSV1) for first, _ in found]
        assert marked == [True, False, True, True, False, False, True, True]
        stream = zlib.decompressobj(-15)
        texts = [
            stream.decompress(payload + b"\0\0\xff\xff") if first & RSV1 else payload
            for first, payload in found
        ]
        assert texts == [text.encode()] * 3 + [json.dumps(text).encode()] + [text.encode()] * 4

    async def test_many_in_one_write(self) -> None:
        """Several messages share the context, in their order; one that cannot be sent changes nothing of it."""
        text = b"a text that comes again and again"

        async def act(ws: ClientWebSocketResponse) -> None:
            with pytest.raises(ValueError, match="at most 125 bytes"):
                await ws.send_frames([(text, WSMsgType.TEXT), (bytes(126), WSMsgType.PING)])
            await ws.send_frames([(text, WSMsgType.TEXT), (b"", WSMsgType.PING)] * 3)

        found = await sent(act, DEFLATE, compress=15)
        assert [first for first, _ in found] == [FIN | RSV1 | TEXT, FIN | PING] * 3
        stream = zlib.decompressobj(-15)
        texts = [stream.decompress(payload + b"\0\0\xff\xff") for _, payload in found[::2]]
        assert texts == [text] * 3

    async def test_received(self) -> None:
        """Compressed messages are received as any other."""
        messages = await received(
            frame(TEXT, deflated(b"Hello"), rsv=RSV1),
            frame(BINARY, deflated(bytes(10_000)), rsv=RSV1),
            close(),
            fields=(DEFLATE,),
            compress=15,
        )
        assert [message.data for message in messages] == ["Hello", bytes(10_000), 1000, None]

    @pytest.mark.rows("WS-03")
    async def test_bomb(self) -> None:
        """A message that inflates past max_msg_size ends the connection with 1009."""
        codes: list[int | None] = []

        async def talk(conn: RawConnection) -> None:
            conn.send(frame(BINARY, deflated(bytes(2**24)), rsv=RSV1))
            codes.append(await end(conn))

        async with websocket_server(talk, DEFLATE) as server, ClientSession() as session:
            async with session.ws_connect(server.url(), compress=15, max_msg_size=2**20) as ws:
                message = await ws.receive()
                assert message.type is WSMsgType.ERROR
                assert "max_msg_size=1048576" in str(message.data)
            await turns()
        assert codes == [1009]


class TestReceiving:
    @pytest.mark.rows("S003-99")
    @pytest.mark.both_loops
    async def test_messages(self) -> None:
        """receive() returns aiohttp's messages, in order, and at the end CLOSE and CLOSED."""
        messages = await received(
            frame(TEXT, "grüß".encode()) + frame(BINARY, b"\x00" * 300) + frame(PONG),
            frame(TEXT, b"fra", fin=False) + frame(PING) + frame(CONTINUATION, b"gment"),
            close(4000, b"bye"),
        )
        assert messages == [
            (WSMsgType.TEXT, "grüß", ""),
            (WSMsgType.BINARY, b"\x00" * 300, ""),
            (WSMsgType.TEXT, "fragment", ""),
            (WSMsgType.CLOSE, 4000, "bye"),
            (WSMsgType.CLOSED, None, None),
        ]
        assert all(type(message) is aiohttp.WSMessage for message in messages)
        assert aioclient.WSMessage is aiohttp.WSMessage
        assert aioclient.WSMsgType is aiohttp.WSMsgType

    @pytest.mark.rows("S003-100")
    async def test_by_type(self) -> None:
        """receive_str(), receive_bytes() and receive_json() return the data of the kind they are for."""
        async with (
            sends(frame(TEXT, b"a") + frame(BINARY, b"b") + frame(TEXT, b"[1]") * 2) as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            assert await ws.receive_str() == "a"
            assert await ws.receive_bytes() == b"b"
            assert await ws.receive_json() == [1]
            assert await ws.receive_json(loads=lambda text: text + "!") == "[1]!"

    @pytest.mark.rows("S003-100")
    async def test_another_type(self) -> None:
        """Each of them raises WSMessageTypeError for another message, and for the end."""
        pieces = frame(TEXT, b"a") + frame(BINARY, b"bb") * 2 + close()
        async with (
            sends(pieces) as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            with pytest.raises(WSMessageTypeError, match=r"received TEXT \(str of 1\), not BINARY"):
                await ws.receive_bytes()
            with pytest.raises(TypeError, match=r"received BINARY \(bytes of 2\), not TEXT"):
                await ws.receive_str()
            with pytest.raises(WSMessageTypeError):
                await ws.receive_json()
            with pytest.raises(WSMessageTypeError, match=r"received CLOSE \(1000\)"):
                await ws.receive_str()
            with pytest.raises(WSMessageTypeError, match="received CLOSED"):
                await ws.receive_bytes()

    @pytest.mark.rows("S003-101")
    async def test_iteration(self) -> None:
        """async for ends with the close frame, and gives an error as a message before it ends."""
        for last, types in (
            (close(), [WSMsgType.TEXT, WSMsgType.BINARY]),
            (frame(TEXT, b"a", rsv=RSV2), [WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.ERROR]),
        ):
            async with (
                sends(frame(TEXT, b"a") + frame(BINARY, b"b") + last) as server,
                ClientSession() as session,
                session.ws_connect(server.url()) as ws,
            ):
                assert [message.type async for message in ws] == types
                assert ws.closed

    @pytest.mark.rows("S003-65")
    async def test_decode_text(self) -> None:
        """With decode_text=False text is received as bytes."""
        messages = await received(frame(TEXT, b"\xff") + close(), decode_text=False)
        assert messages[0] == (WSMsgType.TEXT, b"\xff", "")
        async with (
            sends(frame(TEXT, b"[1]") * 2) as server,
            ClientSession() as session,
            session.ws_connect(server.url(), decode_text=False) as ws,
        ):
            assert await ws.receive_str() == b"[1]"
            assert await ws.receive_json() == [1]

    @pytest.mark.rows("S003-65")
    async def test_max_msg_size(self) -> None:
        """max_msg_size is 4 MiB by default; 0 means no limit."""
        large = frame(BINARY, bytes(2**22 + 1))
        (error, *_) = await received(large)
        assert error.type is WSMsgType.ERROR
        assert error.data.code == WSCloseCode.MESSAGE_TOO_BIG
        (message, *_) = await received(large + close(), max_msg_size=0)
        assert len(message.data) == 2**22 + 1
        (error, *_) = await received(frame(BINARY, b"12345"), max_msg_size=4)
        assert error.type is WSMsgType.ERROR

    @pytest.mark.rows("S003-99")
    async def test_one_at_a_time(self) -> None:
        """A second receiver gets RuntimeError; the first one is not disturbed."""
        async with (
            sends(frame(TEXT, b"a")) as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            assert await ws.receive_str() == "a"
            first = asyncio.ensure_future(ws.receive())
            await turns()
            with pytest.raises(RuntimeError, match="another task is receiving"):
                await ws.receive()
            await ws.close()
            assert (await first).type is WSMsgType.CLOSING

    @pytest.mark.virtual_clock
    @pytest.mark.parametrize(
        ("arguments", "timeout", "seconds"),
        [
            pytest.param({"timeout": ClientWSTimeout(ws_receive=3)}, None, 3, id="S003-56-new"),
            pytest.param({"receive_timeout": 4}, None, 4, id="S003-56-old"),
            pytest.param({}, 5, 5, id="S003-99-call"),
            pytest.param({"timeout": ClientWSTimeout(ws_receive=3)}, 6, 6, id="S003-99-call-first"),
        ],
    )
    @pytest.mark.filterwarnings("ignore:receive_timeout:aioclient.LegacyParameterWarning")
    async def test_timeouts(
        self, arguments: dict[str, Any], timeout: float | None, seconds: float
    ) -> None:
        """A message that does not come in time is an error that says so; the WebSocket stays open."""

        async def talk(conn: RawConnection) -> None:
            await read_frame(conn)
            conn.send(frame(TEXT, b"late") + frame(BINARY, b"later"))
            await end(conn)

        loop = asyncio.get_running_loop()
        async with (
            websocket_server(talk) as server,
            ClientSession() as session,
            session.ws_connect(server.url(), **arguments) as ws,
        ):
            for receive in (ws.receive_str, ws.receive_bytes, ws.receive_json):
                start = loop.time()
                with pytest.raises(
                    WSReceiveTimeoutError, match="no message within ws_receive"
                ) as caught:
                    await receive(timeout=timeout)
                assert isinstance(caught.value, asyncio.TimeoutError)
                assert isinstance(caught.value, aiohttp.ClientError)
                assert caught.value.limit == seconds
                assert loop.time() - start == pytest.approx(seconds)
            assert not ws.closed
            await ws.send_str("go")
            assert await ws.receive_str(timeout=timeout) == "late"
            assert await ws.receive_bytes() == b"later"

    @pytest.mark.rows("S003-56")
    async def test_older_spelling_of_the_receive_timeout(self) -> None:
        """receive_timeout= warns at the line that calls."""
        async with sends() as server, ClientSession() as session:
            with pytest.warns(aioclient.LegacyParameterWarning, match="ws_receive=4") as caught:
                async with session.ws_connect(server.url(), receive_timeout=4):
                    pass
            assert caught[0].filename == __file__

    @pytest.mark.rows("WS-13")
    @pytest.mark.both_loops
    async def test_a_cancelled_receive_takes_nothing(self) -> None:
        """Whenever a receive is cancelled, the next one gets the next message."""

        async def talk(conn: RawConnection) -> None:
            for n in range(200):
                conn.send(frame(TEXT, str(n).encode()))
                await turns(n % 3)
            conn.send(close())
            await end(conn)

        async with (
            websocket_server(talk) as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            texts = []
            chance = random.Random(3)
            while True:
                task = asyncio.ensure_future(ws.receive())
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                task.cancel()
                try:
                    message = await task
                except asyncio.CancelledError:
                    continue
                if message.type is not WSMsgType.TEXT:
                    break
                texts.append(message.data)
            assert texts == [str(n) for n in range(200)]

    async def test_a_receive_cancelled_by_what_it_waits_for(self) -> None:
        """A message that arrives in the round in which the receive is cancelled is not lost."""
        async with (
            sends() as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            task = asyncio.ensure_future(ws.receive())
            await turns()
            task.cancel()
            (conn,) = server.scripted_connections
            conn.send(frame(TEXT, b"kept"))
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await ws.receive_str() == "kept"


class TestPings:
    @pytest.mark.rows("S003-59")
    @pytest.mark.parametrize("autoping", [True, False])
    async def test_autoping(self, autoping: bool) -> None:
        """Pings are answered, whether or not somebody receives; with autoping=False they are messages."""
        got: list[Frame] = []

        async def talk(conn: RawConnection) -> None:
            conn.send(frame(PING, b"1") + frame(PONG, b"2"))
            got.append(await read_frame(conn))
            await end(conn)

        async with (
            websocket_server(talk) as server,
            ClientSession() as session,
            session.ws_connect(server.url(), autoping=autoping) as ws,
        ):
            if autoping:
                while not got:
                    await turns()
            else:
                assert await ws.receive() == (WSMsgType.PING, b"1", "")
                assert await ws.receive() == (WSMsgType.PONG, b"2", "")
                await ws.pong(b"own")
                await turns()
        assert (got[0].opcode, got[0].payload) == (PONG, b"1" if autoping else b"own")

    @pytest.mark.both_loops
    async def test_several_in_one_segment(self) -> None:
        """Each ping of a segment is answered, in its order, between whatever frames it stands."""
        got: list[tuple[int, bytes]] = []

        async def talk(conn: RawConnection) -> None:
            pings = [frame(PING, b"%d" % n) for n in range(9)]
            message = frame(TEXT, b"a", fin=False) + pings[7] + frame(CONTINUATION, b"b")
            conn.send(b"".join(pings[:7]) + message + pings[8])
            while len(got) < 9:
                received = await read_frame(conn)
                got.append((received.opcode, received.payload))
            await end(conn)

        async with (
            websocket_server(talk) as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            assert await ws.receive_str() == "ab"
            while len(got) < 9:
                await turns()
        assert got == [(PONG, b"%d" % n) for n in range(9)]

    @pytest.mark.rows("WS-06")
    @pytest.mark.both_loops
    async def test_a_flood_of_pings(self) -> None:
        """While the peer does not read, only its latest 256 pings are kept to be answered."""
        pongs: list[bytes] = []
        filled = asyncio.Event()

        async def talk(conn: RawConnection) -> None:
            conn.stop_reading()
            await filled.wait()
            for n in range(100):
                conn.send(b"".join(frame(PING, b"%d" % (n * 1000 + k)) for k in range(1000)))
                await conn.drain()
                await turns(1)
            await turns(20)
            sizes.append(transport.get_write_buffer_size())
            conn.start_reading()
            assert len((await read_frame(conn)).payload) == 2**24
            while not pongs or pongs[-1] != b"99999":
                got = await read_frame(conn)
                assert got.opcode == PONG
                pongs.append(got.payload)
            await end(conn)

        async with (
            websocket_server(talk) as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            transport = ws.response.connection.transport  # type: ignore[union-attr]
            assert transport is not None
            sending = asyncio.ensure_future(ws.send_bytes(bytes(2**24)))
            await turns(20)
            assert not sending.done()
            sizes = [transport.get_write_buffer_size()]
            filled.set()
            await sending
            while not pongs or pongs[-1] != b"99999":
                await turns()
            assert sizes[0] == sizes[1], "nothing was added to what the peer does not read"
            assert pongs == [b"%d" % n for n in range(10**5 - 256, 10**5)]


class TestViolations:
    @pytest.mark.parametrize(
        ("data", "code"),
        [
            pytest.param(frame(TEXT, b"a", mask=b"1234"), 1002, id="WS-09-masked"),
            pytest.param(frame(TEXT, b"a", rsv=RSV1), 1002, id="WS-08-rsv1"),
            pytest.param(frame(5, b"a"), 1002, id="WS-09-opcode"),
            pytest.param(frame(BINARY, bits=64, length=2**63), 1002, id="WS-04-length"),
            pytest.param(frame(BINARY, b"a", bits=64), 1002, id="WS-04-not-minimal"),
            pytest.param(frame(BINARY, bits=64, length=2**40), 1009, id="WS-04-too-large"),
            pytest.param(frame(TEXT, b"\xff"), 1007, id="WS-09-utf8"),
            pytest.param(frame(CONTINUATION), 1002, id="WS-09-continuation"),
            pytest.param(close(1005), 1002, id="WS-09-code"),
        ],
    )
    @pytest.mark.both_loops
    @pytest.mark.parametrize("waits", [True, False])
    async def test_close_code_and_exception(self, data: bytes, code: int, waits: bool) -> None:
        """A violation is answered with its code at once, and told behind the messages before it."""
        answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def talk(conn: RawConnection) -> None:
            conn.send(frame(TEXT, b"good") + data)
            got = await read_frame(conn)
            assert got.opcode == CLOSE
            answered.set_result(int.from_bytes(got.payload, "big"))
            assert await gone(conn) == b""

        async with websocket_server(talk) as server, ClientSession() as session:
            async with session.ws_connect(server.url()) as ws:
                if not waits:
                    assert await answered == code  # nobody receives
                    assert not ws.closed, "there is something to receive"
                assert await ws.receive_str() == "good"
                message = await ws.receive()
                assert message.type is WSMsgType.ERROR
                assert message.data is ws.exception()
                assert type(message.data) is aiohttp.WebSocketError
                assert message.data.code == ws.close_code == code
                assert ws.closed
                assert (await ws.receive()).type is WSMsgType.CLOSED
                with pytest.raises(ClientConnectionResetError):
                    await ws.send_str("a")
            assert await answered == code
            await no_connection_in_use(session)

    @pytest.mark.parametrize("timeout", [None, 10])
    @pytest.mark.both_loops
    async def test_good_messages_before_it_are_answered(self, timeout: float | None) -> None:
        """One who receives can answer the messages that came in the same segment before a violation."""
        answers: list[bytes] = []

        async def talk(conn: RawConnection) -> None:
            conn.send(frame(TEXT, b"a") + frame(TEXT, b"b") + frame(3) + frame(PING))
            while (got := await read_frame(conn)).opcode == TEXT:
                answers.append(got.payload)
            assert (got.opcode, got.payload) == (CLOSE, b"\x03\xea")
            assert await gone(conn) == b""

        async with (
            websocket_server(talk) as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            for _ in range(2):
                await ws.send_str((await ws.receive(timeout)).data)
            message = await ws.receive(timeout)
            assert message.type is WSMsgType.ERROR
            assert ws.close_code == 1002
        assert answers == [b"a", b"b"]

    @pytest.mark.both_loops
    async def test_the_connection_is_lost_before_it_is_told(self) -> None:
        """A violation that came before the end is what is told, not the end."""

        async def talk(conn: RawConnection) -> None:
            conn.send(frame(TEXT, b"a") + frame(3))
            conn.close()

        async with (
            websocket_server(talk) as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            assert await ws.receive_str() == "a"
            message = await ws.receive()
            assert message.type is WSMsgType.ERROR
            assert ws.close_code == message.data.code == 1002

    @pytest.mark.parametrize("how", ["close", "reset"])
    @pytest.mark.both_loops
    async def test_a_lost_connection(self, how: str) -> None:
        """Without a close frame the end is CLOSED with 1006, behind what came before; exception() says why."""

        async def talk(conn: RawConnection) -> None:
            conn.send(frame(TEXT, b"last") + b"\x81")
            await turns()
            getattr(conn, how)()

        async with (
            websocket_server(talk) as server,
            ClientSession() as session,
            session.ws_connect(server.url()) as ws,
        ):
            assert await ws.receive_str() == "last"
            assert (await ws.receive()).type is WSMsgType.CLOSED
            assert ws.close_code == 1006
            assert ws.closed
            error = ws.exception()
            if how == "close":
                assert type(error) is ServerDisconnectedError
                assert str(error).startswith("GET http://127.0.0.1")
            else:
                assert isinstance(error, aiohttp.ClientOSError)
            with pytest.raises(ClientConnectionResetError) as caught:
                await ws.send_str("a")
            assert caught.value.__cause__ is error


@pytest.mark.rows("S003-95")
class TestState:
    async def test_open_and_closed(self) -> None:
        """closed, close_code, exception() and repr() tell the state; get_extra_info() asks the transport."""
        async with sends() as server, ClientSession() as session:
            ws = await session.ws_connect(server.url())
            assert (ws.closed, ws.close_code, ws.exception(), ws.protocol, ws.compress) == (
                False,
                None,
                None,
                None,
                0,
            )
            assert ws.get_extra_info("peername") == ("127.0.0.1", server.port)
            assert ws.get_extra_info("nothing") is None
            assert ws.get_extra_info("nothing", 1) == 1
            assert repr(ws) == f"<ClientWebSocketResponse GET {server.url()} open>"
            assert ws.response.status == opened_by()
            await ws.close()
            assert (ws.closed, ws.close_code, ws.exception()) == (True, 1000, None)
            await turns()
            assert ws.get_extra_info("peername", "gone") == "gone"
            assert repr(ws) == f"<ClientWebSocketResponse GET {server.url()} closed, code 1000>"
