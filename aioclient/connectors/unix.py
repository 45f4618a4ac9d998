"""Connections over a Unix domain socket."""

import asyncio
import ssl
from functools import partial

from ..exceptions import UnixClientConnectorError
from ..message.origin import ConnectionKey
from ..message.request import Request
from ..protocols.http1 import Http1Connection
from .base import BaseConnector
from .errors import connect_error
from .tls import plan_tls


class UnixConnector(BaseConnector):
    """Connections to one Unix domain socket, whatever host the URL names.

    Args:
        path: of the socket in the file system.

    The host of the URL goes into the ``Host`` field. All further arguments are those of ``BaseConnector``.
    """

    def __init__(
        self,
        path: str,
        *,
        keepalive_timeout: float | None = 15.0,
        force_close: bool = False,
        limit: int | None = 100,
        limit_per_host: int | None = 0,
        retry_stale: bool = True,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(
            keepalive_timeout=keepalive_timeout,
            force_close=force_close,
            limit=limit,
            limit_per_host=limit_per_host,
            retry_stale=retry_stale,
            loop=loop,
        )
        self._path = path

    @property
    def path(self) -> str:
        """Where the socket is in the file system."""
        return self._path

    async def _connect(self, request: Request, key: ConnectionKey) -> Http1Connection:
        loop = asyncio.get_running_loop()
        plan = None
        if key.is_ssl:
            plan = plan_tls(key.ssl, key.server_hostname or request.origin.host)
        try:
            _, connection = await loop.create_unix_connection(
                partial(self._new_protocol, key),
                self._path,
                ssl=None if plan is None else plan.context,
                server_hostname=None if plan is None else plan.server_hostname,
            )
        except ssl.SSLError as error:
            raise connect_error(key, error) from error
        except OSError as error:
            raise UnixClientConnectorError(self._path, key, error) from error  # type: ignore[arg-type]
        if plan is not None and plan.pin is not None:
            self._check_pin(connection, plan.pin)
        return connection
