"""The observer of one call, as the engine knows it."""

from typing import TypeAlias

from ..message.request import Request
from ..message.trace import Trace
from .stream import StreamReader

CallTrace: TypeAlias = Trace[Request, StreamReader]
