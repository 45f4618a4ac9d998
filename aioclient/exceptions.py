"""The exception tree: aiohttp's client exceptions and our own.

All exceptions raised here can be pickled and copied, so that they can be sent to other processes. Responses are not
included (``history`` is then empty), nor are TLS contexts and the credentials of a proxy.

Every aiohttp client exception is here as the same class object, so that ``except aiohttp.ClientError`` and ``except
aioclient.ClientError`` are the same. Ours (marked ``*``) derive from them, with three exceptions: ``TotalTimeoutError``
is only a ``TimeoutError`` and ``InvalidJSONError`` only a ``json.JSONDecodeError``, as in aiohttp, and
``StreamConsumedError`` is a mistake in the program. ``CALL_ERRORS`` is ``(ClientError, TimeoutError)``, which covers
what a call raises because of the network::

    ClientError
    ├── ClientConnectionError
    │   ├── ClientConnectionResetError (+ ConnectionResetError)
    │   ├── WSClosedError *                      code, reason: the end of a WebSocket
    │   ├── NotSentError *                       seconds, until: a middleware has sent nothing
    │   │   ├── CircuitOpenError *               the origin fails too often
    │   │   ├── RateLimitedError *               a rate limit has no room before the deadline
    │   │   └── QueueFullError *                 too many requests wait for a free place
    │   ├── ClientOSError (+ OSError)
    │   │   └── ClientConnectorError             host, port, os_error, ssl
    │   │       ├── ConnectError *               no connection to host and port
    │   │       ├── ClientConnectorDNSError
    │   │       │   └── LookupFailedError *      no address of the host
    │   │       ├── AddressNotAllowedError *     address, rule: of an AddressPolicy
    │   │       ├── ClientProxyConnectionError
    │   │       │   └── ProxyConnectError *      no connection to the proxy, or by it
    │   │       ├── UnixClientConnectorError     path
    │   │       │   └── UnixConnectError *       no connection to a Unix socket
    │   │       └── ClientSSLError
    │   │           ├── ClientConnectorSSLError (+ ssl.SSLError)
    │   │           │   └── TLSError *           no TLS with the server or the proxy
    │   │           └── ClientConnectorCertificateError (+ ssl.CertificateError)
    │   │               └── CertificateError *   … because its certificate is refused
    │   └── ServerConnectionError
    │       ├── ServerDisconnectedError
    │       ├── ServerFingerprintMismatch
    │       └── ServerTimeoutError (+ asyncio.TimeoutError)
    │           ├── AttemptTimeoutError *        an attempt took longer than ``Retry(timeout=...)``
    │           ├── ConnectionTimeoutError
    │           │   ├── PoolTimeoutError *       no free slot
    │           │   └── ConnectTimeoutError *    no connection
    │           └── SocketTimeoutError
    │               ├── ReadTimeoutError *       a silent server
    │               └── WSReceiveTimeoutError *  no message on a WebSocket
    ├── ClientResponseError                      status, headers, message, request_info, history
    │   ├── ServerProtocolError *                the head is not HTTP
    │   │   └── HeadTooLargeError *              … or larger than allowed
    │   ├── StatusError *                        … and the first 64 KiB of the body
    │   ├── TooManyRedirects
    │   │   └── RedirectLimitError *             more redirects than ``max_redirects``
    │   ├── ContentTypeError
    │   │   └── UnexpectedContentTypeError *     ``json()`` of another media type
    │   ├── ClientHttpProxyError
    │   │   └── ProxyRefusedError *              proxy
    │   └── WSServerHandshakeError
    │       └── HandshakeRefusedError *          … and the first 64 KiB of the body
    ├── ClientPayloadError
    │   ├── IncompleteBodyError *                the response's body ended early
    │   ├── UnexpectedJSONError * (+ ValueError) JSON that is not of the type asked for
    │   ├── ContentDecodingError *               a content coding could not be undone
    │   ├── BodyTooLargeError *                  more bytes than ``max_body_size``
    │   ├── ContentDigestError *                 the response's body is not the one that Content-Digest is of
    │   ├── BodyConsumedError *                  a request body cannot be sent again
    │   │   └── CrossOriginBodyError *           … or must not, to another origin
    │   └── BodySizeError *                      a request body is not as long as announced
    ├── InvalidURL (+ ValueError)
    │   └── InvalidUrlClientError
    ├── NonHttpUrlClientError
    ├── RedirectClientError
    │   ├── InvalidUrlRedirectClientError (+ InvalidUrlClientError)
    │   └── NonHttpUrlRedirectClientError (+ NonHttpUrlClientError)
    │       └── UnsafeRedirectError * (+ ValueError)
    ├── UploadAbortedError
    ├── WSReconnectError *                       reason, attempts: a WebSocket is not connected again
    ├── OAuth2Error *                            error, description, status: no token of an authorization server
    ├── NetrcError *                             the netrc file that the session was given
    └── MissingExtraError * (+ ImportError)      names the pip command
    TotalTimeoutError * (+ TimeoutError)         the whole call, body included
    StreamConsumedError * (+ RuntimeError)       ``text()`` or ``json()`` of a body that was iterated over before
    InvalidJSONError * (+ json.JSONDecodeError)  ``json()`` of a body that is not JSON
    └── UndecodableJSONError * (+ UnicodeDecodeError) … because it is not text in its charset
    WSMessageTypeError (+ TypeError)             a use of the API, not of the network
"""

import json
import re
from copy import copy
from datetime import datetime
from typing import Any, ClassVar, Final, TypeVar, cast

from aiohttp import (
    ClientConnectionError,
    ClientConnectionResetError,
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientHttpProxyError,
    ClientOSError,
    ClientPayloadError,
    ClientProxyConnectionError,
    ClientResponse,
    ClientResponseError,
    ClientSSLError,
    ConnectionTimeoutError,
    ContentTypeError,
    InvalidURL,
    InvalidUrlClientError,
    InvalidUrlRedirectClientError,
    NonHttpUrlClientError,
    NonHttpUrlRedirectClientError,
    RedirectClientError,
    RequestInfo,
    ServerConnectionError,
    ServerDisconnectedError,
    ServerFingerprintMismatch,
    ServerTimeoutError,
    SocketTimeoutError,
    TooManyRedirects,
    UploadAbortedError,
    WSMessageTypeError,
    WSServerHandshakeError,
)
from aiohttp.client_exceptions import UnixClientConnectorError
from multidict import CIMultiDict, MultiMapping
from yarl import URL

__all__ = (
    "AddressNotAllowedError",
    "AttemptTimeoutError",
    "BodyConsumedError",
    "BodySizeError",
    "BodyTooLargeError",
    "CALL_ERRORS",
    "CertificateError",
    "CircuitOpenError",
    "ClientConnectionError",
    "ClientConnectionResetError",
    "ClientConnectorCertificateError",
    "ClientConnectorDNSError",
    "ClientConnectorError",
    "ClientConnectorSSLError",
    "ClientError",
    "ClientHttpProxyError",
    "ClientOSError",
    "ClientPayloadError",
    "ClientProxyConnectionError",
    "ClientResponseError",
    "ClientSSLError",
    "ConnectError",
    "ConnectTimeoutError",
    "ConnectionTimeoutError",
    "ContentDecodingError",
    "ContentDigestError",
    "ContentTypeError",
    "CrossOriginBodyError",
    "HandshakeRefusedError",
    "HeadTooLargeError",
    "IncompleteBodyError",
    "InvalidJSONError",
    "InvalidURL",
    "InvalidUrlClientError",
    "InvalidUrlRedirectClientError",
    "LookupFailedError",
    "MissingExtraError",
    "NetrcError",
    "NonHttpUrlClientError",
    "NonHttpUrlRedirectClientError",
    "OAuth2Error",
    "NotSentError",
    "PoolTimeoutError",
    "ProxyConnectError",
    "ProxyRefusedError",
    "QueueFullError",
    "RateLimitedError",
    "ReadTimeoutError",
    "RedirectClientError",
    "RedirectLimitError",
    "ServerConnectionError",
    "ServerDisconnectedError",
    "ServerFingerprintMismatch",
    "ServerProtocolError",
    "ServerTimeoutError",
    "SocketTimeoutError",
    "StatusError",
    "StreamConsumedError",
    "TLSError",
    "TooManyRedirects",
    "TotalTimeoutError",
    "UndecodableJSONError",
    "UnexpectedContentTypeError",
    "UnexpectedJSONError",
    "UnixClientConnectorError",
    "UnixConnectError",
    "UnsafeRedirectError",
    "UploadAbortedError",
    "WSClosedError",
    "WSMessageTypeError",
    "WSReceiveTimeoutError",
    "WSReconnectError",
    "WSServerHandshakeError",
)

CALL_ERRORS: Final = (ClientError, TimeoutError)
"""The exceptions of a call that fails on the network or runs out of time: ``except aioclient.CALL_ERRORS``."""

_SECRET_QUERY_NAMES = (
    "token",
    "key",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "jwt",
    "credential",
    "session",
    "sessionid",
    "session_id",
    "signature",
    "sig",
    "auth",
    "code",
)


def is_secret_in_query(name: str) -> bool:
    """Tell whether a query parameter of this name may be a secret."""
    return name.lower().endswith(_SECRET_QUERY_NAMES)


def public(url: URL) -> URL:
    """Return *url* without userinfo, and with ``***`` for query values that may be secret.

    ``***`` also replaces a fragment that has such a value: OAuth sends tokens there (RFC 6749, section 4.2.2).
    """
    if url.raw_user is not None or url.raw_password is not None:
        url = url.with_user(None)
    if url.raw_query_string:
        hidden = {name: "***" for name in url.query if is_secret_in_query(name)}
        if hidden:
            url = url.update_query(hidden)
    if "=" in url.raw_fragment and _has_secret(url.fragment):
        url = url.with_fragment("***")
    return url


def _has_secret(fragment: str) -> bool:
    """Tell whether *fragment*, also one that is a path with a query, has a value that may be secret."""
    names = (
        name
        for pair in re.split("[?&;/]", fragment)
        for name, sign, _ in [pair.partition("=")]
        if sign
    )
    return any(map(is_secret_in_query, names))


E = TypeVar("E", bound=BaseException)


def copy_of(error: E) -> E:
    """Return a copy of *error* for one more caller that waited for the same; *error* itself if it cannot be copied.

    One object would collect the tracebacks, notes and attempts of all callers.
    """
    try:
        own = copy(error)
    except Exception:  # noqa: BLE001  (a user's class may need arguments that its instances do not have)
        return error
    own.__cause__ = error.__cause__
    return own.with_traceback(error.__traceback__)


def shown(url: URL) -> str:
    """Return *url* for a message: without secrets, and at most 300 characters."""
    text = str(public(url))
    return text if len(text) <= 300 else f"{text[:297]}..."


def shown_bad(url: object) -> str:
    """Return an invalid or unsupported URL as ``repr`` for a message.

    What may be userinfo, a query or a fragment is replaced by ``***``.
    """
    text = url if isinstance(url, str) else repr(url)
    if "@" in text:
        text = f"***{text[text.rindex('@') :]}"
    for mark in "#?":
        if mark in text:
            text = f"{text[: text.index(mark)]}{mark}***"
    return repr(text[:297] + "..." if len(text) > 300 else text)


def bad_url(url: object) -> str:
    """Return the same as the ``url`` of an error: without the quotes."""
    return shown_bad(url)[1:-1]


class _Timeout(Exception):
    """The data of every timeout error: the request, the phase's limit in seconds, and what was missing."""

    phase: str = ""

    def __init__(self, method: str, url: URL, limit: float | None, found: str) -> None:
        self.method = method
        self.url: URL = public(url)
        self.limit = limit
        self.found = found
        super().__init__()  # OSError, a base of TimeoutError, would take arguments for errno and strerror

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.method, self.url, self.limit, self.found), self.__dict__

    def __str__(self) -> str:
        return f"{self.method} {shown(self.url)}: {self.found} within {self.phase}={self.limit} s"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class TotalTimeoutError(_Timeout, TimeoutError):
    """The call, from its start to the last byte of the body, took longer than ``ClientTimeout.total``.

    As in aiohttp it is not a ``ClientError``, so that code with ``except ClientError`` before ``except TimeoutError``
    takes the same branch as there; ``CALL_ERRORS`` has both.
    """

    phase = "total"


class PoolTimeoutError(_Timeout, ConnectionTimeoutError):
    """No slot of the connector's pool became free within ``ClientTimeout.pool`` (or ``connect``)."""

    phase: str = "pool"

    def __init__(
        self, method: str, url: URL, limit: float | None, found: str, phase: str = "pool"
    ) -> None:
        super().__init__(method, url, limit, found)
        self.phase = phase


class ConnectTimeoutError(_Timeout, ConnectionTimeoutError):
    """No connection was made within ``ClientTimeout.connect`` or ``sock_connect``.

    Also: a proxy opened no tunnel within ``sock_read``. ``phase`` says which.
    """

    def __init__(
        self, method: str, url: URL, limit: float | None, found: str, phase: str = "connect"
    ) -> None:
        super().__init__(method, url, limit, found)
        self.phase = phase


class ReadTimeoutError(_Timeout, SocketTimeoutError):
    """The server sent nothing for ``ClientTimeout.sock_read`` seconds."""

    phase = "sock_read"


class AttemptTimeoutError(_Timeout, ServerTimeoutError):
    """An attempt had no response within the ``timeout`` of a ``Retry``; the server may have processed it."""

    phase = "timeout"

    def __str__(self) -> str:
        return f"{self.method} {shown(self.url)}: {self.found} to this attempt within Retry(timeout={self.limit})"


class WSReceiveTimeoutError(_Timeout, SocketTimeoutError):
    """No message came on a WebSocket within ``ClientWSTimeout.ws_receive``, or the timeout of ``receive()``."""

    phase = "ws_receive"


class _OfResponse(ClientResponseError):
    """Makes ``ClientResponseError`` picklable, and gives ``code`` without aiohttp's warning."""

    @property
    def code(self) -> int:
        """The status, under its name in aiohttp 2."""
        return self.status

    @code.setter
    def code(self, value: int) -> None:
        self.status = value

    def __reduce__(self) -> tuple[Any, ...]:
        info = _picklable(self.request_info)
        headers = None if self.headers is None else CIMultiDict(self.headers)
        state = {**self.__dict__, "request_info": info, "headers": headers, "history": ()}
        return type(self), (info, ()), state


class ServerProtocolError(_OfResponse):
    """The bytes that the server sent instead of a response head are not HTTP/1.1 (RFC 9112)."""

    def __str__(self) -> str:
        info = self.request_info
        return f"{info.method} {shown(info.real_url)}: {self.message}"


class HeadTooLargeError(ServerProtocolError):
    """The response head exceeds a limit on its lines, its fields or their number."""


class StatusError(_OfResponse):
    """The response's status is 400 or more, and ``raise_for_status`` made it an error.

    ``body`` is the received part of its body, decoded, at most 64 KiB; ``text`` is the same as text. For text and JSON
    the message shows the first 200 characters (``excerpt``); secrets that the request carried and the values of names
    such as ``token`` are replaced by ``***``. ``StatusError.show_body = False`` leaves the excerpt out of every
    message.
    """

    show_body: ClassVar[bool] = True
    excerpt = ""

    def __init__(
        self,
        request_info: RequestInfo,
        history: tuple[ClientResponse, ...],
        *,
        status: int | None = None,
        message: str = "",
        headers: MultiMapping[str] | None = None,
        body: bytes = b"",
        charset: str = "utf-8",
    ) -> None:
        super().__init__(request_info, history, status=status, message=message, headers=headers)
        self.body = body
        self.charset = charset

    @property
    def text(self) -> str:
        """The body as text, in the response's charset, with U+FFFD for invalid or truncated characters."""
        return self.body.decode(self.charset, "replace")

    def __str__(self) -> str:
        shown_body = f", body: {self.excerpt}" if self.excerpt and self.show_body else ""
        return f"{super().__str__()}{shown_body}"

    def __repr__(self) -> str:
        info = self.request_info
        return (
            f"<{type(self).__name__} {self.status} {self.message!r} of {info.method} {shown(info.real_url)}, "
            f"{len(self.body)} bytes of its body>"
        )


class UnexpectedContentTypeError(_OfResponse, ContentTypeError):
    """The response's media type is not the one that ``json()`` expects."""


class RedirectLimitError(_OfResponse, TooManyRedirects):
    """A server sent more redirects than ``max_redirects``; ``history`` holds the responses."""


class ProxyRefusedError(_OfResponse, ClientHttpProxyError):
    """An HTTP proxy refused to open a tunnel, or asked for other credentials (407).

    ``status``, ``message`` and ``headers`` are those of its response, ``proxy`` is its address. ``request_info`` is
    that of the ``CONNECT``, or of the request that it should have forwarded.
    """

    proxy = ""

    def __str__(self) -> str:
        info = self.request_info
        text = f"{info.method} {shown(info.real_url)}: the proxy {self.proxy} answered {self.status} {self.message}"
        return f"{text}; give it other credentials in proxy_auth" if self.status == 407 else text


class HandshakeRefusedError(_OfResponse, WSServerHandshakeError):
    """The server did not switch to WebSocket (RFC 6455, section 4.1).

    ``body`` is the received part of the answer's body, decoded, at most 64 KiB. No message shows it, because servers
    repeat there what they were sent.
    """

    body: bytes = b""

    def __str__(self) -> str:
        info = self.request_info
        return f"{info.method} {shown(info.real_url)}: {self.message}"


class WSClosedError(ClientConnectionError):
    """A WebSocket was closed by the server, or lost (code 1006).

    ``code`` and ``reason`` are from the server's close frame.
    """

    def __init__(self, label: str, code: int, reason: str) -> None:
        super().__init__(label, code, reason)
        self.label = label
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        reason = f" {self.reason!r}" if self.reason else ""
        return f"{self.label}: the WebSocket ended with {self.code}{reason}"


class NotSentError(ClientConnectionError):
    """A middleware stopped the request; nothing was sent.

    ``reason`` says why. The request may pass ``seconds`` after the error was raised, at ``until`` (UTC); both are None
    if that is unknown.
    """

    def __init__(
        self, label: str, reason: str, seconds: float | None, until: datetime | None
    ) -> None:
        super().__init__(label, reason, seconds, until)
        self.label = label
        self.reason = reason
        self.seconds = seconds
        self.until = until

    def __str__(self) -> str:
        when = ""
        if self.seconds is not None and self.until is not None:
            when = f", until {self.until:%H:%M:%S} UTC ({self.seconds:.3g} s)"
        return f"{self.label}: nothing was sent: {self.reason}{when}"


class CircuitOpenError(NotSentError):
    """A ``CircuitBreaker`` is open because too many requests failed."""


class RateLimitedError(NotSentError):
    """A ``RateLimit`` has no room for the request before its deadline, or within the longest wait allowed."""


class QueueFullError(NotSentError):
    """The queue of a ``ConcurrencyLimit`` or ``AdaptiveLimit`` is full."""


class WSReconnectError(ClientError):
    """A reconnecting WebSocket gave up; the cause is what ended its last connection or attempt.

    ``reason`` says why, ``attempts`` is the total number of attempts.
    """

    _ended_with = ""  # the text of the cause, when pickle has dropped the cause itself

    def __init__(self, label: str, reason: str, attempts: int) -> None:
        super().__init__(label, reason, attempts)
        self.label = label
        self.reason = reason
        self.attempts = attempts

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args, {**self.__dict__, "_ended_with": self._text_of_cause()}

    def _text_of_cause(self) -> str:
        return self._ended_with if self.__cause__ is None else f": {self.__cause__}"

    def __str__(self) -> str:
        count = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        return (
            f"{self.label}: not connected again after {count}, {self.reason}{self._text_of_cause()}"
        )


class IncompleteBodyError(ClientPayloadError):
    """The response's body ended before the length its head announced (RFC 9112, section 8)."""


class UnexpectedJSONError(ClientPayloadError, ValueError):
    """The response's body is JSON, but not of the type that ``json(type=...)`` expects.

    ``path`` is the place (``$.items[3].id``), ``expected`` and ``found`` are the names of the types there (empty if
    there is none), ``reason`` is the whole fault as text, ``snippet`` is the beginning of the value, without the values
    of names such as ``token``.
    """

    def __init__(
        self,
        request_info: RequestInfo,
        *,
        path: str,
        reason: str,
        expected: str = "",
        found: str = "",
        snippet: str = "",
    ) -> None:
        super().__init__(request_info)
        self.request_info = request_info
        self.path = path
        self.reason = reason
        self.expected = expected
        self.found = found
        self.snippet = snippet

    def __str__(self) -> str:
        info = self.request_info
        there = f"; there is {self.snippet}" if self.snippet else ""
        return f"{info.method} {shown(info.real_url)}: JSON at {self.path}: {self.reason}{there}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def __reduce__(self) -> tuple[Any, ...]:
        info = _picklable(self.request_info)
        return _unexpected_json, (type(self), info, {**self.__dict__, "request_info": info})


class InvalidJSONError(json.JSONDecodeError):
    """The response's body is not JSON.

    As in aiohttp it is not a ``ClientError``. Besides the attributes of ``json.JSONDecodeError`` (``msg``, ``doc``,
    ``pos``) it has ``request_info``, ``status`` and ``content_type``; ``excerpt`` is the first 200 characters of the
    body, without secrets, as in ``StatusError``; ``InvalidJSONError.show_body = False`` leaves it out of every message.
    """

    show_body: ClassVar[bool] = True

    def __init__(
        self,
        msg: str,
        doc: str,
        pos: int,
        *,
        request_info: RequestInfo,
        status: int,
        content_type: str,
        excerpt: str,
    ) -> None:
        super().__init__(msg, doc, pos)
        self.request_info = request_info
        self.status = status
        self.content_type = content_type
        self.excerpt = excerpt

    def __str__(self) -> str:
        info = self.request_info
        begins = f"; it begins: {self.excerpt}" if self.excerpt and self.show_body else ""
        return (
            f"{info.method} {shown(info.real_url)}: the body of this {self.status} response, "
            f"{self.content_type or 'without Content-Type'}, is not JSON: {super().__str__()}{begins}"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        state = {**self.__dict__, "request_info": _picklable(self.request_info)}
        return _invalid_json, (type(self), state)


class UndecodableJSONError(InvalidJSONError, UnicodeDecodeError):
    """The response's body is not JSON: it is not text in its charset.

    ``doc`` is the text with U+FFFD for invalid bytes, and ``pos`` the index of the first one. ``encoding``, ``object``,
    ``start``, ``end`` and ``reason`` are those of the ``UnicodeDecodeError`` that decoding in *charset* raised.
    """

    def __init__(
        self,
        error: UnicodeDecodeError,
        charset: str,
        *,
        request_info: RequestInfo,
        status: int,
        content_type: str,
        excerpt: str,
    ) -> None:
        text = error.object.decode(charset, "replace")
        before = error.object[: error.start].decode(charset, "replace")
        InvalidJSONError.__init__(
            self,
            str(error),
            text,
            len(before),
            request_info=request_info,
            status=status,
            content_type=content_type,
            excerpt=excerpt,
        )
        UnicodeDecodeError.__init__(
            self, error.encoding, error.object, error.start, error.end, error.reason
        )
        self.charset = charset

    def __reduce__(self) -> tuple[Any, ...]:
        state = {**self.__dict__, "request_info": _picklable(self.request_info)}
        cause = UnicodeDecodeError(self.encoding, self.object, self.start, self.end, self.reason)
        return _undecodable_json, (type(self), cause, state)


def _invalid_json(kind: type[InvalidJSONError], state: dict[str, Any]) -> InvalidJSONError:
    error = kind(
        state["msg"],
        state["doc"],
        state["pos"],
        request_info=state["request_info"],
        status=state["status"],
        content_type=state["content_type"],
        excerpt=state["excerpt"],
    )
    error.__dict__.update(state)
    return error


def _undecodable_json(
    kind: type[UndecodableJSONError], cause: UnicodeDecodeError, state: dict[str, Any]
) -> UndecodableJSONError:
    error = kind(
        cause,
        state["charset"],
        request_info=state["request_info"],
        status=state["status"],
        content_type=state["content_type"],
        excerpt=state["excerpt"],
    )
    error.__dict__.update(state)
    return error


class StreamConsumedError(RuntimeError):
    """``text()`` or ``json()`` was called after the body was read piece by piece; it is not kept.

    ``read()`` then returns ``b""``, as in aiohttp: it reads the rest.
    """


def _picklable(info: RequestInfo) -> RequestInfo:
    """Return a picklable copy: the views of multidicts in it cannot be pickled."""
    return info._replace(headers=cast(Any, CIMultiDict(info.headers)))


def _unexpected_json(
    kind: type[UnexpectedJSONError], info: RequestInfo, state: dict[str, Any]
) -> UnexpectedJSONError:
    error = kind(info, path="", reason="")
    error.__dict__.update(state)
    return error


class ContentDecodingError(ClientPayloadError):
    """The response's ``Content-Encoding`` could not be decoded: damaged, truncated or unknown."""


class BodyTooLargeError(ClientPayloadError):
    """The response's body has more bytes than ``max_body_size`` allows."""


class ContentDigestError(ClientPayloadError):
    """The response's body is not the one that its ``Content-Digest`` is of (RFC 9530)."""


class BodyConsumedError(ClientPayloadError):
    """A request body had to be sent again and cannot be."""


class CrossOriginBodyError(BodyConsumedError):
    """A redirect would send a request body to another origin, which no ``RedirectPolicy`` allows; it was not sent."""


class BodySizeError(ClientPayloadError):
    """A request body was longer or shorter than its ``Content-Length``."""


class UnsafeRedirectError(NonHttpUrlRedirectClientError, ValueError):
    """A redirect leads to a scheme that is neither http nor https, or from https to http where that is forbidden."""


class ConnectingError:
    """The further data of a connection error: the request, what was dialled, and whether it concerns the proxy.

    ``method`` and ``url`` are those of the request; ``dialled`` are the addresses that were tried; ``found`` describes
    what happened. ``on_the_way_to`` is the server's origin if the error is about a proxy, else empty.
    """

    method = ""
    url: URL | None = None
    dialled: tuple[str, ...] = ()
    found = ""
    on_the_way_to = ""

    def _begin(self) -> str:
        return "" if self.url is None else f"{self.method} {shown(self.url)}: "

    def __str__(self) -> str:
        error = cast(ClientConnectorError, self)
        tried = f" ({', '.join(self.dialled)})" if self.dialled not in ((), (error.host,)) else ""
        place = f"host {error.host}:{error.port}{tried}"
        if self.on_the_way_to:
            place = f"the proxy at {place} on the way to {self.on_the_way_to}"
        return f"{self._begin()}Cannot connect to {place}: {self.found or error.os_error}"


class ConnectError(ConnectingError, ClientConnectorError):
    """No connection to ``host`` and ``port`` could be made."""


class LookupFailedError(ConnectingError, ClientConnectorDNSError):
    """The host has no known address."""


class ProxyConnectError(ConnectingError, ClientProxyConnectionError):
    """No connection to the proxy at ``host`` and ``port`` could be made, or it opened none to the server."""


class TLSError(ConnectingError, ClientConnectorSSLError):
    """The TLS handshake failed."""


class CertificateError(ConnectingError, ClientConnectorCertificateError):
    """The TLS handshake failed because the certificate was refused."""


class AddressNotAllowedError(ConnectingError, ClientConnectorError):
    """The connector's ``AddressPolicy`` allows no connection to this server; nothing was sent.

    ``address`` is the first address that was denied, None if the host, port or scheme was denied; ``rule`` is a
    sentence that says why.
    """

    def __init__(
        self, connection_key: Any, os_error: OSError, address: str | None, rule: str
    ) -> None:
        super().__init__(connection_key, os_error)
        self.address = address
        self.rule = rule
        self.args: tuple[Any, ...] = (connection_key, os_error, address, rule)

    def __str__(self) -> str:
        place = f"{self.host}:{self.port}"
        return f"{self._begin()}No connection to {place}: {self.rule}; the connector's address_policy decides it"


class UnixConnectError(ConnectingError, UnixClientConnectorError):
    """No connection to the Unix socket at ``path`` could be made."""

    def __str__(self) -> str:
        return f"{self._begin()}Cannot connect to the Unix socket {self.path}: {self.found or self.os_error}"

    def __reduce__(self) -> tuple[Any, ...]:
        # OSError keeps two arguments; the constructor here takes three.
        return type(self), (self.path, self._conn_key, self.os_error), self.__dict__


class OAuth2Error(ClientError):
    """An authorization server gave no token.

    ``url`` is the endpoint, ``status`` that of its response (None for an answer by the browser), ``error`` its code
    ("invalid_grant", "access_denied" …; empty if it gave none), ``description`` the reason in words.
    """

    def __init__(self, url: URL, status: int | None, error: str, description: str) -> None:
        self.url: URL = public(url)
        self.status = status
        self.error = error
        self.description = description
        super().__init__(self.url, status, error, description)

    def __str__(self) -> str:
        status = "" if self.status is None else f" (status {self.status})"
        words = [repr(each)[1:-1][:200] for each in (self.error, self.description) if each]
        return f"{shown(self.url)}: no token{status}: {': '.join(words) or 'no reason was given'}"


class NetrcError(ClientError):
    """The session's netrc file cannot be read or parsed; nothing was sent."""


class MissingExtraError(ClientError, ImportError):
    """A feature needs a package that is not installed; the text names the pip command."""
