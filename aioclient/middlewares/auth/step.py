"""The step that lets a request's credentials write themselves into it."""

from collections.abc import Awaitable

from ...chain import Handler
from ...message.request import Request
from ...response.client_response import ClientResponse


def authenticate(request: Request, handler: Handler) -> Awaitable[ClientResponse]:
    """Authorize *request* anew, then send it. Redirects have dropped ``auth`` if the origin changed."""
    request.authorization = None
    if request.auth is not None:
        request.auth.authorize(request)
    return handler(request)
