"""See the package."""

import sys

from benchmarks.resilience.figures import of_outage, of_overload, of_tail
from benchmarks.resilience.simulation import outage, overload, tail


def main() -> int:
    """Print the figures, and plot them if that is asked for; return 1 when a claim does not hold."""
    runs = outage(), overload(), tail()
    figures = [*of_outage(runs[0]), *of_overload(runs[1]), *of_tail(runs[2])]
    for figure in figures:
        print(figure)
    if "--plot" in sys.argv[1:]:
        from benchmarks.resilience.plot import plot

        plot(*runs)
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
