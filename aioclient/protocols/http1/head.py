"""The bytes of an HTTP/1.1 request head (RFC 9112, sections 3 and 6)."""

from collections.abc import Sequence
from functools import lru_cache

from multidict import CIMultiDict

from ...exchange import Exchange
from ...message.headers import (
    CONNECTION,
    CONTENT_TYPE,
    PROXY_AUTHORIZATION,
    check_target,
    check_value,
    lists_token,
    serialize_fields,
)
from ...message.request import Request
from ..request_fields import METHODS_WITH_BODY, added_fields, exchange_fields, own_fields


def encode_head(exchange: Exchange, keep_alive: bool = True) -> tuple[bytes, bool, bool]:
    """Return the bytes of *exchange*'s head, whether the body is sent in chunks, and whether the request is the last.

    The last is true if its fields say that the connection carries no further request.

    Raises:
        ValueError: a method, target, name or value is invalid, or fields contradict the body.
    """
    request = exchange.request
    options = request.options
    plain = request.defaults.plain_block() if request.own_headers is None else None
    if (
        plain is not None
        and request.cookie is None
        and request.authorization is None
        and keep_alive
        and not options.http10
        and not options.chunked
        and exchange.proxy_fields is None
    ):
        if request.content is None and request.method not in METHODS_WITH_BODY:
            framing: bytes | None = b""
        else:
            framing = _plain_framing(request)
        if framing is not None:
            return (
                b"%b%b%b\r\n"
                % (
                    _begin(request.method, request.real_url.raw_path_qs, request.origin.host_field),
                    framing,
                    plain,
                ),
                False,
                False,
            )
    if exchange.proxy_fields is not None:
        target, more = absolute_form(request), exchange.proxy_fields
    else:
        target, more = request.real_url.raw_path_qs, ()
    head, chunked = encode_head_for(request, target, more, keep_alive)
    return head, chunked, plain is None and ends_connection(request.fields)


def ends_connection(fields: "CIMultiDict[str]") -> bool:
    """Tell whether a request with these fields is the last on its connection.

    A failed request for another protocol is the last too: a server that had begun to switch would misread the next
    request.
    """
    return CONNECTION in fields and (lists_token(fields, "close") or lists_token(fields, "upgrade"))


def check_head(exchange: Exchange) -> None:
    """Refuse an invalid request before a connection is made for it.

    Raises:
        ValueError: as for ``encode_head()``.
    """
    encode_head(exchange)


def encode_head_for(
    request: Request, target: str, more: Sequence[tuple[str, str]], keep_alive: bool = True
) -> tuple[bytes, bool]:
    """Return the same for a *target* in any form (RFC 9112, section 3.2).

    *more* are fields for the proxy; the request's own fields come first. Only *more* may contain the proxy's
    credentials: a ``Proxy-Authorization`` of the request itself is left out, because no server behind a proxy may see
    it.

    Raises:
        ValueError: as for ``encode_head()``.
    """
    check_target(target)
    fields, block = own_fields(request), _own_block(request)
    added, chunked = added_fields(request, fields, more, keep_alive)
    lines = [f"{request.method} {target} HTTP/{'1.0' if request.options.http10 else '1.1'}"]
    lines.extend([f"{name}: {value}" for name, value in added])
    lines.append("")
    return b"%b%b\r\n" % ("\r\n".join(lines).encode("utf-8", "surrogateescape"), block), chunked


def outgoing_fields(exchange: Exchange, keep_alive: bool = True) -> "CIMultiDict[str]":
    """Return the fields that ``encode_head()`` encodes, in their order.

    Raises:
        ValueError: as for ``encode_head()``.
    """
    _own_block(exchange.request)
    return exchange_fields(exchange, keep_alive)


def _own_block(request: Request) -> bytes:
    """Return the caller's fields, encoded."""
    if request.own_headers is None and PROXY_AUTHORIZATION not in request.defaults.fields:
        return request.defaults.block()
    return serialize_fields(own_fields(request))


def absolute_form(request: Request) -> str:
    """Return the target for a proxy that forwards *request* (RFC 9112, section 3.2.2)."""
    return f"http://{request.origin.host_field}{request.url.raw_path_qs}"


@lru_cache(maxsize=512)
def _begin(method: str, target: str, host_field: str) -> bytes:
    """Return the request line and the ``Host`` field of a request without fields of its own."""
    return f"{method} {check_target(target)} HTTP/1.1\r\nHost: {host_field}\r\n".encode()


def _plain_framing(request: Request) -> bytes | None:
    """Return the fields that frame and describe the body if the caller set none; None for an unusual body."""
    body = request.content
    if body is None:
        return b"Content-Length: 0\r\n"
    options = request.options
    if (
        body.size is None
        or body.headers is not None
        or body.content_type is None
        or options.expect100
        or options.skip_auto_headers
        or CONTENT_TYPE in request.defaults.fields
    ):
        return None
    return b"Content-Length: %d\r\n%b" % (body.size, _content_type(body.content_type))


@lru_cache(maxsize=64)
def _content_type(value: str) -> bytes:
    """Return the ``Content-Type`` field line of a body."""
    return f"Content-Type: {check_value('Content-Type', value)}\r\n".encode(
        "utf-8", "surrogateescape"
    )
