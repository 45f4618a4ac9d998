"""The clients under measure, each behind the same few methods."""

import importlib

from benchmarks.clients.base import Client

# In the order of the table's columns; aiohttp is what all are compared to.
CLIENTS = {
    "limit": "benchmarks.clients.limit:LimitClient",
    "aioclient": "benchmarks.clients.aioclient_:AioclientClient",
    "aiohttp": "benchmarks.clients.aiohttp_:AiohttpClient",
    "pyreqwest": "benchmarks.clients.pyreqwest_:PyreqwestClient",
    "aiosonic": "benchmarks.clients.aiosonic_:AiosonicClient",
    "niquests": "benchmarks.clients.niquests_:NiquestsClient",
    "httpx": "benchmarks.clients.httpx_:HttpxClient",
}
BASELINE = "aiohttp"

# How many requests a client performs in the time aiohttp performs one, roughly, so that each gets
# about the same time in a round.
SPEED = {"limit": 3.0, "aioclient": 2.0, "pyreqwest": 1.5, "niquests": 0.2, "httpx": 0.07}


def load(name: str) -> type[Client]:
    """Import one client's adapter, and with it the library it measures.

    Raises:
        ImportError: the library is not installed.
    """
    module, _, attribute = CLIENTS[name].partition(":")
    loaded: type[Client] = getattr(importlib.import_module(module), attribute)
    return loaded
