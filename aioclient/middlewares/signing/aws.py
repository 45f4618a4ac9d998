"""AWS Signature Version 4 on requests."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, get_args

from ...message.body import Body, BodyWriter
from ...message.headers import AUTHORIZATION, CONTENT_LENGTH, TRANSFER_ENCODING, check_name
from .aws_policy import (
    ALGORITHM,
    CHUNK,
    STREAMED,
    UNSIGNED,
    Scope,
    canonical_request,
    chunk_head,
    chunk_signature,
    names_to_sign,
    signature,
    signing_key,
    spelled,
    streamed_size,
    string_to_sign,
)
from .unsigned import UnsignedRequest

Payload = Literal["signed", "unsigned", "streamed"]
_PAYLOAD_HASH: Final = "X-Amz-Content-Sha256"


class SigV4Signer:
    """Signs requests for AWS, and for services that accept the same signatures (Signature Version 4).

    ``Host``, ``Content-Type``, ``Content-MD5`` and the ``X-Amz-*`` fields are signed, with the method, path and query.
    Path and query are sent in the spelling of AWS.

    Args:
        access_key: the key's id.
        secret_key: the key.
        region: such as ``eu-central-1``.
        service: such as ``s3``, ``dynamodb``, ``execute-api``.
        session_token: the token of temporary credentials; None for none.
        payload: "signed": the body's bytes are signed, so it is read into memory first; "unsigned": it is not signed,
            for S3 over ``https``; "streamed": it is signed in chunks of 64 KiB as it goes out, for S3 and a body of
            known length.
        signed_fields: names of further fields to sign, if a request has them.
        clock: a function that returns the time, in seconds since 1970.

    Raises:
        TypeError, ValueError: an argument cannot be used.
    """

    __slots__ = (
        "__weakref__",
        "_clock",
        "_key",
        "_payload",
        "_region",
        "_secret_key",
        "_service",
        "_session_token",
        "_signed_fields",
        "access_key",
    )

    def __init__(
        self,
        access_key: str,
        secret_key: str,
        *,
        region: str,
        service: str,
        session_token: str | None = None,
        payload: Payload = "signed",
        signed_fields: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        for name, value in (
            ("access_key", access_key),
            ("secret_key", secret_key),
            ("region", region),
            ("service", service),
        ):
            if not isinstance(value, str):
                raise TypeError(f"{name} must be a str, found {type(value).__name__}")
            if not value:
                raise ValueError(f"{name} is empty")
        if payload not in get_args(Payload):
            raise ValueError(
                f"payload must be 'signed', 'unsigned' or 'streamed', found {payload!r}"
            )
        if isinstance(signed_fields, str):
            raise TypeError("signed_fields must be a list of names, found one str")
        self.access_key: str = access_key
        self._secret_key = secret_key
        self._region = region
        self._service = service
        self._session_token = session_token
        self._payload = payload
        self._signed_fields = frozenset(check_name(name).lower() for name in signed_fields)
        self._clock = clock
        self._key: tuple[Scope, bytes] | None = None  # the key of the last day

    @property
    def needs_body(self) -> bool:
        """Whether the signer needs the body's bytes."""
        return self._payload == "signed"

    @property
    def identity(self) -> str:
        """The key's owner."""
        return self.access_key

    def __call__(self, request: UnsignedRequest) -> None:
        """Sign *request*.

        Raises:
            ValueError: it already has an ``Authorization`` field, or a body of unknown length that must be streamed.
        """
        headers = request.headers
        if AUTHORIZATION in headers:
            raise ValueError(
                "the request has an Authorization field, which SigV4Signer sets; leave out auth= or that field"
            )
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        scope = Scope(moment[:8], self._region, self._service)
        headers["X-Amz-Date"] = moment
        if self._session_token is not None:
            headers["X-Amz-Security-Token"] = self._session_token
        payload_hash = self._payload_hash(request)
        is_s3 = self._service.startswith("s3")
        if is_s3 or payload_hash in (UNSIGNED, STREAMED):
            headers[_PAYLOAD_HASH] = payload_hash
        request.url = spelled(request.url, is_s3=is_s3)
        names = names_to_sign(headers, self._signed_fields)
        canonical = canonical_request(
            request.method, request.url, headers, names, payload_hash, is_s3=is_s3
        )
        key = self._key_for(scope)
        made = signature(key, string_to_sign(scope, moment, canonical))
        headers[AUTHORIZATION] = (
            f"{ALGORITHM} Credential={self.access_key}/{scope}, SignedHeaders={';'.join(names)}, Signature={made}"
        )
        if payload_hash == STREAMED and request.content is not None:
            request.content = ChunkSigned(request.content, key, scope, moment, made)

    def _key_for(self, scope: Scope) -> bytes:
        if self._key is None or self._key[0] != scope:
            self._key = scope, signing_key(self._secret_key, scope)
        return self._key[1]

    def _payload_hash(self, request: UnsignedRequest) -> str:
        content, headers = request.content, request.headers
        if self._payload == "unsigned":
            return UNSIGNED
        if self._payload == "signed" or content is None:
            return hashlib.sha256(request.body or b"").hexdigest()
        if content.size is None:
            raise ValueError(
                "payload='streamed' needs a body of known length; give bytes, a file, or payload='unsigned'"
            )
        headers.popall(TRANSFER_ENCODING, None)
        headers[CONTENT_LENGTH] = str(streamed_size(content.size))
        headers["X-Amz-Decoded-Content-Length"] = str(content.size)
        coding = headers.get("Content-Encoding")
        headers["Content-Encoding"] = "aws-chunked" if coding is None else f"aws-chunked,{coding}"
        return STREAMED

    def __repr__(self) -> str:
        return f"SigV4Signer({self.access_key!r}, '***', region={self._region!r}, service={self._service!r})"


class ChunkSigned(Body):
    """Wraps a body: sends it in chunks, each with a signature that includes the previous one."""

    __slots__ = (
        "_body",
        "_key",
        "_moment",
        "_scope",
        "_seed",
        "content_type",
        "headers",
        "replayable",
        "size",
    )

    data: bytes | None = None

    def __init__(self, body: Body, key: bytes, scope: Scope, moment: str, seed: str) -> None:
        self._body = body
        self._key = key
        self._scope = scope
        self._moment = moment
        self._seed = seed
        self.size: int = streamed_size(body.size or 0)
        self.content_type: str | None = body.content_type
        self.headers: Mapping[str, str] | None = body.headers
        self.replayable: bool = body.replayable

    async def write(self, writer: BodyWriter) -> None:
        """Send the whole body, as ``Body.write``."""
        chunks = _ChunkWriter(self, writer)
        await self._body.write(chunks)
        await chunks.finish()

    def signed(self, before: str, data: bytes) -> str:
        """Return the signature of a chunk; *before* is the signature before it."""
        return chunk_signature(self._key, self._scope, self._moment, before or self._seed, data)

    def rewind(self) -> None:
        """Prepare to send it again, as ``Body.rewind``."""
        self._body.rewind()

    async def close(self) -> None:
        """Close the wrapped body."""
        await self._body.close()

    @property
    def consumed(self) -> bool:
        """Whether some of it was sent, and it cannot be sent again."""
        return self._body.consumed


class _ChunkWriter:
    """Collects its input, and passes it on in signed chunks."""

    __slots__ = ("_before", "_body", "_held", "_writer")

    def __init__(self, body: ChunkSigned, writer: BodyWriter) -> None:
        self._body = body
        self._writer = writer
        self._held = bytearray()
        self._before = ""

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self._held += chunk
        while len(self._held) >= CHUNK:
            data = bytes(self._held[:CHUNK])
            del self._held[:CHUNK]
            await self._send(data)

    async def finish(self) -> None:
        if self._held:
            await self._send(bytes(self._held))
        await self._send(b"")

    async def _send(self, data: bytes) -> None:
        self._before = self._body.signed(self._before, data)
        await self._writer.write(b"%b%b\r\n" % (chunk_head(len(data), self._before), data))
