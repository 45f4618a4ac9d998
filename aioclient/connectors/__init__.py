"""Connections to servers: the pool, the resolver, dialling, TLS."""

from ..response.lease import Connection
from .base import BaseConnector
from .tcp import TCPConnector
from .unix import UnixConnector

__all__ = ("BaseConnector", "Connection", "TCPConnector", "UnixConnector")
