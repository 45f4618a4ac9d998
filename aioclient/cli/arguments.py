"""The arguments of the command, and the request that they describe."""

import argparse
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from .._version import __version__
from ..message.headers import check_method, checked_field
from ..message.timeout import ClientTimeout, coerce_timeout
from .stored import CacheCommand
from .terminal import one_line

_FORM: Final = "application/x-www-form-urlencoded"
_HAS_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://").match
_HOST: Final = re.compile(r"(?:[^/?#]*@)?(?:\[([^\]]*)\]|([^/?#:]*))").match


@dataclass(frozen=True, slots=True)
class Datum:
    """One ``--data`` or (*exact*) ``--data-binary``: text, or ``@`` and the name of a file."""

    text: str
    exact: bool

    @property
    def path(self) -> str | None:
        """The name of the file, ``-`` for standard input; None for text."""
        return self.text[1:] if self.text.startswith("@") else None


@dataclass(frozen=True, slots=True)
class FetchCommand:
    """The command to send a request, as a command line describes it.

    ``json`` and ``data`` are the body; ``output`` is where to write it to, None for standard output.
    """

    method: str
    url: str
    headers: list[tuple[str, str]]
    data: tuple[Datum, ...]
    json: bytes | None
    head: bool
    output: Path | None
    verbose: bool
    redirects: bool
    timeout: ClientTimeout
    insecure: bool
    unix_socket: str | None


def read(arguments: Sequence[str] | None) -> FetchCommand | CacheCommand:
    """Return the command in *arguments* (by default those of the process); if they are wrong, say why and exit.

    It exits with status 2, before anything is sent.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return _command(options)
    except ValueError as error:
        parser.error(one_line(str(error)))


class _Append(argparse.Action):
    """Keeps ``--data`` and ``--data-binary`` in the order of the command line."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        namespace.data = (*namespace.data, Datum(values, exact=option_string == "--data-binary"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aioclient",
        description="Fetch a URL.",
        epilog="Exit status: 0, 1 for a status of 400 and above, 2 for bad arguments, 3 for no response.",
    )
    parser.add_argument(
        "url",
        nargs="?",
        help="without a scheme it is https; http for localhost, 127.0.0.1 and the like",
    )
    parser.add_argument(
        "--cache",
        nargs=2,
        metavar=("show|clear", "FILE"),
        help="instead of a request: list what the file of a SQLiteStore holds, or empty it",
    )
    parser.add_argument("-X", "--method", help="default: GET, or POST with a body")
    parser.add_argument(
        "-H",
        "--header",
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="may be repeated",
    )
    parser.add_argument(
        "-d",
        "--data",
        action=_Append,
        default=(),
        help="a form as the request body, joined with & when repeated; @FILE reads a file (- for standard input) and "
        "drops its line ends",
    )
    parser.add_argument(
        "--data-binary",
        action=_Append,
        dest="data",
        metavar="DATA",
        help="the same, but a file is sent as it is",
    )
    parser.add_argument("-j", "--json", help="the request body as JSON, checked first")
    parser.add_argument(
        "-I", "--head", action="store_true", help="ask for the head alone, and print it"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="write the body here, when all of it came; it must not exist (- for standard output)",
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


def _command(options: argparse.Namespace) -> FetchCommand | CacheCommand:
    """Return the command that *options* describe.

    Raises:
        ValueError: one of them cannot be used, or not together with another.
    """
    if options.cache is not None:
        return _cache_command(options)
    if options.url is None:
        raise ValueError("the following arguments are required: url")
    bodies = [name for name, value in (("--data", options.data), ("--json", options.json)) if value]
    if len(bodies) > 1:
        raise ValueError("--data and --json are both a body; give one of them")
    if options.head and (bodies or options.method is not None):
        raise ValueError(
            f"--head is a request without a body; leave out {bodies[0] if bodies else '--method'}"
        )
    headers = [_header(line) for line in options.header]
    # JSON is sent as the user wrote it, not serialized again.
    json_body = None if options.json is None else _json(options.json)
    if bodies and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", _FORM if json_body is None else "application/json"))
    method = options.method or ("HEAD" if options.head else "POST" if bodies else "GET")
    output = None if options.output == Path("-") else options.output
    if output is not None and os.path.lexists(output):
        raise ValueError(f"--output {output} exists; name another file, or remove it first")
    return FetchCommand(
        method=check_method(method),
        url=_url(options.url, local=options.unix_socket is not None),
        headers=headers,
        data=options.data,
        json=json_body,
        head=options.head,
        output=output,
        verbose=options.verbose,
        redirects=not options.no_redirects,
        timeout=coerce_timeout(options.timeout),
        insecure=options.insecure,
        unix_socket=options.unix_socket,
    )


def _cache_command(options: argparse.Namespace) -> CacheCommand:
    action, file = options.cache
    if action not in ("show", "clear"):
        raise ValueError(f"--cache is followed by show or clear, found {action!r}")
    if options.url is not None:
        raise ValueError("--cache sends no request; leave out the URL")
    return CacheCommand(action, Path(file))


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise ValueError(f"the header {line!r} has no ':'; write 'Name: value'")
    return checked_field(name.strip(), value.strip())


def _json(text: str) -> bytes:
    try:
        json.loads(text)
    except ValueError as error:
        raise ValueError(f"--json {text!r} is not JSON: {error}") from None
    return text.encode()


def _url(text: str, *, local: bool) -> str:
    """Return *text* with a scheme: its own, else ``https``, or ``http`` for names of this machine."""
    if _HAS_SCHEME(text):
        return text
    match = _HOST(text)
    local = local or (match is not None and _is_loopback(match[1] or match[2]))
    return f"{'http' if local else 'https'}://{text}"


def _is_loopback(host: str) -> bool:
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, section 6.3
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
