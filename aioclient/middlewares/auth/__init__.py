"""Credentials: evaluated on every attempt, for the origin they were given for.

- ``basic``: Basic, and every spelling of ``auth=``;
- ``step``: the step of the chain that lets a request's credentials write themselves into it;
- ``netrc``, ``netrc_file``: the step instead of it where a netrc file may have some.
"""

from .basic import NO_AUTH, AuthLike, BasicAuth, coerce_auth, credentials_in
from .netrc import Netrc, NetrcLike, NetrcStep, coerce_netrc
from .step import authenticate

__all__ = (
    "NO_AUTH",
    "AuthLike",
    "BasicAuth",
    "Netrc",
    "NetrcLike",
    "NetrcStep",
    "authenticate",
    "coerce_auth",
    "coerce_netrc",
    "credentials_in",
)
