"""A WebSocket that reconnects when it ends.

- ``policy``: whether and when to reconnect, decided on values;
- ``outcome``: how a connection or an attempt ended, as such a value;
- ``websocket``: ``ReconnectingWebSocket``, which connects, waits, and yields the connections.
"""

from .policy import ReconnectPolicy
from .websocket import ReconnectingWebSocket, ReconnectState, ReconnectStatistics

__all__ = ("ReconnectPolicy", "ReconnectState", "ReconnectStatistics", "ReconnectingWebSocket")
