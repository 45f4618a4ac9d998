"""The states of a stream and the parts of its response, and which follow which.

A stream of a client begins with its request (RFC 9113, section 5.1; nothing is reserved, since push is off):

======================  ==========================================================================
``OPEN``                the request's body is not sent to its end, the response is not here to its end
``HALF_CLOSED_LOCAL``   the request is sent to its end
``HALF_CLOSED_REMOTE``  the response is here to its end, and the request is not sent to its end
``CLOSED``              both are at their ends, or one side has reset the stream
======================  ==========================================================================

A response comes in parts (section 8.1), and each decides what may come next:

==========  ======================================================================================
``HEAD``    the final head is not here; interim ones may be
``BODY``    the head is here; DATA comes, then trailers or the end
``WHOLE``   END_STREAM came: nothing may follow
==========  ======================================================================================
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final


class StreamState(Enum):
    """How far a stream is."""

    OPEN = "open"
    HALF_CLOSED_LOCAL = "half-closed (local)"
    HALF_CLOSED_REMOTE = "half-closed (remote)"
    CLOSED = "closed"


class ResponsePart(Enum):
    """Which part of a response comes next."""

    HEAD = "head"
    BODY = "body"
    WHOLE = "whole"


OPEN, CLOSED = StreamState.OPEN, StreamState.CLOSED
HALF_CLOSED_LOCAL, HALF_CLOSED_REMOTE = (
    StreamState.HALF_CLOSED_LOCAL,
    StreamState.HALF_CLOSED_REMOTE,
)
HEAD, BODY, WHOLE = ResponsePart.HEAD, ResponsePart.BODY, ResponsePart.WHOLE

NEXT: Final[Mapping[StreamState, frozenset[StreamState]]] = {
    OPEN: frozenset((HALF_CLOSED_LOCAL, HALF_CLOSED_REMOTE, CLOSED)),
    HALF_CLOSED_LOCAL: frozenset((CLOSED,)),
    HALF_CLOSED_REMOTE: frozenset((CLOSED,)),
    CLOSED: frozenset(),
}

NEXT_PART: Final[Mapping[ResponsePart, frozenset[ResponsePart]]] = {
    HEAD: frozenset((BODY,)),
    BODY: frozenset((WHOLE,)),
    WHOLE: frozenset(),
}
