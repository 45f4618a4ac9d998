"""The rules of RFC 9113, one by one: what breaks one, which error it is, and where it stands."""

from collections.abc import Callable

import hpack
import pytest

from aioclient.protocols.http2.budget import FREE, PERIOD
from aioclient.protocols.http2.codec import Codec
from aioclient.protocols.http2.control import MAX_ANSWERS
from aioclient.protocols.http2.errors import ErrorCode
from aioclient.protocols.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    frame,
    goaway_frame,
    ping_frame,
    reset_frame,
    settings_frame,
    window_frame,
)
from aioclient.protocols.http2.request_head import RequestHead
from aioclient.protocols.http2.responses import MAX_CONTINUATIONS, MAX_INTERIM
from aioclient.protocols.http2.settings import LocalSettings
from aioclient.protocols.http2.states import BODY, CLOSED, HEAD

from .wire import GET, OK, Wire, body, cut, frames

PROTOCOL, FLOW, SIZE = (
    ErrorCode.PROTOCOL_ERROR,
    ErrorCode.FLOW_CONTROL_ERROR,
    ErrorCode.FRAME_SIZE_ERROR,
)
CALM = ErrorCode.ENHANCE_YOUR_CALM
CLOSED_STREAM = ErrorCode.STREAM_CLOSED


class TestPreface:
    """Section 3.4."""

    def test_ours(self) -> None:
        """The preface, SETTINGS with push off, and the connection's window go out first."""
        sent = Codec().take()
        assert sent.startswith(PREFACE)
        first, second = frames(sent)
        assert first.kind == SETTINGS
        assert first.payload[:6] == b"\x00\x02\x00\x00\x00\x00"
        assert (second.kind, second.stream_id) == (WINDOW_UPDATE, 0)
        assert int.from_bytes(second.payload, "big") == 2**24 - 65_535

    @pytest.mark.parametrize(
        "first",
        [
            pytest.param(ping_frame(bytes(8)), id="H2-09-ping"),
            pytest.param(frame(SETTINGS, ACK, 0, b""), id="H2-09-ack-of-ours"),
            pytest.param(goaway_frame(0, 0), id="H2-09-goaway"),
            pytest.param(frame(DATA, 0, 1, b"x"), id="H2-09-data"),
            pytest.param(frame(HEADERS, END_HEADERS, 1, b"\x88"), id="H2-09-headers"),
            pytest.param(frame(0xFA, 0, 0, b""), id="H2-09-unknown"),
            pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="H2-09-ssh"),
            pytest.param(bytes(9), id="H2-09-zeros"),
        ],
    )
    def test_first_frame(self, first: bytes) -> None:
        """The server's first frame is SETTINGS; everything else is refused when its head is here."""
        for end in (len(first), 9):
            codec = Codec()
            codec.receive(first[:end], 0.0)
            assert codec.failure is not None
            assert (codec.failure.code, codec.failure.section) == (
                PROTOCOL,
                "RFC 9113, section 3.4",
            )

    @pytest.mark.rows("H2-09")
    def test_http1(self) -> None:
        """A server that answers in HTTP/1.1 is told from its first five bytes, whichever way they come."""
        answer = b"HTTP/1.1 400 Bad Request\r\n\r\n"
        for step in (1, 5, len(answer)):
            codec = Codec()
            for start in range(0, len(answer), step):
                codec.receive(answer[start : start + step], 0.0)
            assert "answers in HTTP/1.1" in str(codec.failure)
        codec = Codec()
        codec.receive(b"HTTP/", 0.0)
        assert codec.failure is not None


class TestFrameSize:
    """Section 4.2."""

    @pytest.mark.parametrize("kind", [DATA, HEADERS, SETTINGS, PING, CONTINUATION, 0x20])
    @pytest.mark.rows("H2-09")
    def test_too_large(self, kind: int) -> None:
        """A frame above the limit is refused when its nine bytes are here, not when its megabytes are."""
        wire = Wire()
        head = (2**24 - 1).to_bytes(3, "big") + bytes((kind, 0, 0, 0, 0, 1))
        assert wire.refusal(head) == (SIZE, "RFC 9113, section 4.2")

    @pytest.mark.parametrize(
        ("wrong", "section"),
        [
            pytest.param(frame(RST_STREAM, 0, 1, bytes(3)), "6.4", id="rst"),
            pytest.param(frame(SETTINGS, 0, 0, bytes(5)), "6.5", id="settings"),
            pytest.param(frame(SETTINGS, ACK, 0, bytes(6)), "6.5", id="settings-ack"),
            pytest.param(frame(PING, 0, 0, bytes(7)), "6.7", id="ping"),
            pytest.param(frame(GOAWAY, 0, 0, bytes(7)), "6.8", id="goaway"),
            pytest.param(frame(WINDOW_UPDATE, 0, 0, bytes(5)), "6.9", id="window"),
            pytest.param(frame(WINDOW_UPDATE, 0, 1, bytes(3)), "6.9", id="window-of-stream"),
            pytest.param(frame(DATA, PADDED, 1, b""), "6.1", id="padded-data"),
            pytest.param(frame(HEADERS, PADDED, 1, b""), "6.2", id="padded-headers"),
            pytest.param(frame(HEADERS, WITH_PRIORITY | END_HEADERS, 1, bytes(4)), "6.2", id="headers-priority"),
        ],
    )  # fmt: skip
    def test_wrong(self, wrong: bytes, section: str) -> None:
        """A frame that cannot have its size is a connection error."""
        wire = Wire()
        wire.get()
        assert wire.refusal(wrong) == (SIZE, f"RFC 9113, section {section}")

    def test_priority(self) -> None:
        """PRIORITY of a wrong size is a stream error; else it means nothing (section 6.3)."""
        wire = Wire()
        stream, other = wire.get(), wire.get()
        wire.say(frame(PRIORITY, 0, 5, bytes(5)) + frame(PRIORITY, 0, other.id, bytes(5)))
        assert wire.reset(stream, frame(PRIORITY, 0, 1, bytes(4))) == (
            SIZE,
            "RFC 9113, section 6.3",
        )


class TestStreamIds:
    """Sections 5.1.1 and 6."""

    @pytest.mark.parametrize(
        ("wrong", "section"),
        [
            pytest.param(frame(DATA, 0, 0, b"x"), "5.1", id="data-0"),
            pytest.param(frame(HEADERS, END_HEADERS, 0, b"\x88"), "5.1", id="headers-0"),
            pytest.param(frame(HEADERS, 0, 0, b"\x88"), "6.2", id="headers-0-without-end"),
            pytest.param(frame(PRIORITY, 0, 0, bytes(5)), "6.3", id="priority-0"),
            pytest.param(reset_frame(0, 0), "5.1", id="rst-0"),
            pytest.param(frame(SETTINGS, 0, 1, b""), "6.5", id="settings-1"),
            pytest.param(frame(PING, 0, 1, bytes(8)), "6.7", id="ping-1"),
            pytest.param(frame(GOAWAY, 0, 1, bytes(8)), "6.8", id="goaway-1"),
            pytest.param(frame(CONTINUATION, END_HEADERS, 1, b""), "6.10", id="continuation-1"),
            pytest.param(frame(CONTINUATION, END_HEADERS, 0, b""), "6.10", id="continuation-0"),
            pytest.param(frame(DATA, 0, 3, b"x"), "5.1", id="data-idle"),
            pytest.param(frame(HEADERS, END_HEADERS, 3, b"\x88"), "5.1", id="headers-idle"),
            pytest.param(reset_frame(3, 0), "5.1", id="rst-idle"),
            pytest.param(window_frame(3, 1), "5.1", id="window-idle"),
            pytest.param(frame(DATA, 0, 2, b"x"), "5.1", id="data-even"),
            pytest.param(frame(HEADERS, END_HEADERS, 2, b"\x88"), "5.1", id="headers-even"),
            pytest.param(reset_frame(2, 0), "5.1", id="rst-even"),
            pytest.param(window_frame(2, 1), "5.1", id="window-even"),
            pytest.param(frame(PUSH_PROMISE, END_HEADERS, 1, b"\x00\x00\x00\x02\x88"), "8.4", id="H2-06-push"),
        ],
    )  # fmt: skip
    def test_wrong(self, wrong: bytes, section: str) -> None:
        """A frame on a stream that it cannot be on is a connection error PROTOCOL_ERROR."""
        wire = Wire()
        wire.get()
        assert wire.refusal(wrong) == (PROTOCOL, f"RFC 9113, section {section}")

    def test_reserved_bit(self) -> None:
        """The bit before the identifier is ignored (section 4.1)."""
        wire = Wire()
        stream = wire.get()
        data = bytearray(wire.head(stream, OK, end=True))
        data[5] |= 0x80
        assert wire.say(bytes(data)) == [stream]
        assert stream.complete

    def test_ids(self) -> None:
        """Streams have odd identifiers that rise."""
        wire = Wire()
        assert [wire.get().id for _ in range(3)] == [1, 3, 5]
        assert [sent.stream_id for sent in wire.taken()] == [1, 3, 5]


class TestFieldBlocks:
    """Sections 4.3, 6.2 and 6.10."""

    @pytest.mark.parametrize(
        "between",
        [
            pytest.param(ping_frame(bytes(8)), id="ping"),
            pytest.param(frame(CONTINUATION, END_HEADERS, 3, b""), id="continuation-of-another"),
            pytest.param(frame(HEADERS, END_HEADERS, 1, b"\x88"), id="headers"),
            pytest.param(frame(DATA, 0, 1, b"x"), id="data"),
            pytest.param(frame(0x42, 0, 1, b""), id="unknown"),
        ],
    )
    def test_nothing_in_between(self, between: bytes) -> None:
        """Only CONTINUATION of the same stream may follow a block without END_HEADERS."""
        wire = Wire()
        wire.get(), wire.get()
        begun = frame(HEADERS, 0, 1, b"\x88")
        assert wire.refusal(begun + between) == (PROTOCOL, "RFC 9113, section 6.10")

    @pytest.mark.rows("H2-01")
    def test_continuations(self) -> None:
        """A block may come in so many frames, and no more, whether they are empty or not."""
        for count in (1, MAX_CONTINUATIONS):
            wire = Wire()
            stream = wire.get()
            block = wire.block(OK, ("a", "b" * 100))
            wire.say(cut(block, 1, *[0, 1] * (count // 2), *[2] * (count % 2), flags=END_STREAM))
            assert stream.head is not None
            assert stream.complete
        wire = Wire()
        wire.get()
        flood = frame(HEADERS, 0, 1, b"") + frame(CONTINUATION, 0, 1, b"") * (MAX_CONTINUATIONS + 1)
        assert wire.refusal(flood) == (CALM, "RFC 9113, section 10.5")

    @pytest.mark.rows("H2-01")
    def test_large_block(self) -> None:
        """A block may have 64 KiB, and no more."""
        wire = Wire()
        wire.get()
        part = bytes(2**15)
        flood = frame(HEADERS, 0, 1, part) + frame(CONTINUATION, 0, 1, part) * 2
        assert wire.refusal(flood) == (CALM, "RFC 9113, section 10.5")

    @pytest.mark.rows("H2-02")
    def test_bomb(self) -> None:
        """A list that gets too large resets its stream; the others, and the table, go on."""
        wire = Wire()
        stream, other = wire.get(), wire.get()
        bomb = b"\x40\x01a\x7f\xb9\x16" + b"x" * 3000 + b"\xbe" * 1000
        assert wire.reset(stream, frame(HEADERS, END_HEADERS, stream.id, bomb)) == (
            CALM,
            "RFC 9113, section 10.5.1",
        )
        wire.say(frame(HEADERS, END_HEADERS | END_STREAM, other.id, b"\x88\xbe"))
        assert other.head is not None
        assert other.head.fields["a"] == "x" * 3000

    def test_not_hpack(self) -> None:
        """A block that cannot be decoded ends the connection, whoever it is for."""
        for closed in (False, True):
            wire = Wire()
            stream = wire.get()
            if closed:
                wire.codec.reset(stream)
            assert (
                wire.refusal(frame(HEADERS, END_HEADERS, 1, b"\x80"))[0]
                == ErrorCode.COMPRESSION_ERROR
            )

    @pytest.mark.parametrize("kind", [DATA, HEADERS])
    def test_padding(self, kind: int) -> None:
        """Padding is left out, and must be shorter than its frame (sections 6.1 and 6.2)."""
        wire = Wire()
        stream = wire.get()
        block = wire.block(OK)
        wire.say(frame(HEADERS, PADDED | END_HEADERS, 1, b"\x03" + block + b"pad"))
        wire.say(frame(DATA, PADDED, 1, b"\x02ab") + frame(DATA, PADDED, 1, b"\x00c"))
        wire.say(frame(DATA, PADDED | END_STREAM, 1, b"\x02dxx"))
        assert body(stream) == b"cd"
        assert stream.complete
        wire.get()
        assert wire.refusal(frame(kind, PADDED | END_HEADERS, 3, b"\x01")) == (
            PROTOCOL,
            f"RFC 9113, section 6.{1 if kind == DATA else 2}",
        )

    def test_priority_in_headers(self) -> None:
        """A priority in HEADERS is skipped (section 5.3.2)."""
        wire = Wire()
        stream = wire.get()
        block = b"\x01" + bytes(5) + wire.block(OK) + b"x"
        wire.say(frame(HEADERS, PADDED | WITH_PRIORITY | END_HEADERS | END_STREAM, 1, block))
        assert stream.complete

    @pytest.mark.rows("H2-13")
    def test_block_of_a_reset_stream(self) -> None:
        """A block that was under way when its stream was reset still changes the table."""
        wire = Wire()
        stream, other = wire.get(), wire.get()
        wire.codec.reset(stream)
        assert wire.say(wire.head(stream, OK, ("x-a", "b"))) == []
        wire.say(wire.head(other, OK, ("x-a", "b"), end=True))
        assert other.head is not None
        assert other.head.fields["x-a"] == "b"


class TestMessages:
    """Section 8: what is wrong with a message resets its stream, and nothing else."""

    @pytest.mark.parametrize(
        ("fields", "section"),
        [
            pytest.param([], "8.3.2", id="H2-11-nothing"),
            pytest.param([("a", "b")], "8.3.2", id="H2-11-no-status"),
            pytest.param([("a", "b"), OK], "8.3.2", id="H2-11-status-last"),
            pytest.param([OK, OK], "8.3", id="H2-11-status-twice"),
            pytest.param([OK, ("a", "b"), OK], "8.3", id="H2-11-status-again"),
            pytest.param([OK, (":path", "/")], "8.3", id="H2-11-pseudo-of-requests"),
            pytest.param([OK, (":x", "y")], "8.3", id="H2-11-unknown-pseudo"),
            pytest.param([(":status", "20")], "8.3.2", id="H2-11-status-20"),
            pytest.param([(":status", "abc")], "8.3.2", id="H2-11-status-abc"),
            pytest.param([(":status", "099")], "8.3.2", id="H2-11-status-099"),
            pytest.param([(":status", "2000")], "8.3.2", id="H2-11-status-2000"),
            pytest.param([(":status", "٢٠٠")], "8.3.2", id="H2-11-status-in-other-digits"),
            pytest.param([(":status", "")], "8.3.2", id="H2-11-status-empty"),
            pytest.param([OK, ("connection", "close")], "8.2.2", id="H2-11-connection"),
            pytest.param([OK, ("keep-alive", "a")], "8.2.2", id="H2-11-keep-alive"),
            pytest.param([OK, ("proxy-connection", "a")], "8.2.2", id="H2-11-proxy-connection"),
            pytest.param([OK, ("transfer-encoding", "chunked")], "8.2.2", id="H2-11-transfer-encoding"),
            pytest.param([OK, ("upgrade", "h2c")], "8.2.2", id="H2-11-upgrade"),
            pytest.param([OK, ("A", "b")], "8.2.1", id="H2-11-upper-case"),
            pytest.param([OK, ("a b", "c")], "8.2.1", id="H2-11-space"),
            pytest.param([OK, ("a", "b\r\nc: d")], "8.2.1", id="H2-11-lines"),
            pytest.param([OK, ("a", "b\x01")], "8.2.1", id="H2-11-control"),
            pytest.param([OK, ("a", " b")], "8.2.1", id="H2-11-blank-first"),
            pytest.param([OK, ("content-length", "-1")], "8.1.1", id="H2-11-length-negative"),
            pytest.param([OK, ("content-length", "+1")], "8.1.1", id="H2-11-length-plus"),
            pytest.param([OK, ("content-length", "")], "8.1.1", id="H2-11-length-empty"),
            pytest.param([OK, ("content-length", "1" * 19)], "8.1.1", id="H2-11-length-huge"),
            pytest.param([OK, ("content-length", "1"), ("content-length", "2")], "8.1.1", id="H2-11-two-lengths"),
            pytest.param([OK, ("content-length", "1, 2")], "8.1.1", id="H2-11-two-lengths-in-one"),
            pytest.param([(":status", "101")], "8.6", id="H2-11-101"),
        ],
    )  # fmt: skip
    def test_malformed_heads(self, fields: list[tuple[str, str]], section: str) -> None:
        """A malformed head resets its stream with PROTOCOL_ERROR, the second time as well."""
        wire = Wire()
        stream, again, other = wire.get(), wire.get(), wire.get()
        for one in (stream, again):
            assert wire.reset(one, wire.head(one, *fields)) == (
                PROTOCOL,
                f"RFC 9113, section {section}",
            )
        wire.say(wire.head(other, OK, end=True))
        assert other.complete

    @pytest.mark.parametrize(
        "fields",
        [
            [("content-length", "2"), ("content-length", "2")],
            [("content-length", "2, 2")],
            [("content-length", "02")],
        ],
    )
    def test_equal_lengths(self, fields: list[tuple[str, str]]) -> None:
        """Equal lengths are one, as over HTTP/1.1 (RFC 9110, section 8.6)."""
        wire = Wire()
        stream = wire.get()
        wire.say(wire.head(stream, OK, *fields) + wire.data(stream, b"ok", end=True))
        assert stream.complete

    @pytest.mark.parametrize("status", [200, 404, 599, 600, 999])
    def test_status(self, status: int) -> None:
        """Every status of three digits comes through."""
        wire = Wire()
        stream = wire.get()
        wire.say(wire.head(stream, (":status", str(status)), ("A".lower(), "b"), end=True))
        assert stream.head is not None
        assert stream.head.status == status
        assert list(stream.head.fields.items()) == [("a", "b")]

    def test_data_first(self) -> None:
        """DATA before HEADERS is malformed (section 8.1)."""
        wire = Wire()
        stream = wire.get()
        assert wire.reset(stream, wire.data(stream, b"x")) == (PROTOCOL, "RFC 9113, section 8.1")

    @pytest.mark.parametrize("length", [0, 1, 3])
    @pytest.mark.rows("H2-11")
    def test_content_length(self, length: int) -> None:
        """A body that is not as long as its head said is malformed (section 8.1.1)."""
        for ended_by_headers in (False, True):
            wire = Wire()
            stream = wire.get()
            wire.say(wire.head(stream, OK, ("content-length", str(length))))
            data = wire.data(stream, b"ok", end=not ended_by_headers)
            if ended_by_headers:
                data += wire.head(stream, ("a", "b"), end=True)
            assert wire.reset(stream, data) == (PROTOCOL, "RFC 9113, section 8.1.1")
            assert not stream.complete

    def test_too_much_at_once(self) -> None:
        """More than the length said is refused when it comes, not at its end."""
        wire = Wire()
        stream = wire.get()
        wire.say(wire.head(stream, OK, ("content-length", "1")))
        head_of_frame = wire.data(stream, b"ok")[:9]
        assert wire.reset(stream, head_of_frame)[0] == PROTOCOL
        assert wire.say(b"ok") == []
        assert wire.codec.failure is None

    @pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
    def test_without_body(self, method: str, status: int) -> None:
        """HEAD, 204 and 304 have no body, whatever length they tell."""
        for data in (b"", b"x"):
            wire = Wire()
            stream = wire.get(RequestHead(method, "https", "a.test", "/"))
            wire.say(wire.head(stream, (":status", str(status)), ("content-length", "5")))
            if data:
                assert wire.reset(stream, wire.data(stream, data, end=True))[0] == PROTOCOL
            else:
                wire.say(wire.data(stream, data, end=True))
                assert stream.complete
                assert stream.chunks == []

    def test_connect(self) -> None:
        """A tunnel has no length, whatever the head says (RFC 9110, section 9.3.6)."""
        wire = Wire((0x8, 1))
        assert wire.codec.peer.extended_connect
        head = RequestHead("CONNECT", "https", "a.test", "/chat", (), "websocket")
        stream = wire.post(head)
        wire.say(wire.head(stream, OK, ("content-length", "1")) + wire.data(stream, b"frames"))
        assert body(stream) == b"frames"
        assert stream.failure is None

    def test_interim(self) -> None:
        """Interim responses come before the final one; each can be seen."""
        wire = Wire()
        stream = wire.post()
        wire.say(
            wire.head(stream, (":status", "100"))
            + wire.head(stream, (":status", "103"), ("link", "</a>"))
        )
        assert stream.interim is not None
        assert [(head.status, list(head.fields.items())) for head in stream.interim] == [
            (100, []),
            (103, [("link", "</a>")]),
        ]
        assert stream.head is None
        assert stream.part is HEAD
        wire.say(wire.head(stream, OK))
        assert stream.part is BODY

    @pytest.mark.rows("H2-04")
    def test_endless_interim(self) -> None:
        """After 16 interim responses the stream is reset."""
        wire = Wire()
        stream = wire.get()
        interim = b"".join(wire.head(stream, (":status", "103")) for _ in range(MAX_INTERIM))
        wire.say(interim)
        assert stream.failure is None
        assert wire.reset(stream, wire.head(stream, (":status", "103")))[0] == CALM

    def test_interim_ends(self) -> None:
        """An interim response cannot be the last (section 8.1)."""
        wire = Wire()
        stream = wire.get()
        assert wire.reset(stream, wire.head(stream, (":status", "103"), end=True)) == (
            PROTOCOL,
            "RFC 9113, section 8.1",
        )

    @pytest.mark.rows("H2-16")
    def test_trailers(self) -> None:
        """Trailers are kept apart from the head."""
        wire = Wire()
        stream = wire.get()
        wire.say(wire.head(stream, OK) + wire.data(stream, b"x"))
        wire.say(wire.head(stream, ("grpc-status", "0"), end=True))
        assert stream.trailers == [("grpc-status", "0")]
        assert stream.complete
        assert stream.state is CLOSED

    @pytest.mark.parametrize(
        ("fields", "end", "section"),
        [
            pytest.param([OK], True, "8.1", id="H2-16-status"),
            pytest.param([(":path", "/")], True, "8.1", id="H2-16-pseudo"),
            pytest.param([("a", "b")], False, "8.1", id="H2-16-no-end"),
            pytest.param([("A", "b")], True, "8.2.1", id="H2-16-upper-case"),
            pytest.param([("connection", "close")], True, "8.2.2", id="H2-16-connection"),
        ],
    )
    def test_bad_trailers(self, fields: list[tuple[str, str]], end: bool, section: str) -> None:
        """Trailers have no pseudo-fields and end the stream."""
        wire = Wire()
        stream = wire.get()
        wire.say(wire.head(stream, OK))
        assert wire.reset(stream, wire.head(stream, *fields, end=end)) == (
            PROTOCOL,
            f"RFC 9113, section {section}",
        )

    @pytest.mark.parametrize("what", ["data", "headers"])
    @pytest.mark.rows("H2-16")
    def test_after_the_end(self, what: str) -> None:
        """After END_STREAM nothing may come: a stream error while the upload goes on, else the connection's (5.1)."""
        for upload in (True, False):
            wire = Wire()
            stream = wire.post() if upload else wire.get()
            wire.say(wire.head(stream, OK, end=True))
            assert stream.complete
            late = wire.data(stream, b"x") if what == "data" else wire.head(stream, OK)
            found = wire.reset(stream, late) if upload else wire.refusal(late)
            assert found == (CLOSED_STREAM, "RFC 9113, section 5.1")

    def test_same_head(self) -> None:
        """Responses that are alike share their head."""
        wire = Wire()
        first, second = wire.get(), wire.get()
        block = b"\x88\x0f\x0d\x012"
        for stream in (first, second):
            wire.say(
                frame(HEADERS, END_HEADERS, stream.id, block) + wire.data(stream, b"ok", end=True)
            )
        assert first.head is second.head is not None
        assert first.complete
        assert second.complete

    def test_cut_anywhere(self) -> None:
        """Whichever way the bytes are cut, the responses are the same."""
        local = LocalSettings()
        results = []
        for step in (1, 2, 3, 7, 10, 64, 10_000):
            wire = Wire(local=local)
            first, second = wire.get(), wire.get()
            data = (
                wire.head(first, (":status", "103"), ("a", "b"))
                + wire.head(first, OK, ("content-length", "300"))
                + wire.data(first, b"x" * 200)
                + ping_frame(b"12345678")
                + cut(wire.block(OK, ("c", "d" * 50)), second.id, 10, 20)
                + frame(DATA, PADDED, second.id, b"\x05hello" + bytes(5))
                + wire.data(first, b"y" * 100)
                + wire.head(first, ("e", "f"), end=True)
                + wire.data(second, b"", end=True)
            )
            for start in range(0, len(data), step):
                wire.say(data[start : start + step])
            assert wire.codec.failure is None
            assert second.head is not None
            results.append(
                (
                    body(first),
                    first.trailers,
                    body(second),
                    second.head.fields["c"],
                    wire.codec.take(),
                )
            )
            assert first.complete
            assert second.complete
        assert all(result == results[0] for result in results)


class TestSettings:
    """Section 6.5."""

    @pytest.mark.parametrize(
        ("setting", "code", "section"),
        [
            pytest.param((0x2, 1), PROTOCOL, "RFC 9113, section 6.5.2", id="H2-07-push-1"),
            pytest.param((0x2, 2), PROTOCOL, "RFC 9113, section 6.5.2", id="H2-07-push-2"),
            pytest.param((0x4, 2**31), FLOW, "RFC 9113, section 6.5.2", id="H2-07-window"),
            pytest.param((0x5, 0), PROTOCOL, "RFC 9113, section 6.5.2", id="H2-07-frame-0"),
            pytest.param((0x5, 2**14 - 1), PROTOCOL, "RFC 9113, section 6.5.2", id="H2-07-frame-small"),
            pytest.param((0x5, 2**24), PROTOCOL, "RFC 9113, section 6.5.2", id="H2-07-frame-large"),
            pytest.param((0x8, 2), PROTOCOL, "RFC 9113, section 6.5.2", id="H2-07-connect-2"),
            pytest.param((0x9, 2), PROTOCOL, "RFC 9113, section 6.5.2", id="H2-07-priorities-2"),
        ],
    )  # fmt: skip
    def test_bad_values(self, setting: tuple[int, int], code: ErrorCode, section: str) -> None:
        """A value that a setting cannot have ends the connection."""
        assert Wire().refusal(settings_frame([setting])) == (code, section)

    def test_connect_taken_back(self) -> None:
        """Extended CONNECT, once offered, is not taken back (RFC 8441, section 3)."""
        wire = Wire((0x8, 1))
        assert wire.refusal(settings_frame([(0x8, 0)])) == (PROTOCOL, "RFC 8441, section 3")

    def test_taken_over(self) -> None:
        """Settings are taken over in their order, unknown ones ignored, and acknowledged."""
        wire = Wire()
        assert wire.codec.peer.max_streams == 100
        wire.take_events()
        wire.say(
            settings_frame([(0x3, 1), (0x3, 7), (0x4, 5), (0x5, 2**15), (0x6, 1000), (0xFF, 9)])
        )
        peer = wire.codec.peer
        assert (peer.max_streams, peer.initial_window, peer.frame_size) == (7, 5, 2**15)
        assert peer.field_list_size == 1000
        assert wire.codec.room == 7
        assert wire.take_events()
        assert not wire.take_events()
        assert wire.codec.take() == frame(SETTINGS, ACK, 0, b"")

    def test_acknowledged(self) -> None:
        """The server's acknowledgement of ours is seen."""
        wire = Wire()
        assert not wire.codec.acknowledged
        wire.say(frame(SETTINGS, ACK, 0, b""))
        assert wire.codec.acknowledged
        assert wire.codec.ready

    @pytest.mark.rows("H2-07")
    def test_many_settings(self) -> None:
        """A frame with thousands of settings is refused."""
        assert Wire().refusal(settings_frame([(0xFF, 1)] * 10_000)) == (
            CALM,
            "RFC 9113, section 10.5",
        )

    @pytest.mark.parametrize(
        "setting",
        [
            ("stream_window", 65_534),
            ("connection_window", 2**31),
            ("frame_size", 100),
            ("field_list_size", 0),
        ],
    )
    def test_ours(self, setting: tuple[str, int]) -> None:
        """Settings of ours that HTTP/2 cannot say, or servers need not heed at first, are refused."""
        with pytest.raises(ValueError, match=setting[0]):
            LocalSettings(**dict([setting]))


class TestPing:
    """Section 6.7."""

    def test_answered(self) -> None:
        """A PING is answered with the same payload, whether or not a request is under way."""
        wire = Wire()
        wire.say(ping_frame(b"payload!"))
        assert wire.codec.take() == ping_frame(b"payload!", ACK)

    def test_ours(self) -> None:
        """The answer to a PING of ours is seen."""
        wire = Wire()
        wire.codec.ping(b"payload!")
        assert wire.codec.take() == ping_frame(b"payload!")
        assert wire.codec.pong is None
        wire.take_events()
        wire.say(ping_frame(b"payload!", ACK))
        assert wire.codec.pong == b"payload!"
        assert wire.take_events()
        assert not wire.codec.pending


FLOODS: dict[str, Callable[[int], bytes]] = {
    "ping": lambda number: ping_frame(bytes(8)),
    "ping-ack": lambda number: ping_frame(bytes(8), ACK),
    "settings": lambda number: settings_frame([]),
    "settings-ack": lambda number: frame(SETTINGS, ACK, 0, b""),
    "priority": lambda number: frame(PRIORITY, 0, 1, bytes(5)),
    "unknown": lambda number: frame(0x42, 0, number, b""),
    "window": lambda number: window_frame(0, 1),
    "window-of-stream": lambda number: window_frame(1, 1),
    "window-of-closed": lambda number: window_frame(3, 1),
    "rst-of-closed": lambda number: reset_frame(3, 8),
    "empty-data": lambda number: frame(DATA, 0, 1, b""),
    "empty-data-of-closed": lambda number: frame(DATA, 0, 3, b""),
    "padding-alone": lambda number: frame(DATA, PADDED, 1, b"\x00"),
    "headers-of-closed": lambda number: frame(HEADERS, END_HEADERS, 3, b"\x88"),
    "goaway": lambda number: goaway_frame(5, 0),
}
ROWS = {"empty-data": "H2-03", "padding-alone": "H2-03", "rst-of-closed": "H2-05"}


class TestFloods:
    """Section 10.5."""

    @pytest.mark.parametrize(
        "kind", [pytest.param(kind, id=f"{ROWS.get(kind, 'H2-04')}-{kind}") for kind in FLOODS]
    )
    def test_each(self, kind: str) -> None:
        """Of what is of no use so much is taken, and then the connection ends."""
        wire = Wire()
        stream, closed = wire.get(), wire.get()
        wire.say(wire.head(stream, OK))
        wire.codec.reset(closed)
        sent = 0
        while wire.codec.failure is None:
            wire.say(FLOODS[kind](sent))
            wire.codec.take()
            sent += 1
            assert sent < 1100
        assert sent > 900
        assert wire.codec.failure.code == CALM
        assert wire.codec.failure.section == "RFC 9113, section 10.5"
        assert stream.failure is not None

    @pytest.mark.rows("H2-05")
    @pytest.mark.parametrize("code", [ErrorCode.REFUSED_STREAM, ErrorCode.INTERNAL_ERROR])
    def test_every_stream_reset(self, code: ErrorCode) -> None:
        """A server that resets a thousand streams, one after the other, is given up; one that also answers is not."""
        wire = Wire()
        answered = 0
        for number in range(3000):
            stream = wire.get()
            if number % 5 == 0:
                wire.say(wire.head(stream, OK, end=True))
                answered += 1
            else:
                wire.say(reset_frame(stream.id, code))
        assert (answered, wire.codec.failure) == (600, None)
        resets = 0
        while wire.codec.failure is None:
            wire.say(reset_frame(wire.get().id, code))
            resets += 1
            assert resets < 10_000
        assert resets > 900
        assert wire.codec.failure.code == CALM

    @pytest.mark.rows("H2-04")
    def test_over_time(self) -> None:
        """A server that pings for hours is fine."""
        wire = Wire()
        for _ in range(20 * FREE):
            wire.now += 2 * PERIOD / FREE
            wire.say(ping_frame(bytes(8)))
            wire.codec.take()
        assert wire.codec.failure is None

    def test_more_for_more(self) -> None:
        """Who is asked much may say much: each request is worth ten frames."""
        wire = Wire((0x3, 1000))
        for _ in range(500):
            stream = wire.get()
            wire.say(ping_frame(bytes(8)) * 5 + wire.head(stream, OK, end=True))
            wire.codec.take()
        assert wire.codec.failure is None
        wire = Wire((0x4, 2**24))
        stream = wire.post()
        wire.say(window_frame(0, 2**24))
        for _ in range(100):
            wire.codec.send(stream, bytes(2**16), end=False)
            wire.codec.take()
            for _ in range(64):
                wire.say(window_frame(0, 2**9) + window_frame(1, 2**9))
        assert wire.codec.failure is None

    @pytest.mark.rows("H2-04")
    def test_answers_nobody_reads(self) -> None:
        """Answers that the server does not read are bounded, however many requests it was sent."""
        wire = Wire((0x3, 10_000))
        for _ in range(2000):
            wire.get()
        sent = 0
        while wire.codec.failure is None:
            wire.say(ping_frame(bytes(8)))
            sent += 1
        assert 17 * sent <= MAX_ANSWERS + 17
        assert "does not read" in wire.codec.failure.found


class TestRequests:
    """Sections 8.2 and 8.3.1."""

    def sent(self, head: RequestHead) -> list[tuple[str, str]]:
        wire = Wire((0x8, 1))
        wire.codec.open(head, end=True)
        (only,) = wire.taken()
        return [
            (bytes(name).decode(), bytes(value).decode())
            for name, value in hpack.Decoder().decode(only.payload, raw=True)
        ]

    def test_mapped(self) -> None:
        """What was set for HTTP/1.1 is mapped or left out."""
        fields = (
            ("Host", "b.test:8443"),
            ("Connection", "close, X-Hop"),
            ("X-Hop", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "close"),
            ("Transfer-Encoding", "chunked"),
            ("TE", "Trailers"),
            ("Cookie", "a=b; c=d; e"),
            ("X-Upper", " spaces "),
            ("x-é".replace("é", "e"), "é"),
        )
        assert self.sent(RequestHead("GET", "https", "a.test", "/p?q", fields)) == [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "b.test:8443"),
            (":path", "/p?q"),
            ("te", "Trailers"),
            ("cookie", "a=b"),
            ("cookie", "c=d"),
            ("cookie", "e"),
            ("x-upper", "spaces"),
            ("x-e", "é"),
        ]

    def test_pseudo(self) -> None:
        """CONNECT has no scheme and no path, but with a protocol (RFC 8441)."""
        assert self.sent(RequestHead("CONNECT", "", "a.test:443", "")) == [
            (":method", "CONNECT"), (":authority", "a.test:443")
        ]  # fmt: skip
        assert self.sent(RequestHead("OPTIONS", "https", "a.test", "*"))[3] == (":path", "*")
        assert self.sent(RequestHead("CONNECT", "https", "a.test", "/c", (), "websocket"))[4:] == [
            (":protocol", "websocket")
        ]

    @pytest.mark.parametrize(
        "head",
        [
            pytest.param(GET._replace(method="GE T"), id="H2-10-method"),
            pytest.param(GET._replace(method="GET\r\n"), id="H2-10-method-lines"),
            pytest.param(GET._replace(method=""), id="H2-10-no-method"),
            pytest.param(GET._replace(path="/ HTTP/1.1\r\nX: y"), id="H2-10-path"),
            pytest.param(GET._replace(path="/é"), id="H2-10-path-outside-ascii"),
            pytest.param(GET._replace(path=""), id="H2-10-no-path"),
            pytest.param(GET._replace(path="a"), id="H2-10-path-without-slash"),
            pytest.param(GET._replace(path="*"), id="H2-10-star"),
            pytest.param(GET._replace(authority="u:p@a.test"), id="H2-10-userinfo"),
            pytest.param(GET._replace(authority=""), id="H2-10-no-authority"),
            pytest.param(GET._replace(authority="a b"), id="H2-10-authority-space"),
            pytest.param(GET._replace(authority="a\r\nb"), id="H2-10-authority-lines"),
            pytest.param(GET._replace(fields=(("Host", "u@b"),)), id="H2-10-host-userinfo"),
            pytest.param(GET._replace(scheme="ht tp"), id="H2-10-scheme"),
            pytest.param(GET._replace(fields=((":path", "/x"),)), id="H2-10-pseudo"),
            pytest.param(GET._replace(fields=(("a\r\nb", "c"),)), id="H2-10-name-lines"),
            pytest.param(GET._replace(fields=(("a", "b\r\nc: d"),)), id="H2-10-value-lines"),
            pytest.param(GET._replace(fields=(("a", "b\x00"),)), id="H2-10-value-nul"),
            pytest.param(GET._replace(fields=(("", "b"),)), id="H2-10-no-name"),
            pytest.param(GET._replace(fields=(("Upgrade", "h2c"),)), id="H2-10-upgrade"),
            pytest.param(GET._replace(fields=(("HTTP2-Settings", "AA"),)), id="H2-10-settings"),
            pytest.param(GET._replace(fields=(("TE", "gzip"),)), id="H2-10-te"),
            pytest.param(GET._replace(fields=(("Transfer-Encoding", "gzip"),)), id="H2-10-coding"),
            pytest.param(GET._replace(protocol="websocket"), id="H2-10-protocol"),
        ],
    )
    def test_refused(self, head: RequestHead) -> None:
        """What must not be sent raises, and neither a byte nor an identifier is used."""
        wire = Wire()
        with pytest.raises(ValueError):
            wire.codec.open(head, end=True)
        assert not wire.codec.pending
        assert wire.get().id == 1

    def test_large(self) -> None:
        """A field block that is larger than a frame goes on in CONTINUATION frames."""
        wire = Wire()
        fields = tuple((f"x-{number}", "v" * 1000) for number in range(50))
        wire.codec.open(GET._replace(fields=fields), end=True)
        sent = wire.taken()
        assert [one.kind for one in sent] == [HEADERS, CONTINUATION, CONTINUATION, CONTINUATION]
        assert [one.flags for one in sent] == [END_STREAM, 0, 0, END_HEADERS]
        assert max(len(one.payload) for one in sent) == 2**14
