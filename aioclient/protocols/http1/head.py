"""The bytes of an HTTP/1.1 request head (RFC 9112, sections 3 and 6).

Framing has one rule: a request with a body carries exactly one of ``Content-Length`` and ``Transfer-Encoding``, and
it tells the truth. What a user's own fields say against that raises before anything is sent.
"""

from collections.abc import Sequence
from functools import lru_cache

from multidict import CIMultiDict

from ...exchange import Exchange
from ...message.body import Body
from ...message.headers import (
    AUTHORIZATION,
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    COOKIE,
    EXPECT,
    HOST,
    PROXY_AUTHORIZATION,
    TRANSFER_ENCODING,
    check_target,
    check_value,
    checked_field,
    lists_token,
    serialize_fields,
)
from ...message.request import Request

# A body is expected with these, so its absence is said (RFC 9110, section 8.6).
_METHODS_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))


def encode_head(exchange: Exchange, keep_alive: bool = True) -> tuple[bytes, bool, bool]:
    """Return the bytes of the head of *exchange*, whether the body follows in chunks, and whether it is the last.

    That is: whether its fields say that the connection carries none after it.

    Raises:
        ValueError: a method, target, name or value that must not reach the wire, or fields that contradict the body.
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
        if request.content is None and request.method not in _METHODS_WITH_BODY:
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

    One that asked for another protocol in vain is, too: a server that had begun to switch would read the next
    request as something else.
    """
    return CONNECTION in fields and (lists_token(fields, "close") or lists_token(fields, "upgrade"))


def check_head(exchange: Exchange) -> None:
    """Refuse what must not reach the wire, before a connection is made for it.

    Raises:
        ValueError: as ``encode_head()``.
    """
    encode_head(exchange)


def encode_head_for(
    request: Request, target: str, more: Sequence[tuple[str, str]], keep_alive: bool = True
) -> tuple[bytes, bool]:
    """Return the same for a *target* of any form (RFC 9112, section 3.2).

    *more* are fields for the proxy: the request's own come first. Only they hold credentials for one: a
    ``Proxy-Authorization`` of the request itself is left out, since no server behind a proxy shall see it.

    Raises:
        ValueError: as ``encode_head()``.
    """
    check_target(target)
    fields, block = _own_fields(request)
    added, chunked = _added_fields(request, fields, more, keep_alive)
    lines = [f"{request.method} {target} HTTP/{'1.0' if request.options.http10 else '1.1'}"]
    lines.extend([f"{name}: {value}" for name, value in added])
    lines.append("")
    return b"%b%b\r\n" % ("\r\n".join(lines).encode("utf-8", "surrogateescape"), block), chunked


def outgoing_fields(exchange: Exchange, keep_alive: bool = True) -> "CIMultiDict[str]":
    """Return the fields that ``encode_head()`` encodes, in their order.

    Raises:
        ValueError: as ``encode_head()``.
    """
    request = exchange.request
    fields, _ = _own_fields(request)
    added, _ = _added_fields(request, fields, exchange.proxy_fields or (), keep_alive)
    outgoing = CIMultiDict(added)
    outgoing.extend(fields)
    return outgoing


def absolute_form(request: Request) -> str:
    """Return the target that a proxy is asked for, which forwards *request* (RFC 9112, section 3.2.2)."""
    return f"http://{request.origin.host_field}{request.url.raw_path_qs}"


def _own_fields(request: Request) -> "tuple[CIMultiDict[str], bytes]":
    """Return the fields that the caller gave, as they go out, and encoded."""
    fields = request.own_headers
    if fields is None:
        fields = request.defaults.fields
        block = request.defaults.block()
    else:
        block = serialize_fields(fields)
    if PROXY_AUTHORIZATION in fields:
        fields = fields.copy()
        fields.popall(PROXY_AUTHORIZATION)
        block = serialize_fields(fields)
    return fields, block


def _added_fields(
    request: Request,
    fields: "CIMultiDict[str]",
    more: Sequence[tuple[str, str]],
    keep_alive: bool,
) -> tuple[list[tuple[str, str]], bool]:
    """Return what goes out before the caller's own *fields*, and whether the body follows in chunks."""
    options = request.options
    added: list[tuple[str, str]] = []
    if HOST not in fields:
        added.append(("Host", request.origin.host_field))
    if request.authorization is not None and AUTHORIZATION not in fields:
        added.append(("Authorization", check_value("Authorization", request.authorization)))
    if request.cookie is not None and COOKIE not in fields:
        added.append(("Cookie", check_value("Cookie", request.cookie)))
    chunked = _add_framing(request, fields, added)
    if request.content is not None:
        _add_description(request, request.content, fields, added)
    if CONNECTION not in fields:
        if not keep_alive:
            if not options.http10:
                added.append(("Connection", "close"))
        elif options.http10:
            added.append(("Connection", "keep-alive"))
    if more:
        added.extend([checked_field(name, value) for name, value in more if name not in fields])
    return added, chunked


def expects_continue(request: Request) -> bool:
    """Tell whether the body waits for ``100 Continue``, which HTTP/1.0 does not know (RFC 9110, section 10.1.1).

    A field of the caller's own asks for it as ``expect100`` does.
    """
    if request.options.http10:
        return False
    if request.options.expect100:
        return True
    value = request.fields.get(EXPECT)
    return value is not None and value.strip().lower() == "100-continue"


@lru_cache(maxsize=512)
def _begin(method: str, target: str, host_field: str) -> bytes:
    """Return the request line and the ``Host`` field of a request without fields of its own."""
    return f"{method} {check_target(target)} HTTP/1.1\r\nHost: {host_field}\r\n".encode()


def _plain_framing(request: Request) -> bytes | None:
    """Return the fields that frame and describe the body where the caller gave none; None if it is no usual body."""
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


def _add_framing(
    request: Request, fields: "CIMultiDict[str]", added: list[tuple[str, str]]
) -> bool:
    """Append the fields that frame the body; return whether it is sent in chunks."""
    body = request.content
    chunked = bool(request.options.chunked)
    lengths = fields.getall(CONTENT_LENGTH, None)
    codings = fields.getall(TRANSFER_ENCODING, None)
    if codings is not None:
        _check_coding(request, codings, lengths)
        chunked = True
    if body is None and chunked:
        raise _contradiction(request, "a chunked request needs a body; give data= or json=")
    if lengths is not None:
        _check_length(request, lengths, chunked)
    elif body is None:
        if request.method in _METHODS_WITH_BODY:
            added.append(("Content-Length", "0"))
    elif chunked or body.size is None:
        if request.options.http10:
            raise _contradiction(
                request,
                "HTTP/1.0 has no chunked coding and the body's length is not known; "
                "set Content-Length or use HTTP/1.1",
            )
        if codings is None:
            added.append(("Transfer-Encoding", "chunked"))
        return True
    else:
        added.append(("Content-Length", str(body.size)))
    return False


def _check_coding(request: Request, values: list[str], lengths: list[str] | None) -> None:
    """Check the caller's own ``Transfer-Encoding``.

    Raises:
        ValueError: it is not ``chunked`` alone, or there is a length as well.
    """
    if lengths is not None:
        raise _contradiction(
            request, "Content-Length and Transfer-Encoding are both set; leave out one of them"
        )
    if len(values) > 1 or values[0].strip().lower() != "chunked":
        raise _contradiction(request, f"Transfer-Encoding is {values}; only 'chunked' can be sent")


def _check_length(request: Request, values: list[str], chunked: bool) -> None:
    """Check the caller's own ``Content-Length``.

    Raises:
        ValueError: it is not that of the body, not one decimal number, or the body is *chunked*.
    """
    body = request.content
    lengths = [length.strip() for length in values]
    if body is None:
        if lengths != ["0"]:
            raise _contradiction(request, f"Content-Length is {values} but the request has no body")
        return
    if chunked:
        raise _contradiction(
            request, "chunked=True and a Content-Length contradict each other; leave out one"
        )
    if body.size is not None and lengths != [str(body.size)]:
        raise _contradiction(
            request, f"Content-Length is {values} but the body has {body.size} bytes"
        )
    if len(lengths) > 1 or not lengths[0].isascii() or not lengths[0].isdigit():
        raise _contradiction(request, f"Content-Length is {values}; it must be one decimal number")


def _contradiction(request: Request, fault: str) -> ValueError:
    return ValueError(
        f"{request.method} {request.origin.scheme}://{request.origin.host_field}: {fault}"
    )


def _add_description(
    request: Request, body: Body, fields: "CIMultiDict[str]", added: list[tuple[str, str]]
) -> None:
    """Append the fields that describe the body, and those that ask what the server says to it."""
    options = request.options
    if not request.described:
        if body.headers is not None:
            added.extend(
                checked_field(name, value)
                for name, value in body.headers.items()
                if name not in fields and name.lower() not in ("content-type", "content-length")
            )
        if (
            body.content_type is not None
            and CONTENT_TYPE not in fields
            and "content-type" not in options.skip_auto_headers
        ):
            added.append(("Content-Type", check_value("Content-Type", body.content_type)))
    if options.expect100 and not options.http10 and EXPECT not in fields:
        added.append(("Expect", "100-continue"))
