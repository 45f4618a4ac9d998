"""The lease: a response's access to the connection while its body is incomplete."""

import asyncio
import warnings
from collections.abc import Awaitable
from typing import Protocol, cast

from ..exchange import Exchange
from ..warning import report_unclosed
from .switched import SwitchedProtocol, TakenOver


class LeasedConnection(Protocol):
    """The connection that carries the body of a response, as the lease uses it."""

    transport: asyncio.Transport | None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it belongs to."""

    def cancel(self, exchange: Exchange) -> None:
        """End *exchange* now, and the connection with it if it carries only one."""

    def release(self, exchange: Exchange) -> Awaitable[None] | None:
        """Drain the rest of the body of *exchange* if it is short, and keep the connection; otherwise close it.

        Return an awaitable for the end of that, or None.
        """

    def retire(self) -> None:
        """Take it out of the pool: it no longer counts, and closes after the body."""

    async def wait_sent(self, exchange: Exchange) -> None:
        """Wait until the request of *exchange* was sent, or given up."""

    def take_over(self, exchange: Exchange) -> TakenOver | None:
        """Return the connection for another protocol; None if the server has not switched, or the connection is
        lost.
        """


class Connection:
    """A response's lease of the connection that still carries its body: ``response.connection``.

    It exists only while the body is incomplete, so that a dropped response gives its connection back (and warns)
    without a finalizer on every response.
    """

    __slots__ = ("__weakref__", "_exchange", "_leased", "warns")

    def __init__(self, leased: LeasedConnection, exchange: Exchange) -> None:
        self._leased: LeasedConnection | None = leased
        self._exchange = exchange
        self.warns: bool = True

    @property
    def leased(self) -> LeasedConnection | None:
        """The connection that carries the body; None when ``closed``."""
        return self._leased

    @property
    def exchange(self) -> Exchange:
        """The exchange of the response."""
        return self._exchange

    @property
    def closed(self) -> bool:
        """Whether the connection is closed, or no longer carries this response."""
        return self._leased is None

    @property
    def transport(self) -> asyncio.Transport | None:
        """The event loop's transport; None when ``closed``."""
        return None if self._leased is None else self._leased.transport

    @property
    def protocol(self) -> asyncio.BaseProtocol | None:
        """The private protocol of that transport; None when ``closed``.

        After a 101 it has ``set_parser()``, ``pause_reading()`` and the like, as aiohttp's.
        """
        leased, transport = self._leased, self.transport
        if leased is None or transport is None:
            return None
        current = transport.get_protocol()
        taken = leased.take_over(self._exchange)
        if taken is None or current is not cast(object, taken):  # another protocol is there already
            return current
        return SwitchedProtocol(taken, transport, leased.loop)

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that it belongs to; None when ``closed``."""
        return None if self._leased is None else self._leased.loop

    def release(self) -> Awaitable[None] | None:
        """Give up the unread rest: drain it if it is short, and keep the connection; otherwise close it.

        Return an awaitable for the end of that, or None.
        """
        leased, self._leased = self._leased, None
        return None if leased is None else leased.release(self._exchange)

    def close(self) -> None:
        """Close the connection."""
        leased, self._leased = self._leased, None
        if leased is not None:
            leased.cancel(self._exchange)

    def detach(self) -> None:
        """Take the connection out of the pool: its slot is free; it is closed after the body and never reused."""
        if self._leased is not None:
            self._leased.retire()

    def take_over(self) -> TakenOver | None:
        """Return the connection for another protocol (called by the engine)."""
        return None if self._leased is None else self._leased.take_over(self._exchange)

    async def wait_sent(self) -> None:
        """Wait until the body of the request was sent, or given up."""
        if self._leased is not None:
            await self._leased.wait_sent(self._exchange)

    def end(self) -> None:
        """Note that the body is complete, or the connection lost (called by the engine)."""
        self._leased = None

    def __del__(self) -> None:
        leased = self._leased
        if leased is not None:
            # Garbage is collected on any thread, and at any moment of the event loop.
            loop = leased.loop
            if not loop.is_closed():
                loop.call_soon_threadsafe(leased.cancel, self._exchange)
            if not self.warns:
                return
            request = self._exchange.request
            creation_site = request.options.creation_site
            place = "" if creation_site is None else f"; asked for at {creation_site}"
            warnings.warn(
                f"unclosed response to {request.label}: use 'async with', read it to its end, or release it{place}",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )
            if not loop.is_closed():
                report_unclosed(
                    loop, creation_site, message="Unclosed connection", client_connection=self
                )

    def __repr__(self) -> str:
        return f"<Connection {'closed' if self.closed else 'open'}, {self._exchange.request.label}>"
