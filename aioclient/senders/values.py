"""A request and a response as senders exchange them: plain values, which every kind of sender understands."""

from collections.abc import Mapping, MutableMapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy


@dataclass
class Request:
    """What to send.

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


@dataclass
class Response:
    """What came back.

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
