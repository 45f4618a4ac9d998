"""AWS Signature Version 4: the signature and what it covers. Pure functions.

The steps are those of AWS: a canonical request, a string to sign, a key derived from date, region and service, a
signature. AWS decodes path and query before it checks them. Both are sent in the spelling of AWS, so that both sides
sign the same text.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from multidict import CIMultiDict
from yarl import URL

ALGORITHM: Final = "AWS4-HMAC-SHA256"
UNSIGNED: Final = "UNSIGNED-PAYLOAD"
STREAMED: Final = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
EMPTY_HASH: Final = hashlib.sha256(b"").hexdigest()
CHUNK: Final = 64 * 1024  # bytes; AWS requires at least 8 KiB, except for the last one


class Scope(NamedTuple):
    """The scope in which a key is valid: the day (``20150830``), the region, the service."""

    day: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def spelled(url: URL, *, is_s3: bool) -> URL:
    """Return *url* with path and query percent-encoded as by AWS: everything but letters, digits and ``-._~``.

    For S3, an encoded slash belongs to the key of the object, and is sent as ``/``.
    """
    if is_s3:
        path = quote(unquote(url.raw_path), safe="/~")
    else:
        path = "/".join(_coded(unquote(part)) for part in url.raw_path.split("/"))
    query = "&".join(
        f"{_coded(name)}={_coded(value)}" for name, value in _pairs(url.raw_query_string)
    )
    return URL(f"{url.origin()}{path}{'?' if query else ''}{query}", encoded=True)


def canonical_request(
    method: str,
    url: URL,
    headers: "CIMultiDict[str]",
    names: Sequence[str],
    payload_hash: str,
    *,
    is_s3: bool,
) -> str:
    """Return the canonical request; *names* are the signed fields, in lower case and sorted.

    All services but S3 encode the path a second time, and remove its dot segments.
    """
    path = url.raw_path or "/"
    if not is_s3:
        path = quote(_without_dots(path), safe="/~")
    query = "&".join(sorted(f"{name}={value}" for name, value in _raw_pairs(url.raw_query_string)))
    fields = "".join(f"{name}:{_value(headers.getall(name))}\n" for name in names)
    return "\n".join((method, path, query, fields, ";".join(names), payload_hash))


def string_to_sign(scope: Scope, moment: str, canonical: str) -> str:
    """Return the text to sign; *moment* has the form ``20150830T123600Z``."""
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return "\n".join((ALGORITHM, moment, str(scope), digest))


def signing_key(secret_key: str, scope: Scope) -> bytes:
    """Return the key of one day, region and service."""
    key = f"AWS4{secret_key}".encode()
    for part in (*scope, "aws4_request"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    return key


def signature(key: bytes, text: str) -> str:
    """Return the signature of *text*."""
    return hmac.digest(key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hex()


def chunk_signature(key: bytes, scope: Scope, moment: str, before: str, data: bytes) -> str:
    """Return the signature of a chunk of a streamed body; *before* is that of the previous chunk, or of the head."""
    lines = (
        "AWS4-HMAC-SHA256-PAYLOAD",
        moment,
        str(scope),
        before,
        EMPTY_HASH,
        hashlib.sha256(data).hexdigest(),
    )
    return signature(key, "\n".join(lines))


def streamed_size(size: int) -> int:
    """Return the length of a streamed body of *size* bytes, with the heads of its chunks."""
    whole, rest = divmod(size, CHUNK)
    total = whole * _chunk_size(CHUNK) + _chunk_size(0)
    return total + (_chunk_size(rest) if rest else 0)


def chunk_head(size: int, made: str) -> bytes:
    """Return the head of a chunk of *size* bytes."""
    return f"{size:x};chunk-signature={made}\r\n".encode()


def names_to_sign(headers: "CIMultiDict[str]", more: Iterable[str]) -> list[str]:
    """Return the names, in lower case and sorted, of the fields that are signed: AWS's own, a few, and *more*."""
    wanted = {"host", "content-type", "content-md5", *more}
    present = {name.lower() for name in headers}
    return sorted(name for name in present if name in wanted or name.startswith("x-amz-"))


def _chunk_size(size: int) -> int:
    return len(chunk_head(size, "0" * 64)) + size + 2


def _coded(text: str) -> str:
    return quote(text, safe="~")


def _raw_pairs(query: str) -> list[tuple[str, str]]:
    pairs = (part.partition("=") for part in query.split("&") if part)
    return [(name, value) for name, _, value in pairs]


def _pairs(query: str) -> list[tuple[str, str]]:
    return [
        (unquote(name.replace("+", " ")), unquote(value.replace("+", " ")))
        for name, value in _raw_pairs(query)
    ]


def _value(values: Iterable[str]) -> str:
    return ",".join(" ".join(value.split()) for value in values)


def _without_dots(path: str) -> str:
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if kept:
                kept.pop()
        elif part not in ("", "."):
            kept.append(part)
    tail = "/" if path.endswith("/") and kept else ""
    return f"/{'/'.join(kept)}{tail}"
