"""Redirects (RFC 9110, section 15.4): one call, many hops.

The rules:

* 303 leads to GET (HEAD stays); 301 and 302 lead to GET for POST only; 307 and 308 repeat method and body. After 303,
  and with a change to GET, the body and the fields that describe it are dropped.
* A hop to another origin (another scheme, host or port; http to https is another one too) gets neither credentials of
  the first origin nor a body, unless ``RedirectPolicy`` allows it: ``auth``, ``signer``, per-request cookies and the
  fields that carry secrets are removed, for all later hops as well. If the body must be sent along,
  ``CrossOriginBodyError`` is raised.
* ``ws`` and ``wss`` are followed only by the handshake of a WebSocket.
* Credentials that a server writes into a ``Location`` are not the user's: they are removed.
* A body is sent again only if it is replayable: otherwise ``BodyConsumedError`` is raised; never is an empty body sent.
* The body of the redirect itself is given up unread.
* Each hop is made from the call's own request, without the changes of middlewares and credentials: they act on each hop
  anew. The new method depends on the method that the server saw, which a middleware may have set.
"""

import re
from dataclasses import replace
from logging import INFO
from typing import Any, Final, cast

from multidict import CIMultiDict
from yarl import URL

from ...chain import Handler
from ...exceptions import (
    BodyConsumedError,
    CrossOriginBodyError,
    InvalidUrlRedirectClientError,
    RedirectLimitError,
    UnsafeRedirectError,
    bad_url,
    shown,
    shown_bad,
)
from ...message.body import Body
from ...message.headers import HOST, LOCATION, SEC_WEBSOCKET_KEY, without_secrets
from ...message.origin import origin_of
from ...message.request import Request
from ...message.urls import resolved
from ...observe.log import OF_REDIRECTS, logs_redirects
from ...response.client_response import ClientResponse
from ...response.trace import CallTrace
from .policy import DEFAULT, Redirect, RedirectPolicy, is_downgrade

REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
# Fields that describe a body, beside Content-*.
_BODY_FIELDS: Final = frozenset(("digest", "repr-digest", "transfer-encoding", "trailer", "expect"))
_NOT_IN_TARGET: Final = re.compile(r"[^\x21-\x7e]").search
_OTHER_SCHEME: Final = re.compile(r"(?!https?:)([a-z][a-z0-9+.\-]*):", re.IGNORECASE).match
_WEBSOCKET_SCHEMES: Final = frozenset(("ws", "wss"))


async def follow_redirects(request: Request, handler: Handler) -> ClientResponse:
    """Send *request*, and the requests that its redirects lead to.

    A redirect is returned as a response if it has no ``Location``, if the policy does not follow it, or if it is one
    too many and ``on_too_many`` says so.

    Raises:
        RedirectLimitError: there were more than ``max_redirects``; ``history`` holds the responses.
        InvalidUrlRedirectClientError: a ``Location`` is not a URL.
        UnsafeRedirectError: a ``Location`` has a scheme that is not followed; see ``redirect_target()``.
        UnsafeRedirectError: a redirect leads from https to http, and the policy forbids that.
        BodyConsumedError: a 307 or 308 requires a body that cannot be sent twice.
        CrossOriginBodyError: a 307 or 308 requires to send the body to another origin, and the policy forbids that.
    """
    method, body = request.method, request.content
    response = await handler(request)
    if response.status not in REDIRECTS or not request.options.allow_redirects:
        return response
    history: tuple[ClientResponse, ...] = ()
    while response.status in REDIRECTS and response.headers.get(LOCATION):
        too_many = len(history) >= request.options.max_redirects
        if too_many and request.options.on_too_many == "return":
            return response
        redirect = None if too_many else _decided(request, response, body)
        if redirect is not None and not redirect.follow:
            return response
        history = (*history, response)
        if request.trace is not None:
            await _tell(request, response, request.trace)
        response.release()
        if redirect is None:
            raise RedirectLimitError(
                request.info,
                cast(Any, history),
                status=response.status,
                message=f"{request.label}: more than max_redirects={request.options.max_redirects} redirects",
                headers=response.headers,
            )
        hop = hop_after(request, redirect, method, body)
        hop.history = history
        if logs_redirects(INFO):
            OF_REDIRECTS.info("%s: %d to %s", request.label, response.status, hop.label)
        request = hop
        method, body = request.method, request.content
        if request.trace is not None:
            request.trace.follow(request)
        response = await handler(request)
    return response


async def _tell(request: Request, response: ClientResponse, trace: CallTrace) -> None:
    try:
        await trace.request_redirect(request, response)
    except BaseException:
        response.close()
        raise


def _decided(request: Request, response: ClientResponse, body: Body | None) -> Redirect:
    """Return the policy's decision on the redirect *response*; if that is an error, give the response up."""
    try:
        return planned(request, response, body)
    except BaseException:
        response.release()
        raise


def planned(request: Request, response: ClientResponse, body: Body | None) -> Redirect:
    """Return the policy's decision on *response*, a redirect of *request*.

    *body* is the one that *request* had before middlewares saw it.

    Raises:
        UnsafeRedirectError: its target is not followed, or the policy forbids it.
        CrossOriginBodyError: the body would be sent to another origin, and must not.
        BodyConsumedError: the body cannot be sent twice.
    """
    status, policy = response.status, request.options.redirect_policy or DEFAULT
    url = redirect_target(request, response)
    _refuse_downgrade(request, url, policy)
    method = method_after(request.method, status)
    if method != request.method or status == 303:
        body = None
    redirect: Redirect = policy.decided(status, method, request.url, url, has_body=body is not None)
    if redirect.target is not url:
        url = _bare(redirect.target)
        if url.scheme in _WEBSOCKET_SCHEMES and not _is_handshake(request):
            raise UnsafeRedirectError(
                f"{request.label}: redirect_policy leads to {shown(url)}; only http and https are followed"
            )
        _refuse_downgrade(request, url, policy)
        redirect = replace(redirect, target=url)
    if body is None or not redirect.follow:
        return redirect
    if body.size != 0 and not redirect.send_body:
        raise CrossOriginBodyError(
            f"{request.label}: the server redirects with {status} to {shown(url)}, another origin, which does not get "
            "the request body; allow it with redirect_policy=RedirectPolicy(send_body=[...])"
        )
    if body.consumed:
        raise BodyConsumedError(
            f"{request.label}: the server redirects with {status} to {shown(url)}, "
            "but the request body cannot be sent twice; give bytes or a seekable file"
        )
    return redirect


def next_hop(request: Request, response: ClientResponse, method: str, body: Body | None) -> Request:
    """Return the request after the redirect *response* to *request*.

    *method* and *body* are those that *request* had before middlewares saw it.

    Raises:
        ClientError: as ``planned()``.
    """
    return hop_after(request, planned(request, response, body), method, body)


def hop_after(request: Request, redirect: Redirect, method: str, body: Body | None) -> Request:
    """Return the request after *redirect* of *request*.

    *method* and *body* are those that *request* had before middlewares saw it.
    """
    options, headers = request.options, request.given
    auth, cookies = request.auth, request.cookies
    if redirect.has_body and body is not None:
        body.rewind()
    elif redirect.method != request.method or redirect.status == 303:
        method, body = redirect.method, None
        if headers is not None:
            headers = _without_body_fields(headers)
        if options.chunked:
            options = replace(options, chunked=None)
    if not redirect.keep_credentials:
        headers = without_secrets(
            request.defaults.fields if headers is None else headers, options.sensitive_headers
        )
        auth = cookies = None
        if options.signer is not None:
            options = replace(options, signer=None)
    if origin_of(redirect.target) != request.origin:
        if headers is None:
            headers = request.defaults.fields.copy()
        headers.popall(HOST, None)
        if options.server_hostname is not None:
            options = replace(options, server_hostname=None)
    return request.hop(method, redirect.target, headers, body, options, auth, cookies)


def method_after(method: str, status: int) -> str:
    """Return the method of the hop after a redirect with *status*."""
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        return "GET"
    return method


def redirect_target(request: Request, response: ClientResponse) -> URL:
    """Return the URL in ``Location``, resolved against the request's, with its fragment as the default.

    Raises:
        UnsafeRedirectError: its scheme is neither http nor https; nor ws or wss, if a WebSocket is being opened.
        InvalidUrlRedirectClientError: it is not a URL, or has no host.
    """
    location = response.headers[LOCATION]
    other = _OTHER_SCHEME(location)
    if other is not None and not (
        other[1].lower() in _WEBSOCKET_SCHEMES and _is_handshake(request)
    ):
        raise UnsafeRedirectError(
            f"{request.label}: the server redirects to {shown_bad(location)}; only http and https are followed"
        )
    try:
        url = _resolved(request.url, location, request.options.requote_redirect_url)
        origin_of(url)
        if not url.raw_fragment and (fragment := request.real_url.raw_fragment):
            url = resolved(url, f"#{fragment}")  # RFC 9110, section 10.2.2
    except ValueError as error:
        raise InvalidUrlRedirectClientError(
            bad_url(location), f"{request.label}: the server redirects there, but {error}"
        ) from error
    return _bare(url)


def _bare(url: URL) -> URL:
    """Return *url* without user and password: they are not the user's credentials for it."""
    return url if url.raw_user is None and url.raw_password is None else url.with_user(None)


def _refuse_downgrade(request: Request, url: URL, policy: RedirectPolicy) -> None:
    """Refuse a redirect to *url* if it leads from https to http, and *policy* forbids that."""
    if policy.https_to_http == "forbid" and is_downgrade(request.origin, origin_of(url)):
        raise UnsafeRedirectError(
            f"{request.label}: the server redirects to {shown(url)}, from https to http, which redirect_policy forbids"
        )


def _is_handshake(request: Request) -> bool:
    """Tell whether *request* opens a WebSocket (RFC 6455, section 4.1)."""
    return request.given is not None and SEC_WEBSOCKET_KEY in request.given


def _resolved(base: URL, location: str, encode: bool) -> URL:
    if not encode and (found := _NOT_IN_TARGET(location)) is not None:
        raise ValueError(
            f"it holds {found.group()!r}, which requote_redirect_url=False leaves as it is"
        )
    # A space is encoded as in a path, not as the "+" of a form.
    return resolved(base, location.replace(" ", "%20"), encode=encode)


def _without_body_fields(headers: "CIMultiDict[str]") -> "CIMultiDict[str]":
    return CIMultiDict(
        [
            (name, value)
            for name, value in headers.items()
            if not (name.lower().startswith("content-") or name.lower() in _BODY_FIELDS)
        ]
    )
