"""The senders that use the network: through sessions of this library, or clients of httpx or requests."""

import asyncio
import inspect
import warnings
from collections.abc import Coroutine
from typing import Any

from ..response.json_body import decode_json
from ..session import ClientSession
from ..session.of_each_loop import SessionOfEachLoop
from ..sync import Session
from ..warning import warn_caller
from .base import Awaited, Sender
from .values import Request, Response


class SyncSender(Sender[Response]):
    """Sends requests, and blocks until the response has arrived. Where an event loop runs, it warns of this once.

    Args:
        client: an ``aioclient.Session``, or a client of httpx or requests. None for a session of its own.
        follow_redirects: whether redirects are followed; by default they are returned.
        arguments: the arguments of ``aioclient.Session()``, for a session of its own.

    Raises:
        TypeError: *client* cannot send, or is asynchronous, or *arguments* are given too.
    """

    def __init__(
        self, client: Any = None, *, follow_redirects: bool = False, **arguments: Any
    ) -> None:
        check_client(client, arguments, "SyncSender")
        if client is not None and (
            hasattr(client, "aclose")
            or inspect.iscoroutinefunction(getattr(client, "request", None))
            or issubclass(type(client), ClientSession)
        ):
            raise TypeError(
                f"SyncSender() takes a client that blocks, as aioclient.Session() or httpx.Client(), found "
                f"{type(client).__qualname__}; give it to AsyncSender()"
            )
        self._client = client
        self._is_own = client is None
        self._arguments = arguments
        self._follow = follow_redirects
        self._has_warned = False
        if client is None:
            self._client = Session(**arguments)

    @property
    def client(self) -> Any:
        """The client that sends the requests."""
        return self._client

    @property
    def is_async(self) -> bool:
        """False."""
        return False

    def send(self, request: Request) -> Response:
        """Send *request*.

        Raises:
            ClientError, TimeoutError: of ``aioclient``, or what the given client raises.
        """
        client = self._client
        if not self._has_warned and asyncio._get_running_loop() is not None:
            self._has_warned = True
            warn_caller(
                f"{self!r} blocks the event loop that runs here; an AsyncSender would not",
                RuntimeWarning,
            )
        if not isinstance(client, Session):
            return of_foreign(client.request(**arguments_of(request, takes_content(client))))
        response = client.request(
            request.method, request.url, allow_redirects=self._follow, **own_arguments(request)
        )
        return Response(
            response.url,
            response.headers,
            response.status_code,
            parsed(response.content),
            response.content,
        )

    def close(self) -> None:
        """Close the client, even if it was passed in."""
        self._client.close()

    def _leave(self) -> None:
        if self._is_own:
            self.close()

    def as_async(self) -> "AsyncSender":
        """Return an asynchronous sender with the same arguments and a session of its own."""
        return AsyncSender(follow_redirects=self._follow, **self._arguments)

    def __del__(self) -> None:
        client = getattr(self, "_client", None)
        if client is not None and self._is_own and not client.closed:
            warnings.warn(
                f"unclosed {self!r}; use 'with', or call its close()",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )  # the session closes itself, and waits for nothing: this may be any thread


class AsyncSender(Sender[Awaited]):
    """Sends requests; ``send()`` is awaited.

    Args:
        client: an ``aioclient.ClientSession`` or an ``httpx.AsyncClient``. None for sessions of its own: one for each
            event loop, created when it is first needed and closed with the loop.
        follow_redirects: whether redirects are followed; by default they are returned.
        arguments: the arguments of ``aioclient.ClientSession()``, for a session of its own.

    Raises:
        TypeError: *client* cannot send, or blocks, or *arguments* are given too.
    """

    def __init__(
        self, client: Any = None, *, follow_redirects: bool = False, **arguments: Any
    ) -> None:
        check_client(client, arguments, "AsyncSender")
        if client is not None and not (
            issubclass(type(client), ClientSession)
            or hasattr(client, "aclose")
            or inspect.iscoroutinefunction(client.request)
        ):
            raise TypeError(
                f"AsyncSender() takes a client that is awaited, as aioclient.ClientSession() or httpx.AsyncClient(), "
                f"found {type(client).__qualname__}; give it to SyncSender()"
            )
        self._given = client
        self._own = SessionOfEachLoop(lambda: ClientSession(**arguments))
        self._arguments = arguments
        self._follow = follow_redirects

    @property
    def client(self) -> Any:
        """The client that sends the requests; None while this event loop has no session yet."""
        if self._given is not None:
            return self._given
        return self._own.existing()

    @property
    def is_async(self) -> bool:
        """True."""
        return True

    async def send(self, request: Request) -> Response:
        """Send *request*.

        Raises:
            ClientError, TimeoutError: of ``aioclient``, or what the given client raises.
        """
        client = self._own.current() if self._given is None else self._given
        if not issubclass(type(client), ClientSession):
            return of_foreign(await client.request(**arguments_of(request, takes_content(client))))
        async with client.request(
            request.method, request.url, allow_redirects=self._follow, **own_arguments(request)
        ) as response:
            raw = await response.read()
            return Response(str(response.url), response.headers, response.status, parsed(raw), raw)

    async def close(self) -> None:
        """Close the client, even if it was passed in."""
        if self._given is not None:
            await (self._given.aclose if hasattr(self._given, "aclose") else self._given.close)()
        else:
            await self._own.close()

    def _leave(self) -> Coroutine[Any, Any, None] | None:
        return self.close() if self._given is None else None

    def as_sync(self) -> SyncSender:
        """Return a blocking sender with the same arguments and a session of its own."""
        return SyncSender(follow_redirects=self._follow, **self._arguments)


def check_client(client: object, arguments: dict[str, Any], name: str) -> None:
    """Refuse a client that cannot send, or one that is given together with arguments for a session.

    Raises:
        TypeError: it is refused.
    """
    if client is None:
        return
    if arguments:
        raise TypeError(
            f"{name}() takes a client or the arguments for one, not both; found {sorted(arguments)}"
        )
    if isinstance(client, type) or not callable(getattr(client, "request", None)):
        raise TypeError(
            f"{name}() takes a client with a request() method, as an aioclient session or an httpx client has, "
            f"found {client if isinstance(client, type) else type(client).__qualname__}"
        )


def own_arguments(request: Request) -> dict[str, Any]:
    """Return the arguments with which a session of this library sends *request*.

    Raises:
        ValueError: it has more than one body.
    """
    if sum(each is not None for each in (request.data, request.json, request.content)) > 1:
        raise ValueError("a Request has one of data, json and content; found several")
    arguments: dict[str, Any] = {}
    if request.params:
        arguments["params"] = {
            name: value for name, value in request.params.items() if value is not None
        }
    if request.headers:
        arguments["headers"] = request.headers
    if request.json is not None:
        arguments["json"] = request.json
    elif request.content is not None:
        content = request.content
        arguments["data"] = content
        if isinstance(content, str):
            arguments["data"] = content.encode()
            if not any(name.lower() == "content-type" for name in request.headers or ()):
                arguments["headers"] = {
                    **(request.headers or {}),
                    "Content-Type": "text/plain; charset=utf-8",
                }
    elif request.data is not None:
        arguments["data"] = request.data
    return arguments


def arguments_of(request: Request, content: bool) -> dict[str, Any]:
    """Return the arguments for a client of another library: of httpx if *content*, else of requests."""
    arguments = {
        "method": request.method,
        "url": request.url,
        "params": request.params,
        "headers": request.headers,
        "data": request.data,
        "json": request.json,
    }
    if content:
        arguments["content"] = request.content
    elif request.content is not None:
        arguments["data"] = request.content
    if not content:
        arguments["allow_redirects"] = False
    return arguments


def takes_content(client: Any) -> bool:
    """Tell whether ``client.request()`` takes ``content=``: in httpx it does, in requests it does not."""
    parameters = inspect.signature(client.request).parameters
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return "content" in parameters or hasattr(client, "build_request")  # as only httpx's have
    return "content" in parameters


def of_foreign(response: Any) -> Response:
    """Convert a response of another library.

    Raises:
        TypeError: *response* is not a response.
    """
    try:
        raw = response.content
        return Response(str(response.url), response.headers, response.status_code, parsed(raw), raw)
    except AttributeError as error:
        raise TypeError(
            f"the client returned {type(response).__qualname__}, which is no response as httpx and requests have it: "
            f"{error}"
        ) from None


def parsed(body: bytes) -> Any:
    """Return *body* parsed as JSON; None if it is not JSON."""
    if not body:
        return None
    try:
        return decode_json(body, "utf-8")
    except ValueError:
        return None
