"""The figures that the docs name, and what they must be."""

from dataclasses import dataclass

from benchmarks.resilience.simulation import ENDS, FAILS, RECOVERS, Run

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
    by_default = runs["breaker by default"]
    late = ENDS - 30, ENDS
    return [
        Figure("no retries: seconds until it is back", back_after(runs["no retries"]), 37.5, 38.5),
        Figure("plain retries: highest load, by the usual one", most_load(plain), 3.55, 3.65),
        Figure("plain retries: success a minute later", plain.success(*late), most=0.2),
        Figure("budget and breaker: highest load, by the usual one", most_load(careful), most=1.1),
        Figure("budget and breaker: success a minute later", careful.success(*late), least=0.99),
        Figure("budget and breaker: seconds until it is back", back_after(careful), most=5),
        Figure(
            "breaker by default: highest load, by the usual one", most_load(by_default), most=1.3
        ),
        Figure("breaker by default: success a minute later", by_default.success(*late), least=0.99),
        Figure("breaker by default: seconds until it is back", back_after(by_default), most=14),
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
            most=1.5,
        ),
        Figure(
            "AdaptiveLimit: 95th percentile by the uncontended median",
            limited.latency(0.95, 10) / usual,
            most=1.85,
        ),
        Figure("AdaptiveLimit: part of the capacity that is used", capacity_used, least=0.99),
    ]


def of_tail(runs: dict[str, Run]) -> list[Figure]:
    """Return what is claimed about second requests."""
    one, hedged = runs["one request"], runs["Hedge"]
    return [
        Figure(
            "Hedge: 99th percentile by that of one request",
            hedged.latency(0.99) / one.latency(0.99),
            most=1 / 7,
        ),
        Figure("Hedge: requests for each call", hedged.load(0, 40), most=1.05),
    ]
