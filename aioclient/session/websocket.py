"""Opening a WebSocket: its arguments, the handshake through the whole chain, and the use of its connection."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ssl import SSLContext
from typing import Any, Final, NamedTuple, NoReturn, TypedDict, Unpack, cast

from aiohttp import ClientWSTimeout, HttpVersion
from aiohttp.typedefs import LooseCookies
from multidict import CIMultiDict
from yarl import URL, Query

from ..chain import Middleware
from ..connectors.proxies.decide import ProxyOrNone
from ..exceptions import (
    CALL_ERRORS,
    HandshakeRefusedError,
    ServerDisconnectedError,
    ServerProtocolError,
)
from ..message.headers import LooseHeaders, check_name, merge_into
from ..message.origin import SSLOption
from ..message.proxy import ProxyAuthLike
from ..message.request import HTTP2Option
from ..message.timeout import seconds
from ..message.unset import UNSET, Unset
from ..middlewares.auth.basic import AuthLike
from ..middlewares.redirects import RedirectPolicy
from ..middlewares.signing import Signer
from ..protocols.websocket.connection import BufferedWebSocketConnection, WebSocketConnection
from ..protocols.websocket.deflate import Compressor, Decompressor
from ..protocols.websocket.handshake import (
    EXTENSIONS,
    PROTOCOL,
    Agreed,
    HandshakeFailure,
    check_answer,
    elements,
    make_key,
    opening_fields,
)
from ..protocols.websocket.reader import MessageReader
from ..response.client_response import ClientResponse, is_synthetic, was_lost
from ..warning import warn_legacy
from ..websocket import ClientWebSocketResponse
from .arguments import TimeoutLike
from .steps import StepArguments

CLOSE_LIMIT: Final = 10.0  # seconds to wait for the peer's close frame, as in aiohttp
MAX_MESSAGE: Final = 4 * 1024 * 1024  # bytes, as in aiohttp
REFUSAL_BODY: Final = 64 * 1024  # bytes of the body in the error for a refusal
REFUSAL_TIME: Final = 5.0  # seconds to wait for them: a slow body must not delay the error

# Arguments of a request that have no meaning here, or are fixed.
_NOT_TAKEN: Final = frozenset(
    ("chunked", "data", "expect100", "json", "raise_for_status", "read_until_eof", "version")
)


class HandshakeArguments(StepArguments, total=False):
    """Arguments of ``ws_connect()`` that belong to the handshake, which is a request."""

    params: Query
    cookies: LooseCookies | None
    auth: AuthLike | None
    allow_redirects: bool
    max_redirects: int | None
    redirect_policy: RedirectPolicy | None
    signer: Signer | None
    middlewares: Sequence[Middleware] | None
    ssl: SSLOption
    verify_ssl: bool | None
    ssl_context: SSLContext | None
    fingerprint: bytes | str | None
    server_hostname: str | None
    proxy: ProxyOrNone
    proxy_auth: ProxyAuthLike | None
    proxy_headers: LooseHeaders | None
    proxy_ssl: SSLOption | None
    skip_auto_headers: Iterable[str]
    http2: HTTP2Option | None
    lenient: bool | None
    max_line_size: int
    max_field_size: int
    max_headers: int
    trace_request_ctx: object


class SocketArguments(TypedDict, total=False):
    """Arguments of ``ws_connect()`` that a request does not have."""

    protocols: Iterable[str] | None
    """subprotocols to offer, best first; ``protocol`` tells which one the server chose."""
    heartbeat: float | None
    """seconds of silence after which a ping is sent; None for none."""
    pong_timeout: float | None
    """seconds within which something must come after that; half of *heartbeat* by default."""
    timeout: float | ClientWSTimeout | None
    """a ``ClientWSTimeout``: ``ws_receive`` limits the wait for a message (None: no limit), ``ws_close`` that for the
    server's close frame (10 s). A number is an older spelling of ``ws_close``."""
    handshake_timeout: TimeoutLike
    """of the handshake, as a request's ``timeout``; by default the session's."""
    max_msg_size: int
    """bytes of a message, decompressed; 0 for no limit."""
    compress: int | None
    """offer permessage-deflate: True, or a window of 9 to 15 bits; 0 for not."""
    autoping: bool
    """answer pings; with False they are received as messages, and pongs too."""
    autoclose: bool
    """answer the server's close frame when it is received."""
    decode_text: bool
    """whether text is ``str``; with False it is bytes, which are not checked to be UTF-8."""
    origin: str | None
    """the ``Origin`` field, for servers that ask for one."""
    method: str
    """of the handshake."""
    receive_timeout: float | None
    """an older spelling of ``ws_receive``."""


class OpeningArguments(SocketArguments, HandshakeArguments, total=False):
    """The arguments of ``ClientSession.ws_connect()`` that are the same for every connection attempt."""


class HeadersArgument(TypedDict, total=False):
    """The argument of ``ClientSession.ws_connect()`` that may differ for each connection attempt."""

    headers: LooseHeaders | None
    """laid over the session's."""


class WebSocketArguments(HeadersArgument, OpeningArguments, total=False):
    """The arguments of ``ClientSession.ws_connect()``."""


class _Limits(NamedTuple):
    """The limits of an open WebSocket, in seconds; None for no limit."""

    receive: float | None
    close: float | None
    heartbeat: float | None
    pong: float | None


class _Opening(NamedTuple):
    """What a handshake asked for."""

    key: str
    protocols: tuple[str, ...]
    bits: int


async def open_websocket(
    send: Callable[..., Awaitable[ClientResponse]],
    response_class: type[ClientWebSocketResponse],
    url: str | URL,
    *,
    method: str = "GET",
    headers: LooseHeaders | None = None,
    protocols: Iterable[str] | None = (),
    origin: str | None = None,
    timeout: float | ClientWSTimeout | None = ClientWSTimeout(ws_close=CLOSE_LIMIT),  # noqa: B008  (frozen)
    receive_timeout: float | None = None,
    autoclose: bool = True,
    autoping: bool = True,
    heartbeat: float | None = None,
    pong_timeout: float | None = None,
    compress: int | None = 0,
    max_msg_size: int = MAX_MESSAGE,
    decode_text: bool = True,
    handshake_timeout: TimeoutLike | Unset = UNSET,
    **handshake: Unpack[HandshakeArguments],
) -> ClientWebSocketResponse:
    """Open a WebSocket as documented in ``ClientSession.ws_connect()``; *send* sends a request of the session."""
    if useless := handshake.keys() & _NOT_TAKEN:
        raise TypeError(f"ws_connect() does not take {sorted(useless)}")
    limits = _limits(timeout, receive_timeout, heartbeat, pong_timeout)
    if max_msg_size < 0:
        raise ValueError(f"max_msg_size={max_msg_size}; give bytes, or 0 for no limit")
    fields: CIMultiDict[str] = CIMultiDict()
    if headers is not None:
        merge_into(fields, headers)
    opening = _Opening(
        make_key(os.urandom(16)), _subprotocols(protocols, fields), window_bits(compress)
    )
    fields.update(opening_fields(opening.key, opening.protocols, origin, opening.bits))
    try:
        response = await send(
            method,
            url,
            headers=fields,
            timeout=handshake_timeout,
            raise_for_status=False,
            websocket=True,
            **handshake,
        )
    except ServerProtocolError as error:
        if error.status != 101:
            raise
        raise HandshakeRefusedError(
            error.request_info,
            error.history,
            status=error.status,
            message=error.message,
            headers=error.headers,
        ) from error
    try:
        if is_synthetic(response):
            raise HandshakeFailure(
                f"the answer, {response.status}, came without a connection, from a middleware or a transport; "
                "a WebSocket needs one"
            )
        key = None if response.version == HttpVersion(2, 0) else opening.key
        agreed = check_answer(
            response.status, response.headers, key, opening.protocols, opening.bits
        )
        connection = _take_over(response, agreed, limits, max_msg_size, decode_text, autoping)
    except HandshakeFailure as error:
        await _refuse(response, str(error))
    except BaseException:
        response.close()
        raise
    websocket = response_class(
        response,
        connection,
        protocol=agreed.protocol,
        autoclose=autoclose,
        receive_limit=limits.receive,
        close_limit=limits.close,
    )
    connection.start()
    return websocket


def _limits(
    timeout: float | ClientWSTimeout | None,
    receive_timeout: float | None,
    heartbeat: float | None,
    pong_timeout: float | None,
) -> _Limits:
    """Return the limits, which may be given in several forms."""
    if isinstance(timeout, ClientWSTimeout):
        receive, close = timeout.ws_receive, timeout.ws_close
    else:
        warn_legacy("timeout as a number", f"use timeout=ClientWSTimeout(ws_close={timeout})")
        receive, close = None, timeout
    if receive_timeout is not None:
        warn_legacy("receive_timeout", f"use timeout=ClientWSTimeout(ws_receive={receive_timeout})")
        receive = receive_timeout
    interval = None if heartbeat is None else seconds("heartbeat", heartbeat)
    pong = None if interval is None else interval / 2
    if pong_timeout is not None:
        if interval is None:
            raise ValueError(f"pong_timeout={pong_timeout} has no effect without heartbeat=")
        pong = seconds("pong_timeout", pong_timeout) or pong
    return _Limits(
        None if receive is None else seconds("timeout.ws_receive", receive),
        None if close is None else seconds("timeout.ws_close", close),
        interval,
        pong,
    )


def window_bits(compress: object) -> int:
    """Return the window in bits for ``compress=``; 0 for no compression.

    Raises:
        ValueError: it is not 0, False, None, True (15) or 9 to 15.
    """
    if compress is True:
        return 15
    if compress is None or compress == "":
        return 0
    if not isinstance(compress, int) or not (compress == 0 or 9 <= compress <= 15):
        raise ValueError(
            f"compress={compress!r}; give 0 for no compression, True, or a window of 9 to 15 bits"
        )
    return int(compress)


def _subprotocols(protocols: Iterable[str] | None, fields: "CIMultiDict[str]") -> tuple[str, ...]:
    """Return the subprotocols to offer: *protocols*, or those in a header field of the user."""
    if isinstance(protocols, str):
        raise TypeError(f"protocols must be an iterable of names, found the str {protocols!r}")
    written = fields.popall(PROTOCOL, ())
    names = () if protocols is None else tuple(protocols)
    if not names:
        names = tuple(elements(written))
    elif written:
        raise ValueError(f"protocols= and a {PROTOCOL} field are both given; leave out one")
    if EXTENSIONS in fields:
        raise ValueError(f"{EXTENSIONS} cannot be set by hand; use compress=")
    for name in names:
        check_name(name)
    return names


def _take_over(
    response: ClientResponse,
    agreed: Agreed,
    limits: _Limits,
    max_size: int,
    decode_text: bool,
    autoping: bool,
) -> WebSocketConnection:
    """Return the WebSocket protocol on the connection of *response*.

    Raises:
        ServerDisconnectedError: the connection was lost meanwhile.
        HandshakeFailure: there is no such connection: a middleware closed the response.
    """
    held = response.connection
    taken = None if held is None else held.take_over()
    transport = None if taken is None else taken.transport
    if held is None or taken is None or transport is None:
        if was_lost(response):
            raise ServerDisconnectedError(
                f"{response.request.label}: the connection was lost right after the answer to the handshake"
            )
        raise HandshakeFailure(
            "the response was closed, by a middleware; a WebSocket needs its connection"
        )
    deflate = agreed.deflate
    reader = MessageReader(
        max_size,
        decode_text=decode_text,
        answer_pings=autoping,
        decompressor=None if deflate is None else Decompressor(deflate),
    )
    buffered = taken.buffer is not None
    return (BufferedWebSocketConnection if buffered else WebSocketConnection)(
        taken,
        transport,
        cast(asyncio.AbstractEventLoop, held.loop),
        response.request.label,
        reader,
        None if deflate is None else Compressor(deflate),
        limits.heartbeat,
        limits.pong,
    )


async def _refuse(response: ClientResponse, found: str) -> NoReturn:
    """Raise the error for an invalid answer, with the beginning of its body; close the response."""
    body = b""
    try:
        async with asyncio.timeout(REFUSAL_TIME):
            while len(body) < REFUSAL_BODY and (piece := await response.content.readany()):
                body += piece
    except CALL_ERRORS:
        pass  # the received part is enough
    finally:
        response.close()
    error = HandshakeRefusedError(
        response.request.info,
        cast(Any, response.history),
        status=response.status,
        message=found,
        headers=response.headers,
    )
    error.body = body[:REFUSAL_BODY]
    raise error
