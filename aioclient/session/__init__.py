"""The session: defaults, and one method for each verb.

- ``client``: ``ClientSession``; ``verbs`` and ``state`` are its methods for verbs and its properties;
- ``arguments``, ``urls``, ``uploads``: what its calls take; ``legacy``: what earlier spellings become;
- ``private_names``: what other people's code is known to read, and is no interface;
- ``pending``: a call under way.
"""

from .arguments import RequestArguments
from .client import ClientSession
from .pending import RequestContextManager

__all__ = ("ClientSession", "RequestArguments", "RequestContextManager")
