"""The command ``aioclient``, also ``python -m aioclient``: fetch a URL.

The body goes to standard output or a file, everything else to standard error. The exit status is 0 for a response
below 400, 1 for one of 400 or more, 2 for bad arguments, 3 when no response came or it could not be written.
"""

import argparse
import asyncio
import codecs
import json
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

from .._version import __version__
from ..connectors.base import BaseConnector
from ..connectors.tcp import TCPConnector
from ..connectors.unix import UnixConnector
from ..exceptions import ClientError, public
from ..message.headers import check_method, checked_field, is_secret
from ..message.timeout import ClientTimeout, coerce_timeout
from ..response.client_response import ClientResponse
from ..session import ClientSession

# Control characters drive terminals: one line shows them all, a text keeps its tabs and line ends.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F, *range(0x80, 0xA0))}
_CONTROL_IN_TEXT = {code: text for code, text in _CONTROL.items() if code not in (9, 10, 13)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with *arguments* (``sys.argv`` by default); return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        _check(options)
    except ValueError as error:
        parser.error(_line(str(error)))
    try:
        return asyncio.run(_fetch(options))
    except BrokenPipeError:
        # Whoever reads our output has enough. What is still buffered must not fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 3
    except (ClientError, OSError, ValueError) as error:
        print(f"aioclient: {type(error).__name__}: {_line(str(error))}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aioclient",
        description="Fetch a URL.",
        epilog="Exit status: 0, 1 for a status of 400 and above, 2 for bad arguments, 3 for no response.",
    )
    parser.add_argument("url")
    parser.add_argument("-X", "--method", help="default: GET, or POST with a body")
    parser.add_argument(
        "-H",
        "--header",
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="may be repeated",
    )
    body = parser.add_mutually_exclusive_group()
    body.add_argument("-d", "--data", help="the request body; @FILE sends a file")
    body.add_argument("-j", "--json", help="the request body as JSON, checked first")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write the body here; it must not exist"
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show request and response heads"
    )
    parser.add_argument(
        "--no-redirects", action="store_true", help="show a redirect instead of following it"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="in total; default 300, 0 for none",
    )
    parser.add_argument("--insecure", action="store_true", help="do not verify TLS certificates")
    parser.add_argument(
        "--unix-socket", metavar="PATH", help="connect to this socket instead of the URL's host"
    )
    parser.add_argument("--version", action="version", version=f"aioclient {__version__}")
    return parser


def _check(options: argparse.Namespace) -> None:
    """Put the arguments into the form that a request takes.

    Raises:
        ValueError: one of them is none; nothing was sent yet.
    """
    options.header = [_header(line) for line in options.header]
    if options.json is not None:
        # Sent as it was written, not as it would be written anew.
        options.data = _json(options.json)
        if not any(name.lower() == "content-type" for name, _ in options.header):
            options.header.append(("Content-Type", "application/json"))
    if options.method is None:
        options.method = "GET" if options.data is None else "POST"
    check_method(options.method)
    options.timeout = coerce_timeout(options.timeout)
    if options.output is not None and os.path.lexists(options.output):
        raise ValueError(f"--output {options.output} exists; name another file, or remove it first")


async def _fetch(options: argparse.Namespace) -> int:
    connector: BaseConnector = (
        TCPConnector() if options.unix_socket is None else UnixConnector(options.unix_socket)
    )
    timeout: ClientTimeout = options.timeout
    data: str | bytes | None = options.data
    with _opened(data[1:] if isinstance(data, str) and data[:1] == "@" else None) as upload:
        async with (
            ClientSession(connector=connector, timeout=timeout) as session,
            session.request(
                options.method,
                options.url,
                headers=options.header,
                data=data if upload is None else upload,
                allow_redirects=not options.no_redirects,
                ssl=not options.insecure,
            ) as response,
        ):
            if options.verbose:
                for hop in (*response.history, response):
                    _show_heads(hop)
            if options.output is None:
                await _copy(response, sys.stdout.buffer, escape=sys.stdout.isatty())
            else:
                with options.output.open("xb") as file:
                    await _copy(response, file, escape=False)
            return 0 if response.ok else 1


async def _copy(response: ClientResponse, file: BinaryIO, escape: bool) -> None:
    """Write the body to *file* as it comes; *escape* what could drive a terminal."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    async for chunk in response.content.iter_any():
        if escape:
            chunk = decoder.decode(chunk).translate(_CONTROL_IN_TEXT).encode()
        file.write(chunk)
        file.flush()
    if escape:
        file.write(decoder.decode(b"", True).encode())
        file.flush()


def _show_heads(response: ClientResponse) -> None:
    """Print the heads of a request and its response, as curl does."""
    asked = response.request_info
    url = public(asked.url)
    lines = [f"> {asked.method} {url.raw_path_qs} (to {url.host}:{url.port})"]
    lines += [f"> {name}: {_hidden(name, value)}" for name, value in asked.headers.items()]
    version = response.version
    lines.append(f"< HTTP/{version.major}.{version.minor} {response.status} {response.reason}")
    lines += [f"< {name}: {_hidden(name, value)}" for name, value in response.headers.items()]
    print("\n".join(map(_line, lines)), end="\n\n", file=sys.stderr)


def _hidden(name: str, value: str) -> str:
    # A challenge tells everybody what to answer.
    return "***" if is_secret(name) and name.lower() != "www-authenticate" else value


def _line(text: str) -> str:
    """Return *text* without line ends and whatever else could drive a terminal."""
    return text.translate(_CONTROL)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise ValueError(f"the header {line!r} has no ':'; write 'Name: value'")
    name, value = name.strip(), value.strip()
    checked_field(name, value)
    return name, value


def _json(text: str) -> bytes:
    try:
        json.loads(text)
    except ValueError as error:
        raise ValueError(f"--json {text!r} is not JSON: {error}") from None
    return text.encode()


def _opened(path: str | None) -> AbstractContextManager[BinaryIO | None]:
    return nullcontext() if path is None else open(path, "rb")
