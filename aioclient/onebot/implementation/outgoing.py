"""An event on its way to several connections."""

from ..encoding import MAX_MESSAGE, Encoding, encode
from ..events import Event


class Outgoing:
    """An event, which is encoded once for all connections.

    Raises:
        TypeError, ValueError: it contains what cannot be sent, or is larger than a message may be.
    """

    __slots__ = ("_plain", "body", "event")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.body: bytes = encode(event, Encoding.JSON)
        if len(self.body) > MAX_MESSAGE:
            raise ValueError(
                f"event {event.type}.{event.detail_type}: it has {len(self.body)} bytes, and peers take {MAX_MESSAGE}"
            )
        self._plain: dict[str, object] | None = None

    def __len__(self) -> int:
        """Return the length of the encoded event, in bytes."""
        return len(self.body)

    @property
    def plain(self) -> dict[str, object]:
        """The event as plain data: a copy, which later changes of the event do not reach."""
        if self._plain is None:
            self._plain = self.event.to_dict()
        return self._plain
