"""No requests to an origin that fails: ``policy`` decides, ``step`` refuses requests."""

from .policy import CircuitState
from .step import CircuitBreaker, CircuitBreakerStatistics, CircuitChange

__all__ = ("CircuitBreaker", "CircuitBreakerStatistics", "CircuitChange", "CircuitState")
