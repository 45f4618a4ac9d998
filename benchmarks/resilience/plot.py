"""The pictures of the docs: matplotlib draws what the simulations gave."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.resilience.simulation import ENDS, FAILS, RECOVERS, WORK, WORKERS, Run

FOLDER = Path(__file__).parents[2] / "docs" / "explanation" / "bad-days"
BIN = 2  # seconds
COLOURS = {
    "no retries": "#8a8f98",
    "plain retries": "#c2410c",
    "budget and breaker": "#0f766e",
    "breaker by default": "#2563eb",
    "no limit": "#c2410c",
    "AdaptiveLimit": "#0f766e",
    "uncontended": "#8a8f98",
    "one request": "#c2410c",
    "Hedge": "#0f766e",
}


def plot(failing: dict[str, Run], busy: dict[str, Run], slow: dict[str, Run]) -> None:
    """Write one picture for each simulation."""
    # The same bytes for the same figures: no date, no random ids; white, so that it can be read on a dark page.
    mpl.rcParams.update({"svg.hashsalt": "aioclient", "font.size": 9, "axes.grid": True})
    FOLDER.mkdir(exist_ok=True)
    _outage(failing)
    _overload(busy)
    _tail(slow)


def _save(figure: Figure, name: str) -> None:
    figure.tight_layout()
    figure.savefig(FOLDER / f"{name}.svg", metadata={"Date": None})


def _outage(runs: dict[str, Run]) -> None:
    figure = Figure(figsize=(6.4, 4.4))
    load, success = figure.subplots(2, 1, sharex=True)
    times = range(0, int(ENDS), BIN)
    for name, run in runs.items():
        rates = [run.rate("arrivals", at, at + BIN) for at in times]
        load.plot(times, rates, label=name, color=COLOURS[name])
        parts = [100 * run.success(at, at + BIN) for at in times]
        success.plot(times, parts, color=COLOURS[name])
    load.axhline(WORKERS / WORK, color="black", linewidth=0.8, linestyle="--")
    load.set_ylabel("requests a second")
    load.set_ylim(0, 280)
    load.legend(loc="upper right", ncols=2)
    success.set_ylabel("calls answered, %")
    success.set_xlabel("seconds; dashed: what the server can do; shaded: it is slow")
    for axes in (load, success):
        axes.axvspan(FAILS, RECOVERS, color="#8a8f98", alpha=0.15)
    _save(figure, "outage")


def _overload(runs: dict[str, Run]) -> None:
    figure = Figure(figsize=(6.4, 3.2))
    axes = figure.subplots()
    for name, run in runs.items():
        ordered = sorted(run.answered)[:: max(1, len(run.answered) // 250)]
        axes.plot(
            [at for at, _ in ordered],
            [took for _, took in ordered],
            ".",
            markersize=2.5,
            label=name,
            color=COLOURS[name],
        )
    axes.set_yscale("log")
    axes.set_ylabel("latency, seconds")
    axes.set_xlabel("seconds since three times the capacity comes")
    axes.legend(loc="center right")
    _save(figure, "overload")


def _tail(runs: dict[str, Run]) -> None:
    figure = Figure(figsize=(6.4, 3.2))
    axes = figure.subplots()
    quantiles = [number / 1000 for number in range(500, 1000)]
    for name, run in runs.items():
        latencies = [1000 * run.latency(quantile) for quantile in quantiles]
        label = f"{name}, {run.load(0, 40):.2f} requests for each call"
        axes.plot([100 * each for each in quantiles], latencies, label=label, color=COLOURS[name])
    axes.set_yscale("log")
    axes.set_ylabel("latency, ms")
    axes.set_xlabel("percentile of the calls")
    axes.legend(loc="upper left")
    _save(figure, "tail")
