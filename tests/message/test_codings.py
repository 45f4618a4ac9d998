"""Content codings (RFC 9110, section 8.4), and what hostile servers do with them."""

import gzip
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterable
from itertools import pairwise

import brotli
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from aioclient.exceptions import BodyTooLargeError, ClientPayloadError, ContentDecodingError
from aioclient.message.codings import STEP, accept_encoding, decode_all, make_decoder

TEXT = b"".join(b"line %d of a text that compresses well\n" % number for number in range(40))
JUNK = b"JUNK that is no member of anything"


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data, wbits=-15)


ENCODE: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate-zlib": ("deflate", zlib.compress),
    "deflate-raw": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstd.compress),
    "zstd-checksum": (
        "zstd",
        lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}),
    ),
}
BY_CODING = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress}
BY_CODING["zstd"] = zstd.compress


def each_coding(row: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("coding", "encode"),
        [pytest.param(*pair, id=f"{row}-{name}") for name, pair in ENCODE.items()],
    )


def decode(coding: str, segments: Iterable[bytes], step: int = STEP) -> bytes:
    """Decode as a stream does: all that is pending first, then the next segment."""
    decoder = make_decoder(coding)
    assert decoder is not None
    output = []
    for segment in segments:
        piece = decoder.decode(segment, step)
        assert len(piece) <= max(step, 2**15)
        output.append(piece)
        while decoder.pending:
            piece = decoder.decode(b"", step)
            assert len(piece) <= max(step, 2**15)
            output.append(piece)
    decoder.finish()
    return b"".join(output)


def split(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    positions = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[start:end] for start, end in pairwise(positions) if start < end]


def zeros(coding: str, size: int) -> bytes:
    """*size* zero bytes, encoded without ever being whole in memory."""
    compressor: zlib._Compress | zstd.ZstdCompressor
    if coding == "br":
        encoder = brotli.Compressor(quality=5)
        return b"".join(
            [encoder.process(bytes(2**20)) for _ in range(size >> 20)] + [encoder.finish()]
        )
    if coding == "zstd":
        compressor = zstd.ZstdCompressor()
    else:
        compressor = zlib.compressobj(wbits={"gzip": 31, "deflate": 15}[coding])
    return b"".join(
        [compressor.compress(bytes(2**20)) for _ in range(size >> 20)] + [compressor.flush()]
    )


def zstd_with_window(log: int) -> bytes:
    """TEXT in a frame that does not tell its size, so that its window is what the decoder needs."""
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: log})
    return compressor.compress(TEXT) + compressor.flush()


class TestWhatIsDecoded:
    @each_coding("decodes")
    def test_body_is_decoded(self, coding: str, encode: Callable[[bytes], bytes]) -> None:
        """Each coding gives back what was encoded, in one call, as a stream, and byte by byte."""
        encoded = encode(TEXT)
        assert decode_all(encoded, coding) == TEXT
        assert decode(coding, [encoded]) == TEXT
        assert decode(coding, [encoded[i : i + 1] for i in range(len(encoded))]) == TEXT

    @each_coding("steps")
    @pytest.mark.parametrize("step", [1, 7, 1000, 2**15, 2**16, 100_000])
    def test_step_is_bounded(
        self, coding: str, encode: Callable[[bytes], bytes], step: int
    ) -> None:
        """No step gives more than it was asked for, whatever the size of the body."""
        data = TEXT if step < 1000 else bytes(1_000_000) + TEXT * 30
        assert decode(coding, [encode(data)], step) == data

    @each_coding("prompt")
    def test_nothing_is_held_back(self, coding: str, encode: Callable[[bytes], bytes]) -> None:
        """What the input so far gives, small steps give too, before more input comes."""
        encoded = encode(bytes(100_000))
        for cut in range(1, len(encoded)):
            sizes = []
            for step in (100, STEP):
                decoder = make_decoder(coding)
                assert decoder is not None
                size = len(decoder.decode(encoded[:cut], step))
                while decoder.pending:
                    size += len(decoder.decode(b"", step))
                sizes.append(size)
            assert sizes[0] == sizes[1]

    @pytest.mark.parametrize(
        "coding", ["GZip", "x-gzip", "X-GZIP", " gzip\t", "identity, gzip", ",gzip,"]
    )
    def test_names_are_case_insensitive(self, coding: str) -> None:
        """Names of codings are case-insensitive, x-gzip is gzip, identity and empty items nothing."""
        assert decode_all(gzip.compress(TEXT), coding) == TEXT
        assert decode(coding, [gzip.compress(TEXT)]) == TEXT

    @pytest.mark.parametrize(
        "coding", ["", "identity", "IDENTITY, identity", "aws-chunked", "gzip, sdch"]
    )
    def test_unknown_coding_is_left(self, coding: str) -> None:
        """A body in no coding, or in one that is not known, stays as it is."""
        assert make_decoder(coding) is None
        assert decode_all(TEXT, coding) == TEXT
        assert decode_all(TEXT, coding, len(TEXT)) == TEXT
        with pytest.raises(BodyTooLargeError):
            decode_all(TEXT, coding, len(TEXT) - 1)

    @pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, br, zstd"])
    def test_empty_body(self, coding: str) -> None:
        """An empty body is an empty body in every coding: servers send the header with it."""
        assert decode_all(b"", coding) == b""
        assert decode(coding, []) == b""

    def test_accept_encoding(self) -> None:
        """Accept-Encoding asks for what is decoded here."""
        assert accept_encoding() == "gzip, deflate, br, zstd"

    def test_accept_encoding_without_extras(self) -> None:
        """Without the packages br and zstd are not asked for, and name the pip command if they come."""
        program = (
            "import sys\n"
            "absent = ('brotli', 'brotlicffi', 'backports', 'backports.zstd', 'compression.zstd')\n"
            "sys.modules.update(dict.fromkeys(absent))\n"
            "from aioclient.exceptions import ContentDecodingError\n"
            "from aioclient.message.codings import accept_encoding, make_decoder\n"
            "print(accept_encoding())\n"
            "for coding in 'br', 'zstd', 'gzip, br':\n"
            "    try:\n"
            "        make_decoder(coding)\n"
            "    except ContentDecodingError as error:\n"
            "        print(error)\n"
        )
        output = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        assert output[0] == "gzip, deflate"
        assert len(output) == 4
        for line in output[1:]:
            assert "pip install -U 'aioclient[speedups]'" in line

    def test_codecs_are_imported_late(self) -> None:
        """Importing the library does not import what decodes br and zstd."""
        program = (
            "import sys, aiohttp\n"
            "for name in 'brotli', 'brotlicffi', 'backports.zstd': sys.modules.pop(name, None)\n"
            "import aioclient.message.codings\n"
            "print(sorted({'brotli', 'brotlicffi', 'backports.zstd'} & set(sys.modules)))\n"
        )
        output = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout
        assert output == "[]\n"


class TestChains:
    def test_order(self) -> None:
        """The coding listed last was applied last, and is undone first."""
        encoded = zstd.compress(brotli.compress(gzip.compress(TEXT)))
        assert decode_all(encoded, "gzip, br, zstd") == TEXT
        with pytest.raises(ContentDecodingError):
            decode_all(encoded, "zstd, br, gzip")

    @pytest.mark.parametrize("count", [2, 3, 4, 5])
    def test_up_to_five(self, count: int) -> None:
        """Up to five codings are undone."""
        encoded = TEXT
        for _ in range(count):
            encoded = gzip.compress(encoded)
        coding = ", ".join(["gzip"] * count)
        assert decode_all(encoded, coding) == TEXT
        assert decode(coding, [encoded[i : i + 1] for i in range(len(encoded))], step=10) == TEXT

    @pytest.mark.parametrize(
        "coding",
        [
            pytest.param(", ".join(["gzip"] * 6), id="DEC-03-six"),
            pytest.param(", ".join(["gzip"] * 100), id="DEC-03-hundred"),
            pytest.param(",".join(["gzip,br,zstd,deflate"] * 25), id="DEC-03-mixed"),
            pytest.param(", ".join(["gzip"] * 100 + ["unknown"]), id="DEC-03-unknown"),
        ],
    )
    def test_more_are_refused(self, coding: str) -> None:
        """More than five codings are an error, and none is undone."""
        with pytest.raises(ContentDecodingError, match="at most 5"):
            make_decoder(coding)
        with pytest.raises(ContentDecodingError, match="at most 5"):
            decode_all(TEXT, coding)

    def test_bomb_within_a_bomb(self) -> None:
        """A bomb in a bomb gives no more in a step than any other body."""
        inner = zeros("gzip", 2**26)
        decoder = make_decoder("gzip, zstd")
        assert decoder is not None
        assert len(decoder.decode(zstd.compress(inner), 1000)) == 1000
        assert decoder.pending

    def test_pass_that_gives_nothing_ends(self) -> None:
        """A coding that unpacks into thousands of empty members gives the caller its turn between."""
        inner = gzip.compress(b"") * 20_000
        decoder = make_decoder("gzip, gzip")
        assert decoder is not None
        assert decoder.decode(gzip.compress(inner), STEP) == b""
        assert decoder.pending
        assert decode("gzip, gzip", [gzip.compress(inner + gzip.compress(TEXT))]) == TEXT


class TestEnds:
    @each_coding("H1-14")
    def test_truncated(self, coding: str, encode: Callable[[bytes], bytes]) -> None:
        """A body cut at any byte is an error, never a shorter body."""
        encoded = encode(TEXT)
        for cut in range(1, len(encoded)):
            with pytest.raises(ContentDecodingError):
                decode_all(encoded[:cut], coding)
            with pytest.raises(ContentDecodingError):
                decode(coding, split(encoded[:cut], [cut // 2]))

    @pytest.mark.parametrize("coding", ["gzip, br", "br, gzip", "zstd, deflate"])
    def test_truncated_in_a_chain(self, coding: str) -> None:
        """So is one whose inner coding is cut while the outer one is whole."""
        first, second = (BY_CODING[name] for name in coding.split(", "))
        inner = first(TEXT)
        for cut in range(1, len(inner)):
            with pytest.raises(ContentDecodingError):
                decode_all(second(inner[:cut]), coding)

    @each_coding("DEC-05-junk")
    def test_trailing_junk(self, coding: str, encode: Callable[[bytes], bytes]) -> None:
        """Anything after the end of the coding is an error, in the same segment or a later one."""
        encoded = encode(TEXT)
        for junk in (JUNK, b"\0", b"\0" * 100, b"\x1f", b"\n"):
            with pytest.raises(ContentDecodingError):
                decode_all(encoded + junk, coding)
            with pytest.raises(ContentDecodingError):
                decode(coding, [encoded, junk])
            with pytest.raises(ContentDecodingError):
                decode(coding, [encoded + junk], step=10)

    @each_coding("DEC-05-junk-lenient")
    @pytest.mark.parametrize("count", [1, 2])
    def test_trailing_junk_is_ignored(
        self, coding: str, encode: Callable[[bytes], bytes], count: int
    ) -> None:
        """A lenient decoder ignores what is no other member, however it is cut; truncated data stay an error."""
        if coding == "br":
            pytest.skip("brotli does not tell where its data end")
        if count > 1 and coding not in ("gzip", "zstd"):
            pytest.skip("it has one member")
        encoded = encode(TEXT) * count
        for junk in (
            JUNK,
            b"\0",
            b"\0" * 100,
            b"\x1f",
            b"\x1f\x8b",
            b"\x1f\x8b\x07",
            b"(",
            b"(\xb5/",
            b"\n",
            b"P*M!",
        ):
            body = encoded + junk
            assert decode_all(body, coding, lenient=True) == TEXT * count
            for step in (10, STEP):
                for cuts in ([len(encoded)], range(len(encoded) - 2, len(body)), [5]):
                    decoder = make_decoder(coding, lenient=True)
                    assert decoder is not None
                    pieces = []
                    for segment in split(body, cuts):
                        pieces.append(decoder.decode(segment, step))
                        while decoder.pending:
                            pieces.append(decoder.decode(b"", step))
                    decoder.finish()
                    assert b"".join(pieces) == TEXT * count
        with pytest.raises(ContentDecodingError):
            decode_all(encoded[:-1], coding, lenient=True)

    @each_coding("DEC-05-junk-named")
    def test_trailing_junk_is_named(self, coding: str, encode: Callable[[bytes], bytes]) -> None:
        """The error about what follows says that lenient=True accepts it."""
        with pytest.raises(ContentDecodingError) as caught:
            decode_all(encode(TEXT) + b"\n", coding)
        assert ("lenient=True" in str(caught.value)) is (coding != "br")

    @pytest.mark.parametrize(
        ("coding", "encode"),
        [
            pytest.param("gzip", gzip.compress, id="DEC-05-gzip-members"),
            pytest.param("zstd", zstd.compress, id="DEC-05-zstd-frames"),
        ],
    )
    @pytest.mark.parametrize("count", [2, 3, 1000])
    def test_members(self, coding: str, encode: Callable[[bytes], bytes], count: int) -> None:
        """All gzip members and zstd frames are decoded, however they are cut into segments."""
        parts = [b"part %d\n" % number for number in range(count)]
        encoded = b"".join(encode(part) for part in parts)
        assert decode_all(encoded, coding) == b"".join(parts)
        assert decode(coding, [encoded], step=5) == b"".join(parts)
        assert decode(coding, split(encoded, range(0, len(encoded), 7))) == b"".join(parts)

    def test_large_members(self) -> None:
        """Members larger than a window of input follow each other as small ones do."""
        parts = [TEXT * 100, bytes(range(256)) * 3000, b"", TEXT]
        for encode, coding in ((gzip.compress, "gzip"), (zstd.compress, "zstd")):
            encoded = b"".join(encode(part) for part in parts)
            assert decode_all(encoded, coding) == b"".join(parts)
            assert decode(coding, split(encoded, [10, 999, 70_000])) == b"".join(parts)

    def test_skippable_frames(self) -> None:
        """zstd frames that carry no content are skipped (RFC 8878, section 3.1.2)."""
        skippable = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"abcde"
        encoded = skippable + zstd.compress(TEXT) + skippable
        assert decode_all(encoded, "zstd") == TEXT
        with pytest.raises(ContentDecodingError):
            decode_all(encoded[:-1], "zstd")

    @pytest.mark.parametrize("coding", ["deflate", "br"])
    def test_codings_without_members(self, coding: str) -> None:
        """deflate and br have no members: a second stream is something after the end."""
        encoded = BY_CODING[coding](TEXT)
        with pytest.raises(ContentDecodingError):
            decode_all(encoded + encoded, coding)

    @each_coding("damaged")
    def test_damaged(self, coding: str, encode: Callable[[bytes], bytes]) -> None:
        """Whatever byte is wrong, nothing else than a payload error comes out."""
        encoded = encode(TEXT)
        for position in range(len(encoded)):
            damaged = bytearray(encoded)
            damaged[position] ^= 0x55
            try:
                decode_all(bytes(damaged), coding)
            except ClientPayloadError as error:
                assert f"Content-Encoding {coding}:" in str(error)

    @pytest.mark.parametrize(
        "encoded",
        [
            pytest.param(
                gzip.compress(TEXT)[:-8] + b"\0\0\0\0" + gzip.compress(TEXT)[-4:], id="crc"
            ),
            pytest.param(gzip.compress(TEXT)[:-4] + b"\1\2\3\4", id="length"),
        ],
    )
    def test_gzip_trailer(self, encoded: bytes) -> None:
        """The checksum and the length at a gzip member's end are verified."""
        with pytest.raises(ContentDecodingError, match="gzip"):
            decode_all(encoded, "gzip")

    @pytest.mark.parametrize(
        ("coding", "encoded"),
        [
            pytest.param("zstd", zstd_with_window(27), id="DEC-04-zstd-128MiB"),
            pytest.param("zstd", zstd_with_window(24), id="DEC-04-zstd-16MiB"),
            pytest.param("br", b"\x11\x1e" + bytes(20), id="DEC-04-br-large-window"),
        ],
    )
    def test_windows(self, coding: str, encoded: bytes) -> None:
        """A frame that asks for a window above 8 MiB (zstd) or 16 MiB (br) is refused."""
        with pytest.raises(ContentDecodingError):
            decode_all(encoded, coding)

    def test_window_of_8_mib(self) -> None:
        """A zstd window of 8 MiB, the largest allowed for HTTP (RFC 9659), is decoded."""
        assert decode_all(zstd_with_window(23), "zstd") == TEXT


class TestSizes:
    @pytest.mark.parametrize("coding", [pytest.param(c, id=f"DEC-01-{c}") for c in BY_CODING])
    def test_max_size(self, coding: str) -> None:
        """max_size counts decoded bytes; a body of just that size passes."""
        encoded = BY_CODING[coding](TEXT)
        assert decode_all(encoded, coding, len(TEXT)) == TEXT
        with pytest.raises(BodyTooLargeError, match=f"max_body_size={len(TEXT) - 1}"):
            decode_all(encoded, coding, len(TEXT) - 1)

    @pytest.mark.parametrize("coding", [pytest.param(c, id=f"DEC-01-{c}") for c in BY_CODING])
    def test_bomb_stops_at_max_size(self, coding: str) -> None:
        """A bomb is not unpacked further than max_size and one step."""
        bomb = zeros(coding, 2**28)
        for max_size in (0, 1000, 2**20):
            with pytest.raises(BodyTooLargeError):
                decode_all(bomb, coding, max_size)

    @pytest.mark.parametrize("coding", ["gzip", "zstd"])
    def test_empty_members(self, coding: str) -> None:
        """Members that give nothing end the step after some of them."""
        decoder = make_decoder(coding)
        assert decoder is not None
        data = BY_CODING[coding](b"") * 1000 + BY_CODING[coding](TEXT)
        assert decoder.decode(data, STEP) == b""
        assert decoder.pending
        assert decode_all(data, coding) == TEXT


@given(
    data=st.binary(max_size=300) | st.integers(0, 3000).map(bytes),
    coding=st.sampled_from(sorted(ENCODE)),
    cuts=st.lists(st.integers(0, 4000), max_size=20),
    step=st.sampled_from([1, 2, 50, 1000, STEP]),
)
def test_segments_do_not_matter(data: bytes, coding: str, cuts: list[int], step: int) -> None:
    """However a body is cut into segments and steps, the same comes out."""
    name, encode = ENCODE[coding]
    assert decode(name, split(encode(data), cuts), step) == data


@settings(max_examples=50)
@given(
    parts=st.lists(st.binary(max_size=50), min_size=1, max_size=6),
    coding=st.sampled_from(["gzip", "zstd"]),
    junk=st.sampled_from([b"", JUNK, b"\0"]),
    cuts=st.lists(st.integers(0, 1000), max_size=10),
    step=st.sampled_from([1, 10, STEP]),
)
def test_segments_do_not_matter_to_members(
    parts: list[bytes], coding: str, junk: bytes, cuts: list[int], step: int
) -> None:
    """So it is with members, and with junk behind them: always an error."""
    encoded = b"".join(BY_CODING[coding](part) for part in parts) + junk
    segments = split(encoded, cuts)
    if junk:
        with pytest.raises(ContentDecodingError):
            decode(coding, segments, step)
    else:
        assert decode(coding, segments, step) == b"".join(parts)


@given(data=st.binary(max_size=200), coding=st.sampled_from(["gzip", "deflate", "br", "zstd"]))
def test_only_payload_errors(data: bytes, coding: str) -> None:
    """Bytes that are in no coding raise a ContentDecodingError or are decoded, and nothing else."""
    try:
        decode_all(data, coding, 10_000)
    except ClientPayloadError:
        pass
