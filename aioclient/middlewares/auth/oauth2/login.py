"""A user who logs in with a browser: authorization code with PKCE (RFC 6749, section 4.1; RFC 7636; RFC 8252)."""

import asyncio
import contextlib
import webbrowser
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from inspect import iscoroutinefunction
from secrets import token_urlsafe
from typing import Final, Unpack

from yarl import URL

from ....exceptions import OAuth2Error
from ....message.request import Request
from ....threads import BODIES
from .client import ClientArguments, OAuth2
from .policy import AuthorizationFlow, OAuth2Token, endpoint

_MAX_HEAD: Final = 16 * 1024  # bytes of a browser's request
_PATH: Final = "/callback"
_PAGE: Final = "You are logged in, or have refused to be. This window can be closed."

OpenBrowser = Callable[[str], object]
AskUser = Callable[[str], Awaitable[str]]


class OAuth2AuthorizationCode(OAuth2):
    """A user who logs in with a browser, once; afterwards tokens are renewed without asking.

    The first request that has no token opens the authorization server's page in a browser, and waits, within the
    deadline of its call, for the user to be sent back to a port of this machine, on which it listens meanwhile. With
    *store* the next program need not ask. When the refresh token is refused, the user is asked again.

    PKCE (S256) and ``state`` are always used, and good for one login.

    Args:
        authorize_url: of the authorization server's page: ``https``, or on this machine.
        token_url: of the token endpoint.
        client_id: the program's name there.
        client_secret: the program's password there; None for a public client, as a command line is.
        open_browser: a plain function that gets the URL of the page; ``print`` where there is no browser. It is called
            in a thread, and returns False if it could not.
        redirect_port: of this machine, where the server wants to know it before; 0 for any free one.
        ask: a coroutine function that gets the URL and returns the one that the user was sent back to, instead of a
            browser and a port: for programs that have a page of their own, or let the user paste it.
        redirect_uri: for *ask*: where the user is sent back to.
        issuer: of the authorization server, which must then say that it has answered (RFC 9207).
        scope, audience, parameters, client_auth, store, origins, identity: as for ``OAuth2ClientCredentials``.

    Raises:
        TypeError, ValueError: an argument cannot be used; only one of *ask* and *redirect_uri* is given.
    """

    __slots__ = (
        "_ask_user",
        "_issuer",
        "_open_browser",
        "_redirect_port",
        "_redirect_uri",
        "authorize_url",
    )

    def __init__(
        self,
        authorize_url: str | URL,
        token_url: str | URL,
        client_id: str,
        client_secret: str | None = None,
        *,
        open_browser: OpenBrowser = webbrowser.open,
        redirect_port: int = 0,
        ask: AskUser | None = None,
        redirect_uri: str | None = None,
        issuer: str | None = None,
        **more: Unpack[ClientArguments],
    ) -> None:
        super().__init__(token_url, client_id, client_secret, **more)
        self.authorize_url: URL = endpoint("authorize_url", authorize_url)
        if (ask is None) != (redirect_uri is None):
            raise ValueError("ask= and redirect_uri= go together; give both, or neither")
        if isinstance(redirect_port, bool) or not 0 <= redirect_port <= 65535:
            raise ValueError(f"redirect_port must be from 0 to 65535, found {redirect_port!r}")
        for name, value in (("open_browser", open_browser), ("ask", ask)):
            if value is not None and not callable(value):
                raise TypeError(f"{name} must be callable, found {type(value).__name__}")
        if iscoroutinefunction(open_browser):
            raise TypeError(
                "open_browser must be a plain function; give a coroutine function as ask="
            )
        self._open_browser = open_browser
        self._redirect_port = redirect_port
        self._ask_user = ask
        self._redirect_uri = redirect_uri
        self._issuer = issuer

    async def _granted(self, request: Request, before: OAuth2Token | None) -> OAuth2Token:
        if before is not None and before.refresh_token is not None:
            try:
                return await self._ask(
                    request,
                    {"grant_type": "refresh_token", "refresh_token": before.refresh_token},
                    before.refresh_token,
                )
            except OAuth2Error as error:
                if error.error != "invalid_grant":
                    raise
        flow, code = await self._code()
        return await self._ask(
            request,
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": flow.redirect_uri,
                "code_verifier": flow.verifier,
            },
        )

    async def _code(self) -> tuple[AuthorizationFlow, str]:
        """Let the user log in; return the flow, and the code that came of it."""
        if self._ask_user is not None:
            flow = self._flow(self._redirect_uri or "")
            return flow, flow.code(await self._ask_user(str(flow.url)))
        async with _listening(self._redirect_port) as (redirect_uri, callback):
            flow = self._flow(redirect_uri)
            loop = asyncio.get_running_loop()
            opened = await loop.run_in_executor(BODIES, self._open_browser, str(flow.url))
            if opened is False:
                raise OAuth2Error(
                    self.authorize_url, None, "", "no browser opens here; give open_browser=print"
                )
            return flow, flow.code(await callback)

    def _flow(self, redirect_uri: str) -> AuthorizationFlow:
        parameters = {**self._parameters, "client_id": self._client[0]}
        return AuthorizationFlow(
            self.authorize_url,
            parameters,
            redirect_uri,
            token_urlsafe(32),
            token_urlsafe(64),
            self._issuer,
        )


@asynccontextmanager
async def _listening(port: int) -> "AsyncIterator[tuple[str, asyncio.Future[str]]]":
    """Listen on a port of this machine; yield its URL, and the URL that a browser will ask for there."""
    callback: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            head = await reader.readuntil(b"\r\n\r\n")
            method, _, target = head.decode("latin-1").partition("\r\n")[0].partition(" ")
            target = target.partition(" ")[0]
            here = method == "GET" and target.partition("?")[0] == _PATH and not callback.done()
            page = (_PAGE if here else "There is nothing here.").encode()
            writer.write(
                b"HTTP/1.1 %d %b\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n"
                b"Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\r\n%b"
                % (*((200, b"OK") if here else (404, b"Not Found")), len(page), page)
            )
            await writer.drain()
            if here and not callback.done():
                callback.set_result(target)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port, limit=_MAX_HEAD)
    try:
        bound = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{bound}{_PATH}", callback
    finally:
        callback.cancel()
        server.close()
        for writer in writers:  # browsers keep connections open that they may never use
            writer.close()
        await server.wait_closed()
