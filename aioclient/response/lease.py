"""The connection as a response holds it, while the body is still coming."""

import asyncio
import warnings
from collections.abc import Awaitable
from typing import Protocol

from ..exchange import Exchange
from ..warning import report_unclosed


class TakenOver(Protocol):
    """What is left of a connection when the server has switched protocols (101), or of a stream (RFC 8441).

    Attributes:
        transport: What the other protocol reads from and writes to, after its ``set_protocol()``; None once it is lost.
        buffer: Where the event loop reads to, for a protocol that has no buffer of its own; None to be given bytes.
    """

    transport: asyncio.Transport | None
    buffer: memoryview | None

    def take_rest(self) -> bytes:
        """Return what came behind the head of the response; call it once."""

    def pause_reading(self) -> None:
        """Let nothing more come."""

    def resume_reading(self) -> None:
        """Let it come again."""

    def close(self) -> None:
        """Close it once what was written is sent."""

    def abort(self) -> None:
        """Close it now."""

    def lost(self, error: Exception | None) -> None:
        """Note that the transport was closed: the protocol that took over passes on its ``connection_lost()``."""


class LeasedConnection(Protocol):
    """What carries the body of a response, as that response sees it."""

    transport: asyncio.Transport | None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it belongs to."""

    def cancel(self, exchange: Exchange) -> None:
        """End *exchange* now, and the connection with it if it carries one only."""

    def release(self, exchange: Exchange) -> Awaitable[None] | None:
        """Drain the little that is missing of the body of *exchange* and keep the connection, or close it.

        Return what waits for that, if it is worth waiting for.
        """

    def retire(self) -> None:
        """Leave the pool: it counts no longer, and closes behind the body."""

    async def wait_sent(self, exchange: Exchange) -> None:
        """Wait until the request of *exchange* was sent, or given up."""

    def take_over(self, exchange: Exchange) -> TakenOver | None:
        """Return what another protocol reads from and writes to; None if the server has not switched, or is gone."""


class Connection:
    """The hold of a response on the connection that still carries its body: ``response.connection``.

    It exists only while the body is incomplete, so that a dropped response gives its connection back (and warns)
    without a finalizer on every response.
    """

    __slots__ = ("__weakref__", "_exchange", "_leased", "warns")

    def __init__(self, leased: LeasedConnection, exchange: Exchange) -> None:
        self._leased: LeasedConnection | None = leased
        self._exchange = exchange
        self.warns = True

    @property
    def leased(self) -> LeasedConnection | None:
        """What carries the body; None when ``closed``."""
        return self._leased

    @property
    def exchange(self) -> Exchange:
        """The exchange whose response it is."""
        return self._exchange

    @property
    def closed(self) -> bool:
        """Whether the connection is closed, or carries this response no longer."""
        return self._leased is None

    @property
    def transport(self) -> asyncio.Transport | None:
        """The event loop's transport; None when ``closed``."""
        return None if self._leased is None else self._leased.transport

    @property
    def protocol(self) -> asyncio.BaseProtocol | None:
        """The protocol on that transport, which is private; None when ``closed``."""
        return None if self.transport is None else self.transport.get_protocol()

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that it belongs to; None when ``closed``."""
        return None if self._leased is None else self._leased.loop

    def release(self) -> Awaitable[None] | None:
        """Give up what was not read: drain it if little is missing, and keep the connection, or else close it.

        Return what waits for that, if it is worth waiting for.
        """
        leased, self._leased = self._leased, None
        return None if leased is None else leased.release(self._exchange)

    def close(self) -> None:
        """Close the connection."""
        leased, self._leased = self._leased, None
        if leased is not None:
            leased.cancel(self._exchange)

    def detach(self) -> None:
        """Take the connection out of the pool: its slot is free, and it is closed behind the body, never reused."""
        if self._leased is not None:
            self._leased.retire()

    def take_over(self) -> TakenOver | None:
        """Return what another protocol reads from and writes to (called by the engine)."""
        return None if self._leased is None else self._leased.take_over(self._exchange)

    async def wait_sent(self) -> None:
        """Wait until the body of the request was sent, or given up."""
        if self._leased is not None:
            await self._leased.wait_sent(self._exchange)

    def end(self) -> None:
        """Note that the body is complete, or the connection gone (called by the engine)."""
        self._leased = None

    def __del__(self) -> None:
        leased = self._leased
        if leased is not None:
            # Garbage is collected on any thread, and within any step of the event loop.
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
