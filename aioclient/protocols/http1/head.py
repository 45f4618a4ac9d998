"""The bytes of an HTTP/1.1 request head (RFC 9112, sections 3 and 6).

Framing has one rule: a request with a body carries exactly one of ``Content-Length`` and ``Transfer-Encoding``, and
it tells the truth. What a user's own fields say against that raises before anything is sent.
"""

from collections.abc import Sequence
from functools import lru_cache

from multidict import CIMultiDict

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
    field_line,
    serialize_fields,
)
from ...message.request import Request

# A body is expected with these, so its absence is said (RFC 9110, section 8.6).
_METHODS_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))


def encode_head(request: Request, keep_alive: bool = True) -> tuple[bytes, bool]:
    """Return the head's bytes, and whether the body follows in chunks.

    Raises:
        ValueError: a method, target, name or value that must not reach the wire, or fields that contradict the body.
    """
    target = request.real_url.raw_path_qs
    options = request.options
    if (
        request.content is None
        and request.own_headers is None
        and request.cookie is None
        and request.authorization is None
        and keep_alive
        and not options.http10
        and not options.chunked
        and request.method not in _METHODS_WITH_BODY
        and (plain := request.defaults.plain_block()) is not None
    ):
        return b"%b%b\r\n" % (
            _begin(request.method, target, request.origin.host_field),
            plain,
        ), False

    return encode_head_for(request, target, (), keep_alive)


def encode_head_for(
    request: Request, target: str, more: Sequence[tuple[str, str]], keep_alive: bool = True
) -> tuple[bytes, bool]:
    """Return the same for a *target* of another form, as proxies are asked for (RFC 9112, section 3.2).

    *more* are fields for the proxy: the request's own come first. Only they hold credentials for one: a
    ``Proxy-Authorization`` of the request itself is left out, since no server behind a proxy shall see it.

    Raises:
        ValueError: as ``encode_head()``.
    """
    options = request.options
    check_target(target)
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
    lines = [f"{request.method} {target} HTTP/{'1.0' if options.http10 else '1.1'}"]
    if HOST not in fields:
        lines.append(f"Host: {request.origin.host_field}")
    if request.authorization is not None and AUTHORIZATION not in fields:
        lines.append(field_line("Authorization", request.authorization))
    if request.cookie is not None and COOKIE not in fields:
        lines.append(field_line("Cookie", request.cookie))
    chunked = _add_framing(request, fields, request.content, lines)
    if CONNECTION not in fields:
        if not keep_alive:
            if not options.http10:
                lines.append("Connection: close")
        elif options.http10:
            lines.append("Connection: keep-alive")
    if more:
        lines.extend([field_line(name, value) for name, value in more if name not in fields])
    lines.append("")
    return b"%b%b\r\n" % ("\r\n".join(lines).encode("utf-8", "surrogateescape"), block), chunked


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
    request: Request, fields: "CIMultiDict[str]", body: Body | None, lines: list[str]
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
            lines.append("Content-Length: 0")
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
            lines.append("Transfer-Encoding: chunked")
        chunked = True
    else:
        lines.append(f"Content-Length: {body.size}")
    if not request.described:
        if body.headers is not None:
            lines.extend(
                field_line(name, value)
                for name, value in body.headers.items()
                if name not in fields and name.lower() not in ("content-type", "content-length")
            )
        if (
            body.content_type is not None
            and CONTENT_TYPE not in fields
            and "content-type" not in options.skip_auto_headers
        ):
            lines.append(field_line("Content-Type", body.content_type))
    if expects_continue(request) and EXPECT not in fields:
        lines.append("Expect: 100-continue")
    return chunked
