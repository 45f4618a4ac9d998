"""Senders, as tekore's users know them: a client is written once, and its sender decides whether it blocks.

- ``values``: ``Request`` and ``Response``;
- ``base``: what a sender is; ``concrete``: ``SyncSender`` and ``AsyncSender``, which reach the network;
- ``extending``, ``retrying``, ``caching``: senders around another one; ``stepping``: how they act for both kinds;
- ``client``: the base of clients; ``errors``: what they raise for a status.
"""

from . import errors
from .base import Sender
from .caching import CachingSender
from .client import Client, SenderConflictWarning, endpoint, send_and_process
from .concrete import AsyncSender, SyncSender
from .extending import ExtendingSender
from .retrying import RetryingSender
from .values import Request, Response

__all__ = (
    "AsyncSender",
    "CachingSender",
    "Client",
    "ExtendingSender",
    "Request",
    "Response",
    "RetryingSender",
    "Sender",
    "SenderConflictWarning",
    "SyncSender",
    "endpoint",
    "errors",
    "send_and_process",
)
