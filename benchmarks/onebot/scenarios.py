"""What is measured of OneBot: one entry for each kind of work."""

from dataclasses import dataclass
from typing import Literal

OURS = "aioclient"
THEIRS = "pylibob"
LIMIT = "limit"
LIBRARIES = (OURS, THEIRS, LIMIT)

Transport = Literal["websocket", "reverse", "webhook", "http"]
TRANSPORTS: tuple[Transport, ...] = ("websocket", "reverse", "webhook", "http")

PAUSE = 0.003  # seconds
PACED = 50  # events one after the other that the application asks for at a time
TEXT = "The quick brown fox jumps over the lazy dog, and the bot tells everybody."


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of work of an implementation.

    *action* is "events" or "actions", *count* how many a round has. *at_a_time* is how many actions wait for their
    answers, or how many events the implementation pushes at once before the application waits for them; one event at
    a time is pushed every ``PAUSE`` seconds.
    """

    title: str
    action: Literal["events", "actions"]
    transport: Transport
    at_a_time: int
    count: int


SCENARIOS = {
    "events-websocket-1": Scenario("event by WebSocket", "events", "websocket", 1, 500),
    "events-websocket-200": Scenario("event by WebSocket", "events", "websocket", 200, 8000),
    "events-reverse-1": Scenario("event by reverse WebSocket", "events", "reverse", 1, 500),
    "events-reverse-200": Scenario("event by reverse WebSocket", "events", "reverse", 200, 8000),
    "events-webhook-1": Scenario("event by webhook", "events", "webhook", 1, 500),
    "events-webhook-20": Scenario("event by webhook", "events", "webhook", 20, 800),
    "actions-websocket-1": Scenario("action by WebSocket", "actions", "websocket", 1, 2000),
    "actions-websocket-32": Scenario("action by WebSocket", "actions", "websocket", 32, 4000),
    "actions-http-1": Scenario("action by HTTP", "actions", "http", 1, 1500),
    "actions-http-32": Scenario("action by HTTP", "actions", "http", 32, 3000),
}
