"""Asking an HTTP proxy for a tunnel (RFC 9110, section 9.3.6).

The request is written and its answer is read by the same code as every other request and response, including the
limits. After a 2xx the bytes belong to the server: ``Content-Length`` and ``Transfer-Encoding`` in such an answer are
ignored, and a byte that comes with it is an error.
"""

import errno
from typing import Any, cast

from multidict import CIMultiDict, CIMultiDictProxy

from ...exceptions import ProxyRefusedError, ServerProtocolError
from ...message.headers import DefaultHeaders
from ...message.origin import Origin
from ...message.proxy import Proxy
from ...message.request import Request, RequestOptions
from ...protocols.http1.head import encode_head_for
from ...protocols.http1.response import ResponseReader
from ...response.client_response import ClientResponse
from .wire import Wire


def authority(origin: Origin) -> str:
    """Return host and port of *origin*, in the form for ``CONNECT`` (RFC 9112, section 3.2.3)."""
    host = origin.host.partition("%")[0]
    return f"{f'[{host}]' if ':' in host else host}:{origin.port}"


async def ask_for_tunnel(
    wire: Wire, request: Request, proxy: Proxy, fields: list[tuple[str, str]]
) -> None:
    """Let *proxy* open a tunnel for *request*; it gets *fields*, and learns only the request's origin.

    Raises:
        ProxyRefusedError: it answered anything but 2xx.
        ServerProtocolError: its answer is not HTTP/1.1, or bytes follow it.
        OSError: the connection broke, or ended before an answer.
        ValueError: a field is invalid on the wire.
    """
    target = authority(request.origin)
    asked = _request_for(request, target)
    head, _ = encode_head_for(asked, target, fields)
    reader = ResponseReader()
    reader.begin(asked)
    await wire.send(head)
    try:
        while not reader.head_done:
            data = await wire.receive()
            if not data:
                raise OSError(
                    errno.ECONNRESET,
                    f"it closed the connection before an answer to CONNECT {target}",
                )
            reader.feed(data)
            if reader.error is not None:
                raise reader.error
        if not 200 <= reader.status < 300:
            raise refusal(
                asked, proxy, reader.status, reader.reason, CIMultiDictProxy(reader.fields)
            )
        if reader.extra:
            raise ServerProtocolError(
                asked.info,
                cast(Any, asked.history),
                status=reader.status,
                message=f"the answer of the proxy {proxy} is refused: bytes came after its head",
            )
    finally:
        reader.end()


def refusal(
    request: Request, proxy: Proxy, status: int, reason: str, headers: "CIMultiDictProxy[str]"
) -> ProxyRefusedError:
    """Return the error for *proxy*'s answer to *request*."""
    error = ProxyRefusedError(
        request.info, cast(Any, request.history), status=status, message=reason, headers=headers
    )
    error.proxy = str(proxy)
    return error


def _request_for(request: Request, target: str) -> Request:
    """Return the ``CONNECT`` for *request*, without its path, its fields and its credentials."""
    options = request.options
    asked = request.hop(
        "CONNECT",
        request.url.origin(),
        None,
        None,
        RequestOptions(
            response_class=ClientResponse,
            bodies=options.bodies,
            lenient=options.lenient,
            max_line_size=options.max_line_size,
            max_field_size=options.max_field_size,
            max_headers=options.max_headers,
        ),
        None,
        None,
    )
    asked.defaults = DefaultHeaders(CIMultiDict({"Host": target}))
    asked.history = request.history
    return asked
