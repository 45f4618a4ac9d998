"""A request that came over HTTP/2, held to the rules of RFC 9113, section 8."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from .h2_frames import HeaderFields
from .raw_server import RawRequest

# What a client may not send (section 8.2.2), beside `te: trailers`.
CONNECTION_SPECIFIC: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
VALUE: Final = re.compile(rb"(?![ \t])[^\x00-\x08\x0a-\x1f\x7f]*(?<![ \t])")
PSEUDO: Final = (b":method", b":scheme", b":authority", b":path", b":protocol")


@dataclass(frozen=True, slots=True)
class H2Request(RawRequest):
    """A request as it came over the wire: `RawRequest` with what HTTP/2 has besides.

    `version` is `"HTTP/2"`, `target` the pseudo-field `:path`, and `headers` are the fields that are not pseudo.

    Attributes:
        stream_id: The stream, on which the answer goes.
        scheme: The pseudo-field `:scheme`; empty if there was none.
        authority: The pseudo-field `:authority`; empty if there was none.
        protocol: The pseudo-field `:protocol` of an extended CONNECT (RFC 8441); empty if there was none.
        fields: All fields, in order, the pseudo-fields first.
    """

    stream_id: int = 0
    scheme: str = ""
    authority: str = ""
    protocol: str = ""
    fields: tuple[tuple[bytes, bytes], ...] = ()


def request_of(
    stream_id: int, fields: HeaderFields, body: bytes = b"", trailers: HeaderFields | None = None
) -> H2Request:
    """Return the request of those fields.

    Raises:
        ValueError: The fields are not those of a request.
    """
    pseudo, regular = _split(stream_id, fields)
    check_fields(stream_id, regular)
    method = pseudo.get(":method")
    if not method:
        raise ValueError(f"stream {stream_id}: the request has no :method")
    if method != "CONNECT" or ":protocol" in pseudo:
        missing = [name for name in (":scheme", ":path") if not pseudo.get(name)]
        if missing:
            raise ValueError(f"stream {stream_id}: the request has no {missing[0]}")
    hosts = [value.decode("latin-1") for name, value in regular if name == b"host"]
    authority = pseudo.get(":authority", "")
    if not authority and not hosts:
        raise ValueError(f"stream {stream_id}: the request has neither :authority nor host")
    if "@" in authority or (authority and hosts and hosts != [authority]):
        raise ValueError(f"stream {stream_id}: :authority is {authority!r}, host is {hosts}")
    return H2Request(
        method,
        pseudo.get(":path", ""),
        "HTTP/2",
        regular,
        body,
        trailers=trailers or [],
        stream_id=stream_id,
        scheme=pseudo.get(":scheme", ""),
        authority=authority,
        protocol=pseudo.get(":protocol", ""),
        fields=tuple(fields),
    )


def _split(stream_id: int, fields: HeaderFields) -> tuple[dict[str, str], HeaderFields]:
    """Return the pseudo-fields, and the others (section 8.3)."""
    pseudo: dict[str, str] = {}
    for at, (name, value) in enumerate(fields):
        if not name.startswith(b":"):
            return pseudo, list(fields[at:])
        if name not in PSEUDO or name.decode() in pseudo or not VALUE.fullmatch(value):
            raise ValueError(
                f"stream {stream_id}: {name!r}: {value!r} is unknown, double or invalid"
            )
        pseudo[name.decode()] = value.decode("latin-1")
    return pseudo, []


def check_fields(stream_id: int, fields: Iterable[tuple[bytes, bytes]]) -> None:
    """Check fields that are not pseudo (section 8.2).

    Raises:
        ValueError: One of them is invalid, or must not be in HTTP/2.
    """
    for name, value in fields:
        if not NAME.fullmatch(name) or not VALUE.fullmatch(value):
            raise ValueError(f"stream {stream_id}: {name!r}: {value!r} is not a field")
        if name in CONNECTION_SPECIFIC or (name == b"te" and value != b"trailers"):
            raise ValueError(f"stream {stream_id}: {name!r}: {value!r} does not belong in HTTP/2")
