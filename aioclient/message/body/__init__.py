"""Outgoing bodies: what a call's ``data`` and ``json`` become before anything is sent.

- ``base``: what every body knows (size, media type, whether it can be sent twice) and does;
- ``source``: what those that read from a source have in common;
- ``memory``, ``file``, ``iterable``, ``payload``: one module for each kind of source;
- ``content`` finds the kind, ``form`` puts several values into one body, ``make`` is the door;
- ``compressed`` and ``progress`` go around another body, and change or watch what it sends.
"""

from .base import Body, BodyWriter
from .compressed import CompressedBody, check_coding
from .make import MAKER, make_body
from .memory import BytesBody
from .progress import Progress, UploadTracker, WatchedBody

__all__ = (
    "MAKER",
    "Body",
    "BodyWriter",
    "BytesBody",
    "CompressedBody",
    "Progress",
    "UploadTracker",
    "WatchedBody",
    "check_coding",
    "make_body",
)
