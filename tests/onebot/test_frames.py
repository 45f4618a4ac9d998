"""The frames that a server writes itself: RFC 6455, section 5.2."""

import struct

import pytest

from aioclient.onebot.implementation.frames import BinaryMessage, frame_head


class TestFrames:
    @pytest.mark.parametrize(
        ("size", "length"),
        [
            (0, b"\x00"),
            (125, b"\x7d"),
            (126, b"\x7e" + struct.pack("!H", 126)),
            (65535, b"\x7e" + struct.pack("!H", 65535)),
            (65536, b"\x7f" + struct.pack("!Q", 65536)),
            (4 * 2**20, b"\x7f" + struct.pack("!Q", 4 * 2**20)),
        ],
    )
    def test_heads(self, size: int, length: bytes) -> None:
        """A frame is final and unmasked, says whether it is text, and its length in the fewest bytes."""
        assert frame_head(bytes(size)) == b"\x81" + length
        assert frame_head(BinaryMessage(size)) == b"\x82" + length
