"""How long each phase of an exchange took: the recorded moments, and the durations computed from them."""

from dataclasses import dataclass

from multidict import CIMultiDictProxy


@dataclass(frozen=True, slots=True)
class Timings:
    """How long each phase of the exchange that brought a response took, in seconds.

    None stands for a phase that did not happen (a reused connection needs no ``dns``, ``connect`` and ``tls``) or has
    not ended. After a redirect these are the last hop's alone; the responses in ``history`` have those of the other
    hops. The clock is the event loop's: asyncio's counts nanoseconds, uvloop's milliseconds.

    Attributes:
        pool_wait: in the pool's queue, until a slot was free.
        dns: from the query to the resolver to its answer; None if the address was known: from the cache, or because the
            host is an IP address or ``localhost``.
        connect: from the first connection attempt to a connected socket, including all attempts to further addresses.
        tls: from the connected socket to the end of the TLS handshake.
        send: from the first byte of the head to the last byte of the body handed to the socket; 0 when both went out in
            one write. A wait for ``100 Continue`` is included.
        first_byte: from the last byte of the request handed to the socket to the first byte of the response (not of an
            interim one); 0 when the response came before the request was completely sent.
        body: from the first byte of the response to the last byte of its body. This includes the rest of the head, and
            time during which nobody read a long body, but not decoding. It stays None when the response was released
            earlier.
        total: from the request for a connection to the last byte of the body. Time in middlewares and in earlier hops
            is not included; time in the callbacks of a trace config is.
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
    """Moments and durations that an exchange records beyond its beginning and end; most exchanges reuse a connection
    and have no phases.

    ``pool_wait``, ``dns``, ``connect``, ``tls``: seconds of each phase, None if it did not happen. ``sending``: the
    moment the head was written; None for the moment the exchange began. ``send``: seconds from then to the end of the
    request's body, None until then. ``uploaded``: bytes of a body that was not sent with its head. ``early_hints``: the
    fields of each 103 response.
    """

    __slots__ = ("connect", "dns", "early_hints", "pool_wait", "send", "sending", "tls", "uploaded")

    def __init__(self) -> None:
        self.pool_wait: float | None = None
        self.dns: float | None = None
        self.connect: float | None = None
        self.tls: float | None = None
        self.sending: float | None = None
        self.send: float | None = 0.0
        self.uploaded: int = 0
        self.early_hints: tuple[CIMultiDictProxy[str], ...] = ()


def timings_between(
    began: float | None, answered: float | None, ended: float | None, phases: Phases | None
) -> Timings:
    """Return the seconds between the moments of an exchange; None for a moment that has not come.

    *began*: the request asked for a connection; *answered*: the first byte of the response; *ended*: its last byte.
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
