"""Outgoing bodies: what becomes of `data` and `json`, what is sent, and what can be sent again."""

import array
import asyncio
import dataclasses
import datetime
import decimal
import enum
import gzip
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import pytest
from aiohttp import FormData, MultipartWriter
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import (
    AsyncIterablePayload,
    BytesPayload,
    JsonPayload,
    Payload,
    StringPayload,
    register_payload,
)
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, MultiDict, MultiDictProxy

from aioclient.body import make_body
from aioclient.exceptions import BodyConsumedError, BodySizeError
from aioclient.message.body import Body
from aioclient.response.stream import StreamReader

PIECE = 256 * 1024


class Sink:
    """A connection that keeps what is written."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    async def write(self, chunk: bytes | bytearray | memoryview, /) -> None:
        assert len(chunk), "an empty chunk would end a chunked message"
        assert not isinstance(chunk, bytearray), "the source could change it"
        self.chunks.append(bytes(chunk))
        await asyncio.sleep(0)


class BrokenAfter(Sink):
    """A connection that breaks when it was given some chunks."""

    def __init__(self, chunks: int) -> None:
        super().__init__()
        self.left = chunks

    async def write(self, chunk: bytes | bytearray | memoryview, /) -> None:
        if not self.left:
            raise ConnectionResetError("gone")
        self.left -= 1
        await super().write(chunk)


def body_of(data: object = None, json_value: object = None, **options: Any) -> Body:
    options.setdefault("json_serialize", json.dumps)
    body = make_body(data, json_value, **options)
    assert body is not None
    return body


async def sent(body: Body) -> bytes:
    sink = Sink()
    await body.write(sink)
    return b"".join(sink.chunks)


async def sent_twice(body: Body) -> bytes:
    """What a replayable body sends, after making sure that it sends it again."""
    assert body.replayable
    first = await sent(body)
    body.rewind()
    assert await sent(body) == first
    assert not body.consumed
    return first


async def assert_only_once(body: Body) -> None:
    """A body that was sent and cannot be read again says so, and nothing empty goes out."""
    assert not body.replayable
    assert body.consumed
    sink = Sink()
    with pytest.raises(BodyConsumedError, match="already"):
        body.rewind()
    with pytest.raises(BodyConsumedError, match="already"):
        await body.write(sink)
    assert sink.chunks == []


async def parts_of(body: Body) -> list["Message[str, str]"]:
    """The parts of a multipart body, read by the standard library."""
    assert body.content_type is not None
    content = await sent(body)
    if body.size is not None:
        assert body.size == len(content)
    head = f"Content-Type: {body.content_type}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + content)
    assert message.is_multipart()
    assert not message.defects
    return [part for part in message.get_payload() if isinstance(part, Message)]


class TestMemory:
    def test_nothing_is_no_body(self) -> None:
        """Without data and json there is no body."""
        assert make_body(None, None, json_serialize=json.dumps) is None

    @pytest.mark.parametrize("data", ["x", b"", {}, 0])
    def test_data_and_json_exclude_each_other(self, data: object) -> None:
        """S003-27: a call has one body."""
        with pytest.raises(ValueError, match="data and json parameters can not be used"):
            make_body(data, {}, json_serialize=json.dumps)

    @pytest.mark.parametrize(
        ("data", "content", "content_type"),
        [
            (b"\x00\xff", b"\x00\xff", "application/octet-stream"),
            (b"", b"", "application/octet-stream"),
            (bytearray(b"ab"), b"ab", "application/octet-stream"),
            (memoryview(b"abcdef")[::2], b"ace", "application/octet-stream"),
            (memoryview(array.array("H", [1, 2])), bytes(array.array("H", [1, 2])), None),
            ("gr\u00fc\u00df", b"gr\xc3\xbc\xc3\x9f", "text/plain; charset=utf-8"),
            ("", b"", "text/plain; charset=utf-8"),
            (io.StringIO("text"), b"text", "text/plain; charset=utf-8"),
        ],
    )
    async def test_is_whole_in_memory(
        self, data: object, content: bytes, content_type: str | None
    ) -> None:
        """Bytes and text are there at once, with their size and media type, and can be replayed."""
        body = body_of(data)
        assert body.data == content
        assert type(body.data) is bytes
        assert body.size == len(content)
        assert body.content_type == (content_type or "application/octet-stream")
        assert body.headers is None
        assert await sent_twice(body) == content

    def test_keeps_what_it_was_given(self) -> None:
        """A buffer that changes later does not change the body."""
        buffer = bytearray(b"before")
        body = body_of(buffer)
        buffer[:] = b"after"
        assert body.data == b"before"

    async def test_large_bytes_go_out_in_pieces(self) -> None:
        """No single write holds all of a large body, and none of them warns."""
        content = random.Random(1).randbytes(3 * PIECE + 1)
        sink = Sink()
        await body_of(content).write(sink)
        assert [len(chunk) for chunk in sink.chunks] == [PIECE, PIECE, PIECE, 1]
        assert b"".join(sink.chunks) == content

    async def test_requests_may_share_bytes(self) -> None:
        """One body in memory can be sent by several requests at the same time."""
        content = bytes(2 * PIECE)
        body = body_of(content)
        assert await asyncio.gather(sent(body), sent(body)) == [content, content]

    def test_text_in_another_encoding(self) -> None:
        """S003-45: `encoding` is used for text and named in the media type."""
        body = body_of("\u00e9", encoding="latin-1")
        assert (body.data, body.content_type) == (b"\xe9", "text/plain; charset=latin-1")

    def test_an_encoding_is_checked(self) -> None:
        """An encoding that Python does not know raises, for empty text too."""
        for data in ("", "x", {"a": "b"}):
            with pytest.raises(LookupError):
                body_of(data, encoding="utf-8\r\nX-Injected: 1")

    def test_enum_text(self) -> None:
        """A member of a text enumeration is its text."""

        class Color(str, enum.Enum):  # noqa: UP042
            RED = "red"

        assert body_of(Color.RED).data == b"red"
        assert body_of({"c": Color.RED}).data == b"c=red"


class TestJson:
    @pytest.mark.parametrize("value", [{"a": [1, None, "\u00e9"]}, [], "", 0, False])
    def test_is_what_the_session_makes_of_it(self, value: object) -> None:
        """JSON is made by the session's function and sent as application/json."""
        body = body_of(json_value=value)
        assert body.data == json.dumps(value).encode()
        assert body.content_type == "application/json"

    def test_serializers_may_return_bytes(self) -> None:
        """Bytes from the session's function are sent as they are."""
        assert body_of(json_value=1, json_serialize=lambda _: b"[1]").data == b"[1]"

    def test_serializers_must_return_text(self) -> None:
        """Anything else from the session's function raises and names it."""
        with pytest.raises(
            TypeError, match=r"json_serialize must return str or bytes.*returned int"
        ):
            body_of(json_value=1, json_serialize=lambda _: 5)


PLAIN_VALUES = st.one_of(st.text(), st.integers(), st.floats(), st.booleans())


class TestForm:
    @given(st.lists(st.tuples(st.text(), st.one_of(PLAIN_VALUES, st.lists(PLAIN_VALUES)))))
    def test_is_encoded_as_aiohttp_does(self, fields: list[tuple[str, Any]]) -> None:
        """A form of plain values has the bytes of `aiohttp.FormData`."""
        form = FormData()
        try:
            form.add_fields(*fields)
        except ValueError:
            return  # aiohttp refuses control characters in names, which are encoded here
        theirs = form()
        ours = body_of(fields)
        assert ours.data == theirs.decode().encode()
        assert ours.content_type == theirs.content_type

    @given(st.lists(st.tuples(st.text(), st.text(min_size=1))))
    def test_reads_back(self, fields: list[tuple[str, str]]) -> None:
        """What a form holds is what a server reads from it."""
        content = body_of(fields).data
        assert content is not None
        assert parse_qsl(content.decode(), keep_blank_values=True) == fields

    @pytest.mark.parametrize(
        "data",
        [
            {"a": "1", "b": ["x y", 2]},
            [("a", "1"), ["b", "x y"], ("b", 2)],
            (("a", 1), ("b", ("x y", "2"))),
            MultiDict([("a", "1"), ("b", "x y"), ("b", "2")]),
            MultiDictProxy(MultiDict([("a", "1"), ("b", "x y"), ("b", "2")])),
            CIMultiDict([("a", "1"), ("b", "x y"), ("b", "2")]),
            [MultiDict(a="1"), ("b", "x y"), ("b", "2")],
        ],
    )
    def test_spellings(self, data: object) -> None:
        """S003-26: mappings, multidicts and pairs are forms; a list repeats its field."""
        assert body_of(data).data == b"a=1&b=x+y&b=2"

    def test_empty(self) -> None:
        """A form without fields is an empty one, not no body."""
        for data in ({}, [], ()):
            body = body_of(data)
            assert (body.data, body.size) == (b"", 0)
            assert body.content_type == "application/x-www-form-urlencoded"

    def test_values_with_a_text(self) -> None:
        """What has a text of its own is sent as that text; booleans as aiohttp and requests do."""
        body = body_of(
            {
                "day": datetime.date(2024, 1, 2),
                "price": decimal.Decimal("1.50"),
                "big": 1e20,
                "yes": True,
            }
        )
        assert body.data == b"day=2024-01-02&price=1.50&big=1e%2B20&yes=True"

    def test_encoding(self) -> None:
        """S003-45: `encoding` is used for forms and named in the media type."""
        body = body_of({"\u00e9": "\u00e9"}, encoding="latin-1")
        assert body.data == b"%E9=%E9"
        assert body.content_type == "application/x-www-form-urlencoded; charset=latin-1"

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (None, "is None"),
            (["x", None], "is None"),
            ({"b": 1}, "is a mapping"),
            ([["x"]], "not one value"),
            (iter("ab"), "not one value"),
            (object(), "no text of its own"),
        ],
    )
    def test_refuses_values_that_say_nothing(self, value: object, message: str) -> None:
        """None, mappings, nested lists and bare objects raise with the field's name."""
        with pytest.raises(TypeError, match=rf"the form field 'a' .*{message}"):
            body_of({"a": value})
        with pytest.raises(TypeError, match=rf"the form field 'a' .*{message}"):
            body_of({"file": b"", "a": value} if not isinstance(value, Iterator) else {"a": value})

    def test_names_are_text(self) -> None:
        """A name that is no text raises."""
        for data in ({1: "a"}, {b"a": "b"}, {"f": b"", 1: "a"}, {b"a": b"b"}):
            with pytest.raises(TypeError, match="a form field's name must be a str"):
                body_of(data)

    @pytest.mark.parametrize("data", [[b"a", b"b"], ["ab", "cd"], [("a",)], [1], [None]])
    def test_lists_hold_pairs(self, data: object) -> None:
        """A list that is no form says how to send chunks."""
        with pytest.raises(TypeError, match=r"\(name, value\) pairs.*iter\("):
            body_of(data)

    @pytest.mark.parametrize("data", [5, 1.5, True, object(), {"a", "b"}, Path("x"), print])
    def test_refuses_what_is_no_body(self, data: object) -> None:
        """What cannot be sent raises, and the message says what can."""
        with pytest.raises(TypeError, match="a request body is made of bytes"):
            body_of(data)


class TestMultipartForm:
    async def test_a_file_or_bytes_make_it_multipart(self, tmp_path: Path) -> None:
        """Files and bytes become parts with a name, a file name and a media type (RFC 7578)."""
        (tmp_path / "page.html").write_bytes(b"<p>")
        with open(tmp_path / "page.html", "rb") as file:
            body = body_of(
                {"page": file, "raw": b"\x00", "note": "\u00e9", "n": [1, 2], "t": io.StringIO("s")}
            )
            assert body.content_type is not None
            assert body.content_type.startswith("multipart/form-data; boundary=")
            parts = await parts_of(body)
            assert not file.closed
        shown = [
            (
                part.get_param("name", header="content-disposition"),
                part.get_filename(),
                part["Content-Type"],
                part.get_payload(decode=True),
            )
            for part in parts
        ]
        assert shown == [
            ("page", "page.html", "text/html", b"<p>"),
            ("raw", "raw", "application/octet-stream", b"\x00"),
            ("note", None, "text/plain; charset=utf-8", b"\xc3\xa9"),
            ("n", None, "text/plain; charset=utf-8", b"1"),
            ("n", None, "text/plain; charset=utf-8", b"2"),
            ("t", "t", "text/plain; charset=utf-8", b"s"),
        ]

    async def test_has_the_bytes_of_form_data(self) -> None:
        """A multipart form is what `aiohttp.FormData` makes of the same fields, boundary apart."""
        ours = body_of({"f": io.BytesIO(b"content"), "text": "value"})
        form = FormData()
        form.add_field("f", io.BytesIO(b"content"))
        form.add_field("text", "value")
        theirs = body_of(form)

        async def without_boundary(body: Body) -> bytes:
            assert body.content_type is not None
            return (await sent(body)).replace(body.content_type.split("=")[1].encode(), b"")

        assert await without_boundary(ours) == await without_boundary(theirs)

    async def test_is_replayable_when_its_parts_are(self) -> None:
        """Memory and seekable files make a form that can be sent again."""
        body = body_of({"f": io.BytesIO(b"content"), "b": b"more", "t": "text"})
        assert len(await sent_twice(body)) == body.size

    async def test_parts_of_unknown_size(self) -> None:
        """One part of unknown size makes the whole unknown; one that is spent makes it spent."""

        async def chunks() -> AsyncIterator[bytes]:
            yield b"a"
            yield b"b"

        body = body_of({"f": chunks(), "t": "text"})
        assert body.size is None
        parts = await parts_of(body)
        assert parts[0].get_payload(decode=True) == b"ab"
        await assert_only_once(body)

    async def test_text_and_compressed_files(self, tmp_path: Path) -> None:
        """A file whose size on disk is not that of what it gives is sent whole."""
        text = "\u00e9" * PIECE
        (tmp_path / "a.txt").write_text(text, encoding="latin-1")
        with gzip.open(tmp_path / "a.gz", "wb") as packed:
            packed.write(bytes(10_000))
        with (
            open(tmp_path / "a.txt", encoding="latin-1") as file,
            gzip.open(tmp_path / "a.gz", "rb") as unpacked,
        ):
            parts = await parts_of(body_of({"t": file, "z": unpacked}))
        assert parts[0].get_payload(decode=True) == text.encode()
        assert parts[1].get_payload(decode=True) == bytes(10_000)

    async def test_payloads_and_large_texts_as_values(self) -> None:
        """A payload is a part with its own media type; large texts and bytes do not warn."""
        body = body_of({"j": JsonPayload([1]), "t": "t" * 2**21, "b": bytes(2**21), "x": b""})
        parts = await parts_of(body)
        assert parts[0]["Content-Type"] == "application/json"
        assert [len(part.get_payload(decode=True)) for part in parts] == [3, 2**21, 2**21, 0]

    async def test_a_list_of_files(self, tmp_path: Path) -> None:
        """Files among the pairs go under their own names, a list of files repeats the field."""
        (tmp_path / "a.bin").write_bytes(b"1")
        with open(tmp_path / "a.bin", "rb") as file:
            parts = await parts_of(body_of([file, ("more", [b"2", io.BytesIO(b"3")])]))
        names = [part.get_param("name", header="content-disposition") for part in parts]
        assert names == ["a.bin", "more", "more"]
        assert [part.get_payload(decode=True) for part in parts] == [b"1", b"2", b"3"]


HOSTILE = "a\r\nX-Injected: 1\r\n\r\n"


def _field_name(form: FormData) -> None:
    form.add_field(HOSTILE, "v", filename="f")


def _file_name(form: FormData) -> None:
    form.add_field("a", "v", filename='f"' + HOSTILE)


def _content_type(form: FormData) -> None:
    form.add_field("a", "v", content_type="text/plain" + HOSTILE)


class TestInjection:
    """INJ-07: no name, file name or media type adds a field to a part, or a part to the body."""

    @pytest.mark.parametrize("quote_fields", [True, False])
    @pytest.mark.parametrize("add", [_field_name, _file_name, _content_type])
    def test_form_data(self, add: Callable[[FormData], None], quote_fields: bool) -> None:
        """`FormData` with a line break in a part's head is refused before anything is sent."""
        form = FormData(quote_fields=quote_fields)
        with pytest.raises(ValueError, match=r"(?i)control character"):
            add(form)
            body_of(form)

    @pytest.mark.parametrize("control", ["\r", "\n", "\0", "\r\n", "\x0b", "\x7f"])
    def test_part_headers(self, control: str) -> None:
        """Every control character in a field of a part is refused, however deep it is."""
        for name, value in [("X-A", f"b{control}c"), (f"X{control}A", "b"), ("X: y", "b")]:
            inner = MultipartWriter("mixed")
            # Encoded, so of unknown size: to learn a size aiohttp looks at the fields itself.
            part = inner.append("text", {"Content-Encoding": "gzip"})
            part.headers[name] = value
            outer = MultipartWriter("mixed")
            outer.append(inner)
            with pytest.raises(ValueError, match=r"control character|not a token"):
                body_of(outer)

    def test_unquoted_disposition(self) -> None:
        """A disposition set without quoting cannot break out of its line."""
        payload = StringPayload("v")
        payload.set_content_disposition("form-data", quote_fields=False, name="a", filename=HOSTILE)
        with pytest.raises(ValueError, match="control character"):
            body_of(payload)

    def test_names_of_a_dict(self) -> None:
        """A field's name with a line break is refused in a multipart form."""
        with pytest.raises(ValueError, match="control character"):
            body_of({HOSTILE: b"v"})

    async def test_file_names_from_the_disk(self, tmp_path: Path) -> None:
        """A file whose name holds quotes and line breaks stays within its parameter."""
        path = tmp_path / 'a"\r\nX-Injected: 1'
        path.write_bytes(b"v")
        with open(path, "rb") as file:
            (part,) = await parts_of(body_of({"f": file}))
        assert "X-Injected" not in part
        assert sorted(part) == ["Content-Disposition", "Content-Type"]

    @pytest.mark.parametrize(
        "name", ['q"uote', "back\\slash", "\u00e9\u4e2d", "a;b=c", "tab\there"]
    )
    async def test_odd_names_are_one_parameter(self, name: str) -> None:
        """Quotes, backslashes, separators and text outside ASCII in a name stay in it."""
        (part,) = await parts_of(body_of({name: b"v"}))
        assert sorted(part) == ["Content-Disposition", "Content-Type"]
        assert part.get_payload(decode=True) == b"v"

    @pytest.mark.parametrize(
        ("name", "written"),
        [
            ("", ""),
            ("a b", "a b"),
            ("cart[id]", "cart[id]"),
            ("a;b=c", "a;b=c"),
            ("\u00e9\u4e2d\U0001f600", "\u00e9\u4e2d\U0001f600"),
            ('a"b', 'a\\"b'),
            ("a\\", "a\\\\"),
            ("50%22", "50%22"),
        ],
    )
    async def test_names_as_browsers_write_them(self, name: str, written: str) -> None:
        """Names and file names are UTF-8 in quotes: servers know neither name*= nor percent-encoding (RFC 7578)."""
        expected = f'Content-Disposition: form-data; name="{written}"; filename="{written}"\r\n'
        assert expected.encode() in await sent(body_of({name: b"v"}))

    @pytest.mark.parametrize(
        ("path", "written"),
        [
            (b"my file \xc3\xa4.txt", "my file \u00e4.txt"),
            (b"\xff\xfe.txt", "%FF%FE.txt"),
            (b"a\x01\nb", "a%01%0Ab"),
        ],
    )
    @pytest.mark.parametrize("kind", [os.fsdecode, bytes], ids=["str", "bytes"])
    async def test_any_file_name(
        self, path: bytes, written: str, kind: Callable[[bytes], Any], tmp_path: Path
    ) -> None:
        """A file may be called anything, also what is not UTF-8, and be opened by a path of bytes."""
        place = os.path.join(os.fsencode(tmp_path), path)
        with open(place, "wb+") as file:
            file.write(b"v")
        with open(kind(place), "rb") as file:
            assert f'; filename="{written}"\r\n'.encode() in await sent(body_of({"f": file}))

    def test_boundaries_cannot_be_foretold(self) -> None:
        """MISC-01: boundaries do not come from `random`, and none comes twice."""
        seen = set()
        for _ in range(1000):
            random.seed(7)
            seen.add(body_of({"f": b""}).content_type)
        assert len(seen) == 1000

    async def test_content_with_an_earlier_boundary(self) -> None:
        """MISC-01: a part that holds an earlier boundary stays one part."""
        first = await sent(body_of({"f": b"v"}))
        (part,) = await parts_of(body_of({"f": first}))
        assert part.get_payload(decode=True) == first


class TestFiles:
    @pytest.mark.parametrize("size", [0, 1, PIECE, 2 * PIECE + 1])
    async def test_is_sent_from_where_it_stands(self, tmp_path: Path, size: int) -> None:
        """A file's body begins at its position, has that size, and begins there again."""
        content = random.Random(size).randbytes(size)
        (tmp_path / "f.png").write_bytes(b"skipped" + content)
        with open(tmp_path / "f.png", "rb") as file:
            file.seek(7)
            body = body_of(file)
            assert (body.size, body.content_type, body.data) == (size, "image/png", None)
            assert body.headers is None
            assert await sent_twice(body) == content
            await body.close()
            assert not file.closed

    @pytest.mark.parametrize("buffering", [0, -1])
    async def test_pieces(self, tmp_path: Path, buffering: int) -> None:
        """A file is read 256 KiB at a time, buffered or not."""
        (tmp_path / "f").write_bytes(bytes(2 * PIECE + 5))
        with open(tmp_path / "f", "rb", buffering=buffering) as file:
            sink = Sink()
            await body_of(file).write(sink)
        assert [len(chunk) for chunk in sink.chunks] == [PIECE, PIECE, 5]

    async def test_memory_files(self) -> None:
        """`BytesIO` is sent from its position, as application/octet-stream."""
        file = io.BytesIO(b"skipped" + bytes(PIECE + 1))
        file.seek(7)
        body = body_of(file)
        assert (body.size, body.content_type) == (PIECE + 1, "application/octet-stream")
        assert await sent_twice(body) == bytes(PIECE + 1)

    async def test_a_position_past_the_end(self, tmp_path: Path) -> None:
        """A file that stands past its end is an empty body."""
        file = io.BytesIO(b"ab")
        (tmp_path / "f").write_bytes(b"ab")
        with open(tmp_path / "f", "rb") as real:
            for one in (file, real):
                one.seek(9)
                body = body_of(one)
                assert body.size == 0
                assert await sent_twice(body) == b""

    @pytest.mark.parametrize("rolled", [True, False])
    async def test_spooled_files(self, rolled: bool) -> None:
        """A spooled file has its size, and is not moved to the disk to learn it."""
        with tempfile.SpooledTemporaryFile(max_size=3 if rolled else 100) as file:
            file.write(b"0123456789")
            file.seek(2)
            body = body_of(file)
            assert body.size == 8
            assert file.tell() == 2
            assert await sent_twice(body) == b"23456789"

    async def test_named_temporary_files(self) -> None:
        """A wrapper around a file is the file that it wraps."""
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            file.write(b"{}")
            file.seek(0)
            body = body_of(file)
            assert (body.size, body.content_type) == (2, "application/json")
            assert await sent_twice(body) == b"{}"

    @pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
    async def test_text_files(self, tmp_path: Path, encoding: str) -> None:
        """A text file is sent whole in UTF-8, whatever it is kept in; its size is unknown."""
        text = "\u00e9\n" * PIECE
        (tmp_path / "f.txt").write_text("x" + text, encoding=encoding)
        with open(tmp_path / "f.txt", encoding=encoding) as file:
            file.read(1)
            body = body_of(file)
            assert (body.size, body.content_type) == (None, "text/plain; charset=utf-8")
            assert await sent_twice(body) == text.encode()

    @pytest.mark.parametrize("encoding", ["utf-16", "iso2022_jp"])
    async def test_text_files_in_another_encoding(self, tmp_path: Path, encoding: str) -> None:
        """S003-45: `encoding` is used for text files: one byte order mark, and a proper end."""
        text = "\u65e5" * (PIECE + 1)
        (tmp_path / "f").write_text(text, encoding="utf-8")
        with open(tmp_path / "f", encoding="utf-8") as file:
            assert await sent(body_of(file, encoding=encoding)) == text.encode(encoding)

    async def test_decompressing_readers(self, tmp_path: Path) -> None:
        """A reader that decompresses is sent whole: its file's size on the disk is not its own."""
        content = bytes(100_000)
        with gzip.open(tmp_path / "f.gz", "wb") as packed:
            packed.write(content)
        with gzip.open(tmp_path / "f.gz", "rb") as file:
            body = body_of(file)
            assert body.size is None
            assert await sent_twice(body) == content

    async def test_pipes(self) -> None:
        """A pipe has no size and can be sent once."""
        reading, writing = os.pipe()
        os.write(writing, b"through the pipe")
        os.close(writing)
        with open(reading, "rb") as file:
            body = body_of(file)
            assert (body.size, body.replayable) == (None, False)
            body.rewind()
            assert await sent(body) == b"through the pipe"
            await assert_only_once(body)

    async def test_objects_that_read(self) -> None:
        """Anything with a `read` method is a file; without a position it can be sent once."""

        class Reader:
            def __init__(self) -> None:
                self.left = [b"ab", bytearray(b"c"), b""]

            def read(self, size: int) -> bytes | bytearray:
                return self.left.pop(0)

        body = body_of(Reader())
        assert (body.size, body.content_type) == (None, "application/octet-stream")
        assert await sent(body) == b"abc"
        await assert_only_once(body)

    async def test_what_a_reader_returns_is_checked(self) -> None:
        """A reader that has nothing to say (a pipe that does not block) is no end of file."""

        class Silent:
            def read(self, size: int) -> None:
                return None

        with pytest.raises(TypeError, match=r"read\(\) returned NoneType"):
            await sent(body_of(Silent()))

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux has such files")
    @pytest.mark.parametrize(
        "path",
        ["/proc/self/cmdline", "/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled"],
    )
    @pytest.mark.parametrize("buffering", [-1, 0])
    async def test_files_whose_size_is_wrong(self, path: str, buffering: int) -> None:
        """A file that is made while it is read has 0 bytes or a page for the system: its size is not known."""
        if not os.path.exists(path):
            pytest.skip(f"no {path} here")
        content = Path(path).read_bytes()
        assert content
        with open(path, "rb", buffering=buffering) as file:
            body = body_of(file)
            assert body.size is None
            assert await sent_twice(body) == content
            file.seek(0)
            assert content in await sent(body_of({"f": file}))

    async def test_files_without_blocks(self, tmp_path: Path) -> None:
        """An empty file, one with a hole for its content and one that stands behind its end have the size they say."""
        path = tmp_path / "file"
        path.touch()
        os.truncate(path, 100_000)
        with open(path, "rb") as file:
            assert body_of(file).size == 100_000
            file.seek(200_000)
            assert body_of(file).size == 0
        os.truncate(path, 0)
        with open(path, "rb") as file:
            assert body_of(file).size == 0

    async def test_a_file_that_grows_is_cut(self, tmp_path: Path) -> None:
        """INJ-08: a file never gives more bytes than the size that was announced."""
        path = tmp_path / "f"
        path.write_bytes(b"12345")
        with open(path, "rb") as file:
            body = body_of(file)
            path.write_bytes(b"1234567")
            assert await sent(body) == b"12345"
        memory = io.BytesIO(b"12345")
        body = body_of(memory)
        memory.seek(0, 2)
        memory.write(b"67")
        assert await sent(body) == b"12345"

    async def test_a_file_that_shrinks_is_an_error(self, tmp_path: Path) -> None:
        """INJ-08: a file with fewer bytes than announced ends in an error that says how many."""
        path = tmp_path / "f"
        path.write_bytes(b"12345")
        with open(path, "rb") as file:
            body = body_of(file)
            path.write_bytes(b"123")
            with pytest.raises(BodySizeError, match="ended 2 bytes before the 5 announced"):
                await sent(body)

    async def test_replays_after_a_broken_connection(self, tmp_path: Path) -> None:
        """A file that was sent in part is sent again from its beginning."""
        content = random.Random(3).randbytes(3 * PIECE)
        (tmp_path / "f").write_bytes(content)
        with open(tmp_path / "f", "rb") as file:
            body = body_of(file)
            with pytest.raises(ConnectionResetError):
                await body.write(BrokenAfter(1))
            body.rewind()
            assert await sent(body) == content

    async def test_two_requests_cannot_share_a_position(self) -> None:
        """A file that is being sent refuses to be sent by another request at the same time."""
        body = body_of(io.BytesIO(bytes(4 * PIECE)))
        first = asyncio.create_task(sent(body))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="being sent by another request"):
            await body.write(Sink())
        assert await first == bytes(4 * PIECE)

    def test_files_that_cannot_be_read(self, tmp_path: Path) -> None:
        """A closed file, and one opened for writing, raise before anything is sent."""
        with open(tmp_path / "f", "wb") as file, pytest.raises(ValueError, match="for reading"):
            body_of(file)
        with open(tmp_path / "f", "rb") as closed:
            pass
        with pytest.raises(ValueError, match="closed file"):
            body_of(closed)

    async def test_character_devices(self) -> None:
        """The size that the system gives a device means nothing."""
        with open("/dev/null", "rb") as file:
            assert body_of(file).size is None


class Again:
    """An object that can be iterated any number of times, in both ways."""

    def __init__(self, *chunks: Any) -> None:
        self.chunks = chunks

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[Any]:
        for chunk in self.chunks:
            yield chunk


class AgainSync:
    def __init__(self, *chunks: Any) -> None:
        self.chunks = chunks

    def __iter__(self) -> Iterator[Any]:
        return iter(self.chunks)


def generator(*chunks: Any) -> Iterator[Any]:
    yield from chunks


async def agenerator(*chunks: Any) -> AsyncIterator[Any]:
    for chunk in chunks:
        yield chunk


class TestIterables:
    @pytest.mark.parametrize("make", [generator, agenerator])
    async def test_a_generator_is_sent_once(self, make: Callable[..., Any]) -> None:
        """RED-09: a generator's chunks go out as they come, once; then an error, not nothing."""
        body = body_of(make(b"a", b"", bytearray(b"b"), memoryview(b"c")))
        assert (body.size, body.content_type) == (None, "application/octet-stream")
        body.rewind()
        sink = Sink()
        await body.write(sink)
        assert sink.chunks == [b"a", b"b", b"c"]
        await assert_only_once(body)

    @pytest.mark.parametrize("make", [generator, agenerator])
    async def test_a_broken_connection_spends_a_generator(self, make: Callable[..., Any]) -> None:
        """RED-09: what was sent in part cannot be sent again either."""
        body = body_of(make(b"a", b"b"))
        with pytest.raises(ConnectionResetError):
            await body.write(BrokenAfter(0))
        await assert_only_once(body)

    @pytest.mark.parametrize("make", [Again, AgainSync])
    async def test_objects_that_begin_anew(self, make: Callable[..., Any]) -> None:
        """What makes a new iterator each time can be sent again, after a broken connection too."""
        body = body_of(make(b"a", b"b"))
        with pytest.raises(ConnectionResetError):
            await body.write(BrokenAfter(1))
        assert await sent_twice(body) == b"ab"

    async def test_objects_that_return_the_same_iterator(self) -> None:
        """RED-09: an object that hands out one generator again and again can be sent once."""

        class Same:
            def __init__(self, chunks: Any) -> None:
                self.chunks = chunks

            def __aiter__(self) -> Any:
                return self.chunks

        class SameSync(Same):
            __aiter__ = None  # type: ignore[assignment]

            def __iter__(self) -> Any:
                return self.chunks

        for data in (Same(agenerator(b"a")), SameSync(generator(b"a"))):
            body = body_of(data)
            assert await sent(body) == b"a"
            body.rewind()
            with pytest.raises(BodyConsumedError):
                await sent(body)

    async def test_objects_that_only_seem_to_begin_anew(self) -> None:
        """RED-09: a replay that gives fewer bytes than were sent before is an error."""

        class Shared:
            def __init__(self) -> None:
                self.chunks = [b"a", b"b"]

            async def __aiter__(self) -> AsyncIterator[bytes]:
                while self.chunks:
                    yield self.chunks.pop(0)

        body = body_of(Shared())
        assert await sent(body) == b"ab"
        body.rewind()
        with pytest.raises(BodySizeError, match="gave 0 bytes when it was iterated again, after 2"):
            await sent(body)

    @pytest.mark.parametrize("make", [generator, agenerator])
    @pytest.mark.parametrize("chunk", ["text", 5, None, ("a", "b")])
    async def test_chunks_are_bytes(self, make: Callable[..., Any], chunk: object) -> None:
        """A chunk that is not bytes raises and names its type."""
        with pytest.raises(TypeError, match=f"must give bytes, found {type(chunk).__name__}"):
            await sent(body_of(make(chunk)))

    async def test_an_abandoned_generator_is_closed(self) -> None:
        """When the connection breaks, an async generator's `finally` runs before the error."""
        ended = []

        async def chunks() -> AsyncIterator[bytes]:
            try:
                yield b"a"
                yield b"b"
            finally:
                await asyncio.sleep(0)
                ended.append(True)

        with pytest.raises(ConnectionResetError):
            await body_of(chunks()).write(BrokenAfter(1))
        assert ended == [True]

    async def test_a_source_may_fill_its_buffer_again(self) -> None:
        """A chunk handed to the connection does not change when its source goes on."""

        def chunks() -> Iterator[bytearray]:
            buffer = bytearray(1)
            for number in range(3):
                buffer[0] = number
                yield buffer

        assert await sent(body_of(chunks())) == b"\x00\x01\x02"

    async def test_streams(self) -> None:
        """A stream is sent as it comes, not line by line."""
        loop = asyncio.get_running_loop()
        protocol = aiohttp.base_protocol.BaseProtocol(loop)
        theirs = aiohttp.StreamReader(protocol, 2**16, loop=loop)
        ours = StreamReader(None, loop=loop)
        for stream in (theirs, ours):
            stream.feed_data(b"a\nb\nc")
            stream.feed_eof()
            body = body_of(stream)
            sink = Sink()
            await body.write(sink)
            assert sink.chunks == [b"a\nb\nc"]
            await assert_only_once(body)


class TestPayloads:
    async def test_form_data(self) -> None:
        """`FormData` without files is a form, with one a multipart body; both can be sent again."""
        form = FormData({"a": "x y"})
        body = body_of(form)
        assert (body.size, body.content_type) == (5, "application/x-www-form-urlencoded")
        assert await sent_twice(body) == b"a=x+y"
        form.add_field("f", io.BytesIO(b"v"), filename="f.txt", content_type="text/plain")
        content = await sent_twice(body_of(form))
        assert b'filename="f.txt"' in content
        assert await sent(body_of(form)) == content

    async def test_form_data_with_a_file(self, tmp_path: Path) -> None:
        """The file in a form is the caller's: it stays open."""
        (tmp_path / "f").write_bytes(b"content")
        with open(tmp_path / "f", "rb") as file:
            form = FormData()
            form.add_field("f", file)
            body = body_of(form)
            assert body.size == len(await sent_twice(body))
            await body.close()
            assert not file.closed

    async def test_form_data_with_a_text_file(self, tmp_path: Path) -> None:
        """A text file in a form is no wrong promise of a size."""
        (tmp_path / "f").write_text("\u00e9", encoding="latin-1")
        with open(tmp_path / "f", encoding="latin-1") as file:
            form = FormData()
            form.add_field("f", file)
            body = body_of(form)
            assert body.size is None
            (part,) = await parts_of(body)
        assert part.get_payload(decode=True) == b"\xc3\xa9"

    async def test_multipart_writer(self) -> None:
        """A writer goes out as aiohttp writes it: nested, encoded, with the fields of its parts."""
        inner = MultipartWriter("mixed")
        inner.append("text", {"X-Field": "value"})
        writer = MultipartWriter("related", boundary="xyz")
        writer.append(inner)
        writer.append_json({"a": 1})
        writer.append(b"content", {"Content-Transfer-Encoding": "base64"})
        body = body_of(writer)
        assert body.content_type == "multipart/related; boundary=xyz"
        parts = await parts_of(body)
        assert [part.get_content_type() for part in parts] == [
            "multipart/mixed",
            "application/json",
            "application/octet-stream",
        ]
        assert parts[2].get_payload(decode=True) == b"content"
        assert body.replayable

    async def test_an_unseekable_part_spends_the_whole(self) -> None:
        """RED-09: a form with a pipe in it can be sent once, and not be given to a second call."""
        reading, writing = os.pipe()
        os.write(writing, b"v")
        os.close(writing)
        with open(reading, "rb") as file:
            form = FormData()
            form.add_field("f", file, filename="f")
            body = body_of(form)
            assert body.size is None
            assert b"\r\n\r\nv\r\n" in await sent(body)
            await assert_only_once(body)
            with pytest.raises(BodyConsumedError, match="MultipartWriter was sent or closed"):
                body_of(form)

    async def test_a_spent_payload(self) -> None:
        """RED-09: a payload that was sent elsewhere is refused when it is given, not sent empty."""
        payload = AsyncIterablePayload(agenerator(b"a"))
        assert await sent(body_of(payload)) == b"a"
        with pytest.raises(BodyConsumedError):
            body_of(payload)

    async def test_fields_of_a_payload(self) -> None:
        """A payload's own fields go with it, but not those that frame a message."""
        payload = BytesPayload(
            b"v",
            content_type="image/png",
            headers={"Content-Language": "de", "Content-Length": "99", "Transfer-Encoding": "x"},
        )
        body = body_of(payload)
        assert (body.size, body.content_type) == (1, "image/png")
        assert body.headers == CIMultiDict({"Content-Language": "de"})

    async def test_own_payloads(self) -> None:
        """A payload of the user's own gets a writer with all that aiohttp's writers promise."""
        closed = []

        class Own(Payload):
            def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
                raise TypeError

            async def write(self, writer: AbstractStreamWriter) -> None:
                assert isinstance(writer, AbstractStreamWriter)
                assert writer.transport is None
                await writer.write(b"")
                await writer.write(bytearray(b"a"))
                await writer.drain()
                assert writer.output_size == 1
                for change in (writer.enable_chunking, writer.enable_compression):
                    with pytest.raises(RuntimeError, match="head is sent"):
                        change()
                with pytest.raises(RuntimeError, match="head is sent"):
                    await writer.write_headers("", CIMultiDict())
                await writer.write_eof(b"b")

            async def close(self) -> None:
                closed.append(self)

        payload = Own("x", content_type="text/x")
        body = body_of(payload)
        assert (body.size, body.content_type) == (None, "text/x")
        assert await sent(body) == b"ab"
        await assert_only_once(body)
        await body.close()
        assert closed == [payload]

    @pytest.mark.parametrize(
        ("promise", "found"), [(3, "2 bytes of the 3"), (1, "2 bytes or more")]
    )
    async def test_payloads_that_misjudge_their_size(self, promise: int, found: str) -> None:
        """INJ-08: a payload with more or fewer bytes than it announced ends in an error."""

        class Wrong(BytesPayload):
            @property
            def size(self) -> int:
                return promise

            async def write_with_length(
                self, writer: AbstractStreamWriter, content_length: int | None
            ) -> None:
                await writer.write(b"ab")

        sink = Sink()
        with pytest.raises(BodySizeError, match=found):
            await body_of(Wrong(b"")).write(sink)
        assert len(b"".join(sink.chunks)) <= promise

    async def test_registered_types(self) -> None:
        """A type registered with `aiohttp.payload` is sent as its payload, file-like or not."""

        @dataclasses.dataclass
        class Point:
            x: int

            def read(self) -> None:
                raise AssertionError("not a file")

        class PointPayload(StringPayload):
            def __init__(self, value: Point, *args: Any, **kwargs: Any) -> None:
                super().__init__(f"<{value.x}>", *args, content_type="text/x-point", **kwargs)

        register_payload(PointPayload, Point)
        body = body_of(Point(5))
        assert (body.size, body.content_type) == (3, "text/x-point")
        assert await sent_twice(body) == b"<5>"

    def test_registered_mappings(self) -> None:
        """A registered mapping is no form, `dict` included (backends do that to answer)."""
        script = (
            "from collections.abc import Mapping\n"
            "from aiohttp.payload import JsonPayload, register_payload\n"
            "from aioclient.body import make_body\n"
            "assert make_body({}, None, json_serialize=str).content_type.endswith('urlencoded')\n"
            "register_payload(JsonPayload, (Mapping,))\n"
            "print(make_body({'a': 1}, None, json_serialize=str).content_type)\n"
        )
        # In a process of its own: aiohttp's registry forgets nothing.
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert done.stdout == "application/json\n"

    def test_bodies_as_data(self) -> None:
        """A body is its own body."""
        body = body_of(b"x")
        assert body_of(body) is body


def test_repr_tells_the_state_and_no_content() -> None:
    """What a body shows of itself is its kind, media type and size."""
    assert repr(body_of("secret")) == "<BytesBody text/plain; charset=utf-8, 6 bytes>"
    assert repr(body_of(generator())) == ("<IterableBody application/octet-stream, unknown size>")


class HeldFile(io.RawIOBase):
    """A file whose reads wait for `go`, in their thread."""

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)
        self.reading = threading.Event()
        self.go = threading.Event()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        return self.file.seek(position, whence)

    def tell(self) -> int:
        return self.file.tell()

    def read(self, size: int = -1) -> bytes:
        self.reading.set()
        self.go.wait()
        return self.file.read(size)


async def test_a_read_that_outlives_its_send() -> None:
    """A send that follows a given-up one waits for its last read, which would move the position."""
    data = random.Random(1).randbytes(3 * PIECE)
    file = HeldFile(data)
    body = make_body(file, None, json_serialize=json.dumps)
    assert body is not None
    first = asyncio.create_task(body.write(Sink()))
    await asyncio.to_thread(file.reading.wait)
    first.cancel()
    body.rewind()
    sink = Sink()
    second = asyncio.create_task(body.write(sink))
    await asyncio.sleep(0)
    file.go.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    await second
    assert b"".join(sink.chunks) == data
