"""A ticket's states follow each other as their table says, which the docs draw."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from aioclient.connectors import pool
from aioclient.connectors.tickets import FIRST, NEXT, Ticket, TicketState

from .test_pool_sharing import Model

Step = tuple[TicketState | None, TicketState]
steps: set[Step] = set()


class WatchedTicket(Ticket[Any, Any]):
    """A ticket that notes which state follows which."""

    __slots__ = ("now",)

    @property
    def state(self) -> TicketState:  # type: ignore[override]
        return getattr(self, "now", None) or TicketState.CANCELLED

    @state.setter
    def state(self, after: TicketState) -> None:
        if not hasattr(self, "now"):
            self.now: TicketState | None = None  # what the constructor sets is not where it begins
            return
        if self.now is not after:
            steps.add((self.now, after))
        self.now = after


def rare() -> None:
    """Take the steps that chance finds seldom."""
    full: pool.Pool[str, str] = pool.Pool(limit=2)
    for _ in range(2):
        full.reserve("b")
    for _ in range(2):
        full.join("a", 0.0)
    for _ in range(2):
        full.release("b", None, 0.0)  # the second of them can join the dial of the first
    for one in (pool.Pool[str, str](limit=1), pool.Pool[str, str](limit_per_host=1)):
        for _ in range(2):
            one.join("a", 0.0)
        one.dialled_one("a", 0.0)
        one.offer("a", "connection", 1)


def test_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked of the pool, a ticket takes the steps of the table and no others, and each of them happens."""
    steps.clear()
    monkeypatch.setattr(pool, "Ticket", WatchedTicket)
    rare()
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Model,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    table: set[Step] = {(None, state) for state in FIRST}
    table |= {(before, after) for before in NEXT for after in NEXT[before]}
    assert steps <= table
    assert table <= steps
