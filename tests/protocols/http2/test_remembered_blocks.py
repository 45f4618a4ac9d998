"""The memories of field blocks give what HPACK without a memory gives, are bounded, and end with their connection."""

import gc
from typing import Any

import hpack
import pytest
from hpack.exceptions import HPACKError
from hypothesis import given, settings
from hypothesis import strategies as st

from aioclient import TCPConnector
from aioclient.message.headers import is_secret
from aioclient.protocols.http2.decoding import STATIC, STATIC_COUNT, FieldDecoder
from aioclient.protocols.http2.encoding import LONG_COOKIE, FieldEncoder
from aioclient.protocols.http2.errors import ConnectionFailure
from aioclient.protocols.http2.memo import MAX_COUNT, MAX_SIZE, Memo
from aioclient.protocols.http2.request_head import RequestHead, request_fields
from aioclient.testing import H2Connection, turns

from .test_faults import talk

# Few, so that the same fields come again, after those that moved or evicted them.
NAMES = st.sampled_from(
    ["accept", "authorization", "cookie", "set-cookie", "x-a", "x-api-key", "x-b", "é"]
)
VALUES = st.sampled_from(
    ["", "a", "b", "a=short", "a=" + "x" * 30, "ü" * 40, "y" * 900, "z" * 3000]
)
PAIRS = st.lists(st.tuples(NAMES, VALUES), max_size=5)
SIZES = st.sampled_from([0, 40, 100, 1000, 4096])

# Of a server: a list of fields, some of them never indexed; or a block that came before, byte for byte.
LISTS = st.tuples(
    st.lists(st.tuples(NAMES, VALUES, st.booleans()), max_size=5),
    st.booleans(),
    st.none() | SIZES,
)
RECEIVED = st.lists(st.tuples(LISTS | st.integers(0, 20), st.booleans()), min_size=1, max_size=20)


def as_text(fields: Any) -> list[tuple[str, str]]:
    return [(bytes(name).decode(), bytes(value).decode()) for name, value in fields]


def index_of(entry: int) -> bytes:
    """Return the block that names the dynamic table's *entry*, the newest of which is 0."""
    index = STATIC_COUNT + 1 + entry
    return bytes((0x80 | index,)) if index < 0x7F else bytes((0xFF, index - 0x7F))


def check_bounds(*memories: "Memo[Any, Any]") -> None:
    for memory in memories:
        assert len(memory) <= MAX_COUNT
        assert sum(map(size_of, memory.items())) <= MAX_SIZE


def size_of(value: object) -> int:
    """Return the bytes of the texts in *value*."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, tuple | list):
        return sum(map(size_of, value))
    return size_of(getattr(value, "fields", ()))


class TestReceived:
    @given(RECEIVED)
    @settings(deadline=None, max_examples=150)
    def test_same_as_hpack(self, steps: list[Any]) -> None:
        """Any sequence of blocks, new and repeated, means what it means to hpack, and leaves the same table."""
        encoder, theirs, ours = hpack.Encoder(), hpack.Decoder(), FieldDecoder(2**16)
        blocks: list[bytes] = [b""]
        for step, looks in [*steps, (0, True)]:
            if isinstance(step, int):
                block = blocks[step % len(blocks)]
            else:
                fields, huffman, size = step
                if size is not None:
                    encoder.header_table_size = size
                block = encoder.encode(fields, huffman=huffman)
                blocks.append(block)
            try:
                expected = as_text(theirs.decode(block, raw=True))
            except HPACKError:  # a repeated block names what is not there any more
                with pytest.raises(ConnectionFailure):
                    ours.decode(block)
                return
            assert ours.decode(block).fields == expected
            check_bounds(ours._blocks, ours._dependent, ours._strings)
            if looks:  # not always: old entries are evicted when one is looked up
                entries = as_text(theirs.header_table.dynamic_entries)
                for number, entry in enumerate(entries):
                    assert ours.decode(index_of(number)).fields == [entry]
                with pytest.raises(ConnectionFailure):
                    ours.decode(index_of(len(entries)))

    @pytest.mark.parametrize("size", [20, 2000])
    def test_bounds(self, size: int) -> None:
        """Blocks that never repeat fill no memory."""
        ours = FieldDecoder(2**16)
        ours.decode(b"\x40\x01a\x01b")
        for number in range(1500):
            secret = [("a", f"{number:05}".ljust(size, "."), True)]
            block = hpack.Encoder().encode(secret, huffman=size < 100)
            ours.decode(block)
            ours.decode(index_of(0) + block)
            if not number % 10:
                check_bounds(ours._blocks, ours._dependent, ours._strings)


class TestSent:
    @given(
        st.lists(
            st.tuples(PAIRS, st.sampled_from(["/", "/?token=1"]), st.none() | SIZES), max_size=20
        )
    )
    @settings(deadline=None, max_examples=150)
    def test_same_as_hpack(self, steps: list[Any]) -> None:
        """hpack reads each request as it was meant, has the same table, and is told which fields are secret."""
        theirs, ours = hpack.Decoder(), FieldEncoder()
        for pairs, path, size in steps:
            if size is not None:
                ours.resize(size)
                theirs.max_allowed_table_size = size
            fields = tuple(pair for pair in pairs if pair[0].isascii())
            head = RequestHead("GET", "https", "a.test", path, fields)
            for _ in range(3):
                found = theirs.decode(ours.encode_head(head), raw=True)
                expected = request_fields(head)
                assert as_text(found) == expected
                for field, (name, value) in zip(found, expected, strict=True):
                    assert field.indexable is not is_never_indexed(name, value)
                assert as_text(theirs.header_table.dynamic_entries) == [
                    pair for pair, _ in ours._table
                ]
                check_bounds(ours._blocks, ours._seen)

    @pytest.mark.parametrize("size", [20, 2000])
    def test_bounds(self, size: int) -> None:
        """Requests that never repeat fill no memory."""
        ours = FieldEncoder()
        for number in range(1500):
            text = f"{number:05}".ljust(size, ".")
            for name in ("x-api-key", "x-a"):
                ours.encode_head(RequestHead("GET", "https", "a.test", "/", ((name, text),)))
            if not number % 10:
                check_bounds(ours._blocks, ours._seen)


def is_never_indexed(name: str, value: str) -> bool:
    """Tell whether a field is secret, other than an empty one of the static table, or a long cookie."""
    known = any((name, value) == entry[:2] for entry in STATIC)
    return is_secret(name) and not known and not (name == "cookie" and len(value) >= LONG_COOKIE)


def memories() -> set[int]:
    """Return the ids of all memories that there are."""
    gc.collect()
    return {id(each) for each in gc.get_objects() if isinstance(each, Memo)}


@pytest.mark.both_loops
async def test_no_secret_outlives_its_connection() -> None:
    """What a connection remembers is gone with it, while its session and a response of it are there."""

    async def script(conn: H2Connection) -> None:
        for _ in range(3):
            request = await conn.read_request()
            await conn.respond(request.stream_id, fields=[("set-cookie", "a=secret")])
        conn.raw.close()

    before = memories()
    async with talk(script) as (session, server):
        for _ in range(3):
            headers = {"Authorization": "Bearer secret"}
            response = await session.get(server.url(), headers=headers)
            await response.read()
            assert len(memories() - before) == 5
        assert isinstance(session.connector, TCPConnector)
        while session.connector.statistics().idle:
            await turns(1)
        await turns(2)
        assert memories() <= before
        assert response.cookies["a"].value == "secret"
