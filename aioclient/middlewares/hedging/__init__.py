"""A second request when the first one takes long: when is in ``policy``, the race in ``step``."""

from .step import Hedge, Hedged, HedgeStatistics

__all__ = ("Hedge", "HedgeStatistics", "Hedged")
