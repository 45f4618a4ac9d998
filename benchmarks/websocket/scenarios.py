"""What is measured on a WebSocket: one entry for each kind of work."""

import json
import random
from dataclasses import dataclass

SMALL = b"x" * 64
LARGE = random.Random(2).randbytes(64 * 1024)
TEXT = json.dumps([{"id": n, "name": f"user {n}", "score": n * 37 % 101 / 7} for n in range(20)])

CLIENTS = ("limit", "aioclient", "picows+queue", "aiohttp")
BASELINE = "aiohttp"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of work that every client does in the same way.

    *action* is "round_trips", "flood" or "idle". *count* is how many round trips, messages or sockets a round has.
    """

    action: str
    count: int
    payload: bytes | str = b""
    compress: int = 0
    server: str = "plain"

    @property
    def clients(self) -> tuple[str, ...]:
        """Who takes part: picows has no compression, and keeps no message for one who does not listen."""
        if self.compress or self.action == "idle":
            return ("aioclient", BASELINE)
        return CLIENTS


SCENARIOS = {
    "64 B": Scenario("round_trips", 6000, SMALL),
    "1 KiB JSON": Scenario("round_trips", 4000, TEXT),
    "64 KiB": Scenario("round_trips", 800, LARGE),
    "1 KiB JSON, deflate": Scenario("round_trips", 3000, TEXT, compress=15, server="deflate"),
    "flood": Scenario("flood", 300_000),
    "idle": Scenario("idle", 5000),
}
