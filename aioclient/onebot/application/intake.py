"""From plain data to events for the listeners: parsed, about a bot, and not twice."""

from ..events import Event, parse_event
from .bots import KnownBots
from .events import EventStream
from .seen import SeenEvents


class Intake:
    """Takes in what implementations send, for one client or receiver."""

    __slots__ = ("_seen", "stream")

    def __init__(self, stream: EventStream) -> None:
        self.stream: EventStream = stream
        self._seen = SeenEvents()

    def take(self, data: object, size: int, *, source: str, bots: KnownBots) -> str | None:
        """Hand the event of *data* to the listeners; return what is wrong if they are no event.

        Args:
            size: bytes of the message.
            source: the implementation's name; ids are of one implementation.
            bots: those of the connection.
        """
        try:
            event = parse_event(data)
        except ValueError as error:
            return f"received what is no event: {error}"
        if self.is_new(source, event):
            self.stream.put(event, bots.learn(event), size)
        return None

    def is_new(self, source: str, event: Event) -> bool:
        """Tell whether *event* did not come before, and remember it."""
        if self._seen.has(source, event):
            return False
        self._seen.add(source, event)
        return True

    def came_before(self, source: str, event: Event) -> bool:
        """Tell whether *event* came before."""
        return self._seen.has(source, event)
