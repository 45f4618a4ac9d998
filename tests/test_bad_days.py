"""The simulations of the docs give the figures that the docs name, each time."""

import pytest

from benchmarks.resilience.figures import Figure, of_outage, of_overload, of_tail
from benchmarks.resilience.simulation import Run, outage, overload, tail


def check(figures: list[Figure]) -> None:
    wrong = [str(figure) for figure in figures if not figure.holds]
    assert not wrong


@pytest.mark.hang_limit(300)
def test_a_server_that_fails_for_a_while() -> None:
    """Plain retries multiply the load and keep it down; budget and breaker do not, and it is back at once."""
    check(of_outage(outage()))


@pytest.mark.hang_limit(300)
def test_three_times_the_capacity() -> None:
    """An adaptive limit keeps latency within twice the uncontended one, and the server busy."""
    check(of_overload(overload()))


@pytest.mark.hang_limit(300)
def test_a_long_tail() -> None:
    """A second request halves the 99th percentile, for under 5 % more requests; and all repeats exactly."""

    def told(runs: dict[str, Run]) -> list[tuple[object, ...]]:
        return [(run.name, run.calls, run.answered, run.arrivals) for run in runs.values()]

    runs = tail()
    check(of_tail(runs))
    assert told(tail()) == told(runs)
