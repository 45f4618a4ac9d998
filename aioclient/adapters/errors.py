"""What other libraries raise in the place of our exceptions: one table for each."""

from typing import Final

from ..exceptions import (
    BodySizeError,
    ClientConnectionError,
    ClientConnectorError,
    ClientError,
    ClientHttpProxyError,
    ClientOSError,
    ClientPayloadError,
    ClientProxyConnectionError,
    ConnectTimeoutError,
    InvalidURL,
    MissingExtraError,
    NonHttpUrlClientError,
    PoolTimeoutError,
    ServerDisconnectedError,
    ServerProtocolError,
    ServerTimeoutError,
)

Table = tuple[tuple[type[BaseException], str], ...]

# The first match wins.
HTTPX: Final[Table] = (
    (PoolTimeoutError, "PoolTimeout"),
    (ConnectTimeoutError, "ConnectTimeout"),
    (ServerTimeoutError, "ReadTimeout"),
    (TimeoutError, "ReadTimeout"),
    (ClientProxyConnectionError, "ProxyError"),
    (ClientHttpProxyError, "ProxyError"),
    (ClientConnectorError, "ConnectError"),
    (ServerDisconnectedError, "RemoteProtocolError"),
    (ServerProtocolError, "RemoteProtocolError"),
    (BodySizeError, "LocalProtocolError"),
    (ClientPayloadError, "RemoteProtocolError"),
    (ClientOSError, "ReadError"),
    (NonHttpUrlClientError, "UnsupportedProtocol"),
    (InvalidURL, "ConnectError"),
    (MissingExtraError, "UnsupportedProtocol"),
    (ClientConnectionError, "ReadError"),
    (ClientError, "TransportError"),
    (ValueError, "LocalProtocolError"),
)


def name_for(error: BaseException, table: Table) -> str | None:
    """Return the name of the exception to raise in the place of *error*; None to raise it as it is."""
    for kind, name in table:
        if isinstance(error, kind):
            return name
    return None
