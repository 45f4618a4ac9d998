"""opensearch-py is told of a connection class that makes its session here, with its own class of responses."""

import asyncio
import json
import sys

import aiohttp
import pytest
from aiohttp import web

from aioclient import ClientSession, DummyCookieJar

from .serving import OURS, serving

pytestmark = pytest.mark.both_loops


async def test_client() -> None:
    """A document is stored compressed, in bulk, and found; a missing one is an error in its own terms."""
    from opensearchpy import AIOHttpConnection, AsyncOpenSearch, NotFoundError
    from opensearchpy.helpers import async_bulk

    # The class of responses that it would use itself.
    response_class = sys.modules[AIOHttpConnection.__module__].OpenSearchClientResponse

    class OverSession(AIOHttpConnection):
        async def _create_aiohttp_session(self) -> None:
            self.loop = asyncio.get_running_loop()
            self.session = ClientSession(
                headers={**self.headers, **OURS},
                skip_auto_headers=("accept", "accept-encoding"),
                auto_decompress=True,
                cookie_jar=DummyCookieJar(),
                response_class=response_class,
                connector=aiohttp.TCPConnector(
                    limit=self._limit, use_dns_cache=True, ssl=self._ssl_context or True
                ),
                trust_env=self._trust_env,
            )

    stored: dict[str, object] = {}

    async def put(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Basic bWU6aHVzaA=="
        assert request.headers["Content-Encoding"] == "gzip"
        stored[request.match_info["id"]] = json.loads(
            (await request.read()).decode("utf-8", "surrogatepass")
        )
        return web.json_response({"result": "created"}, status=201)

    async def get(request: web.Request) -> web.Response:
        found = stored.get(request.match_info["id"])
        if found is None:
            return web.json_response({"found": False}, status=404)
        # A lone surrogate, which its class of responses lets pass.
        return web.Response(
            body=json.dumps({"_source": found}, ensure_ascii=False).encode(
                "utf-8", "surrogatepass"
            ),
            content_type="application/json",
        )

    async def bulk(request: web.Request) -> web.Response:
        lines = (await request.read()).splitlines()
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            stored[json.loads(action)["index"]["_id"]] = json.loads(document)
        items = [{"index": {"status": 201}}] * (len(lines) // 2)
        return web.json_response({"errors": False, "items": items})

    application = web.Application(client_max_size=2**24)
    application.router.add_put("/books/_doc/{id}", put)
    application.router.add_get("/books/_doc/{id}", get)
    application.router.add_post("/_bulk", bulk)
    async with (
        serving(application) as origin,
        AsyncOpenSearch(
            [origin],
            connection_class=OverSession,
            http_auth=("me", "hush"),
            http_compress=True,
        ) as client,
    ):
        document = {"title": "Ähm \ud83d"}
        assert (await client.index(index="books", body=document, id="1"))["result"] == "created"
        assert (await client.get(index="books", id="1"))["_source"] == document
        actions = [{"_index": "books", "_id": f"b{n}", "n": n} for n in range(5)]
        assert await async_bulk(client, actions) == (5, [])
        assert (await client.get(index="books", id="b4"))["_source"] == {"n": 4}
        with pytest.raises(NotFoundError):
            await client.get(index="books", id="none")
