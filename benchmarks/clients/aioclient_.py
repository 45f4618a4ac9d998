"""This project."""

import aioclient
from benchmarks.clients.aiohttp_ import AiohttpClient

if not hasattr(aioclient, "ClientSession"):
    raise ImportError("aioclient has no ClientSession yet")


class AioclientClient(AiohttpClient):
    """aioclient, through the API it shares with aiohttp."""

    distribution = "aioclient"
    library = aioclient
    has_http2 = True
