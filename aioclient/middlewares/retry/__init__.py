"""Retries of failed requests: ``policy`` decides, ``step`` sends."""

from .step import Retried, Retry, RetryStatistics

__all__ = ("Retried", "Retry", "RetryStatistics")
