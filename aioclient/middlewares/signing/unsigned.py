"""The request that a signer gets: everything that will be sent and can be signed."""

from multidict import CIMultiDict
from yarl import URL

from ...message.body import Body


class UnsignedRequest:
    """A request as it will be sent, before it is signed.

    Attributes:
        method: such as ``GET``.
        url: the request's URL; a signer may replace the query, or change the spelling of the path.
        headers: all fields, ``Host``, ``Authorization`` and ``Cookie`` included; a signer may change them.
        body: the bytes that are sent, content codings applied; ``b""`` for no body. None for a signer whose
            ``needs_body`` is False.
        content: the body itself; None for no body. A signer may replace it.
    """

    __slots__ = ("body", "content", "headers", "method", "url")

    def __init__(
        self,
        method: str,
        url: URL,
        headers: "CIMultiDict[str]",
        body: bytes | None = b"",
        content: Body | None = None,
    ) -> None:
        self.method: str = method
        self.url: URL = url
        self.headers: CIMultiDict[str] = headers
        self.body: bytes | None = body
        self.content: Body | None = content

    @property
    def target(self) -> str:
        """Path and query, as in the request line."""
        return self.url.raw_path_qs

    @property
    def authority(self) -> str:
        """Host and port, as in the ``Host`` field."""
        return self.headers.get("Host", "")

    def __repr__(self) -> str:
        return f"<UnsignedRequest {self.method} {self.url.raw_path}>"
