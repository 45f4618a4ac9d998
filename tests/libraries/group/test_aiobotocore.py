"""aiobotocore is told of a class of HTTP sessions that sends by ours, over the connector that it makes."""

import io
from typing import Any

import pytest
from aiohttp import web

from aioclient import ClientSession

from .serving import OURS, serving

pytestmark = pytest.mark.both_loops


async def test_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects are put from bytes and files, got whole and in pieces; a missing one is an error in its own terms."""
    from aiobotocore.config import AioConfig
    from aiobotocore.httpsession import AIOHTTPSession
    from aiobotocore.session import get_session
    from botocore.exceptions import ClientError, EndpointConnectionError

    from aioclient.testing import refused_port

    class OverSession(AIOHTTPSession):
        async def _get_session(self, proxy_url: str | None) -> ClientSession:
            session: ClientSession | None = self._sessions.get(proxy_url)
            if session is None:
                session = await self._exit_stack.enter_async_context(
                    ClientSession(
                        connector=await self._create_connector(proxy_url),
                        timeout=self._timeout,
                        skip_auto_headers={"Content-Type"},
                        auto_decompress=False,
                        headers=OURS,
                    )
                )
                self._sessions[proxy_url] = session
            return session

    stored: dict[str, bytes] = {}

    async def put(request: web.Request) -> web.Response:
        assert request.headers["Authorization"].startswith("AWS4-HMAC-SHA256 ")
        stored[request.match_info["key"]] = await request.read()
        return web.Response(headers={"ETag": '"e"'})

    async def get(request: web.Request) -> web.Response:
        body = stored.get(request.match_info["key"])
        if body is None:
            error = "<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>"
            return web.Response(status=404, text=error, content_type="application/xml")
        return web.Response(body=body)

    application = web.Application(client_max_size=2**24)
    application.router.add_put("/bucket/{key}", put)
    application.router.add_get("/bucket/{key}", get)
    given: dict[str, Any] = {
        "region_name": "eu-central-1",
        "aws_access_key_id": "me",
        "aws_secret_access_key": "hush",
        "config": AioConfig(
            http_session_cls=OverSession,
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
        ),
    }
    async with (
        serving(application) as origin,
        get_session().create_client("s3", endpoint_url=origin, **given) as client,
    ):
        answer = await client.put_object(Bucket="bucket", Key="bytes", Body=b"b" * 300_000)
        assert answer["ETag"] == '"e"'
        await client.put_object(Bucket="bucket", Key="file", Body=io.BytesIO(b"f" * 300_000))
        got = await client.get_object(Bucket="bucket", Key="bytes")
        async with got["Body"] as body:
            assert await body.read() == b"b" * 300_000
        got = await client.get_object(Bucket="bucket", Key="file")
        pieces = [piece async for piece in got["Body"].iter_chunks(100_000)]
        assert b"".join(pieces) == b"f" * 300_000
        with pytest.raises(ClientError, match="NoSuchKey"):
            await client.get_object(Bucket="bucket", Key="none")
    with refused_port() as port:
        async with get_session().create_client(
            "s3", endpoint_url=f"http://127.0.0.1:{port}", **given
        ) as client:
            with pytest.raises(EndpointConnectionError):
                await client.get_object(Bucket="bucket", Key="bytes")
