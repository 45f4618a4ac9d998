"""Outgoing bodies: what a call's ``data`` and ``json`` become before anything is sent.

What every body knows and does stands in ``message.body``. Here are the kinds of them, and what makes them:

- ``memory``, ``file``, ``iterable``, ``payload``: one module for each kind of source; ``source`` for what most of
  them share;
- ``content`` finds the kind, ``form`` puts several values into one body, ``make`` is the door;
- ``compressed`` and ``progress`` go around another body, and change or watch what it sends; ``around`` is what they
  share.
"""

from .compressed import CompressedBody, check_coding
from .make import MAKER, make_body
from .memory import BytesBody
from .progress import Progress, UploadTracker, WatchedBody

__all__ = (
    "MAKER",
    "BytesBody",
    "CompressedBody",
    "Progress",
    "UploadTracker",
    "WatchedBody",
    "check_coding",
    "make_body",
)
