"""The interface between the pool and the protocols: what a connection can do, and what it reports to its owner.

A connection is a socket and a protocol that is spoken on it. It has room for some exchanges at a time: HTTP/1.1 for
one, HTTP/2 for many. It encodes requests, and does not know pools, retries and redirects.

The life of an exchange on a connection:

==================  ===================================================================================
``reserve()``       one exchange less may begin. For a connection with room for one, the pool's slot means the
                    same, and also for the first exchange of an idle connection
``begin()``         sends the request and returns the future of its response
``cancel()``        nobody waits for the response or reads its body any more; also allowed before ``begin()``
``release()``       nobody reads the rest of the body; it is drained if it is short
==================  ===================================================================================

After ``reserve()``, or after the slot was taken, exactly one of ``begin()`` and ``cancel()`` comes first. An exchange
that ends by itself needs neither of the last two.
"""

import asyncio
from typing import ClassVar, Protocol

from multidict import CIMultiDict

from ..exceptions import ClientError
from ..exchange import Exchange
from ..message.origin import ConnectionKey
from ..message.request import Request
from ..response.client_response import ClientResponse


class NotOfferedError(Exception):
    """A request asks for what the server does not offer on this connection; nothing of it was sent."""


class HttpConnection(Protocol):
    """A connection of any protocol.

    Attributes:
        key: The key of the exchanges that it may carry.
        carries_many: Whether it may carry several exchanges at a time.
        opened: Whether it has a slot of the pool; set by the owner.
        transport: The event loop's; None once it is lost.
    """

    key: ConnectionKey
    transport: asyncio.Transport | None
    carries_many: ClassVar[bool]
    opened: bool

    def __hash__(self) -> int:
        """Hash by identity."""

    # Exchanges

    @property
    def room(self) -> int:
        """How many exchanges may begin now."""

    def reserve(self) -> None:
        """Reserve room for one exchange, until it begins or is cancelled; for connections that carry several.

        The owner calls it, and gets no report of the remaining room: it may have granted more of it already.
        """

    def outgoing(self, exchange: Exchange) -> "CIMultiDict[str]":
        """Return the fields that will be sent with *exchange*.

        Raises:
            ValueError: as for ``begin()``.
        """

    def begin(self, exchange: Exchange) -> "asyncio.Future[ClientResponse]":
        """Send the request of *exchange*; call ``cancel()`` to stop waiting for its response.

        Raises:
            ValueError: the request is invalid; nothing was sent.
            ServerDisconnectedError: the connection is closed; nothing was sent.
            ClientOSError: the same, if the error that broke it is known.
            NotOfferedError: it opens a WebSocket, and the server does not offer those here; so may the future.
        """

    def cancel(self, exchange: Exchange) -> None:
        """End *exchange*, if it has not ended; others on the connection continue."""

    def release(self, exchange: Exchange) -> None:
        """Drain the unread rest of the body of *exchange* if it is short; otherwise cancel it."""

    async def wait_sent(self, exchange: Exchange) -> None:
        """Wait until the request of *exchange* was sent, or given up."""

    # The connection

    @property
    def idle(self) -> bool:
        """Whether it carries no exchange."""

    @property
    def under_way(self) -> tuple[Exchange, ...]:
        """The exchanges that it carries now."""

    @property
    def ended(self) -> bool:
        """Whether it accepts no further exchange; the owner knows."""

    @property
    def broken(self) -> bool:
        """Whether nothing can be sent on it any more, even if the owner does not know yet."""

    @property
    def gone(self) -> bool:
        """Whether its socket is closed."""

    def has_input(self) -> bool:
        """Tell whether there is input that no exchange asked for, or the connection is broken.

        If so, let the event loop run a few iterations, to read it, before the connection is used.
        """

    def retire(self) -> None:
        """Accept no further exchange, and close after the last current one."""

    def close(self) -> None:
        """Close the connection after everything that was written is sent."""

    def abort(self) -> None:
        """Close the connection now."""

    def disown(self) -> None:
        """End the leases of its responses, in a forked process, without a word to the server."""

    def early_end(self, request: Request) -> ClientError:
        """Return the error for a connection that ended before *request* was sent, with its cause if that is known."""

    # How long it may be kept

    @property
    def last_activity(self) -> float:
        """When bytes last came, in the event loop's time."""

    @property
    def idle_time(self) -> int | None:
        """The seconds of idleness after which its server closes it; None if the server did not announce any."""


class Owner(Protocol):
    """The owner of connections, to which they report."""

    def connection_made(self, connection: HttpConnection) -> None:
        """Note that it has a socket now."""

    def connection_idle(self, connection: HttpConnection) -> None:
        """Note that it carries no exchange any more, and can carry another."""

    def room_changed(self, connection: HttpConnection) -> None:
        """Note that it carries exchanges, and its room has changed; for connections that carry several."""

    def connection_closed(self, connection: HttpConnection) -> None:
        """Note, once, that it accepts no further exchange."""

    def connection_gone(self, connection: HttpConnection) -> None:
        """Note that its socket is closed."""
