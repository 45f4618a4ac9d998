"""The beginning of a response's body for an error message, without the secrets that servers repeat in it.

``***`` replaces the values of names such as ``token`` or ``clientSecret``, and every secret that this request carried:
its credentials, its cookies, and the secret values in its URL and its own body. Control characters are escaped, so that
a body cannot start a new line in a log.
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

_MAX_BODY: Final = 64 * 1024  # characters of a body, sent or received, that are examined
_MAX_NAME: Final = 200  # characters that are examined; no secret's name is that long
_MIN_SECRET: Final = (
    3  # characters; replacing shorter ones would reveal them by where they are missing
)
_TEXTUAL = re.compile(r"text/.*|.*[/+](?:json|xml)|application/x-www-form-urlencoded").fullmatch
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])").sub
_WORD = re.compile(r"[\w\-]+").finditer
# What turns a word into a name: JSON, also inside a JSON string, JavaScript, forms.
_IS = re.compile(r"""(?:\\*["']\s*:|:(?=\s*["'])|=)\s*""").match
# A value: a string up to its end or the end of the text; the start of an object or array; anything else.
_VALUE = re.compile(
    r"""\\+"[^\\"]*(?:\\+")?|"(?:[^"\\]|\\.)*["\\]?|'(?:[^'\\]|\\.)*['\\]?|[{\[]|[^\s,;&}\]<"']+""",
    re.DOTALL,
).match


def is_secret_name(name: str) -> bool:
    """Tell whether a value of this name, in JSON or a form, is a secret: ``apiKey`` is treated as ``api-key``."""
    # Cut, because a server's name may be long and the result is cached.
    return bool(name) and is_secret(_CAMEL("-", name[:_MAX_NAME]).replace("_", "-"))


def is_textual(media_type: str) -> bool:
    """Tell whether a body of this media type can be shown as text."""
    return _TEXTUAL(media_type) is not None


def excerpt(text: str, request: Request) -> str:
    """Return the first ``MAX_EXCERPT`` characters of *text*, the answer to *request*, without secrets."""
    text = text[:_MAX_BODY]
    for secret in sorted(_spellings(_secrets_of(request)), key=len, reverse=True):
        text = text.replace(secret, "***")
    return beginning(_without_named(text[: 10 * MAX_EXCERPT]))


def beginning(text: str) -> str:
    """Return the first ``MAX_EXCERPT`` characters of *text*, with control characters escaped."""
    shown = ""
    for character in text:
        if len(shown) >= MAX_EXCERPT:
            return f"{shown}…"
        if not character.isprintable():
            character = character.encode("unicode_escape").decode()
        shown += character
    return shown


def _without_named(text: str) -> str:
    """Return *text* with ``***`` for the values of secret names; if such a value is an object or array, the rest goes
    too.
    """
    parts = []
    end = 0
    for start, stop, value in _named(text):
        parts.append(f"{text[end:start]}***")
        end = len(text) if value[0] in "{[" else stop
    return "".join(parts) + text[end:]


def _named(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the values of secret names in *text*, with their start and end."""
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
    """Yield the secrets in an ``Authorization`` field: its value, the value without the scheme, the password of
    Basic.
    """
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
    """Return a value of a request's own body, JSON or a form, as its server decodes it."""
    if not value.startswith('"'):
        return unquote_plus(value)
    try:
        return str(json.loads(value))
    except ValueError:
        return value.strip('"')


def _spellings(secrets: Iterable[str]) -> set[str]:
    """Return the secrets in the spellings that a body may contain: unchanged, escaped for JSON, percent-encoded."""
    found: set[str] = set()
    for secret in secrets:
        if len(secret) >= _MIN_SECRET:
            found.update((secret, json.dumps(secret)[1:-1], quote(secret, ""), quote_plus(secret)))
            found.add(json.dumps(secret, ensure_ascii=False)[1:-1])
    return found
