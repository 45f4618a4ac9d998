"""Encoding of field blocks: HPACK (RFC 7541) with a cache.

Equal fields are encoded once, as long as the dynamic table does not change. So the table should change seldom: a field
is added when it is sent a second time, so that fields which differ in each request are never added. Strings are not
compressed: Huffman's code would save a fifth of what is sent once, and take more time than all the rest.

Some fields are never indexed, neither here nor by a proxy on the way (section 7.1.3): fields with secret names, except
long cookies, which cannot be guessed piece by piece and would cost most. Paths are not indexed: their queries may
contain secrets, and they seldom repeat.
"""

from collections import deque
from typing import Final

from ...message.headers import is_secret
from .decoding import ENTRY_COST, STATIC, STATIC_COUNT
from .memo import Memo
from .request_head import RequestHead, request_fields
from .settings import DEFAULT_TABLE_SIZE

LONG_COOKIE: Final = 20  # bytes; shorter ones could be guessed

Pair = tuple[str, str]

_INDEXED: Final = 0x80  # section 6.1
_ADDED: Final = 0x40  # section 6.2.1
_RESIZED: Final = 0x20  # section 6.3
_NEVER: Final = 0x10  # section 6.2.3
_PLAIN: Final = 0x00  # section 6.2.2

_STATIC_PAIRS: Final = {field[:2]: index for index, field in enumerate(STATIC) if index}
_STATIC_NAMES: Final = {STATIC[index][0]: index for index in range(STATIC_COUNT, 0, -1)}


class FieldEncoder:
    """Encodes the blocks of one connection; all of them must be sent, in their order."""

    __slots__ = (
        "_added",
        "_blocks",
        "_changed",
        "_indexes",
        "_max_size",
        "_names",
        "_resized",
        "_room",
        "_seen",
        "_table",
        "_table_size",
    )

    def __init__(self) -> None:
        self._table: deque[tuple[Pair, int]] = deque()
        self._table_size = 0
        self._room = DEFAULT_TABLE_SIZE
        self._resized: list[int] = []  # sizes that the next block must announce
        # An entry's number counts the entries added before it; its index follows from the number of entries now.
        self._added = 0
        self._indexes: dict[Pair, int] = {}
        self._names: dict[str, int] = {}
        self._seen: Memo[Pair, bool] = Memo()
        self._blocks: Memo[RequestHead, bytes] = Memo()
        self._max_size: int | None = None
        self._changed = False  # whether encoding the last list again would have another result

    def resize(self, size: int) -> None:
        """Limit the table to the server's limit, and to 4,096 bytes (section 4.2)."""
        size = min(size, DEFAULT_TABLE_SIZE)
        if size == self._room:
            return
        # The smallest size must be announced as well, because the server has evicted entries for it.
        smallest = min([size, *self._resized])
        self._resized = [size] if smallest == size else [smallest, size]
        self._room = size
        self._evict()
        self._blocks.forget()

    def limit(self, size: int | None) -> None:
        """Refuse lists that are larger than the server accepts; None for no limit (RFC 9113, section 6.5.2)."""
        if size != self._max_size:
            self._max_size = size
            self._blocks.forget()

    def encode_head(self, head: RequestHead) -> bytes:
        """Return the block of a request.

        Raises:
            ValueError: as for ``request_fields()``, or it is larger than the server accepts; then nothing has changed.
        """
        known = self._blocks.get(head)
        if known is not None:
            return known
        fields = request_fields(head)
        size = ENTRY_COST * len(fields)
        for name, value in fields:
            size += len(name) + len(value.encode("utf-8", "surrogateescape"))
        if self._max_size is not None and size > self._max_size:
            raise ValueError(
                f"the header fields have {size} bytes, more than the {self._max_size} that the server takes"
            )
        block = self.encode(fields)
        if not self._changed:
            self._blocks.remember(head, block, size + len(block))
        return block

    def encode(self, fields: list[Pair]) -> bytes:
        """Return the block of *fields*, whose names are in lower case."""
        out = bytearray()
        self._changed = bool(self._resized)
        for size in self._resized:
            out += _integer(size, 0x1F, _RESIZED)
        self._resized.clear()
        for pair in fields:
            index = _STATIC_PAIRS.get(pair)
            if index is None and (number := self._indexes.get(pair)) is not None:
                index = STATIC_COUNT + self._added - number
            if index is None:
                out += self._literal(pair)
            elif index < 0x7F:
                out.append(_INDEXED | index)
            else:
                out += _integer(index, 0x7F, _INDEXED)
        return bytes(out)

    def _literal(self, pair: Pair) -> bytes:
        name, value = pair
        raw = value.encode("utf-8", "surrogateescape")
        kind, mask = self._kind(pair, len(raw))
        index = _STATIC_NAMES.get(name)
        if index is None and (number := self._names.get(name)) is not None:
            index = STATIC_COUNT + self._added - number
        if index is None:
            encoded = b"%c%b%b" % (kind, _integer(len(name), 0x7F, 0), name.encode())
        else:
            encoded = _integer(index, mask, kind)
        if kind == _ADDED:
            self._add(pair, ENTRY_COST + len(name) + len(raw))
        return b"%b%b%b" % (encoded, _integer(len(raw), 0x7F, 0), raw)

    def _kind(self, pair: Pair, length: int) -> tuple[int, int]:
        """Return the representation of a field that is in no table, and the mask of its index."""
        name = pair[0]
        if is_secret(name) and not (name == "cookie" and length >= LONG_COOKIE):
            return _NEVER, 0x0F
        size = ENTRY_COST + len(name) + length
        if name == ":path" or 2 * size > self._room:
            return _PLAIN, 0x0F
        self._changed = True
        if pair in self._seen:
            return _ADDED, 0x3F
        self._seen.remember(pair, True, size)
        return _PLAIN, 0x0F

    def _add(self, pair: Pair, size: int) -> None:
        self._table.appendleft((pair, size))
        self._table_size += size
        self._indexes[pair] = self._names[pair[0]] = self._added
        self._added += 1
        self._evict()
        self._blocks.forget()

    def _evict(self) -> None:
        while self._table_size > self._room:
            pair, size = self._table.pop()
            self._table_size -= size
            number = self._indexes.pop(pair)
            if self._names[pair[0]] == number:
                del self._names[pair[0]]


def _integer(number: int, mask: int, kind: int) -> bytes:
    """Return *number*, with *kind* in the bits of the first byte outside *mask* (section 5.1)."""
    if number < mask:
        return bytes((kind | number,))
    out = bytearray((kind | mask,))
    number -= mask
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
