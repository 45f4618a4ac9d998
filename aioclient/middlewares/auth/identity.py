"""Whose credentials a request carries, without showing them, and which fields they would set; no I/O is needed."""

import itertools
import os
from inspect import isawaitable, iscoroutine
from secrets import token_hex
from typing import Any, Final
from weakref import finalize, ref

from ...chain import name_of
from ...message.headers import AUTHORIZATION
from ...message.request import Auth, Request
from .basic import BasicAuthOfOrigins, NoAuth
from .scope import Scope


class _Process:
    """Numbers of objects hold for one run of one process: a stored number must never match another object."""

    def __init__(self) -> None:
        self._begin()
        if hasattr(
            os, "register_at_fork"
        ):  # a forked process goes on counting where the first one is
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self.run = token_hex(8)


_process: Final = _Process()
_numbers: Final = itertools.count()
_objects: Final[dict[int, tuple["ref[object]", str]]] = {}


def identity_of(auth: object, request: Request) -> str:
    """Return the owner of *auth*: its own ``identity``, else the fields that it sets, else a number for the object.

    The text is empty for ``NO_AUTH``, and for credentials whose ``origins=`` lack that of *request*.
    """
    if isinstance(auth, NoAuth):
        return ""
    if isinstance(auth, (Scope, BasicAuthOfOrigins)) and not auth.covers(request):
        return ""
    identity: str | None = getattr(auth, "identity", None)
    if identity:  # an empty one names nobody, and must not be taken for no credentials
        kind = type(auth)
        return f"{kind.__module__}.{kind.__qualname__} {identity}"
    if isinstance(auth, Auth):
        offered = offered_by(auth, request)
        if offered:
            return repr(offered)
    return number_of(auth)


def offered_by(auth: Auth, request: Request) -> list[tuple[str, str]] | None:
    """Return the fields that *auth* would set in *request*; None if that cannot be known now."""
    copy = _unauthorized(request)
    before = set(copy.headers.items())
    offer = getattr(auth, "offer", None)
    pending: Any = auth.authorize(copy) if offer is None else offer(copy)
    if pending is not None and isawaitable(pending):
        if iscoroutine(pending):
            pending.close()
        return None
    fields = [pair for pair in copy.headers.items() if pair not in before]
    if copy.authorization is not None and AUTHORIZATION not in copy.headers:
        fields.append((AUTHORIZATION, copy.authorization))
    return fields


def _unauthorized(request: Request) -> Request:
    copy = request.copy()
    copy.authorization = None
    return copy


def number_of(thing: object) -> str:
    """Return a text that belongs to this object alone, and to no later object."""
    known = _objects.get(id(thing))
    if known is not None and known[0]() is thing:
        return known[1]
    text = f"{name_of(thing)} {_process.run} {next(_numbers)}"
    try:
        _objects[id(thing)] = ref(thing), text
        finalize(thing, _objects.pop, id(thing), None).atexit = False
    except TypeError:  # no weak reference is possible: it gets a new number each time
        _objects.pop(id(thing), None)
    return text
