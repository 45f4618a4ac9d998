"""Makes the body of a single value: everything except forms."""

import io
from collections.abc import AsyncIterable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import IO, Any, Protocol, cast, runtime_checkable

from aiohttp import FormData
from aiohttp.payload import Payload

from ..message.body import Body
from .file import FileBody
from .iterable import AsyncIterableBody, IterableBody
from .memory import BytesBody, text_body
from .payload import PayloadBody, is_aiohttps_own, registered_payload


@runtime_checkable
class _Stream(Protocol):
    """The body of a response, which may be sent as a request's body."""

    def iter_any(self) -> AsyncIterable[bytes]:
        """Iterate over the body as it comes."""


def content_body(data: object, encoding: str) -> Body | None:
    """Return *data* as a body; None if it is no content by itself (forms, numbers ...).

    Types registered with ``aiohttp.payload`` take precedence over the object's methods. *encoding* is for text.
    """
    if isinstance(data, str):
        return text_body(data, encoding)
    if isinstance(data, (bytes, bytearray, memoryview)):
        # A copy, because it may change: the body must be the same when it is sent again.
        return BytesBody(bytes(data))
    if isinstance(data, Body):
        return data
    if isinstance(data, FormData):
        data = data()
    if isinstance(data, Payload):
        return PayloadBody(data)
    if isinstance(data, io.StringIO):
        return text_body(data.read(), encoding)
    payload = registered_payload(data)
    if payload is not None and not is_aiohttps_own(payload):
        return PayloadBody(payload)
    if isinstance(data, _Stream):
        # Not by lines, which may be of any length.
        return AsyncIterableBody(data.iter_any())
    if isinstance(data, AsyncIterable):
        return AsyncIterableBody(data)
    if is_file(data):
        return FileBody(cast(IO[Any], data), encoding)
    if isinstance(data, Iterable) and not isinstance(data, (Mapping, AbstractSet, list, tuple)):
        return IterableBody(data)
    return None if payload is None else PayloadBody(payload)


def is_file(data: object) -> bool:
    """Tell whether *data* can be read like a file."""
    return callable(getattr(data, "read", None))
