"""The spellings of earlier aiohttp releases: each warns once and is translated to today's.

An old and a new spelling of the same setting together raise, whatever their values.
"""

import asyncio
from dataclasses import replace
from inspect import signature
from typing import Any, Final, TypedDict, cast

from ..body import make_body
from ..message.timeout import DEFAULT_TIMEOUT
from ..message.unset import Unset
from ..warning import warn_legacy
from .arguments import (
    CurrentArguments,
    RequestArguments,
    SessionOptions,
    TimeoutLike,
    take_ssl,
    unknown_of_session,
)


class OldSessionArguments(TypedDict, total=False):
    """Old spellings of the arguments of ``ClientSession()``."""

    read_timeout: float | None
    conn_timeout: float | None
    loop: asyncio.AbstractEventLoop | None
    ssl_shutdown_timeout: float | None


class FurtherSessionArguments(SessionOptions, OldSessionArguments, total=False):
    """The arguments of ``ClientSession()`` that its signature does not name one by one."""


def split_further(
    further: FurtherSessionArguments,
) -> tuple[SessionOptions, OldSessionArguments]:
    """Return the options among *further*, and the rest: old spellings, and arguments that do not exist."""
    named = SessionOptions.__annotations__
    options = {name: value for name, value in further.items() if name in named}
    rest = {name: value for name, value in further.items() if name not in named}
    return cast(SessionOptions, options), cast(OldSessionArguments, rest)


# Arguments of a call that may be old spellings, or are examined before it begins.
LOOKED_AT: Final = frozenset(
    ("chunked", "encoding", "fingerprint", "ssl_context", "upload_tracker", "verify_ssl")
)


def warn_of_loop(loop: asyncio.AbstractEventLoop | None) -> None:
    """Warn if ``loop=`` is given."""
    if loop is not None:
        warn_legacy("loop=", "leave it out: it is the running loop")


def check_loop(loop: asyncio.AbstractEventLoop | None) -> None:
    """Refuse a *loop* if another one runs."""
    running = asyncio._get_running_loop()
    if loop is not None and running is not None and loop is not running:
        raise RuntimeError(f"loop={loop!r} is not the running event loop, which is {running!r}")


def take_old(
    old: OldSessionArguments,
    timeout: TimeoutLike | Unset,
    session: type,
) -> TimeoutLike | Unset:
    """Return the timeout of a session with old arguments; *session* has the others.

    Raises:
        TypeError: there is no such argument.
        ValueError: both ``timeout`` and one of its old spellings are given.
        RuntimeError: ``loop`` is not the running loop.
    """
    if "request_class" in old:
        raise TypeError(
            "ClientSession() has no request_class: requests are not made by a class here; "
            "a middleware sees and changes each of them"
        )
    if unknown := old.keys() - OldSessionArguments.__annotations__.keys():
        known = (*signature(session).parameters, *FurtherSessionArguments.__annotations__)
        raise unknown_of_session(unknown, known)
    warn_of_loop(old.get("loop"))
    check_loop(old.get("loop"))
    if "ssl_shutdown_timeout" in old:
        warn_legacy("ssl_shutdown_timeout", "give it to TCPConnector()")
    for name, attribute in (("read_timeout", "total"), ("conn_timeout", "connect")):
        if name not in old:
            continue
        if not isinstance(timeout, Unset):
            raise ValueError(
                f"{name} and timeout are both given; say timeout=ClientTimeout({attribute}=...) alone"
            )
        warn_legacy(name, f"use timeout=ClientTimeout({attribute}=...)")
    limits: dict[str, Any] = {}
    if "read_timeout" in old:
        limits["total"] = old["read_timeout"]
    if "conn_timeout" in old:
        limits["connect"] = old["conn_timeout"]
    return replace(DEFAULT_TIMEOUT, **limits) if limits else timeout


def modern(arguments: RequestArguments) -> CurrentArguments:
    """Return the arguments of a call without old spellings.

    ``encoding`` is applied to the body at once: nothing else of a request depends on it.

    Raises:
        ValueError: two spellings of the same TLS setting are given.
    """
    result = cast(CurrentArguments, dict(arguments))
    take_ssl(cast(dict[str, Any], result))
    chunked: object = result.get("chunked")
    if isinstance(chunked, int) and not isinstance(chunked, bool):
        warn_legacy(
            f"chunked={chunked}", "use chunked=True, the size of chunks is not yours to set"
        )
        result["chunked"] = bool(chunked)
    if "encoding" in arguments:
        encoding = arguments["encoding"]
        del cast(dict[str, object], result)["encoding"]
        warn_legacy("encoding=", "encode data yourself, or leave it out for UTF-8")
        if encoding is not None and result.get("json") is None:
            body = make_body(result.get("data"), None, json_serialize=str, encoding=encoding)
            result["data"] = body
    return result
