"""What goes around another body, and changes or watches what it sends."""

from collections.abc import Mapping

from ..message.body import Body


class BodyWrapper(Body):
    """A body that is never whole in memory, and leaves everything but the sending to the one within."""

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
        """The body without what was laid around it."""
        return self._body.source

    async def read(self) -> bytes:
        """Return all of the body within, unchanged; nobody is told, since nothing is sent."""
        return await self._body.read()

    def rewind(self) -> None:
        """Make ready to send it again, as ``Body.rewind`` says."""
        self._body.rewind()

    async def close(self) -> None:
        """Close the body within."""
        await self._body.close()

    @property
    def consumed(self) -> bool:
        """Whether it was sent, whole or in part, and cannot be sent again."""
        return self._body.consumed
