"""aiosonic."""

import json
from collections.abc import AsyncIterator
from typing import Any, Self

import aiosonic  # type: ignore[import-untyped]
from aiosonic.connectors import TCPConnector  # type: ignore[import-untyped]
from aiosonic.pools import PoolConfig  # type: ignore[import-untyped]

from benchmarks.clients.base import Client, check
from benchmarks.scenarios import CHUNK_SIZE, POSTED


class AiosonicClient(Client):
    """aiosonic with as many pooled connections as there are requests at a time."""

    distribution = "aiosonic"

    async def __aenter__(self) -> Self:
        setup = self.setup
        self._connector = TCPConnector(
            pool_configs={":default": PoolConfig(setup.concurrency, max_conn_requests=None)},
            uds=str(setup.unix_path) if setup.unix_path else None,
        )
        self._client = aiosonic.HTTPClient(self._connector)
        context = setup.ssl_context()
        self._tls: dict[str, Any] = {"ssl": context} if context else {}
        return self

    async def close(self) -> None:
        await self._client.aclose()
        await self._connector.cleanup()

    async def get_json(self, url: str) -> Any:
        response = await self._client.get(url, **self._tls)
        check(response.status_code)
        return json.loads(await response.content())

    async def get_gzip(self, url: str) -> Any:
        # aiosonic accepts compressed bodies only when asked to.
        response = await self._client.get(url, headers={"Accept-Encoding": "gzip"})
        check(response.status_code)
        return json.loads(await response.content())

    async def get_headers(self, url: str) -> dict[str, str]:
        response = await self._client.get(url)
        check(response.status_code)
        json.loads(await response.content())
        return dict(response.headers.items())

    async def post_json(self, url: str) -> Any:
        response = await self._client.post(url, json=POSTED)
        check(response.status_code)
        return json.loads(await response.content())

    async def download(self, url: str) -> int:
        size = 0
        async with self._client.stream("GET", url) as response:
            check(response.status_code)
            async for chunk in response.iter_bytes():
                size += len(chunk)
        return size

    async def download_to_file(self, url: str) -> int:
        size = 0
        with self.setup.output_path.open("wb") as file:
            async with self._client.stream("GET", url) as response:
                check(response.status_code)
                async for chunk in response.iter_bytes():
                    size += file.write(chunk)
        return size

    async def download_to_memory(self, url: str) -> int:
        response = await self._client.get(url)
        check(response.status_code)
        return len(await response.content())

    async def upload(self, url: str) -> int:
        response = await self._client.post(url, data=self._pieces())
        check(response.status_code)
        return int(json.loads(await response.content())["received"])

    async def _pieces(self) -> AsyncIterator[bytes]:
        with self.setup.upload_path.open("rb") as file:
            while piece := file.read(CHUNK_SIZE):
                yield piece
