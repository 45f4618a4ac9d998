"""The digest of a body, as in ``Content-Digest`` (RFC 9530). Pure functions."""

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Callable, Iterable
from typing import Final

# The strongest first; the other hashes in the RFC's registry are broken (section 5).
HASHES: Final[dict[str, Callable[[bytes], "hashlib._Hash"]]] = {
    "sha-512": hashlib.sha512,
    "sha-256": hashlib.sha256,
}
_MEMBER: Final = re.compile(r"[ \t]*([a-z*][a-z0-9_\-.*]*)=:([A-Za-z0-9+/=]*):[ \t]*(?:,|\Z)")


def content_digest(body: bytes, algorithm: str = "sha-256") -> str:
    """Return the value of a ``Content-Digest`` field for *body*.

    Raises:
        ValueError: *algorithm* is not sha-256 or sha-512.
    """
    if algorithm not in HASHES:
        raise ValueError(
            f"the digest algorithm must be one of {', '.join(HASHES)}, found {algorithm!r}"
        )
    return f"{algorithm}=:{b64encode(HASHES[algorithm](body).digest()).decode()}:"


def digests_in(values: Iterable[str]) -> dict[str, bytes]:
    """Return the digests in the fields' *values*, for known algorithms; parsing stops at the first invalid member."""
    found: dict[str, bytes] = {}
    for value in values:
        at = 0
        while (member := _MEMBER.match(value, at)) is not None and at < len(value):
            at = member.end()
            if member[1] in HASHES:
                try:
                    found[member[1]] = b64decode(member[2], validate=True)
                except Error:
                    break
    return found


def mismatch(body: bytes, values: Iterable[str]) -> str | None:
    """Return which digest in the fields' *values* is wrong for *body*; None if the strongest known one is right."""
    digests = digests_in(values)
    for algorithm, make in HASHES.items():
        if algorithm in digests:
            same = hmac.compare_digest(make(body).digest(), digests[algorithm])
            return None if same else algorithm
    return None
