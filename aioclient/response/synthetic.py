"""Responses made of parts, without a connection: their exchange, and the source of their bodies.

The rules of a body from an async iterable:

- It is asked for a piece when a reader waits for one, never earlier.
- One task does that from the first read to the end, so that timeouts and context managers around its ``yield`` work. A
  cancelled read does not disturb it: the next read gets the piece.
- The call's total limit applies; ``sock_read`` is about sockets, and does not.
- The reader gets its exceptions. If something else cancels it, the reader gets a ``ClientPayloadError``.
- It is closed (``aclose()``, if it has that) when it has ended, failed, or is no longer needed: the response was
  released, closed or forgotten, or the call's time is over. ``async with`` waits for that, and so does ``await
  response.release()``.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any, Final
from weakref import ref

from multidict import CIMultiDict, CIMultiDictProxy

from ..exceptions import ClientConnectionError, ClientPayloadError, TotalTimeoutError
from ..exchange import Exchange, Lease
from ..message.headers import LooseHeaders, check_name, check_value, pairs_of
from ..message.request import Request
from ..message.timings import Timings
from .body_stream import open_stream, stream_of
from .lease import Connection
from .stream import StreamReader

# An iterator that never waits must not block the event loop: after so much it gets a turn, as in an upload.
TURN_BYTES: Final = 2**20
TURN_PIECES: Final = 256

NO_PHASES: Final = Timings()
NO_FIELDS: Final["CIMultiDictProxy[str]"] = CIMultiDictProxy(CIMultiDict())

_tasks: "set[asyncio.Task[None]]" = set()  # the event loop itself references them weakly


class SyntheticExchange(Exchange):
    """The exchange of a response made of parts."""

    __slots__ = ("_timings",)

    def __init__(self, request: Request, timings: Timings | None) -> None:
        super().__init__(request, request.origin.key, 0.0)
        self._timings = NO_PHASES if timings is None else timings

    @property
    def timings(self) -> Timings:
        """The given timings."""
        return self._timings

    def __repr__(self) -> str:
        return f"<Exchange {self.request.label}: made from parts>"


class Puller:
    """Moves the pieces of an async iterable to the stream of a response, as the reader asks for them."""

    __slots__ = (
        "__weakref__",
        "_ended",
        "_exchange",
        "_kept",
        "_lease",
        "_loop",
        "_on_end",
        "_pieces",
        "_request",
        "_running",
        "_stream",
        "_task",
        "_wanted",
    )

    transport: asyncio.Transport | None = None
    exchanges: int = 0

    def __init__(
        self,
        exchange: SyntheticExchange,
        pieces: AsyncIterable[bytes],
        content_encoding: str | None,
        on_end: Callable[[], None],
    ) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._exchange = exchange
        self._request = request = exchange.request
        self._pieces = pieces
        self._on_end = on_end
        self._stream = open_stream(request, content_encoding, self, loop)
        self._stream.pull()
        self._task: asyncio.Task[None] | None = None
        self._wanted: asyncio.Future[None] | None = None
        self._running = False  # whether the task asks for pieces, and must be cancelled
        self._ended = False
        self._kept: list[ref[Lease]] = []
        self._lease: ref[Connection] | None = None

    def begin(self) -> tuple[StreamReader, Connection]:
        """Return the stream, and the response's lease; dropping that is no mistake, and ends the body."""
        lease = Connection(self, self._exchange)
        lease.warns = False
        self._lease = ref(lease)
        return self._stream, lease

    def keep(self, leases: "list[ref[Lease]]") -> None:
        """Release *leases* when the body ends: it may read from their responses."""
        self._kept += leases

    # For the stream

    def pause_reading(self) -> None:
        """Ask for no more pieces."""
        if self._wanted is None:
            self._wanted = self._loop.create_future()

    def resume_reading(self) -> None:
        """Ask for pieces."""
        if self._task is None:
            self._start(self._run())
        wanted, self._wanted = self._wanted, None
        if wanted is not None and not wanted.done():
            wanted.set_result(None)

    def abort(self) -> None:
        """End the body: the received bytes are invalid."""
        self.release(self._exchange)

    # For the response, through its lease

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it belongs to."""
        return self._loop

    def release(self, exchange: Exchange) -> "Ending | None":
        """End the body; return an awaitable for the closed iterator."""
        if self._loop.is_closed():
            return None
        if not self._ended:
            self._ended = True
            self._stream.set_exception(
                ClientConnectionError(f"{self._request.label}: the response was released")
            )
        task = self._task
        if task is None:
            task = self._start(self._close(self._pieces))
        elif task is asyncio.current_task(self._loop):
            return None  # called by the iterator itself, or because a piece was too large
        elif self._running:
            task.cancel()
        return Ending(task)

    def cancel(self, exchange: Exchange) -> None:
        """End the body."""
        self.release(exchange)

    def retire(self) -> None:
        """Do nothing: it is not in a pool."""

    async def wait_sent(self, exchange: Exchange) -> None:
        """Return: there is nothing to send."""

    def take_over(self, exchange: Exchange) -> None:
        """Return None: there is no other protocol."""

    # The task

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        self._task = task = self._loop.create_task(coroutine)
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        return task

    async def _run(self) -> None:
        pieces: Any = self._pieces
        limit = asyncio.timeout_at(self._request.deadline)
        self._running = True
        try:
            async with limit:
                if not self._ended:
                    pieces = aiter(self._pieces)
                    await self._pull(pieces)
        except asyncio.CancelledError:
            self._fail(
                ClientPayloadError(f"{self._request.label}: the iterator of the body was cancelled")
            )
        except Exception as error:  # noqa: BLE001  (whatever it is, it is for the reader)
            self._fail(self._timed_out(error) if limit.expired() else error)
        except BaseException as error:
            self._fail(error)
            raise
        self._running = False
        await self._close(pieces)
        self._ended = True
        if self._stream.exception() is None:
            self._on_end()
            self._stream.feed_eof()
        lease = None if self._lease is None else self._lease()
        if lease is not None:
            lease.end()

    async def _pull(self, iterator: AsyncIterator[bytes]) -> None:
        stream = self._stream
        count = size = 0
        async for piece in iterator:
            if not isinstance(piece, (bytes, bytearray, memoryview)):
                raise TypeError(
                    f"{self._request.label}: the iterator of the body gave {type(piece).__name__}, not bytes"
                )
            data = bytes(piece)
            stream.feed_data(data)
            if self._ended:
                return
            count += 1
            size += len(data)
            if self._wanted is not None:
                await self._wanted
            elif count >= TURN_PIECES or size >= TURN_BYTES:
                await asyncio.sleep(0)
            else:
                continue
            count = size = 0

    def _fail(self, error: BaseException) -> None:
        self._ended = True
        self._stream.set_exception(error)

    def _timed_out(self, cause: BaseException) -> TotalTimeoutError:
        request = self._request
        error = TotalTimeoutError(
            request.method, request.url, request.timeout.total, "the rest of the body did not come"
        )
        error.__cause__ = cause
        return error

    async def _close(self, pieces: Any) -> None:
        """Close the iterator, and release the responses that it may have read from."""
        try:
            if hasattr(pieces, "aclose"):
                await pieces.aclose()
        except asyncio.CancelledError:
            pass  # at the end of the event loop
        except Exception as error:  # noqa: BLE001  (nobody may be there to get it)
            if self._ended:
                self._loop.call_exception_handler(
                    {
                        "message": f"{self._request.label}: closing its body raised {error!r}",
                        "exception": error,
                    }
                )
            else:
                self._fail(error)
        finally:
            for known in self._kept:
                if (lease := known()) is not None:
                    lease.release()


def response_fields(headers: LooseHeaders | None) -> "CIMultiDictProxy[str]":
    """Return the fields of a response in their usual form.

    Raises:
        TypeError, ValueError: a name or value is invalid.
    """
    if isinstance(headers, CIMultiDictProxy):
        return headers
    fields: CIMultiDict[str] = CIMultiDict()
    for name, value in pairs_of(headers):
        if value is not None:
            fields.add(check_name(name), check_value(name, value))
    return CIMultiDictProxy(fields)


def synthetic_body(
    exchange: SyntheticExchange,
    body: object,
    content_encoding: str | None,
    trailers: LooseHeaders | None,
    *,
    decoded: bool,
) -> "tuple[bytes | None, StreamReader | None, Connection | None, CIMultiDictProxy[str]]":
    """Return what a response needs of a *body*: its bytes or its stream, the lease for that, and the trailers.

    Raises:
        TypeError: it is neither bytes nor an async iterable; a trailer is not a field.
    """
    request = exchange.request
    if body is None:
        body = b""
    if isinstance(body, (bytes, bytearray, memoryview)):
        raw, after = bytes(body), NO_FIELDS if trailers is None else response_fields(trailers)
        if not decoded:
            return raw, None, None, after
        return None, stream_of(request, raw, None), None, after
    if not isinstance(body, AsyncIterable):
        hint = "; encode it" if isinstance(body, str) else ""
        raise TypeError(
            f"{request.label}: the body of a response must be bytes or an async iterable of bytes, "
            f"found {type(body).__name__}{hint}"
        )
    response_fields(trailers)
    later: CIMultiDict[str] = CIMultiDict()
    puller = Puller(
        exchange, body, content_encoding, lambda: later.extend(response_fields(trailers))
    )
    stream, lease = puller.begin()
    return None, stream, lease, CIMultiDictProxy(later)


class Ending:
    """The wait for a task that ends a body; cancelling the wait does not cancel the task."""

    __slots__ = ("_task",)

    def __init__(self, task: "asyncio.Task[None]") -> None:
        self._task = task

    def __await__(self) -> Generator[Any, None, None]:
        yield from asyncio.wait((self._task,)).__await__()


async def wait_for_end(ending: object) -> None:
    """Wait for the result of ``release()``; that of a user's subclass may be anything."""
    if isinstance(ending, Awaitable):
        await ending
