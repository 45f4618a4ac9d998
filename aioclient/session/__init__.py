"""The session: defaults, and one method for each verb.

- ``client``: ``ClientSession``, which sends; ``properties``: its properties; ``lifecycle``: its creation and end;
  ``defaults``: the fields and cookies that it begins with;
- ``settings``: its arguments, checked and frozen; ``building``: builds a request from these and a call's arguments;
- ``status``, ``total``: the check of a response, and the total limit of a call with middlewares;
- ``arguments``, ``urls``, ``uploads``: the arguments of calls; ``legacy``: the translation of old spellings;
- ``private_names``: aiohttp's private names that other code reads; they are no interface;
- ``websocket``, ``reconnecting``: how WebSockets are opened;
- ``pending``: a call in progress.
"""

from .arguments import RequestArguments
from .client import ClientSession
from .pending import RequestContextManager

__all__ = ("ClientSession", "RequestArguments", "RequestContextManager")
