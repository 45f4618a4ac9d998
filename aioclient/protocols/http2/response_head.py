"""A field block as the head of a response, or as its trailers (RFC 9113, sections 8.1 to 8.3)."""

import re
from http import HTTPStatus
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

from ...message.headers import shown_text
from .decoding import FieldList

# Fields of one connection, for which HTTP/2 has other means (section 8.2.2).
CONNECTION_FIELDS: Final = frozenset(
    ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade")
)
UNKNOWN: Final = (
    2**64
)  # the length of a body that the head does not announce: more than any body has
BODILESS: Final = (204, 304)  # a response with such a status has no body, whatever its fields say

_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}
_is_status: Final = re.compile("[1-9][0-9][0-9]").fullmatch
_is_length: Final = re.compile("[0-9]{1,18}").fullmatch


class ResponseHead:
    """The head of a response.

    Responses with equal blocks share one, so it is never changed.

    Attributes:
        status: 100 to 999; 0 if it is malformed.
        reason: The standard phrase of the status, or an empty one: HTTP/2 sends none (section 8.3.2).
        fields: Header fields, without ``:status``.
        length: Bytes of the body: 0 for a ``BODILESS`` status, else the value of ``content-length``, or ``UNKNOWN``.
        count: How many fields there are.
        largest: The bytes of the largest one, name and value.
        problem: Why it is malformed (section 8.1.1), and the section with the rule; None if it is not.
        is_final: It is a well-formed head of a final response.
    """

    __slots__ = ("count", "fields", "is_final", "largest", "length", "problem", "reason", "status")

    def __init__(self, found: FieldList) -> None:
        self.status: int = 0
        self.length: int = UNKNOWN
        self.problem: tuple[str, str] | None = _problem(found) or self._read(found.fields)
        fields = () if self.problem else found.fields[1:]
        self.fields: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict(fields))
        self.count: int = len(fields)
        self.largest: int = max(map(field_size, fields), default=0)
        self.reason: str = _PHRASES.get(self.status, "")
        self.is_final: bool = self.problem is None and self.status >= 200

    def _read(self, fields: list[tuple[str, str]]) -> tuple[str, str] | None:
        name, value = fields[0] if fields else ("", "")
        if name != ":status":
            return f"its first field is {shown_text(name)}, not ':status'", "section 8.3.2"
        if _is_status(value) is None:
            return f"its status is {shown_text(value)}", "section 8.3.2"
        for name, text in fields[1:]:
            if name[0] == ":":
                return f"it has the pseudo-field {shown_text(name)} after :status", "section 8.3"
            if name in CONNECTION_FIELDS:
                return f"it has the connection-specific field {name}", "section 8.2.2"
            if name == "content-length":
                lengths = {length.strip(" \t") for length in text.split(",")}
                length = lengths.pop()
                if (
                    lengths
                    or _is_length(length) is None
                    or self.length not in (UNKNOWN, int(length))
                ):
                    return f"its content-length is {shown_text(text)}", "section 8.1.1"
                self.length = int(length)
        self.status = int(value)
        if self.status in BODILESS:
            self.length = 0
        return None


def field_size(field: tuple[str, str]) -> int:
    """Return the bytes of a field's name and value."""
    name, value = field
    if value.isascii():
        return len(name) + len(value)
    return len(name) + len(value.encode("utf-8", "surrogateescape"))


def response_head(found: FieldList) -> ResponseHead:
    """Return *found* as the head of a response; it is made once for a list."""
    head: ResponseHead | None = found.head
    if head is None:
        found.head = head = ResponseHead(found)
    return head


def trailers_problem(found: FieldList) -> tuple[str, str] | None:
    """Return why *found* is invalid as trailers of a response, and the section with the rule; None if it is valid."""
    problem = _problem(found)
    if problem is not None:
        return problem
    for name, _ in found.fields:
        if name[0] == ":":
            return f"its trailers have the pseudo-field {shown_text(name)}", "section 8.1"
        if name in CONNECTION_FIELDS:
            return f"its trailers have the connection-specific field {name}", "section 8.2.2"
    return None


def _problem(found: FieldList) -> tuple[str, str] | None:
    return (found.problem, "section 8.2.1") if found.problem else None
