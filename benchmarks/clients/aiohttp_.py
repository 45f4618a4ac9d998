"""aiohttp, and with it every library that has its API."""

import json
from typing import Any, Self

import aiohttp

from benchmarks.clients.base import Client, check
from benchmarks.scenarios import CHUNK_SIZE, POSTED


class AiohttpClient(Client):
    """aiohttp with a connector that does not limit the number of connections."""

    distribution = "aiohttp"
    library: Any = aiohttp

    async def __aenter__(self) -> Self:
        setup = self.setup
        options: dict[str, Any] = {"limit": 0}
        if setup.keepalive is not None:
            options["keepalive_timeout"] = setup.keepalive
        if setup.unix_path:
            connector = self.library.UnixConnector(path=str(setup.unix_path), **options)
        else:
            connector = self.library.TCPConnector(ssl=setup.ssl_context() or True, **options)
        self.session = self.library.ClientSession(connector=connector)
        return self

    async def close(self) -> None:
        await self.session.close()

    async def get_json(self, url: str) -> Any:
        async with self.session.get(url) as response:
            check(response.status)
            return json.loads(await response.read())

    get_gzip = get_json

    async def get_headers(self, url: str) -> dict[str, str]:
        async with self.session.get(url) as response:
            check(response.status)
            json.loads(await response.read())
            return dict(response.headers.items())

    async def post_json(self, url: str) -> Any:
        async with self.session.post(url, json=POSTED) as response:
            check(response.status)
            return json.loads(await response.read())

    async def download(self, url: str) -> int:
        size = 0
        async with self.session.get(url) as response:
            check(response.status)
            async for chunk in response.content.iter_chunked(CHUNK_SIZE):
                size += len(chunk)
        return size

    async def download_to_file(self, url: str) -> int:
        size = 0
        with self.setup.output_path.open("wb") as file:
            async with self.session.get(url) as response:
                check(response.status)
                async for chunk in response.content.iter_chunked(CHUNK_SIZE):
                    size += file.write(chunk)
        return size

    async def download_to_memory(self, url: str) -> int:
        async with self.session.get(url) as response:
            check(response.status)
            return len(await response.read())

    async def upload(self, url: str) -> int:
        with self.setup.upload_path.open("rb") as file:
            async with self.session.post(url, data=file) as response:
                check(response.status)
                return int(json.loads(await response.read())["received"])
