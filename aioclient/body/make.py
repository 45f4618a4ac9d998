"""The entry point: makes a body of a call's ``data`` and ``json``, and of the data that a middleware sets."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp.payload import Payload

from ..message.body import Body, BodyMaker
from ..message.headers import shown_text
from .compressed import check_coding, recoded
from .content import content_body
from .form import form_body
from .memory import BytesBody, json_body, text_body
from .payload import as_payload, body_behind


def make_body(
    data: object,
    json: object,
    *,
    json_serialize: Callable[[Any], str | bytes],
    encoding: str = "utf-8",
) -> Body | None:
    """Return the body for a call's ``data`` or ``json``; None when both are None.

    *encoding* is the charset of text and forms. *json_serialize* turns ``json`` into str or bytes.

    Raises:
        ValueError: both are given, a file is closed or write-only, or the head of a multipart field would contain a
            control character.
        TypeError: ``data`` cannot be sent.
        BodyConsumedError: ``data`` is an aiohttp payload that was already sent.
    """
    if json is not None:
        if data is not None:
            raise ValueError("data and json parameters can not be used at the same time")
        return json_body(json, json_serialize)
    if data is None:
        return None
    # The two most common kinds, past all questions.
    if type(data) is bytes:
        return BytesBody(data)
    if type(data) is str:
        return text_body(data, encoding)
    body = content_body(data, encoding)
    if body is not None:
        return body
    if isinstance(data, (Mapping, list, tuple)):
        return form_body(data, encoding)
    raise TypeError(
        f"data is {type(data).__name__} {shown_text(data)}: a request body is made of bytes, str, "
        "a mapping or list of form fields, an open file, an iterable or async iterable of bytes, "
        "or an aiohttp FormData, MultipartWriter or Payload"
    )


class _Maker:
    """Makes the bodies that middlewares set, and shows them those that they find."""

    __slots__ = ()

    def body_of(self, data: object) -> Body | None:
        body = body_behind(data)
        return make_body(data, None, json_serialize=str) if body is None else body

    def payload_of(self, body: Body) -> Payload:
        return as_payload(body)

    def recoded(self, body: Body | None, compress: object) -> Body | None:
        coding = check_coding(compress)
        return None if body is None else recoded(body, coding)


MAKER: Final[BodyMaker] = _Maker()
