"""What code written for aiohttp's session finds here: its arguments, its objects and its properties."""

import asyncio
import contextlib
import dataclasses
import functools
import io
import json
import re
import warnings
from collections.abc import AsyncIterator, Callable
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

import aioclient
from aioclient import BasicAuth, ClientResponse, ClientSession, ClientTimeout
from aioclient.testing import RawConnection, RawRequest

from . import spoken
from .loopback import OK, answer, moved, names, open_jar
from .servers.app import serve_application
from .servers.either import RawServer
from .test_legacy import legacy

pytestmark = pytest.mark.both_protocols


class TestJsonSerializeBytes:
    @pytest.mark.rows("S003-07")
    async def test_it_makes_the_body(self) -> None:
        """json_serialize_bytes makes the body of json=, though json_serialize is given too."""
        async with RawServer.replies([OK], repeat=True) as server:
            async with ClientSession(
                json_serialize=lambda value: "text", json_serialize_bytes=lambda value: b"bytes"
            ) as session:
                assert session.json_serialize(1) == "text"
                await session.post(server.url(), json={"a": 1})
            async with ClientSession(json_serialize=lambda value: "text") as session:
                await session.post(server.url(), json={"a": 1})
            async with ClientSession() as session:
                assert session.json_serialize is json.dumps
        assert [request.body for request in server.requests] == [b"bytes", b"text"]
        assert server.requests[0].value("Content-Type") == "application/json"


class TestFunctions:
    @pytest.mark.rows("S003-07")
    @pytest.mark.parametrize(
        "name", ["json_serialize", "json_serialize_bytes", "fallback_charset_resolver"]
    )
    async def test_what_they_cannot_be(self, name: str) -> None:
        """What cannot be called raises when the session is made, not with the first request."""
        with pytest.raises(TypeError, match=f"{name} must be callable, found str"):
            ClientSession(**{name: "orjson"})  # type: ignore[arg-type]


class TestRequote:
    @pytest.mark.rows("S003-21")
    @pytest.mark.parametrize(
        ("requote", "location", "target"),
        [
            (True, "/a%2Fb%7E?q=%27x%27", "/a%2Fb%7E?q=%27x%27"),
            (True, '/"a"?q=[x|]', "/%22a%22?q=%5Bx%7C%5D"),
            (False, "/a%2Fb%7E?q=%27x%27", "/a%2Fb%7E?q=%27x%27"),
            (False, '/"a"?q=[x|]', '/"a"?q=[x|]'),
        ],
    )
    @pytest.mark.parametrize("absolute", [True, False])
    async def test_of_a_session(
        self, requote: bool, location: str, target: str, absolute: bool
    ) -> None:
        """With False the URL of a redirect is sent as the server wrote it, else what no URL may hold is encoded."""

        async def redirect(conn: RawConnection, request: RawRequest) -> None:
            conn.send(moved(server.url() + location[1:] if absolute else location))

        async with (
            RawServer.replies([redirect, OK]) as server,
            ClientSession(requote_redirect_url=requote) as session,
        ):
            assert session.requote_redirect_url is requote
            response = await session.get(server.url("/start"))
            assert response.url.raw_path_qs == target
        assert server.requests[1].target == target

    @pytest.mark.rows("S003-21")
    @pytest.mark.parametrize("location", ["/a b", "/ä", "/a\tb", "http://ä.test/"])
    async def test_what_cannot_be_sent(self, location: str) -> None:
        """What no request line can hold raises, and is not sent as it is."""
        async with (
            RawServer.replies([moved(location)]) as server,
            ClientSession(requote_redirect_url=False) as session,
        ):
            with pytest.raises(aioclient.InvalidUrlRedirectClientError):
                await session.get(server.url())
            assert len(server.requests) == 1


class TestCharset:
    async def test_the_resolver_is_asked(self) -> None:
        """fallback_charset_resolver is asked for a body whose charset no header names, and only then."""
        asked: list[tuple[int, bytes]] = []

        def resolver(response: ClientResponse, body: bytes) -> str:
            asked.append((response.status, body))
            return "cp1251"

        replies = [
            answer(b"\xcf"),
            answer(b"\xcf", "Content-Type: text/plain; charset=latin1"),
            answer(b"\xcf"),
            answer(b"\xcf", "Content-Type: text/plain; charset=nonsense"),
        ]
        async with (
            RawServer.replies(replies) as server,
            ClientSession(fallback_charset_resolver=resolver) as session,
        ):
            assert await (await session.get(server.url())).text() == "П"
            assert await (await session.get(server.url())).text() == "Ï"
            assert await (await session.get(server.url())).text("latin1") == "Ï"
            assert await (await session.get(server.url())).text() == "П"
        assert asked == [(200, b"\xcf")] * 2

    async def test_errors(self) -> None:
        """What it names is taken at its word: bytes that do not fit raise unless errors= says else."""
        async with (
            RawServer.replies([answer(b"\xff")], repeat=True) as server,
            ClientSession(fallback_charset_resolver=lambda response, body: "utf-8") as session,
        ):
            response = await session.get(server.url())
            with pytest.raises(UnicodeDecodeError):
                await response.text()
            assert await response.text(errors="replace") == "\ufffd"


class TestResponseClass:
    @pytest.mark.parametrize("kind", [aiohttp.RequestInfo, dict, "ClientResponse"])
    async def test_what_is_no_class_of_responses(self, kind: Any) -> None:
        """A class that is not below ClientResponse is refused with the reason."""
        with pytest.raises(TypeError, match=r"subclass of aioclient\.ClientResponse, which knows"):
            ClientSession(response_class=kind)

    @pytest.mark.parametrize("kind", [aiohttp.StreamReader, int, "x"])
    async def test_ws_response_class(self, kind: Any) -> None:
        """So is the class of WebSockets."""
        with pytest.raises(TypeError, match=r"a subclass of aioclient\.ClientWebSocketResponse"):
            ClientSession(ws_response_class=kind)


class TestCookies:
    @pytest.mark.rows("S003-03")
    @pytest.mark.parametrize(
        "cookies",
        [
            {"a": "1", "b": "2"},
            [("a", "1"), ("b", "2")],
            (pair for pair in [("a", "1"), ("b", "2")]),
            SimpleCookie("a=1; b=2"),
            CIMultiDict([("a", "1"), ("b", "2")]),
        ],
        ids=["mapping", "pairs", "generator", "SimpleCookie", "multidict"],
    )
    @pytest.mark.parametrize("jar", [open_jar, lambda: aiohttp.CookieJar(unsafe=True)])
    async def test_of_a_session(self, cookies: Any, jar: Callable[[], Any]) -> None:
        """Cookies are a mapping, pairs or a generator of them, whosever the jar is."""
        if not hasattr(cookies, "__len__"):
            cookies = (pair for pair in [("a", "1"), ("b", "2")])
        async with (
            RawServer.replies([OK]) as server,
            ClientSession(server.url(), cookies=cookies, cookie_jar=jar()) as session,
        ):
            await session.get("")
        assert server.requests[0].value("Cookie") == "a=1; b=2"

    @pytest.mark.parametrize(
        ("cookies", "handed"),
        [
            ({"a": "1"}, {"a": "1"}),
            ([("a", "1"), ("a", "2")], [("a", "1"), ("a", "2")]),
            (CIMultiDict([("a", "1"), ("a", "2")]), [("a", "1"), ("a", "2")]),
        ],
        ids=["mapping", "pairs", "two of one name"],
    )
    async def test_what_a_jar_is_handed(self, cookies: Any, handed: Any) -> None:
        """A jar of the user's own gets a mapping when one was given, and pairs otherwise."""
        seen: list[object] = []

        class Jar(aiohttp.CookieJar):
            def update_cookies(self, cookies: Any, response_url: URL = URL()) -> None:  # noqa: B008
                seen.append(cookies)

        async with ClientSession("http://a.test/", cookies=cookies, cookie_jar=Jar()):
            assert seen == [handed]

    @pytest.mark.rows("S003-03")
    @pytest.mark.parametrize("cookies", ["a=1", b"a=1"])
    async def test_text(self, cookies: Any) -> None:
        """Text is no cookies."""
        with pytest.raises(TypeError, match="mapping or pairs, found"):
            ClientSession("http://a.test/", cookies=cookies)


class TestAiohttpsObjects:
    """aiohttp's own values are taken wherever ours are."""

    @pytest.mark.rows("S003-09", "S003-20")
    async def test_cookie_jar(self) -> None:
        """aiohttp.CookieJar keeps and sends cookies; aiohttp.DummyCookieJar keeps none."""
        for jar, cookie in (
            (aiohttp.CookieJar(unsafe=True), "a=1"),
            (aiohttp.DummyCookieJar(), None),
        ):
            async with (
                RawServer.replies([answer(b"", "Set-Cookie: a=1"), OK]) as server,
                ClientSession(cookie_jar=jar) as session,
            ):
                assert session.cookie_jar is jar
                await session.get(server.url())
                await session.get(server.url())
            assert server.requests[1].value("Cookie") == cookie

    @pytest.mark.rows("S003-06", "S003-30")
    async def test_auth(self) -> None:
        """aiohttp.BasicAuth is taken by a session and by a call."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            auth = aiohttp.BasicAuth("user", "pass")
        async with RawServer.replies([OK], repeat=True) as server:
            async with ClientSession(auth=auth) as session:
                await session.get(server.url())
            async with ClientSession() as session:
                await session.get(server.url(), auth=auth)
        assert [request.value("Authorization") for request in server.requests] == [
            BasicAuth("user", "pass").encode()
        ] * 2

    async def test_timeout(self) -> None:
        """aiohttp.ClientTimeout is taken; the session tells it as ours, with the same names."""
        async with ClientSession(timeout=aiohttp.ClientTimeout(total=5, sock_read=2)) as session:
            assert session.timeout == ClientTimeout(total=5, sock_read=2)
            assert (session.timeout.total, session.timeout.sock_read) == (5, 2)


class TestState:
    """The properties of aiohttp's session."""

    @pytest.mark.rows("S003-13", "S003-18", "S003-19", "S003-20")
    async def test_they_tell_what_was_given(self) -> None:
        """Each property tells what the session was made with."""
        jar = aioclient.CookieJar()
        connector = aioclient.TCPConnector()
        session = ClientSession(
            "http://user:pass@a.test/api/",
            connector=connector,
            connector_owner=False,
            cookie_jar=jar,
            headers={"X": "1"},
            skip_auto_headers=["User-Agent"],
            timeout=7,
            raise_for_status=True,
            auto_decompress=False,
            requote_redirect_url=False,
        )
        assert session.base_url == URL("http://a.test/api/")
        assert session.auth == BasicAuth("user", "pass")
        assert session.connector is connector
        assert session.connector_owner is False
        assert session.cookie_jar is jar
        assert session.headers["x"] == "1"
        assert session.skip_auto_headers == {"user-agent"}
        assert session.timeout.total == 7
        assert session.raise_for_status is True
        assert session.auto_decompress is False
        assert session.requote_redirect_url is False
        assert not session.closed
        await session.close()
        assert session.closed
        assert session.connector is None
        assert not connector.closed
        await connector.close()

    async def test_defaults(self) -> None:
        """Without arguments they tell aiohttp's defaults."""
        async with ClientSession() as session:
            assert session.base_url is session.auth is None
            assert session.connector_owner is session.auto_decompress is True
            assert session.requote_redirect_url is True
            assert session.raise_for_status is False
            assert session.skip_auto_headers == frozenset()
            assert isinstance(session.connector, aioclient.TCPConnector)

    @pytest.mark.parametrize(
        "name",
        ["base_url", "closed", "connector", "connector_owner", "headers", "timeout"],
    )
    async def test_they_are_read_only(self, name: str) -> None:
        """None of them can be set."""
        async with ClientSession() as session:
            with pytest.raises(AttributeError):
                setattr(session, name, None)

    @pytest.mark.rows("S004-02")
    async def test_headers_are_live(self) -> None:
        """session.headers can be updated; what a call adds does not stay."""
        async with RawServer.replies([OK], repeat=True) as server, ClientSession() as session:
            session.headers.update({"x-test": "true"})
            await session.get(server.url(), headers={"x-test2": "true"})
            await session.get(server.url())
        assert [
            (request.value("X-Test"), request.value("X-Test2")) for request in server.requests
        ] == [("true", "true"), ("true", None)]

    async def test_hash_and_truth(self) -> None:
        """Sessions, connectors and responses are true, whatever they hold, and can be put into sets."""
        async with (
            RawServer.replies([answer(b"", status="404 No")]) as server,
            ClientSession() as session,
        ):
            response = await session.get(server.url())
            for each in (session, session.connector, response):
                assert each
                assert each in {each}
        assert session


class TestPrivateNames:
    """Names that are no interface, but that other people's code is known to read."""

    # What our session has no part for.
    MISSING = (
        "_default_proxy",
        "_default_proxy_auth",
        "_json_serialize_bytes",
        "_request_class",
        "_retry_connection",
        "_ws_response_class",
    )

    @pytest.mark.parametrize("name", sorted(aiohttp.ClientSession.ATTRS.difference(MISSING)))
    async def test_a_read_does_not_crash(self, name: str) -> None:
        """What aiohttp's session keeps can be read of ours, where ours has it."""
        async with ClientSession("http://a.test/") as session:
            getattr(session, name)

    async def test_what_they_tell(self) -> None:
        """They tell what the session has, and cannot be set."""
        async with ClientSession(
            "http://a.test/api/",
            auth=("u", "p"),
            headers={"X": "1"},
            version="1.0",
            read_bufsize=7,
            requote_redirect_url=False,
            skip_auto_headers=["Accept"],
        ) as session:
            told: Any = session
            assert told._loop is asyncio.get_running_loop()
            assert told._base_url == URL("http://a.test/api/")
            assert told._base_url_origin == URL("http://a.test")
            assert told._default_auth == BasicAuth("u", "p")
            assert told._default_headers is session.headers
            assert told._version == aiohttp.HttpVersion10
            assert told._read_bufsize == 7
            assert told._requote_redirect_url is False
            assert told._skip_auto_headers == {"accept"}
            assert told._source_traceback is None
            assert told._response_class is ClientResponse
            assert told._timeout is session.timeout
            assert told._connector is session.connector
            with pytest.raises(AttributeError):
                told._default_headers = {}
            with pytest.raises(AttributeError, match="no attribute '_nonsense'"):
                told._nonsense  # noqa: B018

    async def test_a_subclass(self) -> None:
        """A session below ours finds its own names, and is told of a missing one."""

        class Mine(ClientSession):
            def __init__(self) -> None:
                super().__init__()
                self.mine = 1

        async with Mine() as session:
            assert session.mine == 1
            assert not hasattr(session, "other")


class TestEncodedUrls:
    @pytest.mark.rows("S003-24")
    @pytest.mark.parametrize(
        "target",
        ["/a%2fb", "/%7euser", "/a//b", "/x?y=%zz", "/x?a=b+c%20d", "/'(x)'", "/x?q=[1]", "/a%00b"],
    )
    async def test_they_are_sent_as_they_are(self, target: str) -> None:
        """URL(encoded=True) reaches the wire untouched, absolute or below a base URL."""
        async with RawServer.replies([OK], repeat=True) as server:
            async with ClientSession() as session:
                url = URL(server.url() + target[1:], encoded=True)
                await session.get(url)
                await session.get(url, params={"more": "ä"})
            async with ClientSession(server.url()) as session:
                await session.get(URL(target, encoded=True))
        more = "&" if "?" in target else "?"
        assert [request.target for request in server.requests] == [
            target,
            f"{target}{more}more=%C3%A4",
            target,
        ]

    @pytest.mark.rows("S003-24")
    @pytest.mark.parametrize("target", ["/a b", "/a\r\nX: y", "/ä", "/\x7f"])
    async def test_what_must_not_be_sent(self, target: str) -> None:
        """What would end the line or leave ASCII raises before a connection is made."""
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            with pytest.raises(ValueError, match=re.escape("percent-encode it")):
                await session.get(URL(server.url() + target[1:], encoded=True))
            assert server.connections == 0

    @pytest.mark.rows("S003-24")
    async def test_a_host_in_capitals(self) -> None:
        """The host of an encoded URL is the same host in any case: one origin, one connection."""
        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(connector=names(), auth=("u", "p")) as session,
        ):
            for host in ("a.test", "A.TEST"):
                await session.get(URL(server.url(host=host), encoded=True))
        assert server.connections == 1
        assert {request.value("Host") for request in server.requests} == {f"a.test:{server.port}"}


class TestUrls:
    @pytest.mark.rows("S003-24")
    async def test_text_or_url(self) -> None:
        """A URL is text or a yarl.URL."""
        async with RawServer.replies([OK], repeat=True) as server, ClientSession() as session:
            for url in (server.url("/x"), URL(server.url("/x"))):
                assert (await session.get(url)).url == URL(server.url("/x"))

    @pytest.mark.rows("S003-24", "S003-111")
    @pytest.mark.parametrize("url", ["http://", "//a b/", "/relative", "", None, 5, "http://a:x/"])
    async def test_what_is_none(self, url: Any) -> None:
        """What is no URL raises InvalidUrlClientError, which is an InvalidURL and shows what was passed."""
        async with ClientSession() as session:
            with pytest.raises(aioclient.InvalidUrlClientError) as caught:
                await session.get(url)
        assert isinstance(caught.value, aiohttp.InvalidURL)
        assert isinstance(caught.value, ValueError)
        assert str(url) in str(caught.value.url)

    @pytest.mark.rows("S003-24", "S003-113")
    @pytest.mark.parametrize("url", ["ftp://a.test/", "data:,x", "mailto:a@b.test"])
    async def test_another_scheme(self, url: str) -> None:
        """Another scheme raises NonHttpUrlClientError, which is no InvalidURL."""
        async with ClientSession() as session:
            with pytest.raises(aioclient.NonHttpUrlClientError) as caught:
                await session.get(url)
        assert not isinstance(caught.value, aiohttp.InvalidURL)


class TestErrors:
    @pytest.mark.rows("S003-109")
    async def test_of_a_response(self) -> None:
        """It carries request, status, message, fields and history; code is the status, without a warning."""
        replies = [moved("/x"), answer(b"no", "X: 1", status="404 Gone Away")]
        async with RawServer.replies(replies) as server, ClientSession() as session:
            with pytest.raises(aioclient.ClientResponseError) as caught:
                await session.get(server.url(), raise_for_status=True)
        error = caught.value
        assert error.request_info.method == "GET"
        assert error.request_info.url == URL(server.url("/x"))
        assert (error.status, error.message) == (404, spoken.phrase(404, "Gone Away"))
        assert error.headers is not None
        assert error.headers["X"] == "1"
        assert [response.status for response in error.history] == [302]
        assert error.code == 404
        error.code = 410
        assert error.status == 410

    @pytest.mark.rows("S003-109")
    async def test_of_what_is_no_response(self) -> None:
        """An error of the protocol has it as well."""
        async with RawServer.replies([b"SSH-2.0\r\n"]) as server, ClientSession() as session:
            with pytest.raises(aioclient.ServerProtocolError) as caught:
                await session.get(server.url())
        assert caught.value.code == caught.value.status

    @pytest.mark.rows("S003-109")
    async def test_of_too_many_redirects(self) -> None:
        """An error that is caught by the name of aiohttp's own class has it as well."""
        async with (
            RawServer.replies([moved("/")], repeat=True) as server,
            ClientSession(max_redirects=1) as session,
        ):
            with pytest.raises(aioclient.TooManyRedirects) as caught:
                await session.get(server.url())
        assert caught.value.code == 302

    @pytest.mark.rows("S003-112")
    async def test_of_a_server_that_hung_up(self) -> None:
        """ServerDisconnectedError says what happened in message."""
        async with RawServer.replies([b""], close=True) as server, ClientSession() as session:
            with pytest.raises(aioclient.ServerDisconnectedError) as caught:
                await session.get(server.url())
        assert "GET" in str(caught.value.message)
        assert caught.value.message == str(caught.value)
        assert aioclient.ServerDisconnectedError().message == "Server disconnected"


class TestJars:
    @pytest.mark.rows("S003-103", "S003-107")
    @pytest.mark.parametrize("kind", [aioclient.CookieJar, aioclient.DummyCookieJar])
    async def test_loop(self, kind: Any) -> None:
        """A jar takes loop=, needs none, and warns."""
        with legacy("loop= is deprecated; leave it out: a jar needs no loop"):
            kind(loop=asyncio.get_running_loop())
        with legacy():
            kind(loop=None)


class TestAsWithRequests:
    """What the requests tutorial shows of a session, awaited."""

    @pytest.mark.rows("S004-01")
    async def test_cookies_of_a_redirect_are_kept(self) -> None:
        """A cookie that came with a redirect is sent with the next request."""
        replies = [moved("/cookies", "Set-Cookie: sessioncookie=123456789; Path=/"), OK, OK]
        async with (
            RawServer.replies(replies) as server,
            ClientSession(connector=names()) as session,
        ):
            base = server.url(host="localhost")
            await session.get(f"{base}cookies/set/sessioncookie/123456789")
            await session.get(f"{base}cookies")
        assert [request.value("Cookie") for request in server.requests] == [
            None,
            "sessioncookie=123456789",
            "sessioncookie=123456789",
        ]

    @pytest.mark.rows("S004-04")
    async def test_text_and_json(self) -> None:
        """text() and json() give the body; in a session that blocks they are plain."""
        async with (
            RawServer.replies(
                [answer(b'{"a": 1}', "Content-Type: application/json")] * 2
            ) as server,
            ClientSession() as session,
        ):
            assert await (await session.get(server.url())).text() == '{"a": 1}'
            assert await (await session.get(server.url())).json() == {"a": 1}

    @pytest.mark.rows("S004-05")
    async def test_arguments_are_for_one_call(self) -> None:
        """What a call is given, cookies included, is for that call alone."""
        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(cookie_jar=open_jar()) as session,
        ):
            given: dict[str, Any] = {
                "cookies": {"from-my": "browser"},
                "headers": {"X": "1"},
                "params": {"a": "1"},
                "auth": ("u", "p"),
            }
            await session.get(server.url(), **given)
            await session.get(server.url())
            assert len(session.cookie_jar) == 0
        first, second = server.requests
        assert first.target == "/?a=1"
        assert second.target == "/"
        for name in ("Cookie", "X", "Authorization"):
            assert first.value(name) is not None
            assert second.value(name) is None


class TestAnnotations:
    def test_generic_classes(self) -> None:
        """What is generic in aiohttp can be written so, in annotations that are evaluated and as a base class."""
        kind: Any = aioclient.ClientWebSocketResponse
        assert kind[bool].__origin__ is kind

        class Derived(kind[bool]):  # type: ignore[misc]
            pass

        assert issubclass(Derived, kind)

    def test_a_changed_timeout(self) -> None:
        """A ClientTimeout is a dataclass, as aiohttp 4's is."""
        timeout = aioclient.ClientTimeout(total=1, sock_read=2)
        assert dataclasses.replace(timeout, total=5) == aiohttp.ClientTimeout(total=5, sock_read=2)

    async def test_attributes_of_ones_own(self) -> None:
        """They belong to a class of one's own; tests patch the class."""
        session: Any
        async with ClientSession() as session:
            with pytest.raises(AttributeError):
                session.user = 1
            with mock.patch.object(ClientSession, "get") as get:
                assert session.get("http://a.test/") is get.return_value

        class Mine(ClientSession):
            pass

        async with Mine() as session:
            session.user = 1
            with mock.patch.object(session, "get") as get:
                assert session.get("http://a.test/") is get.return_value


class TestVersion:
    @pytest.mark.rows("S003-08")
    @pytest.mark.parametrize("version", ["2", "2.0", aiohttp.HttpVersion(2, 0)])
    @pytest.mark.http1_only("it tells the versions apart")
    async def test_http2(self, version: Any) -> None:
        """HTTP/2 is asked for, as ``http2=True`` does, by a session and by a call; 3 and others are refused."""
        async with ClientSession(version=version) as session:
            assert session.http2 is True
        async with ClientSession() as session:
            assert session.http2 is False
            with pytest.raises(ValueError, match=r"is not supported; use '2', '1\.1' or '1\.0'"):
                await session.get("http://127.0.0.1:1/", version="3")


class TestIsinstance:
    async def test_sessions_and_responses(self) -> None:
        """Whoever asks whether they are aiohttp's is told so; their type stays ours, and nothing is inherited."""

        class Session(ClientSession):
            pass

        async with RawServer.replies([OK], repeat=True) as server:
            for kind in (ClientSession, Session):
                async with kind() as session:
                    assert isinstance(session, aiohttp.ClientSession)
                    assert isinstance(session, kind)
                    assert type(session) is kind
                    response = await session.get(server.url())
                    assert isinstance(response, aiohttp.ClientResponse)
                    assert isinstance(response, ClientResponse)
                    assert type(response) is ClientResponse
        assert aiohttp.ClientSession not in ClientSession.__mro__
        assert aiohttp.ClientResponse not in ClientResponse.__mro__


class TestNotGiven:
    """None and empty values mean "not given" where they do in aiohttp."""

    @pytest.mark.parametrize(
        "given",
        [
            {"proxy": ""},
            {"proxies": {"all": ""}},
            {"raise_for_status": None},
            {"middlewares": None},
            {"response_class": None},
            {"ws_response_class": None},
        ],
        ids=str,
    )
    async def test_by_a_session(self, given: dict[str, Any]) -> None:
        """A session with such a value is one without it."""
        async with (
            RawServer.replies([answer(b"no", status="404 Not Found")]) as server,
            ClientSession(**given) as session,
        ):
            response = await session.get(server.url())
            assert (type(response), response.status) == (ClientResponse, 404)
            assert session.raise_for_status is False

    @pytest.mark.parametrize(
        "given",
        [
            {"proxy": ""},
            {"max_redirects": None},
            {"compress": ""},
            {"compress": None},
            {"server_hostname": ""},
            {"raise_for_status": None},
            {"middlewares": None},
        ],
        ids=str,
    )
    async def test_by_a_call(self, given: dict[str, Any]) -> None:
        """A call with such a value takes the session's."""
        replies = [moved("/1", status=307), moved("/2", status=307)]
        async with (
            RawServer.replies(replies) as server,
            ClientSession(max_redirects=1) as session,
        ):
            with pytest.raises(aioclient.TooManyRedirects):
                await session.post(server.url(), data=b"x" * 2000, **given)
        assert [request.body for request in server.requests] == [b"x" * 2000] * 2

    @pytest.mark.parametrize(
        "given", [{"protocols": None}, {"compress": None}, {"proxy": ""}], ids=str
    )
    async def test_by_a_websocket(self, given: dict[str, Any]) -> None:
        """Neither subprotocols nor compression are offered."""
        async with (
            RawServer.replies([answer(b"no", status="404 Not Found")]) as server,
            ClientSession() as session,
        ):
            with pytest.raises(aioclient.WSServerHandshakeError):
                await session.ws_connect(server.url(), **given)
        assert server.requests[0].value("Sec-WebSocket-Protocol") is None
        assert server.requests[0].value("Sec-WebSocket-Extensions") is None

    async def test_family(self) -> None:
        """family=None is both families."""
        async with RawServer.replies([OK]) as server:
            connector = aioclient.TCPConnector(family=None)
            assert connector.family == 0
            async with ClientSession(connector=connector) as session:
                await session.get(server.url())


class TestOldMembers:
    """What aiohttp's objects have, and code that comes from there reads."""

    @pytest.mark.parametrize(
        ("given", "version"),
        [({}, aiohttp.HttpVersion11), ({"version": "1.0"}, aiohttp.HttpVersion10)],
    )
    async def test_version(self, given: dict[str, Any], version: aiohttp.HttpVersion) -> None:
        """session.version is the version that is asked for."""
        async with ClientSession(**given) as session:
            assert session.version == version

    async def test_ssl_shutdown_timeout(self) -> None:
        """It is passed on to the session's own connector, with a warning; another one has its own."""
        with legacy("ssl_shutdown_timeout is deprecated; give it to TCPConnector"):
            session = ClientSession(ssl_shutdown_timeout=0.5)
        assert session.connector is not None
        assert session.connector._dialler.close_time == 0.5
        await session.close()
        with legacy("ssl_shutdown_timeout"):
            await ClientSession(connector=aioclient.TCPConnector(), ssl_shutdown_timeout=1).close()

    async def test_request_class(self) -> None:
        """There is none, and the error says what does its work."""
        with pytest.raises(TypeError, match=r"no request_class.* a middleware sees and changes"):
            ClientSession(request_class=aiohttp.ClientRequest)  # type: ignore[call-arg]

    async def test_of_content(self) -> None:
        """on_eof() calls back when the body is here, and get_read_buffer_limits() tells when reading pauses."""
        proceed = asyncio.Event()
        told: list[str] = []

        async def slowly(conn: RawConnection, request: RawRequest) -> None:
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
            await proceed.wait()
            conn.send(b"b")

        async with (
            RawServer.replies([slowly]) as server,
            ClientSession(read_bufsize=1000) as session,
            session.get(server.url()) as response,
        ):
            content = response.content
            assert content.get_read_buffer_limits() == (1000, 2000)
            content.on_eof(lambda: told.append("first"))
            content.on_eof(lambda: told.append("second"))
            assert response.connection is not None
            assert response.connection.transport is not None
            protocol = response.connection.transport.get_protocol()
            assert response.connection.protocol is protocol
            assert told == []
            proceed.set()
            assert await response.read() == b"ab"
            assert told == ["first", "second"]
            content.on_eof(lambda: told.append("late"))
            assert told[-1] == "late"

    async def test_limits_of_a_whole_body(self) -> None:
        """A body that came with its head has the limits that were asked for, too."""
        async with RawServer.replies([answer(b"1234567")]) as server, ClientSession() as session:
            response = await session.get(server.url(), read_bufsize=4)
            assert response.content.get_read_buffer_limits() == (4, 8)

    async def test_on_eof_that_raises(self, caplog: pytest.LogCaptureFixture) -> None:
        """What a callback raises is logged, and the others are called all the same."""
        told: list[str] = []

        def wrong() -> None:
            raise ValueError("boom")

        stream = aioclient.StreamReader(None)
        stream.on_eof(wrong)
        stream.on_eof(lambda: told.append("called"))
        stream.feed_eof()
        assert told == ["called"]
        assert "boom" in caplog.text
        failed = aioclient.StreamReader(None)
        failed.on_eof(lambda: told.append("never"))
        failed.set_exception(ValueError())
        failed.on_eof(lambda: told.append("never"))
        assert told == ["called"]

    async def test_of_an_upload(self) -> None:
        """output_size counts what was sent of the body, upload_complete is done with it; both warn."""
        proceed = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield b"x" * 500
            await proceed.wait()
            yield b"y" * 500

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
            await conn.read_until(b"0\r\n\r\n")
            conn.send(b"b")

        async with (
            RawServer(serve) as server,
            ClientSession() as session,
            session.post(server.url(), data=body()) as response,
        ):
            with legacy("response.output_size"):
                assert response.output_size < 600
            with legacy("response.upload_complete"):
                future = response.upload_complete
            assert not future.done()
            proceed.set()
            await future
            with legacy("response.upload_complete"):
                assert response.upload_complete is future
            with legacy("response.output_size"):
                assert response.output_size >= 1000
            await response.read()

    @pytest.mark.parametrize(("given", "size"), [({}, 0), ({"data": b"x" * 1000}, 1000)], ids=str)
    async def test_of_an_upload_that_is_over(self, given: dict[str, Any], size: int) -> None:
        """With a body that went out with its head, or none, it is done at once."""
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            response = await session.post(server.url(), **given)
            with legacy("response.upload_complete"):
                assert response.upload_complete.done()
            with legacy("response.output_size"):
                assert response.output_size == size


class TestSmallThings:
    async def test_an_overridden_request(self) -> None:
        """Caches and recorders override ``_request()``, by its arguments' names as aiohttp has them."""

        class Recording(ClientSession):
            seen: ClassVar[list[tuple[str, str, list[str]]]] = []

            async def _request(self, method: str, str_or_url: Any, **options: Any) -> Any:
                self.seen.append((method, str(str_or_url), sorted(options)))
                return await super()._request(method, str_or_url, **options)

        async with RawServer.replies([OK], repeat=True) as server, Recording() as session:
            await (await session.get(server.url(), params={"a": "1"}, timeout=5)).read()
            await (await session._request("POST", server.url(), data=b"x")).read()
        assert session.seen == [
            ("GET", server.url(), ["params", "timeout"]),
            ("POST", server.url(), ["data"]),
        ]

    async def test_a_payload_over_a_file_is_sent_again(self) -> None:
        """A 307 repeats aiohttp's payload of a reader whose size nobody knows, if it can seek."""
        source: Any = io.BytesIO(b"buffered")
        payload = aiohttp.BufferedReaderPayload(io.BufferedReader(source))
        replies = [moved("/again", status=307), OK]
        async with RawServer.replies(replies) as server, ClientSession() as session:
            await session.post(server.url(), data=payload)
        assert [request.body for request in server.requests] == [b"buffered"] * 2

    async def test_private_names_of_connectors(self) -> None:
        """The idle connections can be read, and whether stale ones are retried can be set."""
        async with RawServer.replies([OK], repeat=True) as server, ClientSession() as session:
            connector: Any = session.connector
            assert connector._conns == {}
            await session.get(server.url())
            ((key, idle),) = connector._conns.items()
            assert (key.host, key.port, len(idle)) == ("127.0.0.1", server.port, 1)
            assert connector._loop is asyncio.get_running_loop()
            assert (connector._limit, connector._limit_per_host) == (100, 0)
            told: Any = session
            assert told._retry_connection is True
            told._retry_connection = False
            assert told._retry_connection is False
            assert connector._retry_stale is False

    @pytest.mark.parametrize("connector", [aioclient.UnixConnector, aiohttp.UnixConnector])
    @pytest.mark.http1_only("its server is a few lines")
    async def test_unix_urls(self, connector: Any, tmp_path: Path) -> None:
        """unix://host/path goes over the connector's socket; without such a connector it is refused."""
        hosts: list[str] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.IncompleteReadError):
                while True:
                    hosts.append((await reader.readuntil(b"\r\n\r\n")).decode())
                    writer.write(OK)
            writer.close()

        server = await asyncio.start_unix_server(serve, tmp_path / "socket")
        async with ClientSession(connector=connector(str(tmp_path / "socket"))) as session:
            for url in ("unix://docker/a?b=c", URL("unix://docker/a?b=c")):
                assert (await session.get(url)).status == 200
        server.close()
        assert "GET /a?b=c HTTP/1.1\r\nHost: docker\r\n" in hosts[0]
        async with ClientSession() as session:
            with pytest.raises(aioclient.NonHttpUrlClientError):
                await session.get("unix://docker/")


class Mixin:
    def shout(self: Any) -> str:
        return f"{self.status}!"


class Theirs(Mixin, aiohttp.ClientResponse):
    """As opensearch-py has one."""

    label = "theirs"

    async def text(self, encoding: Any = None, errors: str = "strict") -> Any:
        if self._body is None:
            await self.read()
        return self._body.decode("utf-8", "surrogatepass")  # type: ignore[union-attr]

    async def json(self, **more: Any) -> Any:
        return {"inner": await super().json(**more)}

    @property
    def ok(self) -> bool:
        return not super().ok

    @classmethod
    def made_of(cls, *arguments: Any, **more: Any) -> Any:
        return super().from_parts(*arguments, **more)  # type: ignore[misc]

    @staticmethod
    def twice(text: str) -> str:
        return text * 2


class Below(Theirs):
    async def json(self, **more: Any) -> Any:
        return {"outer": await super().json(**more)}


class TheirSocket(aiohttp.ClientWebSocketResponse):  # type: ignore[type-arg]
    """As discord.py has one."""

    async def close(self, *, code: int = 4000, message: bytes = b"") -> bool:
        return await super().close(code=code, message=message)


class TestGrafts:
    """Classes that derive from aiohttp's do on ours what they do there."""

    async def test_response(self) -> None:
        """Methods and properties are theirs, super() reaches ours, and isinstance() knows them."""
        reply = answer(b'{"a": 1}', "Content-Type: application/json")
        async with (
            RawServer.replies([reply], repeat=True) as server,
            ClientSession(response_class=Below) as session,
        ):
            response: Any = await session.get(server.url())
            assert await response.json() == {"outer": {"inner": {"a": 1}}}
            assert await response.text() == '{"a": 1}'
            assert (response.ok, response.label, response.shout()) == (False, "theirs", "200!")
            made = response.made_of(response.request, 204)
            assert (type(made), made.status) == (type(response), 204)
            assert response.twice("a") == "aa"
            assert isinstance(response, (Below,))
            assert isinstance(response, aiohttp.ClientResponse)
            assert issubclass(type(response), ClientResponse)
            again = await session.get(server.url())
            assert type(again) is type(response)

    @pytest.mark.http1_only("the server knows HTTP/2 alone, and a WebSocket begins with HTTP/1.1")
    async def test_websocket(self) -> None:
        """So do those of WebSockets."""
        codes: list[int | None] = []

        async def serve(request: web.Request) -> web.WebSocketResponse:
            ws = web.WebSocketResponse()
            await ws.prepare(request)
            await ws.receive()
            codes.append(ws.close_code)
            return ws

        application = web.Application()
        application.router.add_get("/", serve)
        async with (
            serve_application(application) as origin,
            ClientSession(ws_response_class=TheirSocket) as session,
            session.ws_connect(origin) as ws,
        ):
            assert isinstance(ws, TheirSocket)
        assert codes == [4000]

    async def test_aiohttps_own(self) -> None:
        """aiohttp's class itself adds nothing: it is ours then."""
        async with (
            RawServer.replies([OK]) as server,
            ClientSession(response_class=aiohttp.ClientResponse) as session,
        ):
            assert type(await session.get(server.url())) is ClientResponse

    @pytest.mark.parametrize("name", ["start", "__init__", "_cleanup_writer"])
    async def test_private_names(self, name: str) -> None:
        """What overrides what is never called here is refused, with its name."""
        kind = type("Private", (aiohttp.ClientResponse,), {name: lambda self: None})
        if not hasattr(aiohttp.ClientResponse, name):
            pytest.skip("aiohttp has no such name")
        with pytest.raises(TypeError, match=f"overrides {name} of aiohttp's ClientResponse"):
            ClientSession(response_class=kind)


class TestPatches:
    @pytest.mark.parametrize("name", ["_request", "__init__"])
    async def test_one_warning(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was put in place of aiohttp's is warned of once, with what to use."""
        original = getattr(aiohttp.ClientSession, name)

        @functools.wraps(original)
        def patched(*arguments: Any, **more: Any) -> Any:
            return original(*arguments, **more)

        monkeypatch.setattr(aiohttp.ClientSession, name, patched)
        text = rf"aiohttp\.ClientSession\.{name} was replaced .*use middlewares="
        with pytest.warns(aioclient.PatchedAiohttpWarning, match=text) as found:
            session = ClientSession()
        assert found[0].filename == __file__
        await session.close()
        await ClientSession().close()

    async def test_one_after_the_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each patch is warned of, also one that stands in memory where one before it stood."""
        for _ in range(20):
            with monkeypatch.context() as patch:
                patch.setattr(aiohttp.ClientSession, "_request", lambda *_: None)
                with pytest.warns(aioclient.PatchedAiohttpWarning):
                    session = ClientSession()
            await session.close()
