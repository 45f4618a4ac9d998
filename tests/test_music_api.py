"""The example of an SDK, run against a fake of the service that it is for."""

import asyncio
import hashlib
import hmac
import json
import runpy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

import aioclient

from .servers.app import serve_application

pytestmark = pytest.mark.both_loops

music = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).parent.parent / "examples" / "music_api.py"))
)

parts = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).parent.parent / "examples" / "music_transport.py"))
)


class Service:
    """JSON envelopes with codes, and a signature that is checked."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any, dict[str, str], dict[str, str]]] = []
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Service"]:
        app = web.Application()
        app.router.add_post("/{kind}", self._answer)
        async with serve_application(app) as origin:
            self.url = f"{origin}/"
            yield self

    async def _answer(self, request: web.Request) -> web.Response:
        raw = await request.read()
        body = json.loads(raw)
        kind = request.match_info["kind"]
        self.seen.append((kind, body, dict(request.cookies), dict(request.headers)))
        (api,) = body.keys() - {"comm"}
        answer: dict[str, Any]
        secret = music.ApiConfig("").secret.encode()
        if kind == "signed" and not hmac.compare_digest(
            request.query["sign"], hmac.new(secret, raw, hashlib.sha256).hexdigest()
        ):
            answer = {"code": 2000}
        elif request.cookies.get("key") == "old":
            answer = {"code": 1000}
        elif api == "users.likes":
            answer = {"code": 0, "data": [request.cookies["uid"]]}
        elif body[api]["id"] < 0:
            answer = {"code": 7, "data": "no such song"}
        else:
            answer = {"code": 0, "data": {"name": f"song {body[api]['id']}"}}
        return web.json_response({api: answer})


@asynccontextmanager
async def session_with(**arguments: Any) -> AsyncIterator[tuple[Any, Service]]:
    service = Service()
    config = music.ApiConfig
    async with (
        service.running(),
        music.Session(config(service.url), **arguments) as session,
    ):
        yield session, service


@pytest.mark.rows("S000-01", "S000-05", "S000-10", "S000-12", "S000-13", "S000-14", "S000-16")
async def test_a_call() -> None:
    async with session_with() as (session, service):
        assert service.seen == []  # nothing is sent by making it
        assert await music.song(session, 1, hires=True) == {"title": "song 1"}
        kind, body, _, headers = service.seen[0]
        assert kind == "api"
        assert body == {"comm": {"version": "1.0"}, "songs.detail": {"id": 1, "hires": 1}}
        assert headers["User-Agent"] == "music/1.0"
        assert aioclient.get_session() is session._client
    assert session._client.closed
    async with session_with(headers={"User-Agent": "mine"}) as (session, service):
        await music.song(session, 1)
        assert service.seen[0][3]["User-Agent"] == "mine"


@pytest.mark.rows("S000-08", "S000-09", "S000-15")
async def test_results_are_kept_for_a_while() -> None:
    now = [0.0]
    async with session_with(clock=lambda: now[0]) as (session, service):
        first, second = await music.song(session, 1), await music.song(session, 1)
        assert first == second
        assert first is not second
        assert len(service.seen) == 1
        now[0] = 120.0
        await music.song(session, 1)
        assert len(service.seen) == 2
        await session.clear_cache()
        await music.song(session, 1)
        assert len(service.seen) == 3
    async with session_with(enable_cache=False) as (session, service):
        await music.song(session, 1)
        await music.song(session, 1)
        await session.clear_cache()
        assert len(service.seen) == 2


async def test_a_lifetime_of_one_s_own_and_parameters_that_do_not_count() -> None:
    now = [0.0]
    forever = music.api_request(
        "songs.detail", cache_ttl=music.FOREVER, exclude_params=frozenset(("at",))
    )(lambda number, at: ({"id": number, "at": at}, lambda data: None))
    async with session_with(clock=lambda: now[0]) as (session, service):
        assert await forever(session, 1, at=1) is None
        now[0] = 1e9
        assert await forever(session, 1, at=2) is None  # a result that is null is one
        assert len(service.seen) == 1


@pytest.mark.rows("S000-02", "S000-03", "S000-04")
async def test_a_serializer_of_one_s_own() -> None:
    class Loud:
        def dumps(self, value: object) -> str:
            return json.dumps(value).upper()

        loads = staticmethod(json.loads)

    async with session_with(serializer=Loud()) as (session, _):
        await music.song(session, 1)
        assert await music.song(session, 1) == {"TITLE": "SONG 1"}


@pytest.mark.rows("S000-03", "S000-04")
async def test_results_of_the_cache_are_what_json_can_hold() -> None:
    """Names become text, and tuples lists; a hit is not the object that was stored."""
    odd = music.api_request("songs.detail")(lambda number: ({"id": number}, lambda data: RESULT))
    async with session_with() as (session, service):
        assert await odd(session, 1) == RESULT
        first, second = await odd(session, 1), await odd(session, 1)
        assert first == second == {"1": [2, 3], "none": None}
        assert first is not second
        assert len(service.seen) == 1


RESULT = {1: (2, 3), "none": None}


@pytest.mark.rows("S000-06")
async def test_credentials() -> None:
    ann, eve = music.Credential(1, "a"), music.Credential(2, "e")
    async with session_with(credential=ann) as (session, service):
        assert await music.likes(session) == ["1"]
        assert await music.likes(session, credential=eve) == ["2"]
        assert await music.likes(session) == ["1"]
        await music.song(session, 1)
        await music.song(session, 1, credential=eve)
        assert len(service.seen) == 5  # results of one are not those of another
        assert service.seen[0][2] == {"uid": "1", "key": "a"}
        with pytest.raises(music.CredentialExpiredError):
            await music.likes(session, credential=music.Credential(3, "old"))
        assert "'a'" not in repr(session)
    async with session_with() as (session, service):
        with pytest.raises(music.CredentialInvalidError):
            await music.likes(session)
        assert service.seen == []


@pytest.mark.rows("S000-07")
async def test_signatures() -> None:
    async with session_with(enable_sign=True) as (session, service):
        assert await music.song(session, 1) == {"title": "song 1"}
        assert await music.song(session, 2) == {"title": "song 2"}
        assert [seen[0] for seen in service.seen] == ["signed", "signed"]
        session.sign = lambda request: {"X": "y"}
        with pytest.raises((music.SignatureInvalidError, aioclient.ClientResponseError)):
            await music.song(session, 3)


async def test_errors_are_not_kept() -> None:
    async with session_with() as (session, service):
        for _ in range(2):
            with pytest.raises(music.CodeError, match="code 7") as caught:
                await music.song(session, -1)
            assert caught.value.data == "no such song"
        assert len(service.seen) == 2


@pytest.mark.rows("S000-11")
async def test_arguments_of_the_session() -> None:
    async with session_with(timeout=5, middlewares=[aioclient.Retry()]) as (session, _):
        assert session._client.timeout.total == 5
    with pytest.raises(TypeError, match="nonsense"):
        music.Session(music.ApiConfig("http://a.test/"), nonsense=1)


@pytest.mark.rows("S000-06")
async def test_a_client_that_is_handed_its_transport() -> None:
    service = Service()
    async with (
        service.running(),
        aioclient.ClientSession(
            service.url, cookie_jar=aioclient.CookieJar(unsafe=True)
        ) as session,
    ):
        client = parts.Client(parts.EngineTransport(session))
        assert await client.song(1) == "song 1"
        users = [music.Credential(number, f"key-{number}") for number in range(1, 6)]
        likes = await asyncio.gather(*(client.likes(user) for user in users))
        assert likes == [["1"], ["2"], ["3"], ["4"], ["5"]]
        with pytest.raises(music.CredentialInvalidError):
            await client.likes(music.Credential())
        assert session.connector.statistics().opened <= 5
    canned = parts.CannedTransport({"data": {"name": "T"}})
    assert await parts.Client(canned).song(3) == "T"
    assert canned.calls == [parts.Call("songs.detail", {"id": 3})]
