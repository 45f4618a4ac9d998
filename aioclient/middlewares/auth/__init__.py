"""Credentials: computed for each attempt, and limited to the origin that they were given for.

- ``basic``: Basic, and every spelling of ``auth=``; ``bearer``, ``digest``: the other schemes;
- ``oauth2``: tokens of an authorization server;
- ``credential``: custom credentials of an API; ``flight``: one renewal for all requests that wait for it;
- ``scope``: which requests get them; ``identity``: whose they are, for caches;
- ``step``: the step of the chain that lets credentials write themselves into a request;
- ``netrc``, ``netrc_file``: the step that replaces it if a netrc file may have credentials.
"""

from .basic import NO_AUTH, AuthLike, BasicAuth, coerce_auth, credentials_in
from .bearer import BearerAuth
from .credential import Credential, CredentialAuth
from .digest import DigestAuth
from .netrc import Netrc, NetrcLike, NetrcStep, coerce_netrc
from .oauth2 import (
    OAuth2AuthorizationCode,
    OAuth2ClientCredentials,
    OAuth2RefreshToken,
    OAuth2Token,
    TokenFile,
    TokenMemory,
    TokenStore,
)
from .step import authenticate

__all__ = (
    "NO_AUTH",
    "AuthLike",
    "BasicAuth",
    "BearerAuth",
    "Credential",
    "CredentialAuth",
    "DigestAuth",
    "Netrc",
    "NetrcLike",
    "NetrcStep",
    "OAuth2AuthorizationCode",
    "OAuth2ClientCredentials",
    "OAuth2RefreshToken",
    "OAuth2Token",
    "TokenFile",
    "TokenMemory",
    "TokenStore",
    "authenticate",
    "coerce_auth",
    "coerce_netrc",
    "credentials_in",
)
