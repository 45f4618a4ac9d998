"""The states of a stream and the parts of a response: two tables, and nothing that is not in them."""

from collections.abc import Iterator
from typing import Any

import pytest

from aioclient.protocols.http2 import streams as module
from aioclient.protocols.http2.frames import goaway_frame, reset_frame
from aioclient.protocols.http2.states import NEXT, NEXT_PART, ResponsePart, StreamState

from .wire import OK, Wire

seen: set[tuple[Any, Any]] = set()


class Checked:
    """Stands for a slot, and refuses what the table does not have."""

    def __init__(self, name: str, table: Any, first: set[Any]) -> None:
        self.slot = vars(module.Stream)[name]
        self.table = table
        self.first = first

    def __get__(self, stream: Any, kind: type | None = None) -> Any:
        return self.slot.__get__(stream, kind)

    def __set__(self, stream: Any, new: Any) -> None:
        try:
            old = self.slot.__get__(stream)
        except AttributeError:
            assert new in self.first
        else:
            assert new in self.table[old], f"{old} does not lead to {new}"
            seen.add((old, new))
        self.slot.__set__(stream, new)


@pytest.fixture(autouse=True)
def checked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    seen.clear()
    state = Checked("state", NEXT, {StreamState.OPEN, StreamState.HALF_CLOSED_LOCAL})
    part = Checked("part", NEXT_PART, {ResponsePart.HEAD})
    monkeypatch.setattr(module.Stream, "state", state)
    monkeypatch.setattr(module.Stream, "part", part)
    yield


def test_every_way() -> None:
    """Each transition of the tables is taken, and no other."""
    wire = Wire()
    whole = wire.get()
    wire.say(wire.head(whole, OK) + wire.data(whole, b"x", end=True))
    early = wire.post()
    wire.say(wire.head(early, OK, end=True))
    wire.codec.send(early, b"late", end=True)
    sent = wire.post()
    wire.codec.send(sent, b"body", end=True)
    wire.say(wire.head(sent, OK) + wire.head(sent, ("a", "b"), end=True))
    for stream in (wire.post(), wire.get()):
        wire.codec.reset(stream)
        wire.say(wire.head(stream, OK, end=True))
    for stream in (wire.post(), wire.get()):
        wire.say(reset_frame(stream.id, 8))
    stopped = wire.post()
    wire.say(wire.head(stopped, OK, end=True) + reset_frame(stopped.id, 0))
    wire.post(), wire.get()
    wire.say(goaway_frame(0, 0))
    assert wire.codec.streams == {}
    tables: list[Any] = [NEXT, NEXT_PART]
    missed = {(old, new) for table in tables for old in table for new in table[old]} - seen
    assert missed == set()


def test_tables() -> None:
    """Every state is in its table, CLOSED and WHOLE lead nowhere, and nothing leads back."""
    assert set(NEXT) == set(StreamState)
    assert set(NEXT_PART) == set(ResponsePart)
    assert not NEXT[StreamState.CLOSED]
    assert not NEXT_PART[ResponsePart.WHOLE]
    for table in (NEXT, NEXT_PART):
        order = list(table)
        assert all(order.index(new) > order.index(old) for old in table for new in table[old])  # type: ignore[index,arg-type]


def test_shown() -> None:
    """A stream's repr says how far it is."""
    wire = Wire()
    stream = wire.get()
    assert repr(stream) == "<Stream 1: half-closed (local), no response, 0 bytes>"
    wire.say(wire.head(stream, OK) + wire.data(stream, b"x", end=True))
    assert repr(stream) == "<Stream 1: closed, status 200, 1 bytes>"
