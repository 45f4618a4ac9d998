"""The body of a request: what each of them knows and does, and what a request asks of the maker of bodies."""

from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias

from aiohttp import FormData
from aiohttp.payload import Payload


class BodyWriter(Protocol):
    """Where a body goes: the connection that carries the request."""

    async def write(self, chunk: bytes | bytearray | memoryview, /) -> None:
        """Send *chunk*, which must not change any more; wait while the socket's buffer is full."""


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
        pieces = CollectingWriter()
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


class Readable(Protocol):
    """A file, or what is read like one."""

    def read(self, size: int, /) -> bytes | str:
        """Return at most *size* bytes or characters; nothing at the end."""


Content: TypeAlias = str | bytes | bytearray | memoryview | Readable | FormData | Payload | Body
FormFields: TypeAlias = (
    Mapping[str, object] | Sequence[tuple[str, object] | Mapping[str, object] | Readable]
)
Data: TypeAlias = Content | FormFields | Iterable[bytes] | AsyncIterable[bytes] | None


class BodyMaker(Protocol):
    """What makes bodies of data, and data of bodies, for the request that a middleware changes.

    It stands above this package, and is given to a request with its options.
    """

    def body_of(self, data: object, /) -> Body | None:
        """Return the body for *data*, which is of any kind that a call takes; None for None.

        Raises:
            TypeError: it is nothing that can be sent.
        """

    def payload_of(self, body: Body, /) -> Payload:
        """Return *body* as an aiohttp payload; ``body_of()`` makes the same body of it."""

    def recoded(self, body: Body | None, compress: object, /) -> Body | None:
        """Return *body* in the coding that *compress* names, or in none (None, False).

        Raises:
            ValueError, TypeError: it names no coding that is known here.
            MissingExtraError: a package is missing that the coding needs.
        """
