"""A limit on the rate of requests: ``policy`` computes it, ``store`` keeps its state, ``step`` delays requests."""

from .step import RateLimit, RateLimitChange, RateLimitStatistics
from .store import LimitMemory, LimitStore, RedisStore

__all__ = (
    "LimitStore",
    "LimitMemory",
    "RateLimit",
    "RateLimitChange",
    "RateLimitStatistics",
    "RedisStore",
)
