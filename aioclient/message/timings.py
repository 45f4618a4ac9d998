"""How long each phase of an exchange took: the moments that are noted, and the seconds made of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timings:
    """How long each phase of the exchange that brought a response took, in seconds.

    None stands for a phase that did not happen (a reused connection needs no ``dns``, ``connect`` and ``tls``) or is
    not over yet. After a redirect these are the last hop's alone; those of the others are in ``history``. The clock
    is the event loop's: asyncio's counts nanoseconds, uvloop's milliseconds.

    Attributes:
        pool_wait: in the pool's queue, from the moment there was no free slot to the moment there was one.
        dns: from the question to the resolver to its answer; None if the address was known: from the cache, or
            because the host is an IP address or ``localhost``.
        connect: from the first attempt to connect to a connected socket, all attempts at further addresses included.
        tls: from the connected socket to the end of the TLS handshake.
        send: from the first byte of the head to the last byte of the body handed to the socket; 0 when they went out
            in one piece. A wait for ``100 Continue`` is part of it.
        first_byte: from the last byte of the request handed to the socket to the first byte of the response (not of
            an interim one); 0 when the response came before the request was sent to its end.
        body: from the first byte of the response to the last byte of its body that arrived: all of its head, and the
            time for which nobody read a long body, are part of it. Reading and decoding what arrived are not.
        total: from the moment the request asked for a connection to the last byte of the body. What middlewares, and
            the hops before this one, took is not part of it; what the callbacks of a trace config took is.
    """

    pool_wait: float | None = None
    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    send: float | None = None
    first_byte: float | None = None
    body: float | None = None
    total: float | None = None


class Way:
    """The way to a connection that was not idle in the pool: seconds for each phase, None for one that was not."""

    __slots__ = ("connect", "dns", "pool_wait", "tls")

    def __init__(self) -> None:
        self.pool_wait: float | None = None
        self.dns: float | None = None
        self.connect: float | None = None
        self.tls: float | None = None


class Marks:
    """The moments of one exchange, in the event loop's time; None for what did not happen yet.

    ``began``: the request asked for a connection. ``sending``: its head was written; None if at that same moment.
    ``send``: how many seconds later its body was. ``answered``: the first byte of the response came. ``ended``: the
    last one came. ``way``: how the connection came about; None if it was idle in the pool.
    """

    __slots__ = ("answered", "began", "ended", "send", "sending", "way")

    def __init__(self) -> None:
        self.began: float | None = None
        self.way: Way | None = None
        self.sending: float | None = None
        self.send: float | None = 0.0
        self.answered: float | None = None
        self.ended: float | None = None

    def timings(self) -> Timings:
        """Return the seconds between the moments."""
        way = self.way or Way()
        began, answered, ended = self.began, self.answered, self.ended
        if began is None or answered is None:
            return Timings()
        sending = began if self.sending is None else self.sending
        sent = answered if self.send is None else sending + self.send
        return Timings(
            pool_wait=way.pool_wait,
            dns=way.dns,
            connect=way.connect,
            tls=way.tls,
            send=self.send,
            first_byte=max(answered - sent, 0.0),
            body=None if ended is None else ended - answered,
            total=None if ended is None else ended - began,
        )
