"""The step that signs requests: the last one, after credentials and cookies.

Each attempt and each hop is signed anew, on a copy of the request. The signature covers exactly what is sent: a body is
read before it is signed, and the same bytes are sent.
"""

from collections.abc import Awaitable, Mapping
from inspect import isawaitable
from typing import Any, Final, Protocol

from ...chain import Handler, in_time, name_of
from ...exceptions import BodyConsumedError, shown
from ...message.body import Body, CollectingWriter
from ...message.headers import (
    AUTHORIZATION,
    CONTENT_LENGTH,
    COOKIE,
    TRANSFER_ENCODING,
)
from ...message.origin import origin_of
from ...message.request import Request
from ...response.client_response import ClientResponse
from .unsigned import UnsignedRequest

_METHODS_WITH_BODY: Final = frozenset(("POST", "PUT", "PATCH"))


class Signer(Protocol):
    """Signs requests: a function, plain or async, or a callable object.

    It gets an ``UnsignedRequest``, and changes its fields or query, or returns fields to set. Three attributes are
    optional: ``needs_body``, whether it needs the body's bytes (True); ``identity``, a str that names the owner of the
    key, for caches; ``async check(response)``, which is called for each response and may raise.
    """

    def __call__(
        self, request: UnsignedRequest, /
    ) -> Awaitable[Mapping[str, str] | None] | Mapping[str, str] | None:
        """Sign *request*."""


def check_signer(signer: object) -> None:
    """Refuse a signer that is neither None nor callable."""
    if signer is not None and (not callable(signer) or isinstance(signer, type)):
        raise TypeError(
            f"signer must be a function or object that can be called with a request, found {type(signer).__name__}"
            f"{' ' + signer.__qualname__ if isinstance(signer, type) else ''}"
        )


async def sign(request: Request, handler: Handler) -> ClientResponse:
    """Send *request* with the signature of its signer, if it has one.

    Raises:
        BodyConsumedError: the signer needs the bytes of a body that can be read only once; nothing was sent.
        TotalTimeoutError: the signer, or its ``check()``, did not end within the deadline.
        TypeError: the signer returned neither a mapping nor None.
        ValueError: the signer changed the origin of the request.
    """
    signer: Signer | None = request.options.signer
    if signer is None:
        return await handler(request)
    response = await handler(await _signed(request, signer))
    check = getattr(signer, "check", None)
    if check is not None:
        try:
            await in_time(request, check(response), "no end of its check")
        except BaseException:
            response.close()  # nobody else will close it
            raise
    return response


async def _signed(request: Request, signer: Signer) -> Request:
    copy = request.copy()
    body: bytes | None = b""
    if not getattr(signer, "needs_body", True):
        body = None
    elif copy.content is not None:
        copy.content, body = await _read(copy, copy.content)
    headers = copy.headers
    for field, known in ((AUTHORIZATION, copy.authorization), (COOKIE, copy.cookie)):
        if known is not None:
            headers.setdefault(field, known)
    copy.authorization = copy.cookie = None
    _set_length(copy)
    unsigned = UnsignedRequest(copy.method, copy.url, headers, body, copy.content)
    made: Any = signer(unsigned)
    if isawaitable(made):
        made = await in_time(request, made, "no signature")
    if made is not None:
        if not isinstance(made, Mapping):
            raise TypeError(
                f"{request.label}: the signer {name_of(signer)} must return a mapping of fields to set, or None; "
                f"found {type(made).__name__}"
            )
        for name, value in made.items():
            headers[name] = value
    if unsigned.url != copy.url or unsigned.target != copy.real_url.raw_path_qs:
        if origin_of(unsigned.url) != copy.origin:
            raise ValueError(
                f"{request.label}: the signer led it to {shown(unsigned.url)}, another origin"
            )
        copy.url = unsigned.url
    copy.content = unsigned.content
    return copy


def _set_length(request: Request) -> None:
    """Set the length of the body, if it will be sent, so that it can be signed."""
    headers, content = request.headers, request.content
    if CONTENT_LENGTH in headers or TRANSFER_ENCODING in headers or request.chunked:
        return
    if content is None:
        if request.method in _METHODS_WITH_BODY:
            headers[CONTENT_LENGTH] = "0"
    elif content.size is not None:
        headers[CONTENT_LENGTH] = str(content.size)


async def _read(request: Request, content: Body) -> tuple[Body, bytes]:
    """Return a body of bytes that replaces *content*, and its bytes.

    Raises:
        BodyConsumedError: it can be read only once.
    """
    if content.data is not None:
        return content, content.data
    if not content.replayable:
        raise BodyConsumedError(
            f"{request.label}: signing needs the bytes of the body before it is sent, and this one can be read only "
            "once; give bytes or a seekable file, or a signer that leaves the body unsigned"
        )
    bodies = request.options.bodies
    data = await content.source.read()
    await content.source.close()
    whole = bodies.body_of(data)
    sent = whole if content.coding is None else bodies.recoded(whole, content.coding)
    if whole is None or sent is None:
        return content, data
    if sent is not whole:
        pieces = CollectingWriter()
        await sent.write(pieces)
        data = b"".join(pieces.written)
    return content.around(whole), data
