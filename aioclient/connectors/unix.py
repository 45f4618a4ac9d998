"""Connections over a Unix domain socket."""

import asyncio
import errno
import os
import socket
from ssl import SSLContext, SSLError
from typing import Unpack

from ..message.origin import ConnectionKey, SSLOption
from ..message.request import Request
from ..message.timeout import seconds
from ..protocols.connection import HttpConnection
from ..warning import warn_legacy
from .base import BaseConnector, ConnectorArguments
from .dialling import Dial
from .errors import connect_error, unix_error
from .tls import merge_ssl

RETRY_AFTER = 0.01  # seconds; nothing reports when the full queue of the server's socket has room


class UnixConnector(BaseConnector):
    """Connections to one Unix domain socket, whatever host the URL has.

    Args:
        path: of the socket in the file system.
        limit: connections at a time, idle ones included; 0 or None for no limit.
        limit_per_host: connections at a time to one host, port and TLS setting; 0 for no limit.
        ssl: for ``https`` requests that set no ``ssl=``: True verifies certificates, False does not, an ``SSLContext``
            or a ``Fingerprint`` decides for itself, ``"system"`` lets the system verify (macOS: an extra).
        verify_ssl, ssl_context, fingerprint: the older spellings of *ssl*.
        conn_timeout: seconds for one new connection (deprecated: use ``ClientTimeout(sock_connect=...)``).

    The host of the URL is sent in the ``Host`` field, and is the name that a certificate must have. All further
    arguments are those of ``BaseConnector``.
    """

    def __init__(
        self,
        path: "str | os.PathLike[str]",
        *,
        limit: int | None = 100,
        limit_per_host: int | None = 0,
        ssl: SSLOption = True,
        verify_ssl: bool | None = None,
        ssl_context: SSLContext | None = None,
        fingerprint: bytes | str | None = None,
        conn_timeout: float | None = None,
        **further: Unpack[ConnectorArguments],
    ) -> None:
        setting = merge_ssl(ssl, verify_ssl, ssl_context, fingerprint)
        super().__init__(limit=limit, limit_per_host=limit_per_host, **further)
        self._path = os.fspath(path)
        self._dialler.ssl = setting
        if conn_timeout is not None:
            warn_legacy(
                "conn_timeout", "use ClientSession(timeout=ClientTimeout(sock_connect=...))"
            )
            self._dialler.conn_timeout = seconds("conn_timeout", conn_timeout)

    @property
    def path(self) -> str:
        """The path of the socket in the file system."""
        return self._path

    async def _connect(self, request: Request, key: ConnectionKey, dial: Dial) -> HttpConnection:
        loop = asyncio.get_running_loop()
        plan = await self._dialler.plan(request, key)
        dial.missing = f"no connection to {self._path}"
        try:
            begin = loop.time()
            sock = await _open_socket(loop, self._path)
            dial.phases.connect = loop.time() - begin
            return await self._dialler.establish(loop.create_unix_connection, sock, key, plan, dial)
        except SSLError as error:
            raise connect_error(key, error) from error
        except OSError as error:
            raise unix_error(self._path, key, error) from error


async def _open_socket(loop: asyncio.AbstractEventLoop, path: str) -> socket.socket:
    """Return a socket connected to *path*; wait while the server's queue of connections is full."""
    while True:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.setblocking(False)
            await loop.sock_connect(sock, path)
            # asyncio mistakes "the queue is full" (EAGAIN) for "in progress", and then for success.
            sock.getpeername()
        except OSError as error:
            sock.close()
            if error.errno not in (errno.ENOTCONN, errno.EAGAIN):
                raise
            await asyncio.sleep(RETRY_AFTER)
        except BaseException:
            sock.close()
            raise
        else:
            return sock
