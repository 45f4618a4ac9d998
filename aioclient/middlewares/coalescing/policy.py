"""Which requests are identical: a value that they share.

They belong to one session, and have the same method, URL and fields, the same credentials and cookies, and the same
timeouts. Credentials count by
their identity: a renewed token does not change it, another login does. Cookies count as they would be sent.
"""

from collections.abc import Hashable

from ...message.headers import COOKIE, SEC_WEBSOCKET_KEY
from ...message.request import Request

METHODS = frozenset(("GET", "HEAD"))


def key_of(request: Request) -> Hashable:
    """Return what identical requests share; None for one that shares with none."""
    fields = request.fields
    if request.method not in METHODS or request.content is not None or SEC_WEBSOCKET_KEY in fields:
        return None
    cookie = None if COOKIE in fields else request.offered().get(COOKIE)
    # Without credentials of its own a request has its session's, and its fields, which count as they are.
    has_own = request.auth is not None or request.cookies is not None
    return (
        id(request.session),
        request.method,
        request.url,
        tuple(fields.items()),
        request.partition() if has_own else "",
        cookie,
        request.timeout,
    )
