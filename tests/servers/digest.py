"""A server that asks for Digest credentials and checks each part of the answer (RFC 7616)."""

import hashlib
import hmac
import secrets
from urllib.request import parse_http_list, parse_keqv_list

from aiohttp import web

HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


class DigestServer:
    """One user, `user` with `pass word`, behind every path.

    Attributes:
        refused: why each request that got a 401 got it, in order.
        granted: the (nonce, nonce count, client nonce) of each request that got through.
    """

    def __init__(
        self,
        *,
        qop: str = "auth",
        algorithm: str = "SHA-256",
        challenge_body: bytes = b"who are you?",
    ) -> None:
        self.qop = qop
        self.algorithm = algorithm
        self.challenge_body = challenge_body
        self.realm = 'a "quoted" realm, with a comma'
        self.nonces: set[str] = set()
        self.refused: list[str] = []
        self.granted: list[tuple[str, str, str]] = []
        self.bodies: list[bytes] = []

    def application(self) -> web.Application:
        """Return the server's application."""
        application = web.Application(client_max_size=2**30)
        application.router.add_route("*", "/{path:.*}", self._answer)
        return application

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        problem = self._check(request, body)
        if problem is None:
            self.bodies.append(body)
            return web.Response(body=body or b"welcome")
        self.refused.append(problem)
        nonce = secrets.token_hex(16)
        self.nonces.add(nonce)
        realm = self.realm.replace("\\", "\\\\").replace('"', '\\"')
        challenge = (
            f'Digest realm="{realm}", nonce="{nonce}", algorithm={self.algorithm}, opaque="o"'
        )
        if self.qop:
            challenge += f', qop="{self.qop}"'
        return web.Response(
            status=401, headers={"WWW-Authenticate": challenge}, body=self.challenge_body
        )

    def _check(self, request: web.Request, body: bytes) -> str | None:
        field = request.headers.get("Authorization")
        if field is None:
            return "no credentials"
        scheme, _, rest = field.partition(" ")
        if scheme != "Digest":
            return f"scheme {scheme}"
        said = parse_keqv_list(parse_http_list(rest))
        if said["username"] != "user" or said["realm"].replace("\\", "") != self.realm:
            return "another user or realm"
        if said["nonce"] not in self.nonces:
            return "an unknown nonce"
        if said["uri"] != request.raw_path:
            return f"uri {said['uri']} for {request.raw_path}"
        if said.get("opaque") != "o":
            return "no opaque"
        seen = [count for nonce, count, _ in self.granted if nonce == said["nonce"]]
        if self.qop and int(said["nc"], 16) <= max((int(count, 16) for count in seen), default=0):
            return "a nonce count that was used"
        if not hmac.compare_digest(said["response"], self._response(request.method, said, body)):
            return "a wrong response"
        self.granted.append((said["nonce"], said.get("nc", ""), said.get("cnonce", "")))
        return None

    def _response(self, method: str, said: dict[str, str], body: bytes) -> str:
        name, session, _ = self.algorithm.partition("-sess")

        def digest(*parts: str) -> str:
            return HASHES[name](":".join(parts).encode()).hexdigest()

        first = digest("user", self.realm, "pass word")
        if session:
            first = digest(first, said["nonce"], said["cnonce"])
        second = [method, said["uri"]]
        if said.get("qop") == "auth-int":
            second.append(HASHES[name](body).hexdigest())
        if not self.qop:
            return digest(first, said["nonce"], digest(*second))
        return digest(
            first, said["nonce"], said["nc"], said["cnonce"], said["qop"], digest(*second)
        )
