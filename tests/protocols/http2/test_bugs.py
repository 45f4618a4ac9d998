"""What goes wrong in HTTP/2 clients in use, as far as it shows without a socket: each symptom is a test's name."""

import pytest

from aioclient.protocols.http2.control import MAX_ANSWERS
from aioclient.protocols.http2.errors import ConnectionFailure, ErrorCode
from aioclient.protocols.http2.flow import DEFAULT_WINDOW
from aioclient.protocols.http2.frames import (
    ACK,
    DATA,
    GOAWAY,
    SETTINGS_ACK,
    goaway_frame,
    ping_frame,
    reset_frame,
    settings_frame,
    window_frame,
)
from aioclient.protocols.http2.open_streams import LAST_ID, MAX_RESETS
from aioclient.protocols.http2.states import CLOSED

from .wire import GET, OK, POST, Wire, body


def test_an_update_for_one_upload_wakes_all_that_it_is_for() -> None:
    """A waiter missed the WINDOW_UPDATE that another task had read."""
    wire = Wire()
    first, second = wire.post(), wire.post()
    for stream in (first, second):
        wire.codec.send(stream, bytes(DEFAULT_WINDOW), end=True)
    while wire.codec.pending:
        wire.codec.take()
    assert wire.codec.streams
    wire.say(window_frame(0, DEFAULT_WINDOW))
    while wire.codec.pending:
        wire.codec.take()
    assert [stream.upload for stream in (first, second)] == [None, None]


@pytest.mark.rows("H2-07")
def test_limit_lowered_below_what_is_in_flight() -> None:
    """A limit of streams lowered below what was in flight deadlocked."""
    wire = Wire((0x3, 10))
    streams = [wire.get() for _ in range(10)]
    assert wire.codec.room == 0
    wire.say(settings_frame([(0x3, 2)]))
    assert wire.codec.room == 0
    assert wire.get() is None
    for number, stream in enumerate(streams, 1):
        wire.say(wire.head(stream, OK, end=True))
        assert stream.complete
        assert wire.codec.room == max(0, 2 - (10 - number))
    assert wire.get().id == 21


def test_cancelled_streams_leave_the_count_right() -> None:
    """Requests cancelled before END_STREAM let the count drift until '100 of 100 streams open'."""
    wire = Wire((0x3, 100))
    for number in range(1000):
        stream = wire.get() if number % 2 else wire.post()
        if number % 3:
            wire.say(wire.head(stream, OK) + wire.data(stream, b"x"))
        wire.codec.reset(stream)
        assert wire.codec.room == 100
        if number % 5 == 0:
            wire.say(wire.head(stream, OK) if not number % 3 else wire.data(stream, b"y", end=True))
    assert wire.codec.failure is None
    assert wire.codec.room == 100


@pytest.mark.rows("H2-13")
def test_a_cancelled_stream_is_reset() -> None:
    """A cancelled request was not reset, and its body starved live streams."""
    wire = Wire()
    stream, other = wire.get(), wire.get()
    wire.say(wire.head(stream, OK) + wire.head(other, OK))
    wire.codec.take()
    wire.codec.reset(stream)
    assert wire.codec.take() == reset_frame(stream.id, ErrorCode.CANCEL)
    assert stream.state is CLOSED
    wire.say(wire.data(other, b"alive", end=True))
    assert body(other) == b"alive"


def test_room_comes_back_after_the_limit() -> None:
    """A pool stayed poisoned once the limit of streams had been reached."""
    wire = Wire((0x3, 1))
    for _ in range(5):
        stream = wire.get()
        assert wire.get() is None
        wire.say(wire.head(stream, OK, end=True))
        assert wire.codec.room == 1


def test_each_stream_has_the_connections_failure() -> None:
    """The real error was hidden by a KeyError for a stream that was not there any more."""
    wire = Wire()
    done, running = wire.get(), wire.get()
    wire.say(wire.head(done, OK, end=True))
    touched = wire.say(ping_frame(bytes(8))[:8] + b"\x01" + bytes(8))
    assert touched == [running]
    assert running.failure is not None
    assert isinstance(running.failure.__cause__, ConnectionFailure)
    assert running.failure.code == ErrorCode.PROTOCOL_ERROR
    assert "PING on stream 1" in str(running.failure)
    assert done.failure is None
    wire.codec.reset(running)
    wire.codec.resume(running)
    wire.codec.send(running, b"x", end=True)


@pytest.mark.rows("H2-12")
def test_streams_up_to_goaways_last_one_are_read_to_their_end() -> None:
    """Streams up to the last one of a GOAWAY lost what was buffered, or were cut."""
    wire = Wire()
    first, second, third = wire.get(), wire.get(), wire.post()
    wire.say(wire.head(first, OK) + wire.data(first, b"begin ") + wire.head(second, OK))
    wire.say(
        wire.data(first, b"middle ")
        + goaway_frame(second.id, 0)
        + wire.data(first, b"end", end=True)
    )
    assert body(first) == b"begin middle end"
    assert first.complete
    assert third.failure is not None
    assert third.failure.unprocessed
    assert third.state is CLOSED
    assert wire.codec.goaway == (second.id, 0)
    assert wire.codec.room == 0
    assert wire.codec.exhausted
    assert wire.get() is None
    wire.say(wire.data(second, b"more", end=True))
    assert second.complete
    assert wire.codec.failure is None


@pytest.mark.rows("H2-12")
def test_goaway_twice() -> None:
    """A server says first that it will close, and later what the last stream was; it never raises that."""
    wire = Wire()
    first, second = wire.get(), wire.get()
    wire.say(goaway_frame(LAST_ID, 0))
    assert wire.codec.exhausted
    assert second.failure is None
    wire.say(goaway_frame(first.id, 0))
    assert second.failure is not None
    assert second.failure.unprocessed
    assert wire.refusal(goaway_frame(second.id, 0)) == (
        ErrorCode.PROTOCOL_ERROR,
        "RFC 9113, section 6.8",
    )


@pytest.mark.rows("H2-05", "H2-12")
def test_refused_streams_may_be_repeated() -> None:
    """A REFUSED_STREAM before any response tells that nothing was done, whatever the method (section 8.7)."""
    wire = Wire()
    early, late = wire.post(), wire.post()
    wire.say(wire.head(late, OK))
    wire.say(reset_frame(early.id, 0x7) + reset_frame(late.id, 0x7))
    assert early.failure is not None
    assert early.failure.unprocessed
    assert late.failure is not None
    assert not late.failure.unprocessed


def test_nothing_is_sent_on_a_closed_stream() -> None:
    """A keep-alive close ended in `SEND_HEADERS in state CLOSED`."""
    wire = Wire()
    wire.codec.lose(ConnectionFailure(ErrorCode.NO_ERROR, "the server closed the connection"))
    assert wire.codec.room == 0
    assert wire.get() is None
    assert not wire.codec.pending
    assert wire.codec.take() == b""


@pytest.mark.rows("H2-15")
def test_pings_while_idle_are_answered() -> None:
    """Idle minutes with unanswered PINGs ended in a hang."""
    wire = Wire()
    for number in range(3):
        wire.say(ping_frame(b"%08d" % number))
        assert wire.codec.pending
        assert wire.codec.take() == ping_frame(b"%08d" % number, ACK)


def test_ids_run_out() -> None:
    """Identifiers that ran out were an error for the request."""
    wire = Wire()
    wire.codec.open_streams.next_id = LAST_ID - 2
    assert wire.codec.room == 2
    assert [wire.get().id, wire.get().id] == [LAST_ID - 2, LAST_ID]
    assert wire.codec.exhausted
    assert wire.codec.room == 0
    assert wire.get() is None
    wire.say(wire.head(LAST_ID, OK, end=True))
    assert wire.codec.exhausted


@pytest.mark.rows("H2-08")
def test_negative_window() -> None:
    """A window made negative by SETTINGS was an error, or was sent into."""
    wire = Wire()
    stream = wire.post()
    wire.codec.send(stream, bytes(40_000), end=False)
    wire.codec.take()
    wire.say(settings_frame([(0x4, 10_000)]))
    assert stream.window == -30_000
    wire.codec.send(stream, b"x" * 100, end=True)
    assert wire.codec.take() == SETTINGS_ACK
    wire.say(window_frame(stream.id, 30_000))
    assert not wire.codec.pending
    wire.say(window_frame(stream.id, 100))
    assert sum(len(one.payload) for one in wire.taken() if one.kind == DATA) == 100


def test_authority_is_sent() -> None:
    """:authority was missing, so that servers refused the request."""
    wire = Wire()
    wire.get()
    (sent,) = wire.taken()
    assert b"a.test" in sent.payload


def test_requests_in_a_row() -> None:
    """Every second request on a connection was a protocol error."""
    wire = Wire()
    for number in range(20):
        stream = wire.get() if number % 2 else wire.post()
        if not number % 2:
            wire.codec.send(stream, b"body", end=True)
        wire.codec.take()
        wire.say(wire.head(stream, OK, ("x-n", str(number))) + wire.data(stream, b"x", end=True))
        assert stream.complete
        assert stream.head is not None
        assert stream.head.fields["x-n"] == str(number)
        assert wire.codec.streams == {}
    assert wire.codec.failure is None


def test_connection_field_is_not_sent() -> None:
    """`Connection:` was sent, and servers refused the request."""
    wire = Wire()
    wire.codec.open(GET._replace(fields=(("Connection", "keep-alive"),)), end=True)
    (sent,) = wire.taken()
    assert b"connection" not in sent.payload


def test_body_larger_than_the_window() -> None:
    """A body larger than the window hung."""
    wire = Wire()
    stream = wire.post()
    wire.codec.send(stream, bytes(500_000), end=True)
    sent = 0
    while stream.state is not CLOSED and sent < 500_000:
        sizes = [len(one.payload) for one in wire.taken() if one.kind == DATA]
        assert sizes
        sent += sum(sizes)
        wire.say(window_frame(0, sum(sizes)) + window_frame(stream.id, sum(sizes)))
    assert sent == 500_000
    assert stream.upload is None


def test_goaway_tells_no_stream_of_ours() -> None:
    """GOAWAY was sent with our own stream's identifier, where only the server's count."""
    wire = Wire()
    wire.get()
    wire.codec.take()
    wire.codec.close()
    (sent,) = wire.taken()
    assert (sent.kind, sent.payload) == (GOAWAY, bytes(8))


def test_data_after_a_reset_is_no_connection_error() -> None:
    """DATA that was under way when its stream was reset ended the connection."""
    wire = Wire()
    other = wire.get()
    for _ in range(3 * MAX_RESETS):
        stream = wire.get()
        wire.codec.reset(stream)
    for stream_id in (3, 5, MAX_RESETS | 1, stream.id):
        assert wire.say(wire.data(stream_id, b"late", end=True)) == []
        assert wire.say(reset_frame(stream_id, 0)) == []
        assert wire.say(window_frame(stream_id, 1)) == []
    assert wire.codec.failure is None
    assert len(wire.codec.open_streams._reset) <= MAX_RESETS
    wire.say(wire.head(other, OK, end=True))
    assert other.complete


def test_initial_window_changes_as_a_request_ends() -> None:
    """A change of INITIAL_WINDOW as a request ended was a deadlock."""
    for first in (True, False):
        wire = Wire((0x4, 10))
        stream, other = wire.post(), wire.post()
        for upload in (stream, other):
            wire.codec.send(upload, bytes(100), end=True)
        wire.codec.take()
        change = settings_frame([(0x4, 1000)])
        end = wire.head(stream, OK, end=True) + reset_frame(stream.id, 0)
        wire.say(change + end if first else end + change)
        sent = [(one.stream_id, len(one.payload)) for one in wire.taken() if one.kind == DATA]
        assert sent == [(other.id, 90)]
        assert list(wire.codec.streams) == [other.id]


@pytest.mark.rows("H2-04")
def test_answers_are_bounded() -> None:
    """Answers to a server that does not read were queued without end."""
    wire = Wire((0x3, 2**31 - 1))
    for _ in range(3000):
        wire.get()
    wire.codec.take()
    while wire.codec.failure is None:
        wire.say(ping_frame(bytes(8)) * 100)
    assert len(wire.codec.take()) <= MAX_ANSWERS + 100


def test_a_thousand_requests_in_flight() -> None:
    """What a connection holds does not grow with the requests it has carried."""
    wire = Wire((0x3, 1000))
    for _ in range(3):
        streams = [wire.codec.open(POST, number, end=False) for number in range(1000)]
        for stream in streams:
            wire.codec.send(stream, b"x", end=True)
        while wire.codec.pending:
            wire.codec.take()
            wire.say(window_frame(0, 2000))
        data = b"".join(
            wire.head(stream, OK) + wire.data(stream, b"%d" % stream.owner, end=True)
            for stream in reversed(streams)
        )
        assert len(wire.say(data)) == 1000
        assert all(body(stream) == b"%d" % stream.owner for stream in streams)
    codec = wire.codec
    assert codec.streams == {}
    assert not codec.uploads.ready
    assert codec.out == []
    assert codec.open_streams._reset == {}
