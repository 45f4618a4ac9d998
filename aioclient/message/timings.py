"""How long each phase of an exchange took: what is noted under way, and the seconds made of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timings:
    """How long each phase of the exchange that brought a response took, in seconds.

    None stands for a phase that did not happen (a reused connection needs no ``dns``, ``connect`` and ``tls``) or is
    not over. After a redirect these are the last hop's alone; the responses in ``history`` have those of the others.
    The clock is the event loop's: asyncio's counts nanoseconds, uvloop's milliseconds.

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
        body: from the first byte of the response to the last byte of its body that arrived: the rest of its head, and
            the time for which nobody read a long body, are part of it; decoding is not. It stays None when the
            response was released before.
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


class Phases:
    """What an exchange needed beyond an idle connection and one write; most exchanges need nothing and have no phases.

    ``pool_wait``, ``dns``, ``connect``, ``tls``: seconds of each phase, None for what did not happen. ``sending``: the
    moment the head was written; None for the moment the exchange began. ``send``: seconds from then to the end of the
    request's body, None while it is not there. ``uploaded``: bytes of a body that did not go out with its head.
    """

    __slots__ = ("connect", "dns", "pool_wait", "send", "sending", "tls", "uploaded")

    def __init__(self) -> None:
        self.pool_wait: float | None = None
        self.dns: float | None = None
        self.connect: float | None = None
        self.tls: float | None = None
        self.sending: float | None = None
        self.send: float | None = 0.0
        self.uploaded = 0


def timings_between(
    began: float | None, answered: float | None, ended: float | None, phases: Phases | None
) -> Timings:
    """Return the seconds between the moments of an exchange, each None as long as it did not come.

    *began*: the request asked for a connection; *answered*: the first byte of the response came; *ended*: the last one.
    """
    if began is None or answered is None:
        return Timings()
    phases = phases or Phases()
    sending = began if phases.sending is None else phases.sending
    sent = answered if phases.send is None else sending + phases.send
    return Timings(
        pool_wait=phases.pool_wait,
        dns=phases.dns,
        connect=phases.connect,
        tls=phases.tls,
        send=phases.send,
        first_byte=max(answered - sent, 0.0),
        body=None if ended is None else ended - answered,
        total=None if ended is None else ended - began,
    )
