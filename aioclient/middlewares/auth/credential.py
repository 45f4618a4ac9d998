"""Custom credentials of an API: fields, cookies and query parameters, renewed when they expire."""

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol, cast, runtime_checkable
from weakref import WeakKeyDictionary

from yarl import URL

from ...chain import release_unread
from ...message.cookie_pairs import cookie_pairs
from ...message.headers import COOKIE
from ...message.request import Request
from ...response.client_response import ClientResponse
from .digest import UNAUTHORIZED
from .flight import Flight
from .identity import number_of
from .scope import Scope


@runtime_checkable
class Credential(Protocol):
    """The object that ``CredentialAuth`` sends; a subclass inherits defaults for the methods that it lacks.

    An attribute ``identity``, a str, names the owner, for caches; without it each object counts as another owner.
    """

    def headers(self) -> Mapping[str, str]:
        """Return fields to send; they replace others of the same names. Empty by default."""
        return {}

    def cookies(self) -> Mapping[str, str]:
        """Return cookies to send in addition to others, of the names and values that ``cookies=`` of a call accepts.

        Empty by default.
        """
        return {}

    def params(self) -> Mapping[str, str]:
        """Return query parameters to send in addition to others; empty by default."""
        return {}

    def is_expired(self) -> bool:
        """Tell whether ``refresh()`` must be awaited before a request is sent; False by default."""
        return False

    async def refresh(self) -> "Credential | None":
        """Renew the credential; return None, or another one that replaces it. By default this does nothing.

        Requests that this method makes with the same session need ``auth=aioclient.NO_AUTH``.
        """
        return None

    def raise_for_invalid(self) -> None:
        """Raise if the credential is certainly invalid; by default this does nothing."""
        return


class CredentialAuth(Scope):
    """Sends a custom credential: its fields, cookies and query parameters.

    The credential is renewed when it says that it is expired, and once when a server answers 401. All requests that
    need a renewal at the same time share one ``refresh()``, which goes on as long as one of them waits.

    Args:
        credential: an object with the methods of ``Credential``.
        verify: whether ``credential.raise_for_invalid()`` is called before each attempt.
        origins: URLs of the only origins that get it, such as ``https://api.example.com``; None for every origin that
            is called.

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
        self._generation = 0  # how often the credential was renewed
        self._refused = -1
        self._sent: WeakKeyDictionary[Request, int] = WeakKeyDictionary()
        self._flight: Flight[None] = Flight()

    @property
    def identity(self) -> str:
        """The owner of the credential."""
        named: str | None = getattr(self.credential, "identity", None)
        return number_of(self) if named is None else named

    def authorize(self, request: Request) -> Awaitable[None] | None:
        """Put the credential on *request*; renew it first if needed."""
        if not self.covers(request):
            return None
        if self._is_over():
            return self._after_renewing(request)
        self._put_on(request)
        return None

    def offer(self, request: Request) -> None:
        """Put the credential on *request* as it is now."""
        if self.covers(request) and not self._is_over():
            self._write(request)

    async def answer(self, request: Request, response: ClientResponse) -> bool:
        """Ask for another attempt after a 401; renew the refused credential first."""
        if response.status != UNAUTHORIZED or not self.covers(request):
            return False
        if self._sent.get(request) == self._generation:
            self._refused = self._generation
        return True

    def _is_over(self) -> bool:
        return self._refused == self._generation or self.credential.is_expired()

    async def _after_renewing(self, request: Request) -> None:
        # An unread response of a middleware in this task may hold the connection that refresh() needs.
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
            cookie_pairs(self.credential.cookies()),
            self.credential.params(),
        )
        if params:
            request.url = with_query(request.real_url, params)
        for name, value in fields.items():
            request.headers[name] = value
        if fields:
            # These fields are hidden in messages, whatever their names are.
            hidden = request.options.sensitive_headers | {name.lower() for name in fields}
            request.options = replace(request.options, sensitive_headers=hidden)
        if not cookies:
            return
        if COOKIE in request.fields:  # set by the caller, so no other cookies are added
            pairs = [*request.fields.getall(COOKIE), *(f"{n}={v}" for n, v in cookies.items())]
            request.headers[COOKIE] = "; ".join(pairs)
        else:
            request.cookies = {**(request.cookies or {}), **cookies}

    def __repr__(self) -> str:
        return f"<CredentialAuth of a {type(self.credential).__qualname__}>"


def with_query(url: URL, params: Mapping[str, Any]) -> URL:
    """Return *url* with *params* in its query, replacing those of the same names; the rest keeps its spelling."""
    if any(name in url.query for name in params):
        url = url.without_query_params(*params)
    return url.extend_query(dict(params))
