"""Listen to every signal of a trace config, and write down what comes."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import aiohttp

SIGNALS = tuple(name for name in vars(aiohttp.TraceConfig) if name.startswith("on_"))


class Log(list[str]):
    """One line for each signal: its name, and what does not differ between two clients.

    `raising` names the signal whose callback raises `Deliberate`; `before` is called with each one.
    """

    def __init__(
        self, raising: str | None = None, before: Callable[[str], Any] | None = None
    ) -> None:
        super().__init__()
        self.raising = raising
        self.before = before
        self.seen: list[tuple[str, Any, SimpleNamespace, Any]] = []

    def config(self, context: type[SimpleNamespace] = SimpleNamespace) -> aiohttp.TraceConfig:
        """Return a config whose callbacks write here, with a class for its contexts."""
        config = aiohttp.TraceConfig(context)
        for name in SIGNALS:
            getattr(config, name).append(self._callback(name))
        return config

    def _callback(self, name: str) -> Any:
        async def callback(session: Any, context: SimpleNamespace, params: Any) -> None:
            self.seen.append((name, session, context, params))
            self.append(f"{name.removeprefix('on_')} {said(params)}".rstrip())
            if self.before is not None:
                await self.before(name)
            if name == self.raising:
                raise Deliberate(name)

        return callback


class Deliberate(Exception):
    """What a callback raises on purpose."""


def said(params: Any) -> str:
    """Return the parameters as text, without headers."""
    parts = []
    for name in ("method", "url", "host", "chunk", "response", "exception"):
        value = getattr(params, name, None)
        if value is None:
            continue
        if name == "response":
            value = value.status
        elif name == "exception":
            # Some of ours derive from aiohttp's.
            kinds = [
                kind for kind in type(value).__mro__ if not kind.__module__.startswith("aioclient")
            ]
            value = kinds[0].__name__
        parts.append(f"{name}={value}")
    return " ".join(parts)
