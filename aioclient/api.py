"""One-shot calls: a session for one request."""

from collections.abc import Generator
from types import TracebackType
from typing import Any, Unpack

from yarl import URL

from .connectors.base import BaseConnector
from .connectors.tcp import TCPConnector
from .message.response import ClientResponse
from .session import ClientSession, RequestArguments

__all__ = ("delete", "get", "head", "options", "patch", "post", "put", "request")


class OneShot:
    """One request with a session of its own, made when it is awaited or entered."""

    __slots__ = ("_arguments", "_connector", "_method", "_response", "_session", "_url")

    def __init__(
        self,
        method: str,
        url: str | URL,
        connector: BaseConnector | None,
        arguments: RequestArguments,
    ) -> None:
        self._method = method
        self._url = url
        self._connector = connector
        self._arguments = arguments
        self._session: ClientSession | None = None
        self._response: ClientResponse | None = None

    def __await__(self) -> Generator[Any, None, ClientResponse]:
        return self._whole().__await__()

    async def _whole(self) -> ClientResponse:
        """Return the response with its body read and the connection closed."""
        async with self as response:
            await response.read()
        return response

    async def __aenter__(self) -> ClientResponse:
        connector = self._connector
        self._session = session = ClientSession(
            connector=TCPConnector(force_close=True) if connector is None else connector,
            connector_owner=connector is None,
        )
        try:
            self._response = await session.request(self._method, self._url, **self._arguments)
        except BaseException:
            await session.close()
            raise
        return self._response

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._response is not None:
            self._response.release()
        if self._session is not None:
            await self._session.close()


def request(
    method: str,
    url: str | URL,
    *,
    connector: BaseConnector | None = None,
    **arguments: Unpack[RequestArguments],
) -> OneShot:
    """Send one request, without a session to keep.

    ``await request(...)`` returns the response with its body read; ``async with request(...) as response`` leaves
    the body to be read inside. Either way the connection is closed at the end, unless *connector* was given. The
    other arguments are those of ``ClientSession.request()``. For more than one request, use a session: it is faster.
    """
    return OneShot(method, url, connector, arguments)


def get(
    url: str | URL, *, connector: BaseConnector | None = None, **arguments: Unpack[RequestArguments]
) -> OneShot:
    """Send one GET request; see ``request()``."""
    return OneShot("GET", url, connector, arguments)


def options(
    url: str | URL, *, connector: BaseConnector | None = None, **arguments: Unpack[RequestArguments]
) -> OneShot:
    """Send one OPTIONS request; see ``request()``."""
    return OneShot("OPTIONS", url, connector, arguments)


def head(
    url: str | URL, *, connector: BaseConnector | None = None, **arguments: Unpack[RequestArguments]
) -> OneShot:
    """Send one HEAD request, which follows no redirects unless told to; see ``request()``."""
    arguments.setdefault("allow_redirects", False)
    return OneShot("HEAD", url, connector, arguments)


def post(
    url: str | URL, *, connector: BaseConnector | None = None, **arguments: Unpack[RequestArguments]
) -> OneShot:
    """Send one POST request; see ``request()``."""
    return OneShot("POST", url, connector, arguments)


def put(
    url: str | URL, *, connector: BaseConnector | None = None, **arguments: Unpack[RequestArguments]
) -> OneShot:
    """Send one PUT request; see ``request()``."""
    return OneShot("PUT", url, connector, arguments)


def patch(
    url: str | URL, *, connector: BaseConnector | None = None, **arguments: Unpack[RequestArguments]
) -> OneShot:
    """Send one PATCH request; see ``request()``."""
    return OneShot("PATCH", url, connector, arguments)


def delete(
    url: str | URL, *, connector: BaseConnector | None = None, **arguments: Unpack[RequestArguments]
) -> OneShot:
    """Send one DELETE request; see ``request()``."""
    return OneShot("DELETE", url, connector, arguments)
