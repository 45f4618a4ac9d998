"""An authorization server that counts, and an API that takes its tokens; what it does can be changed at any time."""

import base64
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote_plus

from aiohttp import web

CLIENT, SECRET = "the client", "the s3cret:&"
REFRESH = "refresh-0"


class OAuth2Server:
    """`/token`, `/authorize` and `/api`, which wants a token that is good.

    Attributes:
        asked: The form of each token request, in order, with what `Authorization` said as `client`.
        fields: The header fields of each token request.
        lifetime: `expires_in` of the tokens.
        rotates: Whether each answer has a new refresh token, and the old one is good no more.
        before: Awaited by each token request before it is answered; may return the answer.
        tokens: The access tokens that the API takes.
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.fields: list[Any] = []
        self.lifetime: Any = 3600
        self.rotates = False
        self.before: Callable[[], Awaitable[web.Response | None]] | None = None
        self.tokens: set[str] = set()
        self.refresh = REFRESH
        self.count = 0
        self.codes: dict[str, dict[str, str]] = {}
        self.api: list[str | None] = []
        self.issuer = ""

    def application(self) -> web.Application:
        """Return the server's application."""
        application = web.Application()
        application.router.add_post("/token", self._token)
        application.router.add_get("/authorize", self._authorize)
        application.router.add_route("*", "/api", self._api)
        return application

    async def _api(self, request: web.Request) -> web.Response:
        field = request.headers.get("Authorization")
        self.api.append(field)
        await request.read()
        scheme, _, token = (field or "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            return web.Response(status=401, headers=challenge, body=b"who?")
        return web.Response(body=token.encode())

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        basic = request.headers.get("Authorization")
        if basic is not None:
            pair = base64.b64decode(basic.removeprefix("Basic ")).decode()
            form["client"] = ":".join(map(unquote_plus, pair.split(":")))
        self.asked.append(form)
        self.fields.append(request.headers)
        if self.before is not None and (other := await self.before()) is not None:
            return other
        kind = form.get("grant_type")
        if kind == "refresh_token" and form["refresh_token"] != self.refresh:
            return web.json_response({"error": "invalid_grant"}, status=400)
        if kind == "authorization_code":
            asked = self.codes.pop(form["code"], None)
            verifier = hashlib.sha256(form["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
            if (
                asked is None
                or asked["code_challenge"] != challenge
                or asked["redirect_uri"] != form["redirect_uri"]
            ):
                return web.json_response({"error": "invalid_grant"}, status=400)
        self.count += 1
        token = f"token-{self.count}"
        self.tokens.add(token)
        answer = {"access_token": token, "token_type": "bearer", "expires_in": self.lifetime}
        if kind == "authorization_code":
            answer["refresh_token"] = self.refresh
        if self.rotates:
            self.refresh = answer["refresh_token"] = f"refresh-{self.count}"
        return web.json_response({key: value for key, value in answer.items() if value is not None})

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        more = {"code": code, "state": asked["state"]}
        if self.issuer:
            more["iss"] = self.issuer
        from yarl import URL

        back = URL(asked["redirect_uri"]).update_query(more)
        return web.Response(status=302, headers={"Location": str(back)})
