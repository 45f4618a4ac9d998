"""Warns about tools that patch ``aiohttp.ClientSession``: the patches do not affect sessions here."""

from types import FunctionType
from typing import Final

import aiohttp

from ..warning import PatchedAiohttpWarning, warn_caller

_LOOKED_AT: Final = ("_request", "__init__")
_last: dict[str, object] = {}  # the patch that was warned about last, by name


def warn_of_patches() -> None:
    """Warn once about each function that replaced one of aiohttp's session."""
    for name in _LOOKED_AT:
        found = vars(aiohttp.ClientSession)[name]
        if _is_aiohttps(found) or found is _last.get(name):
            continue
        _last[name] = found
        whose = getattr(found, "__module__", None) or type(found).__module__
        warn_caller(
            f"aiohttp.ClientSession.{name} was replaced ({whose}); what replaced it sees nothing of this session, "
            "an aioclient one: use middlewares=, trace_configs=, or for tests a server: aioclient.testing.RawServer",
            PatchedAiohttpWarning,
        )


def _is_aiohttps(function: object) -> bool:
    source = aiohttp.ClientSession.close.__code__.co_filename
    return type(function) is FunctionType and function.__code__.co_filename == source
