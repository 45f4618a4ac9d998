"""JSON bodies: the standard library's results, and values of the types asked for."""

import dataclasses
import enum
import json
import pickle
import subprocess
import sys
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import aioclient
from aioclient import (
    ClientPayloadError,
    ClientSession,
    MissingExtraError,
    UndecodableJSONError,
    UnexpectedJSONError,
)
from aioclient.response.json_body import decode_json

from ..loopback import answer
from ..servers.either import RawServer

pytestmark = [pytest.mark.both_protocols, pytest.mark.rows("S003-92")]


class Struct(msgspec.Struct):
    id: int
    name: str = "?"


@dataclasses.dataclass
class Page:
    items: list[Struct]
    by_name: dict[str, Struct] = dataclasses.field(default_factory=dict)


class Typed(TypedDict):
    id: int


class Colour(enum.Enum):
    RED = "red"


async def json_of(body: bytes, media_type: str = "application/json", **arguments: Any) -> Any:
    """Return what json() makes of a body."""
    reply = answer(body, f"Content-Type: {media_type}")
    async with RawServer.replies([reply]) as server, ClientSession() as session:
        response = await session.get(server.url("/p?token=geheim"))
        return await response.json(**arguments)


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b'\xef\xbb\xbf{"id": 1}', "application/json"),
        (b'\xef\xbb\xbf{"id": 1}', "application/json; charset=utf-8"),
        (b'\xef\xbb\xbf{"id": 1}', "application/json; charset=Utf_8"),
        ('\ufeff{"id": 1}'.encode("utf-16-le"), "application/json; charset=utf-16-le"),
    ],
)
@pytest.mark.parametrize(
    "arguments",
    [{}, {"type": Struct}, {"loads": json.loads}, {"type": dict[str, int]}],
    ids=["plain", "struct", "loads", "generic"],
)
async def test_byte_order_mark(body: bytes, media_type: str, arguments: dict[str, Any]) -> None:
    """A byte order mark before JSON is ignored, as RFC 8259, section 8.1, allows."""
    value = await json_of(body, media_type, **arguments)
    assert value == (Struct(1) if arguments.get("type") is Struct else {"id": 1})


def standard(body: bytes) -> object:
    """Return what the standard library makes of a body, or raises."""
    try:
        return repr(json.loads(body.decode().removeprefix("\ufeff")))
    except RecursionError:
        return json.JSONDecodeError
    except ValueError as error:
        return type(error), str(error)


def ours(body: bytes) -> object:
    """Return the same of ours."""
    try:
        return repr(decode_json(body, "utf-8"))
    except ValueError as error:
        kind = type(error)
        if "too deeply" in str(error):
            return kind
        if "integer string conversion" in str(error):
            return ValueError, error.msg if isinstance(error, json.JSONDecodeError) else None
        return kind, str(error)


PECULIAR = (
    b"18446744073709551616 -9223372036854775809 123456789012345678901234567890 1e400 -1e400 -0 -0.0 NaN "
    rb'-Infinity "\ud800" "\ud83d\ude00" {"a":1,"a":2} [1,] 01 1. .5 1E5 5e-324 1e-400 9007199254740993.0 '
    b'{1:2} {"":1} "\x01" "\x7f" "\xff" \xef\xbb\xbf1 \xc2\xa01 \x0c1 2.2250738585072011e-308 [1]x'
).split(b" ")


class TestPlain:
    @pytest.mark.parametrize(
        "body",
        [
            *PECULIAR,
            b"1" + b"0" * 5000,
            pytest.param(b"[" * 100_000 + b"]" * 100_000, id="DEC-10-deep"),
            pytest.param(b'{"a":' * 100_000, id="DEC-10-deep-and-cut"),
        ],
    )
    def test_peculiar(self, body: bytes) -> None:
        """Numbers of any size, NaN, lone surrogates, duplicate keys, junk, depth: all as json.loads has it."""
        assert ours(body) == standard(body)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=20,
        ),
        st.booleans(),
        st.integers(0, 200),
        st.binary(max_size=2),
    )
    @example([1], False, 0, b"")
    def test_same_as_the_standard_library(
        self, value: object, is_ascii: bool, place: int, junk: bytes
    ) -> None:
        """Whatever was encoded, and then spoilt, gives the standard library's value or its error."""
        body = json.dumps(value, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
        body = body[:place] + junk + body[place:]
        assert ours(body) == standard(body)

    async def test_deep_nesting_is_a_decode_error(self) -> None:
        """DEC-10: nesting beyond Python's recursion limit is a JSONDecodeError, not a RecursionError."""
        with pytest.raises(json.JSONDecodeError, match="Nested too deeply"):
            await json_of(b"[" * 100_000)

    @pytest.mark.parametrize("charset", ["utf-8", "UTF8", "utf_8", "utf-16", "latin1"])
    async def test_charset(self, charset: str) -> None:
        """The charset is the header's, or encoding=, in whatever spelling."""
        body = '{"ä": "ö"}'.encode(charset)
        assert await json_of(body, f"application/json; charset={charset}") == {"ä": "ö"}
        assert await json_of(body, encoding=charset) == {"ä": "ö"}

    def test_without_msgspec(self) -> None:
        """Without msgspec everything works but types, whose error names the command to run."""
        program = """
import sys
sys.modules["msgspec"] = None
import aioclient
from aioclient.response.json_body import decode_json, typed_decoder
assert decode_json(b'{"a": [1, NaN]}', "utf-8")["a"][0] == 1
try:
    typed_decoder(int)
except aioclient.MissingExtraError as error:
    print(error)
"""
        output = subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True
        ).stdout
        assert "pip install 'aioclient[json]'" in output
        assert issubclass(MissingExtraError, ImportError)


class TestTyped:
    @pytest.mark.parametrize(
        ("wanted", "body", "value"),
        [
            (Struct, b'{"id": 1}', Struct(1)),
            (Page, b'{"items": [{"id": 1, "name": "x"}]}', Page([Struct(1, "x")])),
            (Typed, b'{"id": 1}', {"id": 1}),
            (list[int], b"[1, 2]", [1, 2]),
            (dict[int, str], b'{"1": "x"}', {1: "x"}),
            (tuple[int, str], b'[1, "x"]', (1, "x")),
            (int | None, b"null", None),
            (int | None, b"1", 1),
            (Annotated[int, msgspec.Meta(ge=1)], b"1", 1),
            (Annotated[list[int], []], b"[1]", [1]),
            (Colour, b'"red"', Colour.RED),
            (datetime, b'"2030-01-02T03:04:05Z"', datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
            (None, b"null", None),
            (None, b" ", None),
            (int | None, b"", None),
            (list[str], rb'["\ud800"]', ["\ud800"]),
            (float, b"Infinity", float("inf")),
        ],
    )
    async def test_decoded(self, wanted: Any, body: bytes, value: object) -> None:
        """A body of the type asked for is a value of that type."""
        found = await json_of(body, type=wanted)
        assert found == value
        assert type(found) is type(value)

    async def test_charset(self) -> None:
        """A body in another charset is decoded into types as well."""
        found = await json_of(
            '[{"id": 1, "name": "ö"}]'.encode("latin1"),
            "application/json; charset=latin1",
            type=list[Struct],
        )
        assert found == [Struct(1, "ö")]

    async def test_content_type(self) -> None:
        """The media type is checked as without a type."""
        with pytest.raises(aioclient.ContentTypeError):
            await json_of(b"1", "text/plain", type=int)
        assert await json_of(b"1", "text/plain", type=int, content_type=None) == 1

    @pytest.mark.parametrize(
        ("wanted", "body", "path", "expected", "found", "reason", "snippet"),
        [
            (
                Page,
                b'{"items": [{"id": 1}, {"id": 2}, {"id": 3}, {"id": "x"}]}',
                "$.items[3].id",
                "int",
                "str",
                "Expected `int`, got `str`",
                '"x"',
            ),
            (
                Page,
                b'{"items": [{"name": "x"}]}',
                "$.items[0]",
                "",
                "object",
                "Object missing required field `id`",
                '{"name": "x"}',
            ),
            (
                Page,
                b'{"items": [], "by_name": {"a": {"id": 1}, "b": {"id": null}}}',
                "$.by_name.b.id",
                "int",
                "null",
                "Expected `int`, got `null`",
                "null",
            ),
            (
                dict[str, dict[str, int]],
                b'{"a": {"x y": 1}, "b": {"x y": 1, "z": "2"}}',
                "$.b.z",
                "int",
                "str",
                "Expected `int`, got `str`",
                '"2"',
            ),
            (
                dict[str, int],
                b'{"x y": true}',
                '$["x y"]',
                "int",
                "bool",
                "Expected `int`, got `bool`",
                "true",
            ),
            (
                dict[int, int],
                b'{"x": 1}',
                "$",
                "int",
                "str",
                "a key of the object: Expected `int`, got `str`",
                '{"x": 1}',
            ),
            (
                Typed,
                b"[[1], {}, {}, {}, {}, {}]",
                "$",
                "object",
                "array",
                None,
                "[[…], {}, {}, {}, {}, …]",
            ),
            (
                tuple[int, int],
                b"[1]",
                "$",
                "array of length 2",
                "array",
                "Expected `array` of length 2",
                "[1]",
            ),
            (Annotated[int, msgspec.Meta(ge=3)], b"1", "$", "int >= 3", "int", None, "1"),
            (Colour, b'"blue"', "$", "", "str", "Invalid enum value 'blue'", '"blue"'),
            (Literal[1, 2], b"3", "$", "", "int", None, "3"),
            (str, b'{"a": {"b": 1}, "c": []}', "$", "str", "object", None, '{"a": {…}, "c": []}'),
            (int, b'"%b"' % (b"x" * 100), "$", "int", "str", None, '"%s"…' % ("x" * 60)),
            (int, b"", "$", "int", "an empty body", None, ""),
            (int, b"NaN", "$", "int", "float", None, "NaN"),
        ],
    )
    async def test_unexpected(
        self,
        wanted: Any,
        body: bytes,
        path: str,
        expected: str,
        found: str,
        reason: str | None,
        snippet: str,
    ) -> None:
        """The error says the place, what should be there and what is, and shows the beginning of that."""
        with pytest.raises(UnexpectedJSONError) as caught:
            await json_of(body, type=wanted)
        error = caught.value
        assert (error.path, error.expected, error.found) == (path, expected, found)
        assert error.snippet == snippet
        if reason is not None:
            assert error.reason == reason
        assert isinstance(error, ClientPayloadError)
        assert isinstance(error, ValueError)
        assert isinstance(error.__cause__, msgspec.ValidationError)
        assert error.request_info.method == "GET"
        there = f"; there is {snippet}" if snippet else ""
        assert f"/p?token=***: JSON at {path}: {error.reason}{there}" in str(error)
        copy = pickle.loads(pickle.dumps(error))
        assert str(copy) == str(error)
        assert copy.found == found

    @pytest.mark.parametrize(
        ("wanted", "body"),
        [
            (dict[str, int], b'{"access_token": "geheim"}'),
            (dict[str, Colour], b'{"accessToken": "geheim"}'),
            (int, b'{"user": 1, "password": "geheim"}'),
            (int, b'{"x-api-key": {"a": "geheim"}}'),
            (int, b'{"nested": {"password": "geheim"}}'),
        ],
    )
    async def test_secrets(self, wanted: Any, body: bytes) -> None:
        """Values whose names say that they are secrets are not shown."""
        with pytest.raises(UnexpectedJSONError) as caught:
            await json_of(body, type=wanted)
        assert "geheim" not in str(caught.value) + repr(caught.value) + caught.value.snippet
        assert "JSON at $" in str(caught.value)

    @pytest.mark.parametrize("body", [b"[1", b"[1,]", b"{", b"x", b"[" * 100_000])
    async def test_what_is_no_json(self, body: bytes) -> None:
        """What is no JSON at all raises as without a type."""
        for wanted in (int, list[int], Typed):
            with pytest.raises(json.JSONDecodeError):
                await json_of(body, type=wanted)

    @pytest.mark.parametrize(
        "arguments",
        [{}, {"type": str}, {"loads": partial(json.loads, strict=True)}],
        ids=["plain", "type", "loads"],
    )
    @pytest.mark.parametrize(
        ("media_type", "body", "doc", "pos"),
        [
            ("application/json", '"\u00e9'.encode() + b'\xff"', '"\u00e9\ufffd"', 2),
            ("application/json; charset=windows-1253", b'"\xd2"', '"\ufffd"', 1),
        ],
        ids=["utf-8", "windows-1253"],
    )
    async def test_a_body_that_is_not_in_its_charset(
        self, arguments: Any, media_type: str, body: bytes, doc: str, pos: int
    ) -> None:
        """The error is one for both, what cannot be parsed and what cannot be decoded, and it names the URL."""
        with pytest.raises(UndecodableJSONError) as caught:
            await json_of(body, media_type, **arguments)
        error = caught.value
        assert isinstance(error, json.JSONDecodeError)
        assert isinstance(error, UnicodeDecodeError)
        assert (error.doc, error.pos, error.object) == (doc, pos, body)
        assert body[error.start : error.end] in (b"\xff", b"\xd2")
        message = str(error)
        assert "/p?token=***: the body of this 200 response" in message
        assert "codec can't decode byte" in message
        assert "geheim" not in message
        copied = pickle.loads(pickle.dumps(error))
        assert (str(copied), copied.object, copied.pos) == (message, body, pos)

    @pytest.mark.parametrize("wanted", [3, "int", list[int] | list[str], len])
    async def test_what_is_no_type(self, wanted: Any) -> None:
        """What JSON cannot be decoded into is refused before the body is read."""
        async with RawServer.replies([answer(b"1")]) as server, ClientSession() as session:
            response = await session.get(server.url())
            with pytest.raises(TypeError):
                await response.json(type=wanted)
            assert await response.read() == b"1"

    async def test_type_and_loads(self) -> None:
        """type= and loads= contradict each other."""
        with pytest.raises(ValueError, match="type= or loads="):
            await json_of(b"1", type=int, loads=lambda text: text)
