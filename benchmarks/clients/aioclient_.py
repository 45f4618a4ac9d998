"""This project."""

from typing import Any

import aioclient
from benchmarks.clients.aiohttp_ import AiohttpClient
from benchmarks.scenarios import RESILIENCE

if not hasattr(aioclient, "ClientSession"):
    raise ImportError("aioclient has no ClientSession yet")


class AioclientClient(AiohttpClient):
    """aioclient, through the API it shares with aiohttp."""

    distribution = "aioclient"
    library = aioclient
    sessions = AiohttpClient.sessions | RESILIENCE.keys()
    has_http2 = True

    def _options(self) -> dict[str, Any]:
        made = {
            "retry": aioclient.Retry,
            "rate-limit": lambda: aioclient.RateLimit(1e6),
            "circuit-breaker": aioclient.CircuitBreaker,
            "concurrency-limit": lambda: aioclient.ConcurrencyLimit(1000),
            # All of a race, and no second request, which would count as much as any other.
            "hedge": lambda: aioclient.Hedge(budget=aioclient.RetryBudget(0, minimum=0)),
            "coalesce": aioclient.Coalesce,
            "cache": aioclient.Cache,
            "adaptive-limit": lambda: aioclient.AdaptiveLimit(1000),
        }.get(self.setup.session)
        return super()._options() if made is None else {"middlewares": [made()]}
