"""A request and a response as senders exchange them: plain values, which every kind of sender understands."""

from collections.abc import Mapping, MutableMapping
from copy import copy, deepcopy
from dataclasses import dataclass, field
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from ..exceptions import shown, shown_bad


@dataclass(repr=False)
class Request:
    """What to send. Its ``repr()`` has the method and the URL, without secrets.

    Attributes:
        method: the method.
        url: absolute.
        params: appended to the URL's query; None for nothing.
        headers: header fields.
        data: form fields.
        json: any value that JSON can hold.
        content: the body as text or bytes.
    """

    method: str
    url: str
    params: Mapping[str, Any] | None = None
    headers: MutableMapping[str, str] | None = None
    data: Mapping[str, Any] | None = None
    json: Any = None
    content: str | bytes | None = None

    def __repr__(self) -> str:
        return f"Request(method={self.method!r}, url={shown_url(self.url)!r})"


@dataclass(repr=False)
class Response:
    """What came back. Its ``repr()`` has the URL, without secrets, and the status.

    Attributes:
        url: the URL that was answered.
        headers: header fields; names ignore case.
        status_code: the status.
        content: the body parsed as JSON; None if it is empty or not JSON.
        raw: the body.
    """

    url: str
    headers: Mapping[str, str]
    status_code: int
    content: Any
    raw: bytes = field(default=b"", repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.headers, (CIMultiDict, CIMultiDictProxy)):
            self.headers = CIMultiDict(self.headers)

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status_code < 400

    @property
    def text(self) -> str:
        """The body as UTF-8 text, with U+FFFD for invalid bytes."""
        return self.raw.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the body parsed as JSON; None if it is empty or not JSON."""
        return self.content

    def copy(self) -> "Response":
        """Return one that can be changed on its own."""
        return Response(self.url, self.headers, self.status_code, deepcopy(self.content), self.raw)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "headers": CIMultiDict(self.headers)}  # a proxy cannot be copied

    def __repr__(self) -> str:
        return f"Response(url={shown_url(self.url)!r}, status_code={self.status_code!r})"


def own_response(response: Any) -> Response:
    """Return *response*, or what it says if its class is another sender's, such as tekore's."""
    if isinstance(response, Response):
        return response
    return Response(
        response.url,
        response.headers,
        response.status_code,
        response.content,
        getattr(response, "raw", b""),
    )


def copy_of(request: Request) -> Request:
    """Return a request like *request*, whose attributes, fields and parameters can be changed on their own."""
    other = copy(request)
    other.headers = copy(request.headers)
    other.params = copy(request.params)
    return other


def shown_url(url: str) -> str:
    """Return *url* for a message: without secrets."""
    try:
        return shown(URL(url))
    except (TypeError, ValueError):
        return shown_bad(url)
