"""The session: defaults, and one method for each verb.

- ``client``: ``ClientSession``, which sends; ``state``: its properties; ``lifecycle``: its making and end;
  ``defaults``: the fields and cookies that it begins with;
- ``settings``: what it was given, frozen; ``building``: a request of these and of a call's arguments;
- ``status``, ``total``: how a response is checked, and the limit of a call with middlewares;
- ``arguments``, ``urls``, ``uploads``: what its calls take; ``legacy``: what earlier spellings become;
- ``private_names``: what other people's code is known to read, and is no interface;
- ``websocket``, ``reconnecting``: how WebSockets are opened;
- ``pending``: a call under way.
"""

from .arguments import RequestArguments
from .client import ClientSession
from .pending import RequestContextManager

__all__ = ("ClientSession", "RequestArguments", "RequestContextManager")
