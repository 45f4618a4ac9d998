"""Merge the settings of a session and of a call, by the rules of requests."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def merge(call: Any, session: Any) -> Any:
    """Return what counts: the call's, the session's where the call says None, both where both are mappings.

    A key of the call replaces the session's; one whose value is None is left out.
    """
    if session is None or call is None:
        merged = session if call is None else call
    elif isinstance(call, Mapping) and isinstance(session, Mapping):
        merged = {**session, **call}
    else:
        return call
    if isinstance(merged, Mapping) and None in merged.values():
        return {key: value for key, value in merged.items() if value is not None}
    return merged


def query_of(params: Any) -> Any:
    """Return *params* as an asynchronous session takes them: as requests, a truth value is ``True`` or ``False``."""
    if not params or isinstance(params, str | bytes):
        return params.decode() if isinstance(params, bytes) else params
    pairs: Iterable[Any] = params.items() if isinstance(params, Mapping) else params
    return [
        (name, str(item) if isinstance(item, bool) else item)
        for name, value in pairs
        for item in (value if isinstance(value, list | tuple | set) else (value,))
        if item is not None
    ]


Hook = Callable[..., Any]
"""Takes a response and the call's settings by name; what it returns, unless None, takes the response's place."""


def hooks_of(hooks: Mapping[str, Hook | Iterable[Hook]] | None) -> list[Hook]:
    """Return the functions for ``response``, the one event that there is.

    Raises:
        ValueError: another event is named.
        TypeError: one of them cannot be called.
    """
    if not hooks:
        return []
    if unknown := hooks.keys() - {"response"}:
        raise ValueError(f"hooks knows the event 'response' only, found {sorted(unknown)}")
    given = hooks.get("response") or ()
    functions = [given] if callable(given) else list(given)
    for function in functions:
        if not callable(function):
            raise TypeError(f"hooks['response'] must be functions, found {type(function).__name__}")
    return functions
