"""One-shot calls: a session for one request."""

import asyncio
from types import TracebackType
from typing import Never, Unpack

import aiohttp
from yarl import URL

from .chain import Transport
from .connectors.tcp import TCPConnector
from .response.client_response import ClientResponse
from .session import ClientSession, RequestArguments, RequestContextManager
from .session.arguments import CurrentArguments, by_position
from .session.legacy import check_loop, modern, warn_of_loop

AnyConnector = Transport | aiohttp.BaseConnector

__all__ = ("delete", "get", "head", "options", "patch", "post", "put", "request")


class OneShot(RequestContextManager):
    """One request with a session of its own: await it for the whole response, or enter it to read the body."""

    __slots__ = ("_arguments", "_connector", "_loop", "_method", "_session", "_url")

    _instead = "; for code that blocks there is aioclient.sync.get()"

    def __init__(
        self,
        method: str,
        url: str | URL,
        connector: AnyConnector | None,
        arguments: RequestArguments,
        misplaced: tuple[object, ...] = (),
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if misplaced:
            raise by_position(method, misplaced)
        warn_of_loop(loop)
        current = modern(arguments)  # here, where the caller's line is known
        super().__init__(_whole(method, url, connector, current, loop))
        self._loop = loop
        self._method = method
        self._url = url
        self._connector = connector
        self._arguments = current
        self._session: ClientSession | None = None

    async def __aenter__(self) -> ClientResponse:
        self._coroutine.close()  # it is entered, not awaited
        self._session = session = _session_for_one(self._connector, self._loop)
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
        await super().__aexit__(kind, error, traceback)
        if self._session is not None:
            await self._session.close()


def _session_for_one(
    connector: AnyConnector | None, loop: asyncio.AbstractEventLoop | None
) -> ClientSession:
    """Return a session that closes its connection after one response; a given *connector* stays open."""
    check_loop(loop)
    return ClientSession(
        connector=TCPConnector(force_close=True) if connector is None else connector,
        connector_owner=connector is None,
    )


async def _whole(
    method: str,
    url: str | URL,
    connector: AnyConnector | None,
    arguments: CurrentArguments,
    loop: asyncio.AbstractEventLoop | None,
) -> ClientResponse:
    """Return the response with its body read and the connection closed."""
    async with (
        _session_for_one(connector, loop) as session,
        session.request(method, url, **arguments) as response,
    ):
        await response.read()
    return response


def request(
    method: str,
    url: str | URL,
    *misplaced: Never,
    connector: AnyConnector | None = None,
    loop: asyncio.AbstractEventLoop | None = None,
    **arguments: Unpack[RequestArguments],
) -> OneShot:
    """Send one request without keeping a session.

    ``await request(...)`` returns the response with its body read; ``async with request(...) as response`` leaves
    the body to be read inside. Either way the connection is closed at the end, unless *connector* was given. The
    other arguments are those of ``ClientSession.request()``; *loop* must be the running one (deprecated). For more
    than one request, use a session: it is faster.
    """
    return OneShot(method, url, connector, arguments, misplaced, loop)


def get(
    url: str | URL,
    *misplaced: Never,
    connector: AnyConnector | None = None,
    **arguments: Unpack[RequestArguments],
) -> OneShot:
    """Send one GET request; see ``request()``."""
    return OneShot("GET", url, connector, arguments, misplaced)


def options(
    url: str | URL,
    *misplaced: Never,
    connector: AnyConnector | None = None,
    **arguments: Unpack[RequestArguments],
) -> OneShot:
    """Send one OPTIONS request; see ``request()``."""
    return OneShot("OPTIONS", url, connector, arguments, misplaced)


def head(
    url: str | URL,
    *misplaced: Never,
    connector: AnyConnector | None = None,
    **arguments: Unpack[RequestArguments],
) -> OneShot:
    """Send one HEAD request, which follows no redirects by default; see ``request()``."""
    arguments.setdefault("allow_redirects", False)
    return OneShot("HEAD", url, connector, arguments, misplaced)


def post(
    url: str | URL,
    *misplaced: Never,
    connector: AnyConnector | None = None,
    **arguments: Unpack[RequestArguments],
) -> OneShot:
    """Send one POST request; see ``request()``."""
    return OneShot("POST", url, connector, arguments, misplaced)


def put(
    url: str | URL,
    *misplaced: Never,
    connector: AnyConnector | None = None,
    **arguments: Unpack[RequestArguments],
) -> OneShot:
    """Send one PUT request; see ``request()``."""
    return OneShot("PUT", url, connector, arguments, misplaced)


def patch(
    url: str | URL,
    *misplaced: Never,
    connector: AnyConnector | None = None,
    **arguments: Unpack[RequestArguments],
) -> OneShot:
    """Send one PATCH request; see ``request()``."""
    return OneShot("PATCH", url, connector, arguments, misplaced)


def delete(
    url: str | URL,
    *misplaced: Never,
    connector: AnyConnector | None = None,
    **arguments: Unpack[RequestArguments],
) -> OneShot:
    """Send one DELETE request; see ``request()``."""
    return OneShot("DELETE", url, connector, arguments, misplaced)
