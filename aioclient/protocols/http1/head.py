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
        and request.content is None
        and request.cookie is None
        and request.authorization is None
        and keep_alive
        and not options.http10
        and not options.chunked
        and request.method not in _METHODS_WITH_BODY
        and exchange.proxy_fields is None
    ):
        return (
            b"%b%b\r\n"
            % (
                _begin(request.method, request.real_url.raw_path_qs, request.origin.host_field),
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
        added.append(checked_field("Authorization", request.authorization))
    if request.cookie is not None and COOKIE not in fields:
        added.append(checked_field("Cookie", request.cookie))
    chunked = _add_framing(request, fields, request.content, added)
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
    said = request.fields.get(EXPECT)
    return said is not None and said.strip().lower() == "100-continue"


@lru_cache(maxsize=512)
def _begin(method: str, target: str, host_field: str) -> bytes:
    """Return the request line and the ``Host`` field of a request without fields of its own."""
    return f"{method} {check_target(target)} HTTP/1.1\r\nHost: {host_field}\r\n".encode()


def _add_framing(  # noqa: C901
    request: Request, fields: "CIMultiDict[str]", body: Body | None, added: list[tuple[str, str]]
) -> bool:
    """Append the fields that frame and describe the body; return whether it is sent in chunks."""
    options = request.options
    said_length = fields.getall(CONTENT_LENGTH, None)
    said_coding = fields.getall(TRANSFER_ENCODING, None)
    where = f"{request.method} {request.origin.scheme}://{request.origin.host_field}"
    if said_length is not None and said_coding is not None:
        raise ValueError(
            f"{where}: Content-Length and Transfer-Encoding are both set; leave out one of them"
        )
    if said_coding is not None and (
        len(said_coding) > 1 or said_coding[0].strip().lower() != "chunked"
    ):
        raise ValueError(f"{where}: Transfer-Encoding is {said_coding}; only 'chunked' can be sent")
    if body is None:
        if said_coding is not None or options.chunked:
            raise ValueError(f"{where}: a chunked request needs a body; give data= or json=")
        if said_length is not None:
            if [length.strip() for length in said_length] != ["0"]:
                raise ValueError(
                    f"{where}: Content-Length is {said_length} but the request has no body"
                )
        elif request.method in _METHODS_WITH_BODY:
            added.append(("Content-Length", "0"))
        return False

    chunked = bool(options.chunked) or said_coding is not None
    if chunked and said_length is not None:
        raise ValueError(
            f"{where}: chunked=True and a Content-Length contradict each other; leave out one"
        )
    if said_length is not None:
        if body.size is not None and [length.strip() for length in said_length] != [str(body.size)]:
            raise ValueError(
                f"{where}: Content-Length is {said_length} but the body has {body.size} bytes"
            )
        if (
            len(said_length) > 1
            or not said_length[0].strip().isascii()
            or not said_length[0].strip().isdigit()
        ):
            raise ValueError(
                f"{where}: Content-Length is {said_length}; it must be one decimal number"
            )
    elif body.size is None or chunked:
        if options.http10:
            raise ValueError(
                f"{where}: HTTP/1.0 has no chunked coding and the body's length is not known; "
                "set Content-Length or use HTTP/1.1"
            )
        if said_coding is None:
            added.append(("Transfer-Encoding", "chunked"))
        chunked = True
    else:
        added.append(("Content-Length", str(body.size)))
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
            added.append(checked_field("Content-Type", body.content_type))
    if options.expect100 and not options.http10 and EXPECT not in fields:
        added.append(("Expect", "100-continue"))
    return chunked
