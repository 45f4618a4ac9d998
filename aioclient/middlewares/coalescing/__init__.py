"""Identical requests at the same time share one exchange: which are, is in ``policy``; how, in ``step``."""

from .step import Coalesce, Coalesced, CoalesceStatistics

__all__ = ("Coalesce", "CoalesceStatistics", "Coalesced")
