"""Warnings about how the library is called: they point at the caller's line, not at a line of ours.

With Python's default filters each line warns once. ``python -W error::DeprecationWarning`` turns the old spellings
into errors, and ``warnings.filterwarnings("ignore", category=aioclient.LegacyParameterWarning)`` silences them.
"""

import asyncio
import sys
import warnings
from traceback import FrameSummary, StackSummary, walk_stack
from types import FrameType
from typing import Final

__all__ = (
    "HTTP2Warning",
    "InvalidJSONWarning",
    "LegacyParameterWarning",
    "NetrcWarning",
    "PatchedAiohttpWarning",
    "SharedCookiesWarning",
    "UnprotectedServerWarning",
)

_DEBUG_STACK_DEPTH: Final = 10  # as in asyncio
_PACKAGE: Final = __name__.partition(".")[0]


class HTTP2Warning(UserWarning):
    """HTTP/2 was asked for, but the user's TLS context may prevent it; the text says what to do."""


class LegacyParameterWarning(DeprecationWarning):
    """A spelling of an earlier aiohttp was used; it still works, and the text says what to write instead."""


class InvalidJSONWarning(UserWarning):
    """``json=`` contains NaN or an infinite number: the result is not JSON, though some servers accept it."""


class NetrcWarning(UserWarning):
    """The environment's netrc file cannot be used, or other users can read it; the text says which, and what to do."""


class PatchedAiohttpWarning(UserWarning):
    """Something patched ``aiohttp.ClientSession``, as test kits and monitors do; the patch does not affect a session
    here.
    """


class SharedCookiesWarning(UserWarning):
    """A session sends its ``cookies=`` to every host, because it has no ``base_url`` to name one."""


class UnprotectedServerWarning(UserWarning):
    """A OneBot server without an access token can be reached from other machines."""


def caller() -> FrameType:
    """Return the innermost frame outside this package: where the library was called."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame):
        frame = frame.f_back
    return frame


def _is_ours(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__", "")
    return bool(name == _PACKAGE or name.startswith(f"{_PACKAGE}."))


class CreationSite:
    """Where the caller created something, for the warning that it was never closed.

    In asyncio's debug mode it includes the calls that led there: ``stack``, the outermost first.
    """

    __slots__ = ("_code", "_line", "stack")

    def __init__(self, loop: asyncio.AbstractEventLoop | None) -> None:
        frame = caller()
        self._code = frame.f_code
        self._line = frame.f_lineno
        self.stack: StackSummary | None = None
        if loop is not None and loop.get_debug():
            self.stack = StackSummary.extract(
                walk_stack(frame), limit=_DEBUG_STACK_DEPTH, lookup_lines=False
            )
            self.stack.reverse()

    @property
    def frames(self) -> StackSummary:
        """The known calls that led there: at least the caller's line."""
        if self.stack is not None:
            return self.stack
        code = self._code
        return StackSummary.from_list([FrameSummary(code.co_filename, self._line, code.co_name)])

    def __str__(self) -> str:
        line = f"{self._code.co_filename}:{self._line}"
        if self.stack is None:
            return line
        return f"{line} (most recent call last):\n{''.join(self.stack.format())}"


def report_unclosed(
    loop: asyncio.AbstractEventLoop, creation_site: CreationSite | None, **context: object
) -> None:
    """Report an unclosed object to the exception handler of *loop*, with aiohttp's keys in *context*.

    Garbage is collected on any thread; the handler runs on the loop's thread.
    """
    if creation_site is not None:
        context["source_traceback"] = creation_site.frames
    if loop.is_running() and asyncio._get_running_loop() is not loop:
        loop.call_soon_threadsafe(loop.call_exception_handler, context)
    else:
        loop.call_exception_handler(context)


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn as if the caller's line had done it; Python's filters then work by that line."""
    frame = caller()
    warnings.warn_explicit(
        message,
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        frame.f_globals.get("__name__")
        or frame.f_code.co_filename,  # None would suppress the warning
        frame.f_globals.setdefault("__warningregistry__", {}),
    )


def warn_legacy(name: str, instead: str) -> None:
    """Warn that *name* is an old spelling; *instead* says what to write, as in "use ssl=False"."""
    warn_caller(f"{name} is deprecated; {instead}", LegacyParameterWarning)
