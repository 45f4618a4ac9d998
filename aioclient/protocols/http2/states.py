"""The states of a stream and the parts of its response, and the transitions between them.

A client's stream begins with its request (RFC 9113, section 5.1; no stream is reserved, because push is off):

======================  ==========================================================================
``OPEN``                the request's body and the response are both incomplete
``HALF_CLOSED_LOCAL``   the request was completely sent
``HALF_CLOSED_REMOTE``  the response is complete, and the request is not completely sent
``CLOSED``              both are complete, or one side has reset the stream
======================  ==========================================================================

A response comes in parts (section 8.1), and each determines what may come next:

==========  ======================================================================================
``HEAD``    the final head has not come; interim ones may have
``BODY``    the head has come; DATA follows, then trailers or the end
``WHOLE``   END_STREAM came: nothing may follow
==========  ======================================================================================
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final


class StreamState(Enum):
    """The states of a stream."""

    OPEN = "open"
    HALF_CLOSED_LOCAL = "half-closed (local)"
    HALF_CLOSED_REMOTE = "half-closed (remote)"
    CLOSED = "closed"


class ResponsePart(Enum):
    """The part of a response that comes next."""

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
