"""An OAuth 2 server whose rules are those of the package oauthlib: clients, codes with PKCE, tokens that rotate."""

from typing import Any, cast
from urllib.parse import unquote_plus

from aiohttp import BasicAuth, web
from oauthlib.oauth2 import RequestValidator, Server

CLIENT, SECRET = "client", "the s3cret:&+ ä"
CALLBACK = "http://127.0.0.1/back"


class Validator(RequestValidator):  # type: ignore[misc]
    """What the server knows, in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: dict[str, Any] = {}
        self.tokens: dict[str, list[str]] = {}
        self.refresh: dict[str, list[str]] = {"first": ["read"]}

    # Clients

    def validate_client_id(self, client_id: str, request: Any, *_: Any, **__: Any) -> bool:
        return client_id in (CLIENT, "public")

    def client_authentication_required(self, request: Any, *_: Any, **__: Any) -> bool:
        return bool(request.client_id != "public")

    def authenticate_client(self, request: Any, *_: Any, **__: Any) -> bool:
        field = request.headers.get("Authorization")
        login, password = request.client_id, request.client_secret
        if field is not None:
            pair = BasicAuth.decode(field, "utf-8")
            login, password = unquote_plus(pair.login), unquote_plus(pair.password)
        if (login, password) != (CLIENT, SECRET):
            return False
        request.client = _Client(login)
        return True

    def authenticate_client_id(self, client_id: str, request: Any, *_: Any, **__: Any) -> bool:
        request.client = _Client(client_id)
        return client_id == "public"

    def validate_grant_type(self, *_: Any, **__: Any) -> bool:
        return True

    def validate_response_type(self, *_: Any, **__: Any) -> bool:
        return True

    def validate_scopes(self, client_id: str, scopes: list[str], *_: Any, **__: Any) -> bool:
        return set(scopes) <= {"read", "write"}

    def get_default_scopes(self, *_: Any, **__: Any) -> list[str]:
        return ["read"]

    # Codes

    def validate_redirect_uri(self, client_id: str, redirect_uri: str, *_: Any, **__: Any) -> bool:
        return redirect_uri.startswith("http://127.0.0.1")

    def is_pkce_required(self, *_: Any) -> bool:
        return True

    def save_authorization_code(
        self, client_id: str, code: Any, request: Any, *_: Any, **__: Any
    ) -> None:
        self.codes[code["code"]] = request

    def validate_code(
        self, client_id: str, code: str, client: Any, request: Any, *_: Any, **__: Any
    ) -> bool:
        known = self.codes.get(code)
        if known is None:
            return False
        request.scopes, request.user = known.scopes, "ada"
        return True

    def get_code_challenge(self, code: str, request: Any) -> Any:
        return self.codes[code].code_challenge

    def get_code_challenge_method(self, code: str, request: Any) -> Any:
        return self.codes[code].code_challenge_method

    def confirm_redirect_uri(
        self, client_id: str, code: str, redirect_uri: str, client: Any, *_: Any, **__: Any
    ) -> bool:
        return bool(self.codes[code].redirect_uri == redirect_uri)

    def invalidate_authorization_code(self, client_id: str, code: str, *_: Any, **__: Any) -> None:
        del self.codes[code]

    # Tokens

    def save_bearer_token(self, token: Any, request: Any, *_: Any, **__: Any) -> None:
        self.tokens[token["access_token"]] = token["scope"].split()
        if "refresh_token" in token:
            if request.refresh_token is not None:
                self.refresh.pop(request.refresh_token, None)
            self.refresh[token["refresh_token"]] = token["scope"].split()

    def validate_bearer_token(self, token: str, scopes: list[str], request: Any) -> bool:
        return set(scopes) <= set(self.tokens.get(token, ()))

    def validate_refresh_token(self, token: str, *_: Any, **__: Any) -> bool:
        return token in self.refresh

    def get_original_scopes(self, token: str, *_: Any, **__: Any) -> list[str]:
        return self.refresh[token]


class _Client:
    def __init__(self, client_id: str) -> None:
        self.client_id = client_id


class OAuthlibServer:
    """`/token`, `/authorize`, and `/api`, which wants the scope `read`.

    Attributes:
        validator: What it knows; tokens can be taken away from it.
        answers: Status of each answer of `/token`.
    """

    def __init__(self) -> None:
        self.validator = Validator()
        self.answers: list[int] = []
        self._server = Server(self.validator)

    def application(self) -> web.Application:
        """Return the server's application."""
        application = web.Application()
        application.router.add_post("/token", self._token)
        application.router.add_get("/authorize", self._authorize)
        application.router.add_get("/api", self._api)
        return application

    async def _token(self, request: web.Request) -> web.Response:
        headers, body, status = self._server.create_token_response(*await _parts(request), {})
        self.answers.append(status)
        return web.Response(status=status, headers=headers, text=body)

    async def _authorize(self, request: web.Request) -> web.Response:
        parts = await _parts(request)
        scopes, _ = self._server.validate_authorization_request(*parts)
        headers, body, status = self._server.create_authorization_response(*parts, scopes)
        return web.Response(status=status, headers=headers, text=body)

    async def _api(self, request: web.Request) -> web.Response:
        good, _ = self._server.verify_request(*await _parts(request), ["read"])
        return web.Response(status=200 if good else 401, text="welcome" if good else "who?")


async def _parts(request: web.Request) -> tuple[str, str, str, dict[str, str]]:
    return str(request.url), request.method, await request.text(), dict(cast(Any, request.headers))
