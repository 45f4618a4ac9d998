"""What all OAuth 2 credentials do: keep a token, renew it once for all who need it, and send it."""

import asyncio
import time
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final, TypedDict, Unpack, cast

from multidict import CIMultiDict
from yarl import URL

from ....chain import release_unread
from ....exceptions import shown
from ....message.headers import USER_AGENT
from ....message.request import Request
from ....response.client_response import ClientResponse
from ..digest import UNAUTHORIZED
from ..flight import Flight
from ..scope import Scope
from .policy import (
    ClientAuth,
    OAuth2Token,
    checked_client,
    checked_parameters,
    endpoint,
    form,
    token_of,
)
from .store import TokenMemory, TokenStore

_MAX_ANSWER: Final = 2**20  # bytes; a token has some hundred


class ClientArguments(TypedDict, total=False):
    """The arguments that all grants have."""

    scope: str | Iterable[str] | None
    audience: str | None
    parameters: Mapping[str, str] | None
    client_auth: ClientAuth
    store: TokenStore | None
    origins: Iterable[str | URL] | None
    identity: str | None


class OAuth2(Scope):
    """A token of an authorization server, renewed before its end, and once when a server refuses it.

    A subclass is a grant: it knows how to ask for a token.
    """

    __slots__ = (
        "__weakref__",
        "_client",
        "_flight",
        "_held",
        "_identity",
        "_parameters",
        "_refused",
        "_store",
        "_unsaved",
        "_until",
        "token_url",
    )

    def __init__(
        self,
        token_url: str | URL,
        client_id: str,
        client_secret: str | None = None,
        *,
        scope: str | Iterable[str] | None = None,
        audience: str | None = None,
        parameters: Mapping[str, str] | None = None,
        client_auth: ClientAuth = "client_secret_basic",
        store: TokenStore | None = None,
        origins: Iterable[str | URL] | None = None,
        identity: str | None = None,
    ) -> None:
        super().__init__(origins)
        self.token_url: URL = endpoint("token_url", token_url)
        self._client = checked_client(client_id, client_secret, client_auth)
        self._parameters = checked_parameters(scope, audience, parameters)
        if store is not None and not isinstance(cast(object, store), TokenStore):
            raise TypeError(
                f"store must have load(), save() and lock(), as TokenFile has; found {type(store).__name__}"
            )
        self._store: TokenStore = TokenMemory() if store is None else store
        self._identity = identity
        self._held: OAuth2Token | None = None
        self._until: float | None = None  # the event loop's time; None for not known
        self._refused: str | None = None  # the token that a server refused
        self._unsaved: OAuth2Token | None = None  # the store raised when it got this token
        self._flight: Flight[OAuth2Token] = Flight()

    @property
    def identity(self) -> str:
        """A hash of who asks: of ``identity=`` if that was given, and of the client, in any case."""
        parts = [str(self.token_url), self._client[0], self._client[1] or "", self._identity or ""]
        parts += [f"{name}={value}" for name, value in sorted(self._parameters.items())]
        return sha256("\0".join([*parts, *self._of_user()]).encode()).hexdigest()

    def _of_user(self) -> Iterable[str]:
        """Return what tells one user of the client from another."""
        return ()

    def authorize(self, request: Request) -> Awaitable[None] | None:
        """Set the request's ``Authorization`` field, after a token was fetched if there is none to use."""
        if not self.applies(request):
            return None
        token = self._usable()
        if token is None:
            return self._after_fetching(request)
        request.authorization = f"Bearer {token.access_token}"
        return None

    def offer(self, request: Request) -> None:
        """Set the field if there is a token."""
        token = self._usable()
        if token is not None and self.applies(request):
            request.authorization = f"Bearer {token.access_token}"

    async def answer(self, request: Request, response: ClientResponse) -> bool:
        """Ask for another round after a 401; the token that was refused is used no more."""
        if response.status != UNAUTHORIZED or not self.applies(request):
            return False
        held = self._held
        if held is not None and request.authorization == f"Bearer {held.access_token}":
            self._refused, self._held = held.access_token, None
        return True

    def _usable(self) -> OAuth2Token | None:
        if self._held is None:
            return None
        if self._until is not None and asyncio.get_running_loop().time() >= self._until:
            return None
        return self._held

    def _keep(self, token: OAuth2Token) -> OAuth2Token:
        remaining = token.remaining(time.time())
        self._held = token
        self._until = None if remaining is None else asyncio.get_running_loop().time() + remaining
        return token

    async def _after_fetching(self, request: Request) -> None:
        # What a middleware of this task left unread may hold the connection that the token needs.
        release_unread(None)
        token = await self._flight.join(lambda: self._renewed(request))
        request.authorization = f"Bearer {token.access_token}"

    async def _renewed(self, request: Request) -> OAuth2Token:
        """Return a token that is not the refused one, of the store or a new one."""
        key = self.identity
        async with self._store.lock(key):
            if self._unsaved is not None:
                await self._save(key, self._unsaved)
            stored = await self._store.load(key)
            if stored is not None and stored.access_token != self._refused:
                remaining = stored.remaining(time.time())
                if remaining is None or remaining > 0:
                    return self._keep(stored)
            token = await self._granted(request, stored)
            await self._save(key, token)
            return self._keep(token)

    async def _save(self, key: str, token: OAuth2Token) -> None:
        """Save *token*. If the store raises, keep it for the next time: the refresh token before it may be void."""
        try:
            await _finished(self._store.save(key, token))
        except Exception:
            self._unsaved = token
            raise
        self._unsaved = None

    async def _granted(self, request: Request, before: OAuth2Token | None) -> OAuth2Token:
        """Return a new token; *before* is the last one."""
        raise NotImplementedError

    async def _ask(
        self, request: Request, parameters: Mapping[str, str], refresh_token: str | None = None
    ) -> OAuth2Token:
        """Ask the token endpoint, by the transport of the session that *request* belongs to.

        Raises:
            OAuth2Error: it gives no token.
            ClientError, TimeoutError: as a call.
        """
        body, field = form({**parameters, **self._parameters}, *self._client)
        fields = CIMultiDict(
            {
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
                "User-Agent": USER_AGENT,
            }
        )
        if field is not None:
            fields["Authorization"] = field
        asking = request.hop(
            "POST",
            self.token_url,
            fields,
            request.options.bodies.body_of(body),
            _options(request),
            None,
            None,
        )
        asking.trace = None  # which would be shown the secrets
        asking.deadline = None  # those who wait have theirs
        response: ClientResponse = await asking.send_apart(asking)
        try:
            content = await response.read()
        finally:
            response.close()
        return token_of(
            self.token_url, response.status, content, time.time(), refresh_token, self._client[1]
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({shown(self.token_url)!r}, client_id={self._client[0]!r})"


def _options(request: Request) -> Any:
    """Return the options of a token request: those of *request* without what the caller asked for that one."""
    return replace(
        request.options,
        response_class=ClientResponse,
        allow_redirects=False,
        chunked=None,
        expect100=False,
        read_until_eof=True,
        ssl=True,  # what the connector says
        server_hostname=None,
        auto_decompress=True,
        max_body_size=_MAX_ANSWER,
        skip_auto_headers=frozenset(),
        redirect_policy=None,
        signer=None,
    )


async def _finished(work: Awaitable[None]) -> None:
    """Await *work* to its end, also when this task is cancelled meanwhile: a rotated token must not get lost."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        raise


class OAuth2ClientCredentials(OAuth2):
    """A program that asks for itself (RFC 6749, section 4.4).

    The token is fetched before the first request, once for all requests that wait for it, and renewed before its end
    (after nine tenths of its lifetime, 60 s before its end at most), and once when a server answers 401. Token
    requests go by the session's connector, with its TLS settings, proxies and resolver, and have no cookies,
    middlewares, traces or redirects.

    Args:
        token_url: of the token endpoint: ``https``, or on this machine.
        client_id: the program's name there.
        client_secret: the program's password there; None for a client that has none.
        scope: what the token shall be good for: text, or a list of words.
        audience: whom the token is for, where the server wants to know.
        parameters: further parameters of the token request.
        client_auth: "client_secret_basic" shows name and password in ``Authorization``, "client_secret_post" in the
            body (RFC 6749, section 2.3.1).
        store: where tokens are kept beside this object: ``TokenFile``, or anything with the methods of ``TokenStore``.
        origins: URLs of the only origins that get the token, such as ``https://api.example.com``; None for any that is
            called.
        identity: a name for who asks, where several users share the other arguments: for caches, and for *store*.

    Raises:
        TypeError, ValueError: an argument cannot be used; *token_url* is neither ``https`` nor on this machine.
    """

    __slots__ = ()

    async def _granted(self, request: Request, before: OAuth2Token | None) -> OAuth2Token:
        return await self._ask(request, {"grant_type": "client_credentials"})


class OAuth2RefreshToken(OAuth2):
    """A user who has logged in before: a refresh token becomes access tokens (RFC 6749, section 6).

    A server may give a new refresh token with each access token, and take the old one no more. The new one is in
    *store* before anybody can use the access token. With a *store* that outlives the program the newest one is found
    there, whatever *refresh_token* says.

    Args:
        token_url: of the token endpoint: ``https``, or on this machine.
        client_id: the program's name there.
        client_secret: the program's password there; None for a client that has none.
        refresh_token: the one that the login gave.
        scope, audience, parameters, client_auth, store, origins, identity: as for ``OAuth2ClientCredentials``.

    Raises:
        TypeError, ValueError: an argument cannot be used.
    """

    __slots__ = ("_refresh_token",)

    def __init__(
        self,
        token_url: str | URL,
        client_id: str,
        client_secret: str | None = None,
        *,
        refresh_token: str,
        **more: Unpack[ClientArguments],
    ) -> None:
        super().__init__(token_url, client_id, client_secret, **more)
        if not isinstance(cast(object, refresh_token), str) or not refresh_token:
            raise ValueError("refresh_token must be a str that is not empty")
        self._refresh_token = refresh_token

    def _of_user(self) -> Iterable[str]:
        return () if self._identity is not None else (self._refresh_token,)

    async def _granted(self, request: Request, before: OAuth2Token | None) -> OAuth2Token:
        newest = None if before is None else before.refresh_token
        return await self._refreshed(request, newest or self._refresh_token)

    async def _refreshed(self, request: Request, refresh_token: str) -> OAuth2Token:
        return await self._ask(
            request,
            {"grant_type": "refresh_token", "refresh_token": refresh_token},
            refresh_token,
        )
