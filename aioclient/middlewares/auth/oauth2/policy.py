"""What OAuth 2 decides without asking anybody: tokens, what a token endpoint says, PKCE, state (RFC 6749, 7636, 9207).

Time comes in as an argument, in seconds since 1970: expiry is kept over the end of a process.
"""

import hashlib
import hmac
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast, get_args
from urllib.parse import quote_plus, urlencode

from yarl import URL

from ....exceptions import OAuth2Error, shown
from ....message.origin import origin_of
from ....message.urls import url_of
from ..bearer import checked_token

MOST_SKEW: Final = 60.0  # seconds before the end of a token at which it is renewed
_MOST_DIGITS: Final = 12  # of a lifetime as text: Python refuses to read thousands
ClientAuth = Literal["client_secret_basic", "client_secret_post"]


@dataclass(frozen=True, slots=True)
class OAuth2Token:
    """The answer of a token endpoint. Its ``repr`` shows no token.

    Attributes:
        access_token: the token that requests carry.
        expires_at: when it expires, in seconds since 1970; None if that is unknown.
        lifetime: for how many seconds it was issued; None if that is unknown.
        refresh_token: the token with which to request a new one; None if there is none.
        scope: its scope, as the server named it; empty if it named none.
    """

    access_token: str = field(repr=False)
    expires_at: float | None = None
    lifetime: float | None = None
    refresh_token: str | None = field(default=None, repr=False)
    scope: str = ""

    def remaining(self, now: float) -> float | None:
        """Return for how many seconds from *now* it may be used, below 0 if it may not; None if that is unknown.

        It is renewed before it expires: by a tenth of its lifetime, at most 60 s.
        """
        if self.expires_at is None:
            return None
        return self.expires_at - now - skew(self.lifetime)

    def as_json(self) -> dict[str, object]:
        """Return the mapping that a store keeps."""
        return {name: getattr(self, name) for name in self.__slots__}


def skew(lifetime: float | None) -> float:
    """Return how many seconds before it expires a token of this *lifetime* is renewed."""
    return MOST_SKEW if lifetime is None else min(MOST_SKEW, lifetime / 10)


def token_from_json(value: object) -> OAuth2Token | None:
    """Return the token from which ``as_json()`` made *value*; None if *value* is not one."""
    if not isinstance(value, Mapping):
        return None
    known: dict[str, Any] = {
        name: value[name] for name in OAuth2Token.__slots__ if value.get(name) is not None
    }
    texts = ("access_token", "refresh_token", "scope")
    if "access_token" not in known or not all(
        isinstance(each, str) if name in texts else _is_number(each) for name, each in known.items()
    ):
        return None
    return OAuth2Token(**known)


def token_of(
    token_url: URL,
    status: int,
    body: bytes,
    now: float,
    refresh_token: str | None = None,
    client_secret: str | None = None,
) -> OAuth2Token:
    """Return the token in a response of *token_url* (RFC 6749, section 5.1).

    Args:
        token_url: for messages.
        status: of the response.
        body: of the response.
        now: seconds since 1970.
        refresh_token: the one that it was asked for with, which stays if there is no new one (section 6).
        client_secret: what no message may repeat, beside *refresh_token*.

    Raises:
        OAuth2Error: it has none.
    """
    if 300 <= status < 400:
        raise OAuth2Error(
            token_url, status, "", "it redirects, and what it was sent goes nowhere else"
        )
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if status != 200 or not isinstance(answer, dict) or "error" in answer:
        found: Mapping[str, object] = answer if isinstance(answer, dict) else {}
        words = _text(found, "error_description")
        for secret in filter(None, (refresh_token, client_secret)):
            words = words.replace(secret, "***")
        raise OAuth2Error(token_url, status, _text(found, "error"), words)
    if _text(answer, "token_type").lower() != "bearer":
        raise OAuth2Error(token_url, status, "", "it gave a token of a type that is not Bearer")
    lifetime = answer.get("expires_in")
    if isinstance(lifetime, str) and lifetime.isdecimal() and len(lifetime) <= _MOST_DIGITS:
        lifetime = int(lifetime)  # as some servers write it
    if lifetime is not None and not _is_number(lifetime):
        raise OAuth2Error(token_url, status, "", "its expires_in is no number")
    try:
        access_token = checked_token(answer.get("access_token"))
    except (TypeError, ValueError) as error:
        raise OAuth2Error(token_url, status, "", f"it gave no usable token: {error}") from None
    return OAuth2Token(
        access_token,
        None if lifetime is None else now + lifetime,
        lifetime,
        _text(answer, "refresh_token") or refresh_token,
        _text(answer, "scope"),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e12


def _text(answer: Mapping[str, object], name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) else ""


def endpoint(argument: str, url: str | URL) -> URL:
    """Return *url*, that of an endpoint: https, or on this machine.

    Raises:
        TypeError: it is no URL.
        ValueError: it would send secrets in the open, or has a user or a fragment.
    """
    if not isinstance(url, (str, URL)):
        raise TypeError(f"{argument} must be a URL, found {type(url).__name__}")
    parsed = url_of(url) if isinstance(url, str) else url
    origin = origin_of(parsed)
    if origin.scheme != "https" and not (origin.scheme == "http" and _is_loopback(origin.host)):
        raise ValueError(
            f"{argument}: {shown(parsed)} would be sent secrets in the open; it must be https (RFC 6749, section 3.2)"
        )
    if parsed.raw_user or parsed.raw_password or parsed.raw_fragment:
        raise ValueError(f"{argument}: {shown(parsed)} has a user or a fragment; leave them out")
    return parsed


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host == "::1" or host.startswith("127.")


def checked_client(
    client_id: object, client_secret: object, client_auth: object
) -> tuple[str, str | None, ClientAuth]:
    """Return who asks for tokens, and how that is shown.

    Raises:
        TypeError, ValueError: it is nothing that can be sent.
    """
    if not isinstance(client_id, str) or not client_id:
        raise ValueError("client_id must be a str that is not empty")
    if client_secret is not None and not isinstance(client_secret, str):
        raise TypeError(
            f"client_secret must be a str or None, found {type(client_secret).__name__}"
        )
    if client_auth not in get_args(ClientAuth):
        raise ValueError(
            f"client_auth must be 'client_secret_basic' or 'client_secret_post', found {client_auth!r}"
        )
    return client_id, client_secret, cast(ClientAuth, client_auth)


def checked_parameters(
    scope: str | Iterable[str] | None, audience: str | None, more: Mapping[str, str] | None
) -> dict[str, str]:
    """Return the further parameters of a token request.

    Raises:
        TypeError: one is no text.
        ValueError: one is of those that the grant itself sets.
    """
    parameters: dict[str, object] = dict(more or {})
    if scope is not None:
        parameters["scope"] = scope if isinstance(scope, str) else " ".join(scope)
    if audience is not None:
        parameters["audience"] = audience
    for name, value in parameters.items():
        if not isinstance(cast(object, name), str) or not isinstance(value, str):
            raise TypeError(
                f"the token parameter {name!r} must be text, found {type(value).__name__}"
            )
        if name in _OF_GRANTS:
            raise ValueError(f"the token parameter {name!r} is set by the grant; leave it out")
    return cast("dict[str, str]", parameters)


_OF_GRANTS: Final = frozenset(
    (
        "grant_type",
        "client_id",
        "client_secret",
        "refresh_token",
        "code",
        "code_verifier",
        "redirect_uri",
    )
)


def form(
    parameters: Mapping[str, str],
    client_id: str,
    client_secret: str | None,
    client_auth: ClientAuth,
) -> tuple[bytes, str | None]:
    """Return the body of a token request, and the ``Authorization`` field where the client shows itself by that.

    RFC 6749, section 2.3.1.
    """
    pairs = dict(parameters)
    field = None
    if client_secret is not None and client_auth == "client_secret_basic":
        login = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
        field = f"Basic {b64encode(login.encode()).decode()}"
    else:
        pairs["client_id"] = client_id
        if client_secret is not None:
            pairs["client_secret"] = client_secret
    return urlencode(pairs).encode(), field


class AuthorizationFlow:
    """One login of a user: the URL to show, and the code that comes back. It is good for one answer.

    Args:
        authorize_url: of the authorization endpoint.
        parameters: of the request to it, beside those of the flow itself.
        redirect_uri: where the user is sent back to.
        state: random text (RFC 6749, section 10.12).
        verifier: random text of 43 to 128 characters (RFC 7636, section 4.1).
        issuer: who must have answered (RFC 9207); None for not looking.
    """

    __slots__ = ("_issuer", "_state", "authorize_url", "redirect_uri", "url", "verifier")

    def __init__(
        self,
        authorize_url: URL,
        parameters: Mapping[str, str],
        redirect_uri: str,
        state: str,
        verifier: str,
        issuer: str | None,
    ) -> None:
        challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
        self.authorize_url: URL = authorize_url
        self.redirect_uri: str = redirect_uri
        self.verifier: str = verifier
        self._state: str | None = state
        self._issuer = issuer
        self.url: URL = authorize_url.extend_query(
            {
                **parameters,
                "response_type": "code",
                "redirect_uri": redirect_uri,
                "state": state,
                "code_challenge": challenge.decode(),
                "code_challenge_method": "S256",
            }
        )

    def code(self, callback: str | URL) -> str:
        """Return the code in *callback*, the URL that the user was sent back to.

        Raises:
            OAuth2Error: it answers another request than this one, was looked at before, has no code, or says that the
                user or the server refused.
        """
        answer = URL(callback).query
        expected, self._state = self._state, None
        found = answer.get("state", "")
        if expected is None or not hmac.compare_digest(found.encode(), expected.encode()):
            raise self._refusal("the answer is not to this request: its state is another one")
        if self._issuer is not None and not hmac.compare_digest(
            answer.get("iss", "").encode(), self._issuer.encode()
        ):
            raise self._refusal(f"the answer is not of {self._issuer}: its iss is another one")
        if "error" in answer:
            raise OAuth2Error(
                self.authorize_url, None, answer["error"], answer.get("error_description", "")
            )
        if not answer.get("code"):
            raise self._refusal("the answer has no code")
        return answer["code"]

    def _refusal(self, text: str) -> OAuth2Error:
        return OAuth2Error(self.authorize_url, None, "", text)

    def __repr__(self) -> str:
        return f"<AuthorizationFlow {shown(self.authorize_url)}>"
