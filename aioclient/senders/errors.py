"""Errors that clients raise for a status; senders themselves never do."""

from http import HTTPStatus
from typing import Any, Final

from .values import Request, Response, shown_url

__all__ = (
    "BadGateway",
    "BadRequest",
    "ClientError",
    "Forbidden",
    "GatewayTimeout",
    "HTTPError",
    "InternalServerError",
    "NotFound",
    "ServerError",
    "ServiceUnavailable",
    "TooManyRequests",
    "Unauthorised",
    "error_for",
)


class HTTPError(Exception):
    """A status that is an error, with the ``request`` and the ``response`` that brought it."""

    def __init__(self, message: str, request: Request, response: Response) -> None:
        super().__init__(message)
        self.request = request
        self.response = response

    def __reduce__(self) -> tuple[type, tuple[str, Request, Response], dict[str, Any]]:
        return type(self), (self.args[0], self.request, self.response), vars(self)


class ClientError(HTTPError):
    """4xx: the request is at fault."""


class ServerError(HTTPError):
    """5xx: the server is at fault."""


class BadRequest(ClientError):
    """400."""


class Unauthorised(ClientError):
    """401: it needs credentials, or others; with the scopes that the function was decorated with, if it was."""

    scope: str = ""
    required_scope: str = ""
    optional_scope: str = ""


class Forbidden(ClientError):
    """403."""


class NotFound(ClientError):
    """404."""


class TooManyRequests(ClientError):
    """429."""


class InternalServerError(ServerError):
    """500."""


class BadGateway(ServerError):
    """502."""


class ServiceUnavailable(ServerError):
    """503."""


class GatewayTimeout(ServerError):
    """504."""


_ERRORS: Final[dict[int, type[HTTPError]]] = {
    400: BadRequest,
    401: Unauthorised,
    403: Forbidden,
    404: NotFound,
    429: TooManyRequests,
    500: InternalServerError,
    502: BadGateway,
    503: ServiceUnavailable,
    504: GatewayTimeout,
}


def error_for(request: Request, response: Response) -> HTTPError | None:
    """Return the error for the status of *response*; None if the status is not an error."""
    status = response.status_code
    if status < 400:
        return None
    kind = _ERRORS.get(status, ClientError if status < 500 else ServerError)
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    url = shown_url(request.url.partition("?")[0])  # the query may contain a secret
    return kind(f"{request.method} {url}: {status} {phrase}".rstrip(), request, response)
