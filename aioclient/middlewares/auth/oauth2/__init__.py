"""OAuth 2: tokens of an authorization server (RFC 6749).

- ``policy``: tokens, what endpoints say, PKCE: without I/O;
- ``store``: where tokens are kept;
- ``client``: what renews and sends them; ``login``: the user's browser.
"""

from .client import OAuth2ClientCredentials, OAuth2RefreshToken
from .login import OAuth2AuthorizationCode
from .policy import OAuth2Token
from .store import TokenFile, TokenMemory, TokenStore

__all__ = (
    "OAuth2AuthorizationCode",
    "OAuth2ClientCredentials",
    "OAuth2RefreshToken",
    "OAuth2Token",
    "TokenFile",
    "TokenMemory",
    "TokenStore",
)
