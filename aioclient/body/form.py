"""Forms: fields as ``application/x-www-form-urlencoded``, or as ``multipart/form-data``.

Names are text. A value is text, a number, another object with a meaningful ``str()`` (dates, UUIDs, URLs; booleans are
``True`` and ``False``), or a list of those, which repeats the field. Bytes, files, async iterables and aiohttp payloads
make the form multipart. None and mappings are refused: aiohttp sends the text ``None`` for the first and loses the
values of the second.
"""

import codecs
import io
import re
from collections.abc import AsyncIterable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from urllib.parse import quote_plus

from aiohttp import MultipartWriter
from aiohttp.payload import Payload

from ..message.body import Body
from ..message.headers import CONTENT_DISPOSITION, check_value, shown_text
from .content import content_body, is_file
from .file import file_name
from .memory import BytesBody, text_body
from .payload import BodyPart, PayloadBody

_FORM = "application/x-www-form-urlencoded"

_NUMBERS = frozenset((int, float, bool))

_NOT_IN_QUOTES = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\udc80-\udcff]").sub
_SAFE = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch


def form_body(data: Mapping[str, object] | Iterable[object], encoding: str = "utf-8") -> Body:
    """Return *data*, a mapping, a multidict or a list or tuple of (name, value) pairs, as a form.

    Raises:
        TypeError: a name is not text, or a form cannot carry a value.
        ValueError: a multipart field's name contains a control character.
    """
    fields = data.items() if isinstance(data, Mapping) else list(_pairs(data))
    text = _urlencode(fields, encoding)
    if text is None:
        return _multipart(fields, encoding)
    return BytesBody(text.encode(), _FORM if encoding == "utf-8" else _form_type(encoding))


def _pairs(data: Iterable[object]) -> Iterator[tuple[object, object]]:
    for field in data:
        if isinstance(field, (tuple, list)) and len(field) == 2:
            yield field[0], field[1]
        elif isinstance(field, Mapping):
            yield from field.items()
        elif isinstance(field, io.IOBase):
            yield file_name(field) or "unknown", field
        else:
            raise TypeError(
                f"a form's fields are (name, value) pairs, found {shown_text(field)}; "
                'write data={"name": "value"}, or pass iter(...) to send the chunks of a list'
            )


def _urlencode(fields: Iterable[tuple[object, object]], encoding: str) -> str | None:
    """Return the fields encoded as by ``aiohttp.FormData``; None if a field must be a part."""
    words = []
    for name, value in fields:
        if not isinstance(name, str):
            raise TypeError(f"a form field's name must be a str, found {shown_text(name)}")
        if isinstance(value, str):
            words.append(f"{_quote(name, encoding)}={_quote(value, encoding)}")
        elif type(value) in _NUMBERS:
            words.append(f"{_quote(name, encoding)}={_quote(str(value), encoding)}")
        else:
            for item in _values(name, value):
                if _is_part(item):
                    return None
                text = _to_text(name, item)
                words.append(f"{_quote(name, encoding)}={_quote(text, encoding)}")
    return "&".join(words)


def _quote(text: str, encoding: str) -> str:
    # Names and most values need no quoting; a match costs a quarter of quote_plus(). (A member of a text enumeration is
    # not a plain str: it would be formatted as its name.)
    if type(text) is str and _SAFE(text) is not None and encoding == "utf-8":
        return text
    return quote_plus(text, encoding=encoding)


def _values(name: str, value: object) -> Iterable[object]:
    """Return the values of one field: a collection has several."""
    if isinstance(value, Mapping):
        raise TypeError(
            f"the form field {name!r} is a mapping, which a form cannot carry; "
            "flatten it, or send json= in place of data="
        )
    if isinstance(value, Collection) and not isinstance(value, str) and not _is_part(value):
        return value
    return (value,)


def _is_part(value: object) -> bool:
    return isinstance(
        value, (bytes, bytearray, memoryview, AsyncIterable, Payload, Body)
    ) or is_file(value)


def _to_text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        raise TypeError(
            f"the form field {name!r} is None, which a form cannot carry; leave it out, or pass ''"
        )
    if isinstance(value, (Collection, Iterator)):
        raise TypeError(
            f"the form field {name!r} holds {shown_text(value)}, which is not one value; "
            "a field takes a value or a flat list of values"
        )
    kind = type(value)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        raise TypeError(
            f"the form field {name!r} holds {shown_text(value)}, which has no text of its own; "
            "convert it to str"
        )
    return str(value)


def _multipart(fields: Iterable[tuple[object, object]], encoding: str) -> PayloadBody:
    """Return the fields as parts (RFC 7578).

    The boundary's 122 random bits come from the operating system (``uuid.uuid4``).
    """
    writer = MultipartWriter("form-data")
    for name, value in fields:
        if not isinstance(name, str):
            raise TypeError(f"a form field's name must be a str, found {shown_text(name)}")
        check_value(f"Content-Disposition (form field {shown_text(name)})", name)
        for item in _values(name, value):
            part, filename = _part(name, item, encoding)
            part.headers[CONTENT_DISPOSITION] = _disposition(name, filename)
            writer.append_payload(part)
    return PayloadBody(writer)


def _disposition(name: str, filename: str | None) -> str:
    """Return the ``Content-Disposition`` of a part in the form that browsers send: UTF-8, quoted.

    aiohttp's has ``name*=``, which RFC 7578, section 4.2, does not define, a backslash before each space, and
    percent-encoded file names: servers treat these as part of the names.
    """
    text = f'form-data; name="{_in_quotes(name)}"'
    return text if filename is None else f'{text}; filename="{_in_quotes(filename)}"'


def _in_quotes(text: str) -> str:
    # File names may contain anything: control characters, and bytes that are not UTF-8.
    return _NOT_IN_QUOTES(_percent_encoded, text.replace("\\", "\\\\").replace('"', '\\"'))


def _percent_encoded(found: "re.Match[str]") -> str:
    return "".join([f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogateescape")])


def _part(name: str, value: object, encoding: str) -> tuple[Payload, str | None]:
    """Return one value as a part, and its file name: the field's name for bytes and nameless files."""
    if isinstance(value, Payload):
        return value, value.filename
    if not _is_part(value):
        return BodyPart(text_body(_to_text(name, value), encoding)), None
    body = content_body(value, encoding)
    if body is None:
        raise TypeError(f"the form field {name!r} cannot hold {shown_text(value)}")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return BodyPart(body), name
    return BodyPart(body), (file_name(value) or name) if is_file(value) else None


@lru_cache(maxsize=32)
def _form_type(encoding: str) -> str:
    codecs.lookup(encoding)
    return f"{_FORM}; charset={encoding}"
