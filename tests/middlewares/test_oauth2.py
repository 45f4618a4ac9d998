"""OAuth 2: a token for all who wait, renewed in time, stored before it is used, and sent where it belongs."""

import asyncio
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

import aioclient
from aioclient import (
    ClientResponse,
    ClientSession,
    OAuth2AuthorizationCode,
    OAuth2ClientCredentials,
    OAuth2Error,
    OAuth2RefreshToken,
    OAuth2Token,
    Retry,
    TCPConnector,
    TokenFile,
    TokenMemory,
)
from aioclient.middlewares.auth.flight import Flight
from aioclient.middlewares.auth.oauth2.policy import AuthorizationFlow, skew, token_of
from aioclient.testing import turns

from ..loopback import OK, answer, moved, names
from ..servers.app import serve_application
from ..servers.either import RawServer
from ..servers.oauth2 import CLIENT, REFRESH, SECRET, OAuth2Server

TOKEN_URL = "https://a.test/token"


class Place:
    """A server, and a session without credentials."""

    def __init__(self) -> None:
        self.server = OAuth2Server()
        self.origin = ""

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        self.origin = await self._stack.enter_async_context(
            serve_application(self.server.application())
        )
        self.session = await self._stack.enter_async_context(ClientSession())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def token_url(self) -> str:
        return f"{self.origin}/token"

    def client(self, **more: Any) -> OAuth2ClientCredentials:
        return OAuth2ClientCredentials(self.token_url, CLIENT, SECRET, **more)

    def refreshing(self, **more: Any) -> OAuth2RefreshToken:
        return OAuth2RefreshToken(self.token_url, CLIENT, refresh_token=REFRESH, **more)

    async def get(self, auth: Any, **more: Any) -> tuple[int, str]:
        async with self.session.get(f"{self.origin}/api", auth=auth, **more) as response:
            return response.status, await response.text()


@pytest.mark.both_loops
class TestClientCredentials:
    async def test_one_token_for_many(self) -> None:
        """The token is fetched before the first request, and used until its end."""
        async with Place() as place:
            auth = place.client(scope=["read", "write"], audience="api", parameters={"x": "&"})
            for _ in range(3):
                assert await place.get(auth) == (200, "token-1")
            assert place.server.asked == [
                {
                    "grant_type": "client_credentials",
                    "scope": "read write",
                    "audience": "api",
                    "x": "&",
                    "client": f"{CLIENT}:{SECRET}",
                }
            ]

    async def test_in_the_body(self) -> None:
        """client_secret_post shows the client in the body; a client without a secret shows its name there."""
        async with Place() as place:
            await place.get(place.client(client_auth="client_secret_post"))
            await place.get(OAuth2ClientCredentials(place.token_url, CLIENT))
            assert [
                (form["client_id"], form.get("client_secret"), form.get("client"))
                for form in place.server.asked
            ] == [(CLIENT, SECRET, None), (CLIENT, None, None)]

    @pytest.mark.rows("AUTH-15")
    async def test_one_request_for_all_who_wait(self) -> None:
        """A hundred requests at the same time fetch one token."""
        async with Place() as place:
            auth = place.client()
            found = await asyncio.gather(*(place.get(auth) for _ in range(100)))
            assert set(found) == {(200, "token-1")}
            assert len(place.server.asked) == 1

    @pytest.mark.rows("AUTH-15")
    async def test_a_hundred_refusals(self) -> None:
        """A token that is refused is renewed once, however many requests it was in; each is sent once more."""
        async with Place() as place:
            auth = place.client()
            await place.get(auth)
            place.server.tokens.clear()
            found = await asyncio.gather(*(place.get(auth) for _ in range(100)))
            assert set(found) == {(200, "token-2")}
            assert len(place.server.asked) == 2

    async def test_refused_for_good(self) -> None:
        """A server that refuses new tokens too gets two requests for each call, and the refusal is returned."""
        async with Place() as place:

            async def forget() -> None:
                place.server.tokens = _Nothing()

            await forget()
            assert (await place.get(place.client()))[0] == 401
            assert len(place.server.api) == len(place.server.asked) == 2

    async def test_it_goes_apart(self) -> None:
        """Token requests have the session's connector, and none of its fields, cookies, credentials, middlewares."""
        seen: list[str] = []

        async def look(request: Any, handler: Any) -> Any:
            seen.append(request.url.path)
            return await handler(request)

        async with Place() as place:
            async with ClientSession(
                place.origin + "/",
                auth=place.client(),
                headers={"X-Api-Key": "k"},
                middlewares=[look],
                raise_for_status=True,
                connector=TCPConnector(limit=1),
            ) as session:
                session.cookie_jar.update_cookies({"a": "1"}, URL(place.origin))
                async with session.get("api", params={"q": "1"}, cookies={"b": "2"}) as response:
                    assert response.status == 200
            (fields,) = place.server.fields
            assert not {"Cookie", "X-Api-Key"} & fields.keys()
            assert fields["Accept"] == "application/json"
            assert seen == ["/api"]

    @pytest.mark.rows("AUTH-12")
    async def test_its_trace(self) -> None:
        """A trace config hears of the call, and nothing of the token request and its secret."""
        heard: list[str] = []

        def note(name: str) -> Any:
            async def hear(session: Any, context: Any, parameters: Any) -> None:
                heard.append(f"{name} {parameters!r} {getattr(parameters, 'headers', None)}")

            return hear

        config = aiohttp.TraceConfig()
        for name in ("request_start", "request_headers_sent", "request_chunk_sent", "request_end"):
            getattr(config, f"on_{name}").append(note(name))
        async with Place() as place, ClientSession(trace_configs=[config]) as session:
            auth = place.client(client_auth="client_secret_post")
            await session.get(f"{place.origin}/api", auth=auth)
            assert len(place.server.asked) == 1
        assert [line.split()[0] for line in heard] == [
            "request_start",
            "request_headers_sent",
            "request_end",
        ]
        assert not [line for line in heard if SECRET in line or "/token" in line]

    @pytest.mark.rows("AUTH-14")
    async def test_its_options(self) -> None:
        """What a call asks for its own origin and response does not count for the token request."""
        seen: list[aioclient.Request] = []

        class Recorder:
            closed = False

            def bind(self, loop: asyncio.AbstractEventLoop) -> None:
                """It needs no loop."""

            def statistics(self) -> None:
                """It counts nothing."""

            async def close(self) -> None:
                self.closed = True

            async def send(self, request: aioclient.Request) -> ClientResponse:
                seen.append(request)
                body = b'{"access_token": "t", "token_type": "Bearer"}'
                return ClientResponse.from_parts(request, 200, {}, body)

        class Small(ClientResponse):
            pass

        async with ClientSession(connector=Recorder(), response_class=Small) as session:
            response = await session.get(
                "https://api.test/",
                auth=OAuth2ClientCredentials(TOKEN_URL, CLIENT, SECRET),
                server_hostname="other.test",
                ssl=False,
                auto_decompress=False,
                max_body_size=1,
                cookies={"a": "1"},
                signer=lambda request: {"X-Signature": "s"},
            )
        asking, call = seen
        assert call.server_hostname == "other.test"
        assert asking.server_hostname is None
        assert (call.options.ssl, asking.options.ssl) == (False, True)
        assert asking.options.auto_decompress
        assert (type(response), asking.response_class) == (Small, ClientResponse)
        assert (asking.cookies, asking.auth, "X-Signature" in asking.fields) == (None, None, False)

    async def test_who_asks(self) -> None:
        """A new token changes nothing about who asks; another client, scope or user is somebody else."""
        found: list[str] = []

        async def look(request: Any, handler: Any) -> Any:
            found.append(request.partition())
            response = await handler(request)
            found.append(request.partition())
            return response

        async with Place() as place, ClientSession(middlewares=[look]) as session:
            auth = place.client()
            await session.get(f"{place.origin}/api", auth=auth)
            place.server.tokens.clear()
            await session.get(f"{place.origin}/api", auth=auth)
            assert len(place.server.asked) == 2
            assert found[0] and len(set(found)) == 1
            others = [
                place.client(scope="read"),
                place.client(identity="ada"),
                OAuth2ClientCredentials(place.token_url, "another", SECRET),
                place.refreshing(),
            ]
            for other in others:
                await session.get(f"{place.origin}/api", auth=other)
            assert len(set(found)) == 1 + len(others)

    @pytest.mark.both_protocols
    async def test_a_huge_answer(self) -> None:
        """A token endpoint whose answer does not end costs no memory: the call fails after 1 MiB."""
        endless = b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 2_000_000
        async with RawServer.replies([endless]) as server, ClientSession() as session:
            auth = OAuth2ClientCredentials(server.url("/token"), CLIENT, SECRET)
            with pytest.raises(aioclient.BodyTooLargeError):
                await session.get(server.url("/api"), auth=auth)

    @pytest.mark.both_protocols
    async def test_a_proxy(self) -> None:
        """Token requests go by the session's proxy, as its other requests do."""
        token = answer(b'{"access_token": "t", "token_type": "Bearer"}')
        async with (
            RawServer.replies([token, OK]) as proxy,
            ClientSession(proxy=proxy.url()) as session,
        ):
            auth = OAuth2ClientCredentials("http://127.0.0.1:1/token", CLIENT, SECRET)
            assert (await session.get("http://a.test/api", auth=auth)).status == 200
        targets = [request.target for request in proxy.requests]
        assert targets == ["http://127.0.0.1:1/token", "http://a.test/api"]

    @pytest.mark.both_protocols
    async def test_an_unread_response_and_a_pool_of_one(self) -> None:
        """A middleware's unread response gives its connection up to the token request: nobody waits for ever."""

        async def probe(request: Any, handler: Any) -> Any:
            request.auth, auth = None, request.auth
            unread = await handler(request.copy())
            request.auth = auth
            response = await handler(request)
            assert unread.status == 200
            return response

        large = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000
        token = answer(b'{"access_token": "t", "token_type": "Bearer"}')
        async with RawServer.replies([large, token, OK]) as server:
            auth = OAuth2ClientCredentials(server.url("/token"), CLIENT, SECRET)
            async with ClientSession(
                auth=auth, middlewares=[probe], connector=TCPConnector(limit=1)
            ) as session:
                assert (await session.get(server.url(), timeout=5)).status == 200

    @pytest.mark.both_protocols
    @pytest.mark.rows("AUTH-14")
    @pytest.mark.parametrize("status", [302, 307, 308])
    async def test_a_redirect(self, status: int) -> None:
        """A token endpoint that redirects is not followed: the secret goes nowhere else."""
        async with (
            RawServer.replies([OK]) as other,
            RawServer.replies([moved(other.url(), status=status)]) as server,
            ClientSession() as session,
        ):
            auth = OAuth2ClientCredentials(server.url("/token"), CLIENT, SECRET)
            with pytest.raises(OAuth2Error, match=f"status {status}.*redirects"):
                await session.get(server.url("/api"), auth=auth)
            assert other.connections == 0
            assert [request.target for request in server.requests] == ["/token"]

    @pytest.mark.both_protocols
    async def test_other_origins(self) -> None:
        """The token stays where it belongs: not after a redirect to another origin, and as origins= says."""
        token = answer(b'{"access_token": "t", "token_type": "Bearer"}')
        async with RawServer.replies([OK], repeat=True) as other:
            replies = [token, moved(other.url(host="b.test")), OK]
            async with (
                RawServer.replies(replies) as server,
                ClientSession(connector=names()) as session,
            ):
                url = server.url("/", host="a.test")
                auth = OAuth2ClientCredentials(server.url("/token"), CLIENT, SECRET, origins=[url])
                await session.get(url, auth=auth)
                await session.get(other.url(host="c.test"), auth=auth)
                await session.get(url, auth=auth)
            found = [request.value("Authorization") for request in server.requests]
            assert found[1:] == ["Bearer t", "Bearer t"]
            assert [request.values("Authorization") for request in other.requests] == [[], []]


class _Nothing(set[str]):
    def add(self, _: str) -> None:
        """Forget it."""


@pytest.mark.both_loops
class TestCancellation:
    async def test_the_first_one_leaves(self) -> None:
        """Who began the renewal may be cancelled: the others get their token from the same request."""
        async with Place() as place:
            asked, go = asyncio.Event(), asyncio.Event()

            async def hold() -> None:
                asked.set()
                await go.wait()

            place.server.before = hold
            auth = place.client()
            first = asyncio.create_task(place.get(auth))
            await asked.wait()
            others = [asyncio.create_task(place.get(auth)) for _ in range(3)]
            await asyncio.sleep(0)
            first.cancel()
            await asyncio.wait([first])
            assert first.cancelled()
            go.set()
            assert await asyncio.gather(*others) == [(200, "token-1")] * 3
            assert len(place.server.asked) == 1

    async def test_the_last_one_leaves(self) -> None:
        """When nobody waits any more the renewal ends; the next request begins another one."""
        async with Place() as place:
            asked, go = asyncio.Event(), asyncio.Event()

            async def hold() -> None:
                asked.set()
                await go.wait()

            place.server.before = hold
            auth = place.client()
            tasks = [asyncio.create_task(place.get(auth)) for _ in range(2)]
            await asked.wait()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            go.set()
            place.server.before = None
            assert (await place.get(auth))[0] == 200
            assert len(place.server.asked) == 2

    async def test_a_failure_is_everybodys(self) -> None:
        """All who wait get the error of the one request; the next call asks again."""
        async with Place() as place:

            async def refuse() -> web.Response:
                return web.json_response({"error": "invalid_client"}, status=401)

            place.server.before = refuse
            auth = place.client()
            found = await asyncio.gather(
                *(place.get(auth) for _ in range(10)), return_exceptions=True
            )
            assert {type(error) for error in found} == {OAuth2Error}
            assert len({id(error) for error in found}) == 10
            assert len(place.server.asked) == 1
            place.server.before = None
            assert (await place.get(auth))[0] == 200

    async def test_a_failure_tells_of_one_call(self) -> None:
        """Who waits with a Retry gets an error that tells the attempts of this call alone."""
        async with Place() as place, ClientSession(middlewares=[Retry(backoff=0)]) as session:
            auth = OAuth2ClientCredentials("http://127.0.0.1:1/token", CLIENT)
            found = await asyncio.gather(
                *(session.get(place.origin, auth=auth) for _ in range(3)), return_exceptions=True
            )
        assert {type(error) for error in found} == {aioclient.ConnectError}
        assert [len(getattr(error, "__notes__", ())) for error in found] == [1, 1, 1]

    async def test_a_rotated_token_is_kept(self) -> None:
        """A new refresh token is stored to its end, although whoever waited for it was cancelled meanwhile."""
        saving, go = asyncio.Event(), asyncio.Event()

        class Slow(TokenMemory):
            async def save(self, key: str, token: OAuth2Token) -> None:
                saving.set()
                await go.wait()
                await super().save(key, token)

        async with Place() as place:
            place.server.rotates = True
            auth = place.refreshing(store=Slow())
            task = asyncio.create_task(place.get(auth))
            await saving.wait()
            task.cancel()
            await asyncio.sleep(0)
            go.set()
            await asyncio.wait([task])
            assert task.cancelled()
            assert (await place.get(auth)) == (200, "token-1")
            assert len(place.server.asked) == 1

    async def test_leaving_as_it_fails(self) -> None:
        """A failure in the same moment in which the last one leaves is nobody's, and is not reported as lost."""
        flight: Flight[None] = Flight()
        fail = asyncio.Event()

        async def work() -> None:
            await fail.wait()
            raise LookupError

        task = asyncio.create_task(flight.join(work))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        fail.set()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises((asyncio.CancelledError, LookupError)):
            await task


@pytest.mark.virtual_clock
async def test_each_has_its_deadline() -> None:
    """A call whose deadline comes leaves; one with more time gets the token."""
    async with Place() as place:
        go = asyncio.Event()

        async def hold() -> None:
            await go.wait()

        place.server.before = hold
        auth = place.client()
        short = asyncio.create_task(place.get(auth, timeout=1))
        long = asyncio.create_task(place.get(auth, timeout=60))
        with pytest.raises(aioclient.TotalTimeoutError, match="no credentials"):
            await short
        go.set()
        assert await long == (200, "token-1")
        assert len(place.server.asked) == 1


@pytest.mark.both_loops
class TestRefreshToken:
    async def test_rotation(self) -> None:
        """Each new refresh token takes the place of the one before, and is stored before its access token is used."""
        kept: list[tuple[str | None, int]] = []

        class Watching(TokenMemory):
            async def save(self, key: str, token: OAuth2Token) -> None:
                kept.append((token.refresh_token, len(place.server.api)))
                await super().save(key, token)

        async with Place() as place:
            place.server.rotates = True
            auth = place.refreshing(store=Watching())
            await place.get(auth)
            place.server.tokens.clear()
            assert await place.get(auth) == (200, "token-2")
            assert [form["refresh_token"] for form in place.server.asked] == [REFRESH, "refresh-1"]
            assert kept == [("refresh-1", 0), ("refresh-2", 2)]

    async def test_the_lock(self) -> None:
        """What is stored is looked at, and a new token saved, while the store is locked."""
        seen: list[str] = []

        class Locking(TokenMemory):
            @asynccontextmanager
            async def locked(self) -> AsyncIterator[None]:
                seen.append("lock")
                yield
                seen.append("unlock")

            def lock(self, key: str) -> AbstractAsyncContextManager[None]:
                return self.locked()

            async def load(self, key: str) -> OAuth2Token | None:
                seen.append("load")
                return await super().load(key)

            async def save(self, key: str, token: OAuth2Token) -> None:
                await asyncio.sleep(0)
                await super().save(key, token)
                seen.append("save")

        async with Place() as place:
            await place.get(place.refreshing(store=Locking()))
        assert seen == ["lock", "load", "save", "unlock"]

    async def test_a_file(self, tmp_path: Path) -> None:
        """The next program goes on with the newest token of the file, which its owner alone can read."""
        file = TokenFile(tmp_path / "new" / "tokens.json")
        async with Place() as place:
            place.server.rotates = True
            for _ in range(2):
                assert await place.get(place.refreshing(store=file)) == (200, "token-1")
            place.server.tokens.clear()
            assert await place.get(place.refreshing(store=file)) == (200, "token-2")
            assert [form["refresh_token"] for form in place.server.asked] == [REFRESH, "refresh-1"]
            other = place.client(store=file)
            assert await place.get(other) == (200, "token-3")
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
        assert len(json.loads(file.path.read_text())["tokens"]) == 2
        assert sorted(path.name for path in file.path.parent.iterdir()) == [
            "tokens.json",
            "tokens.json.lock",
        ]

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "{",
            "[]",
            '{"version": 1}',
            '{"version": 9, "tokens": {}}',
            '{"version": 1, "tokens": 5}',
            "[" * 1_000_000,
        ],
    )
    async def test_a_file_of_something_else(self, tmp_path: Path, content: str) -> None:
        """What is no token in the file is as if it were not there."""
        path = tmp_path / "tokens.json"
        path.write_text(content)
        async with Place() as place:
            assert await place.get(place.refreshing(store=TokenFile(path))) == (200, "token-1")

    async def test_a_store_that_fails(self) -> None:
        """A new refresh token outlives a store that raises: the next call saves it, and uses it."""

        class Full(TokenMemory):
            full = True

            async def save(self, key: str, token: OAuth2Token) -> None:
                if self.full:
                    raise OSError("no space left")
                await super().save(key, token)

        async with Place() as place:
            place.server.rotates = True
            store = Full()
            auth = place.refreshing(store=store)
            for _ in range(2):
                with pytest.raises(OSError, match="no space left"):
                    await place.get(auth)
            store.full = False
            assert await place.get(auth) == (200, "token-1")
            assert len(place.server.asked) == 1
            assert await place.get(place.refreshing(store=store)) == (200, "token-1")
            place.server.tokens.clear()
            assert await place.get(auth) == (200, "token-2")

    async def test_a_refused_refresh_token(self) -> None:
        """The error has the server's code; no secret is in it."""
        async with Place() as place:
            place.server.refresh = "another"
            with pytest.raises(OAuth2Error, match=r"status 400\): invalid_grant") as caught:
                await place.get(place.refreshing())
            assert (caught.value.error, caught.value.status) == ("invalid_grant", 400)


WORKER = """
import asyncio, sys
from aioclient import ClientSession, OAuth2RefreshToken, TokenFile

async def main(origin, path):
    auth = OAuth2RefreshToken(origin + "/token", "the client", refresh_token="refresh-0", store=TokenFile(path))
    async with ClientSession(auth=auth) as session:
        for _ in range(3):
            async with session.get(origin + "/api") as response:
                print(response.status, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.virtual_clock
async def test_a_lock_between_processes(tmp_path: Path) -> None:
    """Whoever opens the file a second time, as another process does, waits until it is unlocked."""
    one, other = TokenFile(tmp_path / "tokens.json"), TokenFile(tmp_path / "tokens.json")
    locked: list[str] = []

    async def use(store: TokenFile, name: str) -> None:
        async with store.lock("key"):
            locked.append(name)

    async with one.lock("key"):
        task = asyncio.create_task(use(other, "other"))
        await asyncio.sleep(10)
        assert locked == []
    await task
    assert locked == ["other"]


@pytest.mark.hang_limit(120)
async def test_processes_share_a_file(tmp_path: Path) -> None:
    """Processes that need a new token at the same time get one of one request: a rotated token is used once."""
    path = tmp_path / "tokens.json"
    async with Place() as place:
        place.server.rotates = True

        async def run() -> list[str]:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                WORKER,
                place.origin,
                str(path),
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
            output, _ = await process.communicate()
            return output.decode().split()

        found = await asyncio.gather(*(run() for _ in range(3)))
        assert found == [["200"] * 3] * 3
        assert len(place.server.asked) == 1


class TestExpiry:
    """Pure: time is an argument."""

    @pytest.mark.parametrize(
        ("lifetime", "ahead"), [(3600, 60), (600, 60), (100, 10), (10, 1), (0, 0), (None, 60)]
    )
    def test_skew(self, lifetime: float | None, ahead: float) -> None:
        """A token is renewed a tenth of its lifetime before its end, and 60 s at most."""
        assert skew(lifetime) == ahead

    @given(st.floats(1, 1e6), st.floats(0, 1e6))
    def test_remaining(self, lifetime: float, later: float) -> None:
        """It remains as long as its end is further than the skew."""
        token = OAuth2Token("t", 1e9 + lifetime, lifetime)
        remaining = token.remaining(1e9 + later)
        assert remaining is not None
        assert (remaining > 0) == (later < 1e9 + lifetime - skew(lifetime) - 1e9)

    @pytest.mark.virtual_clock
    async def test_renewed_in_time(self) -> None:
        """A token is used until its skew, and then another one is fetched."""

        class Clock(TokenMemory):
            async def load(self, key: str) -> OAuth2Token | None:
                return None  # what is stored goes by the wall clock

        async with Place() as place:
            place.server.lifetime = 100
            auth = place.client(store=Clock())
            loop: Any = asyncio.get_running_loop()
            assert (await place.get(auth))[1] == "token-1"
            loop.advance(89)
            assert (await place.get(auth))[1] == "token-1"
            loop.advance(2)
            assert (await place.get(auth))[1] == "token-2"

    async def test_what_is_stored_is_looked_at(self) -> None:
        """A stored token that is over is not used; one without an end is."""
        async with Place() as place:
            store = TokenMemory()
            for token, expected in (
                (OAuth2Token("old", time.time() + 5, 3600), "token-1"),
                (OAuth2Token("endless"), "endless"),
            ):
                auth = place.client(store=store)
                await store.save(auth.identity, token)
                place.server.tokens.add("endless")
                assert (await place.get(auth))[1] == expected


class TestWhatAnEndpointSays:
    """Pure: a response in, a token or an error out."""

    @staticmethod
    def token(body: bytes, status: int = 200, **more: Any) -> OAuth2Token:
        return token_of(URL(TOKEN_URL), status, body, 1000.0, **more)

    def test_a_token(self) -> None:
        """All members are read; a refresh token that is not replaced stays."""
        body = b'{"access_token": "a", "token_type": "bEARER", "expires_in": "90", "scope": "s", "x": 1}'
        assert self.token(body, refresh_token="r") == OAuth2Token("a", 1090.0, 90, "r", "s")
        assert self.token(b'{"access_token": "a", "token_type": "Bearer"}') == OAuth2Token("a")

    @pytest.mark.parametrize(
        ("status", "body", "text"),
        [
            (200, b"", "no reason"),
            (200, b"[]", "no reason"),
            (200, b'{"error": "bad", "error_description": "it is"}', "bad: it is"),
            (400, b'{"error": "invalid_grant"}', "status 400.*invalid_grant"),
            (500, b"<html>", "status 500"),
            (200, b'{"access_token": "a", "token_type": "mac"}', "not Bearer"),
            (200, b'{"access_token": "a"}', "not Bearer"),
            (200, b'{"access_token": "a b", "token_type": "bearer"}', "no usable token"),
            (200, b'{"token_type": "bearer"}', "no usable token"),
            (200, b'{"access_token": "a", "token_type": "bearer", "expires_in": -1}', "no number"),
            (
                200,
                b'{"access_token": "a", "token_type": "bearer", "expires_in": true}',
                "no number",
            ),
            (
                200,
                b'{"access_token": "a", "token_type": "bearer", "expires_in": 1e400}',
                "no number",
            ),
            (
                200,
                b'{"access_token": "a", "token_type": "bearer", "expires_in": "%b"}'
                % (b"9" * 5000),
                "no number",
            ),
            (200, b"[" * 1_000_000, "no reason"),
        ],
    )
    def test_none(self, status: int, body: bytes, text: str) -> None:
        """What is no token raises OAuth2Error, which says what it is."""
        with pytest.raises(OAuth2Error, match=text):
            self.token(body, status)

    @pytest.mark.rows("AUTH-12")
    def test_secrets(self) -> None:
        """What the server repeats of a secret is in no message; a token shows none."""
        body = json.dumps({"error": "e", "error_description": "no such r3fresh, s3cret\r\nX"})
        with pytest.raises(OAuth2Error) as caught:
            self.token(body.encode(), 400, refresh_token="r3fresh", client_secret="s3cret")
        assert "r3fresh" not in str(caught.value)
        assert "s3cret" not in str(caught.value)
        assert "\n" not in str(caught.value)
        shown = repr(OAuth2Token("acc3ss", refresh_token="r3fresh"))
        assert "acc3ss" not in shown
        assert "r3fresh" not in shown

    @given(st.binary(max_size=200), st.sampled_from([200, 400]))
    def test_any(self, body: bytes, status: int) -> None:
        """Whatever comes, it is a token or OAuth2Error."""
        try:
            self.token(body, status)
        except OAuth2Error:
            pass


@pytest.mark.rows("AUTH-11", "AUTH-13")
class TestFlow:
    """Pure: a login of a user, and the one answer to it."""

    @staticmethod
    def flow(issuer: str | None = None) -> AuthorizationFlow:
        return AuthorizationFlow(
            URL("https://a.test/authorize?keep=1"),
            {"client_id": "c", "scope": "s"},
            "http://127.0.0.1:1/callback",
            "the state",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            issuer,
        )

    def test_the_url(self) -> None:
        """The URL has all that the server needs; the challenge is that of RFC 7636, appendix B."""
        assert dict(self.flow().url.query) == {
            "keep": "1",
            "client_id": "c",
            "scope": "s",
            "response_type": "code",
            "redirect_uri": "http://127.0.0.1:1/callback",
            "state": "the state",
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            "code_challenge_method": "S256",
        }
        assert "state" not in repr(self.flow())

    def test_once(self) -> None:
        """An answer is good once, and only to its own request."""
        flow = self.flow()
        callback = "http://127.0.0.1:1/callback?code=c&state=the+state"
        assert flow.code(callback) == "c"
        with pytest.raises(OAuth2Error, match="state"):
            flow.code(callback)

    @pytest.mark.parametrize(
        ("query", "text"),
        [
            ("", "state"),
            ("code=c", "state"),
            ("code=c&state=", "state"),
            ("code=c&state=another", "state"),
            ("code=c&state=ä", "state"),
            ("error=access_denied", "state"),
            ("error=access_denied&state=the+state&error_description=no", "access_denied: no"),
            ("state=the+state", "no code"),
        ],
    )
    def test_refused(self, query: str, text: str) -> None:
        """Another state, none, an error and no code raise, before anything is asked for."""
        flow = self.flow()
        with pytest.raises(OAuth2Error, match=text):
            flow.code(f"/callback?{query}")
        with pytest.raises(OAuth2Error, match="state"):
            flow.code("/callback?code=c&state=the+state")

    @pytest.mark.rows("AUTH-14")
    @pytest.mark.parametrize("iss", ["", "&iss=https://b.test"])
    def test_the_issuer(self, iss: str) -> None:
        """Where the issuer is known, the answer must name it (RFC 9207)."""
        good = "/callback?code=c&state=the+state&iss=https://a.test"
        assert self.flow("https://a.test").code(good) == "c"
        with pytest.raises(OAuth2Error, match=r"not of https://a\.test"):
            self.flow("https://a.test").code(f"/callback?code=c&state=the+state{iss}")


@pytest.mark.both_loops
class TestAuthorizationCode:
    def login(self, place: Place, **more: Any) -> OAuth2AuthorizationCode:
        return OAuth2AuthorizationCode(
            f"{place.origin}/authorize", place.token_url, CLIENT, scope="read", **more
        )

    async def test_a_browser(self, tmp_path: Path) -> None:
        """The user's browser is sent back to a port of this machine; afterwards nobody is asked."""
        async with Place() as place, ClientSession() as browser:
            opened: list[str] = []
            loop = asyncio.get_running_loop()

            def open_browser(url: str) -> None:
                opened.append(url)
                asyncio.run_coroutine_threadsafe(visit(url), loop)

            async def visit(url: str) -> None:
                callback = URL(url).query["redirect_uri"]
                assert (await browser.get(f"{callback}x")).status == 404
                async with browser.get(url) as response:
                    assert "logged in" in await response.text()

            file = TokenFile(tmp_path / "t")
            auth = self.login(place, open_browser=open_browser, store=file)
            found = await asyncio.gather(*(place.get(auth) for _ in range(3)))
            assert found == [(200, "token-1")] * 3
            place.server.tokens.clear()
            assert await place.get(auth) == (200, "token-2")
            assert await place.get(self.login(place, store=file)) == (200, "token-2")
            assert len(opened) == 1
            kinds = [form["grant_type"] for form in place.server.asked]
            assert kinds == ["authorization_code", "refresh_token"]

    async def test_asked_otherwise(self) -> None:
        """A program may show the URL itself, and pass on where the user came back to."""
        async with Place() as place:
            place.server.issuer = "https://issuer.test"

            async def ask(url: str) -> str:
                async with place.session.get(url, allow_redirects=False) as response:
                    return response.headers["Location"]

            more = {"ask": ask, "redirect_uri": "https://app.test/back"}
            auth = self.login(place, issuer="https://issuer.test", **more)
            assert await place.get(auth) == (200, "token-1")
            assert place.server.asked[0]["redirect_uri"] == "https://app.test/back"
            place.server.refresh = "another"  # the refresh token is good no more
            place.server.tokens.clear()
            assert await place.get(auth) == (200, "token-2")
            kinds = [form["grant_type"] for form in place.server.asked]
            assert kinds == ["authorization_code", "refresh_token", "authorization_code"]

    @pytest.mark.rows("AUTH-13")
    @pytest.mark.parametrize("state", ["", "&state=other"])
    async def test_another_state(self, state: str) -> None:
        """An answer with another state, or with none, is an error before a token is asked for."""
        async with Place() as place:

            async def ask(url: str) -> str:
                return f"https://app.test/back?code=stolen{state}"

            auth = self.login(place, ask=ask, redirect_uri="https://app.test/back")
            with pytest.raises(OAuth2Error, match="state"):
                await place.get(auth)
            assert place.server.asked == []

    async def test_no_browser(self) -> None:
        """Without a browser the error says what to give."""
        async with Place() as place:
            auth = self.login(place, open_browser=lambda url: False)
            with pytest.raises(OAuth2Error, match="open_browser=print"):
                await place.get(auth)

    async def test_a_user_who_does_not_come(self) -> None:
        """When nobody waits for the user any more, the port is free again."""
        async with Place() as place:
            loop = asyncio.get_running_loop()
            opened: asyncio.Future[str] = loop.create_future()

            def open_browser(url: str) -> None:
                loop.call_soon_threadsafe(opened.set_result, url)

            call = asyncio.create_task(place.get(self.login(place, open_browser=open_browser)))
            callback = URL(await opened).query["redirect_uri"]
            assert (await place.session.get(f"{callback}x")).status == 404
            call.cancel()
            await asyncio.wait([call])
            with pytest.raises(aioclient.ConnectError):
                await place.session.get(callback)


async def _open_later(url: str) -> None:
    """Do nothing."""


class TestArguments:
    @pytest.mark.parametrize(
        ("arguments", "more", "error", "text"),
        [
            (("http://a.test/token", "c"), {}, ValueError, "must be https"),
            (("https://u:p@a.test/token", "c"), {}, ValueError, "has a user"),
            ((5, "c"), {}, TypeError, "token_url must be a URL"),
            ((TOKEN_URL, ""), {}, ValueError, "client_id"),
            ((TOKEN_URL, "c", 5), {}, TypeError, "client_secret"),
            ((TOKEN_URL, "c"), {"client_auth": "basic"}, ValueError, "client_secret_post"),
            ((TOKEN_URL, "c"), {"parameters": {"a": 1}}, TypeError, "must be text"),
            ((TOKEN_URL, "c"), {"parameters": {"grant_type": "x"}}, ValueError, "set by the grant"),
            ((TOKEN_URL, "c"), {"store": "file"}, TypeError, "TokenFile"),
            ((TOKEN_URL, "c"), {"origins": "https://a.test"}, TypeError, "list of origins"),
        ],
    )
    def test_what_is_refused(
        self, arguments: Any, more: Any, error: type[Exception], text: str
    ) -> None:
        """Nonsense raises when the credentials are made; secrets are never sent in the open."""
        with pytest.raises(error, match=text):
            OAuth2ClientCredentials(*arguments, **more)

    def test_of_the_others(self) -> None:
        """So does what only one grant has."""
        with pytest.raises(ValueError, match="refresh_token"):
            OAuth2RefreshToken(TOKEN_URL, "c", refresh_token="")
        for more, text in (
            ({"ask": print}, "go together"),
            ({"redirect_port": 70000}, "redirect_port"),
            ({"open_browser": 5}, "open_browser"),
            ({"open_browser": _open_later}, "open_browser must be a plain function"),
        ):
            with pytest.raises((TypeError, ValueError), match=text):
                OAuth2AuthorizationCode("https://a.test/a", TOKEN_URL, "c", **more)  # type: ignore[arg-type]

    @pytest.mark.rows("AUTH-12")
    def test_repr(self) -> None:
        """repr has no secret, nor has the identity."""
        auth = OAuth2RefreshToken(TOKEN_URL, "c", "s3cret", refresh_token="r3fresh")
        assert repr(auth) == "OAuth2RefreshToken('https://a.test/token', client_id='c')"
        assert "s3cret" not in auth.identity
        users = [OAuth2RefreshToken(TOKEN_URL, "c", refresh_token=each) for each in ("1", "2", "1")]
        assert users[0].identity == users[2].identity != users[1].identity
        assert repr(TokenFile("/a/b")) == "TokenFile('/a/b')"


@pytest.mark.both_loops
@pytest.mark.parametrize("kind", ["oauth2", "file", "credential"])
async def test_cancelled_everywhere(kind: str, tmp_path: Path) -> None:
    """Either or both of two calls that need a new token may be cancelled at any moment, and the next one gets it."""

    class Login(aioclient.Credential):
        number = 0

        def headers(self) -> dict[str, str]:
            return {"Authorization": f"Bearer token-{self.number}"}

        def is_expired(self) -> bool:
            return not self.number

        async def refresh(self) -> None:
            await asyncio.sleep(0)
            self.number = 1

    async with Place() as place:
        path, connector = tmp_path / "tokens.json", TCPConnector(limit=1)
        async with ClientSession(connector=connector) as session:

            def credentials() -> Any:
                if kind == "credential":
                    return aioclient.CredentialAuth(Login())
                place.server.tokens = set()
                path.unlink(missing_ok=True)
                return place.client(store=TokenFile(path) if kind == "file" else None)

            async def run(who: tuple[int, ...], moment: int) -> bool:
                """Cancel *who* of two calls after so many iterations; tell whether both had ended before."""
                auth = credentials()
                tasks = [asyncio.create_task(status(auth)) for _ in range(2)]
                await turns(moment)
                ended = all(task.done() for task in tasks)
                for number in who:
                    tasks[number].cancel()
                await asyncio.wait(tasks)
                for number, task in enumerate(tasks):
                    assert (task.cancelled() and number in who) or task.result() == expected
                await turns(20)
                assert connector.statistics().in_use == 0
                assert await status(auth) == expected
                assert not auth._flight._waiting
                return ended

            async def status(auth: Any) -> int:
                async with session.get(f"{place.origin}/api", auth=auth) as response:
                    return response.status

            expected = 401 if kind == "credential" else 200
            for who in ((0,), (1,), (0, 1)):
                moment = 0
                while not await run(who, moment):
                    moment += 1
                assert moment > 5
