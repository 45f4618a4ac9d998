"""The reader of HTTP/1.1 responses, with plain values (RFC 9112)."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioclient import ClientError
from aioclient.protocols.http1.chunks import CHUNK_LINE, CHUNK_OVERHEAD, MAX_TRAILERS
from aioclient.protocols.http1.response import MAX_HEAD, MAX_INTERIM, ResponseReader

from .corpus import CHUNKED, CLOSED, CORPUS, END, KEPT, OK, Message, as_parameters
from .reading import Reading, asked, pieces, read, read_message

SPLITS = [2, 3, 4, 5, 7, 64]


def head_of(size: int) -> bytes:
    """Return a head of *size* bytes in fields of a legal length, announcing two bytes of body."""
    last = b"Content-Length: 2\r\n\r\n"
    missing = size - len(OK) - len(last)
    fields = b""
    while missing:
        length = min(missing, 8000)
        if 0 < missing - length < 10:
            length -= 10
        fields += b"A: " + b"x" * (length - 5) + b"\r\n"
        missing -= length
    return OK + fields + last


class TestSegments:
    @pytest.mark.parametrize("message", as_parameters(CORPUS))
    def test_outcome(self, message: Message) -> None:
        """Each message of the corpus is delivered, kept or closed, or refused, as is written beside it."""
        reading = read_message(message, [message.data])
        if message.delivered:
            assert not reading.error
            assert reading.reusable is (message.outcome == KEPT)
            if b"Content-Encoding" not in message.data:
                assert reading.body == message.body
        else:
            assert isinstance(message.outcome, type)
            ended = message.ends_with_connection
            assert reading.error == ("ended early" if ended else message.outcome.__name__)
            assert not reading.reusable

    @pytest.mark.parametrize("message", as_parameters(CORPUS))
    def test_split_in_two(self, message: Message) -> None:
        """A response means the same wherever it is cut into two segments (H1-18)."""
        whole = read_message(message, [message.data])
        for at in range(1, len(message.data)):
            assert read_message(message, [message.data[:at], message.data[at:]]) == whole, at

    @pytest.mark.parametrize("message", as_parameters(CORPUS))
    def test_drip(self, message: Message) -> None:
        """A response means the same byte by byte, and in small segments (H1-18)."""
        whole = read_message(message, [message.data])
        for size in (1, *SPLITS):
            assert read_message(message, pieces(message.data, size)) == whole, size

    @pytest.mark.parametrize("message", as_parameters(CORPUS))
    def test_second_response_on_connection(self, message: Message) -> None:
        """A response means the same when it is the second one on its connection."""
        reader = ResponseReader()
        assert read([CHUNKED + b"2\r\nok\r\n0\r\nX: y\r\n\r\n"], reader=reader).reusable
        reader.rest()
        request = asked(message.method, message.headers, **message.options)
        assert read([message.data], request, reader) == read_message(message, [message.data])

    @pytest.mark.parametrize("message", as_parameters(m for m in CORPUS if m.outcome == KEPT))
    def test_truncated_by_one(self, message: Message) -> None:
        """A response that lacks its last byte is not complete (H1-13)."""
        assert read_message(message, [message.data[:-1]]).error == "ended early"

    @settings(max_examples=300, deadline=None)
    @given(data=st.data())
    def test_any_segments(self, data: st.DataObject) -> None:
        """A response means the same however it is cut (H1-18)."""
        message = data.draw(st.sampled_from(CORPUS))
        size = len(message.data)
        cuts = sorted(data.draw(st.sets(st.integers(1, max(size - 1, 1)), max_size=12)))
        edges = [0, *(cut for cut in cuts if cut < size), size]
        segments = [message.data[a:b] for a, b in pairwise(edges)]
        assert read_message(message, segments) == read_message(message, [message.data])


@pytest.mark.rows("H1-16")
class TestFuzz:
    """H1-16: whatever comes, it ends in a response or in one of our errors, the same for every cut."""

    @staticmethod
    def check(message: bytes, method: str = "GET") -> None:
        request = asked(method)
        reader = ResponseReader()
        whole = read([message], request, reader)
        if reader.error is not None:
            assert isinstance(reader.error, ClientError)
            assert str(reader.error).isprintable()
        for size in (1, 3, 10):
            assert read(pieces(message, size), request) == whole, size

    @settings(max_examples=500, deadline=None)
    @given(st.binary(max_size=200))
    @pytest.mark.rows("H1-16")
    def test_garbage(self, garbage: bytes) -> None:
        """H1-16: garbage is refused."""
        self.check(garbage)

    @settings(max_examples=500, deadline=None)
    @given(st.binary(max_size=60), st.sampled_from([OK, CHUNKED, OK + b"A: ", b"HTTP/1.1 "]))
    @pytest.mark.rows("H1-16")
    def test_garbage_after_good_beginning(self, garbage: bytes, beginning: bytes) -> None:
        """H1-16: garbage after a good beginning is refused, or is a body."""
        self.check(beginning + garbage)

    @settings(max_examples=1500, deadline=None)
    @given(
        st.sampled_from(CORPUS),
        st.lists(
            st.tuples(
                st.sampled_from(["replace", "insert", "delete", "repeat"]),
                st.integers(0, 10_000),
                st.sampled_from(
                    [
                        b"\r",
                        b"\n",
                        b"\r\n",
                        b"\0",
                        b" ",
                        b":",
                        b"0",
                        b"f",
                        b";",
                        b",",
                        b"\xff",
                        b"H",
                    ]
                ),
            ),
            min_size=1,
            max_size=4,
        ),
    )
    @pytest.mark.rows("H1-16")
    def test_mutated(self, message: Message, changes: list[tuple[str, int, bytes]]) -> None:
        """H1-16: a damaged response is refused, or is another response."""
        data = message.data
        for how, where, what in changes:
            at = where % (len(data) + 1)
            if how == "replace":
                data = data[:at] + what + data[at + len(what) :]
            elif how == "insert":
                data = data[:at] + what + data[at:]
            elif how == "delete":
                data = data[:at] + data[at + 1 :]
            else:
                data = data[:at] + data[max(at - 20, 0) :]
        self.check(data, message.method)


class TestLimits:
    def test_documented(self) -> None:
        """The limits are those that the documentation names."""
        assert (MAX_HEAD, MAX_TRAILERS, MAX_INTERIM) == (65_536, 65_536, 16)
        assert (CHUNK_OVERHEAD, CHUNK_LINE) == (8190, 24)

    @pytest.mark.parametrize("size", [1, 64, 1000, 2**16, 2**20])
    @pytest.mark.parametrize("excess", [0, 1], ids=["at", "above"])
    def test_head(self, excess: int, size: int) -> None:
        """H1-09: a head may have 64 KiB, however it comes."""
        data = head_of(MAX_HEAD + excess) + b"ok"
        reading = read(pieces(data, size))
        assert reading.error == ("HeadTooLargeError" if excess else "")

    @pytest.mark.parametrize("size", [1, 2**16])
    @pytest.mark.parametrize("excess", [0, 1], ids=["at", "above"])
    def test_interim_heads_share_the_budget(self, excess: int, size: int) -> None:
        """H1-12: interim heads and the final one may have 64 KiB together."""
        interim = b"HTTP/1.1 103 X\r\nA: " + b"x" * 8000 + b"\r\n\r\n"
        data = interim * 5 + head_of(MAX_HEAD - 5 * len(interim) + excess) + b"ok"
        assert read(pieces(data, size)).error == ("HeadTooLargeError" if excess else "")

    def test_head_with_large_first_segment(self) -> None:
        """A small head that comes with a large part of its body is no large head."""
        data = OK + b"Content-Length: 200000\r\n\r\n" + b"x" * 200_000
        assert read([data]) == read(pieces(data, 1000))
        assert read([data]).reusable

    @pytest.mark.parametrize(
        "head",
        [
            pytest.param(b"HTTP/1.1 200 " + b"x" * 2**20, id="H1-09-reason"),
            pytest.param(OK + b"A: " + b"x" * 2**20, id="H1-09-value"),
            pytest.param(OK + b"A" * 2**20, id="H1-09-name"),
            pytest.param(OK + b"A: b\r\n" * 20_000, id="H1-09-count"),
            pytest.param(OK + b"A: " + b" " * 2**20, id="H1-09-space"),
            pytest.param(b"HTTP/1.1 103 X\r\nA: " + b"x" * 2**20, id="H1-09-interim"),
        ],
    )
    @pytest.mark.parametrize("size", [1, 64, 2**16, 2**18])
    def test_endless_head(self, head: bytes, size: int) -> None:
        """H1-09: a head that does not end is refused after 64 KiB and the segment that exceeds them."""
        reader = ResponseReader()
        reader.begin(asked())
        taken = 0
        for segment in pieces(head, size):
            reader.feed(segment)
            taken += len(segment)
            if reader.error is not None:
                break
        assert type(reader.error).__name__ == "HeadTooLargeError"
        assert taken <= MAX_HEAD + size

    def test_empty_lines_first(self) -> None:
        """H1-09: a response that begins with an empty line is refused at the first byte."""
        reader = ResponseReader()
        reader.begin(asked())
        reader.feed(b"\r")
        assert type(reader.error).__name__ == "ServerProtocolError"

    @pytest.mark.parametrize(
        ("parameter", "data"),
        [
            pytest.param("max_line_size", b"HTTP/1.1 200 " + b"x" * 8177, id="H1-09-line"),
            pytest.param("max_field_size", OK + b"A: " + b"x" * 8189, id="H1-09-field"),
            pytest.param("max_headers", OK + b"\r\n".join([b"A: b"] * 127), id="H1-09-count"),
        ],
    )
    def test_defaults(self, parameter: str, data: bytes) -> None:
        """H1-09: a line and a field may have 8,190 bytes, and a head 128 fields."""
        more = b"\r\nA: b" if parameter == "max_headers" else b"x"
        assert not read([data + b"\r\n" + END]).error
        assert read([data + more + b"\r\n" + END]).error == "HeadTooLargeError"
        options: Any = {parameter: 9000}
        assert not read([data + more + b"\r\n" + END], asked(**options)).error

    def test_raised_limits_raise_the_total(self) -> None:
        """Who allows a field of 200,000 bytes can receive one."""
        data = OK + b"A: " + b"x" * 150_000 + b"\r\n" + END
        for size in (1000, 2**16, 2**20):
            assert read(pieces(data, size)).error == "HeadTooLargeError"
            assert not read(pieces(data, size), asked(max_field_size=200_000)).error

    @pytest.mark.parametrize("count", [MAX_INTERIM, MAX_INTERIM + 1])
    def test_interim_count(self, count: int) -> None:
        """H1-12: sixteen interim responses may come before the final one."""
        reading = read([b"HTTP/1.1 102 X\r\n\r\n" * count + OK + END])
        assert reading.error == ("" if count == MAX_INTERIM else "ServerProtocolError")

    def test_interim_flood(self) -> None:
        """H1-12: a flood of interim responses ends at the seventeenth."""
        reader = ResponseReader()
        reader.begin(asked())
        fed = 0
        for segment in pieces(b"HTTP/1.1 103 X\r\n\r\n" * 20_000, 100):
            reader.feed(segment)
            fed += 1
            if reader.error is not None:
                break
        assert fed == 4
        assert "16 interim" in str(reader.error)

    @pytest.mark.parametrize("size", [1, 50, 2**20])
    @pytest.mark.parametrize(
        ("overhead", "error"),
        [(CHUNK_OVERHEAD, ""), (CHUNK_OVERHEAD + 2 * CHUNK_LINE + 1, "ClientPayloadError")],
        ids=["at", "above"],
    )
    @pytest.mark.rows("H1-11")
    def test_chunk_lines(self, overhead: int, error: str, size: int) -> None:
        """H1-11: the lines of a chunked body may have 8,190 bytes, and 24 for each chunk."""
        extension = b";".ljust(overhead - len("1\r\n\r\n0\r\n\r\n"), b"a")
        data = CHUNKED + b"1" + extension + b"\r\nx\r\n0\r\n\r\n"
        assert read(pieces(data, size)).error == error

    @pytest.mark.parametrize("size", [1, 1000, 2**16, 2**18])
    @pytest.mark.parametrize("beginning", [b"5;", b"5\r\nhello\r\n5;", b"0;", b"5\r\nhello\r\n0;"])
    @pytest.mark.rows("H1-11")
    def test_endless_extension(self, beginning: bytes, size: int) -> None:
        """H1-11: a chunk line that does not end is refused."""
        reader = ResponseReader()
        reader.begin(asked())
        taken = 0
        for segment in pieces(CHUNKED + beginning + b"a" * 2**22, size):
            reader.feed(segment)
            taken += len(segment)
            if reader.error is not None:
                break
        assert type(reader.error).__name__ == "ClientPayloadError"
        assert taken <= 2 * CHUNK_OVERHEAD + size

    @pytest.mark.rows("H1-11")
    def test_many_extensions(self) -> None:
        """H1-11: lines of a thousand bytes each are refused when there is no data to justify them."""
        data = CHUNKED + (b"1;" + b"a" * 1000 + b"\r\nx\r\n") * 100 + b"0\r\n\r\n"
        assert read([data]).error == "ClientPayloadError"
        assert read(pieces(data, 100)).error == "ClientPayloadError"

    def test_signed_chunks(self) -> None:
        """Chunks of 64 KiB with signatures of 90 bytes each, as an object store sends them, are fine."""
        chunk = b"10000;chunk-signature=" + b"a" * 64 + b"\r\n" + b"x" * 2**16 + b"\r\n"
        assert read(pieces(CHUNKED + chunk * 200 + b"0\r\n\r\n", 2**16)).reusable

    @pytest.mark.rows("H1-11")
    def test_tiny_chunks(self) -> None:
        """H1-11: a body in chunks of one byte is fine, and costs no more steps for each byte as it grows."""
        reading = read(pieces(CHUNKED + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n", 2**16))
        assert (reading.error, len(reading.body), reading.reusable) == ("", 100_000, True)

    @pytest.mark.parametrize("size", [1, 1000, 2**20])
    @pytest.mark.parametrize("excess", [0, 1], ids=["at", "above"])
    def test_trailer_section(self, excess: int, size: int) -> None:
        """H1-10: the trailer section may have 64 KiB."""
        fields = [b"A: " + b"x" * 4091 + b"\r\n"] * 15  # of 4,096 bytes each
        fields.append(b"A: " + b"x" * (4091 + excess) + b"\r\n")
        assert sum(map(len, fields)) == MAX_TRAILERS + excess
        data = CHUNKED + b"2\r\nok\r\n0\r\n" + b"".join(fields) + b"\r\n"
        assert read(pieces(data, size)).error == ("ClientPayloadError" if excess else "")

    @pytest.mark.parametrize("size", [1, 1000, 2**18])
    @pytest.mark.parametrize(
        "trailers",
        [b"A: b\r\n" * 50_000, b"Set-Cookie: b\r\n" * 50_000, b"A: " + b"x" * 2**20, b"A" * 2**20],
        ids=["H1-10-count", "H1-10-forbidden", "H1-10-value", "H1-10-name"],
    )
    def test_endless_trailers(self, trailers: bytes, size: int) -> None:
        """H1-10: a trailer section that does not end is refused."""
        reader = ResponseReader()
        reader.begin(asked())
        taken = 0
        for segment in pieces(CHUNKED + b"2\r\nok\r\n0\r\n" + trailers, size):
            reader.feed(segment)
            taken += len(segment)
            if reader.error is not None:
                break
        assert type(reader.error).__name__ == "ClientPayloadError"
        assert taken <= MAX_TRAILERS + 2 * CHUNK_OVERHEAD + size


class TestTrailers:
    def test_kept_apart(self) -> None:
        """H1-10: trailers are kept apart from the fields of the head."""
        reading = read([CHUNKED + b"2\r\nok\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n"])
        assert reading.trailers == (("X-Sum", "1"), ("X-Sum", "2"))
        assert [name for name, _ in reading.fields] == ["Transfer-Encoding"]

    @pytest.mark.parametrize(
        "name",
        [
            "Authorization",
            "Connection",
            "Content-Encoding",
            "Content-Range",
            "Content-Type",
            "content-location",
            "HOST",
            "Location",
            "Set-Cookie",
            "Trailer",
            "Transfer-Encoding",
            "WWW-Authenticate",
        ],
    )
    def test_forbidden(self, name: str) -> None:
        """H1-10: a field that frames, routes, authenticates or describes the content is no trailer."""
        reading = read([CHUNKED + b"2\r\nok\r\n0\r\n" + name.encode() + b": 9\r\nX: y\r\n\r\n"])
        assert (reading.error, reading.trailers) == ("", (("X", "y"),))


class TestUpgrade:
    HEAD = b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"

    @pytest.mark.parametrize("rest", [b"", b"\r\n", b"frames"])
    def test_asked_for(self, rest: bytes) -> None:
        """After a 101 that was asked for the bytes behind its head belong to the other protocol."""
        for at in range(1, len(self.HEAD)):
            reader = ResponseReader()
            reader.begin(asked(headers={"Upgrade": "x", "Connection": "upgrade"}))
            reader.feed((self.HEAD + rest)[:at])
            assert reader.upgrade is None
            reader.feed((self.HEAD + rest)[at:])
            assert (reader.error, reader.upgrade) == (None, rest)

    def test_after_interim(self) -> None:
        """A 101 may come after another interim response."""
        reader = ResponseReader()
        reader.begin(asked(headers={"Upgrade": "x", "Connection": "upgrade"}))
        reader.feed(b"HTTP/1.1 103 X\r\n\r\n" + self.HEAD + b"frames")
        assert (reader.error, reader.upgrade) == (None, b"frames")


class TestMessages:
    """INJ-09: what a server sent is escaped and cut in messages."""

    @pytest.mark.parametrize(
        "data",
        [
            b"HTTP/1.1 200 \x1b[2J\r\n" + END,
            b"\x1b[2J" * 1000,
            OK + b"Transfer-Encoding: \x1b[2J\r\n\r\n",
            OK + b"Transfer-Encoding: " + b"x" * 5000 + b"\r\n\r\n",
            OK + "Ä\u202eB: \u202e".encode() + b"\r\n" + END,
        ],
    )
    def test_escaped(self, data: bytes) -> None:
        """A message has no control character, no line end, and a bounded length."""
        reader = ResponseReader()
        reader.begin(asked())
        reader.feed(data)
        text = str(reader.error)
        assert text.isprintable()
        assert len(text) < 500
        assert text.startswith("GET http://a.test/: ")


def test_idle_reader_keeps_nothing() -> None:
    """A reader between two responses holds neither the request nor the body."""
    reader = ResponseReader()
    reading = read([OK + END], reader=reader)
    assert reading == Reading("", 200, "OK", (("Content-Length", "2"),), b"ok", (), True)
    reader.rest()
    assert reader.chunks == []


def test_outcomes_are_all_used() -> None:
    """The corpus has messages of every kind."""
    assert {message.outcome for message in CORPUS} >= {KEPT, CLOSED}
    assert len(CORPUS) == len({message.name for message in CORPUS})
