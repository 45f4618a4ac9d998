"""Digest authentication with servers (RFC 7616); proxies use the same computation."""

from collections.abc import Awaitable, Iterable
from hashlib import sha256
from secrets import token_hex
from typing import Final

from yarl import URL

from ...message.digest import AUTH_INT, Challenge, Nonces, answer, answers, nonce_in, strongest
from ...message.origin import Origin
from ...message.request import Request
from ...response.client_response import ClientResponse
from .scope import Scope

UNAUTHORIZED: Final = 401


class DigestAuth(Scope):
    """Login and password that are sent only as a digest.

    The first request to an origin gets its challenge, and is sent again with an answer. Later requests carry an answer
    at once, each with its own count. A new or a stale nonce is answered again, once for each request. If there are
    several challenges, the strongest is answered: SHA-512-256 and SHA-256 before MD5, each with or without ``-sess``.
    A server that offers only Basic gets no answer. If a server requires ``auth-int``, which covers the body, the body
    is read into memory first.

    Args:
        login: in UTF-8 on the wire; hidden where the server offers ``userhash``.
        password: never on the wire.
        origins: URLs of the only origins that get an answer, such as ``https://api.example.com``; None for every origin
            that is called.

    Raises:
        TypeError: login or password is not text.
        ValueError: the login is empty, or UTF-8 cannot encode one of them.
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
        """A hash that stands for the login and password."""
        return sha256(f"{self._login}\0{self._password}".encode()).hexdigest()

    def authorize(self, request: Request) -> Awaitable[None] | None:
        """Answer the origin's last challenge, if there is one."""
        challenge = self._nonces.known(request.origin)
        if challenge is None or not self.applies(request):
            return None
        count = self._nonces.count(request.origin)
        content = request.content
        if challenge.qop == AUTH_INT and content is not None and content.data is None:
            return self._after_reading(request, challenge, count)
        self._set(request, challenge, count, b"" if content is None else content.data or b"")
        return None

    def offer(self, request: Request) -> None:
        """Do nothing: each answer has its own count."""

    async def answer(self, request: Request, response: ClientResponse) -> bool:
        """Take the challenge of a 401; ask for another attempt if it can be answered and has not been answered yet."""
        if not self.applies(request):
            return False
        known = self._nonces.known(request.origin)
        if response.status != UNAUTHORIZED:
            following = nonce_in(response.headers.getall("Authentication-Info", ()))
            # The same nonce as before goes on with its count.
            if known is not None and following is not None and following != known.nonce:
                self._nonces.learn(request.origin, known._replace(nonce=following))
            return False
        challenge = strongest(response.headers.getall("WWW-Authenticate", ()), integrity=True)
        if challenge is None:
            return False
        if known is None or (known.realm, known.nonce) != (challenge.realm, challenge.nonce):
            self._nonces.learn(request.origin, challenge)
        field = request.authorization
        return field is None or not answers(field, challenge.nonce)

    async def _after_reading(self, request: Request, challenge: Challenge, count: int) -> None:
        content = request.content
        self._set(request, challenge, count, b"" if content is None else await content.read())

    def _set(self, request: Request, challenge: Challenge, count: int, body: bytes) -> None:
        request.authorization = answer(
            challenge,
            self._login,
            self._password,
            request.method,
            request.real_url.raw_path_qs,
            count,
            token_hex(16),
            body,
        )

    def __repr__(self) -> str:
        return f"DigestAuth(login={self._login!r}, password='***')"
