"""google-genai takes a session as an option of its client, and uses it for all that is asynchronous."""

import io
import json

import pytest
from aiohttp import web

from aioclient import ClientSession

from .serving import OURS, serving

pytestmark = pytest.mark.both_loops


def says(text: str) -> dict[str, object]:
    return {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}]}


async def generate(request: web.Request) -> web.StreamResponse:
    assert request.headers["x-goog-api-key"] == "hush"
    text = (await request.json())["contents"][0]["parts"][0]["text"]
    if text == "nothing":
        return web.json_response(
            {"error": {"code": 400, "message": "no such thing", "status": "INVALID_ARGUMENT"}},
            status=400,
        )
    if not request.path.endswith(":streamGenerateContent"):
        return web.json_response(says(f"heard: {text}"))
    assert request.query["alt"] == "sse"
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for piece in ("heard", ": ", text):
        await response.write(f"data: {json.dumps(says(piece))}\r\n\r\n".encode())
    return response


async def begin_upload(request: web.Request) -> web.Response:
    assert request.headers["X-Goog-Upload-Header-Content-Length"] == "300000"
    return web.json_response(
        {}, headers={"X-Goog-Upload-URL": str(request.url.origin() / "upload" / "1")}
    )


async def upload(request: web.Request) -> web.Response:
    assert request.headers["X-Goog-Upload-Command"] == "upload, finalize"
    body = await request.read()
    return web.json_response(
        {"file": {"name": "files/1", "sizeBytes": str(len(body))}},
        headers={"X-Goog-Upload-Status": "final"},
    )


async def test_client() -> None:
    """An answer, the same in pieces, an error in its own terms, and a file in two steps."""
    from google import genai
    from google.genai import errors, types

    application = web.Application()
    application.router.add_post("/{version}/models/{call}", generate)
    application.router.add_post("/upload/{version}/files", begin_upload)
    application.router.add_post("/upload/1", upload)
    async with serving(application) as origin, ClientSession(headers=OURS) as session:
        options = types.HttpOptions(base_url=origin, aiohttp_client=session)
        client = genai.Client(api_key="hush", http_options=options)
        models = client.aio.models
        assert (await models.generate_content(model="m", contents="hello")).text == "heard: hello"
        pieces = [
            piece.text
            async for piece in await models.generate_content_stream(model="m", contents="☀")
        ]
        assert pieces == ["heard", ": ", "☀"]
        with pytest.raises(errors.ClientError, match="no such thing"):
            await models.generate_content(model="m", contents="nothing")
        sent = await client.aio.files.upload(
            file=io.BytesIO(bytes(300_000)), config={"mime_type": "image/png"}
        )
        assert sent.size_bytes == 300_000
        await client.aio.aclose()
        assert not session.closed
