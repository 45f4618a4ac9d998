"""Middlewares as aiohttp's documentation shows them, and aiohttp's own, over our session.

They are written against aiohttp's names alone: nothing in them knows this library.
"""

import asyncio
import base64
import logging
import time
from collections.abc import Iterable
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, DigestAuthMiddleware, hdrs, web

from aioclient import BasicAuth, BodyConsumedError, ClientSession, TCPConnector
from aioclient.testing import RawConnection, RawRequest

from ..loopback import OK, answer, moved, names
from ..servers.app import serve_application
from ..servers.digest import DigestServer
from ..servers.either import RawServer

pytestmark = pytest.mark.both_protocols

LOG = logging.getLogger("cookbook")


class BasicMiddleware:
    """Basic credentials on each request that has none."""

    def __init__(self, user: str, password: str) -> None:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.field = f"Basic {pair}"

    async def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if hdrs.AUTHORIZATION not in request.headers:
            request.headers[hdrs.AUTHORIZATION] = self.field
        return await handler(request)


class RetryMiddleware:
    """Some more attempts while the server says that it is busy; the responses in between are dropped."""

    def __init__(self, retries: int = 3, statuses: Iterable[int] = (429, 500, 502, 503)) -> None:
        self.retries = retries
        self.statuses = frozenset(statuses)

    async def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> aiohttp.ClientResponse:
        delay = 1.0
        for attempt in range(self.retries + 1):
            if attempt:
                LOG.info("again: %s (attempt %d)", request.url, attempt + 1)
            response = await handler(request)
            if response.status not in self.statuses or attempt == self.retries:
                break
            await asyncio.sleep(delay)
            delay *= 2
        return response


class LoggingMiddleware:
    """One line before, one line after, with all that a request documents."""

    async def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> aiohttp.ClientResponse:
        start = time.monotonic()
        body = request.body if request.body == b"" else await request.body.as_bytes()  # type: ignore[union-attr]
        LOG.info(
            "[REQUEST] %s %s %s body=%r chunked=%s compress=%s original=%s ssl=%s/%s version=%s.%s",
            request.method,
            request.url,
            request.headers.get("X-Seen"),
            body,
            request.chunked,
            request.compress,
            request.original_url,
            request.is_ssl(),
            request.ssl,
            *request.version,
        )
        response = await handler(request)
        LOG.info("[RESPONSE] %s in %.2f s", response.status, time.monotonic() - start)
        return response


class TokenOn401:
    """A bearer token that is fetched anew, with the session of the request, when the server refuses it."""

    def __init__(self, refresh_url: str) -> None:
        self.refresh_url = refresh_url
        self.token = "old"
        self.lock = asyncio.Lock()

    async def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> aiohttp.ClientResponse:
        for _ in range(2):
            token = self.token
            request.headers["Authorization"] = f"Bearer {token}"
            response = await handler(request)
            if response.status != 401:
                return response
            async with self.lock:
                if token != self.token:
                    continue
                async with request.session.post(
                    self.refresh_url, data="refresh", middlewares=()
                ) as refreshed:
                    self.token = await refreshed.json()
        return response


class TokenByTime:
    """A bearer token that is fetched before it expires."""

    def __init__(self, refresh_url: str) -> None:
        self.refresh_url = refresh_url
        self.token = ""
        self.expires = 0.0
        self.lock = asyncio.Lock()

    async def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if self.expires <= time.time():
            token = self.token
            async with self.lock:
                if token == self.token:
                    async with request.session.post(
                        self.refresh_url, data="refresh", middlewares=()
                    ) as response:
                        self.token = await response.json()
                        self.expires = time.time() + 1000
        request.headers["Authorization"] = f"Bearer {self.token}"
        return await handler(request)


class ApiKey:
    """A key in the query for one host."""

    async def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if request.url.host == "a.test":
            request.url = request.url.update_query(key="k")
            request.headers["X-Api-Key"] = "k"
        return await handler(request)


class CircuitOpen(Exception):
    """No request is made for a while."""


class CircuitBreaker:
    """After some failures of a host in a row no request to it is made."""

    def __init__(self, threshold: int) -> None:
        self.threshold = threshold
        self.failures: dict[str, int] = {}

    async def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> aiohttp.ClientResponse:
        host = request.url.host or ""
        if self.failures.get(host, 0) >= self.threshold:
            raise CircuitOpen(host)
        try:
            response = await handler(request)
        except aiohttp.ClientError:
            self.failures[host] = self.failures.get(host, 0) + 1
            raise
        if response.status >= 500:
            self.failures[host] = self.failures.get(host, 0) + 1
        else:
            self.failures.pop(host, None)
        return response


class ForbiddenHost(Exception):
    """A request would have gone to a host that it must not reach."""


async def no_inner_hosts(
    request: ClientRequest, handler: ClientHandlerType
) -> aiohttp.ClientResponse:
    """Refuse hosts of one's own network, on each hop."""
    if request.url.host in {"127.0.0.1", "localhost"}:
        raise ForbiddenHost(request.url.host)
    return await handler(request)


def session_with(*middlewares: Any, **more: Any) -> ClientSession:
    """Return a session with a pool of one, where every name is 127.0.0.1."""
    more.setdefault("connector", names())
    return ClientSession(middlewares=middlewares, **more)


class TestCookbook:
    async def test_basic(self) -> None:
        """The field is set where there is none, and not where there is one."""
        async with (
            RawServer.replies([OK, OK]) as server,
            session_with(BasicMiddleware("user", "pass")) as session,
        ):
            await session.get(server.url())
            await session.get(server.url(), headers={"Authorization": "mine"})
        assert [request.values("Authorization") for request in server.requests] == [
            [BasicAuth("user", "pass").encode()],
            ["mine"],
        ]

    @pytest.mark.virtual_clock
    @pytest.mark.parametrize("body", [b"", bytes(1_000_000)], ids=["small", "large"])
    async def test_retry(self, body: bytes) -> None:
        """Responses that a retry drops cost no connection for good, with a pool of one and large bodies too."""
        replies = [answer(body, status="503 Busy")] * 2 + [OK]
        async with (
            RawServer.replies(replies) as server,
            session_with(RetryMiddleware(), connector=TCPConnector(limit=1)) as session,
        ):
            async with session.put(server.url(), data=b"x") as response:
                assert (response.status, await response.text()) == (200, "ok")
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0
        assert [request.body for request in server.requests] == [b"x"] * 3

    @pytest.mark.virtual_clock
    async def test_combined(self, caplog: pytest.LogCaptureFixture) -> None:
        """Logging around credentials around retries: each sees what it should."""
        caplog.set_level(logging.INFO, "cookbook")
        async with (
            RawServer.replies([answer(b"", status="500 No"), OK]) as server,
            session_with(
                LoggingMiddleware(), BasicMiddleware("u", "p"), RetryMiddleware()
            ) as session,
        ):
            await session.post(server.url("/p#f"), data=b"x", headers={"X-Seen": "seen"})
        first, again, last = (record.getMessage() for record in caplog.records)
        url = server.url("/p")
        assert first == (
            f"[REQUEST] POST {url} seen body=b'x' chunked=None compress=None original={url}#f "
            "ssl=False/True version=1.1"
        )
        assert again == f"again: {url} (attempt 2)"
        assert last.startswith("[RESPONSE] 200 in")
        assert [len(request.values("Authorization")) for request in server.requests] == [1, 1]

    @pytest.mark.parametrize("kind", [TokenOn401, TokenByTime])
    @pytest.mark.parametrize("size", [7, 1_000_000])
    async def test_token_refresh(
        self, kind: type[TokenOn401] | type[TokenByTime], size: int
    ) -> None:
        """The token is fetched through request.session, once for many requests at a time."""
        refreshed: list[str] = []

        async def api(request: web.Request) -> web.Response:
            if request.path == "/refresh":
                refreshed.append(await request.text())
                assert "Authorization" not in request.headers
                return web.json_response("new")
            if request.headers["Authorization"] != "Bearer new":
                return web.Response(status=401, body=bytes(size))
            return web.Response(text="data")

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", api)
        async with serve_application(application) as origin:
            connector = TCPConnector(limit=1)
            async with session_with(kind(f"{origin}/refresh"), connector=connector) as session:

                async def get() -> str:
                    async with session.get(f"{origin}/data") as response:
                        return await response.text()

                assert await get() == "data"
                assert await asyncio.gather(*(get() for _ in range(5))) == ["data"] * 5
        assert refreshed == ["refresh"]

    async def test_api_key(self) -> None:
        """A key for one host goes to that host, and not to where it redirects."""

        async def redirect(conn: RawConnection, request: RawRequest) -> None:
            conn.send(moved(server.url("/b", host="b.test")))

        async with RawServer.replies([redirect, OK]) as server, session_with(ApiKey()) as session:
            await session.get(server.url("/a?q=1", host="a.test"))
        first, second = server.requests
        assert (first.target, first.value("X-Api-Key")) == ("/a?q=1&key=k", "k")
        assert (second.target, second.values("X-Api-Key")) == ("/b", [])

    async def test_circuit_breaker(self) -> None:
        """A host that failed often enough is asked no more; others are."""
        async with (
            RawServer.replies([answer(b"", status="500 No")] * 2 + [OK]) as server,
            session_with(CircuitBreaker(2)) as session,
        ):
            for _ in range(2):
                assert (await session.get(server.url(host="a.test"))).status == 500
            with pytest.raises(CircuitOpen, match=r"a\.test"):
                await session.get(server.url(host="a.test"))
            assert (await session.get(server.url(host="b.test"))).status == 200

    async def test_ssrf(self) -> None:
        """A host that is refused is refused when a redirect leads to it, too."""
        async with (
            RawServer.replies([moved("http://127.0.0.1/admin")]) as server,
            session_with(no_inner_hosts) as session,
        ):
            with pytest.raises(ForbiddenHost):
                await session.get(server.url())
            with pytest.raises(ForbiddenHost):
                await session.get(server.url(host="a.test"))
        assert len(server.requests) == 1


@pytest.mark.rows("AUTH-06", "AUTH-07")
class TestDigest:
    """aiohttp's DigestAuthMiddleware against a server that checks every part of the answer."""

    @pytest.mark.parametrize(
        ("qop", "algorithm"),
        [
            (qop, algorithm)
            for qop in ("", "auth", "auth-int", "auth,auth-int")
            for algorithm in ("MD5", "MD5-sess", "SHA-256", "SHA-256-sess")
            if qop or not algorithm.endswith("-sess")  # whose client nonce comes with qop
        ],
    )
    async def test_handshake(self, qop: str, algorithm: str) -> None:
        """The second attempt answers the challenge, over path, query and body as they are on the wire."""
        server = DigestServer(qop=qop, algorithm=algorithm)
        digest = DigestAuthMiddleware("user", "pass word")
        async with (
            serve_application(server.application()) as origin,
            session_with(digest) as session,
        ):
            url = f"{origin}/a b/ä%2F?q=x y&z=%26#frag"
            async with session.get(url) as response:
                assert (response.status, await response.text()) == (200, "welcome")
            for data in (b"bytes", "text ä", {"form": "1"}):
                async with session.post(url, data=data) as response:
                    assert response.status == 200
            async with session.put(url, json={"a": 1}) as response:
                assert await response.json(content_type=None) == {"a": 1}
        assert server.refused == ["no credentials"]
        assert server.bodies == [b"", b"bytes", "text ä".encode(), b"form=1", b'{"a": 1}']

    @pytest.mark.parametrize("qop", ["auth", "auth-int"])
    async def test_a_generator(self, qop: str) -> None:
        """A generator is sent with a preemptive answer, for auth-int after it was read for its hash."""

        async def chunks() -> Any:
            yield b"some "
            yield b"chunks"

        server = DigestServer(qop=qop)
        digest = DigestAuthMiddleware("user", "pass word")
        async with (
            serve_application(server.application()) as origin,
            session_with(digest) as session,
        ):
            (await session.get(origin)).release()
            async with session.post(origin, data=chunks()) as response:
                assert await response.read() == b"some chunks"
        assert server.refused == ["no credentials"]

    async def test_a_generator_that_is_challenged(self) -> None:
        """Without a challenge known before it was sent once, and cannot be sent again: an error, no empty body."""

        async def chunks() -> Any:
            yield b"chunk"

        server = DigestServer()
        async with (
            serve_application(server.application()) as origin,
            session_with(DigestAuthMiddleware("user", "pass word")) as session,
        ):
            with pytest.raises(BodyConsumedError, match="sent already"):
                await session.post(origin, data=chunks())
        assert server.bodies == []

    @pytest.mark.parametrize("preemptive", [True, False])
    async def test_preemptive(self, preemptive: bool) -> None:
        """Preemptive, later requests answer the last challenge at once, with a count of their own; or not."""
        server = DigestServer()
        digest = DigestAuthMiddleware("user", "pass word", preemptive=preemptive)
        async with (
            serve_application(server.application()) as origin,
            session_with(digest) as session,
        ):
            for _ in range(3):
                async with session.get(origin) as response:
                    assert response.status == 200
            if preemptive:
                statuses = await asyncio.gather(*(status(session, origin) for _ in range(20)))
                assert set(statuses) == {200}
        assert len(server.refused) == (1 if preemptive else 3)
        assert len(set(server.granted)) == len(server.granted)

    @pytest.mark.http1_only("about the pool of connections for one exchange")
    async def test_a_large_challenge_and_a_pool_of_one(self) -> None:
        """The body of the 401 is not read: its connection comes free for the second attempt all the same."""
        server = DigestServer(challenge_body=bytes(10_000_000))
        digest = DigestAuthMiddleware("user", "pass word", preemptive=False)
        connector = TCPConnector(limit=1)
        async with (
            serve_application(server.application()) as origin,
            session_with(digest, connector=connector) as session,
        ):
            for _ in range(3):
                async with session.get(origin) as response:
                    assert response.status == 200
            assert connector.statistics().in_use == 0

    async def test_a_wrong_password(self) -> None:
        """Two attempts, and the 401 is the answer."""
        server = DigestServer()
        async with (
            serve_application(server.application()) as origin,
            session_with(DigestAuthMiddleware("user", "wrong")) as session,
            session.get(origin) as response,
        ):
            assert response.status == 401
            assert await response.read() == server.challenge_body
        assert server.refused == ["no credentials", "a wrong response"]

    @pytest.mark.rows("AUTH-06", "AUTH-09")
    @pytest.mark.parametrize(
        "challenge",
        [
            "Digest",
            "Digest ",
            "Digest realm",
            'Digest realm="r"',
            'Digest realm="r", nonce=""',
            'Digest realm="r", nonce="n", qop="unknown"',
            'Digest realm="r", nonce="n", algorithm=unknown',
            'Digest realm="a\\"b\\\\", nonce="n", domain="", qop="auth"',
            'Basic realm=x, Digest realm="r", nonce="n"',
            'Digest realm="r", nonce="n", Basic realm="b"',
            "Digest " + "," * 8000,
            "Digest " + '"' * 8000,
            "Digest " + "\xa0" * 4000,
            "Digest " + "a=" * 4000,
            "Digest " + "\xa0" * 60_000,
        ],
        ids=lambda challenge: f"AUTH-06-AUTH-09-{challenge[:20]!a}-{len(challenge)}",
    )
    async def test_odd_challenges(self, challenge: str) -> None:
        """Whatever the challenge is: a clean field in a second attempt, the 401, or a ClientError; no more requests."""
        reply = answer(b"", f"WWW-Authenticate: {challenge}", status="401 No")
        async with (
            RawServer.replies([reply], repeat=True) as server,
            session_with(
                DigestAuthMiddleware("user", "pass word"), connector=TCPConnector(limit=1)
            ) as session,
        ):
            try:
                async with session.get(server.url()) as response:
                    assert response.status == 401
            except aiohttp.ClientError:
                pass
        assert len(server.requests) <= 2
        for request in server.requests[1:]:
            assert (request.value("Authorization") or "").startswith("Digest username=")

    @pytest.mark.rows("AUTH-04")
    async def test_another_origin(self) -> None:
        """Where a redirect leads, a challenge is not answered."""
        challenge = 'WWW-Authenticate: Digest realm="r", nonce="n", algorithm=MD5, qop="auth"'

        async def redirect(conn: RawConnection, request: RawRequest) -> None:
            conn.send(moved(server.url("/b", host="b.test")))

        replies = [redirect, answer(b"", challenge, status="401 No")]
        async with (
            RawServer.replies(replies) as server,
            session_with(DigestAuthMiddleware("user", "pass word")) as session,
        ):
            assert (await session.get(server.url("/a", host="a.test"))).status == 401
        assert [request.values("Authorization") for request in server.requests] == [[], []]


async def status(session: ClientSession, url: str) -> int:
    async with session.get(url) as response:
        return response.status
