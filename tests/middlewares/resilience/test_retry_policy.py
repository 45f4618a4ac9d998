"""Whether another attempt is made, and when: plain values."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aioclient
from aioclient import RetryBudget
from aioclient.exchange import IDEMPOTENT
from aioclient.middlewares.retry.policy import Again, Answered, Asked, Failed, RetryPolicy, Stop

GET = Asked("GET")
POST = Asked("POST")
RETRIED = (408, 425, 429, 502, 503, 504)


def decide(outcome: Any, asked: Asked = GET, made: int = 1, left: Any = None, **more: Any) -> Any:
    return RetryPolicy(**{"jitter": "none", **more}).decide(outcome, asked, made, left, 0.5)


class TestWhat:
    @pytest.mark.parametrize("status", range(100, 600))
    def test_statuses(self, status: int) -> None:
        """408, 425, 429, 502, 503 and 504 are tried again by default, no other status is."""
        assert isinstance(decide(Answered(status)), Again) == (status in RETRIED)

    def test_errors(self) -> None:
        """Connection errors are tried again, what middlewares refused and what will not change is not."""
        for error, again in (
            (aioclient.ServerDisconnectedError(), True),
            (aioclient.ClientOSError(), True),
            (aioclient.SocketTimeoutError(), True),
            (aioclient.IncompleteBodyError(), True),
            (aioclient.CircuitOpenError("GET /", "it is open", None, None), False),
            (aioclient.ClientPayloadError(), False),
            (aioclient.InvalidURL("x"), False),
            (TimeoutError(), False),
            (ValueError(), False),
        ):
            assert isinstance(decide(Failed(error)), Again) == again, error

    @pytest.mark.parametrize(
        ("wanted", "status", "again"),
        [(True, 200, True), (False, 503, False), (None, 503, True), (None, 200, False)],
    )
    def test_the_function_that_inspects(
        self, wanted: bool | None, status: int, again: bool
    ) -> None:
        """What it says goes before the status; None leaves it to the status."""
        assert isinstance(decide(Answered(status, wanted=wanted)), Again) == again


class TestWhetherItIsHarmless:
    @pytest.mark.parametrize("method", [*sorted(IDEMPOTENT), "POST", "PATCH", "CONNECT", "MOVE"])
    def test_methods(self, method: str) -> None:
        """Only idempotent methods are repeated by default; the others with a key."""
        lost = Failed(aioclient.ServerDisconnectedError())
        assert isinstance(decide(lost, Asked(method)), Again) == (method in IDEMPOTENT)
        assert isinstance(decide(lost, Asked(method, has_key=True)), Again)

    def test_what_never_left(self) -> None:
        """A POST for which there was no connection is repeated."""
        assert isinstance(decide(Failed(aioclient.ConnectionTimeoutError()), POST), Again)
        assert "Idempotency-Key" in decide(Failed(aioclient.SocketTimeoutError()), POST).reason
        assert "Idempotency-Key" in decide(Answered(503), POST).reason

    def test_a_body_that_cannot_be_sent_again(self) -> None:
        """Nothing is repeated without its body."""
        stopped = decide(Answered(503), Asked("PUT", resendable=False))
        assert "cannot be sent again" in stopped.reason


class TestWhen:
    def test_the_number_of_attempts(self) -> None:
        """The first one counts."""
        assert isinstance(decide(Answered(503), made=2), Again)
        assert decide(Answered(503), made=3) == Stop("attempts=3")
        assert decide(Answered(503), attempts=1) == Stop("attempts=1")

    def test_the_waits(self) -> None:
        """They double, from 0.1 s to at most 30 s."""
        waits = [decide(Answered(503), made=made, attempts=12).delay for made in range(1, 11)]
        assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0]

    @given(st.integers(0, 5000), st.floats(0, 1, exclude_max=True))
    def test_the_jitter(self, before: int, random: float) -> None:
        """Full jitter takes away up to all, equal jitter up to a half, and nothing is longer than the cap."""
        longest = RetryPolicy(jitter="none").delay(before, random)
        assert longest <= 30
        assert RetryPolicy().delay(before, random) == longest * random
        assert longest / 2 <= RetryPolicy(jitter="equal").delay(before, random) <= longest

    def test_retry_after(self) -> None:
        """It makes a wait longer, never shorter; what asks for more than the cap is handed over."""
        assert decide(Answered(503, 7.0)) == Again(7.0)
        assert decide(Answered(503, 0.0)) == Again(0.1)
        assert decide(Answered(429, 60.0)) == Again(60.0)
        assert "61" in decide(Answered(429, 61.0)).reason

    @given(
        st.floats(0, 100),
        st.floats(-1, 100),
        st.floats(0, 1, exclude_max=True),
        st.integers(1, 9),
    )
    def test_the_deadline(self, asked: float, left: float, random: float, made: int) -> None:
        """No attempt begins at or after the deadline."""
        decision = RetryPolicy(attempts=10).decide(Answered(503, asked), GET, made, left, random)
        if isinstance(decision, Again):
            assert decision.delay < left
        elif asked <= 60:
            assert "deadline" in (decision.reason or "")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"attempts": 0}, ValueError),
        ({"attempts": 1.5}, TypeError),
        ({"attempts": True}, TypeError),
        ({"backoff": -1}, ValueError),
        ({"backoff": float("nan")}, ValueError),
        ({"backoff": 40}, ValueError),
        ({"factor": 0.5}, ValueError),
        ({"max_backoff": float("inf")}, ValueError),
        ({"jitter": "some"}, ValueError),
        ({"max_retry_after": -1}, ValueError),
        ({"statuses": [5]}, ValueError),
        ({"statuses": [5000]}, ValueError),
        ({"statuses": 500}, TypeError),
        ({"statuses": ["500"]}, TypeError),
        ({"errors": OSError}, TypeError),
        ({"methods": None}, TypeError),
        ({"backoff": "1"}, TypeError),
        ({"factor": None}, TypeError),
        ({"errors": [3]}, TypeError),
        ({"methods": "GET"}, TypeError),
        ({"methods": ["G T"]}, ValueError),
        ({"timeout": -1}, ValueError),
        ({"inspect": 3}, TypeError),
        ({"on_change": 3}, TypeError),
        ({"idempotency_key": "k"}, TypeError),
        ({"budget": 0.2}, TypeError),
    ],
)
def test_nonsense_is_refused(arguments: dict[str, Any], error: type[Exception]) -> None:
    """An argument that makes no sense raises at construction, and its name is in the text."""
    with pytest.raises(error, match=next(iter(arguments)).removesuffix("s")):
        aioclient.Retry(**arguments)


NAN = float("nan")


class TestBudget:
    def test_a_fifth_and_at_least_ten(self) -> None:
        """20 % of the requests of the last 10 s, and always 10."""
        budget = RetryBudget()
        assert [budget.withdraw("a", 1000.0) for _ in range(11)] == [True] * 10 + [False]
        for _ in range(100):
            budget.deposit("a", 1000.5)
        assert [budget.withdraw("a", 1000.5) for _ in range(11)] == [True] * 10 + [False]
        assert budget.statistics() == aioclient.RetryBudgetStatistics(100, 20, 2)

    def test_origins_are_apart(self) -> None:
        """Each origin has its own."""
        budget = RetryBudget(minimum=1)
        assert budget.withdraw("a", 0.0)
        assert not budget.withdraw("a", 0.0)
        assert budget.withdraw("b", 0.0)

    def test_the_window_moves(self) -> None:
        """What is older than the window counts no longer."""
        budget = RetryBudget(minimum=1)
        assert budget.withdraw("a", 100.0)
        assert not budget.withdraw("a", 109.9)
        assert budget.withdraw("a", 110.1)
        budget.reset()
        assert budget.withdraw("a", 110.1)

    @given(st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=200))
    def test_it_is_never_overdrawn(self, steps: list[tuple[bool, float]]) -> None:
        """Whatever comes when, no window has more further attempts than the ratio and the minimum allow."""
        budget, now = RetryBudget(0.5, minimum=2), 0.0
        deposits: list[float] = []
        granted: list[float] = []
        for is_request, later in steps:
            now += later
            if is_request:
                budget.deposit("a", now)
                deposits.append(now)
            elif budget.withdraw("a", now):
                granted.append(now)
                requests = sum(now - 11 < at for at in deposits)
                assert sum(now - 9 < at for at in granted) <= max(2, 0.5 * requests) + 1

    def test_many_origins(self) -> None:
        """Those without traffic are forgotten, so that the memory is bounded."""
        budget = RetryBudget()
        for number in range(5000):
            budget.deposit(number, float(number))
        assert len(budget._traffic) <= 1025

    @pytest.mark.parametrize(
        "arguments",
        [
            {"ratio": -0.1},
            {"minimum": -1},
            {"window": 0},
            {"ratio": NAN},
            {"minimum": NAN},
            {"ratio": "0.2"},
            {"window": None},
        ],
    )
    def test_nonsense_is_refused(self, arguments: dict[str, Any]) -> None:
        """A number that makes no sense raises at construction."""
        with pytest.raises((ValueError, TypeError), match=next(iter(arguments))):
            RetryBudget(**arguments)
