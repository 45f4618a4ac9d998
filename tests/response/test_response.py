"""The response: what it tells, how its body is read, and what is left after its end."""

import asyncio
import encodings
import gzip
import json
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict
from yarl import URL

import aioclient
from aioclient import ClientResponse, ClientSession
from aioclient.message.charsets import codec_of
from aioclient.message.media_type import parse_content_type
from aioclient.testing import RawConnection, turns

from .. import spoken
from ..loopback import OK, answer, moved
from ..servers.either import RawServer

pytestmark = pytest.mark.both_protocols

SPLITS = ("with the head", "after the head")


async def got(reply: bytes, split: str = "with the head", **arguments: Any) -> ClientResponse:
    """Return a response whose body is still to be read, from a server that has sent it all."""
    arguments.setdefault("url", "/")

    async def script(conn: RawConnection) -> None:
        await conn.read_request()
        if split == "with the head":
            conn.send(reply)
        else:
            head, end, body = reply.partition(b"\r\n\r\n")
            conn.send(head + end)
            await turns(5)
            conn.send(body)
        await conn.closed()

    async with RawServer(script) as server, ClientSession() as session:
        path = arguments.pop("url")
        method = arguments.pop("method", "GET")
        response = await session.request(method, server.url(path), **arguments)
        await response.read()
        return response


class TestHead:
    @pytest.mark.rows("S003-84")
    @pytest.mark.http1_only("about its version and its reason phrase")
    async def test_what_it_tells(self) -> None:
        """Status, reason, version, method, URL, host and fields are as they came."""
        reply = b"HTTP/1.0 201 Made It\r\nX-a: 1\r\nx-A: 2\r\nB: \xff\r\nContent-Length: 0\r\n\r\n"
        async with RawServer.replies([reply]) as server, ClientSession() as session:
            response = await session.put(server.url("/p?q=1#f"))
        assert (response.status, response.reason, response.ok) == (
            201,
            "Made It",
            True,
        )
        assert response.version == aioclient.HttpVersion10
        assert response.method == "PUT"
        assert response.url == URL(server.url("/p?q=1"))
        assert response.real_url == URL(server.url("/p?q=1#f"))
        assert response.host == "127.0.0.1"
        assert response.headers.getall("X-A") == ["1", "2"]
        assert response.raw_headers == (
            (b"X-a", b"1"),
            (b"x-A", b"2"),
            (b"B", b"\xff"),
            (b"Content-Length", b"0"),
        )
        assert response.history == ()
        assert repr(response) == f"<ClientResponse({server.url('/p?q=1#f')}) [201 Made It]>"

    @pytest.mark.parametrize(
        ("status", "ok"), [(200, True), (304, True), (399, True), (400, False), (599, False)]
    )
    @pytest.mark.rows("S003-94")
    async def test_ok(self, status: int, ok: bool) -> None:
        """ok says whether the status is below 400."""
        assert (await got(answer(b"", status=f"{status} X"))).ok is ok

    @pytest.mark.rows("S003-93")
    async def test_request_info(self) -> None:
        """request_info has what was asked, with its credentials, which repr does not show."""
        response = await got(OK, url="/p?token=geheim#f", auth=("u", "p"), cookies={"c": "1"})
        info = response.request_info
        assert isinstance(info, aiohttp.RequestInfo)
        assert (info.method, info.url, info.real_url) == ("GET", response.url, response.real_url)
        assert info.headers["Authorization"] == "Basic dTpw"
        assert info.headers["Cookie"] == "c=1"
        assert info.headers["Accept"] == "*/*"
        assert info.headers["Host"] == f"{info.url.host}:{info.url.port}"
        assert "dTpw" not in repr(info)
        assert "geheim" not in repr(info)

    @pytest.mark.rows("S003-84")
    async def test_cookies(self) -> None:
        """cookies are those that this response set, with their attributes."""
        reply = answer(b"", "Set-Cookie: a=1; Path=/x; Secure; HttpOnly", "Set-Cookie: b=2")
        cookies = (await got(reply)).cookies
        assert {name: morsel.value for name, morsel in cookies.items()} == {"a": "1", "b": "2"}
        assert (cookies["a"]["path"], cookies["a"]["secure"]) == ("/x", True)

    @pytest.mark.parametrize("line", ["", "=", ";;;", "a", "\x80=\x80", 'a="\\', "a b=c"])
    @pytest.mark.rows("S003-84")
    async def test_cookies_that_are_none(self, line: str) -> None:
        """A Set-Cookie that cannot be parsed is left out and spoils nothing."""
        response = await got(answer(b"", f"Set-Cookie: {line}", "Set-Cookie: b=2"))
        assert response.cookies["b"].value == "2"

    @pytest.mark.parametrize(
        ("value", "media_type", "charset"),
        [
            (None, "application/octet-stream", None),
            ("", "application/octet-stream", None),
            ("nonsense", "application/octet-stream", None),
            ("Text/HTML", "text/html", None),
            ("text/html; charset=ISO-8859-1", "text/html", "ISO-8859-1"),
            ('text/html;Charset="utf-8"', "text/html", "utf-8"),
            ("text/html; a=b; charset=x; charset=y", "text/html", "x"),
            ("text/html; charset*=utf-8''x", "text/html", "x"),
            ("text/html;;;", "text/html", None),
            ("text/html; charset", "text/html", ""),
            ("text/html; \udcff=\udcff; charset=x", "text/html", "x"),
            ('text/html; charset="gbk', "text/html", "gbk"),
            ('text/html; charset=gbk"', "text/html", "gbk"),
            ("text/html; charset='gbk'", "text/html", "gbk"),
            ('text/html; charset=\\"gbk\\"', "text/html", "gbk"),
            ('text/html; charset=""gbk""', "text/html", "gbk"),
            ('text/html; charset="gbk;', "text/html", "gbk"),
            ('text/html; charset=" gbk "', "text/html", "gbk"),
            ("text/html; charset=“gbk”", "text/html", "gbk"),
            ("text/html; charset = gbk ; a=b", "text/html", "gbk"),
            ("text/html; charset=gbk, text/html", "text/html", "gbk"),
            ('text/html; a="; charset=x"; charset=gbk', "text/html", "gbk"),
            ('text/html; "' * 600, "text/html", None),
        ],
    )
    @pytest.mark.rows("S003-85", "S003-86")
    async def test_content_type(
        self, value: str | None, media_type: str, charset: str | None
    ) -> None:
        """Media type and charset are those of Content-Type, whatever it looks like."""
        fields = () if value is None else (f"Content-Type: {value}",)
        reply = answer(b"ok", *[field.encode("utf-8", "ignore").decode() for field in fields])
        if value is not None:
            assert parse_content_type(value) == (media_type, charset)
        if value is None or "\udcff" not in value:
            response = await got(reply)
            assert (response.content_type, response.charset) == (media_type, charset)

    @pytest.mark.parametrize(
        ("charset", "encoding"),
        [
            ("latin1", "cp1252"),
            ("UTF-16", "UTF-16"),
            ("nonsense", "utf-8"),
            ("rot13", "utf-8"),
            ("idna", "utf-8"),
            ("unicode_escape", "utf-8"),
            ("x\0", "utf-8"),
        ],
    )
    def test_is_text_codec(self, charset: str, encoding: str) -> None:
        """Only codecs between bytes and text are charsets."""
        assert (codec_of(charset) or "utf-8") == encoding

    @pytest.mark.parametrize(
        ("label", "body", "text"),
        [
            ("gb2312", "镕€".encode("gb18030"), "镕€"),  # of GBK and of GB 18030
            ("GB_2312-80", b"\xa1\xaa", "—"),
            ("x-gbk", b"\xe9F", "镕"),
            ("shift_jis", b"\x87@\x81a", "①∥"),
            ("x-sjis", b"\xb1", "ｱ"),
            ("windows-31j", b"\x87@", "①"),
            ("iso-8859-1", b"\x93\x80\x94\x81", "“€”\x81"),
            ("us-ascii", b"\x85", "…"),
            ("ISO-8859-9", b"\x80\xf0", "€ğ"),
            ("iso-8859-11", b"\x80\xa1", "€ก"),
            ("tis-620", b"\x85", "…"),
            ("euc-kr", b"\x8cc\xb0\xa1", "똠가"),
            ("ks_c_5601-1987", b"\x8cc", "똠"),
            ("big5", b"\xa1E\xa3\xe1", "‧€"),
            ("big5-hkscs", b"\xfa@", "𠕇"),
            ("macintosh", b"\x8a", "ä"),
            ("x-mac-cyrillic", b"\x86", "Ж"),
            ("koi8-ru", b"\xd6", "ж"),
            ("iso-8859-8-i", b"\xe0", "א"),
            ("unicode-1-1-utf-8", b"\xc3\xa4", "ä"),
            ("unicodefffe", b"\x00a", "a"),
            ("x-cp1251", b"\xe6", "ж"),
            ("l9", b"\xa4", "€"),
            ("866", b"\x86", "Ж"),
        ],
    )
    async def test_labels(self, label: str, body: bytes, text: str) -> None:
        """A charset's label means what it means to browsers (WHATWG, Encoding Standard)."""
        response = await got(answer(body, f"Content-Type: text/plain; charset={label}"))
        assert await response.text() == text
        assert response.charset == label

    async def test_what_does_not_fit(self) -> None:
        """Bytes that a charset has no letter for raise, unless errors= says otherwise."""
        response = await got(answer(b"\xff\xd2", "Content-Type: text/plain; charset=windows-1253"))
        with pytest.raises(UnicodeDecodeError):
            await response.text()
        assert await response.text(errors="replace") == "\ufffd\ufffd"

    @pytest.mark.parametrize("label", ["x" * 41, "a/../b", "ütf-8", "utf-8\x00", "\udcff", " "])
    def test_labels_that_are_not_looked_for(self, label: str) -> None:
        """Python remembers what it looked for, and looks on the disk: only what can be a name gets that far."""
        before = set(encodings._cache)  # type: ignore[attr-defined]
        assert codec_of(label) is None
        assert set(encodings._cache) == before  # type: ignore[attr-defined]

    @pytest.mark.rows("S003-94")
    async def test_get_encoding(self) -> None:
        """get_encoding() is the codec of the header's charset if it is known, else UTF-8."""
        for field, encoding in (
            ("text/plain; charset=latin1", "cp1252"),
            ("text/plain; charset=nonsense", "utf-8"),
            ("text/plain", "utf-8"),
        ):
            assert (await got(answer(b"", f"Content-Type: {field}"))).get_encoding() == encoding


class TestReading:
    @pytest.mark.parametrize("split", SPLITS)
    @pytest.mark.rows("S003-89")
    async def test_read_is_kept(self, split: str) -> None:
        """The body can be read as often as one likes, as bytes, text and JSON, after the end too."""
        response = await got(answer(b"[1]", "Content-Type: application/json"), split)
        for _ in range(2):
            assert await response.read() == b"[1]"
            assert await response.text() == "[1]"
            assert await response.json() == [1]

    @pytest.mark.parametrize(
        ("charset", "body", "text"),
        [
            ("; charset=latin1", b"\xe4", "ä"),
            ("; charset=utf-16", "ä".encode("utf-16"), "ä"),
            ("", "ä€".encode(), "ä€"),
            ("; charset=nonsense", "ä€".encode(), "ä€"),
            ("", b"plain", "plain"),
            (
                "",
                "Привет, мир! Это обычный русский текст для проверки.".encode("cp1251"),
                "Привет, мир! Это обычный русский текст для проверки.",
            ),
        ],
    )
    @pytest.mark.rows("S003-91")
    async def test_text(self, charset: str, body: bytes, text: str) -> None:
        """The charset is the header's, else UTF-8 if that fits, else what is detected."""
        response = await got(answer(body, f"Content-Type: text/plain{charset}"))
        assert await response.text() == text

    @pytest.mark.rows("S003-91")
    async def test_text_encoding_and_errors(self) -> None:
        """encoding= goes before the header's charset; errors= says what happens to what does not fit."""
        response = await got(answer(b"\xe4", "Content-Type: text/plain; charset=utf-8"))
        assert await response.text("latin1") == "ä"
        assert await response.text(errors="replace") == "\ufffd"
        with pytest.raises(UnicodeDecodeError):
            await response.text()
        with pytest.raises(UnicodeDecodeError):
            await response.text("ascii")
        with pytest.raises(LookupError):
            await response.text("nonsense")

    @pytest.mark.parametrize(
        ("media_type", "wanted", "fits"),
        [
            ("application/json", "application/json", True),
            ("application/json; charset=utf-8", "application/json", True),
            ("APPLICATION/JSON", "application/json", True),
            ("application/problem+json", "application/json", True),
            ("text/json", "application/json", False),
            ("text/plain", "application/json", False),
            ("application/jsonp", "application/json", False),
            (None, "application/json", False),
            (None, None, True),
            ("text/plain", None, True),
            ("text/plain; charset=x", "text/plain", True),
            ("text/plain", "text/html", False),
        ],
    )
    @pytest.mark.rows("S003-92")
    async def test_json_content_type(
        self, media_type: str | None, wanted: str | None, fits: bool
    ) -> None:
        """A response of another media type raises ContentTypeError, unless any will do."""
        fields = () if media_type is None else (f"Content-Type: {media_type}",)
        response = await got(answer(b"[1]", *fields))
        if fits:
            assert await response.json(content_type=wanted) == [1]
        else:
            with pytest.raises(aiohttp.ContentTypeError, match="unexpected mimetype") as caught:
                await response.json(content_type=wanted)
            assert caught.value.status == 200
            assert caught.value.headers == response.headers

    @pytest.mark.parametrize("body", [b"", b" ", b"\r\n\t "])
    @pytest.mark.rows("S003-92")
    async def test_blank_json(self, body: bytes) -> None:
        """A blank body is None."""
        assert await (await got(answer(body, "Content-Type: application/json"))).json() is None

    @pytest.mark.rows("S003-92")
    async def test_json_loads_and_encoding(self) -> None:
        """loads= gets the text, decoded by encoding=, the header's charset or UTF-8."""
        seen: list[str] = []

        def loads(text: str) -> int:
            seen.append(text)
            return 7

        response = await got(answer(b'"\xe4"', "Content-Type: application/json; charset=latin1"))
        assert await response.json() == "ä"
        assert await response.json(loads=loads, encoding="cp1252") == 7
        assert seen == ['"ä"']
        with pytest.raises(UnicodeDecodeError):
            await response.json(encoding="utf-8")

    @pytest.mark.rows("S003-92")
    async def test_what_is_no_json(self) -> None:
        """A body that is no JSON raises what loads raises."""
        response = await got(answer(b"{", "Content-Type: application/json"))
        with pytest.raises(json.JSONDecodeError):
            await response.json()

    @pytest.mark.parametrize("split", SPLITS)
    @pytest.mark.rows("S003-84")
    async def test_content(self, split: str) -> None:
        """content is the body as a stream, decoded, wherever it came from."""
        reply = answer(gzip.compress(b"one\ntwo\n"), "Content-Encoding: gzip")

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            head, end, body = reply.partition(b"\r\n\r\n")
            conn.send(head + end)
            if split == "after the head":
                await turns(5)
            conn.send(body)
            await conn.closed()

        async with (
            RawServer(script) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            assert response.content is response.content
            assert [line async for line in response.content] == [b"one\n", b"two\n"]
            assert await response.read() == b""

    async def test_two_content_encoding_fields(self) -> None:
        """Codings in two fields are undone in order, whether or not the body came with the head."""
        body = gzip.compress(gzip.compress(b"twice"))
        reply = answer(body, "Content-Encoding: gzip", "Content-Encoding: gzip")
        for split in SPLITS:
            assert await (await got(reply, split)).read() == b"twice"

    @pytest.mark.parametrize("split", SPLITS)
    @pytest.mark.rows("S003-84")
    async def test_trailers(self, split: str) -> None:
        """Trailers are known when the body was read, apart from the headers."""
        reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: 1\r\n\r\n"
        response = await got(reply, split)
        assert await response.read() == b"ok"
        assert response.trailers == CIMultiDict({"X": "1"})
        assert "X" not in response.headers

    @pytest.mark.rows("S003-89")
    async def test_a_broken_body(self) -> None:
        """A body that breaks off raises each time it is read, and its connection is closed."""

        async def script(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")

        async with RawServer(script) as server, ClientSession() as session:
            response = await session.get(server.url())
            for _ in range(2):
                with pytest.raises(aioclient.IncompleteBodyError, match="2 of 9 bytes"):
                    await response.read()
            assert response.closed


async def half(conn: RawConnection) -> None:
    """Send a body of 10 bytes, 2 of them."""
    await conn.read_request()
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok")
    await conn.closed()


async def whole(conn: RawConnection) -> None:
    """Send a body with its head."""
    await conn.read_request()
    conn.send(OK)
    await conn.closed()


class TestEnd:
    @pytest.mark.parametrize("script", [half, whole])
    @pytest.mark.parametrize("end", ["release", "close", "context"])
    @pytest.mark.rows("S003-83", "S003-88", "S003-89")
    async def test_reading_after_it(self, script: Any, end: str) -> None:
        """What was not read cannot be read any more: each way of reading raises, none hangs."""
        async with RawServer(script) as server, ClientSession() as session:
            response = await session.get(server.url())
            if end == "context":
                async with response:
                    pass
            else:
                getattr(response, end)()
            assert response.closed
            for read in (
                response.read,
                response.text,
                response.json,
                lambda: response.content.readexactly(10),
            ):
                with pytest.raises(aioclient.ClientConnectionError, match=r"released|closed"):
                    await read()

    @pytest.mark.parametrize("end", ["release", "close"])
    async def test_a_stream_taken_before(self, end: str) -> None:
        """Who waits for a stream when its response is released is woken by the error."""
        async with RawServer(half) as server, ClientSession() as session:
            response = await session.get(server.url())
            waiting = asyncio.create_task(response.content.read())
            await turns()
            assert not waiting.done()
            getattr(response, end)()
            with pytest.raises(aioclient.ClientConnectionError, match=r"released|closed"):
                await waiting

    @pytest.mark.rows("S003-83", "S003-89")
    async def test_reading_after_the_context(self) -> None:
        """What was read inside the context can be read after it."""
        async with RawServer(whole) as server, ClientSession() as session:
            async with session.get(server.url()) as response:
                await response.read()
            assert await response.text() == "ok"

    @pytest.mark.rows("S003-88")
    @pytest.mark.both_loops
    @pytest.mark.rows("S003-90")
    @pytest.mark.parametrize("size", [3, 200_000])
    @pytest.mark.parametrize("checked", ["at once", "with its body"])
    async def test_raise_for_status_in_a_context(self, size: int, checked: str) -> None:
        """Within ``async with`` the body can be read after the error, and the end of the context releases it."""
        reply = answer(b"b" * size, status="404 Not Found")
        async with RawServer.replies([reply, reply]) as server, ClientSession() as session:
            async with session.get(server.url()) as response:
                with pytest.raises(aioclient.StatusError):
                    await response.check_status() if checked != "at once" else None
                    response.raise_for_status()
                assert await response.read() == b"b" * size
            entered = await session.get(server.url())
            async with entered:
                with pytest.raises(aioclient.StatusError):
                    entered.raise_for_status()
                assert await entered.text() == "b" * size
            assert entered.closed

    async def test_release_can_be_awaited(self) -> None:
        """release() works with and without await, and twice."""
        async with RawServer(whole) as server, ClientSession() as session:
            response = await session.get(server.url())
            assert await response.release() is None  # type: ignore[func-returns-value]
            response.release()
            response.close()

    @pytest.mark.rows("S003-88")
    @pytest.mark.http1_only("over HTTP/2 nothing is drained")
    async def test_release_keeps_a_connection_that_is_almost_done(self) -> None:
        """A little that is missing is thrown away and the connection used again; close() closes it."""

        async def slow(conn: RawConnection) -> None:
            while True:
                await conn.read_request()
                conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok")
                await turns(5)
                conn.send(b"ok")

        async with RawServer(slow) as server, ClientSession() as session:
            assert session.connector is not None
            response = await session.get(server.url())
            assert not response.closed
            response.release()
            while session.connector.statistics().in_use:
                await asyncio.sleep(0)
            (await session.get(server.url())).close()
            assert server.connections == 1
            await (await session.get(server.url())).read()
            assert server.connections == 2

    @pytest.mark.both_loops
    @pytest.mark.parametrize("method", ["read", "text", "json"])
    @pytest.mark.http1_only("about how HTTP/1.1 closes its connection")
    async def test_a_cancelled_read(self, method: str) -> None:
        """It closes the connection at once, although the response is still referenced: half a body is of no use."""
        async with RawServer(half) as server, ClientSession() as session:
            response = await session.get(server.url())
            task = asyncio.create_task(getattr(response, method)())
            await turns(3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert response.closed
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0
            await turns(20)
            assert server.open_connections == []

    @pytest.mark.rows("S003-83")
    async def test_a_dropped_response(self) -> None:
        """A response that is dropped with its body still coming warns and frees its connection."""
        async with RawServer(half) as server, ClientSession() as session:
            response = await session.get(server.url())
            await turns()  # until the event loop itself has let go of it
            with pytest.warns(ResourceWarning, match=r"unclosed response to GET http"):
                del response
            await turns(1)
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0

    @pytest.mark.rows("S003-90", "S003-87")
    async def test_raise_for_status(self) -> None:
        """From 400 on it raises with status, reason, fields and history, and releases the response."""
        replies = [moved("/b"), answer(b"no", "X: 1", status="404 Not There")]
        async with RawServer.replies(replies) as server, ClientSession() as session:
            response = await session.get(server.url("/a"))
            with pytest.raises(aiohttp.ClientResponseError) as caught:
                response.raise_for_status()
            assert response.closed
        error = caught.value
        assert (error.status, error.message) == (404, spoken.phrase(404, "Not There"))
        assert error.headers is not None
        assert error.headers["X"] == "1"
        assert [hop.status for hop in error.history] == [302]
        assert error.request_info.method == "GET"
        assert f"{server.url('/b')}" in str(error)

    @pytest.mark.rows("S003-90")
    async def test_raise_for_status_of_a_good_one(self) -> None:
        """Below 400 it does nothing."""
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            response = await session.get(server.url())
            response.raise_for_status()
            assert await response.text() == "ok"


class TestConsumed:
    """A body that was read piece by piece is not kept."""

    @pytest.mark.parametrize("body", [b"[1]\n", b"[1]\n" * 100_000], ids=["short", "long"])
    @pytest.mark.parametrize("drained", [False, True])
    async def test_text_and_json(self, body: bytes, drained: bool) -> None:
        """text() and json() say so, read() is empty, as in aiohttp."""
        reply = answer(body, "Content-Type: application/json")
        async with (
            RawServer.replies([reply]) as server,
            ClientSession() as session,
            session.get(server.url("/a")) as response,
        ):
            async for _ in response.content:
                pass
            if drained:
                assert await response.read() == b""
            for read, name in ((response.text, "text"), (response.json, "json")):
                with pytest.raises(
                    aioclient.StreamConsumedError, match=rf"GET .*/a: {name}\(\).*response.content"
                ):
                    await read()
            assert await response.read() == b""

    async def test_what_is_left(self) -> None:
        """Of a body that was read in part, text() has the rest, as in aiohttp."""
        async with (
            RawServer.replies([answer(b"a\nb")]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            assert await response.content.readline() == b"a\n"
            assert await response.text() == "b"

    async def test_an_empty_body(self) -> None:
        """A body that was empty from the start is empty text, iterated over or not."""
        async with (
            RawServer.replies([answer(b"")]) as server,
            ClientSession() as session,
            session.get(server.url()) as response,
        ):
            async for _ in response.content:
                pass
            assert await response.text() == ""
