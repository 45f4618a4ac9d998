"""Further attempts of a request that failed: decided in ``policy``, made in ``step``."""

from .step import Retried, Retry, RetryStatistics

__all__ = ("Retried", "Retry", "RetryStatistics")
