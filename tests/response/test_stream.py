"""The incoming body as a stream: what readers get, and what the connection is told."""

import asyncio
import gzip
import logging
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from itertools import pairwise
from typing import Any, TypeVar

import brotli
import pytest
from aiohttp import streams
from aiohttp.http_exceptions import LineTooLong
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from aioclient.exceptions import (
    BodyTooLargeError,
    ClientPayloadError,
    ContentDecodingError,
    IncompleteBodyError,
    ReadTimeoutError,
    TotalTimeoutError,
)
from aioclient.message.codings import Decoder, make_decoder
from aioclient.response.stream import LineTooLongError, StreamReader

T = TypeVar("T")

ENCODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}
TEXT = b"".join(b"line %d of a text that compresses well\n" % number for number in range(40))


class Socket:
    """A source that notes what it is told."""

    def __init__(self) -> None:
        self.paused = False
        self.aborted = False
        self.told: list[str] = []

    def pause_reading(self) -> None:
        self.paused = True
        self.told.append("pause")

    def resume_reading(self) -> None:
        self.paused = False
        self.told.append("resume")

    def abort(self) -> None:
        self.aborted = True
        self.told.append("abort")


def opened(
    socket: Socket | None = None,
    *,
    limit: int = 2**18,
    coding: str | None = None,
    max_size: int | None = None,
) -> StreamReader:
    decoder = None if coding is None else make_decoder(coding)
    return StreamReader(socket or Socket(), limit=limit, decoder=decoder, max_size=max_size)


def fed(*pieces: bytes, coding: str | None = None, max_size: int | None = None) -> StreamReader:
    stream = opened(coding=coding, max_size=max_size)
    for piece in pieces:
        stream.feed_data(piece)
    stream.feed_eof()
    return stream


async def collect(iterator: AsyncIterator[T]) -> list[T]:
    return [item async for item in iterator]


async def waiting(call: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start *call* and let it come to where it waits."""
    task = asyncio.create_task(call)
    await asyncio.sleep(0)
    assert not task.done()
    return task


async def turns(task: asyncio.Task[Any]) -> int:
    """Count the rounds of the event loop until *task* is done."""
    count = 0
    while not task.done():
        await asyncio.sleep(0)
        count += 1
    return count


class Starved:
    """A decoder that runs out of memory at the nth call."""

    def __init__(self, decoder: Decoder, last_call: int) -> None:
        self.pending = False
        self.decoder = decoder
        self.last_call = last_call
        self.calls = 0

    def decode(self, data: bytes, max_length: int) -> bytes:
        self.calls += 1
        if self.calls == self.last_call:
            self.pending = True
            raise MemoryError
        return self.decoder.decode(data, max_length)

    def finish(self) -> None:
        self.decoder.finish()


READERS: dict[str, Callable[[StreamReader], Awaitable[object]]] = {
    "read": lambda stream: stream.read(),
    "read-n": lambda stream: stream.read(10),
    "readany": lambda stream: stream.readany(),
    "readexactly": lambda stream: stream.readexactly(10),
    "readline": lambda stream: stream.readline(),
    "readuntil": lambda stream: stream.readuntil(b"ab"),
    "readchunk": lambda stream: stream.readchunk(),
    "iter_chunked": lambda stream: collect(stream.iter_chunked(10)),
    "iter_any": lambda stream: collect(stream.iter_any()),
    "iter_chunks": lambda stream: collect(stream.iter_chunks()),
    "lines": lambda stream: collect(aiter(stream)),
}
each_reader = pytest.mark.parametrize("reader", READERS.values(), ids=READERS)


class TestReading:
    async def test_read(self) -> None:
        """read(n) gives up to n bytes across pieces, without waiting for more than there is."""
        stream = opened()
        for piece in (b"abc", b"def", b"ghi"):
            stream.feed_data(piece)
        assert await stream.read(0) == b""
        assert await stream.read(2) == b"ab"
        assert await stream.read(4) == b"cdef"
        assert await stream.read(100) == b"ghi"
        task = await waiting(stream.read(5))
        stream.feed_data(b"jk")
        assert await task == b"jk"
        stream.feed_eof()
        assert await stream.read(5) == b""
        assert await stream.read() == b""

    async def test_read_everything_wakes_once(self) -> None:
        """read() of everything sleeps until the end, however many pieces come."""
        stream = opened()
        stream.feed_data(b"0")
        task = await waiting(stream.read())
        for number in range(1, 10):
            stream.feed_data(b"%d" % number)
            await asyncio.sleep(0)
            assert "a reader waits" in repr(stream)
        stream.feed_eof()
        assert await turns(task) == 1
        assert await task == b"0123456789"
        assert stream.at_eof()

    async def test_whole_pieces_are_not_copied(self) -> None:
        """A piece that is read whole is the object that was fed."""
        first, second = b"a" * 1000, b"b" * 1000
        stream = opened()
        stream.feed_data(first)
        assert await stream.read(1000) is first
        stream.feed_data(first)
        stream.feed_data(second)
        assert await stream.read(1000) is first
        assert await stream.readany() is second
        stream.feed_data(first)
        assert await stream.readexactly(1000) is first
        stream.feed_data(second)
        stream.feed_eof()
        assert await stream.read() is second

    async def test_readany(self) -> None:
        """readany() gives all that is there, and waits only if there is nothing."""
        stream = opened()
        task = await waiting(stream.readany())
        stream.feed_data(b"ab")
        stream.feed_data(b"cd")
        assert await task == b"abcd"

    async def test_readexactly(self) -> None:
        """readexactly(n) waits for n bytes; at the end it raises with what was left."""
        stream = opened()
        task = await waiting(stream.readexactly(4))
        stream.feed_data(b"ab")
        await asyncio.sleep(0)
        assert not task.done()
        stream.feed_data(b"cde")
        assert await task == b"abcd"
        assert await stream.readexactly(0) == b""
        task = await waiting(stream.readexactly(4))
        stream.feed_eof()
        with pytest.raises(asyncio.IncompleteReadError) as caught:
            await task
        assert (caught.value.partial, caught.value.expected) == (b"e", 4)
        assert stream.at_eof()

    async def test_lines(self) -> None:
        """A line ends with its line feed, wherever pieces end; the last one may lack it."""
        stream = fed(b"one\ntw", b"o", b"\nthree", b"\n\n", b"fo", b"ur")
        assert [line async for line in stream] == [b"one\n", b"two\n", b"three\n", b"\n", b"four"]
        assert await stream.readline() == b""

    async def test_line_that_comes_later(self) -> None:
        """A line that is not whole yet is waited for."""
        stream = opened()
        stream.feed_data(b"be")
        task = await waiting(stream.readline())
        stream.feed_data(b"gin")
        await asyncio.sleep(0)
        assert not task.done()
        stream.feed_data(b"\nrest")
        assert await task == b"begin\n"
        assert stream.read_nowait() == b"rest"

    @pytest.mark.parametrize("separator", [b"=", b"==", b"=-=", b"=-=-="])
    @pytest.mark.parametrize("size", [1, 2, 3, 100])
    async def test_readuntil(self, separator: bytes, size: int) -> None:
        """readuntil() finds its separator also where it is cut between pieces."""
        parts = [b"a", b"", b"=b-", b"-=", b"c" * 20]
        body = b"".join(part + b"|" + separator for part in parts) + b"end"
        stream = fed(*(body[start : start + size] for start in range(0, len(body), size)))
        found = []
        while data := await stream.readuntil(b"|" + separator):
            found.append(data)
        assert found == [part + b"|" + separator for part in parts] + [b"end"]
        with pytest.raises(ValueError, match="separator"):
            await stream.readuntil(b"")

    async def test_line_too_long(self) -> None:
        """A line above the maximum is an error that takes nothing."""
        stream = opened(limit=50)
        stream.feed_data(b"short\n" + b"x" * 94)
        assert await stream.readline() == b"short\n"
        stream.feed_data(b"y" * 7)
        with pytest.raises(
            LineTooLongError, match="no line end within 100 bytes of b'xxx"
        ) as caught:
            await stream.readline()
        assert isinstance(caught.value, LineTooLong)
        with pytest.raises(LineTooLongError, match="within 5 bytes"):
            await stream.readline(max_line_length=5)
        with pytest.raises(LineTooLongError, match="within 5 bytes"):
            await stream.readuntil(b"yy", max_size=5)
        stream.feed_data(b"\n")
        assert len(await stream.readline(max_line_length=102)) == 102

    async def test_line_of_maximum_length(self) -> None:
        """The line feed counts, and a line of just the maximum passes."""
        for pieces in ([b"abcd\n"], [b"ab", b"cd", b"\n"]):
            assert await fed(*pieces).readline(max_line_length=5) == b"abcd\n"
            with pytest.raises(LineTooLongError):
                await fed(*pieces).readline(max_line_length=4)

    async def test_read_nowait(self) -> None:
        """read_nowait() gives what is there, possibly nothing."""
        stream = opened()
        assert stream.read_nowait() == b""
        stream.feed_data(b"abc")
        assert stream.read_nowait(2) == b"ab"
        assert stream.read_nowait(0) == b""
        assert stream.read_nowait() == b"c"
        stream.feed_eof()
        assert stream.read_nowait() == b""

    async def test_unread_data(self) -> None:
        """What is put back is read next, by whichever call; the body's size is what it was."""
        stream = fed(b"abc", b"de")
        assert await stream.read(2) == b"ab"
        stream.unread_data(b"b")
        stream.unread_data(b"")
        assert await stream.readexactly(3) == b"bcd"
        stream.unread_data(b"x\n")
        assert await stream.readline() == b"x\n"
        assert await stream.read() == b"e"
        assert stream.at_eof()
        stream.unread_data(b"again")
        assert not stream.at_eof()
        assert await stream.read() == b"again"
        assert stream.total_bytes == 5
        stream = opened()
        task = await waiting(stream.read(1))
        with pytest.raises(RuntimeError, match="unread_data"):
            stream.unread_data(b"x")
        task.cancel()

    @pytest.mark.parametrize("coding", [None, "gzip"])
    async def test_prefetch_and_peek(self, coding: str | None) -> None:
        """prefetch() waits for bytes and peek() shows them; neither takes them."""
        stream = opened(coding=coding)
        assert stream.peek(10) == b""
        task = await waiting(stream.prefetch(6))
        compressor = zlib.compressobj(wbits=31)
        for piece in (b"0123", b"4567"):
            if coding is not None:
                piece = compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH)
            assert not task.done()
            stream.feed_data(piece)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await task
        assert stream.peek(6) == b"012345"
        assert stream.peek(1) == b"0"
        assert await stream.readexactly(8) == b"01234567"
        task = await waiting(stream.prefetch(6))
        stream.feed_data(b"" if coding is None else compressor.flush())
        stream.feed_eof()
        await task
        assert stream.peek(6) == b""

    async def test_prefetch_before_an_error(self) -> None:
        """prefetch() raises the body's error and keeps what came before it, peek() shows it."""
        stream = opened()
        task = await waiting(stream.prefetch(6))
        stream.feed_data(b"012")
        stream.set_exception(IncompleteBodyError("cut"))
        with pytest.raises(IncompleteBodyError):
            await task
        assert stream.peek(6) == b"012"

    async def test_cancelled_prefetch(self) -> None:
        """A cancelled prefetch() takes nothing."""
        stream = opened()
        stream.feed_data(b"012")
        task = await waiting(stream.prefetch(6))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stream.peek(6) == b"012"

    async def test_peek_of_what_cannot_be_decoded(self) -> None:
        """peek() raises nothing; the next read does."""
        for look in ("peek", "read_nowait"):
            stream = fed(gzip.compress(b"ok"), b"JUNK", coding="gzip")
            assert getattr(stream, look)(10) == b"ok"
            assert stream.exception() is not None
            with pytest.raises(ContentDecodingError):
                await stream.read()

    async def test_wait_eof(self) -> None:
        """wait_eof() returns when the whole body is here, read or not, and raises what it failed with."""
        stream = opened()
        task = await waiting(stream.wait_eof())
        with pytest.raises(RuntimeError, match="wait_eof"):
            await stream.wait_eof()
        stream.feed_data(b"abc")
        assert await stream.read(3) == b"abc"
        assert not task.done()
        stream.feed_eof()
        await task
        await stream.wait_eof()
        stream = opened()
        task = await waiting(stream.wait_eof())
        task.cancel()
        await asyncio.sleep(0)
        task = await waiting(stream.wait_eof())
        stream.set_exception(IncompleteBodyError("cut"))
        for wait in (task, stream.wait_eof()):
            with pytest.raises(IncompleteBodyError):
                await wait

    async def test_set_exception_with_its_cause(self) -> None:
        """set_exception() chains the cause that it is given."""
        stream = opened()
        cause = OSError("broken pipe")
        stream.set_exception(ClientPayloadError("cut"), cause)
        with pytest.raises(ClientPayloadError) as caught:
            await stream.read(1)
        assert caught.value.__cause__ is cause

    async def test_iterators(self) -> None:
        """The iterators end with the body."""
        assert await collect(fed(b"abc", b"de").iter_chunked(2)) == [b"ab", b"cd", b"e"]
        assert await collect(fed(b"abc", b"de").iter_any()) == [b"abcde"]
        assert await collect(fed().iter_any()) == []
        with pytest.raises(ValueError, match="at least one byte"):
            fed().iter_chunked(0)

    async def test_ends(self) -> None:
        """is_eof() is about what came, at_eof() about what was read."""
        stream = opened()
        stream.feed_data(b"abc")
        assert (stream.is_eof(), stream.at_eof()) == (False, False)
        stream.feed_eof()
        assert (stream.is_eof(), stream.at_eof()) == (True, False)
        await stream.read()
        assert (stream.is_eof(), stream.at_eof()) == (True, True)
        with pytest.raises(RuntimeError, match="after feed_eof"):
            stream.feed_data(b"more")
        assert stream.total_bytes == 3

    async def test_from_bytes(self) -> None:
        """A body that is here already is a stream as well, decoded or not."""
        stream = StreamReader.from_bytes(b"abc")
        assert stream.is_eof()
        assert await stream.read() == b"abc"
        assert await StreamReader.from_bytes(b"").read() == b""
        stream = StreamReader.from_bytes(gzip.compress(TEXT), content_encoding="gzip")
        assert [line async for line in stream] == TEXT.splitlines(keepends=True)
        stream = StreamReader.from_bytes(TEXT, content_encoding="unknown")
        assert await stream.read() == TEXT

    async def test_from_bytes_tells_errors_to_readers(self) -> None:
        """What is wrong with a body that is here is raised by those who read it."""
        stream = StreamReader.from_bytes(b"", content_encoding="gzip," * 6)
        with pytest.raises(ContentDecodingError, match="at most 5"):
            await stream.read()
        stream = StreamReader.from_bytes(b"abc", max_size=2)
        with pytest.raises(BodyTooLargeError):
            await stream.read()

    @each_reader
    async def test_one_call_at_a_time(
        self, reader: Callable[[StreamReader], Awaitable[object]]
    ) -> None:
        """While one call waits another one raises, even if there is something for it."""
        stream = opened()
        stream.feed_data(b"a")
        task = await waiting(stream.readexactly(3))
        with pytest.raises(RuntimeError, match=r"\(\) while another call waits"):
            await reader(stream)
        with pytest.raises(RuntimeError, match=r"read_nowait\(\) while another call waits"):
            stream.read_nowait()
        stream.feed_data(b"bcd")
        with pytest.raises(RuntimeError, match="while another call waits"):
            await reader(stream)
        assert await task == b"abc"
        assert await stream.readany() == b"d"

    @each_reader
    async def test_cancelled_call_takes_nothing(
        self, reader: Callable[[StreamReader], Awaitable[object]]
    ) -> None:
        """A cancelled call leaves every byte for the next one."""
        stream = opened()
        if reader in (READERS["read"], READERS["readexactly"], READERS["readuntil"]):
            stream.feed_data(b"123")

        async def call() -> object:
            return await reader(stream)

        task = await waiting(call())
        stream.feed_data(b"4")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        stream.feed_data(b"5")
        stream.feed_eof()
        assert (await stream.read()).endswith(b"45")
        assert stream.total_bytes in {2, 5}

    async def test_repr(self) -> None:
        """The state is told in words."""
        socket = Socket()
        stream = opened(socket, limit=10)
        assert repr(stream) == "<StreamReader open, 0 bytes received, 0 to read>"
        stream.feed_data(bytes(30))
        assert repr(stream) == "<StreamReader paused, 30 bytes received, 30 to read>"
        stream.feed_eof()
        assert repr(stream) == "<StreamReader complete, 30 bytes received, 30 to read>"
        await stream.read()
        assert repr(stream) == "<StreamReader read to its end, 30 bytes received, 0 to read>"
        stream = opened(coding="gzip")
        stream.feed_data(gzip.compress(TEXT))
        await stream.read(10)
        size = len(TEXT)
        assert repr(stream).endswith(f"0 to decode, {size} decoded, {size - 10} to read>")
        stream.set_exception(IncompleteBodyError("cut"))
        assert repr(stream).startswith("<StreamReader failed with IncompleteBodyError, ")


class TestChunks:
    async def test_chunks(self) -> None:
        """readchunk() tells where HTTP chunks end, in one piece or in several."""
        stream = opened()
        stream.feed_data(b"one")
        stream.feed_chunk_end()
        stream.feed_data(b"tw")
        stream.feed_data(b"o")
        stream.feed_chunk_end()
        stream.feed_data(b"thr")
        assert await stream.readchunk() == (b"one", True)
        assert await stream.readchunk() == (b"two", True)
        assert await stream.readchunk() == (b"thr", False)
        task = await waiting(stream.readchunk())
        stream.feed_chunk_end()
        assert await task == (b"", True)
        task = await waiting(stream.readchunk())
        stream.feed_data(b"four")
        stream.feed_chunk_end()
        assert await task == (b"four", True)
        stream.feed_chunk_end()
        stream.feed_eof()
        assert await stream.readchunk() == (b"", False)

    async def test_iter_chunks(self) -> None:
        """iter_chunks() ends with the body; without HTTP chunks there are the pieces."""
        stream = opened()
        for piece in (b"a", b"b"):
            stream.feed_data(piece)
            stream.feed_chunk_end()
        stream.feed_eof()
        assert await collect(stream.iter_chunks()) == [(b"a", True), (b"b", True)]
        assert await collect(fed(b"ab", b"c").iter_chunks()) == [(b"ab", False), (b"c", False)]

    async def test_other_reads_between(self) -> None:
        """Bytes that were read otherwise are no part of a chunk any more."""
        stream = opened()
        for piece in (b"one", b"two", b"three"):
            stream.feed_data(piece)
            stream.feed_chunk_end()
        stream.feed_eof()
        assert await stream.read(4) == b"onet"
        assert await stream.readchunk() == (b"wo", True)
        assert await stream.read(5) == b"three"
        assert await stream.readchunk() == (b"", True)
        assert await stream.readchunk() == (b"", False)

    async def test_encoded_chunks(self) -> None:
        """Of an encoded body the ends are those of the decoded bytes of each chunk."""
        compressor = zlib.compressobj(wbits=31)
        stream = opened(coding="gzip")
        stream.feed_data(compressor.compress(b""))  # the header
        for part in (b"one", b"two"):
            stream.feed_data(compressor.compress(part))
            stream.feed_data(compressor.flush(zlib.Z_SYNC_FLUSH))
            stream.feed_chunk_end()
        stream.feed_data(compressor.flush())
        stream.feed_chunk_end()
        assert await stream.readchunk() == (b"one", True)
        assert await stream.readchunk() == (b"two", True)
        task = await waiting(stream.readchunk())
        stream.feed_eof()
        assert await task == (b"", False)

    async def test_encoded_chunk_whose_end_comes_later(self) -> None:
        """The end of an encoded chunk that comes after its bytes were read is told alone."""
        stream = opened(coding="gzip")
        stream.feed_data(gzip.compress(TEXT))
        assert await stream.readchunk() == (TEXT, False)
        task = await waiting(stream.readchunk())
        stream.feed_chunk_end()
        assert await task == (b"", True)

    async def test_tiny_chunks(self) -> None:
        """A hundred thousand chunks of one byte are read within a few times their size."""
        stream = opened()
        task = await waiting(stream.read())
        tracemalloc.start()
        try:
            for number in range(100_000):
                stream.feed_data(b"%d" % (number % 10))
                stream.feed_chunk_end()
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        stream.feed_eof()
        assert await task == b"0123456789" * 10_000
        assert taken < 200_000


class TestRaw:
    """A coded body read as it came."""

    async def test_tiny_chunks_read_in_parts(self) -> None:
        """The ends of chunks that were read raw do not keep the socket paused."""
        socket = Socket()
        stream = opened(socket, limit=1600, coding="gzip")
        for _ in range(3):
            for _ in range(101):
                assert not socket.paused
                stream.feed_data(b"x")
                stream.feed_chunk_end()
            assert socket.paused
            assert await stream.read_raw(1000) == b"x" * 101

    async def test_tiny_chunks_read_whole(self) -> None:
        """A hundred thousand chunks of one byte are read within a few times their size."""
        stream = opened(coding="gzip")
        task = await waiting(stream.read_raw())
        tracemalloc.start()
        try:
            for number in range(100_000):
                stream.feed_data(b"%d" % (number % 10))
                stream.feed_chunk_end()
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        stream.feed_eof()
        assert await task == b"0123456789" * 10_000
        assert taken < 200_000

    async def test_more_than_may_come(self) -> None:
        """A body that is larger than allowed when its raw reading begins gives nothing, in parts neither."""
        stream = fed(bytes(6), coding="gzip", max_size=5)
        for _ in range(2):
            with pytest.raises(BodyTooLargeError):
                await stream.read_raw(3)

    @pytest.mark.parametrize("taken", [b"", b"a"])
    async def test_the_time_is_over(self, taken: bytes) -> None:
        """The call's total limit leaves no time for raw bytes either: its error is raised at once, and ever after."""
        stream = opened(coding="gzip")
        stream.feed_data(b"abc")
        assert await stream.read_raw(len(taken)) == taken
        stream.set_exception(TotalTimeoutError("GET", URL("http://a.test/"), 5.0, "no more came"))
        for _ in range(2):
            with pytest.raises(TotalTimeoutError):
                await stream.read_raw(1)


class TestBackPressure:
    async def test_pause_and_resume(self) -> None:
        """Above twice the limit the socket is paused, below the limit it is resumed."""
        socket = Socket()
        stream = opened(socket, limit=10)
        stream.feed_data(bytes(20))
        assert socket.told == []
        stream.feed_data(bytes(1))
        assert socket.told == ["pause"]
        stream.feed_data(bytes(100))
        assert socket.told == ["pause"]
        await stream.read(111)
        assert socket.told == ["pause"]
        await stream.read(1)
        assert socket.told == ["pause", "resume"]
        stream.feed_data(bytes(20))
        assert socket.told == ["pause", "resume", "pause"]

    async def test_broken_while_paused(self) -> None:
        """What came of a body that broke while nobody read it can be read, and there is nothing to resume."""
        socket = Socket()
        stream = opened(socket, limit=10)
        stream.feed_data(b"x" * 30)
        stream.set_exception(IncompleteBodyError("broken"))
        assert await stream.read(25) == b"x" * 25
        assert await stream.read(25) == b"x" * 5
        with pytest.raises(IncompleteBodyError):
            await stream.read(1)
        assert socket.told == ["pause"]

    async def test_read_everything_never_pauses(self) -> None:
        """Who reads everything has room for everything, and resumes what was paused before."""
        socket = Socket()
        stream = opened(socket, limit=10)
        stream.feed_data(bytes(21))
        task = await waiting(stream.read())
        assert socket.told == ["pause", "resume"]
        for _ in range(100):
            stream.feed_data(bytes(100))
        stream.feed_eof()
        assert await task == bytes(10_021)
        assert socket.told == ["pause", "resume"]

    async def test_readexactly_of_more_than_the_limit(self) -> None:
        """A reader that waits for more than twice the limit is not starved by a pause."""
        socket = Socket()
        stream = opened(socket, limit=10)
        stream.feed_data(bytes(30))
        task = await waiting(stream.readexactly(100))
        assert socket.told == ["pause", "resume"]
        for _ in range(14):
            stream.feed_data(bytes(5))
            stream.feed_chunk_end()
        assert await task == bytes(100)
        assert not socket.paused

    async def test_paused_again_once_the_reader_has_enough(self) -> None:
        """What comes before the reader runs counts as buffered."""
        socket = Socket()
        stream = opened(socket, limit=10)
        task = await waiting(stream.read(5))
        stream.feed_data(bytes(15))
        stream.feed_data(bytes(15))
        assert socket.told == ["pause"]
        assert await task == bytes(5)
        assert socket.paused
        assert await stream.readany() == bytes(25)
        assert socket.told == ["pause", "resume"]

    async def test_line_longer_than_the_limit(self) -> None:
        """A line may be longer than the limit: the reader's wait resumes the socket."""
        socket = Socket()
        stream = opened(socket, limit=10)
        stream.feed_data(bytes(25))
        task = await waiting(stream.readline(max_line_length=100))
        assert not socket.paused
        stream.feed_data(b"\n")
        assert len(await task) == 26

    async def test_chunk_ends_count(self) -> None:
        """Thousands of tiny chunks pause the socket as many bytes do."""
        socket = Socket()
        stream = opened(socket, limit=1600)
        for _ in range(101):
            assert not socket.paused
            stream.feed_data(b"x")
            stream.feed_chunk_end()
        assert socket.paused
        chunks = stream.iter_chunks()
        for _ in range(51):
            assert socket.paused
            assert await anext(chunks) == (b"x", True)
        assert not socket.paused

    async def test_end_resumes(self) -> None:
        """At the end the socket is resumed, for the connection's next message, and left alone."""
        socket = Socket()
        stream = opened(socket, limit=10)
        stream.feed_data(bytes(30))
        stream.feed_eof()
        assert socket.told == ["pause", "resume"]
        await stream.read()
        assert socket.told == ["pause", "resume"]

    async def test_encoded_bytes_count(self) -> None:
        """Of an encoded body the undecoded bytes count, and decoding makes room."""
        socket = Socket()
        stream = opened(socket, limit=100, coding="gzip")
        encoded = gzip.compress(b"".join(b"%d" % number for number in range(300)))
        stream.feed_data(encoded[:150])
        stream.feed_data(encoded[150:])
        assert socket.told == ["pause"]
        assert await stream.read(1) == b"0"
        assert socket.told in (["pause"], ["pause", "resume"])
        await stream.readexactly(700)
        assert not socket.paused


class TestErrors:
    @pytest.mark.parametrize("coding", [None, "gzip"])
    async def test_read_never_returns_a_part(self, coding: str | None) -> None:
        """H1-13: read() of an incomplete body raises, and so does every later call."""
        stream = opened(coding=coding)
        stream.feed_data(b"half" if coding is None else gzip.compress(b"half"))
        task = await waiting(stream.read())
        error = IncompleteBodyError("4 of 8 bytes")
        stream.set_exception(error)
        with pytest.raises(IncompleteBodyError):
            await task
        assert stream.exception() is error
        for reader in READERS.values():
            with pytest.raises(IncompleteBodyError):
                await reader(stream)
        with pytest.raises(IncompleteBodyError):
            stream.read_nowait()
        assert not stream.at_eof()

    async def test_broken_body_is_not_decoded_in_vain(self) -> None:
        """read() raises before it decodes what it cannot return."""
        stream = opened(coding="gzip")
        stream.feed_data(bomb("gzip", 1))
        stream.set_exception(IncompleteBodyError("cut"))
        with pytest.raises(IncompleteBodyError):
            await stream.read()
        assert stream.total_bytes == 0

    @pytest.mark.parametrize("coding", [None, "gzip"])
    async def test_what_came_before_is_delivered(self, coding: str | None) -> None:
        """Iterators give what arrived before the error, and then raise it."""
        stream = opened(coding=coding)
        body = b"one\ntwo\nthr"
        stream.feed_data(body if coding is None else gzip.compress(body)[:-8])
        stream.set_exception(IncompleteBodyError("cut"))
        lines = []
        with pytest.raises(IncompleteBodyError):
            async for line in stream:
                lines.append(line)
        assert lines == [b"one\n", b"two\n"]

    @pytest.mark.parametrize("name", ["iter_any", "iter_chunks", "read-n", "readexactly"])
    async def test_all_that_came_before_is_delivered(self, name: str) -> None:
        """So do reads of a given size, to the last byte."""
        stream = opened()
        stream.feed_data(b"0123456789")
        stream.set_exception(IncompleteBodyError("cut"))
        if name == "iter_any":
            assert await anext(stream.iter_any()) == b"0123456789"
        elif name == "iter_chunks":
            assert await anext(stream.iter_chunks()) == (b"0123456789", False)
        else:
            assert await READERS[name](stream) == b"0123456789"
        with pytest.raises(IncompleteBodyError):
            await READERS[name](stream)

    async def test_partial_readexactly_raises(self) -> None:
        """Fewer bytes than were asked for exactly are not given when the body is broken."""
        stream = opened()
        stream.feed_data(b"123")
        task = await waiting(stream.readexactly(4))
        stream.set_exception(IncompleteBodyError("cut"))
        with pytest.raises(IncompleteBodyError):
            await task

    async def test_error_after_the_end_is_ignored(self) -> None:
        """A complete body stays complete, whatever happens to its connection."""
        stream = fed(b"whole")
        stream.set_exception(IncompleteBodyError("late"))
        assert stream.exception() is None
        assert await stream.read() == b"whole"

    async def test_first_error_counts(self) -> None:
        """Later errors, and bytes after the first one, are ignored."""
        stream = opened()
        stream.feed_data(b"ab")
        stream.set_exception(IncompleteBodyError("first"))
        stream.set_exception(ClientPayloadError("second"))
        stream.feed_data(b"cd")
        stream.feed_chunk_end()
        stream.feed_eof()
        assert await stream.readany() == b"ab"
        with pytest.raises(IncompleteBodyError, match="first"):
            await stream.readany()
        assert stream.total_raw_bytes == 2

    async def test_max_size(self) -> None:
        """DEC-09: a body larger than max_size closes the connection while it comes."""
        socket = Socket()
        stream = opened(socket, max_size=10)
        task = await waiting(stream.read())
        stream.feed_data(bytes(10))
        assert socket.told == []
        stream.feed_data(bytes(1))
        assert socket.told == ["abort"]
        stream.feed_data(bytes(1000))
        with pytest.raises(BodyTooLargeError, match="max_body_size=10"):
            await task
        assert await fed(bytes(10), max_size=10).read() == bytes(10)

    async def test_max_size_of_iterators(self) -> None:
        """Iterators give max_size bytes and then raise."""
        for encoded in (None, "gzip"):
            for last in (bytes(1), bytes(5)):
                stream = opened(max_size=10, coding=encoded)
                for part in (bytes(6), bytes(3), last, bytes(2)):
                    stream.feed_data(gzip.compress(part) if encoded else part)
                stream.feed_eof()
                size = 0
                with pytest.raises(BodyTooLargeError):
                    async for piece in stream.iter_any():
                        size += len(piece)
                assert size == 10


class TestCodings:
    @pytest.mark.parametrize("coding", [*ENCODE, "gzip, br"])
    async def test_readers_get_decoded_bytes(self, coding: str) -> None:
        """Every way of reading gives the decoded body."""
        encoded = TEXT
        for name in coding.split(", "):
            encoded = ENCODE[name](encoded)
        pieces = [encoded[start : start + 10] for start in range(0, len(encoded), 10)]
        assert await fed(*pieces, coding=coding).read() == TEXT
        assert b"".join(await collect(fed(*pieces, coding=coding).iter_any())) == TEXT
        assert b"".join(await collect(fed(*pieces, coding=coding).iter_chunked(7))) == TEXT
        lines = TEXT.splitlines(keepends=True)
        assert [line async for line in fed(*pieces, coding=coding)] == lines
        stream = fed(*pieces, coding=coding)
        assert await stream.readexactly(len(TEXT)) == TEXT
        assert await stream.read() == b""
        assert stream.at_eof()
        assert (stream.total_bytes, stream.total_raw_bytes) == (len(TEXT), len(encoded))
        assert fed(*pieces, coding=coding).read_nowait(200) == TEXT[:200]

    async def test_decoded_as_it_comes(self) -> None:
        """A message that the server flushed is read before the next one comes."""
        compressor = zlib.compressobj(wbits=31)
        stream = opened(coding="gzip")
        for number in range(3):
            task = await waiting(stream.readline())
            stream.feed_data(compressor.compress(b"event %d\n" % number))
            stream.feed_data(compressor.flush(zlib.Z_SYNC_FLUSH))
            assert await task == b"event %d\n" % number
        task = await waiting(stream.readline())
        stream.feed_data(compressor.flush())
        stream.feed_eof()
        assert await task == b""

    @pytest.mark.parametrize("coding", [pytest.param(c, id=f"H1-14-{c}") for c in ENCODE])
    async def test_truncated(self, coding: str) -> None:
        """A body that ends within its coding, with a correct length, is an error at every cut."""
        encoded = ENCODE[coding](TEXT)
        for cut in range(1, len(encoded)):
            with pytest.raises(ContentDecodingError):
                await fed(encoded[:cut], coding=coding).read()
        for cut in range(1, len(encoded), 17):
            with pytest.raises(ContentDecodingError):
                await collect(fed(encoded[:cut], coding=coding).iter_any())
            stream = fed(encoded[:cut], coding=coding)
            with pytest.raises(ContentDecodingError):
                while not stream.at_eof():
                    await stream.read(100)

    @pytest.mark.parametrize("coding", [pytest.param(c, id=f"DEC-05-{c}") for c in ENCODE])
    async def test_junk_closes_the_connection(self, coding: str) -> None:
        """What cannot be decoded closes the connection, whose rest is of no use."""
        socket = Socket()
        stream = opened(socket, coding=coding)
        stream.feed_data(ENCODE[coding](TEXT) + b"JUNK")
        with pytest.raises(ContentDecodingError):
            await collect(stream.iter_any())
        assert socket.told == ["abort"]
        stream.feed_data(b"more")
        with pytest.raises(ContentDecodingError):
            await stream.read()

    async def test_junk_after_the_end(self) -> None:
        """A connection whose message is complete is left alone: it may serve others already."""
        socket = Socket()
        stream = opened(socket, coding="gzip")
        stream.feed_data(b"JUNK")
        stream.feed_eof()
        with pytest.raises(ContentDecodingError):
            await stream.read()
        assert socket.told == []

    @pytest.mark.parametrize("call", range(1, 6))
    async def test_decoder_is_not_used_after_memory_error(self, call: int) -> None:
        """DEC-07: a decoder that ran out of memory is dropped and the connection closed."""
        gunzip = make_decoder("gzip")
        assert gunzip is not None
        decoder = Starved(gunzip, call)
        socket = Socket()
        stream = StreamReader(socket, decoder=decoder)
        encoded = gzip.compress(TEXT)
        for start in range(0, 120, 20):
            stream.feed_data(encoded[start : start + 20])
        for _ in range(2):
            with pytest.raises(MemoryError):
                while stream.read_nowait():  # what was decoded before
                    pass
            with pytest.raises(MemoryError):
                await collect(stream.iter_any())
        assert decoder.calls == call
        assert socket.told == ["abort"]

    @pytest.mark.parametrize("coding", [pytest.param(c, id=f"DEC-01-{c}") for c in ENCODE])
    async def test_bomb(self, coding: str) -> None:
        """A bomb read by 1 KiB takes a window, a step and what is asked for, not its size."""
        stream = opened(coding=coding)
        stream.feed_data(bomb(coding, 96))
        stream.feed_eof()
        await stream.read(1024)
        before = resident()
        total, largest = 1024, before
        while data := await stream.read(1024):
            total += len(data)
            if total % 2**20 == 0:
                largest = max(largest, resident())
        assert total == 96 * 2**20
        assert largest - before < 8 * 2**20

    @pytest.mark.parametrize("coding", ENCODE)
    async def test_decoding_shares_the_loop(self, coding: str) -> None:
        """read() of a bomb leaves the event loop its turns, so that it can be timed out."""
        stream = opened(coding=coding)
        stream.feed_data(bomb(coding, 64))
        stream.feed_eof()
        task = asyncio.create_task(stream.read())
        for _ in range(10):
            await asyncio.sleep(0)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        rest = await waiting(stream.read())
        assert await turns(rest) > 10
        assert len(await rest) == 64 * 2**20

    async def test_empty_members_share_the_loop(self) -> None:
        """So does a body of thousands of members that hold nothing."""
        stream = opened(coding="gzip")
        stream.feed_data(gzip.compress(b"") * 12_000)
        stream.feed_eof()
        assert await turns(await waiting(stream.read())) >= 1

    @pytest.mark.parametrize("size", [-1, 10])
    async def test_error_ends_fruitless_decoding(self, size: int) -> None:
        """An error, such as a timeout, is raised although there is more to decode to nothing."""
        empty = gzip.compress(gzip.compress(gzip.compress(b"") * 5_000) * 100)
        stream = opened(coding="gzip, gzip, gzip")
        stream.feed_data(empty)
        task = await waiting(stream.read(size))
        stream.set_exception(ReadTimeoutError("GET", URL("http://a.example/"), 5, "no byte"))
        assert await turns(task) < 3
        with pytest.raises(ReadTimeoutError):
            await task

    @pytest.mark.parametrize("coding", [pytest.param(c, id=f"DEC-01-{c}") for c in ENCODE])
    async def test_bomb_and_max_size(self, coding: str) -> None:
        """max_size ends a bomb after one step more."""
        socket = Socket()
        stream = opened(socket, coding=coding, max_size=2**20)
        stream.feed_data(bomb(coding, 64))
        with pytest.raises(BodyTooLargeError):
            await stream.read()
        assert socket.aborted
        assert stream.total_bytes <= 2**20


def bomb(coding: str, mebibytes: int) -> bytes:
    """Zeros, encoded without ever being whole in memory."""
    zeros = bytes(2**20)
    compressor: Any
    if coding == "br":
        compressor = brotli.Compressor(quality=5)
        pieces = [compressor.process(zeros) for _ in range(mebibytes)]
        return b"".join([*pieces, compressor.finish()])
    compressor = zstd.ZstdCompressor()
    if coding != "zstd":
        compressor = zlib.compressobj(wbits=31 if coding == "gzip" else 15)
    pieces = [compressor.compress(zeros) for _ in range(mebibytes)]
    return b"".join([*pieces, compressor.flush()])


def resident() -> int:
    """The bytes of memory that this process has."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


class Protocol:
    """What aiohttp's reader asks of a connection."""

    connected = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self, *, resume_parser: bool = True) -> None:
        pass


OPERATIONS: list[tuple[str, tuple[Any, ...]]] = [
    ("read", (1,)),
    ("read", (3,)),
    ("read", (50,)),
    ("read", ()),
    ("read", (0,)),
    ("readany", ()),
    ("readexactly", (2,)),
    ("readexactly", (9,)),
    ("readline", ()),
    ("readuntil", (b"ab",)),
    ("readuntil", (b"aab",)),
    ("readchunk", ()),
    ("read_nowait", ()),
    ("read_nowait", (2,)),
    ("at_eof", ()),
]


@given(
    body=st.lists(st.sampled_from(b"ab\n"), max_size=60).map(bytes),
    cuts=st.lists(st.integers(0, 60), max_size=8),
    chunked=st.booleans(),
    operations=st.lists(st.sampled_from(OPERATIONS), max_size=15),
)
def test_same_as_aiohttp(
    body: bytes, cuts: list[int], chunked: bool, operations: list[tuple[str, tuple[Any, ...]]]
) -> None:
    """Of a body that is here, every sequence of reads gives what aiohttp's reader gives."""
    positions = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    pieces = [body[start:end] for start, end in pairwise(positions)]

    async def compare() -> None:
        ours = opened()
        theirs = streams.StreamReader(
            Protocol(),  # type: ignore[arg-type]
            2**18,
            loop=asyncio.get_running_loop(),
        )
        if chunked:
            theirs.begin_http_chunk_receiving()
        for number, piece in enumerate(pieces):
            ours.feed_data(piece)
            theirs.feed_data(piece)
            if chunked and number % 2:
                ours.feed_chunk_end()
                theirs.end_http_chunk_receiving()
        ours.feed_eof()
        theirs.feed_eof()
        for name, arguments in operations:
            found = [await outcome(stream, name, arguments) for stream in (ours, theirs)]
            assert found[0] == found[1], (name, arguments)
        assert ours.total_bytes == theirs.total_bytes == len(body)
        assert ours.total_raw_bytes == theirs.total_raw_bytes

    async def outcome(stream: object, name: str, arguments: tuple[Any, ...]) -> object:
        try:
            result = getattr(stream, name)(*arguments)
            return await result if asyncio.iscoroutine(result) else result
        except asyncio.IncompleteReadError as error:
            return (error.partial, error.expected)

    logging.disable(logging.WARNING)
    try:
        asyncio.run(compare())
    finally:
        logging.disable(logging.NOTSET)


@given(
    body=st.binary(max_size=300) | st.integers(0, 5000).map(bytes),
    coding=st.sampled_from([None, *ENCODE]),
    cuts=st.lists(st.integers(0, 400), max_size=8),
    sizes=st.lists(st.integers(1, 700), max_size=10),
)
def test_any_segments_and_reads(
    body: bytes, coding: str | None, cuts: list[int], sizes: list[int]
) -> None:
    """However the body is cut, and fed while it is read, the reads join to the body."""
    encoded = body if coding is None else ENCODE[coding](body)
    positions = sorted({0, len(encoded), *(cut for cut in cuts if cut < len(encoded))})

    async def feed(stream: StreamReader) -> None:
        for start, end in pairwise(positions):
            stream.feed_data(encoded[start:end])
            await asyncio.sleep(0)
        stream.feed_eof()

    async def main() -> None:
        stream = opened(Socket(), limit=20, coding=coding)
        feeding = asyncio.create_task(feed(stream))
        found = [await stream.read(size) for size in sizes]
        assert all(len(data) <= size for data, size in zip(found, sizes, strict=True))
        found.append(await stream.read())
        await feeding
        assert b"".join(found) == body
        assert stream.total_raw_bytes == len(encoded)
        assert stream.total_bytes == len(body)
        assert stream.at_eof()

    asyncio.run(main())
