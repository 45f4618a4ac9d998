"""Requests no faster than allowed: decided in ``policy``, kept in ``store``, held back in ``step``."""

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
