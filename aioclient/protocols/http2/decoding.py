"""Decoding of field blocks: HPACK (RFC 7541) with a cache.

A block that was decoded before is found in the cache. This is the common case, because servers answer similar requests
alike. A block that uses no entry of the dynamic table always means the same, whatever it adds to that table; nginx
sends only such blocks. The result of another block is cached until the table changes. Huffman-coded strings have a
cache of their own.

hpack decodes the Huffman code. Everything else is decoded here: hpack's own decoder takes ten times as long, writes
fields to its debug log, including secrets, and is unusable after a list that is too long.

Names and values are checked when they enter a list or the table, by the validator that also checks outgoing fields (RFC
9113, section 8.2.1). A fault in a field makes its message malformed, but not its connection: the table stays valid.
"""

import re
from collections import deque
from typing import Any, Final

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from ...message.headers import check_name, check_value, shown_text
from .errors import ConnectionFailure, ErrorCode
from .memo import Memo
from .settings import DEFAULT_TABLE_SIZE

# Name, value, size (section 4.1), and the fault.
Field = tuple[str, str, int, str]

ENTRY_COST: Final = 32  # bytes of a field besides its name and value (section 4.1)
STATIC_COUNT: Final = 61
MAX_INTEGER: Final = 2**28  # more than any valid index, length or size
MAX_TABLE: Final = 2**15  # bytes of old entries of the table that are kept in memory
MAX_HUFFMAN: Final = 256  # bytes of a string that is worth caching

_has_capital: Final = re.compile("[A-Z]").search


class FieldList:
    """The decoded fields of a block.

    Attributes:
        fields: Names and values in their order; empty if they are too many.
        size: Their size in the sense of RFC 9113, section 6.5.2.
        problem: The fault of the first faulty field; empty if there is none.
        added: The entries that the block adds to the table, in their order.
        added_size: Their size in the table.
        head: The result of ``response_head()``; None before it was called.
    """

    __slots__ = ("added", "added_size", "fields", "head", "problem", "size")

    def __init__(
        self, fields: list[tuple[str, str]], size: int, problem: str, added: tuple[Field, ...]
    ) -> None:
        self.fields: list[tuple[str, str]] = fields
        self.size: int = size
        self.problem: str = problem
        self.added: tuple[Field, ...] = added
        self.added_size: int = sum(field[2] for field in added)
        self.head: Any = None


class FieldDecoder:
    """Decodes the blocks of one connection; it must get all of them, in their order.

    Args:
        max_size: bytes of a list; of a longer one only the size is returned.
    """

    __slots__ = (
        "_blocks",
        "_dependent",
        "_depends",
        "_max_size",
        "_room",
        "_strings",
        "_table",
        "_table_size",
    )

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._table: deque[Field] = deque()
        self._table_size = 0
        self._room = DEFAULT_TABLE_SIZE  # as last set by the server's encoder
        self._blocks: Memo[bytes, FieldList] = Memo()  # blocks that use no entry of the table
        self._dependent: Memo[bytes, FieldList] = Memo()  # blocks that use entries, and add none
        self._depends = False  # whether the current block uses an entry
        self._strings: Memo[bytes, bytes] = Memo()

    def decode(self, block: bytes) -> FieldList:
        """Return the fields of a complete block.

        Raises:
            ConnectionFailure: it is not valid HPACK. The table is lost, and so is the connection (RFC 9113, section
                4.3).
        """
        known = self._blocks.get(block)
        if known is not None:
            if known.added:
                self._table.extendleft(known.added)
                self._table_size += known.added_size
                if self._table_size > MAX_TABLE:
                    self._evict()
                if self._dependent:
                    self._dependent.forget()
            return known
        known = self._dependent.get(block)
        if known is not None:
            return known
        try:
            return self._decode(block)
        except IndexError:
            raise _failure(
                "a block ends within a field, or has an index that no table has"
            ) from None
        except HPACKDecodingError as error:
            raise _failure("a string is not in Huffman's code", "section 5.2") from error

    def _decode(self, block: bytes) -> FieldList:
        end = len(block)
        position = self._resize(block) if block and block[0] & 0xE0 == 0x20 else 0
        resized = position != 0
        self._depends = False
        added: list[Field] = []
        fields: list[tuple[str, str]] = []
        size = 0
        problem = ""
        while position < end:
            first = block[position]
            if first >= 0x80:  # section 6.1
                position += 1
                index = first & 0x7F
                if index == 0x7F:
                    index, position = _integer(block, position, 0x7F)
                field = STATIC[index] if index <= STATIC_COUNT else self._entry(index)
                if not index:
                    raise _failure("index 0 is used", "section 6.1")
            elif first >= 0x40:  # section 6.2.1
                field, position = self._literal(block, position, 0x3F)
                self._table.appendleft(field)
                self._grow(field[2])
                added.append(field)
            elif first >= 0x20:
                raise _failure("a change of the table's size follows a field", "section 4.2")
            else:  # sections 6.2.2 and 6.2.3
                field, position = self._literal(block, position, 0x0F)
            size += field[2]
            if size <= self._max_size:
                fields.append(field[:2])
                if field[3] and not problem:
                    problem = field[3]
        if size > self._max_size:
            return FieldList([], size, problem, ())
        found = FieldList(fields, size, problem, tuple(added))
        if not (resized or self._depends):
            self._blocks.remember(block, found, end + size)
        elif not (resized or added):
            self._dependent.remember(block, found, end + size)
        return found

    def _literal(self, block: bytes, position: int, mask: int) -> tuple[Field, int]:
        """Return the literal field at *position*, and where it ends."""
        index = block[position] & mask
        position += 1
        if index == mask:
            index, position = _integer(block, position, mask)
        if index:
            known = STATIC[index] if index <= STATIC_COUNT else self._entry(index)
            name, problem = known[0], known[3] and _name_problem(known[0])
        else:
            raw, position = self._string(block, position)
            name = raw.decode("utf-8", "surrogateescape")
            problem = _name_problem(name)
        raw, position = self._string(block, position)
        value = raw.decode("utf-8", "surrogateescape")
        name_size = len(name if name.isascii() else name.encode("utf-8", "surrogateescape"))
        size = ENTRY_COST + name_size + len(raw)
        return (name, value, size, problem or _value_problem(name, value)), position

    def _string(self, block: bytes, position: int) -> tuple[bytes, int]:
        """Return the string at *position*, and where it ends (section 5.2)."""
        first = block[position]
        position += 1
        length = first & 0x7F
        if length == 0x7F:
            length, position = _integer(block, position, 0x7F)
        end = position + length
        raw = block[position:end]
        if len(raw) != length:
            raise IndexError
        if first >= 0x80:
            known = self._strings.get(raw)
            if known is None:
                known = decode_huffman(raw)
                if length <= MAX_HUFFMAN:
                    self._strings.remember(raw, known, length + len(known))
            raw = known
        return raw, end

    def _resize(self, block: bytes) -> int:
        """Apply the changes of the table's size at the beginning of a block; return where they end (sections 4.2 and
        6.3).
        """
        position = 0
        changes = 0
        while position < len(block) and block[position] & 0xE0 == 0x20:
            room = block[position] & 0x1F
            position += 1
            if room == 0x1F:
                room, position = _integer(block, position, 0x1F)
            changes += 1
            if room > DEFAULT_TABLE_SIZE or changes > 2:
                raise _failure(
                    f"the table's size is changed to {room}, time {changes}", "section 4.2"
                )
            self._evict()
            self._room = room
            self._evict()
        self._dependent.forget()
        return position

    def _entry(self, index: int) -> Field:
        """Return an entry of the dynamic table (section 2.3.3)."""
        self._depends = True
        if self._table_size > self._room:
            self._evict()
        return self._table[index - STATIC_COUNT - 1]

    def _grow(self, size: int) -> None:
        """Note that entries of *size* bytes were added in front of all others.

        The oldest ones are evicted later, at the latest when an entry is used: only then it matters which they are.
        """
        self._table_size += size
        if self._table_size > MAX_TABLE:
            self._evict()
        if self._dependent:
            self._dependent.forget()

    def _evict(self) -> None:
        """Drop the oldest entries that exceed the table's size (section 4.4)."""
        left, room, pop = self._table_size, self._room, self._table.pop
        while left > room:
            left -= pop()[2]
        self._table_size = left


def _integer(block: bytes, position: int, number: int) -> tuple[int, int]:
    """Return *number*, which filled its prefix, plus the bytes at *position* (section 5.1)."""
    shift = 0
    while True:
        byte = block[position]
        position += 1
        number += (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
        shift += 7
        if shift > 28 or number > MAX_INTEGER:
            raise _failure("an integer is too large", "section 5.1")


def _name_problem(name: str) -> str:
    """Return the fault of a name; the colon of pseudo-fields is valid (RFC 9113, sections 8.2.1 and 8.3)."""
    try:
        check_name(name[1:] if name[:1] == ":" else name)
    except ValueError:
        return f"the field name {shown_text(name)} is not a token"
    if _has_capital(name):
        return f"the field name {shown_text(name)} has capital letters"
    return ""


def _value_problem(name: str, value: str) -> str:
    """Return the fault of a value (RFC 9113, section 8.2.1)."""
    try:
        check_value(name, value)
    except ValueError as error:
        return str(error)
    if value and (value[0] in " \t" or value[-1] in " \t"):
        return f"the value of {name} begins or ends with a blank"
    return ""


def _failure(found: str, section: str = "") -> ConnectionFailure:
    where = f"RFC 7541, {section}" if section else "RFC 9113, section 4.3"
    return ConnectionFailure(ErrorCode.COMPRESSION_ERROR, found, where)


# Index 0 has a place of its own, and is refused where it is used.
STATIC: Final[tuple[Field, ...]] = (
    ("", "", 0, ""),
    *[
        (name.decode(), value.decode(), ENTRY_COST + len(name) + len(value), "")
        for name, value in HeaderTable.STATIC_TABLE
    ],
)
