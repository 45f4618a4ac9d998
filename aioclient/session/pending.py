"""A call in progress, to be awaited or entered."""

from collections.abc import Coroutine, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from ..response.client_response import DONE, ClientResponse
from ..response.synthetic import wait_for_end
from ..websocket import ClientWebSocketResponse

T = TypeVar("T")


class _Pending(Coroutine[Any, Any, T]):
    """A coroutine and its result."""

    __slots__ = ("_coroutine", "_response")

    _instead = ""  # what may have been meant

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._response: T | None = None

    def send(self, value: Any) -> Any:
        """Resume it (coroutine protocol)."""
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """Raise inside it (coroutine protocol)."""
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """Close it before its first await (coroutine protocol)."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, None, T]:
        return self._coroutine.__await__()

    if not TYPE_CHECKING:  # a type checker would accept any name, and a context manager

        def __enter__(self) -> None:
            self._coroutine.close()
            raise TypeError("use 'async with', not 'with': a response is read while it comes")

        def __exit__(self, *_: object) -> None:
            """Never reached: ``__enter__`` raises."""

        def __getattr__(self, name: str) -> object:
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}: "
                f"await it first, or enter it with 'async with'{self._instead}"
            )


class RequestContextManager(_Pending[ClientResponse]):
    """A request in progress: await it for the response, or enter it with ``async with``."""

    __slots__ = ()

    async def __aenter__(self) -> ClientResponse:
        self._response = response = await self._coroutine
        response._in_context = (
            True  # under aiohttp's name too: a middleware may return another response
        )
        return response

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._response is not None:
            ending: object = self._response.release()
            if ending is not DONE:
                await wait_for_end(ending)


class WebSocketContextManager(_Pending[ClientWebSocketResponse]):
    """A WebSocket being opened: await it, or enter it with ``async with``, which closes it at the end."""

    __slots__ = ()

    async def __aenter__(self) -> ClientWebSocketResponse:
        self._response = response = await self._coroutine
        return response

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._response is not None:
            await self._response.close()
