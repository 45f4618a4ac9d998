"""The connection as a response holds it, while the body is still coming."""

import asyncio
import warnings
from typing import Protocol

from ..warning import Birthplace, report_unclosed


class Carrier(Protocol):
    """What carries the body of a response, as that response sees it."""

    transport: asyncio.Transport | None
    exchanges: int
    """How many exchanges it has carried to their end."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it belongs to."""

    def abort(self) -> None:
        """Close the socket now."""

    def give_up_body(self) -> None:
        """Drain the little that is missing and keep the connection, or close it."""

    def detach(self) -> None:
        """Leave the pool: it counts no longer, and closes behind the body."""

    async def wait_sent(self) -> None:
        """Wait until the request was sent, or given up."""


class Connection:
    """The hold of a response on the connection that still carries its body: ``response.connection``.

    It exists only while the body is incomplete, so that a dropped response gives its connection back (and warns)
    without a finalizer on every response.
    """

    __slots__ = ("__weakref__", "_carrier", "_description", "_exchange", "_made_at", "warns")

    def __init__(
        self, carrier: Carrier, description: str, made_at: Birthplace | None = None
    ) -> None:
        self._carrier: Carrier | None = carrier
        self._exchange = carrier.exchanges
        self._description = description
        self._made_at = made_at
        self.warns = True

    @property
    def carrier(self) -> Carrier | None:
        """What carries the body; None when ``closed``."""
        return self._carrier

    @property
    def closed(self) -> bool:
        """Whether the connection is closed, or carries this response no longer."""
        return self._carrier is None

    @property
    def transport(self) -> asyncio.Transport | None:
        """The event loop's transport; None when ``closed``."""
        return None if self._carrier is None else self._carrier.transport

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that it belongs to; None when ``closed``."""
        return None if self._carrier is None else self._carrier.loop

    def release(self) -> None:
        """Give up what was not read: drain it if little is missing, and keep the connection, or else close it."""
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            carrier.give_up_body()

    def close(self) -> None:
        """Close the connection."""
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            carrier.abort()

    def detach(self) -> None:
        """Take the connection out of the pool: its slot is free, and it is closed behind the body, never reused."""
        if self._carrier is not None:
            self._carrier.detach()

    async def wait_sent(self) -> None:
        """Wait until the body of the request was sent, or given up."""
        if self._carrier is not None:
            await self._carrier.wait_sent()

    def end(self) -> None:
        """Note that the body is complete, or the connection gone (called by the engine)."""
        self._carrier = None

    def __del__(self) -> None:
        carrier = self._carrier
        if carrier is not None:
            # Garbage is collected on any thread, and within any step of the event loop.
            loop = carrier.loop
            if not loop.is_closed():
                loop.call_soon_threadsafe(_abort, carrier, self._exchange)
            if not self.warns:
                return
            place = "" if self._made_at is None else f"; asked for at {self._made_at}"
            warnings.warn(
                f"unclosed response to {self._description}: use 'async with', read it to its end, or release it{place}",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )
            if not loop.is_closed():
                report_unclosed(
                    loop, self._made_at, message="Unclosed connection", client_connection=self
                )

    def __repr__(self) -> str:
        return f"<Connection {'closed' if self.closed else 'open'}, {self._description}>"


def _abort(carrier: Carrier, exchange: int) -> None:
    """Close the connection, unless the body has ended since, and it may carry another one."""
    if carrier.exchanges == exchange:
        carrier.abort()
