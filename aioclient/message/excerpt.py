"""The beginning of a response's body for an error message, without the secrets that servers repeat in it.

Replaced by ``***`` are the values of names such as ``token`` or ``clientSecret``, and whatever this request carried as
a secret: its credentials, its cookies, what its URL and the names of its own body say is one. Control characters are
escaped, so that nothing of a body begins a line of its own in a log.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus, unquote_plus

from ..exceptions import is_secret_in_query
from .headers import is_secret
from .request import Request

MAX_EXCERPT: Final = 200  # characters

_MAX_BODY: Final = 64 * 1024  # characters of a body, sent or received, that are looked at
_MAX_NAME: Final = 200  # characters that are looked at; no name of a secret has as many
_MIN_SECRET: Final = 3  # characters; to replace fewer would tell them, wherever they do not stand
_TEXTUAL = re.compile(r"text/.*|.*[/+](?:json|xml)|application/x-www-form-urlencoded").fullmatch
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])").sub
_WORD = re.compile(r"[\w\-]+").finditer
# What makes a word a name: JSON, also within a string of JSON, JavaScript, forms.
_IS = re.compile(r"""(?:\\*["']\s*:|:(?=\s*["'])|=)\s*""").match
# A value: a string, to its end or that of the text; the beginning of an object or array; anything else.
_VALUE = re.compile(
    r"""\\+"[^\\"]*(?:\\+")?|"(?:[^"\\]|\\.)*["\\]?|'(?:[^'\\]|\\.)*['\\]?|[{\[]|[^\s,;&}\]<"']+""",
    re.DOTALL,
).match


def is_secret_name(name: str) -> bool:
    """Tell whether a value of this name, in JSON or a form, is a secret: ``apiKey`` counts as ``api-key``."""
    # Cut, because a server's name may have any length and is remembered.
    return bool(name) and is_secret(_CAMEL("-", name[:_MAX_NAME]).replace("_", "-"))


def is_textual(media_type: str) -> bool:
    """Tell whether a body of this media type can be shown as text."""
    return _TEXTUAL(media_type) is not None


def excerpt(text: str, request: Request) -> str:
    """Return the first ``MAX_EXCERPT`` characters of *text*, which answers *request*, without secrets."""
    text = text[:_MAX_BODY]
    for secret in sorted(_spellings(_secrets_of(request)), key=len, reverse=True):
        text = text.replace(secret, "***")
    return beginning(_without_named(text[: 10 * MAX_EXCERPT]))


def beginning(text: str) -> str:
    """Return the first ``MAX_EXCERPT`` characters of *text*, control characters escaped."""
    shown = ""
    for character in text:
        if len(shown) >= MAX_EXCERPT:
            return f"{shown}…"
        if not character.isprintable():
            character = character.encode("unicode_escape").decode()
        shown += character
    return shown


def _without_named(text: str) -> str:
    """Return *text* with ``***`` for the values of secret names; from an object or array on, for all the rest."""
    parts = []
    end = 0
    for start, stop, value in _named(text):
        parts.append(f"{text[end:start]}***")
        end = len(text) if value[0] in "{[" else stop
    return "".join(parts) + text[end:]


def _named(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the values of secret names in *text*, and from where to where they stand."""
    end = 0
    for word in _WORD(text):
        if word.start() < end or not is_secret_name(word[0]):
            continue
        sign = _IS(text, word.end())
        value = None if sign is None else _VALUE(text, sign.end())
        if value is not None and value[0] not in ("null", "true", "false"):
            end = value.end()
            yield value.start(), end, value[0]


def _secrets_of(request: Request) -> Iterator[str]:
    info = request.full_info
    for name, value in info.headers.items():
        folded = name.lower()
        if folded in ("authorization", "proxy-authorization"):
            yield from _credentials(value)
        elif folded == "cookie":
            yield value
            yield from (pair.partition("=")[2].strip('" ') for pair in value.split(";"))
        elif is_secret(folded, request.options.sensitive_headers):
            yield value
    yield from (value for name, value in info.real_url.query.items() if is_secret_in_query(name))
    data = None if request.content is None else getattr(request.content.source, "data", None)
    if isinstance(data, bytes):
        body = data[:_MAX_BODY].decode("utf-8", "replace")
        yield from (_plain(value) for _, _, value in _named(body))


def _credentials(field: str) -> Iterator[str]:
    """Yield what an ``Authorization`` field says: whole, without its scheme, and the password of Basic."""
    yield field
    scheme, _, credentials = field.partition(" ")
    yield credentials
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(credentials)
        except binascii.Error:
            return
        for charset in ("utf-8", "latin1"):
            text = pair.decode(charset, "replace")
            yield text
            yield text.partition(":")[2]


def _plain(value: str) -> str:
    """Return a value of a request's own body, JSON or a form, as its server understands it."""
    if not value.startswith('"'):
        return unquote_plus(value)
    try:
        return str(json.loads(value))
    except ValueError:
        return value.strip('"')


def _spellings(secrets: Iterable[str]) -> set[str]:
    """Return the secrets as they may stand in a body: as they are, escaped for JSON, percent-encoded."""
    found: set[str] = set()
    for secret in secrets:
        if len(secret) >= _MIN_SECRET:
            found.update((secret, json.dumps(secret)[1:-1], quote(secret, ""), quote_plus(secret)))
            found.add(json.dumps(secret, ensure_ascii=False)[1:-1])
    return found
