"""Clients of httpx and httpx2 over our transports, of either kind."""

import asyncio
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import httpx
import httpx2
import pytest

from aioclient.adapters import httpx as over_httpx
from aioclient.adapters import httpx2 as over_httpx2
from tests.sync.conftest import Server

PAIRS = {"httpx": (httpx, over_httpx), "httpx2": (httpx2, over_httpx2)}


@pytest.fixture(params=["httpx", "httpx2"])
def names(request: pytest.FixtureRequest) -> tuple[ModuleType, ModuleType]:
    """The library, and our transports for it."""
    return PAIRS[request.param]


@pytest.fixture
def library(names: tuple[ModuleType, ModuleType]) -> Any:
    return names[0]


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture(params=["async", "sync"])
def run(request: pytest.FixtureRequest, names: tuple[ModuleType, ModuleType]) -> Callable[..., Any]:
    """Call a function with a client of either kind; what it returns is awaited if need be."""
    library, ours = names

    def call(function: Callable[[Any], Any], client: Any = None, **settings: Any) -> Any:
        client = client or {}
        if request.param == "sync":
            with library.Client(transport=ours.Transport(**settings), **client) as made:
                return function(made)

        async def main() -> Any:
            async with library.AsyncClient(
                transport=ours.AsyncTransport(**settings), **client
            ) as made:
                return await function(made)

        return asyncio.run(main())

    return call
