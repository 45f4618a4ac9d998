"""The command ``aioclient``, also ``python -m aioclient``: fetch a URL.

The body goes to standard output or a file, everything else to standard error. The exit status is 0 for a response
below 400, 1 for one of 400 or more, 2 for bad arguments, 3 when no response came.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

from .._version import __version__
from ..connectors.base import BaseConnector
from ..connectors.tcp import TCPConnector
from ..connectors.unix import UnixConnector
from ..exceptions import ClientError
from ..message.response import ClientResponse
from ..session import ClientSession

_CONTROL = {
    code: f"\\x{code:02x}"
    for code in (*range(0x20), 0x7F, *range(0x80, 0xA0))
    if code not in (9, 10, 13)
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with *arguments* (``sys.argv`` by default); return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        headers = [_header(line) for line in options.header]
        body = _json(options.json) if options.json is not None else None
    except ValueError as error:
        parser.error(str(error))
    try:
        return asyncio.run(_fetch(options, headers, body))
    except (ClientError, OSError, ValueError) as error:
        print(f"aioclient: {type(error).__name__}: {_printable(str(error))}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aioclient",
        description="Fetch a URL.",
        epilog="Exit status: 0, or 1 for 400 and above, 3 for no response.",
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


async def _fetch(options: argparse.Namespace, headers: list[tuple[str, str]], body: object) -> int:
    connector: BaseConnector = (
        TCPConnector() if options.unix_socket is None else UnixConnector(options.unix_socket)
    )
    data = options.data
    with _opened(data[1:] if data is not None and data.startswith("@") else None) as upload:
        has_body = data is not None or options.json is not None
        method = options.method or ("POST" if has_body else "GET")
        async with (
            ClientSession(connector=connector, timeout=options.timeout) as session,
            session.request(
                method,
                options.url,
                headers=headers,
                data=data if upload is None else upload,
                json=body,
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
    async for chunk in response.content.iter_any():
        if escape:
            chunk = _printable(chunk.decode("utf-8", "replace")).encode()
        file.write(chunk)
        file.flush()


def _show_heads(response: ClientResponse) -> None:
    """Print the heads of a request and its response, as curl does."""
    asked = response.request_info
    lines = [f"> {asked.method} {asked.url.raw_path_qs} (to {asked.url.host}:{asked.url.port})"]
    lines += [f"> {name}: {_hidden(name, value)}" for name, value in asked.headers.items()]
    version = response.version
    lines.append(f"< HTTP/{version.major}.{version.minor} {response.status} {response.reason}")
    lines += [f"< {name}: {value}" for name, value in response.headers.items()]
    print("\n".join(map(_printable, lines)), end="\n\n", file=sys.stderr)


def _hidden(name: str, value: str) -> str:
    return "***" if name.lower() in ("authorization", "cookie", "proxy-authorization") else value


def _printable(text: str) -> str:
    return text.translate(_CONTROL)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise ValueError(f"the header {line!r} has no ':'; write 'Name: value'")
    return name.strip(), value.strip()


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"--json {text!r} is not JSON: {error}") from None


def _opened(path: str | None) -> AbstractContextManager[BinaryIO | None]:
    return nullcontext() if path is None else open(path, "rb")
