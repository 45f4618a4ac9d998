"""How large plain data may be."""

from typing import Final

MAX_DEPTH: Final = 100
"""Lists and dicts within each other; chat messages have fewer than ten, and parsers give up at some hundreds."""
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
UINT64_MAX: Final = 2**64 - 1
"""What MessagePack can carry; the integers of OneBot's own fields are signed."""
