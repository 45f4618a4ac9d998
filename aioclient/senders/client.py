"""The base of clients that are written once: their sender decides whether they block."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar, cast, overload

from ..warning import warn_caller
from .base import Awaited, R_co, Sender
from .concrete import AsyncSender, SyncSender
from .errors import Unauthorised
from .extending import ExtendingSender
from .values import Request, Response

P = ParamSpec("P")
T_co = TypeVar("T_co", covariant=True)
S = TypeVar("S", bound=Sender[Any])


class SenderConflictWarning(RuntimeWarning):
    """A client was asked to be of another kind than its sender; it got the same chain around a sender of that kind."""


class Client(ExtendingSender[R_co]):
    """The base of clients: subclasses have methods with ``@send_and_process``, and may override ``send()``.

    Args:
        sender: None for a ``SyncSender``.
        asynchronous: whether the client has to be asynchronous, or to block; a sender of the other kind is replaced, by
            the same chain around one of this kind, with a ``SenderConflictWarning``. None as the sender is.
    """

    @overload
    def __init__(
        self: "Client[Response]", sender: None = None, asynchronous: Literal[False] | None = None
    ) -> None: ...

    @overload
    def __init__(
        self: "Client[Response]", sender: Sender[Any] | None, asynchronous: Literal[False]
    ) -> None: ...

    @overload
    def __init__(
        self: "Client[Awaited]", sender: Sender[Any] | None, asynchronous: Literal[True]
    ) -> None: ...

    @overload
    def __init__(
        self: "Client[Awaited]", sender: None = None, *, asynchronous: Literal[True]
    ) -> None: ...

    @overload
    def __init__(self, sender: Sender[R_co], asynchronous: None = None) -> None: ...

    def __init__(self, sender: Sender[Any] | None = None, asynchronous: bool | None = None) -> None:
        given = sender
        if sender is None:
            sender = AsyncSender() if asynchronous else SyncSender()
        elif asynchronous is not None and sender.is_async is not asynchronous:
            sender = _of_kind(sender, asynchronous)
            warn_caller(
                f"{type(given)} with is_async={not asynchronous} passed but asynchronous={asynchronous}!\n"
                f"A new {'AsyncSender' if asynchronous else 'SyncSender'} was instantiated.",
                SenderConflictWarning,
            )
        super().__init__(cast(Sender[R_co], sender))


def _of_kind(sender: Sender[Any], asynchronous: bool) -> Sender[Any]:
    """Return the chain of *sender* around a sender of the other kind."""
    try:
        return sender.as_async() if asynchronous else sender.as_sync()
    except (AttributeError, TypeError):  # a foreign sender that cannot be converted
        return AsyncSender() if asynchronous else SyncSender()


class Endpoint(Protocol[P, T_co]):
    """A method of a client: it returns the result at once, or, of an asynchronous client, a coroutine."""

    @overload
    def __get__(self, client: None, kind: type) -> "Endpoint[P, T_co]": ...

    @overload
    def __get__(self, client: Sender[Response], kind: type) -> Callable[P, T_co]: ...

    @overload
    def __get__(
        self, client: Sender[Awaited], kind: type
    ) -> Callable[P, Coroutine[Any, Any, T_co]]: ...


def send_and_process(
    post_func: Callable[..., T_co],
) -> Callable[[Callable[Concatenate[Any, P], tuple[Request, tuple[Any, ...]]]], Endpoint[P, T_co]]:
    """Decorate a method that returns a request and further values, so that it sends and returns what becomes of it.

    The request is built when the method is called, also by an asynchronous client: wrong arguments raise there.

    Args:
        post_func: gets the request, the response and those values; what it returns is the result. An ``Unauthorised``
            that it raises gets the scopes that the method has as attributes.
    """

    def decorate(
        function: Callable[Concatenate[Any, P], tuple[Request, tuple[Any, ...]]],
    ) -> Endpoint[P, T_co]:
        def process(request: Request, response: Response, values: tuple[Any, ...]) -> T_co:
            try:
                return post_func(request, response, *values)
            except Unauthorised as error:
                for name in ("scope", "required_scope", "optional_scope"):
                    if hasattr(method, name):
                        setattr(error, name, getattr(method, name))
                raise

        async def send(client: Any, request: Request, values: tuple[Any, ...]) -> T_co:
            return process(request, await client.send(request), values)

        @wraps(function)
        def method(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
            request, values = function(client, *args, **kwargs)
            if client.is_async:
                return send(client, request, values)
            return process(request, client.send(request), values)

        return cast(Endpoint[P, T_co], method)

    return decorate


endpoint = send_and_process
"""Another name of ``send_and_process``."""
