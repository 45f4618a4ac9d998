"""Request bodies in the chunked coding (RFC 9112, section 7)."""

from ..body_writers import Sink


class ChunkWriter:
    """Writes a body of unknown length in chunks (section 7.1)."""

    __slots__ = ("_sink",)

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Write one chunk; an empty one, which would end the body, is skipped."""
        data = bytes(chunk)
        if data:
            await self._sink.write(b"%x\r\n%b\r\n" % (len(data), data))

    async def finish(self) -> None:
        """Write the last chunk."""
        await self._sink.write(b"0\r\n\r\n")
