"""Files with secrets: readable by their owner only, and written completely or not at all."""

import codecs
import contextlib
import os

from aiohttp.typedefs import PathLike


def read_text(path: PathLike) -> str:
    """Return the text of the file at *path*; bytes that are not UTF-8 become surrogates.

    A leading byte order mark, as Windows' editors and shells write it, is accepted, also that of UTF-16.
    """
    with open(path, "rb") as file:
        content = file.read()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    return content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def write_private(path: PathLike, text: str) -> None:
    """Replace the file at *path* by *text*, readable by its owner only from its first byte on.

    It is written to a new file, flushed to disk and renamed: at any time, also after a crash, there is the old file or
    the new one. A symbolic link at *path* is replaced, not followed.
    """
    target = os.fspath(path)
    folder = os.path.dirname(target)
    beside = os.path.join(folder, f".{os.path.basename(target)}.{os.urandom(8).hex()}")
    # O_EXCL: never an existing file or link.
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(descriptor)
        os.replace(beside, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        raise
    _sync_folder(folder or ".")


def _sync_folder(folder: str) -> None:
    """Flush the rename itself; Windows does not support that."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
