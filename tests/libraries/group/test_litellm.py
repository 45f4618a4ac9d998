"""litellm sends by its aiohttp transport, over a session that a call shares with it."""

import json
from typing import Any

import pytest
from aiohttp import web

from aioclient import ClientSession

from .serving import OURS, serving

pytestmark = pytest.mark.both_loops


def completion(content: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }


async def chat(request: web.Request) -> web.StreamResponse:
    assert request.headers["Authorization"] == "Bearer hush"
    asked = await request.json()
    text = asked["messages"][-1]["content"]
    if text == "too much":
        return web.json_response({"error": {"message": "slow down", "code": "429"}}, status=429)
    if not asked.get("stream"):
        return web.json_response(completion(f"heard: {text}"))
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for piece, finish in (("heard", None), (": ", None), (text, "stop")):
        event = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": finish}],
        }
        await response.write(f"data: {json.dumps(event)}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    return response


async def test_chat(monkeypatch: pytest.MonkeyPatch) -> None:
    """A completion, the same in pieces, and an error in its own terms."""
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or its import asks the internet
    import litellm
    from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

    application = web.Application()
    application.router.add_post("/v1/chat/completions", chat)
    async with serving(application) as origin, ClientSession(headers=OURS) as session:

        async def ask(text: str, **more: Any) -> Any:
            return await litellm.acompletion(
                model="openai/m",
                messages=[{"role": "user", "content": text}],
                api_base=f"{origin}/v1",
                api_key="hush",
                shared_session=session,
                max_retries=0,
                **more,
            )

        answer = await ask("hello")
        assert answer.choices[0].message.content == "heard: hello"
        pieces = [
            piece.choices[0].delta.content or "" async for piece in await ask("☀", stream=True)
        ]
        assert "".join(pieces) == "heard: ☀"
        with pytest.raises(litellm.RateLimitError, match="slow down"):
            await ask("too much")
        assert not session.closed
    await GLOBAL_LOGGING_WORKER.stop()
