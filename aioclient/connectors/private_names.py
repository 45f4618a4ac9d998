"""Private names of aiohttp's connectors that other code is known to read; they are no interface."""

from collections import deque
from operator import attrgetter
from typing import Any


def _conns(connector: Any) -> dict[Any, deque[tuple[Any, float]]]:
    """Return a copy of the idle connections by their keys, each with a dummy time."""
    found: dict[Any, deque[tuple[Any, float]]] = {}
    for connection in connector._pool._idle:
        found.setdefault(connection.key, deque()).append((connection, 0.0))
    return found


class ConnectorPrivateNames:
    """The names, read-only."""

    _conns = property(_conns)
    _limit = property(attrgetter("limit"))
    _limit_per_host = property(attrgetter("limit_per_host"))
    _loop = property(attrgetter("_binding.loop"))
