"""Which requests are identical: the key that they have in common.

They belong to one session, and have the same method, URL, fields, credentials, cookies and timeouts. Credentials are
compared by their identity: a renewed token does not change it, another login does. Cookies are compared as they would
be sent.
"""

from collections.abc import Hashable

from ...message.headers import COOKIE, SEC_WEBSOCKET_KEY
from ...message.request import Request

METHODS = frozenset(("GET", "HEAD"))


def key_of(request: Request) -> Hashable:
    """Return the key of *request*, equal for identical requests; None if it must not share."""
    fields = request.fields
    if request.method not in METHODS or request.content is not None or SEC_WEBSOCKET_KEY in fields:
        return None
    limits = request.timeout
    cookie = None if COOKIE in fields else request.offered_cookie()
    # A request without its own credentials has those of its session, and its fields, which are compared as they are.
    has_own = request.auth is not None or request.cookies is not None
    return (
        id(request.session),
        request.method,
        request.url,
        tuple(fields.items()),
        request.partition() if has_own else "",
        cookie,
        # Not the value itself: its hash costs more than all the rest.
        limits.total,
        limits.connect,
        limits.sock_read,
        limits.sock_connect,
        limits.pool,
    )
