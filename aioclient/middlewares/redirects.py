"""Redirects (RFC 9110, section 15.4): one call, many hops.

What is decided here, and by which rule:

* 303 leads to GET (HEAD stays); 301 and 302 lead to GET for POST only; 307 and 308 repeat method and body. With the
  change to GET the body and the fields that describe it are dropped.
* Another origin (scheme, host or port) never sees credentials meant for the first: ``auth``, per-request cookies and
  the fields that carry secrets stay behind, for all hops that follow.
* A body is sent again only if it can be: else ``BodyConsumedError``, never an empty body.
* The body of the redirect itself is given up unread.
"""

import re
from typing import Any, Final, cast

from multidict import CIMultiDict
from yarl import URL

from ..chain import Handler
from ..exceptions import (
    BodyConsumedError,
    InvalidUrlRedirectClientError,
    TooManyRedirects,
    UnsafeRedirectError,
    shown,
)
from ..message.headers import LOCATION, shown_text
from ..message.request import Request
from ..message.response import ClientResponse

REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_SCHEMES: Final = frozenset(("http", "https"))
_BODY_FIELDS: Final = (
    "Content-Type",
    "Content-Length",
    "Content-Encoding",
    "Content-Language",
    "Content-Location",
    "Content-Range",
    "Content-Digest",
    "Repr-Digest",
    "Digest",
    "Transfer-Encoding",
    "Expect",
)
_SECRET_FIELDS: Final = frozenset(
    (
        "authorization",
        "cookie",
        "cookie2",
        "proxy-authorization",
        "www-authenticate",
        "private-token",
        "x-csrf-token",
    )
)
_SECRET_PATTERN: Final = re.compile(r"(?:.*-)?(?:api-?key|token|secret)|x-auth.*")
_UNSAFE_IN_LOCATION: Final = re.compile(r"[\x00-\x1f\x7f]").search


async def follow_redirects(request: Request, handler: Handler) -> ClientResponse:
    """Send *request*, and the requests that its redirects ask for.

    Raises:
        TooManyRedirects: more than ``max_redirects``; ``history`` holds the responses.
        InvalidUrlRedirectClientError: a ``Location`` that is no URL.
        UnsafeRedirectError: a ``Location`` whose scheme is neither http nor https.
        BodyConsumedError: a 307 or 308 asks for a body that cannot be sent twice.
    """
    response = await handler(request)
    if response.status not in REDIRECTS or not request.options.allow_redirects:
        return response
    history: tuple[ClientResponse, ...] = ()
    while response.status in REDIRECTS and LOCATION in response.headers:
        history = (*history, response)
        response.release()
        if len(history) > request.options.max_redirects:
            raise TooManyRedirects(
                request.info,
                cast(Any, history),
                status=response.status,
                message=f"{request.method} {shown(request.url)}: "
                f"more than max_redirects={request.options.max_redirects} redirects",
                headers=response.headers,
            )
        request = next_hop(request, response)
        request.history = history
        response = await handler(request)
    return response


def next_hop(request: Request, response: ClientResponse) -> Request:
    """Return the request that the redirect *response* to *request* asks for."""
    url = _target(request, response)
    method = method_after(request.method, response.status)
    headers, body = request.own_headers, request.body
    if method != request.method:
        body = None
        if headers is not None:
            headers = headers.copy()
            for name in _BODY_FIELDS:
                headers.popall(name, None)
    elif body is not None:
        if not body.replayable:
            raise BodyConsumedError(
                f"{request.method} {shown(request.url)}: the server redirects with {response.status} to "
                f"{shown(url)}, but the request body cannot be sent twice; give bytes or a seekable file"
            )
        body.rewind()
    hop = request.hop(method, url, headers, body, request.auth, request.cookies)
    if hop.origin != request.origin:
        kept: CIMultiDict[str] = CIMultiDict()
        for name, value in hop.headers.items():
            if not is_secret(name):
                kept.add(name, value)
        kept.popall("Host", None)
        hop = request.hop(method, url, kept, body, None, None)
    return hop


def method_after(method: str, status: int) -> str:
    """Return the method of the hop after a redirect with *status*."""
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        return "GET"
    return method


def is_secret(name: str) -> bool:
    """Tell whether a field of this name carries a secret, so that it must not follow to another origin."""
    folded = name.lower()
    return folded in _SECRET_FIELDS or _SECRET_PATTERN.fullmatch(folded) is not None


def _target(request: Request, response: ClientResponse) -> URL:
    """Return the URL that ``Location`` names, resolved against the request's, fragment inherited."""
    location = response.headers[LOCATION]
    try:
        location.encode("utf-8")
        if _UNSAFE_IN_LOCATION(location) is not None:
            raise ValueError("it holds a control character")
        target = URL(location)
        url = request.url.join(target)
        if not url.raw_host:
            raise ValueError("it names no host")
    except ValueError as error:
        if URL_SCHEME(location) is not None and not location.lower().startswith(
            ("http:", "https:")
        ):
            raise UnsafeRedirectError(_refusal(request, location)) from error
        raise InvalidUrlRedirectClientError(
            shown_text(location), f"bad Location: {error}"
        ) from error
    if url.scheme not in _SCHEMES:
        raise UnsafeRedirectError(_refusal(request, location))
    if url.raw_user is not None or url.raw_password is not None:
        # Credentials that a server puts into a Location are not the user's.
        url = url.with_user(None)
    if not url.raw_fragment and request.url.raw_fragment:
        url = url.with_fragment(request.url.fragment)  # RFC 9110, section 10.2.2
    return url


URL_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:").match


def _refusal(request: Request, location: str) -> str:
    return (
        f"{request.method} {shown(request.url)}: the server redirects to {shown_text(location)}; "
        "only http and https are followed"
    )
