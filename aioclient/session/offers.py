"""What a session tells its requests of the steps that come after the middlewares, and does for those steps."""

import hashlib
from collections.abc import Awaitable, Iterator

from multidict import CIMultiDict

from ..chain import Handler, Middleware
from ..message.headers import COOKIE, is_secret
from ..message.request import Auth, Request
from ..middlewares.auth import NetrcStep
from ..middlewares.auth.identity import identity_of, offered_by
from ..middlewares.cookies import Cookies
from ..response.client_response import ClientResponse


class SessionOffers:
    """The answers to ``Request.partition()`` and ``offered()``, and the way to send apart from the chain."""

    __slots__ = ("_cookies", "_netrc", "_send", "_usual")

    def __init__(self, authenticate: Middleware, cookies: Cookies, send: Handler) -> None:
        self._netrc = authenticate if isinstance(authenticate, NetrcStep) else None
        self._cookies = cookies
        self._send = send
        # The fields that calls without their own have, and who asks with them.
        self._usual: tuple[CIMultiDict[str], str] | None = None

    def send(self, request: Request) -> Awaitable[ClientResponse]:
        """Send *request* by the session's transport alone."""
        return self._send(request)

    def offered(self, request: Request) -> "CIMultiDict[str]":
        """Return the fields that credentials and jar would set in *request*, as far as they are known."""
        fields: CIMultiDict[str] = CIMultiDict()
        auth = self._auth_of(request)
        if auth is not None:
            fields.extend(offered_by(auth, request) or ())
        cookie = self._cookies.field_for(request)
        if cookie is not None:
            fields.setdefault(COOKIE, cookie)
        return fields

    def cookie(self, request: Request) -> str | None:
        """Return the ``Cookie`` field that the jar would set; None for none."""
        return self._cookies.field_for(request)

    def partition(self, request: Request) -> str:
        """Return a hash of who asks; "" for nobody."""
        if (
            request.auth is None
            and request.cookies is None
            and self._netrc is None
            and request.own_headers is None
            and request.options.signer is None
        ):
            fields = request.fields
            if self._usual is None or self._usual[0] is not fields:
                self._usual = fields, self._partition(request)
            return self._usual[1]
        return self._partition(request)

    def _partition(self, request: Request) -> str:
        parts = sorted(filter(None, self._parts(request)))
        if not parts:
            return ""
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()

    def _parts(self, request: Request) -> Iterator[str]:
        auth = request.auth
        if self._netrc is not None and self._netrc.applies(request):
            yield f"{self._netrc.identity} {'' if auth is None else identity_of(auth, request)}"
        elif auth is not None:
            yield identity_of(auth, request)
        if request.options.signer is not None:
            yield f"signer {identity_of(request.options.signer, request)}"
        for name, value in request.fields.items():
            if is_secret(name, request.options.sensitive_headers):
                yield f"{name.lower()}: {value}"
        for name, value in (request.cookies or {}).items():
            yield f"cookie {name}={value}"

    def _auth_of(self, request: Request) -> Auth | None:
        if self._netrc is not None and self._netrc.applies(request):
            return self._netrc.known_auth(request) or request.auth
        return request.auth
