"""The seam between the pool and the protocols: what a connection can do, and what its owner is told.

A connection is a socket and a protocol that is spoken on it. It has room for some exchanges at a time: HTTP/1.1 for
one, HTTP/2 for many. It encodes requests for its own wire, and knows nothing of pools, retries and redirects.

The life of an exchange on a connection:

==================  ===================================================================================
``reserve()``       one exchange less may begin. Of a connection for one exchange the pool's slot says it, and
                    also for the first one of a connection that was idle
``begin()``         the request goes out, the future of its response comes back
``cancel()``        nobody waits for the response any more, or reads its body; also before ``begin()``
``release()``        nobody reads the rest of the body; drain the little that is missing
==================  ===================================================================================

Between ``reserve()``, or the slot, and the end of the exchange there is exactly one of ``begin()`` and ``cancel()``
first. An exchange that ends by itself needs neither of the last two.
"""

import asyncio
from typing import ClassVar, Protocol

from multidict import CIMultiDict

from ..exceptions import ClientError
from ..exchange import Exchange
from ..message.origin import ConnectionKey
from ..message.request import Request
from ..response.client_response import ClientResponse


class HttpConnection(Protocol):
    """A connection of whatever protocol.

    Attributes:
        key: Which exchanges it may carry.
        carries_many: Whether it may carry several exchanges at a time.
        opened: Whether it holds a slot of the pool (its owner's).
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
        """Keep room for one exchange, until it begins or is cancelled; for connections that carry several.

        The owner asks for it, and is not told of the room that is left: it may have granted more of it already.
        """

    def outgoing(self, exchange: Exchange) -> "CIMultiDict[str]":
        """Return the fields with which *exchange* will go out.

        Raises:
            ValueError: as ``begin()``.
        """

    def begin(self, exchange: Exchange) -> "asyncio.Future[ClientResponse]":
        """Send the request of *exchange*; who stops waiting for its response calls ``cancel()``.

        Raises:
            ValueError: the request must not reach the wire; nothing of it did.
            ServerDisconnectedError: the connection is closed; nothing was sent.
            ClientOSError: the same, and it is known what broke it.
        """

    def cancel(self, exchange: Exchange) -> None:
        """End *exchange*, if it has not ended; others on the connection go on."""

    def release(self, exchange: Exchange) -> None:
        """Drain what nobody reads of the body of *exchange*, if little is missing, or cancel it."""

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
        """Whether it carries no other exchange: the owner was told."""

    @property
    def broken(self) -> bool:
        """Whether nothing can be sent on it any more, told to the owner or not."""

    @property
    def gone(self) -> bool:
        """Whether its socket is closed."""

    def has_input(self) -> bool:
        """Tell whether there is something to read that no exchange asked for, or the connection is broken.

        Then give the event loop a few turns, to read it, before the connection is used.
        """

    def retire(self) -> None:
        """Carry no exchange besides those under way, and close behind the last of them."""

    def close(self) -> None:
        """Close the connection once what was written is sent."""

    def abort(self) -> None:
        """Close the connection now."""

    def early_end(self, request: Request) -> ClientError:
        """Say that the connection ended before *request* was sent, and by what if that is known."""

    # For how long it may be kept

    @property
    def last_activity(self) -> float:
        """When something came last, in the event loop's time."""

    @property
    def idle_time(self) -> int | None:
        """The seconds after which its server closes it if no request comes; None if it did not say."""


class Owner(Protocol):
    """Who keeps connections, and what it is told of each."""

    def connection_made(self, connection: HttpConnection) -> None:
        """Note that it has a socket now."""

    def connection_idle(self, connection: HttpConnection) -> None:
        """Note that it carries no exchange any more, and can carry another one."""

    def room_changed(self, connection: HttpConnection) -> None:
        """Note that it carries exchanges, and how many more may begin has changed; for those that carry several."""

    def connection_closed(self, connection: HttpConnection) -> None:
        """Note, once, that it carries no other exchange."""

    def connection_gone(self, connection: HttpConnection) -> None:
        """Note that its socket is closed."""
