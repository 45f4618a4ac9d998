"""The body of a request: the interface of all bodies, and of what makes them for a request."""

from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias

from aiohttp import FormData
from aiohttp.payload import Payload


class BodyWriter(Protocol):
    """The destination of a body: the connection that carries the request."""

    async def write(self, chunk: bytes | bytearray | memoryview, /) -> None:
        """Send *chunk*, which must not change afterwards; wait while the socket's buffer is full."""


class CollectingWriter:
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
        size: its length in bytes; None when it is known only after sending.
        content_type: the media type for a request that sets none; None adds no field.
        headers: further fields that describe it; None when there are none.
        replayable: whether it can be sent again after it was sent in whole or in part.
        data: the whole body if it is in memory, else None.
    """

    __slots__ = ()

    size: int | None
    content_type: str | None
    headers: Mapping[str, str] | None
    replayable: bool
    data: bytes | None

    async def write(self, writer: BodyWriter) -> None:
        """Send the whole body from its beginning, in pieces that are never empty.

        Raises:
            BodyConsumedError: it was sent before and cannot be read again.
            BodySizeError: its source gave fewer or more bytes than ``size``.
        """
        raise NotImplementedError

    async def read(self) -> bytes:
        """Return the whole body. It can still be sent afterwards: a source that can be read only once is kept.

        Raises:
            BodyConsumedError: it was sent before and cannot be read again.
        """
        if self.data is not None:
            return self.data
        pieces = CollectingWriter()
        await self.write(pieces)
        self.rewind()
        return b"".join(pieces.written)

    def rewind(self) -> None:
        """Prepare to send the body again; this does nothing to a body that was not sent yet.

        Raises:
            BodyConsumedError: it was sent, and its source cannot be read a second time.
        """

    async def close(self) -> None:
        """Release what the library opened for it. What the caller opened stays open."""

    @property
    def source(self) -> "Body":
        """The body without its wrappers."""
        return self

    @property
    def coding(self) -> str | None:
        """The content coding that is applied when it is sent; None for none."""
        return None

    def around(self, body: "Body") -> "Body":
        """Return *body* in the same wrappers as this one."""
        return body

    @property
    def consumed(self) -> bool:
        """Whether it was sent, in whole or in part, and cannot be sent again."""
        return False

    def __repr__(self) -> str:
        size = "unknown size" if self.size is None else f"{self.size} bytes"
        kind = self.content_type
        if kind is not None and not kind.isprintable():  # 0x80 to 0x9F, which a field may hold
            kind = repr(kind)
        return f"<{type(self).__name__} {kind}, {size}>"


class Readable(Protocol):
    """A file, or an object that is read like one."""

    def read(self, size: int, /) -> bytes | str:
        """Return at most *size* bytes or characters; nothing at the end."""


Content: TypeAlias = str | bytes | bytearray | memoryview | Readable | FormData | Payload | Body
FormFields: TypeAlias = (
    Mapping[str, object] | Sequence[tuple[str, object] | Mapping[str, object] | Readable]
)
Data: TypeAlias = Content | FormFields | Iterable[bytes] | AsyncIterable[bytes] | None


class BodyMaker(Protocol):
    """Makes bodies of data, and data of bodies, for requests that a middleware changes.

    It is defined above this package; a request gets it with its options.
    """

    def body_of(self, data: object, /) -> Body | None:
        """Return the body for *data*, of any kind that a call accepts; None for None.

        Raises:
            TypeError: it cannot be sent.
        """

    def payload_of(self, body: Body, /) -> Payload:
        """Return *body* as an aiohttp payload; ``body_of()`` makes the same body from it."""

    def recoded(self, body: Body | None, compress: object, /) -> Body | None:
        """Return *body* in the coding that *compress* names, or uncoded (None, False).

        Raises:
            ValueError, TypeError: it names no coding that is supported.
            MissingExtraError: the coding needs a package that is missing.
        """
