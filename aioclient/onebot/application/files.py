"""Files in pieces: at most one fragment of a file is in memory, and its SHA-256 is always checked.

The actions are those of OneBot 12, interface, "file".
"""

import asyncio
import contextlib
import hashlib
import os
import secrets
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal, TypeAlias, TypeVar, cast

from ...message.timeout import ClientTimeout
from ...session import ClientSession
from ...threads import BODIES
from .answers import answered
from .errors import FileDigestError, InvalidAnswerError

FRAGMENT: Final = 1024 * 1024
"""Bytes of a fragment: with base64 some 1.4 MiB, and messages have at most 4 MiB."""

FileSource: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO | AsyncIterable[bytes]
DownloadBy: TypeAlias = Literal["fragments", "data", "url"]
Perform: TypeAlias = Callable[[str, Mapping[str, object]], Awaitable[object]]
T = TypeVar("T")

# As rulings for downloads go: no limit in total, but for silence.
_TIMEOUT: Final = ClientTimeout(total=None, sock_connect=30.0, sock_read=60.0)


@dataclass(frozen=True, slots=True)
class DownloadedFile:
    """A file that was downloaded.

    ``name`` is the implementation's name for it, ``path`` where it is now, ``size`` its bytes, ``sha256`` its digest.
    """

    name: str
    path: Path
    size: int
    sha256: str


# --- up -------------------------------------------------------------------------------------------


async def upload(
    perform: Perform, source: FileSource, *, name: str | None, size: int | None, fragment_size: int
) -> str:
    """Upload *source*, as ``ActionCaller.upload_file()`` documents; return the id of the file."""
    _check_fragment(fragment_size)
    async with _opened(source) as (read, found_name, found_size):
        name = found_name if name is None else name
        size = found_size if size is None else size
        if not name:
            raise ValueError("upload_file: give name=, the source has none")
        if size is None:
            raise ValueError("upload_file: give size=, the source does not have a known one")
        if size < 0:
            raise ValueError(f"upload_file: size={size}; give the bytes of the whole file")
        if size <= fragment_size:
            return await _upload_whole(perform, read, name, size)
        return await _upload_fragments(perform, read, name, size, fragment_size)


_Read: TypeAlias = Callable[[int], Awaitable[bytes]]
"""Returns so many bytes, fewer only at the end."""


async def _upload_whole(perform: Perform, read: _Read, name: str, size: int) -> str:
    data = await _exactly(read, size, 0, size)
    await _check_end(read, size)
    params = {
        "type": "data",
        "name": name,
        "data": data,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return _file_id(await perform("upload_file", params), "upload_file")


async def _upload_fragments(
    perform: Perform, read: _Read, name: str, size: int, fragment_size: int
) -> str:
    action = "upload_file_fragmented"
    params: dict[str, object] = {"stage": "prepare", "name": name, "total_size": size}
    file_id = _file_id(await perform(action, params), action)
    digest = hashlib.sha256()
    for offset in range(0, size, fragment_size):
        data = await _exactly(read, min(fragment_size, size - offset), offset, size)
        digest.update(data)
        params = {"stage": "transfer", "file_id": file_id, "offset": offset, "data": data}
        await perform(action, params)
    await _check_end(read, size)
    params = {"stage": "finish", "file_id": file_id, "sha256": digest.hexdigest()}
    return _file_id(await perform(action, params), action)


async def _exactly(read: _Read, count: int, offset: int, size: int) -> bytes:
    data = await read(count)
    if len(data) < count:
        raise ValueError(
            f"upload_file: the source ended after {offset + len(data)} bytes, of {size} announced"
        )
    return data


async def _check_end(read: _Read, size: int) -> None:
    if await read(1):
        raise ValueError(f"upload_file: the source has more than the {size} bytes announced")


def _file_id(data: object, action: str) -> str:
    return cast(str, answered(data, "file_id", str, action))


@asynccontextmanager
async def _opened(
    source: FileSource,
) -> AsyncGenerator[tuple[_Read, str | None, int | None], None]:
    """Give a function that reads *source*, its name, and the bytes it has left; None for what is not known."""
    if isinstance(source, bytes | bytearray | memoryview):
        yield _of_pieces(_once(bytes(source))), None, len(bytes(source))
    elif isinstance(source, str | os.PathLike):
        file = _File(Path(source), "rb")
        try:
            opened = await _in_thread(file.open)
            yield _of_file(opened), file.path.name, await _in_thread(_bytes_left, opened)
        finally:
            await _in_thread(file.close)
    elif hasattr(source, "read"):
        name = getattr(source, "name", None)
        known = os.path.basename(name) if isinstance(name, str) else None
        file_object = cast(BinaryIO, source)
        yield _of_file(file_object), known, await _in_thread(_bytes_left, file_object)
    elif isinstance(source, AsyncIterable):
        yield _of_pieces(aiter(source)), None, None
    else:
        raise TypeError(
            f"upload_file: {type(source).__name__} cannot be read; give a path, bytes, a file or an async iterable"
        )


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _of_pieces(pieces: AsyncIterator[bytes]) -> _Read:
    """Return a function that reads from an iterator, whose pieces may have any size."""
    left = bytearray()

    async def read(count: int) -> bytes:
        while len(left) < count:
            piece = await anext(pieces, None)
            if piece is None:
                break
            left.extend(piece)
        data = bytes(left[:count])
        del left[:count]
        return data

    return read


def _of_file(file: BinaryIO) -> _Read:
    """Return a function that reads from a file, which may return less than it is asked for."""

    def read(count: int) -> bytes:
        pieces: list[bytes] = []
        while count and (piece := file.read(count)):
            if not isinstance(cast(object, piece), bytes):
                raise TypeError(f"upload_file: {file!r} gives {type(piece).__name__}, not bytes")
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)

    async def read_in_thread(count: int) -> bytes:
        return await _in_thread(read, count)

    return read_in_thread


def _bytes_left(file: BinaryIO) -> int | None:
    try:
        position = file.tell()
        end = file.seek(0, os.SEEK_END)
        file.seek(position)
    except OSError:  # a pipe; io.UnsupportedOperation is one, too
        return None
    return max(0, end - position)


# --- down -----------------------------------------------------------------------------------------


async def download(
    perform: Perform,
    file_id: str,
    path: str | os.PathLike[str],
    *,
    by: DownloadBy,
    fragment_size: int,
    max_size: int | None,
    session: ClientSession | None,
) -> DownloadedFile:
    """Download a file, as ``ActionCaller.download_file()`` documents."""
    _check_fragment(fragment_size)
    if by == "fragments":
        incoming = await _by_fragments(perform, file_id, fragment_size)
    elif by in ("data", "url"):
        incoming = await _by_get_file(perform, file_id, by, session)
    else:
        raise ValueError(f"download_file: by={by!r}; give 'fragments', 'data' or 'url'")
    return await _written(incoming, Path(path), max_size)


@dataclass(frozen=True, slots=True)
class _Incoming:
    """A file that comes in: what was announced of it, and its pieces."""

    action: str
    name: str
    pieces: AsyncGenerator[bytes, None]
    size: int | None
    sha256: str | None


async def _by_fragments(perform: Perform, file_id: str, fragment_size: int) -> _Incoming:
    action = "get_file_fragmented"
    data = await perform(action, {"stage": "prepare", "file_id": file_id})
    size: int = answered(data, "total_size", int, action)
    if size < 0:
        raise InvalidAnswerError(f"{action}: a file of {size} bytes")

    async def pieces() -> AsyncGenerator[bytes, None]:
        offset = 0
        while offset < size:
            asked = min(fragment_size, size - offset)
            params = {"stage": "transfer", "file_id": file_id, "offset": offset, "size": asked}
            piece: bytes = answered(await perform(action, params), "data", bytes, action)
            if not 0 < len(piece) <= asked:
                raise InvalidAnswerError(
                    f"{action}: {len(piece)} bytes at offset {offset}, where {asked} were asked for"
                )
            offset += len(piece)
            yield piece

    name, sha256 = answered(data, "name", str, action), answered(data, "sha256", str, action)
    return _Incoming(action, name, pieces(), size, sha256)


async def _by_get_file(
    perform: Perform, file_id: str, by: Literal["data", "url"], session: ClientSession | None
) -> _Incoming:
    action = "get_file"
    data = await perform(action, {"file_id": file_id, "type": by})
    name: str = answered(data, "name", str, action)
    known = cast(Mapping[str, object], data)
    sha256 = None if known.get("sha256") is None else answered(data, "sha256", str, action)
    if by == "data":
        whole: bytes = answered(data, "data", bytes, action)
        return _Incoming(action, name, _whole(whole), len(whole), sha256)
    url: str = answered(data, "url", str, action)
    headers: dict[str, str] = {}
    if known.get("headers") is not None:
        headers = answered(data, "headers", dict[str, str], action)
    return _Incoming(action, name, _from_url(url, headers, session), None, sha256)


async def _whole(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data


async def _from_url(
    url: str, headers: Mapping[str, str], session: ClientSession | None
) -> AsyncGenerator[bytes, None]:
    async with contextlib.AsyncExitStack() as stack:
        # Not the client's session: that one may carry what is for the implementation only.
        if session is None:
            session = await stack.enter_async_context(ClientSession())
        response = await stack.enter_async_context(
            session.get(url, headers=headers, timeout=_TIMEOUT, raise_for_status=True)
        )
        async for piece in response.content.iter_any():
            yield piece


async def _written(incoming: _Incoming, path: Path, max_size: int | None) -> DownloadedFile:
    """Write the pieces beside *path*, and rename the file when it is complete and right."""
    digest, size = hashlib.sha256(), 0
    beside = _File(path.with_name(f".{path.name}.{secrets.token_hex(6)}.part"), "xb")
    async with contextlib.aclosing(incoming.pieces) as pieces:
        if max_size is not None and incoming.size is not None and incoming.size > max_size:
            raise FileDigestError(_too_large(incoming, max_size))
        try:
            file = await _in_thread(beside.open)
            async for piece in pieces:
                size += len(piece)
                if max_size is not None and size > max_size:
                    raise FileDigestError(_too_large(incoming, max_size))
                digest.update(piece)
                await _in_thread(file.write, piece)
            await _in_thread(beside.close)
            found = digest.hexdigest()
            if incoming.sha256 is not None and incoming.sha256.lower() != found:
                raise FileDigestError(
                    f"{incoming.action}: the file's SHA-256 is {found}, and {incoming.sha256} was announced"
                )
            await _in_thread(os.replace, beside.path, path)
        except BaseException:
            await _in_thread(beside.remove)
            raise
    return DownloadedFile(incoming.name, path, size, found)


def _too_large(incoming: _Incoming, max_size: int) -> str:
    return f"{incoming.action}: the file has more than max_size={max_size} bytes"


def _check_fragment(fragment_size: int) -> None:
    if fragment_size < 1:
        raise ValueError(f"fragment_size={fragment_size}; give the bytes of a fragment, 1 or more")


class _File:
    """A file that threads open and close: it is closed even if the task was cancelled while it was opened."""

    __slots__ = ("_file", "_mode", "path")

    def __init__(self, path: Path, mode: Literal["rb", "xb"]) -> None:
        self.path = path
        self._mode = mode
        self._file: BinaryIO | None = None

    def open(self) -> BinaryIO:
        self._file = file = self.path.open(self._mode)
        return file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def remove(self) -> None:
        if self._file is not None:
            self._file.close()
            self.path.unlink(missing_ok=True)


async def _in_thread(work: Callable[..., T], *arguments: object) -> T:
    """Return the result of *work* in a thread; if cancelled, wait for the thread, so that the file is at rest."""
    working = asyncio.get_running_loop().run_in_executor(BODIES, work, *arguments)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        if not working.done():
            await asyncio.wait((working,))
        if not working.cancelled():
            working.exception()
        raise
