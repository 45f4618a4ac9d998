"""The SDKs of AI vendors over our transports: run where they are installed, by ``make sdks``; skipped elsewhere."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from aiohttp import web

from tests.servers.threaded import ThreadedServer

IS_INSTALLED = bool(find_spec("openai") and find_spec("anthropic"))


def pytest_runtest_setup() -> None:
    if not IS_INSTALLED:
        pytest.skip("the dependency groups 'sdks' and 'sdks-on-httpx' are not installed: make sdks")


class Vendor(ThreadedServer):
    """A server that speaks as much of both APIs as a chat needs; ``seen`` are the requests.

    Attributes:
        refusals: how many requests are answered with 429 first.
        silent: whether it answers at all.
        endless: whether a stream goes on for ever.
    """

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.refusals = 0
        self.silent = False
        self.endless = False
        self.left = threading.Event()
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._openai)
        app.router.add_post("/v1/messages", self._anthropic)
        super().__init__(app)

    async def _refused(self, request: web.Request) -> web.Response | None:
        self.seen.append({"body": await request.json(), "headers": dict(request.headers)})
        if self.silent:
            await asyncio.Event().wait()
        if self.refusals:
            self.refusals -= 1
            error = {"error": {"type": "rate_limit_error", "message": "slow down"}}
            return web.json_response(error, status=429, headers={"Retry-After-Ms": "1"})
        return None

    async def _stream(
        self, request: web.Request, events: list[tuple[str | None, Any]]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            for name, data in events:
                head = f"event: {name}\n" if name else ""
                text = data if isinstance(data, str) else json.dumps(data)
                await response.write(f"{head}data: {text}\n\n".encode())
            while self.endless:
                await response.write(b": so it goes on\n\n")
                await asyncio.sleep(0)
        except (asyncio.CancelledError, ConnectionError):
            self.left.set()
            raise
        return response

    async def _openai(self, request: web.Request) -> web.StreamResponse:
        if (refusal := await self._refused(request)) is not None:
            return refusal
        common = {"id": "c", "created": 1, "model": "m"}
        if self.seen[-1]["body"].get("stream"):
            chunks = [
                {
                    **common,
                    "object": "chat.completion.chunk",
                    "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}],
                }
                for text in ("Hel", "lo")
            ]
            end = [] if self.endless else [(None, "[DONE]")]
            return await self._stream(request, [*((None, chunk) for chunk in chunks), *end])
        message = {"role": "assistant", "content": "Hello"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return web.json_response({**common, "object": "chat.completion", "choices": [choice]})

    async def _anthropic(self, request: web.Request) -> web.StreamResponse:
        if (refusal := await self._refused(request)) is not None:
            return refusal
        message: dict[str, Any] = {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        if self.seen[-1]["body"].get("stream"):
            deltas: list[tuple[str | None, Any]] = [
                (
                    "content_block_delta",
                    {
                        "type": "content_block_delta",
                        "index": 0,
                        "delta": {"type": "text_delta", "text": text},
                    },
                )
                for text in ("Hel", "lo")
            ]
            start = {
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "text", "text": ""},
            }
            return await self._stream(
                request,
                [
                    ("message_start", {"type": "message_start", "message": message}),
                    ("content_block_start", start),
                    *deltas,
                    ("content_block_stop", {"type": "content_block_stop", "index": 0}),
                    ("message_stop", {"type": "message_stop"}),
                ][: 4 if self.endless else None],
            )
        message["content"] = [{"type": "text", "text": "Hello"}]
        return web.json_response(message)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    vendor = Vendor()
    yield vendor
    vendor.close()


@pytest.fixture
def made_by() -> Callable[[str], tuple[Any, Any]]:
    """Return the library on which the SDK of this name sits, and our transports for it."""

    def find(sdk: str) -> tuple[Any, Any]:
        from importlib import import_module
        from importlib.metadata import version

        major = int(version(sdk).partition(".")[0])
        library = "httpx2" if major >= {"openai": 3, "anthropic": 1}[sdk] else "httpx"
        return import_module(library), import_module(f"aioclient.adapters.{library}")

    return find
