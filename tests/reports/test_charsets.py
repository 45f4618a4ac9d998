"""Charsets, text and JSON."""

import pytest

import aioclient
from aioclient import ClientSession

from ..loopback import answer
from ..servers.either import RawServer

pytestmark = [pytest.mark.both_protocols, pytest.mark.both_loops]
reports = pytest.mark.reports


async def text_of(content_type: bytes, body: bytes) -> str:
    """Return the text of a response."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: %b\r\n\r\n"
    async with (
        RawServer.replies([head % (len(body), content_type) + body]) as server,
        ClientSession() as session,
        session.get(server.url()) as response,
    ):
        return await response.text()


@reports("aio-libs/aiohttp#2120")
async def test_two_charsets_in_one() -> None:
    """A charset given twice, with a comma between, raised LookupError."""
    assert await text_of(b"text/xml; charset=utf-8,charset=utf-8", "ü".encode()) == "ü"


@reports("aio-libs/aiohttp#9160")
async def test_a_charset_of_broken_bytes() -> None:
    """A charset of bytes that are no ASCII raised UnicodeEncodeError."""
    assert await text_of(b"text/html; charset=\x81gUTF-8\x81\x7e", "ü".encode()) == "ü"


@reports("aio-libs/aiohttp#3562")
@pytest.mark.parametrize(
    "charset", [b"test", b"base64", b"rot13", b"idna", b"undefined", b'""', b""]
)
async def test_an_unknown_charset(charset: bytes) -> None:
    """An unknown charset, or one that Python knows as something else, raised LookupError."""
    assert await text_of(b"text/plain; charset=" + charset, "ü".encode()) == "ü"


@reports("aio-libs/aiohttp#2732", "aio-libs/aiohttp#3936")
@pytest.mark.parametrize(
    "body",
    [
        b"\x43\x68\xe6\x20\x51\x75\xaf\x63\x20\x6e\x67\xe6\x20\x6c\xe0",
        bytes(range(256)),
        b"\xff",
        "caf\u00e9 na\u00efve r\u00e9sum\u00e9 ".encode("cp1254") * 20 + b"\x8d\x8e\x9d",
    ],
)
async def test_detection_never_raises(body: bytes) -> None:
    """The detected charset was one that Python does not know, or that did not fit the body: text() raised."""
    assert isinstance(await text_of(b"text/plain", body), str)


@reports("aio-libs/aiohttp#3250")
async def test_json_of_another_type() -> None:
    """JSON sent as text/plain could not be had without knowing why."""
    reply = answer(b'{"a": 1}', "Content-Type: text/plain; charset=iso-8859-1")
    async with (
        RawServer.replies([reply]) as server,
        ClientSession() as session,
        session.get(server.url()) as response,
    ):
        with pytest.raises(aioclient.ContentTypeError, match="text/plain"):
            await response.json()
        assert await response.json(content_type=None) == {"a": 1}


@reports("aio-libs/aiohttp#18", "aio-libs/aiohttp#109")
@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
        "application/vnd.api+json",
    ],
)
async def test_json_and_a_charset(content_type: str) -> None:
    """A charset behind application/json hid that it was JSON."""
    reply = answer('{"a": "ü"}'.encode(), f"Content-Type: {content_type}")
    async with (
        RawServer.replies([reply]) as server,
        ClientSession() as session,
        session.get(server.url()) as response,
    ):
        assert await response.json() == {"a": "ü"}
