"""Who may talk to a OneBot server: a decision on values.

The rules (OneBot 12, connect, "HTTP" and "WebSocket"):

* Without a token anybody may, except a page in a browser: its ``Origin`` field is refused with 403.
* With a token an ``Authorization`` field, if there is one, must be exactly ``Bearer <token>``; the query is not looked
  at then. Without the field the query's ``access_token`` must be the token.
* Tokens are compared in constant time, as bytes.
"""

import hmac
from typing import Final, Literal, TypeAlias

from aiohttp import hdrs
from multidict import MultiMapping

from ..message.headers import check_value

QUERY_NAME: Final = "access_token"
Refusal: TypeAlias = Literal[401, 403]


def check_token(token: str | None) -> str | None:
    """Return *token*; None if it is empty, which means that none is needed.

    Raises:
        TypeError: it is not a str.
        ValueError: it cannot be sent in a header field.
    """
    if token is None:
        return None
    if not isinstance(token, str):
        raise TypeError(f"access_token must be a str or None, found {type(token).__name__}")
    try:
        check_value(hdrs.AUTHORIZATION, token)
        token.encode()
    except ValueError:
        # Not the error itself: it may show a part of the token.
        raise ValueError(
            "access_token contains a character that a header field cannot contain"
        ) from None
    if token != token.strip():
        raise ValueError("access_token begins or ends with a blank, which header fields lose")
    return token or None


def authorization(token: str | None) -> dict[str, str]:
    """Return the header fields that carry *token*: none if it is None or empty."""
    return {hdrs.AUTHORIZATION: f"Bearer {token}"} if token else {}


def refusal(
    token: str | None, headers: MultiMapping[str], query: MultiMapping[str]
) -> Refusal | None:
    """Return the status with which a request is refused; None if it is allowed.

    Args:
        token: the server's; None or empty if it needs none.
        headers: the request's, decoded as UTF-8 with ``surrogateescape``, as aiohttp does.
        query: the request's.
    """
    if not token:
        return 403 if hdrs.ORIGIN in headers else None
    if hdrs.AUTHORIZATION in headers:
        given, expected = headers.getall(hdrs.AUTHORIZATION), f"Bearer {token}"
    else:
        given, expected = query.getall(QUERY_NAME, []), token
    # Several values: nobody knows which one a proxy in between has looked at.
    if len(given) != 1 or not hmac.compare_digest(_as_bytes(given[0]), _as_bytes(expected)):
        return 401
    return None


def _as_bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")
