"""aiohttp, and with it every library that has its API."""

import asyncio
import json
from typing import Any, Self

import aiohttp
from yarl import URL

from benchmarks.clients.base import Client, check
from benchmarks.scenarios import CHUNK_SIZE, COOKIES, DEFAULT_HEADERS, MIDDLEWARES, POSTED


class AiohttpClient(Client):
    """aiohttp with a connector that does not limit the number of connections."""

    distribution = "aiohttp"
    sessions = frozenset({"plain", "cookies", "defaults", "trace", "middlewares", "http2"})
    library: Any = aiohttp
    has_http2 = False

    async def __aenter__(self) -> Self:
        setup = self.setup
        options: dict[str, Any] = {"limit": 0}
        if setup.keepalive is not None:
            options["keepalive_timeout"] = setup.keepalive
        if setup.unix_path:
            connector = self.library.UnixConnector(path=str(setup.unix_path), **options)
        else:
            context = setup.ssl_context(http2=self.has_http2 and setup.session == "http2")
            connector = self.library.TCPConnector(ssl=context or True, **options)
        self.calls = 0  # of callbacks and middlewares
        self.session = self.library.ClientSession(connector=connector, **self._options())
        return self

    def _options(self) -> dict[str, Any]:
        """Return what the scenario wants its session to have."""
        wanted = self.setup.session
        if wanted == "cookies":
            jar = self.library.CookieJar(unsafe=True)  # for cookies of an IP address
            jar.update_cookies(COOKIES, URL(self.setup.url))
            return {"cookie_jar": jar}
        if wanted == "defaults":
            return {"headers": DEFAULT_HEADERS}
        if wanted == "trace":
            config = aiohttp.TraceConfig()
            for name in vars(aiohttp.TraceConfig):
                if name.startswith("on_"):
                    getattr(config, name).append(self._hear)
            return {"trace_configs": [config]}
        if wanted == "http2" and self.has_http2:
            return {"http2": True}
        if wanted == "middlewares":
            return {"middlewares": [self._pass_on] * MIDDLEWARES}
        return {}

    async def _hear(self, session: Any, context: Any, params: Any) -> None:
        self.calls += 1

    async def _pass_on(self, request: Any, handler: Any) -> Any:
        self.calls += 1
        return await handler(request)

    async def close(self) -> None:
        await self.session.close()
        if self.setup.session in ("trace", "middlewares") and not self.calls:
            raise RuntimeError(f"{self.setup.session}: none was called")

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

    async def download_four(self, url: str) -> int:
        sizes = [0] * 4
        at_first: list[int] = []

        async def one(number: int) -> None:
            async with self.session.get(url) as response:
                check(response.status)
                async for chunk in response.content.iter_chunked(CHUNK_SIZE):
                    sizes[number] += len(chunk)
            at_first[:] = at_first or sizes

        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(one(number))
        return min(at_first)

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
