"""Does a stored response answer a request with these fields? ``Vary`` (RFC 9111, section 4.1).

A request matches if each field that ``Vary`` names has the same value as in the stored request, or is missing in both.
Values are normalised before they are compared, without changing their meaning: space around commas, several lines, and
the order and case of lists where these mean nothing (RFC 9110, sections 12.5.2 to 12.5.4).
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from ...message.headers import is_secret
from .directives import Fields

_UNORDERED: Final = frozenset(("accept-charset", "accept-encoding", "accept-language"))
LANGUAGE: Final = "accept-language"
MAX_NAMES: Final = (
    64  # of request fields; each hit compares all of them, and no known server names a dozen
)

Variant = tuple[tuple[str, str | None], ...]


def names_of(fields: Fields) -> tuple[str, ...]:
    """Return the names in ``Vary``, in lower case, each once, sorted; if ``*`` is there, only that."""
    lines = fields.getall("Vary", None)
    if lines is None:
        return ()
    names = {name.strip(" \t").lower() for line in lines for name in line.split(",")} - {""}
    return ("*",) if "*" in names else tuple(sorted(names))


def variant_of(names: Iterable[str], fields: Fields) -> Variant:
    """Return the normalised values of *names* in the *fields* of a request; secret values as a hash."""
    return tuple([(name, _normalised(name, fields.getall(name, None))) for name in names])


def _normalised(name: str, lines: list[str] | None) -> str | None:
    if lines is None:
        return None
    text = ",".join(lines)
    if name in _UNORDERED:
        text = ",".join(sorted(_preferences(text)))
    elif '"' not in text:  # within quotes a space matters
        text = ",".join([part.strip(" \t") for part in text.split(",")])
    if is_secret(name):
        return f"blake2b:{blake2b(text.encode('utf-8', 'surrogateescape'), digest_size=16).hexdigest()}"
    return text


def _preferences(text: str) -> list[str]:
    """Return the members of a list of preferences, in lower case, without space and without a ``q`` of 1."""
    members = []
    for member in text.split(","):
        if not member:
            continue
        parts = [part.strip(" \t").lower() for part in member.split(";")]
        weights = [part for part in parts[1:] if part.startswith("q=")]
        if parts[0]:
            members.append(
                ";".join([parts[0], *(part for part in weights if _weight(part) != 1.0)])
            )
    return members


def _weight(text: str) -> float:
    """Return the number in ``q=0.5``; 0 if it is invalid."""
    number = text[2:]
    digits = number.replace(".", "", 1)
    return float(number) if digits.isascii() and digits.isdigit() and len(digits) <= 4 else 0.0


def matches(stored: Variant, stored_fields: Fields, fields: Fields) -> bool:
    """Tell whether a response that was *stored* for a request with that variant answers one with these *fields*."""
    for name, value in stored:
        lines = fields.getall(name, None)
        if _normalised(name, lines) != value and not (
            name == LANGUAGE
            and lines is not None
            and _is_first_choice(",".join(lines), stored_fields)
        ):
            return False
    return True


def _is_first_choice(accepted: str, stored_fields: Fields) -> bool:
    """Tell whether the stored response is in the one language that is preferred to every other.

    The server has it, because it sent it: no other response would suit better (RFC 9110, section 12.5.4).
    """
    language = stored_fields.get("Content-Language", "").strip(" \t").lower()
    if not language or "," in language:
        return False
    best: list[str] = []
    highest = 0.0
    for member in _preferences(accepted):
        name, _, weight = member.partition(";")
        value = _weight(weight) if weight else 1.0
        if value > highest:
            best, highest = [name], value
        elif value == highest:
            best.append(name)
    return best == [language]
