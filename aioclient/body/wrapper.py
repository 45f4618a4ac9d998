"""The base of bodies that wrap another body, and change or watch its bytes."""

from collections.abc import Mapping

from ..message.body import Body


class BodyWrapper(Body):
    """A body that is never completely in memory, and delegates everything but sending to the wrapped body."""

    __slots__ = ("_body", "content_type", "headers", "replayable", "size")

    data: bytes | None = None

    def __init__(self, body: Body, size: int | None, headers: Mapping[str, str] | None) -> None:
        self._body = body
        self.size: int | None = size
        self.headers: Mapping[str, str] | None = headers
        self.content_type: str | None = body.content_type
        self.replayable: bool = body.replayable

    @property
    def source(self) -> Body:
        """The body without its wrappers."""
        return self._body.source

    async def read(self) -> bytes:
        """Return the whole wrapped body, unchanged; nothing is reported, because nothing is sent."""
        return await self._body.read()

    def rewind(self) -> None:
        """Prepare to send it again, as ``Body.rewind``."""
        self._body.rewind()

    async def close(self) -> None:
        """Close the wrapped body."""
        await self._body.close()

    @property
    def consumed(self) -> bool:
        """Whether it was sent, in whole or in part, and cannot be sent again."""
        return self._body.consumed
