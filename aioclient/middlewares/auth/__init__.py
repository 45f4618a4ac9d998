"""Credentials: evaluated on every attempt, for the origin they were given for."""

from .basic import BasicAuth, coerce_auth
from .step import authenticate

__all__ = ("BasicAuth", "authenticate", "coerce_auth")
