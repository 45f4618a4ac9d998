"""The session: defaults, and one method for each verb.

- ``client``: ``ClientSession``; ``verbs`` and ``state`` are its methods for verbs and its properties;
- ``arguments``, ``urls``: what its calls take, in every spelling;
- ``pending``: a call under way.
"""

from .arguments import RequestArguments
from .client import ClientSession
from .pending import RequestContextManager

__all__ = ("ClientSession", "RequestArguments", "RequestContextManager")
