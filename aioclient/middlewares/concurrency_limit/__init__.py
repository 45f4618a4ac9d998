"""A limit on how many requests are under way: ``policy`` computes it, ``step`` makes the others wait."""

from .step import (
    AdaptiveLimit,
    ConcurrencyChange,
    ConcurrencyLimit,
    ConcurrencyStatistics,
)

__all__ = ("AdaptiveLimit", "ConcurrencyChange", "ConcurrencyLimit", "ConcurrencyStatistics")
