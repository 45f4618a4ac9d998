"""The fields of a request in any protocol, and whether its body waits for ``100 Continue``.

Framing has one rule: a request with a body has exactly one of ``Content-Length`` and ``Transfer-Encoding``, with a true
value. A user's own field that contradicts it raises before anything is sent.
"""

from collections.abc import Sequence

from multidict import CIMultiDict

from ..exchange import Exchange
from ..message.body import Body
from ..message.headers import (
    AUTHORIZATION,
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    COOKIE,
    EXPECT,
    HOST,
    PROXY_AUTHORIZATION,
    TRANSFER_ENCODING,
    check_value,
    checked_field,
)
from ..message.request import Request

# Servers expect a body with these methods, so its absence is announced (RFC 9110, section 8.6).
METHODS_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))


def exchange_fields(exchange: Exchange, keep_alive: bool = True) -> "CIMultiDict[str]":
    """Return the fields of *exchange* in their order, in the form of HTTP/1.1.

    Raises:
        ValueError: fields contradict the body. The caller's own fields are not validated.
    """
    request = exchange.request
    fields = own_fields(request)
    added, _ = added_fields(request, fields, exchange.proxy_fields or (), keep_alive)
    outgoing = CIMultiDict(added)
    outgoing.extend(fields)
    return outgoing


def own_fields(request: Request) -> "CIMultiDict[str]":
    """Return the caller's fields as they are sent.

    A ``Proxy-Authorization`` is left out: no server behind a proxy may see it.
    """
    fields = request.own_headers
    if fields is None:
        fields = request.defaults.fields
    if PROXY_AUTHORIZATION in fields:
        fields = fields.copy()
        fields.popall(PROXY_AUTHORIZATION)
    return fields


def added_fields(
    request: Request,
    fields: "CIMultiDict[str]",
    more: Sequence[tuple[str, str]],
    keep_alive: bool,
) -> tuple[list[tuple[str, str]], bool]:
    """Return what is sent before the caller's own *fields*, and whether the body is sent in chunks."""
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
    """Tell whether the body waits for ``100 Continue``, which HTTP/1.0 does not have (RFC 9110, section 10.1.1).

    The caller's own ``Expect`` field has the same effect as ``expect100``.
    """
    if request.options.http10:
        return False
    if request.options.expect100:
        return True
    value = request.fields.get(EXPECT)
    return value is not None and value.strip().lower() == "100-continue"


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
        if request.method in METHODS_WITH_BODY:
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
        ValueError: it is not only ``chunked``, or there is a length as well.
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
        ValueError: it is not the body's length, not one decimal number, or the body is *chunked*.
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
    """Append the fields that describe the body, and ``Expect``."""
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
