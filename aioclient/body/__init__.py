"""Outgoing bodies, made of a call's ``data`` and ``json`` before anything is sent.

The interface of all bodies is in ``message.body``. Here are their kinds, and what makes them:

- ``memory``, ``file``, ``iterable``, ``payload``: one module for each kind of source; ``source`` is the base of most of
  them;
- ``content`` chooses the kind, ``form`` joins several values to one body, ``make`` is the entry point;
- ``compressed`` and ``progress`` wrap another body, and change or watch its bytes; ``wrapper`` is their base.
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
