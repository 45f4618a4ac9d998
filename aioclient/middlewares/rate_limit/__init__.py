"""Requests no faster than allowed: decided in ``policy``, kept in ``store``, held back in ``step``."""

from .step import RateLimit, RateLimitChange, RateLimitStatistics
from .store import LimitStore, MemoryStore, RedisStore

__all__ = (
    "LimitStore",
    "MemoryStore",
    "RateLimit",
    "RateLimitChange",
    "RateLimitStatistics",
    "RedisStore",
)
