"""No more requests at a time than allowed: ``policy`` says how many, ``step`` holds the others back."""

from .step import (
    AdaptiveLimit,
    ConcurrencyChange,
    ConcurrencyLimit,
    ConcurrencyStatistics,
)

__all__ = ("AdaptiveLimit", "ConcurrencyChange", "ConcurrencyLimit", "ConcurrencyStatistics")
