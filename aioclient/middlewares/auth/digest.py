"""Digest authentication with servers (RFC 7616); its arithmetic is that of proxies, too."""

from collections.abc import Awaitable, Iterable
from hashlib import sha256
from secrets import token_hex
from typing import Final

from yarl import URL

from ...message.digest import AUTH_INT, Challenge, Nonces, answer, challenges, nonce_in, strongest
from ...message.origin import Origin
from ...message.request import Request
from ...response.client_response import ClientResponse
from .scope import Scope

UNAUTHORIZED: Final = 401


class DigestAuth(Scope):
    """Login and password that a server is shown as a digest only.

    The first request to an origin asks for its challenge, and is sent once more with an answer; later ones carry an
    answer at once, each with a count of its own. A new nonce, and one that is stale, are answered again, once for each
    request. Of several challenges the strongest counts: SHA-512-256 and SHA-256 before MD5, each with ``-sess`` or
    without. A server that asks for Basic only gets nothing. Where a server wants the body covered (``auth-int`` alone),
    it is read into memory first.

    Args:
        login: in UTF-8 on the wire; hidden where the server offers ``userhash``.
        password: never on the wire.
        origins: URLs of the only origins that get an answer, such as ``https://api.example.com``; None for any that is
            called.

    Raises:
        TypeError: login or password is no text.
        ValueError: the login is empty, or UTF-8 cannot carry one of them.
    """

    __slots__ = ("__weakref__", "_login", "_nonces", "_password")

    def __init__(
        self, login: str, password: str, *, origins: Iterable[str | URL] | None = None
    ) -> None:
        super().__init__(origins)
        for name, value in (("login", login), ("password", password)):
            if not isinstance(value, str):
                raise TypeError(f"the {name} must be a str, found {type(value).__name__}")
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ValueError(
                    f"the {name} contains a character that UTF-8 cannot carry"
                ) from None
        if not login:
            raise ValueError("the login is empty")
        self._login = login
        self._password = password
        self._nonces: Nonces[Origin] = Nonces()

    @property
    def identity(self) -> str:
        """A hash of who asks."""
        return sha256(f"{self._login}\0{self._password}".encode()).hexdigest()

    def authorize(self, request: Request) -> Awaitable[None] | None:
        """Answer the origin's last challenge, if there was one."""
        challenge = self._nonces.known(request.origin)
        if challenge is None or not self.applies(request):
            return None
        content = request.content
        if challenge.qop == AUTH_INT and content is not None and content.data is None:
            return self._after_reading(request, challenge)
        self._set(request, challenge, b"" if content is None else content.data or b"")
        return None

    def offer(self, request: Request) -> None:
        """Do nothing: an answer counts."""

    async def answer(self, request: Request, response: ClientResponse) -> bool:
        """Take the challenge of a 401, and ask for another round if it can be answered and was not yet."""
        if not self.applies(request):
            return False
        known = self._nonces.known(request.origin)
        if response.status != UNAUTHORIZED:
            following = nonce_in(response.headers.getall("Authentication-Info", ()))
            if known is not None and following is not None:
                self._nonces.learn(request.origin, known._replace(nonce=following))
            return False
        challenge = strongest(response.headers.getall("WWW-Authenticate", ()), integrity=True)
        if challenge is None:
            return False
        if known is None or (known.realm, known.nonce) != (challenge.realm, challenge.nonce):
            self._nonces.learn(request.origin, challenge)
        return _answered(request) != challenge.nonce

    async def _after_reading(self, request: Request, challenge: Challenge) -> None:
        content = request.content
        self._set(request, challenge, b"" if content is None else await content.read())

    def _set(self, request: Request, challenge: Challenge, body: bytes) -> None:
        request.authorization = answer(
            challenge,
            self._login,
            self._password,
            request.method,
            request.real_url.raw_path_qs,
            self._nonces.count(request.origin),
            token_hex(16),
            body,
        )

    def __repr__(self) -> str:
        return f"DigestAuth(login={self._login!r}, password='***')"


def _answered(request: Request) -> str | None:
    """Return the nonce that *request* went out with an answer to; None for none."""
    field = request.authorization
    return None if field is None else challenges([field])[0][1].get("nonce")
