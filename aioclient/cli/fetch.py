"""Sends the request of the command line and writes its response."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from ..connectors.base import BaseConnector
from ..connectors.tcp import TCPConnector
from ..connectors.unix import UnixConnector
from ..message.body import Data
from ..response.client_response import ClientResponse
from ..session import ClientSession
from .arguments import Datum, FetchCommand
from .terminal import Escaper, request_head, response_head

_LINE_ENDS = b"\r\n\0"  # what curl drops from the files of a form


async def fetch(command: FetchCommand) -> int:
    """Send the request and write its response; return the exit status.

    Raises:
        ClientError, TimeoutError: no response came, or not all of it.
        OSError: a file cannot be read or written; a partly written file is removed.
    """
    connector: BaseConnector = (
        TCPConnector() if command.unix_socket is None else UnixConnector(command.unix_socket)
    )
    with ExitStack() as files:
        async with (
            ClientSession(
                connector=connector,
                timeout=command.timeout,
                env_proxies=command.unix_socket is None,
            ) as session,
            session.request(
                command.method,
                command.url,
                headers=command.headers,
                data=_body(command.data, files) if command.json is None else command.json,
                allow_redirects=command.redirects,
                ssl=not command.insecure,
            ) as response,
        ):
            if command.verbose:
                for hop in (*response.history, response):
                    _show_heads(hop)
            if command.output is None:
                screen = sys.stdout.buffer
                await _copy(_content(response, command), screen, escape=sys.stdout.isatty())
            else:
                with _beside(command.output) as file:
                    await _copy(_content(response, command), file, escape=False)
            return 0 if response.ok else 1


def _body(data: tuple[Datum, ...], files: ExitStack) -> Data:
    """Return the request body: one file as it is, or all *data* joined with ``&``, as curl does."""
    if len(data) == 1 and data[0].exact and data[0].path not in (None, "-"):
        return files.enter_context(open(data[0].text[1:], "rb"))
    if not data:
        return None
    body = b""
    for each in data:
        body += (b"&" if body else b"") + _read(each)
    return body


def _read(each: Datum) -> bytes:
    if each.path is None:
        return each.text.encode("utf-8", "surrogateescape")
    found = sys.stdin.buffer.read() if each.path == "-" else Path(each.path).read_bytes()
    return found if each.exact else found.translate(None, _LINE_ENDS)


async def _content(response: ClientResponse, command: FetchCommand) -> AsyncIterator[bytes]:
    """Yield what is to be written: the body as it comes, or, with ``--head``, the heads of all hops."""
    if command.head:
        for hop in (*response.history, response):
            yield "\n".join([*response_head(hop), "", ""]).encode()
    else:
        async for chunk in response.content.iter_any():
            yield chunk


async def _copy(content: AsyncIterator[bytes], file: BinaryIO, escape: bool) -> None:
    """Write *content* to *file* as it comes; *escape* what could control a terminal."""
    escaper = Escaper()
    async for chunk in content:
        file.write(escaper.escaped(chunk) if escape else chunk)
        file.flush()
    if escape:
        file.write(escaper.escaped(b"", last=True))
        file.flush()


@contextmanager
def _beside(output: Path) -> Iterator[BinaryIO]:
    """Yield a new file in the folder of *output*; rename it to *output* on success, remove it on failure.

    Raises:
        FileExistsError: *output* was created in the meantime; it is left alone.
    """
    part = output.with_name(f".aioclient-{token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            yield file
        _rename(part, output)
    finally:
        part.unlink(missing_ok=True)


def _rename(part: Path, output: Path) -> None:
    """Rename *part* to *output*, which must not exist."""
    try:
        os.link(part, output)  # rename() would replace an existing file
    except FileExistsError:
        raise
    except OSError:  # the file system has no links
        with output.open("xb"):
            part.replace(output)


def _show_heads(response: ClientResponse) -> None:
    """Print the heads of a request and its response, as curl does."""
    lines = [f"> {line}" for line in request_head(response)]
    lines += [f"< {line}" for line in response_head(response)]
    print("\n".join(lines), end="\n\n", file=sys.stderr)
