"""No requests to an origin that fails: decided in ``policy``, refused in ``step``."""

from .policy import CircuitState
from .step import CircuitBreaker, CircuitBreakerStatistics, CircuitChange

__all__ = ("CircuitBreaker", "CircuitBreakerStatistics", "CircuitChange", "CircuitState")
