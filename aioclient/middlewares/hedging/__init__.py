"""A second request when the first one is slow: ``policy`` decides when, ``step`` sends both and takes the faster."""

from .step import Hedge, Hedged, HedgeStatistics

__all__ = ("Hedge", "HedgeStatistics", "Hedged")
