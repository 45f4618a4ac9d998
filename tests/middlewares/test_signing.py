"""Signatures: put on last, over the bytes that go out, again on each attempt and hop."""

import asyncio
import base64
import calendar
import gzip
import hashlib
import hmac
import io
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from yarl import URL

import aioclient
from aioclient import (
    BodyConsumedError,
    ClientResponse,
    ClientSession,
    ContentDigestError,
    Handler,
    HMACSigner,
    HTTPMessageSigner,
    RedirectPolicy,
    Request,
    SigV4Signer,
    UnsignedRequest,
)
from aioclient.middlewares.signing.aws_policy import spelled, streamed_size
from aioclient.middlewares.signing.base import checked_components, signature_base, signature_params
from aioclient.middlewares.signing.content_digest import content_digest, mismatch
from aioclient.testing import RawConnection, RawRequest

from ..loopback import OK, answer, moved, names, open_jar
from ..servers.either import RawServer

pytestmark = pytest.mark.both_protocols

NOW = 1618884473


def clock() -> float:
    return NOW


def at(moment: str) -> Callable[[], float]:
    return lambda: calendar.timegm(time.strptime(moment, "%Y%m%dT%H%M%SZ"))


class Recording:
    """Notes what it is shown, and counts."""

    def __init__(self, *, needs_body: bool = True) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes | None]] = []
        self.needs_body = needs_body

    async def __call__(self, request: UnsignedRequest) -> dict[str, str]:
        self.seen.append((request.method, request.target, dict(request.headers), request.body))
        await asyncio.sleep(0)
        return {"X-Signature": str(len(self.seen))}


@pytest.mark.both_loops
class TestStep:
    async def test_it_sees_what_goes_out(self) -> None:
        """It is called after credentials and cookies, with all fields, and what it sees is what is sent."""
        signer = Recording()
        jar = open_jar()
        async with (
            RawServer.replies([OK]) as server,
            ClientSession(signer=signer, auth=("u", "p"), cookie_jar=jar) as session,
        ):
            jar.update_cookies({"a": "1"}, URL(server.url()))
            url = server.url("/p?q=%2F+1")
            await session.post(url, json={"a": 1}, headers={"X-Mine": "2"}, params={"r": "s t"})
        (request,) = server.requests
        ((method, target, headers, body),) = signer.seen
        sent = {name.decode().lower(): value.decode() for name, value in request.headers}
        assert sent.pop("x-signature") == "1"
        assert {name.lower(): value for name, value in headers.items()} == sent
        assert (method, target, body) == (request.method, request.target, request.body)
        assert {"Authorization", "Cookie", "Content-Length", "Host"} <= headers.keys()

    async def test_each_attempt_and_hop(self) -> None:
        """Each attempt of a middleware, round of credentials and hop is signed anew; no signature signs another."""

        class Twice:
            async def authorize(self, request: Request) -> None:
                request.authorization = "again"

            async def answer(self, request: Request, response: ClientResponse) -> bool:
                return response.status == 401

        async def retry(request: Request, handler: Handler) -> ClientResponse:
            await handler(request)
            return await handler(request)

        signer = Recording()
        replies = [OK, answer(status="401 No"), moved("/b"), OK, OK]
        async with (
            RawServer.replies(replies) as server,
            ClientSession(signer=signer, auth=Twice(), middlewares=[retry]) as session,
        ):
            await session.get(server.url("/a"))
        found = [(request.target, request.value("X-Signature")) for request in server.requests]
        assert found == [("/a", "1"), ("/a", "2"), ("/a", "3"), ("/b", "4"), ("/b", "5")]
        assert not any("X-Signature" in headers for _, _, headers, _ in signer.seen)

    @pytest.mark.rows("RED-01")
    @pytest.mark.parametrize("keep", [True, False])
    async def test_other_origins(self, keep: bool) -> None:
        """It signs for no other origin where a redirect leads, unless a RedirectPolicy says so."""
        signer = Recording()
        async with RawServer.replies([OK]) as other:
            url = other.url("/", host="b.test")
            policy = RedirectPolicy(keep_credentials=[url] if keep else [])
            async with (
                RawServer.replies([moved(url)]) as server,
                ClientSession(connector=names(), signer=signer, redirect_policy=policy) as session,
            ):
                await session.get(server.url(host="a.test"))
            assert len(other.requests[0].values("X-Signature")) == keep

    async def test_a_base_url(self) -> None:
        """With a base_url the session's signs for its origin only, a call's for what it calls; None is for none."""
        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(
                server.url("/", host="a.test"), connector=names(), signer=Recording()
            ) as session,
        ):
            await session.get("x")
            await session.get(server.url(host="b.test"))
            await session.get(server.url(host="b.test"), signer=Recording())
            await session.get("x", signer=None)
        found = [bool(request.values("X-Signature")) for request in server.requests]
        assert found == [True, False, True, False]

    async def test_its_own_query(self) -> None:
        """It may set the query, and not another origin."""

        def signer(request: UnsignedRequest) -> None:
            request.url = request.url.extend_query(sign="1/2")

        def stray(request: UnsignedRequest) -> None:
            request.url = URL("http://b.test/")

        async with RawServer.replies([OK]) as server, ClientSession() as session:
            async with session.get(server.url("/a?x=%2F"), signer=signer) as response:
                assert response.url.query["sign"] == "1/2"
            with pytest.raises(ValueError, match="another origin"):
                await session.get(server.url(), signer=stray)
        assert [request.target for request in server.requests] == ["/a?x=%2F&sign=1/2"]

    @pytest.mark.parametrize(
        "kind", ["bytes", "text", "form", "file", "multipart", "gzip", "gzip file", "progress"]
    )
    async def test_bodies(self, kind: str, tmp_path: Any) -> None:
        """The bytes that are signed are the bytes that are sent, whatever they are made of."""
        file = tmp_path / "file"
        file.write_bytes(b"content " * 1000)
        seen: list[tuple[int, int | None]] = []
        form = aioclient.FormData()
        form.add_field("file", b"content", filename="f")
        signer = Recording()
        with file.open("rb") as opened:
            given: dict[str, Any] = {
                "bytes": {"data": b"body"},
                "text": {"data": "bödy"},
                "form": {"data": {"a": "b"}},
                "file": {"data": opened},
                "multipart": {"data": form},
                "gzip": {"data": b"body" * 100, "compress": "gzip"},
                "gzip file": {"data": opened, "compress": "gzip"},
                "progress": {"data": opened, "progress": lambda *args: seen.append(args)},
            }[kind]
            async with RawServer.replies([OK, OK]) as server, ClientSession() as session:
                for _ in range(2):
                    opened.seek(0)
                    await session.post(server.url(), signer=signer, **given)
            assert not opened.closed
        for request, (_, _, _, body) in zip(server.requests, signer.seen, strict=True):
            assert request.body == body != b""
        if "gzip" in kind:
            gzip.decompress(signer.seen[0][3] or b"")
        if kind == "progress":
            assert seen[0] == (0, 8000)
            assert seen.count((8000, 8000)) == 2

    @pytest.mark.parametrize("needs_body", [True, False])
    async def test_a_body_that_can_be_read_once(self, needs_body: bool) -> None:
        """It is an error before anything is sent, unless the signer does not look at it."""

        async def pieces() -> AsyncIterator[bytes]:
            yield b"body"

        signer = Recording(needs_body=needs_body)
        async with RawServer.replies([OK]) as server, ClientSession(signer=signer) as session:
            if needs_body:
                with pytest.raises(BodyConsumedError, match="can be read only once; give bytes"):
                    await session.post(server.url(), data=pieces())
                assert server.connections == 0
            else:
                await session.post(server.url(), data=pieces())
                assert server.requests[0].body == b"body"
                assert signer.seen[0][3] is None

    async def test_what_it_raises(self) -> None:
        """What a signer raises reaches the caller; nothing is sent."""

        def signer(request: UnsignedRequest) -> None:
            raise LookupError("no key")

        async with RawServer.replies([OK]) as server, ClientSession(signer=signer) as session:
            with pytest.raises(LookupError, match="no key"):
                await session.get(server.url())
            assert server.connections == 0

    @pytest.mark.parametrize("returned", ["a signature", 5, ("X", "1")])
    async def test_what_it_returns(self, returned: Any) -> None:
        """A signer that returns the signature alone is told to return fields; nothing is sent."""

        def signer(request: UnsignedRequest) -> Any:
            return returned

        async with RawServer.replies([OK]) as server, ClientSession(signer=signer) as session:
            with pytest.raises(TypeError, match=r"signer .*signer must return a mapping of fields"):
                await session.get(server.url())
            assert server.connections == 0

    async def test_what_is_none(self) -> None:
        """What cannot be called is no signer."""
        async with ClientSession() as session:
            for wrong in (5, "key", HMACSigner):
                with pytest.raises(TypeError, match="signer must be a function or object"):
                    await session.get("http://a.test", signer=wrong)  # type: ignore[arg-type]
                with pytest.raises(TypeError, match="signer must be"):
                    ClientSession(signer=wrong)  # type: ignore[arg-type]


@pytest.mark.virtual_clock
@pytest.mark.parametrize(
    ("waits", "lacking"), [("sign", "no signature"), ("check", "no end of its check")]
)
async def test_the_deadline(waits: str, lacking: str) -> None:
    """A signer that waits for too long does not outlast its call; a response that it checked is given up."""

    class Slow:
        async def __call__(self, request: UnsignedRequest) -> None:
            if waits == "sign":
                await asyncio.sleep(1000)

        async def check(self, response: aioclient.ClientResponse) -> None:
            await asyncio.sleep(1000)

    async with (
        RawServer.replies([OK, OK]) as server,
        ClientSession(signer=Slow(), connector=aioclient.TCPConnector(limit=1)) as session,
    ):
        with pytest.raises(aioclient.TotalTimeoutError, match=f"{lacking} within total=10"):
            await session.get(server.url(), timeout=10)
        assert (await session.get(server.url(), signer=None)).status == 200


class TestHMAC:
    @pytest.mark.both_loops
    async def test_a_server_that_checks(self) -> None:
        """A server with the same key computes the same signature from what it got."""
        key = b"k" * 32

        async def check(conn: RawConnection, request: RawRequest) -> None:
            lines = (
                request.method,
                request.value("Host"),
                request.target,
                request.value("X-Timestamp"),
                hashlib.sha256(request.body).hexdigest(),
            )
            made = hmac.new(key, "\n".join(map(str, lines)).encode(), "sha256").hexdigest()
            good = hmac.compare_digest(made, request.value("X-Signature") or "")
            conn.send(OK if good and request.value("X-Key-Id") == "k1" else answer(status="403 No"))

        signer = HMACSigner(key, key_id="k1")
        async with (
            RawServer.replies([check], repeat=True) as server,
            ClientSession(signer=signer) as session,
        ):
            for method, data in (("GET", None), ("POST", b"body"), ("PUT", {"a": "ä"})):
                url = server.url("/a b?x=%2F+y")
                assert (await session.request(method, url, data=data)).status == 200

    def test_as_others_do(self) -> None:
        """Fields, prefix, encoding and message can be those of an API that is there: GitHub's webhooks, for one."""
        signer = HMACSigner(
            "It's a Secret to Everybody",
            field="X-Hub-Signature-256",
            prefix="sha256=",
            message=lambda request, timestamp: request.body or b"",
            clock=clock,
        )
        request = UnsignedRequest("POST", URL("http://a.test/"), CIMultiDict(), b"Hello, World!")
        assert signer(request) == {
            "X-Timestamp": str(NOW),
            "X-Hub-Signature-256": (
                "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
            ),
        }
        coded = HMACSigner("k", encoding="base64", clock=clock)(request)["X-Signature"]
        assert len(base64.b64decode(coded)) == 32

    @pytest.mark.parametrize(
        ("arguments", "more", "error"),
        [
            (("",), {}, ValueError),
            ((5,), {}, TypeError),
            (("k",), {"encoding": "base32"}, ValueError),
            (("k",), {"hash": hashlib.md5}, ValueError),
            (("k",), {"hash": hashlib.sha1}, ValueError),
            (("k",), {"message": "m"}, TypeError),
            (("k",), {"field": "a b"}, ValueError),
        ],
    )
    def test_what_it_refuses(self, arguments: Any, more: Any, error: type[Exception]) -> None:
        """Nonsense raises when it is made."""
        with pytest.raises(error):
            HMACSigner(*arguments, **more)

    @pytest.mark.rows("AUTH-12")
    def test_repr(self) -> None:
        """repr and identity have no key."""
        signer = HMACSigner("s3cret", key_id="k1")
        assert repr(signer) == "HMACSigner('***', key_id='k1')"
        assert "s3cret" not in signer.identity


# RFC 9421, appendix B.1: the keys of its examples.
SHARED = base64.b64decode(
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
)
ED25519 = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
"""
RSA_PSS_PUBLIC = b"""-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----
"""
ECC_P256 = """-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIFKbhfNZfpDsW43+0+JjUr9K+bTeuxopu653+hBaXGA7oAoGCCqGSM49
AwEHoUQDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lfw0EkjqF7xB4FivAxzic30tMM
4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END EC PRIVATE KEY-----
"""
DIGEST = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"
PSS = padding.PSS(padding.MGF1(hashes.SHA512()), 64)


def rfc_request() -> UnsignedRequest:
    """The request of RFC 9421, appendix B.2."""
    return UnsignedRequest(
        "POST",
        URL("https://example.com/foo?param=Value&Pet=dog"),
        CIMultiDict(
            {
                "Host": "example.com",
                "Date": "Tue, 20 Apr 2021 02:07:55 GMT",
                "Content-Type": "application/json",
                "Content-Digest": DIGEST,
                "Content-Length": "18",
            }
        ),
        b'{"hello": "world"}',
    )


class TestMessages:
    def test_hmac(self) -> None:
        """RFC 9421, B.2.5, with a shared key."""
        signer = HTTPMessageSigner(
            "test-shared-secret",
            SHARED,
            ("date", "@authority", "content-type"),
            label="sig-b25",
            include_algorithm=False,
            clock=clock,
        )
        assert signer(rfc_request()) == {
            "Signature-Input": (
                'sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"'
            ),
            "Signature": "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:",
        }

    def test_ed25519(self) -> None:
        """RFC 9421, B.2.6, with an Ed25519 key."""
        signer = HTTPMessageSigner(
            "test-key-ed25519",
            ED25519,
            ("date", "@method", "@path", "@authority", "content-type", "content-length"),
            label="sig-b26",
            include_algorithm=False,
            clock=clock,
        )
        assert signer(rfc_request())["Signature"] == (
            "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:"
        )

    @pytest.mark.parametrize(
        ("covered", "more", "published"),
        [
            pytest.param(
                (),
                {"nonce": "b3k2pp5k7z-50gnwp.yemd"},
                "d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXa"
                "JMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56Y"
                "CE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPY"
                "TU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==",
                id="B.2.1",
            ),
            pytest.param(
                ("@authority", "content-digest", '@query-param;name="Pet"'),
                {"tag": "header-example"},
                "LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB"
                "4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqW"
                "FQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY"
                "8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==",
                id="B.2.2",
            ),
            pytest.param(
                (
                    "date",
                    "@method",
                    "@path",
                    "@query",
                    "@authority",
                    "content-type",
                    "content-digest",
                    "content-length",
                ),
                {},
                "bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrC"
                "Ub38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91"
                "kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRx"
                "pJyoEZAFL2FUo5fTIztsDZKEgM4cUA==",
                id="B.2.3",
            ),
        ],
    )
    def test_rsa_pss(self, covered: Any, more: Any, published: str) -> None:
        """RFC 9421, B.2.1 to B.2.3: what is signed is what the published signatures are of."""
        components = checked_components(covered)
        parameters = signature_params(components, created=NOW, key_id="test-key-rsa-pss", **more)
        public: Any = load_pem_public_key(RSA_PSS_PUBLIC)
        base = signature_base(rfc_request(), components, parameters)
        public.verify(base64.b64decode(published), base, PSS, hashes.SHA512())

    @pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ecdsa PEM", "ed25519"])
    def test_other_keys(self, kind: str) -> None:
        """Keys of each kind make signatures that their public keys verify; the algorithm is named."""
        key: Any = {
            "rsa": lambda: rsa.generate_private_key(65537, 2048),
            "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
            "ecdsa PEM": lambda: ECC_P256,
            "ed25519": ed25519.Ed25519PrivateKey.generate,
        }[kind]()
        signer = HTTPMessageSigner("k", key, nonce=True, expires=60, tag="t", clock=clock)
        request = rfc_request()
        made = signer(request)
        found = re.fullmatch(r"sig1=:(.*):", made["Signature"])
        assert found is not None
        value, parameters = (
            base64.b64decode(found[1]),
            made["Signature-Input"].removeprefix("sig1="),
        )
        base = signature_base(request, signer._covered, parameters)
        if kind == "ecdsa PEM":
            from cryptography.hazmat.primitives.serialization import load_pem_private_key

            key = load_pem_private_key(ECC_P256.encode(), None)
        public = key.public_key()
        if "ecdsa" in kind:
            r, s = (int.from_bytes(half, "big") for half in (value[:32], value[32:]))
            der = utils.encode_dss_signature(r, s)
            public.verify(der, base, ec.ECDSA(hashes.SHA256()))
        elif kind == "rsa":
            public.verify(value, base, PSS, hashes.SHA512())
        else:
            public.verify(value, base)
        assert f';alg="{signer.algorithm}";nonce="' in parameters
        assert f";created={NOW};expires={NOW + 60};keyid=" in parameters
        assert signer(rfc_request())["Signature-Input"] != made["Signature-Input"]

    def test_components(self) -> None:
        """Derived components and fields are taken as section 2 says."""
        request = UnsignedRequest(
            "GET",
            URL("https://a.test/p%2Fq?x=a%20b&y", encoded=True),
            CIMultiDict(
                [("Host", "A.test:8443"), ("X-Two", " 1 "), ("X-Two", "2"), ("X-Empty", "")]
            ),
        )
        covered = (
            "@target-uri",
            "@authority",
            "@scheme",
            "@request-target",
            "@path",
            "@query",
            '@query-param;name="x"',
            '@query-param;name="y"',
            "X-Two",
            "x-two;bs",
            "x-empty",
        )
        base = signature_base(request, checked_components(covered), "()").decode()
        assert base.split("\n") == [
            '"@target-uri": https://A.test:8443/p%2Fq?x=a%20b&y',
            '"@authority": a.test:8443',
            '"@scheme": https',
            '"@request-target": /p%2Fq?x=a%20b&y',
            '"@path": /p%2Fq',
            '"@query": ?x=a%20b&y',
            '"@query-param";name="x": a%20b',
            '"@query-param";name="y": ',
            '"x-two": 1, 2',
            '"x-two";bs: :MQ==:, :Mg==:',
            '"x-empty": ',
            '"@signature-params": ()',
        ]
        for missing in ("x-none", '@query-param;name="z"'):
            with pytest.raises(ValueError, match="to sign"):
                signature_base(request, checked_components([missing]), "()")

    def test_query_parameters(self) -> None:
        """Names and values are encoded anew as forms are; a name that is there twice is refused (section 2.2.8)."""
        query = (
            "var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something"
            "&plain=~*-._%7e&twice=1&%74wice=2"
        )
        request = UnsignedRequest(
            "GET", URL(f"https://a.test/?{query}", encoded=True), CIMultiDict()
        )

        def value(name: str) -> str:
            covered = checked_components([f'@query-param;name="{name}"'])
            return signature_base(request, covered, "()").decode().split("\n")[0]

        for name, expected in (
            ("var", "this%20is%20a%20big%0Amultiline%20value"),
            ("bar", "with%20plus%20whitespace"),
            ("fa%C3%A7ade%22%3A%20", "something"),
            ("plain", "%7E*-._%7E"),
        ):
            assert value(name) == f'"@query-param";name="{name}": {expected}'
        with pytest.raises(ValueError, match=r"2 parameters 'twice'.*cover @query"):
            value("twice")

    @pytest.mark.both_loops
    async def test_on_the_wire(self) -> None:
        """A server can verify what it got; the digest is made of the body, also of none."""
        key = ed25519.Ed25519PrivateKey.generate()
        signer = HTTPMessageSigner("k1", key, ("@method", "@target-uri", "content-digest"))
        async with (
            RawServer.replies([OK, OK]) as server,
            ClientSession(signer=signer) as session,
        ):
            await session.post(server.url("/a?b=c"), data=b"body")
            await session.get(server.url("/a"))
        for request in server.requests:
            headers = CIMultiDict((n.decode(), v.decode()) for n, v in request.headers)
            assert mismatch(request.body, [headers["Content-Digest"]]) is None
            parameters = headers["Signature-Input"].removeprefix("sig1=")
            url = URL(f"http://127.0.0.1:{server.port}{request.target}")
            got = UnsignedRequest(request.method, url, headers)
            base = signature_base(got, signer._covered, parameters)
            made = base64.b64decode(headers["Signature"].removeprefix("sig1=:").removesuffix(":"))
            key.public_key().verify(made, base)

    @pytest.mark.both_loops
    async def test_digests_of_responses(self) -> None:
        """With check_digest a response's digest is of its body as it came; without, it is not looked at."""
        body = gzip.compress(b"hello" * 100)
        coded = answer(body, f"Content-Digest: {content_digest(body)}", "Content-Encoding: gzip")
        wrong = answer(b"hellO", f"Content-Digest: {content_digest(b'hello', 'sha-512')}")
        checking = HTTPMessageSigner("k", "s", (), check_digest=True)
        async with (
            RawServer.replies([coded, OK, wrong, wrong]) as server,
            ClientSession(signer=checking) as session,
        ):
            async with session.get(server.url()) as response:
                assert await response.read() == b"hello" * 100
            assert (await session.get(server.url())).status == 200
            with pytest.raises(ContentDigestError, match=r"Content-Digest \(sha-512\)"):
                await session.get(server.url())
            relaxed = HTTPMessageSigner("k", "s", ())
            assert (await session.get(server.url(), signer=relaxed)).status == 200

    @pytest.mark.parametrize(
        ("arguments", "more", "text"),
        [
            ((5, "s"), {}, "key_id"),
            (("ä", "s"), {}, "printable ASCII"),
            (("k", ""), {}, "empty"),
            (("k", 5), {}, "private key of cryptography"),
            (("k", "-----BEGIN nothing"), {}, "no private key in PEM"),
            (("k", "s", "@method"), {}, "list of components"),
            (("k", "s", ["@status"]), {}, "no component of a request"),
            (("k", "s", ["@query-param"]), {}, "no component of a request"),
            (("k", "s", ['x;name="y"']), {}, "belongs to @query-param"),
            (("k", "s", ["a b"]), {}, "is no component"),
            (("k", "s", ["x;sf"]), {}, "is no component"),
            (("k", "s", ["date", "Date"]), {}, "twice"),
            (("k", "s"), {"label": "Sig"}, "lower case"),
            (("k", "s"), {"label": "si!g"}, "digits and _-"),
            (("k", "s"), {"expires": 0}, "above 0"),
            (("k", "s"), {"digest": "md5"}, "sha-512, sha-256"),
        ],
    )
    def test_what_it_refuses(self, arguments: Any, more: Any, text: str) -> None:
        """Nonsense raises when it is made."""
        with pytest.raises((TypeError, ValueError), match=text):
            HTTPMessageSigner(*arguments, **more)

    def test_weak_keys(self) -> None:
        """Short RSA keys and other curves are refused."""
        with pytest.raises(ValueError, match="1024 bits is too short"):
            HTTPMessageSigner("k", rsa.generate_private_key(65537, 1024))
        with pytest.raises(TypeError, match="P-256"):
            HTTPMessageSigner("k", ec.generate_private_key(ec.SECP384R1()))

    @pytest.mark.rows("AUTH-12")
    def test_repr(self) -> None:
        """repr has no key."""
        assert repr(HTTPMessageSigner("k", "s3cret")) == "<HTTPMessageSigner hmac-sha256 'k'>"


def test_without_cryptography() -> None:
    """A shared key needs no package; for the others the error names the pip command."""
    program = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from aioclient import HTTPMessageSigner, MissingExtraError\n"
        "HTTPMessageSigner('k', 'secret')\n"
        "for key in ('-----BEGIN PRIVATE KEY-----', object()):\n"
        "    try: HTTPMessageSigner('k', key)\n"
        "    except MissingExtraError as error: print(error)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.count("pip install aioclient[signing]") == 2


class TestContentDigest:
    def test_the_examples(self) -> None:
        """Those of RFC 9530, appendix B.1, and of RFC 9421."""
        assert content_digest(b'{"hello": "world"}\n') == (
            "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
        )
        assert content_digest(b'{"hello": "world"}', "sha-512") == DIGEST

    @pytest.mark.parametrize(
        ("values", "wrong"),
        [
            ([], None),
            (["md5=:AAAA:"], None),
            (["sha-256=:AAAA:"], "sha-256"),
            ([content_digest(b"body")], None),
            ([f"sha-256=:AAAA:, {content_digest(b'body', 'sha-512')}"], None),
            ([content_digest(b"body"), "sha-512=:AAAA:"], "sha-512"),
            (["junk, sha-256=:AAAA:"], None),
        ],
    )
    def test_the_strongest_counts(self, values: list[str], wrong: str | None) -> None:
        """The strongest digest that is known is compared."""
        assert mismatch(b"body", values) == wrong

    @given(st.binary(max_size=100), st.sampled_from(["sha-256", "sha-512"]))
    def test_round(self, body: bytes, algorithm: str) -> None:
        """What is made fits, and does not fit another body."""
        field = content_digest(body, algorithm)
        assert mismatch(body, [field]) is None
        assert mismatch(body + b"x", [field]) == algorithm

    @given(st.text(max_size=100))
    def test_any_field(self, value: str) -> None:
        """Whatever the field is, it can be looked at."""
        mismatch(b"", [value])


SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
BUCKET = "https://examplebucket.s3.amazonaws.com"


def s3(**more: Any) -> SigV4Signer:
    return SigV4Signer(
        "AKIAIOSFODNN7EXAMPLE",
        SECRET,
        region="us-east-1",
        service="s3",
        clock=at("20130524T000000Z"),
        **more,
    )


class TestSigV4:
    """AWS's published examples: of S3's documentation, and of its test suite."""

    @pytest.mark.parametrize(
        ("method", "url", "headers", "body", "signed", "signature"),
        [
            pytest.param(
                "GET",
                f"{BUCKET}/test.txt",
                {"Range": "bytes=0-9"},
                b"",
                ["range"],
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
                id="GET object",
            ),
            pytest.param(
                "PUT",
                f"{BUCKET}/test$file.text",
                {
                    "Date": "Fri, 24 May 2013 00:00:00 GMT",
                    "x-amz-storage-class": "REDUCED_REDUNDANCY",
                },
                b"Welcome to Amazon S3.",
                ["date"],
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
                id="PUT object",
            ),
            pytest.param(
                "GET",
                f"{BUCKET}/?lifecycle",
                {},
                b"",
                [],
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
                id="GET lifecycle",
            ),
            pytest.param(
                "GET",
                f"{BUCKET}/?max-keys=2&prefix=J",
                {},
                b"",
                [],
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
                id="list objects",
            ),
        ],
    )
    def test_s3(
        self, method: str, url: str, headers: Any, body: bytes, signed: Any, signature: str
    ) -> None:
        """The examples of S3's documentation."""
        fields = CIMultiDict({"Host": "examplebucket.s3.amazonaws.com", **headers})
        request = UnsignedRequest(method, URL(url), fields, body)
        s3(signed_fields=signed)(request)
        assert fields["Authorization"].endswith(f"Signature={signature}")
        scope = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
        assert f"Credential={scope}, SignedHeaders=" in fields["Authorization"]

    @pytest.mark.parametrize(
        ("method", "target", "headers", "signature"),
        [
            pytest.param(
                "GET",
                "/",
                [],
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
                id="get-vanilla",
            ),
            pytest.param(
                "POST",
                "/",
                [],
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
                id="post-vanilla",
            ),
            pytest.param(
                "GET",
                "/?Param2=value2&Param1=value1",
                [],
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
                id="get-vanilla-query-order-key-case",
            ),
            pytest.param(
                "GET",
                "/?Param1=value1",
                [],
                "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
                id="get-vanilla-empty-query-key",
            ),
            pytest.param(
                "POST",
                "/",
                [("Content-Type", "application/x-www-form-urlencoded")],
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
                id="post-x-www-form-urlencoded",
            ),
        ],
    )
    def test_the_suite(self, method: str, target: str, headers: Any, signature: str) -> None:
        """The examples of AWS's test suite."""
        host = "example.amazonaws.com"
        body = b"Param1=value1" if headers else b""
        fields = CIMultiDict([("Host", host), *headers])
        request = UnsignedRequest(method, URL(f"https://{host}{target}"), fields, body)
        SigV4Signer(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            region="us-east-1",
            service="service",
            clock=at("20150830T123600Z"),
        )(request)
        assert request.headers["Authorization"].endswith(f"Signature={signature}")

    @pytest.mark.both_loops
    async def test_streamed(self) -> None:
        """S3's example of a body in signed chunks, on the wire: 64 KiB and 1 KiB of "a"."""
        signer = s3(payload="streamed", signed_fields=["content-encoding", "content-length"])
        async with (
            RawServer.replies([OK, OK]) as server,
            ClientSession(signer=signer) as session,
        ):
            headers = {
                "Host": "s3.amazonaws.com",
                "x-amz-storage-class": "REDUCED_REDUNDANCY",
                "Content-Type": None,
            }
            for data in (b"a" * 66560, io.BytesIO(b"a" * 66560)):
                await session.put(
                    server.url("/examplebucket/chunkObject.txt"),
                    data=data,
                    headers=headers,
                    skip_auto_headers=["Content-Type"],
                )
        for request in server.requests:
            assert (request.value("Authorization") or "").endswith(
                "SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
                "x-amz-decoded-content-length;x-amz-storage-class, "
                "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
            )
            assert request.value("Content-Length") == "66824"
            assert request.value("X-Amz-Decoded-Content-Length") == "66560"
            heads = [
                b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
                b"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
                b"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
            ]
            chunks = (b"a" * 65536, b"a" * 1024, b"")
            pairs = zip(heads, chunks, strict=True)
            assert request.body == b"".join(b"%b\r\n%b\r\n" % pair for pair in pairs)

    @pytest.mark.both_loops
    async def test_unsigned(self) -> None:
        """An unsigned payload is not looked at: a generator can be sent."""

        async def pieces() -> AsyncIterator[bytes]:
            yield b"body"

        signer = s3(payload="unsigned", session_token="t0ken")
        async with RawServer.replies([OK]) as server, ClientSession(signer=signer) as session:
            await session.put(server.url("/a"), data=pieces())
        (request,) = server.requests
        assert request.body == b"body"
        assert request.value("X-Amz-Content-Sha256") == "UNSIGNED-PAYLOAD"
        assert request.value("X-Amz-Security-Token") == "t0ken"
        assert "x-amz-security-token" in (request.value("Authorization") or "")

    @pytest.mark.both_loops
    async def test_the_spelling(self) -> None:
        """Path and query are sent as they are signed: percent-encoded as AWS does, in their order."""
        async with RawServer.replies([OK]) as server, ClientSession(signer=s3()) as session:
            await session.get(server.url("/a(b)+c/%7e"), params={"z": "1 2", "a": "=&+/ä"})
        assert server.requests[0].target == ("/a%28b%29%2Bc/~?z=1%202&a=%3D%26%2B%2F%C3%A4")

    def test_spelled_twice(self) -> None:
        """What is spelled so stays so."""
        for is_s3, path in ((True, "x%20y//"), (False, "x%20y/%2F")):
            url = spelled(URL("https://a.test/x y/%2F?a b=c+d&e"), is_s3=is_s3)
            assert str(url) == f"https://a.test/{path}?a%20b=c%20d&e="
            assert spelled(url, is_s3=is_s3) == url

    async def test_contradictions(self) -> None:
        """auth= beside it, and a streamed body of unknown length, raise before anything is sent."""

        async def pieces() -> AsyncIterator[bytes]:
            yield b"body"

        async with RawServer.replies([OK]) as server, ClientSession() as session:
            with pytest.raises(ValueError, match="leave out auth="):
                await session.get(server.url(), signer=s3(), auth=("u", "p"))
            with pytest.raises(ValueError, match="known length"):
                await session.put(server.url(), signer=s3(payload="streamed"), data=pieces())
            assert server.connections == 0

    @given(st.integers(0, 300_000))
    def test_streamed_sizes(self, size: int) -> None:
        """The length that is said is that of the chunks."""
        total, rest = 0, size
        while True:
            chunk = min(rest, 65536)
            total += len(f"{chunk:x};chunk-signature=") + 64 + 2 + chunk + 2
            if not chunk:
                break
            rest -= chunk
        assert streamed_size(size) == total

    @pytest.mark.parametrize(
        ("arguments", "more"),
        [
            (("", "s"), {}),
            (("a", 5), {}),
            (("a", "s"), {"region": ""}),
            (("a", "s"), {"payload": "none"}),
            (("a", "s"), {"signed_fields": "range"}),
            (("a", "s"), {"signed_fields": ["a b"]}),
        ],
    )
    def test_what_it_refuses(self, arguments: Any, more: Any) -> None:
        """Nonsense raises when it is made."""
        with pytest.raises((TypeError, ValueError)):
            SigV4Signer(*arguments, **{"region": "r", "service": "s", **more})

    @pytest.mark.rows("AUTH-12")
    def test_repr(self) -> None:
        """repr has no secret key."""
        assert SECRET not in repr(s3())
        assert "AKIAIOSFODNN7EXAMPLE" in repr(s3())


def test_the_keys_are_what_they_say() -> None:
    """The keys of the RFC are keys that cryptography reads."""
    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert HTTPMessageSigner("k", pem).algorithm == "ed25519"


async def test_who_signs() -> None:
    """A signer's key is part of who asks."""
    found = []

    async def look(request: Request, handler: Handler) -> ClientResponse:
        found.append(request.partition())
        return ClientResponse.from_parts(request, 200)

    async with ClientSession(middlewares=[look]) as session:
        for signer in (None, HMACSigner("a"), HMACSigner("b"), HMACSigner("a"), Recording()):
            await session.get("http://a.test/", signer=signer)
    assert found[0] == ""
    assert found[1] == found[3]
    assert len(set(found)) == 4
