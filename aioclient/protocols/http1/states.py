"""The states of a connection, and the transitions between them.

===============  =====================================================================================
``IDLE``         no exchange; the next request may be written
``WAITING``      a request is being sent; the head of its response, or a body with it, has not come
``STREAMING``    the response was delivered; a reader takes its body from a stream
``DRAINING``     nobody wants the rest of the body; it is read and dropped, to keep the connection
``SWITCHED``     the server speaks another protocol now (101), whose code gets the bytes
``CLOSED``       the end: nothing is written or read any more
===============  =====================================================================================
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final


class ConnectionState(Enum):
    """The states of a connection."""

    IDLE = "idle"
    WAITING = "waiting"
    STREAMING = "streaming"
    DRAINING = "draining"
    SWITCHED = "switched"
    CLOSED = "closed"


# Members looked up once: accessing them through the class costs one more instruction of the interpreter.
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
