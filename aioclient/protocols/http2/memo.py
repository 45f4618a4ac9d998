"""A cache of bounded size.

Each connection has its own, because its contents may be secret, and are valid only with the connection's tables.
"""

from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MAX_COUNT: Final = 512  # entries
MAX_SIZE: Final = 2**18  # bytes, as counted by the callers


class Memo(dict[K, V], Generic[K, V]):
    """A ``dict`` that is emptied when it is full.

    A burst of entries that never repeat costs the cached entries; in return, no order of use is kept.
    """

    __slots__ = ("_size",)

    def __init__(self) -> None:
        self._size = 0

    def remember(self, key: K, value: V, size: int) -> None:
        """Add an entry of *size* bytes."""
        self._size += size
        if self._size > MAX_SIZE or len(self) >= MAX_COUNT:
            self.clear()
            self._size = size
        if size <= MAX_SIZE // 8:
            self[key] = value

    def forget(self) -> None:
        """Empty it: its entries are not valid any more."""
        if self:
            self.clear()
            self._size = 0
