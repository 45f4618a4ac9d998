"""The undecoded body of a blocking response, as a file."""

import io
from asyncio import AbstractEventLoop
from collections.abc import Iterator
from functools import partial
from typing import Any

from ..response.client_response import ClientResponse
from .portal import PORTAL, Errands


class RawBody(io.RawIOBase):
    """The body as it arrives, as a readable file; content codings are not decoded.

    It can be passed to ``shutil.copyfileobj()``, ``gzip.open()`` and ``tarfile.open(fileobj=..., mode="r|")``.
    """

    def __init__(
        self, response: ClientResponse, errands: Errands | None, home: AbstractEventLoop | None
    ) -> None:
        super().__init__()
        self._response = response
        self._errands = errands
        self._home = home
        self._pieces: Any = None
        self._rest = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def _more(self) -> bool:
        """Return whether there is something to read; wait for the next piece if nothing is left of the last one."""
        if self._rest or self._ended:
            return bool(self._rest)
        if self._pieces is None:
            self._pieces = self._response.content.iter_raw()
        piece = PORTAL.run(_next(self._pieces), self._errands, self._home)
        self._ended = not piece
        self._rest = memoryview(piece)
        return bool(piece)

    def readinto(self, buffer: Any) -> int:
        """Read into *buffer* what has arrived, at least one byte; return how many bytes, 0 at the end."""
        target = memoryview(buffer).cast("B")
        if not len(target) or not self._more():
            return 0
        piece, self._rest = self._rest[: len(target)], self._rest[len(target) :]
        target[: len(piece)] = piece
        return len(piece)

    def read(self, size: int | None = -1, decode_content: bool = False) -> bytes:
        """Return *size* bytes, or fewer at the end; the whole rest if *size* is None or negative.

        With *decode_content* the whole body is returned, decoded.

        Raises:
            ValueError: *decode_content* together with a *size*.
        """
        if decode_content:
            if size is not None and size >= 0:
                raise ValueError(
                    "read(decode_content=True) gives the whole body: iter_content() decodes in pieces"
                )
            return PORTAL.run(self._response.read(), self._errands, self._home)
        pieces = []
        missing = -1 if size is None or size < 0 else size
        while missing and self._more():
            piece = self._rest if missing < 0 else self._rest[:missing]
            self._rest = self._rest[len(piece) :]
            missing -= len(piece) if missing > 0 else 0
            pieces.append(piece)
        return b"".join(pieces)

    def stream(self, size: int = 2**16, decode_content: bool = False) -> Iterator[bytes]:
        """Yield the body in pieces of at most *size* bytes."""
        while piece := self.read(size, decode_content):
            yield piece

    def close(self) -> None:
        """Close the file; the unread rest of the body is dropped."""
        if not self.closed:
            super().close()
            if not self._response.closed and self._home is PORTAL.loop:
                PORTAL.run(_close(self._response))

    def __del__(self) -> None:
        # close() would wait, and this may be any thread, even that of the loop; or the end of the interpreter.
        if not self.closed and not self._response.closed and self._home is PORTAL.loop:
            PORTAL.start(partial(_close, self._response))


async def _next(pieces: Any) -> bytes:
    async for piece in pieces:
        return bytes(piece)
    return b""


async def _close(response: ClientResponse) -> None:
    response.close()
