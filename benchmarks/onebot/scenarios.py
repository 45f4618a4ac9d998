"""What is measured of OneBot: one entry for each kind of work."""

from dataclasses import dataclass
from typing import Literal

OURS = "aioclient"
THEIRS = "pylibob"
LIBRARIES = (OURS, THEIRS)

Transport = Literal["websocket", "reverse", "webhook", "http"]
TRANSPORTS: tuple[Transport, ...] = ("websocket", "reverse", "webhook", "http")

TEXT = "The quick brown fox jumps over the lazy dog, and the bot tells everybody."


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of work of an implementation.

    *action* is "events" or "actions", *count* how many a round has. *at_a_time* is how many actions wait for their
    answers, or how many events the implementation pushes before the application waits for them.
    """

    title: str
    action: Literal["events", "actions"]
    transport: Transport
    at_a_time: int
    count: int


SCENARIOS = {
    "events-websocket": Scenario("event by WebSocket", "events", "websocket", 200, 8000),
    "events-reverse": Scenario("event by reverse WebSocket", "events", "reverse", 200, 8000),
    "events-webhook": Scenario("event by webhook", "events", "webhook", 20, 800),
    "actions-websocket-1": Scenario("action by WebSocket", "actions", "websocket", 1, 2000),
    "actions-websocket-32": Scenario("action by WebSocket", "actions", "websocket", 32, 4000),
    "actions-http-1": Scenario("action by HTTP", "actions", "http", 1, 1500),
    "actions-http-32": Scenario("action by HTTP", "actions", "http", 32, 3000),
}
