"""Credentials of an API of its own kind: fields, cookies and query parameters, renewed when they are over."""

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol, cast, runtime_checkable
from weakref import WeakKeyDictionary

from yarl import URL

from ...chain import release_unread
from ...message.headers import COOKIE
from ...message.request import Request
from ...response.client_response import ClientResponse
from .digest import UNAUTHORIZED
from .flight import Flight
from .identity import number_of
from .scope import Scope


@runtime_checkable
class Credential(Protocol):
    """What ``CredentialAuth`` sends; a subclass has what it does not write itself from here.

    An attribute ``identity``, a str, names who asks, for caches; without it each object is somebody else.
    """

    def headers(self) -> Mapping[str, str]:
        """Return fields to send; they take the place of others of the same names. None by default."""
        return {}

    def cookies(self) -> Mapping[str, str]:
        """Return cookies to send beside others; none by default."""
        return {}

    def params(self) -> Mapping[str, str]:
        """Return query parameters to send beside others; none by default."""
        return {}

    def is_expired(self) -> bool:
        """Tell whether ``refresh()`` is to be awaited before anything is sent; False by default."""
        return False

    async def refresh(self) -> "Credential | None":
        """Renew it, and return None or the one that takes its place. By default nothing is renewed.

        Requests that it makes with the same session need ``auth=aioclient.NO_AUTH``.
        """
        return None

    def raise_for_invalid(self) -> None:
        """Raise if it cannot be good; by default it may be."""
        return


class CredentialAuth(Scope):
    """Sends a credential of the user's: its fields, cookies and query parameters.

    It is renewed when it says that it is expired, and once when a server answers 401; all requests that need that at
    the same time share one ``refresh()``, which goes on as long as one of them waits.

    Args:
        credential: an object with the methods of ``Credential``.
        verify: whether ``credential.raise_for_invalid()`` is called before each attempt.
        origins: URLs of the only origins that get it, such as ``https://api.example.com``; None for any that is called.

    Raises:
        TypeError: *credential* lacks a method.
    """

    __slots__ = (
        "__weakref__",
        "_flight",
        "_generation",
        "_refused",
        "_sent",
        "_verify",
        "credential",
    )

    def __init__(
        self,
        credential: Credential,
        *,
        verify: bool = False,
        origins: Iterable[str | URL] | None = None,
    ) -> None:
        super().__init__(origins)
        if not isinstance(cast(object, credential), Credential) or isinstance(credential, type):
            raise TypeError(
                "credential must be an object with headers(), cookies(), params(), is_expired(), refresh() and "
                f"raise_for_invalid(), as aioclient.Credential has; found {type(credential).__name__}"
            )
        self.credential: Credential = credential
        self._verify = verify
        self._generation = 0  # which one it is, counted by renewals
        self._refused = -1
        self._sent: WeakKeyDictionary[Request, int] = WeakKeyDictionary()
        self._flight: Flight[None] = Flight()

    @property
    def identity(self) -> str:
        """Who asks."""
        named: str | None = getattr(self.credential, "identity", None)
        return number_of(self) if named is None else named

    def authorize(self, request: Request) -> Awaitable[None] | None:
        """Put the credential on *request*, after it was renewed if that is needed."""
        if not self.covers(request):
            return None
        if self._is_over():
            return self._after_renewing(request)
        self._put_on(request)
        return None

    def offer(self, request: Request) -> None:
        """Put on what there is."""
        if self.covers(request) and not self._is_over():
            self._write(request)

    async def answer(self, request: Request, response: ClientResponse) -> bool:
        """Ask for another round after a 401; the credential that was refused is renewed before."""
        if response.status != UNAUTHORIZED or not self.covers(request):
            return False
        if self._sent.get(request) == self._generation:
            self._refused = self._generation
        return True

    def _is_over(self) -> bool:
        return self._refused == self._generation or self.credential.is_expired()

    async def _after_renewing(self, request: Request) -> None:
        # What a middleware of this task left unread may hold the connection that refresh() needs.
        release_unread(None)
        await self._flight.join(self._renew)
        self._put_on(request)

    async def _renew(self) -> None:
        renewed = await self.credential.refresh()
        if renewed is not None:
            self.credential = renewed
        self._generation += 1

    def _put_on(self, request: Request) -> None:
        if self._verify:
            self.credential.raise_for_invalid()
        self._write(request)
        self._sent[request] = self._generation

    def _write(self, request: Request) -> None:
        fields, cookies, params = (
            self.credential.headers(),
            self.credential.cookies(),
            self.credential.params(),
        )
        if params:
            request.url = with_query(request.real_url, params)
        for name, value in fields.items():
            request.headers[name] = value
        if fields:
            # Whatever they are called, no message shows them.
            hidden = request.options.sensitive_headers | {name.lower() for name in fields}
            request.options = replace(request.options, sensitive_headers=hidden)
        if not cookies:
            return
        if COOKIE in request.fields:  # the caller's own, which keeps all others out
            pairs = [*request.fields.getall(COOKIE), *(f"{n}={v}" for n, v in cookies.items())]
            request.headers[COOKIE] = "; ".join(pairs)
        else:
            request.cookies = {**(request.cookies or {}), **cookies}

    def __repr__(self) -> str:
        return f"<CredentialAuth of a {type(self.credential).__qualname__}>"


def with_query(url: URL, params: Mapping[str, Any]) -> URL:
    """Return *url* with *params* in its query, in place of those of the same names; the rest stays as it is spelled."""
    if any(name in url.query for name in params):
        url = url.without_query_params(*params)
    return url.extend_query(dict(params))
