"""A request under way, to be awaited or entered."""

from collections.abc import Coroutine, Generator
from types import TracebackType
from typing import Any

from ..message.response import ClientResponse


class RequestContextManager(Coroutine[Any, Any, ClientResponse]):
    """A request under way: await it for the response, or enter it with ``async with``."""

    __slots__ = ("_coroutine", "_response")

    def __init__(self, coroutine: Coroutine[Any, Any, ClientResponse]) -> None:
        self._coroutine = coroutine
        self._response: ClientResponse | None = None

    def send(self, value: Any) -> Any:
        """Go on (what a coroutine has)."""
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """Raise inside (what a coroutine has)."""
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """Give up before the first await (what a coroutine has)."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, None, ClientResponse]:
        return self._coroutine.__await__()

    async def __aenter__(self) -> ClientResponse:
        self._response = response = await self._coroutine
        return response

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._response is not None:
            self._response.release()
