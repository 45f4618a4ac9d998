"""What every outgoing body knows and does."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from ...exceptions import BodyConsumedError

OCTET_STREAM = "application/octet-stream"

# How much of a body is read and handed to the writer at a time (aiohttp: the same). It bounds what
# an upload holds in memory; a thread hop for each piece of a file is small beside the copying.
PIECE = 2**18


class BodyWriter(Protocol):
    """Where a body goes: the connection that carries the request."""

    async def write(self, chunk: bytes | bytearray | memoryview, /) -> None:
        """Send *chunk*, which must not change any more; wait while the socket's buffer is full."""


class Pieces:
    """A writer that keeps what is written."""

    __slots__ = ("written",)

    def __init__(self) -> None:
        self.written: list[bytes] = []

    async def write(self, chunk: bytes | bytearray | memoryview, /) -> None:
        """Keep a piece."""
        self.written.append(bytes(chunk))


class Body:
    """The content of a request (RFC 9110, section 6.4).

    Attributes:
        size: its bytes; None when only sending it will tell.
        content_type: the media type for a request that names none itself; None adds no field.
        headers: further fields that describe it; None when there are none.
        replayable: whether it can be sent again after it was sent, whole or in part.
        data: all of it when it is in memory, else None.
    """

    __slots__ = ()

    size: int | None
    content_type: str | None
    headers: Mapping[str, str] | None
    replayable: bool
    data: bytes | None

    async def write(self, writer: BodyWriter) -> None:
        """Send all of it, from its beginning, in pieces that are never empty.

        Raises:
            BodyConsumedError: it was sent before and cannot be read again.
            BodySizeError: its source gave fewer or more bytes than ``size``.
        """
        raise NotImplementedError

    async def read(self) -> bytes:
        """Return all of it. It can be sent afterwards: what can be read only once is kept.

        Raises:
            BodyConsumedError: it was sent before and cannot be read again.
        """
        if self.data is not None:
            return self.data
        pieces = Pieces()
        await self.write(pieces)
        self.rewind()
        return b"".join(pieces.written)

    def rewind(self) -> None:
        """Make ready to send it again; nothing happens to a body that was not sent yet.

        Raises:
            BodyConsumedError: it was sent, and its source cannot be read a second time.
        """

    async def close(self) -> None:
        """Let go of what the library opened for it. What the caller opened stays open."""

    @property
    def source(self) -> "Body":
        """The body without what was laid around it."""
        return self

    @property
    def coding(self) -> str | None:
        """The content coding that it is put into on its way out; None for none."""
        return None

    def around(self, body: "Body") -> "Body":
        """Return *body* with everything around it that is around this one."""
        return body

    @property
    def consumed(self) -> bool:
        """Whether it was sent, whole or in part, and cannot be sent again."""
        return False

    def __repr__(self) -> str:
        size = "unknown size" if self.size is None else f"{self.size} bytes"
        kind = self.content_type
        if kind is not None and not kind.isprintable():  # 0x80 to 0x9F, which a field may hold
            kind = repr(kind)
        return f"<{type(self).__name__} {kind}, {size}>"


class SourceBody(Body):
    """A body that reads from a source: one send at a time, and perhaps only one at all.

    A send that was given up may take a moment to end; one that follows a ``rewind()`` waits for that.
    """

    __slots__ = (
        "_rewound",
        "_started",
        "_under_way",
        "content_type",
        "headers",
        "replayable",
        "size",
    )

    data = None

    def __init__(
        self,
        *,
        size: int | None,
        content_type: str | None,
        replayable: bool,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.size = size
        self.content_type = content_type
        self.replayable = replayable
        self.headers = headers
        self._started = False
        self._rewound = False
        self._under_way: asyncio.Future[None] | None = None  # of the send under way

    async def write(self, writer: BodyWriter) -> None:
        """Send all of it, as ``Body.write`` says.

        Raises:
            RuntimeError: it is being sent at this moment, by another request that shares it.
        """
        while self._under_way is not None:
            if not self._rewound:
                raise RuntimeError(
                    f"the request body {self!r} is being sent by another request at this moment; "
                    "give each request its own, or pass bytes"
                )
            await asyncio.shield(self._under_way)
        self.rewind()
        self._started = True
        self._rewound = False
        self._under_way = ended = asyncio.get_running_loop().create_future()
        try:
            await self._send(writer)
        finally:
            self._under_way = None
            ended.set_result(None)

    async def _send(self, writer: BodyWriter) -> None:
        raise NotImplementedError

    def rewind(self) -> None:
        """Make ready to send it again, as ``Body.rewind`` says."""
        if self._started:
            if not self.replayable:
                raise self._consumed()
            self._started = False
            self._rewound = True

    def _consumed(self) -> BodyConsumedError:
        return BodyConsumedError(
            f"the request body {self!r} was sent already and its source cannot be read again; "
            "pass bytes, a seekable file or an object that can be iterated again"
        )

    @property
    def consumed(self) -> bool:
        """Whether it was sent, whole or in part, and cannot be sent again."""
        return self._started and not self.replayable
