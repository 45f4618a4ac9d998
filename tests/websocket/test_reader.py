"""Reading frames (RFC 6455, sections 5 and 8; RFC 7692), without a network."""

import os
import random
import zlib

import pytest
from aiohttp import WSMessage, WSMsgType
from aiohttp.http import WSMessageTextBytes
from hypothesis import given
from hypothesis import strategies as st

from aioclient.protocols.websocket.deflate import Decompressor, Deflate
from aioclient.protocols.websocket.reader import MAX_FRAMES, QUEUE_LIMIT, MessageReader

from .wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    RSV1,
    RSV2,
    RSV3,
    TEXT,
    close,
    deflated,
    frame,
)

MASK = b"\x01\x02\x03\x04"


def reader(
    max_size: int = 2**22,
    *,
    agreed: Deflate | None = None,
    decode_text: bool = True,
    answer_pings: bool = True,
) -> MessageReader:
    return MessageReader(
        max_size,
        decode_text=decode_text,
        answer_pings=answer_pings,
        decompressor=None if agreed is None else Decompressor(agreed),
    )


def read(data: bytes, **options: object) -> list[object]:
    """Return what a reader makes of *data*, whichever way it is cut, and fail if that differs."""
    results = []
    for step in (len(data), 1, 3, 7, 1000):
        made = reader(**options)  # type: ignore[arg-type]
        for start in range(0, len(data), step):
            made.feed(data[start : start + step])
        results.append((list(made.queue), str(made.error), made.closed, list(made.pings)))
    assert all(result == results[0] for result in results)
    return list(results[0][0])


def refusal(data: bytes, **options: object) -> tuple[int, str]:
    """Return code and text of the error that *data* brings, whichever way it is cut."""
    found = set()
    for step in (len(data), 1, 3, 7, 1000):
        made = reader(**options)  # type: ignore[arg-type]
        for start in range(0, len(data), step):
            made.feed(data[start : start + step])
        assert made.error is not None
        found.add((made.error.code, str(made.error)))
        before = list(made.queue)
        made.feed(frame(TEXT, b"more"))
        assert list(made.queue) == before, "nothing is read after an error"
    assert len(found) == 1
    return found.pop()


class TestMessages:
    @pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
    def test_each_form_of_the_length(self, size: int) -> None:
        """A length is read from 7, 16 or 64 bits (section 5.2)."""
        data = os.urandom(size)
        assert read(frame(BINARY, data)) == [data]
        assert read(frame(TEXT, b"x" * size)) == ["x" * size]

    def test_several_in_one_segment(self) -> None:
        """All messages of a segment are read, small and large ones mixed, in their order."""
        data = b"".join(
            [
                frame(TEXT, "é".encode()),
                frame(BINARY, b"\x00"),
                frame(BINARY, b"y" * 300),
                frame(TEXT, b""),
            ]
        )
        assert read(data) == ["é", b"\x00", b"y" * 300, ""]

    def test_fragments(self) -> None:
        """A message may come in frames, of any size, empty ones included (section 5.4)."""
        text = frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"", fin=False)
        text += frame(CONTINUATION, b"bc" * 200, fin=False) + frame(CONTINUATION, b"d")
        assert read(text) == ["a" + "bc" * 200 + "d"]
        empty = frame(BINARY, b"", fin=False) + frame(CONTINUATION, b"")
        assert read(empty + frame(TEXT, b"next")) == [b"", "next"]

    def test_control_frames_between_fragments(self) -> None:
        """Control frames may stand between the frames of a message."""
        data = frame(TEXT, b"a", fin=False) + frame(PING, b"1") + frame(PONG) + frame(PING, b"2")
        data += frame(CONTINUATION, b"b") + frame(BINARY, b"c")
        assert read(data) == ["ab", b"c"]
        made = reader()
        made.feed(data)
        assert list(made.pings) == [b"1", b"2"]

    def test_pings_are_kept_up_to_a_limit(self) -> None:
        """Of a flood of pings the latest 256 are kept to be answered."""
        made = reader()
        made.feed(b"".join(frame(PING, b"%d" % n) for n in range(1000)))
        assert list(made.pings) == [b"%d" % n for n in range(744, 1000)]

    def test_pings_and_pongs_as_messages(self) -> None:
        """Who answers pings himself gets them, and pongs too."""
        assert read(frame(PING, b"1") + frame(PONG, b"2"), answer_pings=False) == [
            WSMessage(WSMsgType.PING, b"1", ""),
            WSMessage(WSMsgType.PONG, b"2", ""),
        ]

    def test_text_as_bytes(self) -> None:
        """Text may be left undecoded, however long and fragmented it is, and then it may be anything."""
        data = frame(TEXT, b"\xff") + frame(TEXT, b"\xff" * 500)
        data += frame(TEXT, b"\xff", fin=False) + frame(CONTINUATION, b"\xfe")
        assert read(data, decode_text=False) == [
            WSMessageTextBytes(WSMsgType.TEXT, payload, "")
            for payload in (b"\xff", b"\xff" * 500, b"\xff\xfe")
        ]

    @pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1012, 1014, 3000, 4999])
    def test_close(self, code: int) -> None:
        """A close frame is the last that is read."""
        data = frame(TEXT, b"a") + close(code, "trö".encode()) + frame(TEXT, b"b")
        assert read(data) == ["a", WSMessage(WSMsgType.CLOSE, code, "trö")]

    def test_close_without_a_code(self) -> None:
        """A close frame without a payload has the code 1005, which says so (section 7.1.5)."""
        assert read(close(None)) == [WSMessage(WSMsgType.CLOSE, 1005, "")]

    def test_random_traffic(self) -> None:
        """However messages are framed and segments cut, the messages are the same."""
        chance = random.Random(5)
        agreed = Deflate()
        for _ in range(60):
            stream = zlib.compressobj(6, zlib.DEFLATED, -15)
            data, expected = b"", []
            for _ in range(chance.randrange(1, 12)):
                text = chance.random() < 0.5
                size = chance.choice([0, 1, 5, 124, 125, 126, 300, 70_000])
                payload = ("ä" * size).encode() if text else chance.randbytes(size)
                expected.append(payload.decode() if text else payload)
                rsv = 0
                if chance.random() < 0.5:
                    payload = stream.compress(payload) + stream.flush(zlib.Z_SYNC_FLUSH)
                    payload, rsv = payload[:-4], RSV1
                opcode = TEXT if text else BINARY
                while chance.random() < 0.4:
                    cut = chance.randrange(len(payload) + 1)
                    data += frame(opcode, payload[:cut], fin=False, rsv=rsv)
                    payload, opcode, rsv = payload[cut:], CONTINUATION, 0
                    if chance.random() < 0.5:
                        data += frame(PING, b"p")
                data += frame(opcode, payload, rsv=rsv)
            made = reader(agreed=agreed)
            while data:
                cut = chance.choice([1, 2, 3, 50, 5000, 200_000])
                made.feed(data[:cut])
                data = data[cut:]
                while made.stalled:
                    made.size = 0
                    made.feed(b"")
            assert made.error is None
            assert list(made.queue) == expected


class TestRefused:
    @pytest.mark.parametrize(
        ("data", "text"),
        [
            pytest.param(frame(TEXT, b"a", mask=MASK), "masked", id="WS-09-masked"),
            pytest.param(frame(TEXT, b"a", rsv=RSV2), "reserved bit", id="WS-09-rsv2"),
            pytest.param(frame(TEXT, b"a", rsv=RSV3), "reserved bit", id="WS-09-rsv3"),
            pytest.param(frame(3, b"a"), "opcode 0x3", id="WS-09-opcode-3"),
            pytest.param(frame(11), "opcode 0xb", id="WS-09-opcode-11"),
            pytest.param(frame(PING, fin=False), "fragmented", id="WS-09-fragmented-ping"),
            pytest.param(frame(CLOSE, fin=False), "fragmented", id="WS-09-fragmented-close"),
            pytest.param(frame(PING, b"x" * 126), "125 bytes", id="WS-09-long-ping"),
            pytest.param(frame(CLOSE, b"\x03"), "one byte", id="WS-09-close-of-one-byte"),
            *[
                pytest.param(close(code), f"code {code}", id=f"WS-09-close-{code}")
                for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000)
            ],
            pytest.param(frame(CONTINUATION, b"a"), "continue", id="WS-09-nothing-to-continue"),
            pytest.param(
                frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"),
                "new message",
                id="WS-09-two-at-a-time",
            ),
            pytest.param(
                frame(BINARY, b"", fin=False) + frame(BINARY, b"", fin=False),
                "new message",
                id="WS-09-two-empty-ones",
            ),
            pytest.param(frame(TEXT, b"a", rsv=RSV1), "reserved bit", id="WS-08-not-agreed"),
            pytest.param(frame(PING, b"a", rsv=RSV1), "reserved bit", id="WS-08-ping-not-agreed"),
            pytest.param(frame(BINARY, b"a", bits=16), "in 16 bits", id="WS-04-16-bits-for-1"),
            pytest.param(frame(BINARY, b"a" * 126, bits=64), "in 64 bits", id="WS-04-64-for-126"),
            pytest.param(
                frame(BINARY, bits=64, length=2**63), "highest bit", id="WS-04-highest-bit"
            ),
            pytest.param(frame(PING, b"x", bits=16), "125 bytes", id="WS-04-ping-in-16-bits"),
        ],
    )
    def test_protocol_errors(self, data: bytes, text: str) -> None:
        """What section 5 forbids fails the connection with 1002, once its head is here."""
        code, message = refusal(frame(TEXT, b"good") + data)
        assert code == 1002
        assert text in message

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(frame(TEXT, b"\xff"), id="WS-09-text"),
            pytest.param(frame(TEXT, b"\xc3"), id="WS-09-cut-off"),
            pytest.param(frame(TEXT, b"x" * 200 + b"\xed\xa0\x80"), id="WS-09-surrogate"),
            pytest.param(frame(TEXT, b"\xf4\x90\x80\x80"), id="WS-09-past-the-last"),
            pytest.param(frame(TEXT, b"a", fin=False) + frame(0, b"\xff", fin=False), id="WS-09-2"),
            pytest.param(
                frame(TEXT, b"\xc3", fin=False) + frame(CONTINUATION, b""), id="WS-09-ends-within"
            ),
            pytest.param(close(1000, b"\xff"), id="WS-09-reason"),
        ],
    )
    def test_not_utf8(self, data: bytes) -> None:
        """Text that is not UTF-8 fails with 1007, at the first frame that shows it (section 8.1)."""
        assert refusal(data)[0] == 1007

    @pytest.mark.parametrize(
        ("head", "good", "bad"),
        [
            pytest.param(
                frame(TEXT, length=25, bits=7), "κόσμε", b"\xed\xa0", id="WS-09-surrogate"
            ),
            pytest.param(frame(TEXT, length=25), "κόσμε", b"\xf4\x90", id="WS-09-6.4.3"),
            pytest.param(
                frame(TEXT, b"a", fin=False) + frame(CONTINUATION, length=9_000, fin=False),
                "x" * 5000,
                b"\xff",
                id="WS-09-continuation",
            ),
        ],
    )
    def test_not_utf8_before_the_frame_is_here(self, head: bytes, good: str, bad: bytes) -> None:
        """Text is judged as it comes: the first byte that cannot be fails, not the end of its frame."""
        made = reader()
        made.feed(head + good.encode())
        for n in range(len(bad)):
            assert made.error is None
            made.feed(bad[n : n + 1])
        assert made.error is not None
        assert made.error.code == 1007
        before = len(good.encode()) + head.count(b"a")
        assert str(made.error).endswith(f"at byte {before}")

    def test_not_utf8_before_a_compressed_frame_is_here(self) -> None:
        """So is compressed text."""
        made = reader(agreed=Deflate())
        payload = deflated(os.urandom(5000) + b"x" * 5000)
        made.feed(frame(TEXT, rsv=RSV1, length=len(payload)) + payload[:-20])
        assert made.error is not None
        assert made.error.code == 1007

    def test_text_in_pieces_of_any_size(self) -> None:
        """However text is cut, it is the same: characters of 1 to 4 bytes, pieces below and above those copied."""
        chance = random.Random(9)
        text = "".join(chance.choices("aä€\U0001f600", k=30_000))
        data = frame(TEXT, text.encode()[:40_001], fin=False)
        data += frame(CONTINUATION, text.encode()[40_001:])
        for most in (1, 4096, 5000, 30_000, 10**6):
            made = reader()
            rest = data
            while rest:
                cut = chance.randrange(most) + 1
                made.feed(rest[:cut])
                rest = rest[cut:]
            assert list(made.queue) == [text]

    @given(
        st.lists(
            st.sampled_from(["a", "ä", "€", "\U0001f600"])
            .map(str.encode)
            .flatmap(lambda good: st.sampled_from([good, good, good[:-1], b"\xed\xa0\x80"])),
            max_size=6,
        ).map(b"".join),
        st.lists(st.integers(1, 4), max_size=12),
    )
    def test_as_pythons_decoder(self, payload: bytes, cuts: list[int]) -> None:
        """Whatever text comes in whatever pieces, the result is that of decoding it whole."""
        whole = reader()
        whole.feed(frame(TEXT, payload))
        cut = reader()
        rest = frame(TEXT, payload)
        for size in cuts:
            cut.feed(rest[:size])
            rest = rest[size:]
        cut.feed(rest)
        assert list(cut.queue) == list(whole.queue)
        assert str(cut.error) == str(whole.error)

    def test_a_character_may_be_cut_by_frames(self) -> None:
        """A character may begin in one frame and end in the next."""
        data = (
            frame(TEXT, b"\xf0\x9f", fin=False) + frame(0, b"\x98", fin=False) + frame(0, b"\x80")
        )
        assert read(data) == ["\U0001f600"]

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(frame(BINARY, bits=64, length=2**40), id="WS-04-announced"),
            pytest.param(frame(BINARY, bits=16, length=1001), id="WS-04-one-more"),
            pytest.param(frame(TEXT, b"x" * 1001), id="WS-04-text"),
            pytest.param(
                frame(BINARY, b"x" * 600, fin=False) + frame(0, bits=16, length=401),
                id="WS-04-fragments",
            ),
        ],
    )
    def test_too_large(self, data: bytes) -> None:
        """A message past the limit fails with 1009 as soon as its length is announced."""
        code, text = refusal(data, max_size=1000)
        assert code == 1009
        assert "max_msg_size=1000" in text

    def test_the_limit_itself(self) -> None:
        """A message of just the limit is read, small limits included, and 0 is no limit."""
        assert read(frame(BINARY, b"x" * 1000), max_size=1000) == [b"x" * 1000]
        assert read(frame(BINARY, b"xyz"), max_size=3) == [b"xyz"]
        assert refusal(frame(BINARY, b"wxyz"), max_size=3)[0] == 1009
        assert read(frame(BINARY, b"x" * 2**17), max_size=0) == [b"x" * 2**17]


@pytest.mark.rows("WS-05")
class TestAmplification:
    def test_tiny_fragments(self) -> None:
        """The frames of one message are kept in one buffer, and past 131,072 of them it is refused with 1009."""
        assert MAX_FRAMES == 131_072
        made = reader()
        made.feed(frame(TEXT, b"a", fin=False))
        made.feed(frame(CONTINUATION, b"a", fin=False) * (MAX_FRAMES - 1))
        assert made.error is None
        assert made._message is not None
        assert len(made._message._pieces) == 1
        made.feed(frame(CONTINUATION, b"a", fin=False))
        assert made.error is not None
        assert made.error.code == 1009

    def test_a_message_of_64_kibi_frames(self) -> None:
        """A message may have as many frames as Autobahn's cases 9.3.1 and 9.4.1: 4 MiB in 64 bytes each, and a last."""
        data = frame(BINARY, b"x" * 64, fin=False)
        data += frame(CONTINUATION, b"x" * 64, fin=False) * 65_535 + frame(CONTINUATION)
        made = reader()
        made.feed(data)
        assert list(made.queue) == [b"x" * 2**22]

    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    def test_a_frame_in_tiny_segments(self, opcode: int) -> None:
        """A frame that drips in is kept in one buffer, not byte by byte."""
        made = reader()
        data = frame(opcode, "é".encode() * 25_000)
        for n in range(len(data) - 1):
            made.feed(data[n : n + 1])
            assert made._message is None or len(made._message._pieces) == 1
        made.feed(data[-1:])
        assert list(made.queue) == ["é" * 25_000 if opcode == TEXT else "é".encode() * 25_000]

    def test_what_comes_in_one_segment_waits(self) -> None:
        """Past the queue's limit a segment's rest waits unread: small messages may inflate to large ones."""
        made = reader(agreed=Deflate())
        bomb = frame(BINARY, deflated(bytes(2**20)), rsv=RSV1)
        made.feed(bomb * 50)
        assert len(made.queue) == 1
        assert made.stalled
        for count in range(2, 51):
            made.size = 0
            made.feed(b"")
            assert len(made.queue) == count
        assert not made.stalled
        assert QUEUE_LIMIT < 2**20


class TestDeflate:
    @pytest.mark.parametrize(
        ("payloads", "texts"),
        [
            pytest.param(["f248cdc9c90700"], ["Hello"], id="WS-08-7.2.3.1-one-block"),
            pytest.param(["f248cdc9c90700", "f200110000"], ["Hello"] * 2, id="WS-08-7.2.3.2"),
            pytest.param(["000500faff48656c6c6f00"], ["Hello"], id="WS-08-7.2.3.3-stored"),
            pytest.param(["f348cdc9c9070000"], ["Hello"], id="WS-08-7.2.3.4-bfinal"),
            pytest.param(["f348cdc9c9070000"] * 3, ["Hello"] * 3, id="WS-08-bfinal-again"),
            pytest.param(
                ["f248050000 00ffff cac9c90700".replace(" ", "")], ["Hello"], id="WS-08-7.2.3.5"
            ),
            pytest.param(["00"], [""], id="WS-08-7.2.3.6-empty"),
        ],
    )
    def test_the_examples_of_the_rfc(self, payloads: list[str], texts: list[str]) -> None:
        """Messages compressed in each way of RFC 7692, section 7.2.3, are read."""
        data = b"".join(frame(TEXT, bytes.fromhex(payload), rsv=RSV1) for payload in payloads)
        assert read(data, agreed=Deflate()) == texts

    def test_fragments(self) -> None:
        """A compressed message may be cut into frames; only the first one is marked (section 6.1)."""
        data = frame(TEXT, bytes.fromhex("f248cd"), fin=False, rsv=RSV1)
        data += frame(PING, b"p") + frame(CONTINUATION, bytes.fromhex("c9c90700"))
        assert read(data, agreed=Deflate()) == ["Hello"]

    @pytest.mark.rows("WS-08")
    def test_control_and_plain_frames_in_between(self) -> None:
        """Control frames, and messages that are not compressed, leave the compression's state alone."""
        stream = zlib.compressobj(6, zlib.DEFLATED, -15)
        data = b""
        for n in range(3):
            payload = stream.compress(b"the same text %d" % n) + stream.flush(zlib.Z_SYNC_FLUSH)
            data += frame(PING, b"x") + frame(TEXT, payload[:-4], rsv=RSV1)
            data += frame(PONG) + frame(TEXT, b"plain")
        assert read(data, agreed=Deflate()) == [
            text for n in range(3) for text in (f"the same text {n}", "plain")
        ]

    def test_no_context_takeover(self) -> None:
        """Without context takeover each message begins anew; what refers to the last one is an error."""
        agreed = Deflate(server_no_takeover=True)
        alone = frame(TEXT, deflated(b"Hello"), rsv=RSV1)
        assert read(alone * 2, agreed=agreed) == ["Hello"] * 2
        refers = frame(TEXT, bytes.fromhex("f200110000"), rsv=RSV1)
        assert refusal(alone + refers, agreed=agreed)[0] == 1007

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            pytest.param(frame(TEXT, b"\xff\xff", rsv=RSV1), 1007, id="WS-08-no-deflate"),
            pytest.param(
                frame(TEXT, deflated(b"a"), fin=False, rsv=RSV1)
                + frame(CONTINUATION, b"", rsv=RSV1),
                1002,
                id="WS-08-marked-continuation",
            ),
            pytest.param(frame(PING, b"", rsv=RSV1), 1002, id="WS-08-marked-ping"),
            pytest.param(frame(TEXT, deflated(b"\xff"), rsv=RSV1), 1007, id="WS-08-no-utf8"),
            pytest.param(
                frame(TEXT, deflated(b"\xff" * 9), fin=False, rsv=RSV1),
                1007,
                id="WS-08-no-utf8-yet",
            ),
            pytest.param(
                frame(TEXT, bytes.fromhex("0300") * 20, rsv=RSV1), 1007, id="WS-08-many-streams"
            ),
        ],
    )
    def test_refused(self, data: bytes, code: int) -> None:
        """What is not compressed as agreed fails the connection."""
        assert refusal(data, agreed=Deflate())[0] == code

    @pytest.mark.rows("WS-03")
    @pytest.mark.parametrize("fragments", [1, 10])
    def test_bomb(self, fragments: int) -> None:
        """What inflates past the limit is refused with 1009, and not made."""
        bomb = deflated(bytes(200 * 2**20))
        size = len(bomb) // fragments + 1
        data = frame(BINARY, bomb[:size], fin=fragments == 1, rsv=RSV1)
        for n in range(1, fragments):
            data += frame(CONTINUATION, bomb[n * size :][:size], fin=n == fragments - 1)
        made = reader(2**20, agreed=Deflate())
        made.feed(data)
        assert made.error is not None
        assert made.error.code == 1009
        assert not made.queue

    @pytest.mark.rows("WS-03")
    def test_the_limit_itself(self) -> None:
        """A message that inflates to just the limit is read, whether or not it can be compressed."""
        for content in (bytes(10_000), os.urandom(10_000)):
            data = frame(BINARY, deflated(content), rsv=RSV1)
            assert read(data, max_size=10_000, agreed=Deflate()) == [content]
            assert refusal(data, max_size=9_999, agreed=Deflate())[0] == 1009
        assert read(frame(BINARY, deflated(bytes(10**6)), rsv=RSV1), max_size=0, agreed=Deflate())
