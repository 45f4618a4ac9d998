"""Requests that are built first and sent later: as they are asked for, and as they go out."""

from collections.abc import Callable, Iterable, Mapping
from json import dumps
from typing import Any

from aiohttp import BasicAuth as AiohttpBasicAuth
from multidict import CIMultiDict
from yarl import URL

from ..body import make_body
from ..message.cookie_pairs import cookie_pairs
from ..message.headers import (
    AUTHORIZATION,
    CONTENT_TYPE,
    COOKIE,
    LooseHeaders,
    check_method,
    merge_into,
)
from ..middlewares.auth import BasicAuth, credentials_in
from ..session.urls import parsed, with_params
from .cookies import cookies_for
from .merging import Hook, hooks_of, query_of
from .uploads import is_iterated, multipart

Hooks = Mapping[str, Callable[..., Any] | Iterable[Callable[..., Any]]]


class PreparedRequest:
    """A request as it goes out: method, URL, all fields, the body; ``session.send()`` sends it as it is.

    Attributes:
        method: in upper case.
        url: with its parameters, without user and password.
        headers: all fields but ``Host`` and those that frame the body.
        body: bytes, an iterable of bytes, a file or a form; None for none.
        hooks: functions for the response: ``{"response": [...]}``.
        auth: credentials that are asked for when it is sent; None for none.
    """

    __slots__ = ("auth", "body", "headers", "hooks", "method", "url")

    def __init__(
        self,
        method: str,
        url: str,
        headers: LooseHeaders | None,
        body: Any,
        hooks: Hooks | None = None,
        auth: Any = None,
    ) -> None:
        self.method: str = method
        self.url: str = url
        self.headers: CIMultiDict[str] = CIMultiDict()
        if headers is not None:
            merge_into(self.headers, headers)
        self.body: Any = body
        self.hooks: dict[str, list[Hook]] = {"response": hooks_of(hooks)}
        self.auth: Any = auth

    def copy(self) -> "PreparedRequest":
        """Return one that can be changed on its own."""
        return PreparedRequest(
            self.method, self.url, self.headers, self.body, self.hooks, self.auth
        )

    def __repr__(self) -> str:
        return f"<PreparedRequest [{self.method}]>"


class Request:
    """What is asked for: ``session.prepare_request()`` adds what the session has, ``prepare()`` nothing.

    The arguments are those of ``Session.request()``.
    """

    __slots__ = (
        "auth",
        "cookies",
        "data",
        "files",
        "headers",
        "hooks",
        "json",
        "method",
        "params",
        "url",
    )

    def __init__(
        self,
        method: str,
        url: str | URL,
        headers: LooseHeaders | None = None,
        files: Any = None,
        data: Any = None,
        params: Any = None,
        auth: Any = None,
        cookies: Any = None,
        hooks: Hooks | None = None,
        json: Any = None,
    ) -> None:
        self.method: str = method
        self.url: str | URL = url
        self.headers: LooseHeaders | None = headers
        self.files: Any = files
        self.data: Any = data
        self.params: Any = params
        self.auth: Any = auth
        self.cookies: Any = cookies
        self.hooks: dict[str, list[Hook]] = {"response": hooks_of(hooks)}
        self.json: Any = json

    def prepare(self) -> PreparedRequest:
        """Return the request as it will be sent, without the settings of a session.

        Raises:
            ValueError, TypeError: it cannot be sent.
        """
        return prepare(self, parsed(self.url), self.params, CIMultiDict(), None, self.auth)

    def __repr__(self) -> str:
        return f"<Request [{self.method}]>"


def prepare(
    request: Request,
    url: URL,
    params: Any,
    headers: "CIMultiDict[str]",
    jar_cookies: Callable[[URL, Mapping[str, str] | None], str | None] | None,
    auth: Any,
) -> PreparedRequest:
    """Return *request* as it goes out: *url*, *params* and *auth* are those that count, *headers* the session's."""
    if query := query_of(params):
        url = with_params(url, query)
    in_url = credentials_in(url)
    url = url.with_user(None)
    if request.headers is not None:
        merge_into(headers, request.headers)
    cookies = cookies_for(request.cookies, url)
    pairs = None if cookies is None else cookie_pairs(cookies)
    if COOKIE not in headers:
        field = (
            jar_cookies(url, pairs)
            if jar_cookies is not None
            else "; ".join(f"{name}={value}" for name, value in (pairs or {}).items())
        )
        if field:
            headers[COOKIE] = field
    body = _body_of(request, headers)
    prepared = PreparedRequest(check_method(request.method), str(url), headers, body, request.hooks)
    return _authorized(prepared, in_url if auth is None else auth)


def _body_of(request: Request, headers: "CIMultiDict[str]") -> Any:
    if request.files:
        return multipart(request.data, request.files)
    if request.json is None and (request.data is None or is_iterated(request.data)):
        return request.data
    if hasattr(request.data, "read"):
        return request.data
    body = make_body(request.data, request.json, json_serialize=dumps)
    if body is None:
        return None
    if body.content_type is not None and CONTENT_TYPE not in headers:
        headers[CONTENT_TYPE] = body.content_type
    data = getattr(body, "data", None)
    return data if isinstance(data, bytes) else request.data


def _authorized(prepared: PreparedRequest, auth: Any) -> PreparedRequest:
    """Add the credentials; do this last, when all else is as it will be sent."""
    if auth is None or AUTHORIZATION in prepared.headers:
        return prepared
    if isinstance(auth, AiohttpBasicAuth | tuple) and not isinstance(auth, BasicAuth):
        auth = BasicAuth(*auth)
    if isinstance(auth, BasicAuth):
        prepared.headers[AUTHORIZATION] = auth.encode()
    elif callable(auth) and not hasattr(auth, "authorize"):
        changed = auth(prepared)
        prepared = changed if isinstance(changed, PreparedRequest) else prepared
    else:
        prepared.auth = auth
    return prepared
