"""The connection as a response holds it, while the body is still coming."""

import warnings
from typing import Protocol


class Carrier(Protocol):
    """The connection as a response sees it, while the body is still coming."""

    def abort(self) -> None:
        """Close the socket now."""

    def give_up_body(self) -> None:
        """Drain the little that is missing and keep the connection, or close it."""


class Connection:
    """The hold of a response on a connection that still carries its body.

    It exists only while the body is incomplete, so that a dropped response gives its connection back (and warns)
    without a finalizer on every response.
    """

    __slots__ = ("__weakref__", "_carrier", "_description")

    def __init__(self, carrier: Carrier, description: str) -> None:
        self._carrier: Carrier | None = carrier
        self._description = description

    def end(self) -> None:
        """Note that the body is complete, or the connection gone: nothing is held any more."""
        self._carrier = None

    def release(self) -> None:
        """Give up what was not read."""
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            carrier.give_up_body()

    def close(self) -> None:
        """Close the connection."""
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            carrier.abort()

    @property
    def held(self) -> bool:
        """Whether the connection is still held."""
        return self._carrier is not None

    def __del__(self) -> None:
        if self._carrier is not None:
            warnings.warn(
                f"unclosed response to {self._description}: use 'async with', read it to its end, or release it",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )
            self.close()
