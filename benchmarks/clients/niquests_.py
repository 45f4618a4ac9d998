"""niquests, its asynchronous session."""

import json
from typing import Any, Self
from urllib.parse import quote

import niquests

from benchmarks.clients.base import Client, check
from benchmarks.scenarios import CHUNK_SIZE, POSTED


class NiquestsClient(Client):
    """niquests with as many pooled connections as there are requests at a time."""

    distribution = "niquests"

    async def __aenter__(self) -> Self:
        self._session = niquests.AsyncSession(pool_maxsize=self.setup.concurrency)
        if self.setup.ca_file:
            self._session.verify = str(self.setup.ca_file)
        return self

    async def close(self) -> None:
        await self._session.close()

    def _url(self, url: str) -> str:
        if self.setup.unix_path is None:
            return url
        return url.replace(
            "http://localhost", f"http+unix://{quote(str(self.setup.unix_path), '')}"
        )

    async def get_json(self, url: str) -> Any:
        response = await self._session.get(self._url(url))
        check(response.status_code or 0)
        return json.loads(response.content or b"")

    get_gzip = get_json

    async def get_headers(self, url: str) -> dict[str, str]:
        response = await self._session.get(url)
        check(response.status_code or 0)
        json.loads(response.content or b"")
        return {str(name): str(value) for name, value in response.headers.items()}

    async def post_json(self, url: str) -> Any:
        response = await self._session.post(url, json=POSTED)
        check(response.status_code or 0)
        return json.loads(response.content or b"")

    async def download(self, url: str) -> int:
        size = 0
        response = await self._session.get(url, stream=True)
        check(response.status_code or 0)
        async for chunk in await response.iter_content(CHUNK_SIZE):
            size += len(chunk)
        return size

    async def download_to_file(self, url: str) -> int:
        size = 0
        with self.setup.output_path.open("wb") as file:
            response = await self._session.get(url, stream=True)
            check(response.status_code or 0)
            async for chunk in await response.iter_content(CHUNK_SIZE):
                size += file.write(chunk)
        return size

    async def download_to_memory(self, url: str) -> int:
        response = await self._session.get(url)
        check(response.status_code or 0)
        return len(response.content or b"")

    async def upload(self, url: str) -> int:
        with self.setup.upload_path.open("rb") as file:
            response = await self._session.post(url, data=file)
            check(response.status_code or 0)
            return int(json.loads(response.content or b"")["received"])
