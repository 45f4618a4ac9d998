"""The implementation side of OneBot 12 Connect: it speaks for a chat platform.

- ``impl``: ``OneBotImpl``, which takes the actions, and gives the events to the connections; ``run``: until a signal;
- ``dispatcher``: from an action's name to its handler, and what became of it;
- ``connection``: ``Connection`` and the bases of those that listen and those that connect; ``outgoing``: an event that
  is encoded once for all of them;
- ``http``, ``webhook``, ``websocket``, ``reverse``: the four transports; ``answers``: responses as messages;
- ``socket``: one WebSocket, whoever opened it; ``frames``: many messages to it in one write;
- ``limit``: the time limit of all actions; ``steps``: actions that are started, and awaited only if they wait;
- ``buffer``, ``outbox``: the events that wait for a poller, and for a peer (without I/O).
"""

from .connection import ClientConnection, Connection, ServerConnection
from .http import HTTP
from .impl import OneBotImpl
from .reverse import WebSocketReverse
from .socket import Peer
from .webhook import HTTPWebhook
from .websocket import WebSocket

__all__ = (
    "HTTP",
    "ClientConnection",
    "Connection",
    "HTTPWebhook",
    "OneBotImpl",
    "Peer",
    "ServerConnection",
    "WebSocket",
    "WebSocketReverse",
)
