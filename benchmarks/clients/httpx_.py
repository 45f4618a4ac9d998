"""httpx."""

import json
from collections.abc import AsyncIterator
from typing import Any, Self

import httpx

from benchmarks.clients.base import Client, check
from benchmarks.scenarios import CHUNK_SIZE, POSTED


class HttpxClient(Client):
    """httpx without limits on connections."""

    distribution = "httpx"
    sessions = frozenset({"plain", "http2"})

    async def __aenter__(self) -> Self:
        setup = self.setup
        http2 = setup.session == "http2"
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(
                verify=setup.ssl_context() or True,
                http2=http2,
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
                uds=str(setup.unix_path) if setup.unix_path else None,
            )
        )
        return self

    async def close(self) -> None:
        await self._client.aclose()

    async def get_json(self, url: str) -> Any:
        response = await self._client.get(url)
        check(response.status_code)
        return json.loads(response.content)

    get_gzip = get_json

    async def get_headers(self, url: str) -> dict[str, str]:
        response = await self._client.get(url)
        check(response.status_code)
        json.loads(response.content)
        return dict(response.headers.items())

    async def post_json(self, url: str) -> Any:
        response = await self._client.post(url, json=POSTED)
        check(response.status_code)
        return json.loads(response.content)

    async def download(self, url: str) -> int:
        size = 0
        async with self._client.stream("GET", url) as response:
            check(response.status_code)
            async for chunk in response.aiter_bytes(CHUNK_SIZE):
                size += len(chunk)
        return size

    async def download_to_file(self, url: str) -> int:
        size = 0
        with self.setup.output_path.open("wb") as file:
            async with self._client.stream("GET", url) as response:
                check(response.status_code)
                async for chunk in response.aiter_bytes(CHUNK_SIZE):
                    size += file.write(chunk)
        return size

    async def download_to_memory(self, url: str) -> int:
        response = await self._client.get(url)
        check(response.status_code)
        return len(response.content)

    async def upload(self, url: str) -> int:
        # An AsyncClient refuses file objects; the size keeps it from chunked coding.
        size = self.setup.upload_path.stat().st_size
        response = await self._client.post(
            url, content=self._pieces(), headers={"Content-Length": str(size)}
        )
        check(response.status_code)
        return int(json.loads(response.content)["received"])

    async def _pieces(self) -> AsyncIterator[bytes]:
        with self.setup.upload_path.open("rb") as file:
            while piece := file.read(CHUNK_SIZE):
                yield piece
