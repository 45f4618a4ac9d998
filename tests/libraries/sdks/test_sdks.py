"""openai and anthropic, unchanged, over our transports: chats, streams, retries, limits, and streams that are left."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Vendor

MESSAGES: Any = [{"role": "user", "content": "Say hello"}]


class Chat:
    """What both SDKs can do, by the same names."""

    def __init__(self, sdk: str, made_by: Callable[[str], tuple[Any, Any]], url: str) -> None:
        self.sdk = sdk
        self.library, self.ours = made_by(sdk)
        self.url = url

    def blocking(self, **more: Any) -> Any:
        client = self.library.Client(transport=self.ours.Transport())
        if self.sdk == "openai":
            import openai

            return openai.OpenAI(api_key="k", base_url=f"{self.url}/v1", http_client=client, **more)
        import anthropic

        return anthropic.Anthropic(api_key="k", base_url=self.url, http_client=client, **more)

    def awaited(self, **more: Any) -> Any:
        client = self.library.AsyncClient(transport=self.ours.AsyncTransport())
        if self.sdk == "openai":
            import openai

            return openai.AsyncOpenAI(
                api_key="k", base_url=f"{self.url}/v1", http_client=client, **more
            )
        import anthropic

        return anthropic.AsyncAnthropic(api_key="k", base_url=self.url, http_client=client, **more)

    def create(self, client: Any, **more: Any) -> Any:
        if self.sdk == "openai":
            return client.chat.completions.create(model="m", messages=MESSAGES, **more)
        return client.messages.create(model="m", max_tokens=9, messages=MESSAGES, **more)

    def text(self, answer: Any) -> str:
        if self.sdk == "openai":
            return str(answer.choices[0].message.content)
        return str(answer.content[0].text)

    def piece(self, event: Any) -> str:
        if self.sdk == "openai":
            return event.choices[0].delta.content or ""
        return getattr(getattr(event, "delta", None), "text", None) or ""

    @property
    def timeout_error(self) -> Any:
        import importlib

        return importlib.import_module(self.sdk).APITimeoutError


@pytest.fixture(params=["openai", "anthropic"])
def chat(
    request: pytest.FixtureRequest, made_by: Callable[[str], tuple[Any, Any]], vendor: Vendor
) -> Chat:
    return Chat(request.param, made_by, vendor.url)


def test_blocking(chat: Chat, vendor: Vendor) -> None:
    with chat.blocking() as client:
        assert chat.text(chat.create(client)) == "Hello"
        events = chat.create(client, stream=True)
        assert "".join(map(chat.piece, events)) == "Hello"
        vendor.refusals = 2
        assert chat.text(chat.create(client)) == "Hello"
        assert len(vendor.seen) == 5
        vendor.silent = True
        with pytest.raises(chat.timeout_error):
            chat.create(client.with_options(max_retries=0, timeout=0.05))
    assert vendor.seen[0]["body"]["messages"] == MESSAGES
    headers = {name.lower(): value for name, value in vendor.seen[0]["headers"].items()}
    assert headers.get("authorization", headers.get("x-api-key")) in ("Bearer k", "k")


def test_awaited(chat: Chat, vendor: Vendor) -> None:
    async def main() -> None:
        async with chat.awaited() as client:
            assert chat.text(await chat.create(client)) == "Hello"
            events = await chat.create(client, stream=True)
            assert "".join([chat.piece(event) async for event in events]) == "Hello"
            vendor.refusals = 2
            assert chat.text(await chat.create(client)) == "Hello"
            assert len(vendor.seen) == 5
            answers = await asyncio.gather(*(chat.create(client) for _ in range(20)))
            assert {chat.text(answer) for answer in answers} == {"Hello"}
            vendor.silent = True
            with pytest.raises(chat.timeout_error):
                await chat.create(client.with_options(max_retries=0, timeout=0.05))

    asyncio.run(main())


def test_a_stream_that_is_left(chat: Chat, vendor: Vendor) -> None:
    """The vendor notices at once: nobody pays for what nobody reads."""
    vendor.endless = True
    with chat.blocking() as client:
        events = chat.create(client, stream=True)
        for event in events:
            if chat.piece(event) == "Hel":
                break
        events.close()
        assert vendor.left.wait(10)
        vendor.endless = False
        assert chat.text(chat.create(client)) == "Hello"
    vendor.left.clear()
    vendor.endless = True

    async def main() -> None:
        async with chat.awaited() as client:
            begun = asyncio.Event()

            async def read() -> None:
                async for event in await chat.create(client, stream=True):
                    if chat.piece(event) == "Hel":
                        begun.set()

            task = asyncio.create_task(read())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            while not vendor.left.is_set():
                await asyncio.sleep(0)

    asyncio.run(main())
