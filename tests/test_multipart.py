"""Multipart responses, read with `aiohttp.MultipartReader` from our responses."""

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import BodyPartReader, MultipartReader, MultipartWriter
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong

import aioclient
from aioclient import ClientResponse, ClientSession
from aioclient.response.stream import StreamReader
from aioclient.testing import RawConnection

from .servers.either import RawServer

pytestmark = pytest.mark.both_protocols


class Collected:
    """A writer that keeps what a payload writes."""

    def __init__(self) -> None:
        self.data = b""

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self.data += bytes(chunk)


async def written(writer: MultipartWriter) -> bytes:
    to = Collected()
    await writer.write(to)  # type: ignore[arg-type]
    return to.data


async def read_all(reader: Any, depth: int = 1) -> list[Any]:
    """Read all parts, nested ones as lists; at most ten levels deep."""
    if depth > 10:
        raise ValueError("more than 10 levels of parts")
    found: list[Any] = []
    async for part in reader:
        if isinstance(part, MultipartReader):
            found.append(await read_all(part, depth + 1))
        else:
            found.append(bytes(await part.read(decode=True)))
    return found


async def received(
    body: bytes,
    use: Callable[[ClientResponse], Any],
    *,
    content_type: str = "multipart/mixed; boundary=x",
    step: int = 10**9,
    cut: bool = False,
) -> Any:
    """What *use* makes of a response with *body*, sent by *step* bytes."""
    length = len(body) + cut
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"

    async def serve(conn: RawConnection) -> None:
        await conn.read_request()
        await conn.send_slowly(head.encode() + body, step)
        if not cut:
            await conn.closed()

    async with (
        RawServer(serve) as server,
        ClientSession() as session,
        session.get(server.url()) as response,
    ):
        return await use(response)


async def everything(response: ClientResponse) -> list[Any]:
    return await read_all(MultipartReader.from_response(response))  # type: ignore[arg-type]


@pytest.mark.rows("S003-84")
class TestReading:
    @pytest.mark.parametrize("step", [1, 7, 100, 10**9])
    async def test_parts(self, step: int) -> None:
        """All parts come, nested and encoded ones too, in whatever segments they arrive."""
        writer = MultipartWriter("mixed")
        writer.append("hello")
        writer.append_json({"a": 1})
        inner = MultipartWriter("alternative")
        inner.append(b"x" * 300, {"Content-Encoding": "gzip"})
        inner.append(b"y", {"Content-Transfer-Encoding": "base64"})
        writer.append(inner)
        writer.append(b"\r\n--not-a-boundary\r\n")
        assert await received(
            await written(writer), everything, content_type=writer.content_type, step=step
        ) == [b"hello", b'{"a": 1}', [b"x" * 300, b"y"], b"\r\n--not-a-boundary\r\n"]

    async def test_large_part(self) -> None:
        """A part of a megabyte is read in pieces."""
        writer = MultipartWriter("mixed", boundary="x")
        writer.append(b"z" * 2**20)

        async def use(response: ClientResponse) -> tuple[int, int]:
            reader = MultipartReader.from_response(response)  # type: ignore[arg-type]
            part = await reader.next()
            assert isinstance(part, BodyPartReader)
            count = size = 0
            while chunk := await part.read_chunk(2**16):
                count += 1
                size += len(chunk)
            assert await reader.next() is None
            assert reader.at_eof()
            return count, size

        count, size = await received(await written(writer), use)
        assert size == 2**20
        assert count >= 16

    async def test_released_early(self) -> None:
        """A reader that is given up lets go of the connection."""

        async def use(response: ClientResponse) -> None:
            reader = MultipartReader.from_response(response)  # type: ignore[arg-type]
            await reader.next()
            await reader.release()

        await received(b"--x\r\n\r\na\r\n--x--\r\n", use)


PART = b"--x\r\n\r\n"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param(b"", ValueError, id="MISC-02-empty"),
        pytest.param(b"no boundary\r\n" * 10, ValueError, id="MISC-02-no-boundary"),
        pytest.param(b"x" * 2**20, LineTooLong, id="MISC-02-long-preamble"),
        pytest.param(PART + b"never ends", ValueError, id="MISC-02-no-end"),
        pytest.param(PART, ValueError, id="MISC-02-nothing-behind-the-head"),
        pytest.param(b"--x\r\nA: b", ValueError, id="MISC-02-within-the-head"),
        pytest.param(b"--x\r\n" + b"A: b\r\n" * 200, BadHttpMessage, id="MISC-02-many-fields"),
        pytest.param(
            b"--x\r\nA: " + b"b" * 2**16 + b"\r\n\r\n\r\n--x--",
            (ValueError, LineTooLong),
            id="MISC-02-long-field",
        ),
        pytest.param(
            b"--x\r\nContent-Length: -1\r\n\r\na\r\n--x--", ValueError, id="MISC-02-length-negative"
        ),
        pytest.param(
            b"--x\r\nContent-Length: 1_0\r\n\r\na\r\n--x--", ValueError, id="MISC-02-length-junk"
        ),
        pytest.param(
            b"--x\r\nContent-Length: 999\r\n\r\na\r\n--x--",
            ValueError,
            id="MISC-02-length-too-long",
        ),
        pytest.param(
            b"--x\r\nContent-Length: 1\r\n\r\nabc\r\n--x--",
            ValueError,
            id="MISC-02-length-too-short",
        ),
        pytest.param(
            b"--x\r\nContent-Encoding: nonsense\r\n\r\na\r\n--x--",
            RuntimeError,
            id="MISC-02-unknown-coding",
        ),
        pytest.param(
            b"--x\r\nContent-Transfer-Encoding: nonsense\r\n\r\na\r\n--x--",
            RuntimeError,
            id="MISC-02-unknown-transfer-coding",
        ),
        pytest.param(
            b"--x\r\nContent-Type: multipart/mixed\r\n\r\na\r\n--x--",
            ValueError,
            id="MISC-02-nested-without-boundary",
        ),
        pytest.param(
            b"--x\r\nContent-Type: multipart/mixed; boundary=" + b"y" * 100 + b"\r\n\r\n--x--",
            ValueError,
            id="MISC-02-boundary-too-long",
        ),
        pytest.param(
            b"".join(
                b"--x%d\r\nContent-Type: multipart/mixed; boundary=x%d\r\n\r\n" % (n, n + 1)
                for n in range(2000)
            ),
            ValueError,
            id="MISC-02-deep",
        ),
    ],
)
async def test_broken(body: bytes, error: type[Exception]) -> None:
    """What is wrong with a multipart body is an error of a known kind, and its connection is let go."""
    content_type = "multipart/mixed; boundary=" + ("x0" if body.startswith(b"--x0") else "x")
    with pytest.raises(error):
        await received(body, everything, content_type=content_type)


@pytest.mark.rows("MISC-02")
async def test_deep_and_not_looked_into() -> None:
    """Parts within parts that are only passed over end in an error too, and let the connection go."""
    body = b"".join(
        b"--x%d\r\nContent-Type: multipart/mixed; boundary=x%d\r\n\r\n" % (n, n + 1)
        for n in range(2000)
    )

    async def pass_over(response: ClientResponse) -> None:
        async for _ in MultipartReader.from_response(response):  # type: ignore[arg-type]
            pass

    with pytest.raises((ValueError, RecursionError)):
        await received(body, pass_over, content_type="multipart/mixed; boundary=x0")


@pytest.mark.rows("MISC-02")
async def test_truncated() -> None:
    """When the connection breaks within a part the error is the response's."""
    with pytest.raises(aioclient.IncompleteBodyError):
        await received(PART + b"a" * 100, everything, cut=True)


@pytest.mark.rows("MISC-02")
async def test_charset() -> None:
    """A charset that does not fit is an error of the codec, an unknown one LookupError."""

    async def texts(response: ClientResponse) -> None:
        async for part in MultipartReader.from_response(response):  # type: ignore[arg-type]
            assert isinstance(part, BodyPartReader)
            await part.text()

    for charset, error in (("utf-8", UnicodeDecodeError), ("nonsense", LookupError)):
        head = f"--x\r\nContent-Type: text/plain; charset={charset}\r\n\r\n".encode()
        with pytest.raises(error):
            await received(head + b"\xff\r\n--x--\r\n", texts)


@pytest.mark.rows("S003-84")
class TestUnread:
    async def test_comes_first(self) -> None:
        """What is put back is read before the rest, by every method."""
        stream = StreamReader.from_bytes(b"one two\nthree\nfour")
        assert await stream.read(4) == b"one "
        stream.unread_data(b"zero ")
        assert await stream.readline() == b"zero two\n"
        stream.unread_data(b"")
        stream.unread_data(b"2\n")
        stream.unread_data(b"1\n")
        assert [await stream.readline() for _ in range(3)] == [b"1\n", b"2\n", b"three\n"]
        assert await stream.read() == b"four"
        assert stream.at_eof()
        stream.unread_data(b"five")
        assert not stream.at_eof()
        assert await stream.readany() == b"five"
        assert stream.at_eof()
