"""The base of bodies that read from a source, which may be readable only once."""

import asyncio
from collections.abc import Mapping
from typing import Final

from ..exceptions import BodyConsumedError
from ..message.body import Body, BodyWriter

OCTET_STREAM: Final = "application/octet-stream"

# How much of a body is read and passed to the writer at a time (as in aiohttp). It bounds the memory of an upload; a
# thread switch for each piece of a file is cheap beside the copying.
PIECE: Final = 2**18


class SourceBody(Body):
    """A body that reads from a source: one send at a time, and perhaps only one at all.

    A send that was given up may need a moment to end; the next one, after a ``rewind()``, waits for that.
    """

    __slots__ = (
        "_rewound",
        "_started",
        "_under_way",
        "content_type",
        "headers",
        "replayable",
        "size",
    )

    data: bytes | None = None

    def __init__(
        self,
        *,
        size: int | None,
        content_type: str | None,
        replayable: bool,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.size: int | None = size
        self.content_type: str | None = content_type
        self.replayable: bool = replayable
        self.headers: Mapping[str, str] | None = headers
        self._started = False
        self._rewound = False
        self._under_way: asyncio.Future[None] | None = None  # of the current send

    async def write(self, writer: BodyWriter) -> None:
        """Send the whole body, as ``Body.write``.

        Raises:
            RuntimeError: another request that shares it is sending it at this moment.
        """
        while self._under_way is not None:
            if not self._rewound:
                raise RuntimeError(
                    f"the request body {self!r} is being sent by another request at this moment; "
                    "give each request its own, or pass bytes"
                )
            await asyncio.shield(self._under_way)
        self.rewind()
        self._started = True
        self._rewound = False
        self._under_way = ended = asyncio.get_running_loop().create_future()
        try:
            await self._send(writer)
        finally:
            self._under_way = None
            ended.set_result(None)

    async def _send(self, writer: BodyWriter) -> None:
        raise NotImplementedError

    def rewind(self) -> None:
        """Prepare to send it again, as ``Body.rewind``."""
        if self._started:
            if not self.replayable:
                raise self._consumed()
            self._started = False
            self._rewound = True

    def _consumed(self) -> BodyConsumedError:
        return BodyConsumedError(
            f"the request body {self!r} was sent already and its source cannot be read again; "
            "pass bytes, a seekable file or an object that can be iterated again"
        )

    @property
    def consumed(self) -> bool:
        """Whether it was sent, in whole or in part, and cannot be sent again."""
        return self._started and not self.replayable
