"""A response body that reports each read to a trace."""

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from ..message.request import Request
from ..response.stream import StreamReader


class Listener(Protocol):
    """The receiver of the reports."""

    def response_chunk_received(self, request: Request, chunk: bytes) -> Awaitable[None]:
        """Receive a piece of the body of the response to *request*."""


class TracedStreamReader(StreamReader):
    """A body that reports each piece as it is read: decoded, and in the reader's sizes.

    Results of ``read_nowait()`` are not reported, because it cannot wait. If the listener raises, the body ends with
    that error and its connection is closed.
    """

    __slots__ = ("_listener", "_request")

    _listener: Listener
    _request: Request

    def attach(self, listener: Listener, request: Request) -> None:
        """Report to *listener*; call it before anything is read."""
        self._listener = listener
        self._request = request

    async def read(self, n: int = -1) -> bytes:
        """Read as the base class does; everything (-1) is reported even if it is empty, as in aiohttp."""
        data = await super().read(n)
        return await self._reported(data) if data or n < 0 else data

    async def readany(self) -> bytes:
        """Read as the base class does."""
        return await self._reported_if_any(await super().readany())

    async def readexactly(self, n: int) -> bytes:
        """Read as the base class does; the bytes before an early end are reported too."""
        try:
            data = await super().readexactly(n)
        except asyncio.IncompleteReadError as error:
            await self._reported_if_any(error.partial)
            raise
        return await self._reported_if_any(data)

    async def readline(self, *, max_line_length: int | None = None) -> bytes:
        """Read as the base class does."""
        return await self._reported_if_any(await super().readline(max_line_length=max_line_length))

    async def readuntil(self, separator: bytes = b"\n", *, max_size: int | None = None) -> bytes:
        """Read as the base class does."""
        return await self._reported_if_any(await super().readuntil(separator, max_size=max_size))

    async def readchunk(self) -> tuple[bytes, bool]:
        """Read as the base class does."""
        data, ends_chunk = await super().readchunk()
        return await self._reported_if_any(data), ends_chunk

    async def _reported_if_any(self, data: bytes) -> bytes:
        return await self._reported(data) if data else data

    async def _reported(self, data: bytes) -> bytes:
        try:
            await self._listener.response_chunk_received(self._request, data)
        except BaseException as error:
            self._fail(error)
            raise
        return data
