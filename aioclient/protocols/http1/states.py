"""The states of a connection, and which follow which.

===============  =====================================================================================
``IDLE``         no exchange; the next request may be written
``WAITING``      a request goes out; the head of its response is not here, or its body not with it
``STREAMING``    the response was handed over; its body goes to a stream, which somebody reads
``DRAINING``     nobody wants the rest of the body; it is thrown away, to keep the connection
``SWITCHED``     the server speaks another protocol now (101); what comes is somebody else's
``CLOSED``       the end: nothing is written, nothing is read
===============  =====================================================================================
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final


class ConnectionState(Enum):
    """What a connection is doing."""

    IDLE = "idle"
    WAITING = "waiting"
    STREAMING = "streaming"
    DRAINING = "draining"
    SWITCHED = "switched"
    CLOSED = "closed"


# Members looked up once: each look at a class costs an instruction of the interpreter more.
IDLE, WAITING, STREAMING = ConnectionState.IDLE, ConnectionState.WAITING, ConnectionState.STREAMING
DRAINING, SWITCHED, CLOSED = (
    ConnectionState.DRAINING,
    ConnectionState.SWITCHED,
    ConnectionState.CLOSED,
)

NEXT: Final[Mapping[ConnectionState, frozenset[ConnectionState]]] = {
    IDLE: frozenset((WAITING, CLOSED)),
    WAITING: frozenset((IDLE, STREAMING, SWITCHED, CLOSED)),
    STREAMING: frozenset((IDLE, DRAINING, CLOSED)),
    DRAINING: frozenset((IDLE, CLOSED)),
    SWITCHED: frozenset((CLOSED,)),
    CLOSED: frozenset(),
}
