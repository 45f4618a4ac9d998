"""Field blocks (RFC 7541): what hpack encodes is decoded, what is encoded hpack decodes, and bad blocks are refused."""

from typing import Any

import hpack
import pytest
from hpack.exceptions import HPACKError, OversizedHeaderListError
from hypothesis import given, settings
from hypothesis import strategies as st

from aioclient.protocols.http2.decoding import FieldDecoder
from aioclient.protocols.http2.encoding import FieldEncoder
from aioclient.protocols.http2.errors import ConnectionFailure, ErrorCode
from aioclient.protocols.http2.memo import MAX_COUNT, MAX_SIZE, Memo
from aioclient.protocols.http2.request_head import RequestHead

NAMES = st.sampled_from(
    ["accept", "cache-control", "content-length", "cookie", "set-cookie", "x-a", "x-b", "x-request-id", "authorization"]
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(["", "0", "a", "gzip, deflate", "no-cache", "x" * 100, "y" * 3000]),
    st.text("abcdefghijklmnopqrstuvwxyz0123456789 =;,é", max_size=40).map(str.strip),
)
LISTS = st.lists(st.tuples(NAMES, VALUES), max_size=8)


def decoder(max_size: int = 2**16) -> FieldDecoder:
    return FieldDecoder(max_size)


def refusal(block: bytes) -> str:
    with pytest.raises(ConnectionFailure) as caught:
        decoder().decode(block)
    assert caught.value.code == ErrorCode.COMPRESSION_ERROR
    return caught.value.section


# Literals that come into the table, a large one that empties it among them, one that does not, and indexes.
PIECES = [
    b"\x40\x01a\x01b",
    b"\x5f\x03txt",
    b"\x40\x01c\x7f\xf1\x0f" + b"x" * 2160,
    b"\x40\x01d\x7f\xf9\x1e" + b"y" * 4088,
    b"\x00\x01e\x01f",
    b"\x88",
    b"\xbe",
    b"\xbf",
    b"\x7e\x01g",
]


class TestDecoding:
    @given(st.lists(st.tuples(LISTS, st.booleans(), st.sampled_from([None, 0, 50, 200, 4096]))))
    @settings(deadline=None, max_examples=60)
    def test_what_hpack_encodes(self, lists: list[tuple[Any, bool, int | None]]) -> None:
        """Lists come back as they were, with every table size, with and without Huffman's code."""
        theirs, ours = hpack.Encoder(), decoder()
        for fields, huffman, size in lists:
            if size is not None:
                theirs.header_table_size = size
            for _ in range(3):
                block = theirs.encode(fields, huffman=huffman)
                found = ours.decode(block)
                assert found.fields == fields
                assert found.problem == ""
                assert found.size == sum(
                    32 + len(name.encode()) + len(value.encode()) for name, value in fields
                )

    @given(st.lists(st.binary(max_size=40), max_size=6))
    @settings(deadline=None, max_examples=400)
    def test_any_bytes(self, blocks: list[bytes]) -> None:
        """Any bytes are decoded as hpack decodes them, or both refuse them."""
        theirs, ours = hpack.Decoder(), decoder()
        for block in blocks:
            try:
                expected = [
                    (bytes(name), bytes(value)) for name, value in theirs.decode(block, raw=True)
                ]
            except HPACKError:
                expected = None
            try:
                found = [
                    (
                        name.encode("utf-8", "surrogateescape"),
                        value.encode("utf-8", "surrogateescape"),
                    )
                    for name, value in ours.decode(block).fields
                ]
            except ConnectionFailure as failure:
                # By intent: hpack takes any number of changes of the table's size (RFC 7541, section 4.2).
                assert expected is None or "is changed" in failure.found
                return
            assert found == expected

    def test_alike(self) -> None:
        """A block that came before is not decoded again; one that names the table's entries is when they move."""
        ours, block = decoder(), hpack.Encoder().encode([(":status", "200")])
        found = ours.decode(block)
        adding = ours.decode(b"\x40\x01a\x01b")
        naming = ours.decode(b"\xbe")
        assert ours.decode(block) is found
        assert ours.decode(b"\xbe") is naming
        assert ours.decode(b"\x40\x01a\x01b") is adding
        again = ours.decode(b"\xbe")
        assert again is not naming
        assert again.fields == naming.fields

    @given(st.lists(st.sampled_from(PIECES), max_size=4).map(b"".join), st.data())
    @settings(deadline=None, max_examples=60)
    def test_what_a_remembered_block_adds(self, first: bytes, data: st.DataObject) -> None:
        """A block that is looked up adds to the table what it added when it was decoded, and evicts as much."""
        theirs, ours = hpack.Decoder(), decoder()
        blocks = [first, *data.draw(st.lists(st.lists(st.sampled_from(PIECES)).map(b"".join)))] * 2
        for block in blocks:
            try:
                expected = theirs.decode(block, raw=True)
            except HPACKError:
                with pytest.raises(ConnectionFailure):
                    ours.decode(block)
                return
            found = ours.decode(block).fields
            assert [(name.encode(), value.encode()) for name, value in found] == expected

    def test_indexes_move(self) -> None:
        """The same bytes mean another field when the table has changed."""
        ours = decoder()
        ours.decode(b"\x40\x01a\x01b")
        assert ours.decode(b"\xbe").fields == [("a", "b")]
        ours.decode(b"\x40\x01c\x01d")
        assert ours.decode(b"\xbe").fields == [("c", "d")]
        assert ours.decode(b"\xbf").fields == [("a", "b")]

    @pytest.mark.parametrize(
        "block",
        [
            pytest.param(b"\x80", id="index-0"),
            pytest.param(b"\xbe", id="index-of-nothing"),
            pytest.param(b"\xff\xff\xff\xff\xff\xff\x7f", id="integer-without-end"),
            pytest.param(b"\xff\x80\x80\x80\x80\x80\x80\x01", id="integer-of-zeros"),
            pytest.param(b"\x40\x05a", id="cut-name"),
            pytest.param(b"\x40\x01a\x05b", id="cut-value"),
            pytest.param(b"\x40", id="cut-after-kind"),
            pytest.param(b"\x7e\x01a", id="literal-with-index-of-nothing"),
            pytest.param(b"\x82\x20", id="size-behind-field"),
            pytest.param(b"\x20\x20\x20\x82", id="three-sizes"),
            pytest.param(b"\x3f\xe2\x1f", id="size-above-the-setting"),
            pytest.param(b"\x00\x81\xff\x01a", id="huffman-all-ones"),
            pytest.param(b"\x00\x84\xff\xff\xff\xff\x01a", id="huffman-end-of-string"),
            pytest.param(b"\x00\x81\x18\x01a", id="huffman-padding-of-zeros"),
        ],
    )
    def test_bad_blocks(self, block: bytes) -> None:
        """What is not HPACK is a connection error COMPRESSION_ERROR: the table is lost (RFC 9113, section 4.3)."""
        assert refusal(block).startswith(("RFC 7541", "RFC 9113"))
        with pytest.raises(HPACKError):
            for _ in range(2 if block.startswith(b"\x20") else 1):
                hpack.Decoder().decode(block)
            raise hpack.HPACKDecodingError  # of the three sizes

    def test_too_long(self) -> None:
        """H2-02: of a list that is too long nothing is kept, and the table goes on."""
        ours = decoder(10_000)
        entry = ours.decode(b"\x40\x01a\x7f\xb9\x16" + b"x" * 3000)
        assert entry.size == 3033
        found = ours.decode(b"\xbe" * 60_000)
        assert found.fields == []
        assert found.size == 60_000 * 3033
        assert ours.decode(b"\xbe").fields == [("a", "x" * 3000)]
        theirs = hpack.Decoder(10_000)
        theirs.decode(b"\x40\x01a\x7f\xb9\x16" + b"x" * 3000)
        with pytest.raises(OversizedHeaderListError):
            theirs.decode(b"\xbe" * 60_000)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            pytest.param(b"A", b"b", id="H2-11-capital"),
            pytest.param(b"a b", b"c", id="H2-11-space-in-name"),
            pytest.param(b"a:b", b"c", id="H2-11-colon-in-name"),
            pytest.param(b"::a", b"c", id="H2-11-two-colons"),
            pytest.param(b":", b"c", id="H2-11-colon-alone"),
            pytest.param(b"", b"c", id="H2-11-no-name"),
            pytest.param(b"a\r\nb", b"c", id="H2-11-line-in-name"),
            pytest.param(b"a\x00", b"c", id="H2-11-nul-in-name"),
            pytest.param("é".encode(), b"c", id="H2-11-name-outside-ascii"),
            pytest.param(b"\xff", b"c", id="H2-11-name-of-no-encoding"),
            pytest.param(b"a", b"b\r\nc: d", id="H2-11-line-in-value"),
            pytest.param(b"a", b"b\x00", id="H2-11-nul-in-value"),
            pytest.param(b"a", b"\x01", id="H2-11-control-in-value"),
            pytest.param(b"a", b" b", id="H2-11-space-first"),
            pytest.param(b"a", b"b\t", id="H2-11-tab-last"),
        ],
    )
    def test_malformed_fields(self, name: bytes, value: bytes) -> None:
        """A field that must not be is told, also when it comes out of the table later (RFC 9113, section 8.2.1)."""
        ours = decoder()
        literal = bytes((len(name),)) + name + bytes((len(value),)) + value
        assert ours.decode(b"\x00" + literal).problem
        assert ours.decode(b"\x40" + literal).problem
        assert ours.decode(b"\xbe").problem
        assert ours.decode(b"\x82").problem == ""
        if name not in (b"a",):
            assert ours.decode(b"\x0f\x2f\x01x").problem
        else:
            assert ours.decode(b"\x0f\x2f\x01x").problem == ""

    def test_size_of_a_name_outside_ascii(self) -> None:
        """Entries are as large as their bytes, so that both sides evict the same ones."""
        theirs, ours = hpack.Decoder(), decoder()
        for number in range(200):
            block = b"\x40\x02\xc3\xa9\x02" + b"%02d" % (number % 100)
            theirs.decode(block, raw=True)
            ours.decode(block)
        for index in range(62, 62 + len(theirs.header_table.dynamic_entries)):
            block = bytes((0x80 | index,)) if index < 127 else b"\xff" + bytes((index - 127,))
            assert (
                ours.decode(block).fields[0][1].encode()
                == theirs.header_table.get_by_index(index)[1]
            )
        with pytest.raises(ConnectionFailure):
            ours.decode(b"\xff" + bytes((62 + len(theirs.header_table.dynamic_entries) - 127,)))


class TestEncoding:
    @given(
        st.lists(st.tuples(LISTS, st.sampled_from([None, 0, 60, 200, 4096, 2**31])), max_size=10)
    )
    @settings(deadline=None, max_examples=60)
    def test_hpack_decodes(self, lists: list[tuple[Any, int | None]]) -> None:
        """hpack decodes to the same fields, whatever table sizes its side allows in between."""
        theirs, ours = hpack.Decoder(), FieldEncoder()
        for fields, size in lists:
            if size is not None:
                ours.resize(0)
                ours.resize(size)
                theirs.max_allowed_table_size = size
            for _ in range(4):
                block = ours.encode(fields)
                assert [
                    (bytes(n).decode(), bytes(v).decode())
                    for n, v in theirs.decode(block, raw=True)
                ] == fields
            assert theirs.header_table._current_size <= 4096

    def test_third_time(self) -> None:
        """A request that is sent again and again is a few bytes, and looked up."""
        ours = FieldEncoder()
        head = RequestHead("GET", "https", "a.test", "/", (("User-Agent", "x" * 30),))
        sizes = [len(ours.encode_head(head)) for _ in range(4)]
        assert sizes[0] > 40
        assert sizes[1] > 40
        assert sizes[2:] == [5, 5]
        assert ours.encode_head(head) is ours.encode_head(head)

    def test_new_in_each_request(self) -> None:
        """Fields that are new in each request do not fill the table."""
        ours = FieldEncoder()
        for number in range(100):
            ours.encode([("x-request-id", str(number)), ("accept", "*/*")])
        assert ours._added == 1

    @pytest.mark.parametrize(
        ("field", "never"),
        [
            (("authorization", "Bearer " + "x" * 50), True),
            (("proxy-authorization", "Basic " + "x" * 50), True),
            (("set-cookie", "a=b"), True),
            (("x-api-key", "secret" * 10), True),
            (("cookie", "a=short"), True),
            (("cookie", "a=" + "x" * 30), False),
            (("accept", "*/*"), False),
        ],
    )
    def test_never_indexed(self, field: tuple[str, str], never: bool) -> None:
        """Secrets are never indexed, here nor by proxies (RFC 7541, section 7.1.3)."""
        theirs, ours = hpack.Decoder(), FieldEncoder()
        for _ in range(3):
            found = list(theirs.decode(ours.encode([field]), raw=True))
            if never:
                assert not found[0].indexable
        assert bool(theirs.header_table.dynamic_entries) is not never

    def test_paths_are_not_indexed(self) -> None:
        """A path, whose query may be secret, does not come into the table."""
        theirs, ours = hpack.Decoder(), FieldEncoder()
        for _ in range(4):
            theirs.decode(ours.encode([(":path", "/?token=1")]))
        assert not theirs.header_table.dynamic_entries

    def test_smallest_size_is_told(self) -> None:
        """Of several changes of the table's size the smallest and the last are announced (RFC 7541, section 4.2)."""
        ours = FieldEncoder()
        for _ in range(2):
            ours.encode([("a", "b")])
        ours.resize(100)
        ours.resize(0)
        ours.resize(50)
        assert ours.encode([]) == b"\x20\x3f\x13"
        assert ours.encode([]) == b""
        ours.resize(50)
        assert ours.encode([]) == b""

    def test_large_table(self) -> None:
        """H2-07: a server that offers 2^31 bytes of table gets no more than 4,096 used."""
        ours = FieldEncoder()
        ours.resize(2**31)
        assert ours.encode([]) == b""
        for number in range(500):
            for _ in range(2):
                ours.encode([("x-a", f"{number:03}" * 20)])
        assert ours._table_size <= 4096
        assert len(ours._indexes) == len(ours._table) <= 43

    def test_limit_of_the_list(self) -> None:
        """A list that the server does not take is refused before the table knows of it."""
        ours = FieldEncoder()
        ours.limit(300)
        large = RequestHead("GET", "https", "a.test", "/", (("x-a", "x" * 200),))
        small = RequestHead("GET", "https", "a.test", "/")
        for _ in range(3):
            with pytest.raises(ValueError, match="the 300 that the server takes"):
                ours.encode_head(large)
            ours.encode_head(small)
        ours.limit(None)
        assert ours.encode_head(large)


class TestMemory:
    def test_bounds(self) -> None:
        """A memory holds so many entries and bytes; then it begins anew."""
        memory: Memo[int, int] = Memo()
        for number in range(10 * MAX_COUNT):
            memory.remember(number, number, 1)
            assert len(memory) <= MAX_COUNT
        memory.forget()
        for number in range(100):
            memory.remember(number, number, MAX_SIZE // 16)
            assert len(memory) <= 16
        assert memory.get(99) == 99

    def test_huge(self) -> None:
        """What would take much of it is not remembered."""
        memory: Memo[int, int] = Memo()
        memory.remember(1, 1, MAX_SIZE)
        assert 1 not in memory

    def test_it_ends_with_its_connection(self) -> None:
        """Each connection has memories of its own, so that no secret of one is found by another."""
        one, other = FieldDecoder(2**16), FieldDecoder(2**16)
        block = b"\x10\x0aset-cookie\x04a=42"
        assert one.decode(block) is one.decode(block)
        assert other._blocks == {}
        assert other._strings == {}
