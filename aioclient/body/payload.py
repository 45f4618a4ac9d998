"""aiohttp's payloads as bodies, and bodies as parts of aiohttp's multipart writer."""

import re
from collections.abc import Iterator

from aiohttp import MultipartWriter
from aiohttp import payload as payloads
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload
from multidict import CIMultiDict

from ..exceptions import BodyConsumedError, BodySizeError
from ..message.body import Body, BodyWriter
from ..message.headers import (
    CONTENT_LENGTH,
    CONTENT_TYPE,
    TRANSFER_ENCODING,
    check_name,
    check_value,
)
from .memory import BytesBody
from .source import SourceBody

_AIOHTTPS_OWN = frozenset(
    (
        payloads.AsyncIterablePayload,
        payloads.BufferedReaderPayload,
        payloads.BytesIOPayload,
        payloads.BytesPayload,
        payloads.IOBasePayload,
        payloads.StringIOPayload,
        payloads.StringPayload,
        payloads.TextIOPayload,
    )
)


def registered_payload(data: object) -> Payload | None:
    """Return *data* as the payload registered for its type with aiohttp, else None.

    Asking the registry makes the payload: aiohttp's own one for async iterables calls ``__aiter__()`` once, in vain if
    it is not used.
    """
    try:
        return payloads.get_payload(data, disposition=None)
    except payloads.LookupError:
        return None


def is_aiohttps_own(payload: Payload) -> bool:
    """Tell whether *payload* is of a kind for which our file, iterable and memory bodies are better."""
    return type(payload) in _AIOHTTPS_OWN


class PayloadBody(SourceBody):
    """A payload of aiohttp, including ``MultipartWriter``, or of the user.

    It is replayable if it knows its size: its bytes are counted, so that a payload without bytes the second time raises
    instead of sending an empty body. A file that can seek is replayable too: aiohttp's payload for it begins at the
    same position again.
    """

    __slots__ = ("_payload",)

    def __init__(self, payload: Payload) -> None:
        """Wrap *payload* after checking its fields and those of its parts.

        Raises:
            BodyConsumedError: it was sent before and cannot be sent again.
            ValueError: a field of it or of a part contains a control character or has an invalid name; or a part in
                memory contains its own boundary.
        """
        if payload.consumed:
            raise BodyConsumedError(
                f"the {type(payload).__name__} was sent or closed already and cannot be sent "
                "again; make a new one"
            )
        _check_fields(payload)
        if isinstance(payload, MultipartWriter):
            _check_boundaries(payload, ())
        self._payload = payload
        headers = CIMultiDict(payload.headers)
        content_type = headers.pop(CONTENT_TYPE, None)
        # The framing of the message is decided by the connection.
        headers.popall(CONTENT_LENGTH, None)
        headers.popall(TRANSFER_ENCODING, None)
        leaves = list(_leaves(payload))
        super().__init__(
            # aiohttp mistakes a text file's size on disk for the size of its encoded text.
            size=None
            if any(isinstance(leaf, payloads.TextIOPayload) for leaf in leaves)
            else payload.size,
            content_type=content_type,
            replayable=all(_can_be_sent_twice(leaf) for leaf in leaves),
            headers=headers or None,
        )

    @property
    def payload(self) -> Payload:
        """The wrapped payload."""
        return self._payload

    def rewind(self) -> None:
        """Prepare to send it again, as ``Body.rewind``."""
        super().rewind()
        if self._payload.consumed:
            raise self._consumed()

    async def _send(self, writer: BodyWriter) -> None:
        adapter = _PayloadWriter(writer, self.size)
        await self._payload.write_with_length(adapter, self.size)
        if self.size is not None and adapter.output_size != self.size:
            raise BodySizeError(
                f"the {type(self._payload).__name__} gave {adapter.output_size} bytes "
                f"of the {self.size} announced"
            )

    async def close(self) -> None:
        """Close the payloads, but not files: the caller opened those."""
        for leaf in _leaves(self._payload):
            if not isinstance(leaf, (payloads.IOBasePayload, BodyPart)):
                await leaf.close()


def _can_be_sent_twice(leaf: Payload) -> bool:
    if leaf.size is not None:
        return True
    return isinstance(leaf, payloads.IOBasePayload) and bool(leaf._value.seekable())


class BodyPart(Payload):
    """A body as a payload, which can be a part of a ``MultipartWriter`` and be read by an aiohttp middleware."""

    _value: Body

    def __init__(self, body: Body) -> None:
        super().__init__(body, content_type=body.content_type, headers=dict(body.headers or {}))

    @property
    def size(self) -> int | None:
        """The body's size in bytes, or None."""
        return self._value.size

    @property
    def consumed(self) -> bool:
        """Whether the body cannot be sent again."""
        return self._value.consumed

    @property
    def is_in_memory(self) -> bool:
        """Whether ``decode()`` can return it."""
        return self._value.data is not None

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return it as text.

        Raises:
            TypeError: it is not in memory.
        """
        if self._value.data is None:
            raise TypeError(f"{self._value!r} is not in memory: write() it")
        return self._value.data.decode(encoding, errors)

    async def as_bytes(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Return the whole body; it can still be sent afterwards."""
        return await self._value.read()

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send the body."""
        await self._value.write(writer)

    async def close(self) -> None:
        """Close the body."""
        await self._value.close()


class InMemory(payloads.BytesPayload):
    """A body in memory as a payload; without aiohttp's warning about its size."""

    _value: bytes

    def __init__(self, body: BytesBody) -> None:
        Payload.__init__(self, body.data, content_type=body.content_type)
        self._size = body.size
        self.body = body


def as_payload(body: Body) -> Payload:
    """Return *body* as an aiohttp payload, to be read."""
    if isinstance(body, BytesBody):
        return InMemory(body)
    return body.payload if isinstance(body, PayloadBody) else BodyPart(body)


def body_behind(payload: object) -> Body | None:
    """Return the body of a *payload* made by ``as_payload()``, None for any other object."""
    if isinstance(payload, InMemory):
        return payload.body
    return payload._value if isinstance(payload, BodyPart) else None


class _PayloadWriter(AbstractStreamWriter):
    """A body's writer in the form for payloads; it refuses more bytes than announced."""

    length = None

    def __init__(self, writer: BodyWriter, size: int | None) -> None:
        self._writer = writer
        self._size = size

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        if type(chunk) is not bytes:
            # A copy: the payload may reuse its buffer while the socket still uses it.
            chunk = bytes(chunk)
        if not chunk:
            return
        self.output_size += len(chunk)
        if self._size is not None and self.output_size > self._size:
            raise BodySizeError(
                f"the request body's payload gave {self.output_size} bytes or more, "
                f"but announced {self._size}"
            )
        await self._writer.write(chunk)

    async def write_eof(self, chunk: bytes = b"") -> None:
        await self.write(chunk)

    async def drain(self) -> None:
        """Do nothing: ``write`` has already waited."""

    def enable_compression(self, encoding: str = "deflate", strategy: int | None = None) -> None:
        raise RuntimeError("a payload cannot change the content coding: the request's head is sent")

    def enable_chunking(self) -> None:
        raise RuntimeError("a payload cannot change the framing: the request's head is sent")

    async def write_headers(self, status_line: str, headers: "CIMultiDict[str]") -> None:
        raise RuntimeError("a payload cannot write a head: the request's head is sent")


def _leaves(payload: Payload) -> Iterator[Payload]:
    if isinstance(payload, MultipartWriter):
        for part, _, _ in payload:
            yield from _leaves(part)
    else:
        yield payload


# aiohttp's own boundaries: 122 random bits of the operating system (``uuid.uuid4``), never in a content.
_DRAWN = re.compile(r"[0-9a-f]{32}").fullmatch


def _check_boundaries(writer: MultipartWriter, outer: tuple[str, ...]) -> None:
    """Refuse a part in memory with a line that begins like the delimiter of an enclosing multipart.

    A boundary must not appear in the enclosed parts (RFC 2046, section 5.1.1), and only the caller can choose another
    one. Parts that are encoded, or read while they are sent, are not checked.
    """
    boundary = writer.boundary
    if any(boundary.startswith(around) for around in outer):
        raise ValueError(
            f"the boundary {boundary!r} of a multipart begins as that of the multipart around it; "
            "choose another one, or none"
        )
    chosen = outer if _DRAWN(boundary) else (*outer, boundary)
    for part, content_coding, transfer_coding in writer:
        if isinstance(part, MultipartWriter):
            _check_boundaries(part, chosen)
        elif chosen and not content_coding and not transfer_coding:
            text = _text_in_memory(part)
            for around in chosen if text is not None else ():
                if f"\n--{around}" in f"\n{text}":
                    raise ValueError(
                        f"a part of the multipart contains its boundary {around!r}; choose another one, or give none"
                    )


def _text_in_memory(part: Payload) -> str | None:
    """Return the bytes of *part* as characters, if they are in memory."""
    if isinstance(part, payloads.BytesPayload) or (
        isinstance(part, BodyPart) and part.is_in_memory
    ):
        try:
            return part.decode("latin-1")
        except AttributeError:  # aiohttp's payload of a memoryview has no working one
            return None
    return None


def _check_fields(payload: Payload) -> None:
    # aiohttp checks for control characters while it writes, after the request's head was sent, and does not check the
    # syntax of names.
    for name, value in payload.headers.items():
        check_value(check_name(name), value)
    if isinstance(payload, MultipartWriter):
        for part, _, _ in payload:
            _check_fields(part)
