"""Blocking calls, as requests has them: ``Session``, and ``get()``, ``post()`` … for one request.

A thin front: a ``ClientSession`` does the work, in one event loop for the process, which runs in its own thread.

- ``session``: ``Session``; ``merging``, ``tls``, ``mounts``: what its settings mean; ``cookies``: its cookies by name;
- ``request``: requests that are prepared first; ``uploads``: bodies of blocking code;
- ``response``, ``raw``, ``websocket``: what comes back;
- ``portal``: the event loop, and how calls reach it.
"""

from typing import Any

from yarl import URL

from .cookies import CookieConflictError
from .request import PreparedRequest, Request
from .response import Response
from .session import Session
from .websocket import WebSocket

__all__ = (
    "CookieConflictError",
    "PreparedRequest",
    "Request",
    "Response",
    "Session",
    "WebSocket",
    "delete",
    "get",
    "head",
    "options",
    "patch",
    "post",
    "put",
    "request",
)


def request(method: str, url: str | URL, **arguments: Any) -> Response:
    """Send one request with a session of its own; the arguments are those of ``Session.request()``.

    With ``stream=True`` the connection stays open until the body was read or the response is closed. For more than one
    request use a session: it is faster.
    """
    if not arguments.get("stream"):
        with Session() as session:
            return session.request(method, url, **arguments)
    session = Session()
    try:
        response = session.request(method, url, **arguments)
        response._own(session)
        return response
    except BaseException:
        session.close()
        raise


def get(url: str | URL, params: Any = None, **arguments: Any) -> Response:
    """Send one GET request; see ``request()``."""
    return request("GET", url, params=params, **arguments)


def options(url: str | URL, **arguments: Any) -> Response:
    """Send one OPTIONS request; see ``request()``."""
    return request("OPTIONS", url, **arguments)


def head(url: str | URL, **arguments: Any) -> Response:
    """Send one HEAD request, which follows no redirects unless told to; see ``request()``."""
    arguments.setdefault("allow_redirects", False)
    return request("HEAD", url, **arguments)


def post(url: str | URL, data: Any = None, json: Any = None, **arguments: Any) -> Response:
    """Send one POST request; see ``request()``."""
    return request("POST", url, data=data, json=json, **arguments)


def put(url: str | URL, data: Any = None, **arguments: Any) -> Response:
    """Send one PUT request; see ``request()``."""
    return request("PUT", url, data=data, **arguments)


def patch(url: str | URL, data: Any = None, **arguments: Any) -> Response:
    """Send one PATCH request; see ``request()``."""
    return request("PATCH", url, data=data, **arguments)


def delete(url: str | URL, **arguments: Any) -> Response:
    """Send one DELETE request; see ``request()``."""
    return request("DELETE", url, **arguments)
