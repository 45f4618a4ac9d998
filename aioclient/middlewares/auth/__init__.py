"""Credentials: evaluated on every attempt, for the origin they were given for.

- ``basic``: Basic, and every spelling of ``auth=``; ``bearer``, ``digest``: the other schemes;
- ``oauth2``: tokens of an authorization server;
- ``credential``: those of an API of its own kind; ``flight``: one renewal for all that wait;
- ``scope``: for which requests they are; ``identity``: who they are, for caches;
- ``step``: the step of the chain that lets a request's credentials write themselves into it;
- ``netrc``, ``netrc_file``: the step instead of it where a netrc file may have some.
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
