"""Outgoing bodies: what a call's ``data`` and ``json`` become before anything is sent.

- ``base``: what every body knows (size, media type, whether it can be sent twice) and does;
- ``memory``, ``file``, ``iterable``, ``payload``: one module for each kind of source;
- ``content`` finds the kind, ``form`` puts several values into one body, ``make`` is the door.
"""

from .base import Body, BodyWriter
from .make import make_body
from .memory import BytesBody

__all__ = ("Body", "BodyWriter", "BytesBody", "make_body")
