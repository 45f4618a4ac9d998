"""What a signer sees of a request: what goes out, as far as it can be signed."""

from multidict import CIMultiDict
from yarl import URL

from ...message.body import Body


class UnsignedRequest:
    """A request as it goes out, before it is signed.

    Attributes:
        method: such as ``GET``.
        url: where it goes; a signer may set one with another query or another spelling of the path.
        headers: all fields, ``Host``, ``Authorization`` and ``Cookie`` included; a signer may change them.
        body: the bytes that are sent, content codings applied; ``b""`` for no body. None for a signer whose
            ``needs_body`` is False.
        content: the body itself; None for no body. A signer may set another one.
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
        """Path and query, as the request line has them."""
        return self.url.raw_path_qs

    @property
    def authority(self) -> str:
        """Host and port, as the ``Host`` field has them."""
        return self.headers.get("Host", "")

    def __repr__(self) -> str:
        return f"<UnsignedRequest {self.method} {self.url.raw_path}>"
