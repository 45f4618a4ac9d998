"""The log line of a request, and the names of the loggers.

Each of them costs a request one ``isEnabledFor`` while nobody listens. URLs are logged in the form that errors show.
"""

import logging
from typing import Final

from ..message.request import Request
from ..response.client_response import ClientResponse

OF_REQUESTS: Final = logging.getLogger("aioclient.client")
OF_REDIRECTS: Final = logging.getLogger("aioclient.redirects")
OF_RECONNECTS: Final = logging.getLogger("aioclient.reconnecting")

logs_requests: Final = OF_REQUESTS.isEnabledFor
logs_redirects: Final = OF_REDIRECTS.isEnabledFor
logs_reconnects: Final = OF_RECONNECTS.isEnabledFor


def log_response(request: Request, response: ClientResponse, seconds: float) -> None:
    """Log that the head of *response* came *seconds* after its call began with *request*."""
    version, length, hops = response.version, response.content_length, len(response.history)
    OF_REQUESTS.debug(
        "%s: %d by HTTP/%d.%d after %.3f s%s%s",
        request.label,
        response.status,
        version.major,
        version.minor,
        seconds,
        "" if length is None else f", {length} bytes",
        "" if not hops else f", {hops} redirect{'s' * (hops > 1)}",
    )


def log_failure(request: Request, error: BaseException, seconds: float) -> None:
    """Log that a call ended without a response. Only the class of its error is logged; the error itself is raised."""
    OF_REQUESTS.debug("%s: %s after %.3f s", request.label, type(error).__name__, seconds)
