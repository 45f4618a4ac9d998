"""A request as a field block (RFC 9113, sections 8.2 and 8.3.1).

A user's fields for HTTP/1.1 are mapped, left out or refused:

====================================  ====================================================================
``Connection``, ``Keep-Alive``,       left out, and so are fields listed in ``Connection``: they concern one
``Proxy-Connection``                  connection, not the request (section 8.2.2)
``Host``                              becomes ``:authority``
``TE``                                only ``trailers`` is allowed
``Transfer-Encoding: chunked``        left out: frames replace chunks; other codings are refused
``Upgrade``, ``HTTP2-Settings``       refused: there is nothing to upgrade
``Cookie``                            each cookie is a field, so that unchanged ones are sent once (section 8.2.3)
====================================  ====================================================================

Names are sent in lower case. Everything is checked by the validator of ``message/headers.py`` first.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from ...message.headers import check_name, check_target, check_value, shown_text

LEFT_OUT: Final = frozenset(("connection", "keep-alive", "proxy-connection", "host"))
REFUSED: Final = frozenset(("upgrade", "http2-settings"))

# Of the handshake of a WebSocket over HTTP/1.1, which an extended CONNECT does without (RFC 8441, section 5).
OPENING_FIELDS: Final = frozenset(("upgrade", "connection", "sec-websocket-key"))

FieldPairs = tuple[tuple[str, str], ...]


class RequestHead(NamedTuple):
    """The head of a request.

    Attributes:
        method: A token, such as ``GET``.
        scheme: ``https``, ``http``; unused for CONNECT.
        authority: Host and port as in a URL, without userinfo.
        path: Path and query; unused for CONNECT.
        fields: Header fields with names in any case. A ``Host`` overrides *authority*.
        protocol: The protocol of an extended CONNECT (RFC 8441); empty for other requests.
    """

    method: str
    scheme: str
    authority: str
    path: str
    fields: FieldPairs = ()
    protocol: str = ""


def request_fields(head: RequestHead) -> list[tuple[str, str]]:
    """Return the fields to send for *head*, pseudo-fields first.

    Raises:
        ValueError: something in it is invalid, or not allowed.
    """
    method, scheme, authority, path, fields, protocol = head
    fields_out, host = _regular(fields)
    if host is not None:
        authority = host
    check_name(method)
    if not authority or "@" in check_target(authority):
        raise ValueError(
            f"the authority {shown_text(authority)} must be a host, without user and password"
        )
    pseudo = [(":method", method)]
    if method != "CONNECT" or protocol:
        if check_target(path)[:1] != "/" and not (path == "*" and method == "OPTIONS"):
            raise ValueError(f"the request target {shown_text(path)} must begin with '/'")
        pseudo += ((":scheme", check_name(scheme)), (":authority", authority), (":path", path))
        if protocol:
            if method != "CONNECT":
                raise ValueError(f"a protocol needs the method CONNECT, found {method}")
            pseudo.append((":protocol", check_name(protocol)))
    else:
        pseudo.append((":authority", authority))
    return pseudo + fields_out


def _regular(fields: Iterable[tuple[str, str]]) -> tuple[list[tuple[str, str]], str | None]:
    """Return the fields to send, in lower case, and the value of ``Host``."""
    out: list[tuple[str, str]] = []
    host: str | None = None
    listed: set[str] = set()
    for name, value in fields:
        name = check_name(name).lower()
        value = check_value(name, value).strip(" \t")
        if name == "cookie":
            out += [(name, crumb) for crumb in value.split("; ")]
        elif name in LEFT_OUT:
            if name == "connection":
                listed.update(word.strip(" \t").lower() for word in value.split(","))
            elif name == "host":
                host = value
        elif name in REFUSED:
            raise ValueError(f"the header {name} cannot be sent over HTTP/2; leave it out")
        elif name == "transfer-encoding":
            if value.lower() != "chunked":
                raise ValueError(
                    f"Transfer-Encoding {shown_text(value)} cannot be sent over HTTP/2; leave it out"
                )
        elif name == "te" and value.lower() != "trailers":
            raise ValueError(f"TE can only be 'trailers' over HTTP/2, found {shown_text(value)}")
        else:
            out.append((name, value))
    if listed:
        out = [pair for pair in out if pair[0] not in listed]
    return out, host
