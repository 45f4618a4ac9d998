"""The application's side: calls of actions, and the events of implementations.

- ``client``: connects to an implementation; ``receiver``: implementations connect to it, by ``webhook`` or ``reverse``
  WebSocket;
- ``http``, ``websocket``: how actions and events travel; ``intake``: what arrives, parsed and not twice (``seen``);
- ``events``: to iterators and handlers (``handlers``); ``bots``: the bots that are known;
- ``calls``: the methods that call actions; ``answers``: what comes back; ``files``: files in fragments; ``errors``.
"""

from .bots import RemoteBot
from .calls import ActionCaller
from .client import OneBotClient
from .errors import (
    CallTimeoutError,
    DisconnectedError,
    FileDigestError,
    InvalidAnswerError,
    NotConnectedError,
    TokenRefusedError,
)
from .events import EventIterator
from .files import DownloadedFile
from .reverse import WebSocketReceiver
from .webhook import WebhookReceiver

__all__ = (
    "ActionCaller",
    "CallTimeoutError",
    "DisconnectedError",
    "DownloadedFile",
    "EventIterator",
    "FileDigestError",
    "InvalidAnswerError",
    "NotConnectedError",
    "OneBotClient",
    "RemoteBot",
    "TokenRefusedError",
    "WebSocketReceiver",
    "WebhookReceiver",
)
