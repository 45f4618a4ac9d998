"""Signatures with a shared key: HMAC-SHA256 (RFC 2104) of the parts of a request."""

import hashlib
import hmac
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final, Literal, cast, get_args

from ...message.headers import check_name
from .unsigned import UnsignedRequest

Encoding = Literal["hex", "base64"]
# Hashes with known collisions; HMAC is not broken by that, but new APIs should not use them.
_WEAK: Final = frozenset(("md5", "sha1"))


def signed_text(request: UnsignedRequest, timestamp: str) -> bytes:
    """Return what ``HMACSigner`` signs by default, five lines: method, host, target, timestamp, hash of the body.

    The method is as sent; host and port are as in ``Host``; the target is path and query as in the request line; the
    timestamp is in seconds since 1970; the hash is SHA-256 in hexadecimal, of an empty body too.
    """
    digest = hashlib.sha256(request.body or b"").hexdigest()
    lines = (request.method, request.authority, request.target, timestamp, digest)
    return "\n".join(lines).encode()


class HMACSigner:
    """Signs with a key that the server has too: HMAC-SHA256 in a field of the request.

    Args:
        key: bytes, or text, which is encoded in UTF-8.
        key_id: sent in *key_field*, so that the server knows which key it is; None to send none.
        field: the field of the signature.
        timestamp_field: the field of the signed time, in seconds since 1970.
        key_field: the field of *key_id*.
        message: a plain function that gets the request and the timestamp and returns the bytes to sign; by default
            method, host, target, timestamp and the body's hash, one per line.
        prefix: text before the signature, such as ``"sha256="``.
        encoding: "hex" or "base64".
        hash: name of a hash in ``hashlib``, SHA-256 or stronger; an API that requires MD5 or SHA-1 needs your own
            signer function.
        clock: a function that returns the time, in seconds since 1970.

    Raises:
        TypeError, ValueError: an argument cannot be used.
    """

    __slots__ = (
        "__weakref__",
        "_clock",
        "_encoding",
        "_field",
        "_hash",
        "_key",
        "_key_field",
        "_message",
        "_prefix",
        "_timestamp_field",
        "key_id",
    )

    def __init__(
        self,
        key: bytes | str,
        *,
        key_id: str | None = None,
        field: str = "X-Signature",
        timestamp_field: str = "X-Timestamp",
        key_field: str = "X-Key-Id",
        message: Callable[[UnsignedRequest, str], bytes] = signed_text,
        prefix: str = "",
        encoding: Encoding = "hex",
        hash: Callable[[bytes], Any] = hashlib.sha256,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = checked_key(key)
        if encoding not in get_args(Encoding):
            raise ValueError(f"encoding must be 'hex' or 'base64', found {encoding!r}")
        for name, value in (("message", message), ("hash", hash), ("clock", clock)):
            if not callable(value):
                raise TypeError(f"{name} must be callable, found {type(value).__name__}")
        if (weak := hash(b"").name) in _WEAK:
            raise ValueError(f"hash: {weak} is weak; take hashlib.sha256")
        self.key_id: str | None = key_id
        self._field = check_name(field)
        self._timestamp_field = check_name(timestamp_field)
        self._key_field = check_name(key_field)
        self._message = message
        self._prefix = prefix
        self._encoding = encoding
        self._hash = hash
        self._clock = clock

    @property
    def identity(self) -> str:
        """A hash that stands for the key."""
        return hashlib.sha256(b"%b\0%b" % ((self.key_id or "").encode(), self._key)).hexdigest()

    def __call__(self, request: UnsignedRequest) -> dict[str, str]:
        """Return the fields that sign *request*."""
        timestamp = str(int(self._clock()))
        made = hmac.new(
            self._key, self._message(request, timestamp), cast(Any, self._hash)
        ).digest()
        text = made.hex() if self._encoding == "hex" else b64encode(made).decode()
        fields = {self._timestamp_field: timestamp, self._field: f"{self._prefix}{text}"}
        if self.key_id is not None:
            fields[self._key_field] = self.key_id
        return fields

    def __repr__(self) -> str:
        return f"HMACSigner('***', key_id={self.key_id!r})"


def checked_key(key: object) -> bytes:
    """Return a shared *key* as bytes.

    Raises:
        TypeError: it is neither bytes nor text.
        ValueError: it is empty.
    """
    if isinstance(key, str):
        key = key.encode()
    if not isinstance(key, (bytes, bytearray)):
        raise TypeError(f"the key must be bytes or a str, found {type(key).__name__}")
    if not key:
        raise ValueError("the key is empty")
    return bytes(key)
