"""Translate what the event loop raises while connecting: one table, the most specific first."""

import ssl
from typing import Any, cast

from ..exceptions import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientConnectorSSLError,
)
from ..message.origin import ConnectionKey


def connect_error(key: ConnectionKey, error: Exception) -> ClientConnectorError:
    """Return the error that stands for *error* of a connection attempt for *key*."""
    # aiohttp's annotations ask for its own key; its code reads host, port, is_ssl and ssl of any.
    aiohttp_key = cast(Any, key)
    if isinstance(error, ssl.CertificateError):
        return ClientConnectorCertificateError(aiohttp_key, error)
    if isinstance(error, ssl.SSLError):
        return ClientConnectorSSLError(aiohttp_key, error)
    if not isinstance(error, OSError):
        error = OSError(None, str(error))
    return ClientConnectorError(aiohttp_key, error)
