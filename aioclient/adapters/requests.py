"""Our engine under requests: ``requests.Session().mount("https://", Adapter())``."""

from collections.abc import Iterator, Mapping
from email.message import Message
from typing import Any, NoReturn, Unpack

from yarl import URL

from ..exceptions import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientHttpProxyError,
    ClientPayloadError,
    ClientProxyConnectionError,
    ConnectionTimeoutError,
    InvalidURL,
    MissingExtraError,
    ServerFingerprintMismatch,
    ServerTimeoutError,
)
from ..message.timeout import ClientTimeout
from ..response.client_response import ClientResponse
from ..sync.portal import PORTAL, Errands
from ..sync.raw import RawBody
from ..sync.tls import tls_setting
from ..sync.uploads import body_of
from .errors import Table, name_for
from .settings import AdapterArguments, AdapterSettings, BlockingSession, timeout_of

try:
    import requests
    import requests.adapters
    import urllib3
    from requests.utils import prepend_scheme_if_needed, select_proxy
    from urllib3.exceptions import ProtocolError, ReadTimeoutError
except ImportError:
    raise MissingExtraError(
        "aioclient.adapters.requests needs requests, which is not installed: pip install 'aioclient[requests]'"
    ) from None

__all__ = ("Adapter",)

ERRORS: Table = (
    (ConnectionTimeoutError, "ConnectTimeout"),
    (ServerTimeoutError, "ReadTimeout"),
    (TimeoutError, "ReadTimeout"),
    (ClientProxyConnectionError, "ProxyError"),
    (ClientHttpProxyError, "ProxyError"),
    (ClientConnectorCertificateError, "SSLError"),
    (ClientConnectorSSLError, "SSLError"),
    (ServerFingerprintMismatch, "SSLError"),
    (ClientConnectorError, "ConnectionError"),
    (InvalidURL, "InvalidURL"),
    (ClientPayloadError, "ChunkedEncodingError"),
    (ClientError, "ConnectionError"),
    (ValueError, "InvalidHeader"),
)


class _Body(RawBody):
    """An undecoded body that raises what urllib3 does, which requests expects."""

    def __init__(self, response: ClientResponse, errands: Errands | None) -> None:
        super().__init__(response, errands, PORTAL.loop)
        self._url = str(response.url)

    def _more(self) -> bool:
        try:
            return super()._more()
        except TimeoutError as error:
            raise ReadTimeoutError(None, self._url, str(error)) from error  # type: ignore[arg-type]
        except ClientError as error:
            raise ProtocolError(str(error), error) from error


class _Original:
    """The object from which requests takes the cookies of a response."""

    def __init__(self, response: ClientResponse) -> None:
        self.msg = Message()
        for name, value in _received(response):
            self.msg[name] = value

    def isclosed(self) -> bool:
        """Return that nothing is left to read."""
        return True

    def close(self) -> None:
        """Close nothing."""


class Adapter(requests.adapters.BaseAdapter):
    """Sends for a ``requests.Session``, by the event loop of blocking calls.

    Args:
        settings: ``verify``, ``cert``, ``http2``, ``proxy``, ``limits``, ``middlewares``, ``connector`` …, as the
            transports for httpx take them. What a session or a call says of ``verify``, ``cert`` and ``proxies``
            comes before them.

    Raises:
        TypeError, ValueError: an argument that cannot be used.
    """

    def __init__(self, **settings: Unpack[AdapterArguments]) -> None:
        super().__init__()
        self._settings = settings
        self._blocking = BlockingSession(AdapterSettings(**settings), drains=True)

    def send(
        self,
        request: Any,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send *request*, a prepared one; its body is read by requests.

        Raises:
            RequestException: of requests, as its own adapters raise it.
            ValueError: the timeout is no number of seconds, (connect, read), or None.
        """
        arguments = self._arguments(request, timeout, verify, cert, proxies)
        data, errands = body_of(request.body, None)
        if data is not None:
            arguments["data"] = data
        try:
            response = PORTAL.run(self._send(request, arguments), errands)
        except Exception as error:  # noqa: BLE001
            _raise(error, request, errands)
        raw = urllib3.HTTPResponse(
            body=_Body(response, errands),
            headers=urllib3.HTTPHeaderDict(_received(response)),
            status=response.status,
            reason=response.reason,
            version=10 * response.version.major + response.version.minor,
            preload_content=False,
            decode_content=False,
            original_response=_Original(response),  # type: ignore[arg-type]
            request_method=request.method,
        )
        return self.build_response(request, raw)

    def build_response(self, request: Any, raw: Any) -> requests.Response:
        """Make a response of requests from *raw*, one of urllib3; a subclass may do more."""
        build = requests.adapters.HTTPAdapter.build_response
        return build(self, request, raw)  # type: ignore[arg-type]

    def _arguments(
        self,
        request: Any,
        timeout: Any,
        verify: bool | str,
        cert: Any,
        proxies: Mapping[str, str] | None,
    ) -> dict[str, Any]:
        fields = [
            (_sent(name), _sent(value))
            for name, value in request.headers.items()
            if _sent(name).lower() not in ("connection", "transfer-encoding")
        ]
        arguments: dict[str, Any] = {
            "headers": fields,
            "allow_redirects": False,
            "timeout": _limits(timeout),
        }
        if (verify is not True or cert is not None) and request.url[:6].lower() == "https:":
            arguments["ssl"] = tls_setting(verify, cert)
        if proxies and (proxy := select_proxy(request.url, proxies)):  # type: ignore[arg-type]
            proxy = prepend_scheme_if_needed(proxy, "http")
            if not urllib3.util.parse_url(proxy).host:
                raise requests.exceptions.InvalidProxyURL(
                    f"the proxy for {request.url} names no host; give http://host:port",
                    request=request,
                )
            arguments["proxy"] = proxy
        return arguments

    async def _send(self, request: Any, arguments: dict[str, Any]) -> ClientResponse:
        url = URL(request.url, encoded=True)
        return await self._blocking.current().request(
            request.method, url.with_user(None), **arguments
        )

    def close(self) -> None:
        """Close the connections; responses that are still read may be read to their end, as over requests' own."""
        self._blocking.close_and_wait()

    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self._settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state["settings"])  # type: ignore[misc]


def _raise(error: Exception, request: Any, errands: Errands | None) -> NoReturn:
    """Raise what requests raises in the place of *error*; what the iterator of the body raised is not translated."""
    if errands is not None and errands.failure is not None:
        error = errands.failure
        if not isinstance(error, OSError):
            raise error
        raise requests.ConnectionError(error, request=request) from error
    name = name_for(error, ERRORS)
    if name is None:
        raise error
    raise getattr(requests.exceptions, name)(error, request=request) from error


def _sent(value: str | bytes) -> str:
    """Return a part of a field as a session takes it; requests sends text as ISO-8859-1."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # requests itself cannot send it
        return value


def _received(response: ClientResponse) -> Iterator[tuple[str, str]]:
    """Yield the fields of a response as users of requests know them, as ISO-8859-1."""
    for name, value in response.raw_headers:
        yield name.decode("latin-1"), value.decode("latin-1")


def _limits(timeout: Any) -> ClientTimeout:
    """Return the limits for *timeout*: one number for both, (connect, read), or urllib3's ``Timeout``."""
    if isinstance(timeout, urllib3.Timeout):
        started = timeout.clone()
        started.start_connect()
        connect, read = started.connect_timeout, started.read_timeout
    elif isinstance(timeout, tuple):
        if len(timeout) != 2:
            raise ValueError(f"timeout={timeout}: give (connect, read), or one number for both")
        connect, read = timeout
    else:
        connect = read = timeout
    return timeout_of(_seconds(connect), _seconds(read), None)


def _seconds(value: Any) -> float | None:
    """Return a limit in seconds.

    Raises:
        ValueError: *value* is not a number above 0, None, or urllib3's default.
    """
    if value is None or value is urllib3.Timeout.DEFAULT_TIMEOUT:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ValueError(
            f"timeout={value!r}: a limit must be an int, float or None, in seconds and above 0"
        )
    return float(value)
