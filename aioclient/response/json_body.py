"""JSON bodies as values: fast where msgspec is installed, with the results and errors of the standard library.

msgspec's decoder takes bytes and agrees with ``json.loads`` on everything that it accepts, including integers of any
size (orjson turns those above 64 bits into floats). What it refuses, such as NaN, lone surrogates and 1e400, is passed
to the standard library, whose result or error is used. Without msgspec the standard library does everything.

Only msgspec decodes into types. It is imported when it is first needed.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any, Final

from ..exceptions import MissingExtraError, UnexpectedJSONError
from ..message.excerpt import is_secret_name
from ..message.request import Request

# Spellings that need no codec lookup; other spellings of UTF-8 go to the standard library.
_UTF_8: Final = frozenset(("utf-8", "UTF-8", "utf8", "UTF8"))
_KINDS: Final = {
    dict: "object",
    list: "array",
    str: "str",
    bool: "bool",
    int: "int",
    float: "float",
    type(None): "null",
}
_OF_A_KEY: Final = "`key` in "
_STEP: Final = re.compile(r"\.([^.\[]+)|\[([0-9]+|\.\.\.)\]").finditer
_MOST_ENTRIES: Final = 5  # of an object or array, in a snippet
_MOST_CHARACTERS: Final = 60  # of a string, in a snippet


@cache
def _msgspec() -> Any:
    """Return the module, or None."""
    try:
        import msgspec
    except ImportError:
        return None
    return msgspec


@cache
def _fast_decoder() -> tuple[Callable[[bytes], Any], tuple[type[Exception], ...]] | None:
    """Return msgspec's decoder into plain values and the exceptions that it raises; None without msgspec."""
    msgspec = _msgspec()
    if msgspec is None:
        return None
    return msgspec.json.Decoder().decode, (msgspec.MsgspecError, UnicodeError, RecursionError)


def decode_json(body: bytes, charset: str) -> Any:
    """Return *body*, which must not be blank, as ``json.loads`` does.

    Raises:
        json.JSONDecodeError: it is not JSON, or nested more deeply than Python's recursion limit, or it contains an
        integer with more digits than Python converts.
        UnicodeDecodeError: it is not in *charset*.
    """
    fast = _fast_decoder() if charset in _UTF_8 else None
    if fast is not None:
        decode, failures = fast
        try:
            return decode(body)
        except failures:
            pass  # the standard library decides
    return _decode_text(text_of(body, charset))


def text_of(body: bytes, charset: str) -> str:
    """Return *body* as text, without a leading byte order mark (RFC 8259, section 8.1)."""
    return body.decode(charset).removeprefix("\ufeff")


def _decode_text(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise json.JSONDecodeError("Nested too deeply", text, 0) from None
    except json.JSONDecodeError:
        raise
    except (
        ValueError
    ) as error:  # an integer with more digits than sys.set_int_max_str_digits() allows
        raise json.JSONDecodeError(str(error), text, 0) from None


def typed_decoder(wanted: Any) -> Any:
    """Return msgspec's decoder into *wanted*.

    Raises:
        MissingExtraError: msgspec is not installed.
        TypeError: *wanted* is not a type that JSON can be decoded into.
    """
    if _msgspec() is None:
        raise MissingExtraError(
            "json(type=...) needs msgspec, which is not installed: pip install 'aioclient[json]'"
        )
    try:
        return _cached_decoder(wanted)
    except TypeError as error:
        try:
            hash(wanted)
        except TypeError:
            return _msgspec().json.Decoder(wanted)
        raise TypeError(f"json(type={wanted!r}): {error}") from error


@lru_cache(maxsize=256)
def _cached_decoder(wanted: Any) -> Any:
    return _msgspec().json.Decoder(wanted)


def decode_json_as(decoder: Any, body: bytes, charset: str, request: Request) -> Any:
    """Return *body* decoded by *decoder*; a blank body counts as null.

    Raises:
        UnexpectedJSONError: it is JSON of another type; *request* is for its message.
        json.JSONDecodeError: it is not JSON.
        UnicodeDecodeError: it is not in *charset*.
    """
    msgspec = _msgspec()
    blank = not body or body.isspace()
    try:
        if blank:
            return decoder.decode(b"null")
        return decoder.decode(body if charset in _UTF_8 else body.decode(charset))
    except msgspec.ValidationError as error:
        refusal = error
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        # The standard library may accept it: NaN, a lone surrogate.
        value = _decode_text(text_of(body, charset))
        try:
            return msgspec.convert(value, decoder.type, str_keys=True)
        except msgspec.ValidationError as error:
            refusal = error
    value = None if blank else decode_json(body, charset)
    raise _explained(str(refusal), value, request, blank=blank) from refusal


def _explained(
    message: str, value: object, request: Request, *, blank: bool
) -> UnexpectedJSONError:
    """Return the error for msgspec's *message* about the decoded *value*."""
    reason, of_a_key, stated_path = _parts(message)
    expected = found = ""
    if reason.startswith("Expected "):
        expected, _, found = reason.removeprefix("Expected ").replace("`", "").partition(", got ")
    path = "$"
    name = ""
    steps = [step[1] or step[2] for step in _STEP(stated_path or "$")]
    place = next(_places(value, steps, found if "..." in steps else ""), None)
    if place is None:
        path = stated_path or "$"
        snippet = ""
    else:
        keys, value = place
        for key in keys:
            path += f"[{key}]" if isinstance(key, int) else _as_step(key)
            name = key if isinstance(key, str) else name
        found = "an empty body" if blank else found or _KINDS.get(type(value), "")
        snippet = "" if blank else _snippet(value, name)
    if is_secret_name(name):
        reason = re.sub(r"'.*'", "'***'", reason)
    if of_a_key:
        reason = f"a key of the object: {reason}"
    return UnexpectedJSONError(
        request.info, path=path, reason=reason, expected=expected, found=found, snippet=snippet
    )


def _parts(message: str) -> tuple[str, bool, str]:
    """Return the reason in msgspec's *message*, whether it is about a key, and the path.

    The reason may quote text of any length from the server; the path, which comes last, does not.
    """
    reason, at, place = message.rpartition(" - at ")
    path = place.removeprefix(_OF_A_KEY)
    if not at or len(path) < 2 or path[0] != "`" or path[-1] != "`":
        return message, False, ""
    return reason, path != place, path[1:-1]


def _places(value: Any, steps: list[str], found: str) -> Iterator[tuple[list[str | int], Any]]:
    """Yield the possible paths for *steps*, with the value at their end.

    ``...`` is an entry of an object whose key msgspec does not report: the wrong one has the type *found*.
    """
    if not steps:
        if found in ("", _KINDS.get(type(value), "")):
            yield [], value
        return
    step, *rest = steps
    keys: list[Any] = []
    if step == "...":
        keys = list(value) if isinstance(value, dict) else []
    elif isinstance(value, dict):
        keys = [step] if step in value else []
    elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step) < len(value):
        keys = [int(step)]
    for key in keys:
        for way, end in _places(value[key], rest, found):
            yield [key, *way], end


def _as_step(key: str) -> str:
    return f".{key}" if key.isidentifier() else f"[{json.dumps(key[:_MOST_CHARACTERS])}]"


def _snippet(value: object, name: str = "", *, nested: bool = False) -> str:
    """Return the beginning of *value* as JSON, without values whose names are secret."""
    if is_secret_name(name):
        return '"***"'
    if isinstance(value, dict):
        if nested:
            return "{…}" if value else "{}"
        entries = [
            f"{json.dumps(key[:_MOST_CHARACTERS])}: {_snippet(item, key, nested=True)}"
            for key, item in list(value.items())[:_MOST_ENTRIES]
        ]
        return "{" + ", ".join(entries + ["…"] * (len(value) > _MOST_ENTRIES)) + "}"
    if isinstance(value, list):
        if nested:
            return "[…]" if value else "[]"
        entries = [_snippet(item, nested=True) for item in value[:_MOST_ENTRIES]]
        return "[" + ", ".join(entries + ["…"] * (len(value) > _MOST_ENTRIES)) + "]"
    if isinstance(value, str):
        return json.dumps(value[:_MOST_CHARACTERS]) + "…" * (len(value) > _MOST_CHARACTERS)
    return json.dumps(value)[:_MOST_CHARACTERS]
