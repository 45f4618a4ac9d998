"""A WebSocket that is connected again when it ends.

- ``policy``: whether and when, decided on values;
- ``outcome``: how a connection or an attempt ended, as such a value;
- ``websocket``: ``ReconnectingWebSocket``, which connects, waits, and hands the connections over.
"""

from .policy import ReconnectPolicy
from .websocket import ReconnectingWebSocket, ReconnectState, ReconnectStatistics

__all__ = ("ReconnectPolicy", "ReconnectState", "ReconnectStatistics", "ReconnectingWebSocket")
