"""What is repaired for everybody, what only ``lenient=True`` accepts, and what nobody accepts."""

import gzip
import json
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aioclient
from aioclient import ClientSession, ServerProtocolError, TCPConnector
from aioclient.protocols.http1.response import ResponseReader
from aioclient.testing import RawServer

from .corpus import BAD_HEADS, CHUNKED, CORPUS, END, OK, Message, as_parameters
from .reading import Reading, asked, pieces, read, read_message

# What only a lenient reading accepts: the response, its reason, and its fields.
LENIENT: dict[str, tuple[bytes, str, list[tuple[str, str]]]] = {
    "lf-all": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "OK", []),
    "lf-status": (b"HTTP/1.1 200 OK\nA: b\r\n" + END, "OK", [("A", "b")]),
    "lf-field": (OK + b"A: b\n" + END, "OK", [("A", "b")]),
    "lf-end": (OK + b"Content-Length: 2\r\n\nok", "OK", []),
    "lf-before-crlfcrlf": (b"HTTP/1.1 200 OK\nContent-Length: 6\n\nok\r\n\r\n", "OK", []),
    "cr-in-value": (OK + b"A: b\rc\r\n" + END, "OK", [("A", "b c")]),
    "cr-cr-lf": (OK + b"A: b\r\r\n" + END, "OK", [("A", "b")]),
    "nul-value": (OK + b"A: b\x00c\r\n" + END, "OK", [("A", "b c")]),
    "control-value": (OK + b"Set-Cookie: a=\x01b\x7f\r\n" + END, "OK", [("Set-Cookie", "a=\x01b\x7f")]),
    "control-reason": (b"HTTP/1.1 200 \x1bO\r\n" + END, "\x1bO", []),
    "version-2.0": (b"HTTP/2.0 200 OK\r\n" + END, "OK", []),
    "version-2": (b"HTTP/2 200 OK\r\n" + END, "OK", []),
    "version-0.9": (b"HTTP/0.9 200 OK\r\n" + END, "OK", []),
    "version-1.10": (b"HTTP/1.10 200 OK\r\n" + END, "OK", []),
    "lower-case": (b"http/1.0 200 OK\r\n" + END, "OK", []),
    "icy": (b"ICY 200 OK\r\n" + END, "OK", []),
    "spaces-in-status-line": (b"HTTP/1.1  200   OK\r\n" + END, "OK", []),
    "no-space-before-reason": (b"HTTP/1.1 200OK\r\n" + END, "OK", []),
    "identity": (OK + b"Transfer-Encoding: identity\r\n" + END, "OK", []),
    "identity-chunked": (
        OK + b"Transfer-Encoding: Identity, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "OK",
        [("Transfer-Encoding", "chunked")],
    ),
    "space-before-colon": (OK + b"A : b\r\nContent-Length : 2\r\n\r\nok", "OK", [("A", "b")]),
    "no-field": (OK + b"A B: c\r\nnothing\r\n: d\r\n more\r\n\xff: e\r\nF: g\r\n" + END, "OK", [("F", "g")]),
    "blank-first": (OK + b" A: b\r\nC: d\r\n" + END, "OK", [("C", "d")]),
    "folds-with-lf": (b"HTTP/1.1 200 OK\nA: b\n\tc\n \n" + END, "OK", [("A", "b c")]),
    "chunks-with-lf": (CHUNKED + b"1\no\n1;a\x01\r\nk\r\n0\n\n", "OK", [("Transfer-Encoding", "chunked")]),
    "trailer-with-lf": (CHUNKED + b"2\r\nok\r\n0\r\nA: b\n\n", "OK", [("Transfer-Encoding", "chunked")]),
}  # fmt: skip
LENGTH = ("Content-Length", "2")
EACH = pytest.mark.parametrize("name", [pytest.param(name, id=f"H1-04-{name}") for name in LENIENT])

# What nobody may accept: where the message ends would be a guess, or whose it is.
NEVER = {
    "length-and-chunked": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "length-and-identity-chunked": OK
    + b"Transfer-Encoding: identity, chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "length-and-chunked-in-disguise": OK + b"Transfer Encoding: chunked\r\n" + END,
    "length-and-chunked-with-control": OK + b"Transfer-Encoding\x01: chunked\r\n" + END,
    "two-lengths": OK + b"Content-Length: 3\r\n" + END,
    "two-lengths-in-a-list": OK + b"Content-Length: 2, 3\r\n\r\nok",
    "length-with-sign": OK + b"Content-Length: +2\r\n\r\nok",
    "length-with-nul": OK + b"Content-Length: 2\x000\r\n\r\nok",
    "length-with-words": OK + b"Content-Length: 2 2\r\n\r\nok",
    "gzip-coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked-twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "no-head": b"<html>\r\n\r\n",
    "rtsp": b"RTSP/1.0 200 OK\r\n" + END,
    "line-first": b"\r\n" + OK + END,
    "no-status": b"HTTP/1.1 OK\r\n" + END,
    "status-99": b"HTTP/1.1 099 OK\r\n" + END,
    "status-2000": b"HTTP/1.1 2000 OK\r\n" + END,
    "unasked-101": b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
}  # fmt: skip


class TestRepaired:
    """What the RFC lets a client do is done for everybody."""

    @pytest.mark.parametrize(
        ("line", "value"),
        [
            (b"A: b\r\n c", "b c"),
            (b"A: b\r\n\tc\r\n  d", "b c d"),
            (b"A: b  \r\n c", "b c"),
            (b"A:\r\n b", "b"),
            (b"A: b\r\n \t\r\n c", "b  c"),
            (b"A: b\r\n \t", "b"),
            (b"A: b \t", "b"),
            (b"A: \t b\t", "b"),
            (b"A: b \t c", "b \t c"),
            (b"A: \t", ""),
        ],
    )
    def test_values(self, line: bytes, value: str) -> None:
        """Folds become spaces, blanks around a value go (RFC 9112, sections 5.1 and 5.2), in heads and trailers."""
        message = OK + line + b"\r\n" + END
        reading = read([message])
        assert reading == Reading("", 200, "OK", (("A", value), LENGTH), b"ok", (), True)
        assert read(pieces(message, 1)) == reading
        assert read([CHUNKED + b"0\r\n" + line + b"\r\n\r\n"]).trailers == (("A", value),)

    def test_equal_lengths(self) -> None:
        """Equal values of Content-Length are one, and the caller sees one (RFC 9112, section 6.3)."""
        for said in (b"2\r\nContent-Length: 2", b"2,2", b"2 ,\t2\r\ncontent-length:2 ,"):
            reading = read([OK + b"Content-Length: " + said + b"\r\n\r\nok"])
            assert (reading.error, reading.fields, reading.body) == ("", (LENGTH,), b"ok")

    def test_unknown_status(self) -> None:
        """A status above 599 is delivered (RFC 9110, section 15)."""
        assert read([b"HTTP/1.1 999 Denied\r\n" + END]).status == 999

    @pytest.mark.parametrize(
        ("field", "seconds"),
        [
            ("timeout=5", 5),
            ("timeout=5, max=100", 5),
            ("max=100 , Timeout = 60", 60),
            ("timeout=0", 0),
            ("timeout=000000005", 5),
            ("timeout=-5", None),
            ("timeout=5.5", 5),
            ("timeout=" + "9" * 400, None),
            ("timeout=\u0665", None),
            ("xtimeout=5", None),
            ("timeout", None),
            ("", None),
        ],
    )
    def test_keep_alive(self, field: str, seconds: int | None) -> None:
        """The seconds that a Keep-Alive field gives are known once the response is complete."""
        reader = ResponseReader()
        read([OK + b"Keep-Alive: " + field.encode() + b"\r\n" + END], reader=reader)
        assert reader.idle_time == seconds
        read([OK + END], reader=reader)
        assert reader.idle_time is None


class TestLenient:
    @EACH
    def test_read(self, name: str) -> None:
        """With lenient=True it is read, the same for every cut, and the next response on the connection strictly."""
        data, reason, fields = LENIENT[name]
        reader = ResponseReader()
        reading = read([data], asked(lenient=True), reader)
        assert (reading.error, reading.status, reading.reason) == ("", 200, reason)
        assert reading.body[:2] == b"ok"
        assert [field for field in reading.fields if field[0] != "Content-Length"] == fields
        for size in (1, 2, 3, 7):
            assert read(pieces(data, size), asked(lenient=True)) == reading, size
        assert read([data], asked(), reader).error

    @EACH
    def test_refused_with_a_hint(self, name: str) -> None:
        """Without it, it is refused at once, and the error says that lenient=True accepts it."""
        data = LENIENT[name][0]
        reader = ResponseReader()
        assert read([data], reader=reader).error in ("ServerProtocolError", "ClientPayloadError")
        if name == "trailer-with-lf":
            return
        assert str(reader.error).endswith("; lenient=True accepts it")

    @pytest.mark.parametrize("name", [pytest.param(name, id=f"H1-01-{name}") for name in NEVER])
    def test_never(self, name: str) -> None:
        """What would leave open where a message ends, or whose it is, is refused all the same, and no hint given."""
        for lenient in (False, True):
            for data in ([NEVER[name]], pieces(NEVER[name], 1)):
                reader = ResponseReader()
                assert read(data, asked(lenient=lenient), reader).error == "ServerProtocolError"
                assert "lenient" not in str(reader.error)

    @pytest.mark.parametrize("message", as_parameters(BAD_HEADS))
    def test_hint_is_true(self, message: Message) -> None:
        """An error of a head gives the hint if, and only if, a lenient reading accepts the head."""
        reader = ResponseReader()
        read([message.data], asked(message.method, message.headers), reader)
        hint = "lenient=True" in str(reader.error)
        lenient = asked(message.method, message.headers, lenient=True)
        assert hint == (read([message.data], lenient).error != "ServerProtocolError")

    @pytest.mark.parametrize("message", as_parameters(CORPUS))
    def test_good_is_read_alike(self, message: Message) -> None:
        """What is read strictly is read leniently too, with the same result."""
        strict = read_message(message, [message.data])
        lenient = asked(message.method, message.headers, lenient=True, **message.options)
        if strict.error == "":
            assert read([message.data], lenient) == strict

    @settings(max_examples=500, deadline=None)
    @given(st.data())
    def test_any_segments(self, data: st.DataObject) -> None:
        """A lenient outcome does not depend on the segments either, whatever comes."""
        text = data.draw(
            st.sampled_from([m.data for m in CORPUS] + [d for d, _, _ in LENIENT.values()])
        )
        at = data.draw(st.integers(0, len(text)))
        more = data.draw(
            st.sampled_from([b"", b"\n", b"\r", b" ", b":", b"\0", b"\r\n", b";", b",", b"\xff"])
        )
        text = text[:at] + more + text[at + data.draw(st.integers(0, 1)) :]
        whole = read([text], asked(lenient=True))
        for size in (1, 3, 10):
            assert read(pieces(text, size), asked(lenient=True)) == whole


@st.composite
def chunked_bodies(draw: st.DrawFn) -> bytes:
    """Draw a body in chunks, most of them legal, with lines near the limits."""
    digits = st.sampled_from(
        [b"0", b"1", b"5", b"a", b"10", b"0005", b"fff", b"", b"g", b"F" * 16, b"1" + b"0" * 16]
    )
    line = st.builds(
        lambda size, blanks, extension, length, end: (
            size + blanks + extension.ljust(length, b"x") + end
        ),
        digits,
        st.sampled_from([b"", b" ", b"\t "]),
        st.sampled_from([b"", b";", b"; a=b", b';a="b"', b";a\x01", b'; "']),
        st.sampled_from([0, 0, 0, 0, 20, 4000, 8170, 8190, 8220]),
        st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"]),
    )
    body = b""
    for _ in range(draw(st.integers(0, 5))):
        text = draw(line)
        size = re.match(rb"[0-9a-fA-F]{0,3}", text)
        body += (
            text
            + b"d" * int(size[0] or b"0", 16)
            + draw(st.sampled_from([b"\r\n"] * 5 + [b"\n", b""]))
        )  # type: ignore[index]
    trailers = st.sampled_from(
        [b"", b"A: b\r\n", b"A: b \r\n c\r\n", b"A\r\n", b"A: b\n", b"A: " + b"x" * 8200 + b"\r\n"]
    )
    return (
        body
        + draw(st.sampled_from([b"0\r\n", b"0 \r\n", b""]))
        + draw(trailers)
        + draw(st.sampled_from([b"\r\n", b"\r\n", b"\n", b"", b"\r\n5"]))
    )


@pytest.mark.parametrize("lenient", [False, True])
@settings(max_examples=300, deadline=None)
@given(chunked_bodies(), st.lists(st.integers(1, 20_000), max_size=8), st.integers(1, 700))
def test_chunks_in_any_segments(lenient: bool, body: bytes, cuts: list[int], size: int) -> None:
    """H1-18: the outcome of a body in chunks does not depend on the segments, long lines included."""
    text = CHUNKED + body
    edges = [0, *sorted({cut % (len(text) + 1) for cut in cuts}), len(text)]
    whole = read([text], asked(lenient=lenient))
    for segments in (
        [text[a:b] for a, b in pairwise(edges) if a < b],
        pieces(text, size),
        [CHUNKED, *([body] if body else [])],
    ):
        assert read(segments, asked(lenient=lenient)) == whole


@pytest.mark.both_loops
class TestArguments:
    HEAD = b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"

    @pytest.mark.parametrize(
        ("connector", "session", "call", "read"),
        [
            (False, None, None, False),
            (True, None, None, True),
            (False, True, None, True),
            (True, False, None, False),
            (False, None, True, True),
            (True, None, False, False),
            (False, True, False, False),
            (True, False, True, True),
        ],
    )
    async def test_which_one_counts(
        self, connector: bool, session: bool | None, call: bool | None, read: bool
    ) -> None:
        """The call's lenient= goes before the session's, and that one before the connector's."""
        arguments: dict[str, Any] = {} if call is None else {"lenient": call}
        async with (
            RawServer.replies([self.HEAD], repeat=True) as server,
            ClientSession(connector=TCPConnector(lenient=connector), lenient=session) as made,
        ):
            assert made.lenient is (connector if session is None else session)
            if read:
                async with made.get(server.url(), **arguments) as response:
                    assert await response.read() == b"ok"
            else:
                with pytest.raises(ServerProtocolError, match="lenient=True accepts it"):
                    await made.get(server.url(), **arguments)

    async def test_none_is_as_the_session(self) -> None:
        """lenient=None of a call leaves what the session says."""
        async with (
            RawServer.replies([self.HEAD], repeat=True) as server,
            ClientSession(lenient=True) as session,
        ):
            await (await session.get(server.url(), lenient=None)).read()

    async def test_one_shot(self) -> None:
        """A call without a session takes it as well."""
        async with RawServer.replies([self.HEAD]) as server:
            assert await (await aioclient.get(server.url(), lenient=True)).read() == b"ok"

    async def test_wrong_type(self) -> None:
        """What is not a bool is refused: a mistake must not loosen checks."""
        wrong: Any = "no"
        with pytest.raises(TypeError, match="lenient must be a bool, found str 'no'"):
            ClientSession(lenient=wrong)
        with pytest.raises(TypeError, match="lenient must be a bool"):
            TCPConnector(lenient=wrong)
        async with RawServer.replies([self.HEAD]) as server, ClientSession() as session:
            with pytest.raises(TypeError, match="lenient must be a bool"):
                await session.get(server.url(), lenient=wrong)

    @pytest.mark.parametrize("streamed", [False, True])
    async def test_behind_compressed_data(self, streamed: bool) -> None:
        """What follows compressed data is ignored, in a body that comes at once and in a stream."""
        body = gzip.compress(json.dumps(list(range(99_999 if streamed else 9))).encode())
        reply = (
            OK
            + b"Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
            % (len(body) + 3)
            + body
        )
        async with (
            RawServer.replies([reply + b"\r\n\0"], repeat=True) as server,
            ClientSession() as session,
        ):
            async with session.get(server.url(), lenient=True) as response:
                assert len(await response.json()) == (99_999 if streamed else 9)
            with pytest.raises(aioclient.ContentDecodingError, match="lenient=True accepts it"):
                await (await session.get(server.url())).read()
