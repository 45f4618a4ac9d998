"""pyreqwest: Rust's reqwest; its threads' CPU time is counted with the process's."""

import json
from collections.abc import AsyncIterator
from typing import Any, Self

from pyreqwest.client import ClientBuilder

from benchmarks.clients.base import Client, check
from benchmarks.scenarios import CHUNK_SIZE, POSTED


class PyreqwestClient(Client):
    """pyreqwest as it comes: one runtime thread, no limit on connections.

    JSON that it sends is encoded by itself, in Rust, as its users would have it.
    """

    distribution = "pyreqwest"
    lacks = frozenset({"unix"})
    sessions = frozenset({"plain", "http2"})

    async def __aenter__(self) -> Self:
        builder = ClientBuilder()
        if self.setup.ca_file:
            builder = builder.add_root_certificate_pem(self.setup.ca_file.read_bytes())
        self._client = builder.build()
        return self

    async def close(self) -> None:
        await self._client.close()

    async def get_json(self, url: str) -> Any:
        response = await self._client.get(url).build().send()
        check(response.status)
        return json.loads(bytes(await response.bytes()))

    get_gzip = get_json

    async def get_headers(self, url: str) -> dict[str, str]:
        response = await self._client.get(url).build().send()
        check(response.status)
        json.loads(bytes(await response.bytes()))
        return dict(response.headers.items())

    async def post_json(self, url: str) -> Any:
        response = await self._client.post(url).body_json(POSTED).build().send()
        check(response.status)
        return json.loads(bytes(await response.bytes()))

    async def download(self, url: str) -> int:
        size = 0
        async with self._client.get(url).build_streamed() as response:
            check(response.status)
            while chunk := await response.body_reader.read(CHUNK_SIZE):
                size += len(chunk)
        return size

    async def download_to_file(self, url: str) -> int:
        size = 0
        with self.setup.output_path.open("wb") as file:
            async with self._client.get(url).build_streamed() as response:
                check(response.status)
                while chunk := await response.body_reader.read(CHUNK_SIZE):
                    size += file.write(chunk)
        return size

    async def download_to_memory(self, url: str) -> int:
        response = await self._client.get(url).build().send()
        check(response.status)
        return len(await response.bytes())

    async def upload(self, url: str) -> int:
        request = self._client.post(url).body_stream(self._pieces()).build()
        response = await request.send()
        check(response.status)
        return int(json.loads(bytes(await response.bytes()))["received"])

    async def _pieces(self) -> AsyncIterator[bytes]:
        with self.setup.upload_path.open("rb") as file:
            while piece := file.read(CHUNK_SIZE):
                yield piece
