"""What people see: text that cannot control the terminal, and heads without secrets."""

import codecs
import re
from typing import Final
from urllib.parse import unquote_plus

from ..exceptions import is_secret_in_query, public
from ..message.headers import is_secret
from ..response.client_response import ClientResponse

# Control characters can control a terminal. One line escapes all of them; a text keeps tabs and line ends.
_CONTROL: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F, *range(0x80, 0xA0))}
_CONTROL_IN_TEXT: Final = {code: text for code, text in _CONTROL.items() if code not in (9, 10, 13)}

# Fields with URLs, and what may be a secret in those.
_URL_FIELDS: Final = frozenset(("content-location", "link", "location", "referer", "refresh"))
_USERINFO: Final = re.compile(r"(?<=//)[^/?#\s<>]*@")
_VALUE_IN_URL: Final = re.compile(r"(?<=[?&#])([^?&#=\s<>\"]+=)([^&#\s<>\"]+)")


class Escaper:
    """Escapes text that comes in pieces of bytes."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def escaped(self, piece: bytes, *, last: bool = False) -> bytes:
        """Return the next *piece* without what could control a terminal; bytes that are not UTF-8 are replaced."""
        return self._decoder.decode(piece, last).translate(_CONTROL_IN_TEXT).encode()


def one_line(text: str) -> str:
    """Return *text* without line ends and anything else that could control a terminal."""
    return text.translate(_CONTROL)


def request_head(response: ClientResponse) -> list[str]:
    """Return the lines of the head of the request that *response* answers."""
    request = response.request_info
    url = public(request.url)
    lines = [f"{request.method} {url.raw_path_qs} (to {url.host}:{url.port})"]
    lines += [f"{name}: {_hidden(name, value)}" for name, value in request.headers.items()]
    return [one_line(line) for line in lines]


def response_head(response: ClientResponse) -> list[str]:
    """Return the lines of the head of *response*."""
    version = response.version
    lines = [f"HTTP/{version.major}.{version.minor} {response.status} {response.reason}"]
    lines += [f"{name}: {_hidden(name, value)}" for name, value in response.headers.items()]
    return [one_line(line) for line in lines]


def _hidden(name: str, value: str) -> str:
    """Return *value*, with ``***`` for what may be a secret."""
    folded = name.lower()
    # A challenge is no secret: every client gets it.
    if is_secret(name) and folded != "www-authenticate":
        return "***"
    if folded in _URL_FIELDS:
        return _VALUE_IN_URL.sub(_hidden_value, _USERINFO.sub("***@", value))
    return value


def _hidden_value(match: re.Match[str]) -> str:
    name = unquote_plus(match[1][:-1])
    return f"{match[1]}***" if is_secret_in_query(name) else match[0]
