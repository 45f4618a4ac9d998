"""The interface of senders, and the base of senders that wrap another one."""

from abc import ABC, abstractmethod
from collections.abc import Coroutine
from copy import copy
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar

from .values import Request, Response

Awaited: TypeAlias = Coroutine[Any, Any, Response]
"""What an asynchronous sender's ``send()`` returns."""

R_co = TypeVar("R_co", bound=Response | Awaited, covariant=True)


class Sender(ABC, Generic[R_co]):
    """What sends a request: at once (``is_async`` is False), or as a coroutine to be awaited.

    A subclass of your own needs only ``send()``, ``is_async`` and ``close()``.
    """

    @abstractmethod
    def send(self, request: Request) -> R_co:
        """Send *request*; return its response, or a coroutine that does."""

    @property
    @abstractmethod
    def is_async(self) -> bool:
        """Whether ``send()`` and ``close()`` return coroutines."""

    @abstractmethod
    def close(self) -> Coroutine[Any, Any, None] | None:
        """Close what sends; await what is returned if ``is_async``."""

    def as_sync(self) -> "Sender[Response]":
        """Return a blocking sender that does the same.

        Raises:
            TypeError: this sender cannot be converted.
        """
        if not self.is_async:
            return self  # type: ignore[return-value]
        raise TypeError(
            f"{self!r} is asynchronous, and does not say what it would be if it blocked"
        )

    def as_async(self) -> "Sender[Awaited]":
        """Return an asynchronous sender that does the same.

        Raises:
            TypeError: this sender cannot be converted.
        """
        if self.is_async:
            return self  # type: ignore[return-value]
        raise TypeError(f"{self!r} blocks, and does not say what it would be if it did not")

    def __enter__(self) -> Self:
        if self.is_async:
            raise TypeError(f"{self!r} is asynchronous: use 'async with'")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave()

    async def __aenter__(self) -> Self:
        if not self.is_async:
            raise TypeError(f"{self!r} blocks: use 'with'")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        ending = self._leave()
        if ending is not None:
            await ending

    def _leave(self) -> Coroutine[Any, Any, None] | None:
        """Close a session that this sender made; one that was given stays open."""
        return self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Wrapped(Sender[R_co]):
    """A sender that wraps another one, ``sender``; it blocks if that one blocks."""

    def __init__(self, sender: "Sender[R_co]") -> None:
        self.sender = sender

    @property
    def is_async(self) -> bool:
        """Whether the sender within is asynchronous."""
        return self.sender.is_async

    def close(self) -> Coroutine[Any, Any, None] | None:
        """Close the sender within."""
        return self.sender.close()

    def _leave(self) -> Coroutine[Any, Any, None] | None:
        leave = getattr(self.sender, "_leave", self.sender.close)
        return leave()

    def as_sync(self) -> Sender[Response]:
        """Return the same around a blocking sender."""
        return self if not self.is_async else self._around(self.sender.as_sync())  # type: ignore[return-value]

    def as_async(self) -> Sender[Awaited]:
        """Return the same around an asynchronous sender."""
        return self if self.is_async else self._around(self.sender.as_async())  # type: ignore[return-value]

    def _around(self, sender: Sender[Any]) -> Any:
        other = copy(self)
        other.sender = sender
        return other
