"""Flow control (RFC 9113, sections 5.2 and 6.9), both ways, and whose turn it is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioclient.protocols.http2.codec import SMALL_SEGMENT
from aioclient.protocols.http2.errors import ErrorCode
from aioclient.protocols.http2.flow import DEFAULT_WINDOW, MAX_WINDOW, ReceiveWindow, widened
from aioclient.protocols.http2.frames import (
    DATA,
    END_STREAM,
    HEADERS,
    PADDED,
    RST_STREAM,
    WINDOW_UPDATE,
    frame,
    reset_frame,
    settings_frame,
    window_frame,
)
from aioclient.protocols.http2.settings import LocalSettings
from aioclient.protocols.http2.states import CLOSED, HALF_CLOSED_LOCAL, HALF_CLOSED_REMOTE, OPEN
from aioclient.protocols.http2.streams import Stream

from .wire import OK, Frame, Wire, body

PROTOCOL, FLOW = ErrorCode.PROTOCOL_ERROR, ErrorCode.FLOW_CONTROL_ERROR
SMALL = LocalSettings(stream_window=DEFAULT_WINDOW, connection_window=DEFAULT_WINDOW)


def updates(sent: list[Frame]) -> list[tuple[int, int]]:
    return [
        (one.stream_id, int.from_bytes(one.payload, "big"))
        for one in sent
        if one.kind == WINDOW_UPDATE
    ]


def sizes(sent: list[Frame]) -> list[tuple[int, int]]:
    return [(one.stream_id, len(one.payload)) for one in sent if one.kind == DATA]


class TestReceiving:
    @given(st.lists(st.integers(0, 100)))
    @settings(max_examples=60)
    def test_a_window(self, steps: list[int]) -> None:
        """A window is given back whole, or not at all as long as half of it is left."""
        window = ReceiveWindow(100)
        for size in steps:
            window.left -= size
            left = window.left
            due = window.give_back()
            assert due == (0 if left > 50 else 100 - left)
            assert window.left == left + due

    @pytest.mark.rows("H2-08")
    def test_given_back(self) -> None:
        """A stream's window is given back when a quarter of it was used, and the connection's when half of it was."""
        wire = Wire(local=SMALL)
        stream = wire.get()
        wire.say(wire.head(stream, OK))
        wire.codec.take()
        seen = []
        for _ in range(40):
            wire.say(wire.data(stream, bytes(8000)))
            seen += updates(wire.taken())
        given_back = {0: 0, 1: 0}
        for stream_id, size in seen:
            given_back[stream_id] += size
        assert seen[:3] == [(1, 24_000), (0, 40_000), (1, 24_000)]
        assert min(given_back.values()) > 40 * 8000 - DEFAULT_WINDOW

    @pytest.mark.rows("H2-08")
    def test_padding_counts(self) -> None:
        """Padding is given back as data is (section 6.1)."""
        wire = Wire(local=SMALL)
        stream = wire.get()
        wire.say(wire.head(stream, OK))
        wire.codec.take()
        for _ in range(150):
            wire.say(frame(DATA, PADDED, stream.id, b"\xff" + b"x" + bytes(255)))
        given_back = dict.fromkeys((0, 1), 32_000)
        for stream_id, size in updates(wire.taken()):
            given_back[stream_id] -= size
        assert all(left < 0 for left in given_back.values())

    def test_overrun(self) -> None:
        """More than a stream's window resets it; more than the connection's ends it (section 6.9.1)."""
        wire = Wire(local=LocalSettings(stream_window=DEFAULT_WINDOW))
        stream, other = wire.get(), wire.get()
        wire.say(wire.head(stream, OK) + wire.head(other, OK))
        wire.codec.pause(stream)
        wire.say(wire.data(stream, bytes(2**15)) + wire.data(stream, bytes(2**15 - 1)))
        assert stream.failure is None
        assert wire.reset(stream, wire.data(stream, b"x")) == (FLOW, "RFC 9113, section 6.9.1")
        assert other.failure is None
        wire = Wire(local=SMALL)
        stream = wire.get()
        wire.say(wire.head(stream, OK))
        head_of_frame = (2**16).to_bytes(3, "big") + bytes((DATA, 0, 0, 0, 0, 1))
        assert wire.refusal(head_of_frame) == (FLOW, "RFC 9113, section 6.9.1")

    @pytest.mark.rows("H2-13")
    def test_slow_reader(self) -> None:
        """A stream that nobody reads keeps its own window, and no other stream's, nor the connection's."""
        wire = Wire(
            (0x3, 1000), local=LocalSettings(stream_window=DEFAULT_WINDOW, connection_window=2**17)
        )
        slow = [wire.get() for _ in range(50)]
        for stream in slow:
            wire.codec.pause(stream)
            wire.say(wire.head(stream, OK) + wire.data(stream, bytes(DEFAULT_WINDOW)))
        assert {stream_id for stream_id, _ in updates(wire.taken())} == {0}
        fast = wire.get()
        wire.say(wire.head(fast, OK))
        for _ in range(100):
            wire.say(wire.data(fast, bytes(2**14)))
        assert wire.codec.failure is None
        assert fast.received == 100 * 2**14
        assert all(sum(map(len, stream.chunks)) == DEFAULT_WINDOW for stream in slow)

    def test_paused(self) -> None:
        """While its reader pauses, a stream gets its window's worth; when it goes on, the window is given back."""
        wire = Wire(local=SMALL)
        stream = wire.get()
        wire.say(wire.head(stream, OK))
        wire.codec.pause(stream)
        wire.say(wire.data(stream, bytes(60_000)))
        assert [one for one in updates(wire.taken()) if one[0]] == []
        wire.codec.resume(stream)
        assert updates(wire.taken()) == [(1, 60_000)]
        wire.say(wire.data(stream, bytes(40_000), end=True))
        assert [one for one in updates(wire.taken()) if one[0]] == []
        wire.codec.resume(stream)
        assert not wire.codec.pending

    @pytest.mark.rows("H2-08")
    def test_reset_streams_give_back(self) -> None:
        """DATA for streams that were reset is dropped and counted, so that the connection's window stays whole."""
        wire = Wire(local=SMALL)
        for _ in range(100):
            stream = wire.get()
            wire.say(wire.head(stream, OK))
            data = wire.data(stream, bytes(30_000))
            wire.say(data[:10_000])
            wire.codec.reset(stream)
            assert wire.say(data[10_000:]) == []
            assert wire.say(wire.data(stream, bytes(10_000), end=True)) == []
        assert wire.codec.failure is None
        assert sum(size for _, size in updates(wire.taken())) > 100 * 40_000 - DEFAULT_WINDOW


class TestSending:
    @pytest.mark.parametrize(
        ("window", "increment", "expected"),
        [
            (0, 1, 1),
            (-5, 3, -2),
            (MAX_WINDOW - 1, 1, MAX_WINDOW),
            (MAX_WINDOW, 1, None),
            (-5, MAX_WINDOW, MAX_WINDOW - 5),
        ],
    )
    def test_widened(self, window: int, increment: int, expected: int | None) -> None:
        assert widened(window, increment) == expected

    @pytest.mark.parametrize(
        ("stream_id", "increment", "code", "section"),
        [
            pytest.param(0, 0, PROTOCOL, "RFC 9113, section 6.9", id="connection-0"),
            pytest.param(0, MAX_WINDOW, FLOW, "RFC 9113, section 6.9.1", id="connection-overflow"),
            pytest.param(1, 0, PROTOCOL, "RFC 9113, section 6.9", id="stream-0"),
            pytest.param(1, MAX_WINDOW, FLOW, "RFC 9113, section 6.9.1", id="stream-overflow"),
        ],
    )
    def test_bad_updates(
        self, stream_id: int, increment: int, code: ErrorCode, section: str
    ) -> None:
        """An update by 0, or past 2^31-1, is an error of the connection or the stream that it is for."""
        wire = Wire()
        stream = wire.post()
        update = window_frame(stream_id, increment)
        found = wire.reset(stream, update) if stream_id else wire.refusal(update)
        assert found == (code, section)

    def test_overflow_by_settings(self) -> None:
        """INITIAL_WINDOW_SIZE that makes a window too large ends the connection (section 6.9.2)."""
        wire = Wire()
        wire.post()
        wire.say(window_frame(1, 2**30))
        assert wire.refusal(settings_frame([(0x4, MAX_WINDOW)])) == (
            FLOW,
            "RFC 9113, section 6.9.2",
        )

    def test_small_body(self) -> None:
        """A small body is one frame, right behind its head."""
        wire = Wire()
        stream = wire.post()
        wire.codec.send(stream, b"hello", end=True)
        sent = wire.taken()
        assert [(one.kind, one.flags & END_STREAM, one.payload[:5]) for one in sent[1:]] == [
            (DATA, END_STREAM, b"hello")
        ]
        assert sent[0].kind == HEADERS
        assert stream.state is HALF_CLOSED_LOCAL
        assert stream.window == DEFAULT_WINDOW - 5

    def test_no_bytes(self) -> None:
        """An end without bytes needs no window (section 6.9.1)."""
        wire = Wire((0x4, 0))
        stream, other = wire.post(), wire.post()
        wire.codec.take()
        wire.codec.send(other, b"x", end=False)
        wire.codec.send(stream, b"", end=True)
        assert wire.taken() == [Frame(DATA, END_STREAM, 1, b"")]
        wire.say(settings_frame([(0x4, 100)]))
        assert sizes(wire.taken()) == [(3, 1)]
        wire.codec.send(other, b"", end=True)
        assert wire.taken() == [Frame(DATA, END_STREAM, 3, b"")]

    def test_drained(self) -> None:
        """Who hands over a body in pieces is told when all of them are sent."""
        wire = Wire()
        stream = wire.post()
        wire.codec.send(stream, bytes(70_000), end=False)
        assert sizes(wire.taken())[-1] == (1, DEFAULT_WINDOW - 3 * 2**14)
        assert wire.codec.drained == []
        assert not wire.codec.pending
        wire.say(window_frame(0, 10_000) + window_frame(1, 10_000))
        wire.codec.take()
        assert wire.codec.drained == [stream]
        assert stream.state is OPEN

    @pytest.mark.rows("H2-08")
    def test_fair(self) -> None:
        """Uploads share the connection's window, frame by frame, however large one of them is."""
        wire = Wire((0x4, 2**30), (0x5, 2**20))
        streams = [wire.post() for _ in range(4)]
        for stream in streams:
            wire.codec.send(stream, bytes(10_000_000), end=True)
        wire.codec.take()
        wire.say(window_frame(0, 40 * 2**16))
        sent: dict[int, int] = {}
        while wire.codec.pending:
            for stream_id, size in sizes(wire.taken()):
                assert size <= 2**16
                sent[stream_id] = sent.get(stream_id, 0) + size
        assert set(sent.values()) == {10 * 2**16}

    @pytest.mark.rows("H2-08")
    def test_one_without_a_window(self) -> None:
        """A stream whose window is used up does not hold the others up."""
        wire = Wire((0x4, 10))
        stalled, other = wire.post(), wire.post()
        wire.codec.send(stalled, bytes(100), end=True)
        wire.codec.send(other, bytes(100), end=True)
        wire.codec.take()
        wire.say(window_frame(3, 50))
        assert sizes(wire.taken()) == [(3, 50)]
        wire.say(window_frame(1, 1000))
        assert sizes(wire.taken()) == [(1, 90)]

    def test_no_quadratic_time(self) -> None:
        """256 MiB go out in views of the one object, each byte copied once."""
        wire = Wire((0x4, MAX_WINDOW))
        wire.say(window_frame(0, 2**29))
        data = bytes(2**28)
        stream = wire.post()
        wire.codec.send(stream, data, end=True)
        upload = stream.upload
        assert upload is not None
        total = 0
        while wire.codec.pending:
            total += len(wire.codec.take())
            assert all(piece.obj is data for piece in upload.pieces)
            assert len(upload.pieces) <= 1
        assert total > 2**28
        assert stream.state is HALF_CLOSED_LOCAL

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("send"), st.integers(0, 2), st.integers(0, 40_000)),
                st.tuples(st.just("initial"), st.just(0), st.integers(0, 70_000)),
                st.tuples(st.just("window"), st.integers(0, 3), st.integers(1, 30_000)),
                st.tuples(st.just("reset"), st.integers(0, 2), st.just(0)),
                st.tuples(st.just("take"), st.just(0), st.integers(1, 50_000)),
            ),
            max_size=40,
        )
    )
    @settings(deadline=None, max_examples=100)
    def test_any_order(self, steps: list[tuple[str, int, int]]) -> None:
        """Whatever comes in whichever order, no window is overrun, and in the end every byte is there."""
        wire = Wire()
        streams = [wire.post() for _ in range(3)]
        initial, connection = DEFAULT_WINDOW, DEFAULT_WINDOW
        windows = dict.fromkeys((1, 3, 5), initial)
        given: dict[int, bytes] = {1: b"", 3: b"", 5: b""}
        came: dict[int, bytes] = {1: b"", 3: b"", 5: b""}
        gone: set[int] = set()

        def take(limit: int) -> None:
            nonlocal connection
            for one in wire.taken(limit):
                if one.kind == DATA:
                    assert one.stream_id not in gone
                    assert len(one.payload) <= 2**14
                    windows[one.stream_id] -= len(one.payload)
                    connection -= len(one.payload)
                    assert not one.payload or windows[one.stream_id] >= 0
                    assert connection >= 0
                    came[one.stream_id] += one.payload

        for what, index, size in steps:
            stream = streams[min(index, 2)]
            if what == "send" and stream.id not in gone:
                piece = bytes((size % 256,)) * size
                given[stream.id] += piece
                wire.codec.send(stream, piece, end=False)
            elif what == "initial":
                wire.say(settings_frame([(0x4, size)]))
                for stream_id in windows:
                    windows[stream_id] += size - initial
                initial = size
            elif what == "window":
                if index == 3:
                    wire.say(window_frame(0, size))
                    connection += size
                else:
                    wire.say(window_frame(stream.id, size))
                    windows[stream.id] += size
            elif what == "reset":
                wire.codec.reset(stream)
                gone.add(stream.id)
            else:
                take(size)
        for stream in streams:
            wire.codec.send(stream, b"", end=True)
            wire.say(window_frame(stream.id, 2**24))
            windows[stream.id] += 2**24
        wire.say(window_frame(0, 2**25))
        connection += 2**25
        while wire.codec.pending:
            take(2**18)
        assert wire.codec.failure is None
        for stream in streams:
            if stream.id not in gone:
                assert came[stream.id] == given[stream.id]
                assert stream.state is HALF_CLOSED_LOCAL
            else:
                assert stream.state is CLOSED


class TestEarlyResponses:
    """A response may come before the request is sent to its end (section 8.1)."""

    def test_whole(self) -> None:
        """The response is complete; the upload goes on, and the stream with it."""
        wire = Wire((0x4, 0))
        stream = wire.post()
        wire.codec.send(stream, b"body", end=True)
        wire.say(wire.head(stream, OK, end=True))
        assert stream.complete
        assert stream.state is HALF_CLOSED_REMOTE
        wire.say(settings_frame([(0x4, 100)]))
        assert sizes(wire.taken()) == [(1, 4)]
        assert stream.state is CLOSED
        assert wire.codec.streams == {}

    @pytest.mark.parametrize("code", [ErrorCode.NO_ERROR, ErrorCode.CANCEL])
    def test_then_reset(self, code: ErrorCode) -> None:
        """RST_STREAM behind a whole response ends the upload, and the response stays good."""
        wire = Wire((0x4, 0))
        stream = wire.post()
        wire.codec.send(stream, bytes(1000), end=True)
        wire.codec.take()
        wire.say(wire.head(stream, OK) + wire.data(stream, b"no", end=True) + reset_frame(1, code))
        assert stream.complete
        assert stream.failure is None
        assert stream.stopped == code
        assert body(stream) == b"no"
        assert stream.state is CLOSED
        assert not wire.codec.pending
        wire.codec.send(stream, b"more", end=True)
        assert not wire.codec.pending

    def test_reset_before_the_end(self) -> None:
        """RST_STREAM within a response fails it; what came before is still there."""
        wire = Wire()
        stream = wire.post()
        wire.say(wire.head(stream, OK) + wire.data(stream, b"par") + reset_frame(1, 0x2))
        assert body(stream) == b"par"
        assert stream.failure is not None
        assert (stream.failure.code, stream.failure.by_server) == (0x2, True)
        assert not stream.failure.unprocessed

    def test_unknown_code(self) -> None:
        """A code that nobody registered is told as a number (section 7)."""
        wire = Wire()
        stream = wire.get()
        wire.say(reset_frame(1, 0x1234))
        assert str(stream.failure) == "error code 0x1234: the server reset the stream"


def names(streams: list[Stream]) -> list[int]:
    return [stream.id for stream in streams]


class TestTouched:
    def test_once_for_a_segment(self) -> None:
        """A stream is told once for a segment, in the order of what came."""
        wire = Wire()
        first, second = wire.get(), wire.get()
        heads = wire.head(second, OK) + wire.head(first, OK)
        assert names(wire.say(heads + wire.data(second, b"x", end=True))) == [3, 1]
        assert names(wire.say(wire.data(first, b"x") + wire.data(first, b"y", end=True))) == [1]
        assert names(wire.say(settings_frame([]))) == []

    def test_rst_frames_sent(self) -> None:
        """A reset is one frame, and a second one none."""
        wire = Wire()
        stream = wire.get()
        wire.codec.take()
        wire.codec.reset(stream)
        wire.codec.reset(stream)
        assert [one.kind for one in wire.taken()] == [RST_STREAM]


class TestSegments:
    @given(
        st.lists(st.tuples(st.booleans(), st.integers(0, 20_000)), min_size=1, max_size=12),
        st.lists(st.integers(1, 60_000), max_size=5),
    )
    def test_a_buffer_that_is_used_again(
        self, pieces: list[tuple[bool, int]], cuts: list[int]
    ) -> None:
        """Two bodies come whole, however their frames and the segments are cut; each segment overwrites the last one.

        Of a large segment a body has one piece, however many frames it has.
        """
        wire = Wire()
        streams = [wire.get(), wire.get()]
        sent = [b"", b""]
        said = b"".join(wire.head(stream, OK) for stream in streams)
        for number, (second, size) in enumerate(pieces):
            piece = bytes((number,)) * size
            sent[second] += piece
            said += wire.data(streams[second], piece)
        buffer = bytearray(len(said))
        came = [b"", b""]
        for size in [*cuts, len(said)]:
            segment, said = said[:size], said[size:]
            buffer[: len(segment)] = segment
            touched = wire.say(memoryview(buffer)[: len(segment)])
            buffer[:] = b"!" * len(buffer)
            for stream in touched:
                assert len(segment) <= SMALL_SEGMENT or len(stream.chunks) <= 1
                came[streams.index(stream)] += body(stream)
                stream.chunks.clear()
        assert came == sent
        assert wire.codec.failure is None


class TestLargeBodies:
    """More bytes than a window, or 32 bits, can count."""

    PIECE = bytes(2**24 - 1)

    def test_download(self) -> None:
        """5 GB come on one stream; nothing but what waits for the reader is kept."""
        wire = Wire(local=LocalSettings(stream_window=MAX_WINDOW, frame_size=2**24 - 1))
        stream = wire.get()
        size = 5 * 10**9
        wire.say(wire.head(stream, OK, ("content-length", str(size))))
        data = wire.data(stream, self.PIECE)
        left = size
        while left > len(self.PIECE):
            (same,) = wire.say(data)
            assert same is stream
            assert [len(chunk) for chunk in stream.chunks] == [len(self.PIECE)]
            stream.chunks.clear()
            left -= len(self.PIECE)
            wire.codec.take()
        wire.say(wire.data(stream, bytes(left), end=True))
        assert stream.complete
        assert stream.received == size
        assert wire.codec.failure is None

    def test_upload(self) -> None:
        """5 GB go out on one stream, as fast as the server widens its windows."""
        wire = Wire((0x4, MAX_WINDOW), (0x5, 2**24 - 1))
        stream = wire.post()
        wire.codec.take()
        wire.say(window_frame(0, MAX_WINDOW - DEFAULT_WINDOW))
        sent = 0
        while sent < 5 * 10**9:
            wire.codec.send(stream, self.PIECE, end=False)
            before = stream.window
            wire.codec.take(len(self.PIECE))
            taken = before - stream.window
            assert stream.upload is not None
            assert taken == len(self.PIECE) - stream.upload.unsent > 0
            wire.codec.take(len(self.PIECE))
            sent += len(self.PIECE)
            wire.say(window_frame(0, len(self.PIECE)) + window_frame(stream.id, len(self.PIECE)))
        assert stream.window == MAX_WINDOW
        assert wire.codec.failure is None
