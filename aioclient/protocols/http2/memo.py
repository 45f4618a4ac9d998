"""A memory of bounded size for what was worked out before and is still true.

Each connection has its own, since what it holds may be a secret, and what is true depends on the connection's tables.
"""

from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MAX_COUNT: Final = 512  # entries
MAX_SIZE: Final = 2**18  # bytes, as counted by who remembers


class Memo(dict[K, V], Generic[K, V]):
    """Looked up as any ``dict``; when it is full, it begins anew.

    A burst of what never comes again costs what was remembered, and nothing is kept to know what was used last.
    """

    __slots__ = ("_size",)

    def __init__(self) -> None:
        self._size = 0

    def remember(self, key: K, value: V, size: int) -> None:
        """Add what takes *size* bytes."""
        self._size += size
        if self._size > MAX_SIZE or len(self) >= MAX_COUNT:
            self.clear()
            self._size = size
        if size <= MAX_SIZE // 8:
            self[key] = value

    def forget(self) -> None:
        """Begin anew: what it was true for has changed."""
        if self:
            self.clear()
            self._size = 0
