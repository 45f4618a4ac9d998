"""The figures that the docs name, and what they must be."""

from dataclasses import dataclass

from benchmarks.resilience.simulation import (
    ENDS,
    FAILS,
    RECOVERS,
    Run,
    outage,
    overload,
    tail,
)

WINDOW = 10.0  # seconds, over which load is looked at


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that a simulation gives, and the bounds within which the claim about it is true."""

    what: str
    value: float
    least: float = float("-inf")
    most: float = float("inf")

    @property
    def holds(self) -> bool:
        """Whether the claim is true."""
        return self.least <= self.value <= self.most

    def __str__(self) -> str:
        return f"{self.what}: {self.value:.4g}{'' if self.holds else '  <- NOT as claimed'}"


def most_load(run: Run) -> float:
    """Return the highest load of a window while the server fails or later, by that of before."""
    begins = range(int(FAILS), int(ENDS - WINDOW) + 1)
    usual = run.rate("arrivals", 0, FAILS)
    return max(run.rate("arrivals", begin, begin + WINDOW) for begin in begins) / usual


def back_after(run: Run) -> float:
    """Return the seconds from the end of the failure until 95 % of the calls of five seconds are answered."""
    for begin in range(int(RECOVERS), int(ENDS) - 5):
        if run.success(begin, begin + 5) >= 0.95:
            return begin - RECOVERS
    return float("inf")


def of_outage(runs: dict[str, Run]) -> list[Figure]:
    """Return what is claimed about a server that fails for a while."""
    plain, careful = runs["plain retries"], runs["budget and breaker"]
    late = ENDS - 30, ENDS
    return [
        Figure("plain retries: highest load, by the usual one", most_load(plain), least=3.0),
        Figure("plain retries: success a minute later", plain.success(*late), most=0.2),
        Figure("budget and breaker: highest load, by the usual one", most_load(careful), most=1.2),
        Figure("budget and breaker: success a minute later", careful.success(*late), least=0.99),
        Figure("budget and breaker: seconds until it is back", back_after(careful), most=5),
    ]


def of_overload(runs: dict[str, Run]) -> list[Figure]:
    """Return what is claimed about three times the capacity."""
    usual = runs["uncontended"].latency(0.5)
    limited, free = runs["AdaptiveLimit"], runs["no limit"]
    capacity_used = limited.rate("answered", 10, 40) / 80
    return [
        Figure(
            "no limit: median latency by the uncontended one", free.latency(0.5, 10) / usual, 10
        ),
        Figure(
            "AdaptiveLimit: median latency by the uncontended one",
            limited.latency(0.5, 10) / usual,
            most=2,
        ),
        Figure(
            "AdaptiveLimit: 95th percentile by the uncontended median",
            limited.latency(0.95, 10) / usual,
            most=2,
        ),
        Figure("AdaptiveLimit: part of the capacity that is used", capacity_used, least=0.9),
    ]


def of_tail(runs: dict[str, Run]) -> list[Figure]:
    """Return what is claimed about second requests."""
    one, hedged = runs["one request"], runs["Hedge"]
    return [
        Figure(
            "Hedge: 99th percentile by that of one request",
            hedged.latency(0.99) / one.latency(0.99),
            most=0.5,
        ),
        Figure("Hedge: requests for each call", hedged.load(0, 40), most=1.05),
    ]


def all_figures() -> list[Figure]:
    """Run all simulations."""
    return [*of_outage(outage()), *of_overload(overload()), *of_tail(tail())]
