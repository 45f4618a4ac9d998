"""HTTP Message Signatures (RFC 9421), with the keys of ``cryptography`` or a shared one."""

import hashlib
import hmac
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterable
from secrets import token_urlsafe
from typing import Any, Final

from ...exceptions import ContentDigestError, MissingExtraError
from ...message.headers import check_name
from ...response.client_response import ClientResponse
from .base import checked_components, signature_base, signature_params, string
from .content_digest import HASHES, content_digest, mismatch
from .keyed import checked_key
from .unsigned import UnsignedRequest

_CONTENT_DIGEST: Final = "Content-Digest"
HMAC: Final = "hmac-sha256"
_KEY: Final = re.compile(r"[a-z*][a-z0-9_\-.*]*")


class HTTPMessageSigner:
    """Signs parts of a request in the fields ``Signature-Input`` and ``Signature`` (RFC 9421).

    The kind of the key selects the algorithm: ``hmac-sha256`` for bytes or text; ``ed25519``, ``ecdsa-p256-sha256`` and
    ``rsa-pss-sha512`` for private keys of the package ``cryptography``, which ``aioclient[signing]`` installs.

    Args:
        key_id: the name of the key, for the server.
        key: a shared key, a private key of ``cryptography``, or such a key as PEM.
        covered: the parts to sign: names of fields, and ``@method``, ``@target-uri``, ``@authority``, ``@scheme``,
            ``@request-target``, ``@path``, ``@query``, ``@query-param;name="..."`` with the percent-encoded name of a
            parameter that is there once. For ``content-digest`` the field is computed from the body, if the request has
            none.
        label: of the signature.
        expires: seconds for which the signature is valid; None to send no end.
        nonce: whether the signature has a unique random text.
        tag: the purpose of the signature, defined by the application.
        include_algorithm: whether the algorithm is named.
        digest: "sha-256" or "sha-512", for ``Content-Digest`` (RFC 9530).
        check_digest: whether a ``Content-Digest`` of a response is compared with its body, which is read for that.
        clock: a function that returns the time, in seconds since 1970.

    Raises:
        TypeError, ValueError: an argument cannot be used, or the kind of key is not supported.
        MissingExtraError: the key is PEM, and ``cryptography`` is not installed.
    """

    __slots__ = (
        "__weakref__",
        "_check_digest",
        "_clock",
        "_covered",
        "_digest",
        "_expires",
        "_include_algorithm",
        "_label",
        "_makes_digest",
        "_nonce",
        "_sign",
        "_tag",
        "algorithm",
        "key_id",
    )

    def __init__(
        self,
        key_id: str,
        key: Any,
        covered: Iterable[str] = ("@method", "@target-uri", "content-digest"),
        *,
        label: str = "sig1",
        expires: float | None = None,
        nonce: bool = False,
        tag: str | None = None,
        include_algorithm: bool = True,
        digest: str = "sha-256",
        check_digest: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        for name, text in (("key_id", key_id), ("tag", tag or "")):
            if not isinstance(text, str):
                raise TypeError(f"{name} must be a str, found {type(text).__name__}")
            string(text)
        if _KEY.fullmatch(check_name(label)) is None:
            raise ValueError(
                f"the label {label!r} must begin with a letter in lower case, and hold such letters, digits and _-.* "
                "only (RFC 8941, section 3.1.2)"
            )
        if expires is not None and not expires > 0:
            raise ValueError(f"expires={expires}: give a number of seconds above 0")
        if digest not in HASHES:
            raise ValueError(f"digest must be one of {', '.join(HASHES)}, found {digest!r}")
        self.key_id: str = key_id
        self.algorithm: str
        self.algorithm, self._sign = signing_with(key)
        self._covered = checked_components(covered)
        self._makes_digest = any(each.name == "content-digest" for each in self._covered)
        self._label = label
        self._expires = expires
        self._nonce = nonce
        self._tag = tag
        self._include_algorithm = include_algorithm
        self._digest = digest
        self._check_digest = check_digest
        self._clock = clock

    @property
    def needs_body(self) -> bool:
        """Whether the signer needs the body's bytes."""
        return self._makes_digest

    @property
    def identity(self) -> str:
        """The key's owner."""
        return self.key_id

    def __call__(self, request: UnsignedRequest) -> dict[str, str]:
        """Return the fields that sign *request*."""
        if self._makes_digest and _CONTENT_DIGEST not in request.headers:
            request.headers[_CONTENT_DIGEST] = content_digest(request.body or b"", self._digest)
        created = int(self._clock())
        parameters = signature_params(
            self._covered,
            created=created,
            expires=None if self._expires is None else int(created + self._expires),
            key_id=self.key_id,
            algorithm=self.algorithm if self._include_algorithm else None,
            nonce=token_urlsafe(24) if self._nonce else None,
            tag=self._tag,
        )
        made = self._sign(signature_base(request, self._covered, parameters))
        return {
            "Signature-Input": f"{self._label}={parameters}",
            "Signature": f"{self._label}=:{b64encode(made).decode()}:",
        }

    async def check(self, response: ClientResponse) -> None:
        """Compare a ``Content-Digest`` of *response* with its body, if ``check_digest`` is set.

        Raises:
            ContentDigestError: they do not match.
        """
        values = response.headers.getall(_CONTENT_DIGEST, ()) if self._check_digest else ()
        if not values or response.method == "HEAD":
            return
        wrong = mismatch(await response.read_raw(), values)
        if wrong is not None:
            raise ContentDigestError(
                f"{response.request.label}: the body of the response is not the one that its Content-Digest "
                f"({wrong}) is of"
            )

    def __repr__(self) -> str:
        return f"<HTTPMessageSigner {self.algorithm} {self.key_id!r}>"


def signing_with(key: Any) -> tuple[str, Callable[[bytes], bytes]]:
    """Return the name of the algorithm for *key*, and a function that signs bytes with it.

    Raises:
        TypeError, ValueError: the kind of key is not supported.
        MissingExtraError: it is PEM, and ``cryptography`` is not installed.
    """
    if isinstance(key, str) and key.lstrip().startswith("-----BEGIN"):
        key = key.encode()
    if isinstance(key, bytes) and key.lstrip().startswith(b"-----BEGIN"):
        key = _loaded(key)
    if isinstance(key, (bytes, bytearray, str)):
        secret = checked_key(key)
        return HMAC, lambda data: hmac.digest(secret, data, hashlib.sha256)
    try:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
    except ImportError as error:
        raise _missing() from error
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519", key.sign
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1":
        private = key

        def sign_ecdsa(data: bytes) -> bytes:
            r, s = utils.decode_dss_signature(private.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")

        return "ecdsa-p256-sha256", sign_ecdsa
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < 2048:
            raise ValueError(
                f"an RSA key of {key.key_size} bits is too short; take one of 2048 or more"
            )
        pss = padding.PSS(padding.MGF1(hashes.SHA512()), 64)
        return "rsa-pss-sha512", lambda data: key.sign(data, pss, hashes.SHA512())
    raise TypeError(
        "the key must be bytes or a str (hmac-sha256), or a private key of cryptography: Ed25519, P-256 or RSA; "
        f"found {type(key).__name__}"
    )


def _loaded(pem: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise _missing() from error
    try:
        return load_pem_private_key(pem, None)
    except (TypeError, ValueError):
        raise ValueError("the key is no private key in PEM without a password") from None


def _missing() -> MissingExtraError:
    return MissingExtraError(
        "this key needs the package cryptography, which is not installed: pip install aioclient[signing]"
    )
