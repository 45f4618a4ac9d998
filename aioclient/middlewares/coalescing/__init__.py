"""One exchange for identical requests at the same time: ``policy`` finds them, ``step`` shares the response."""

from .step import Coalesce, Coalesced, CoalesceStatistics

__all__ = ("Coalesce", "CoalesceStatistics", "Coalesced")
