"""Every parameter of a session and of a call does what it says: each test fails when it is ignored."""

import asyncio
import io
import json
import re
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from http.cookies import BaseCookie, SimpleCookie
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
import pytest
from aiohttp import hdrs, web
from aiohttp.abc import AbstractCookieJar
from aiohttp.typedefs import LooseCookies
from multidict import CIMultiDict, MultiDict
from yarl import URL

import aioclient
from aioclient import BasicAuth, ClientResponse, ClientSession, ClientTimeout, Handler, Request
from aioclient.connectors.dialling import READ_SIZE
from aioclient.testing import RawConnection, RawRequest

from . import spoken
from .loopback import OK, answer, moved, names, open_jar
from .servers.app import serve, serve_application
from .servers.certificates import Certificates
from .servers.either import RawServer

pytestmark = pytest.mark.both_protocols(tls=True)

VERBS = ("get", "options", "head", "post", "put", "patch", "delete")
BASIC = "Basic dXNlcjpwYXNz"  # user:pass


async def sent(reply: bytes = OK, **arguments: Any) -> RawRequest:
    """Return the request that a call with these arguments sends."""
    async with RawServer.replies([reply]) as server, ClientSession() as session:
        await session.request(arguments.pop("method", "GET"), server.url(), **arguments)
        return server.requests[0]


async def echoed(**arguments: Any) -> dict[str, Any]:
    """Return what aiohttp's server made of a POST with these arguments."""
    async with (
        serve() as app,
        ClientSession() as session,
        session.post(app.url("/anything"), **arguments) as response,
    ):
        assert response.status == 200
        told: dict[str, Any] = await response.json()
        return told


Errors = type[Exception] | tuple[type[Exception], ...]


async def refuses(error: Errors, text: str | None = None, **arguments: Any) -> Exception:
    """Check that a call raises before a connection is made."""
    async with RawServer.replies([OK], repeat=True) as server, ClientSession() as session:
        with pytest.raises(error, match=text) as caught:
            await session.request(
                arguments.pop("method", "GET"), arguments.pop("url", server.url()), **arguments
            )
        assert server.connections == 0
        assert session.connector is not None
        assert session.connector.statistics().in_use == 0
        return caught.value


class TestVerbs:
    @pytest.mark.rows("S003-46", "S003-47", "S003-48", "S003-49", "S003-50", "S003-51", "S003-52")
    @pytest.mark.parametrize("verb", VERBS)
    async def test_a_verb_is_its_method(self, verb: str) -> None:
        """Each verb sends its own method and takes the arguments of request()."""
        async with (
            RawServer.replies([answer(b"")]) as server,
            ClientSession() as session,
            getattr(session, verb)(server.url("/x"), params={"a": "1"}) as response,
        ):
            assert response.method == verb.upper()
        (request,) = server.requests
        assert (request.method, request.target) == (verb.upper(), "/x?a=1")

    @pytest.mark.rows("S003-31", "S003-46", "S003-50", "S003-51")
    @pytest.mark.parametrize("verb", VERBS)
    async def test_only_head_stays_at_a_redirect(self, verb: str) -> None:
        """HEAD follows no redirect unless told to, all others do unless told not to."""
        async with (
            RawServer.replies([moved("/there"), answer(b"")]) as server,
            ClientSession() as session,
        ):
            response = await getattr(session, verb)(server.url())
            assert response.status == (302 if verb == "head" else 200)
        async with (
            RawServer.replies([moved("/there"), answer(b"")]) as server,
            ClientSession() as session,
        ):
            other = await getattr(session, verb)(server.url(), allow_redirects=verb == "head")
            assert other.status == (200 if verb == "head" else 302)

    @pytest.mark.rows("S003-23")
    async def test_any_method(self) -> None:
        """A method of one's own is sent in upper case."""
        assert (await sent(method="propfind")).method == "PROPFIND"

    @pytest.mark.rows("S003-44")
    async def test_await_or_enter(self) -> None:
        """A call is a coroutine: it can be awaited, entered, or made a task."""
        async with RawServer.replies([OK], repeat=True) as server, ClientSession() as session:
            assert (await session.get(server.url())).status == 200
            async with session.get(server.url()) as response:
                assert await response.text() == "ok"
            task = asyncio.create_task(session.get(server.url()))
            assert await (await task).text() == "ok"


@pytest.mark.rows("S003-25")
class TestParams:
    @pytest.mark.parametrize(
        ("params", "query"),
        [
            ({"a": "1", "b": 2, "c": 1.5}, "a=1&b=2&c=1.5"),
            ([("a", "1"), ("a", "2")], "a=1&a=2"),
            ({"a": ["1", "2"]}, "a=1&a=2"),
            (MultiDict([("a", "1"), ("a", "2")]), "a=1&a=2"),
            ([("a", "1"), ("b", "2")].__iter__, "a=1&b=2"),
            ({"ä": "ö &"}, "%C3%A4=%C3%B6+%26"),
            ("a=%20%2B+ö", "a=%20%2B+%C3%B6"),
            ("a=x#y", "a=x%23y"),
            ({"a": "b\r\nX: 1"}, "a=b%0D%0AX:+1"),
        ],
    )
    async def test_they_go_behind_the_urls_query(self, params: Any, query: str) -> None:
        """Params are appended to the query of the URL; text counts as encoded already."""
        params = params() if callable(params) else params
        async with RawServer.replies([OK], repeat=True) as server, ClientSession() as session:
            response = await session.get(server.url("/p?x=%2B#f"), params=params)
            assert response.real_url.fragment == "f"
            assert response.url.path == "/p"
            await session.get(server.url("/p"), params=query)
        assert [request.target for request in server.requests] == [
            f"/p?x=%2B&{query}",
            f"/p?{query}",
        ]

    @pytest.mark.parametrize("params", [{}, "", (), None])
    async def test_none_at_all(self, params: Any) -> None:
        """Empty params change nothing."""
        assert (await sent(params=params)).target == "/"

    @pytest.mark.parametrize("params", [{"a": None}, {"a": True}, 5, b"a=b", {"a": object()}])
    async def test_what_they_cannot_be(self, params: Any) -> None:
        """A value that has no spelling in a query raises TypeError."""
        await refuses(TypeError, params=params)

    async def test_a_redirect_does_not_repeat_them(self) -> None:
        """The query of a redirect is that of its Location."""
        async with RawServer.replies([moved("/there"), OK]) as server, ClientSession() as session:
            await session.get(server.url(), params={"a": "1"})
        assert server.requests[1].target == "/there"


@pytest.mark.rows("S003-28")
class TestHeaders:
    @pytest.mark.rows("S003-04")
    @pytest.mark.parametrize(
        "headers",
        [
            {"X-A": "1", "x-b": "2"},
            [("X-A", "1"), ("x-b", "2")],
            CIMultiDict({"X-A": "1", "x-b": "2"}),
            MappingProxyType({"X-A": "1", "x-b": "2"}),
            [("X-A", "1"), ("x-b", "2")].__iter__,
        ],
    )
    async def test_spellings(self, headers: Any) -> None:
        """Headers are a mapping, a multidict or pairs, of a session and of a call alike."""
        headers = headers() if callable(headers) else headers
        headers = headers if isinstance(headers, Mapping) else list(headers)
        async with RawServer.replies([OK], repeat=True) as server:
            async with ClientSession(headers=headers) as session:
                await session.get(server.url())
            async with ClientSession() as session:
                await session.get(server.url(), headers=iter(CIMultiDict(headers).items()))
        for request in server.requests:
            assert (request.value("X-A"), request.value("X-B")) == ("1", "2")

    @pytest.mark.rows("S003-04", "S004-02")
    async def test_a_call_lays_its_own_over_the_sessions(self) -> None:
        """A name in the call replaces the session's fields of that name, None removes, others stay."""
        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(headers={"X-A": "s", "X-B": "s", "X-C": "s"}) as session,
        ):
            await session.get(server.url(), headers={"x-a": "c", "X-B": None, "X-D": "c"})
            await session.get(server.url())
        first, second = server.requests
        assert [first.values(name) for name in ("X-A", "X-B", "X-C", "X-D")] == [
            ["c"],
            [],
            ["s"],
            ["c"],
        ]
        assert [second.values(name) for name in ("X-A", "X-B", "X-C")] == [["s"], ["s"], ["s"]]

    async def test_repeated_names(self) -> None:
        """A name repeated within the headers of a call is sent as often, in order."""
        request = await sent(headers=[("X", "1"), ("Y", "-"), ("x", "2")])
        assert request.values("X") == ["1", "2"]

    @pytest.mark.rows("S003-04", "S004-02")
    async def test_they_are_those_given(self) -> None:
        """session.headers has what was given; default fields go out where it has none of their name."""
        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(headers=[("X", "1"), ("x", "2"), ("accept", "text/plain")]) as session,
        ):
            assert list(session.headers.items()) == [
                ("X", "1"),
                ("x", "2"),
                ("accept", "text/plain"),
            ]
            assert session.headers.setdefault("User-Agent", "me/1.0") == "me/1.0"
            await session.get(server.url())
            session.headers.clear()
            await session.get(server.url(), skip_auto_headers=["Accept-Encoding"])
        mine, default = server.requests
        assert mine.values("User-Agent") == ["me/1.0"]
        assert mine.values("Accept") == ["text/plain"]
        assert len(mine.values("Accept-Encoding")) == 1
        assert default.values("Accept") == ["*/*"]
        assert default.values("User-Agent")[0].startswith("Python/")
        assert default.values("Accept-Encoding") == []

    @pytest.mark.rows("S003-04", "S004-02")
    async def test_they_are_live(self) -> None:
        """A change of session.headers counts from the next request on."""
        async with RawServer.replies([OK], repeat=True) as server, ClientSession() as session:
            await session.get(server.url())
            session.headers["X"] = "1"
            await session.get(server.url())
            session.headers.add("X", "2")
            await session.get(server.url(), headers={"Y": "y"})
            del session.headers["X"]
            await session.get(server.url())
            session.headers["X"] = "a\nb"
            with pytest.raises(ValueError, match="header X"):
                await session.get(server.url())
        assert [request.values("X") for request in server.requests] == [[], ["1"], ["1", "2"], []]

    @pytest.mark.rows("S004-03")
    async def test_what_is_sent_by_default(self) -> None:
        """Host, Accept, Accept-Encoding and User-Agent are sent, and all but Host can be replaced or dropped."""
        request = await sent()
        assert [name.title() for name, _ in request.headers] == [
            b"Host",
            b"Accept",
            b"Accept-Encoding",
            b"User-Agent",
        ]
        assert re.fullmatch(r"Python/3\.\d+ aioclient/\S+", request.value("User-Agent") or "")
        assert (await sent(headers={"User-Agent": "mine"})).values("User-Agent") == ["mine"]
        assert (await sent(headers={"User-Agent": None})).values("User-Agent") == []

    @pytest.mark.rows("S003-05", "S003-29")
    async def test_skip_auto_headers(self) -> None:
        """Skipped are default fields of session and call, Content-Type too, but none that was given."""
        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(skip_auto_headers=["accept"]) as session,
        ):
            await session.post(server.url(), data=b"x", skip_auto_headers=["Content-Type"])
            await session.post(
                server.url(),
                data=b"x",
                headers=iter([("User-Agent", "mine"), ("Accept", "a/b")]),
                skip_auto_headers={hdrs.USER_AGENT, "Content-Length"},
            )
        first, second = server.requests
        assert first.values("Accept") == first.values("Content-Type") == []
        assert first.values("User-Agent") != []
        assert second.values("User-Agent") == ["mine"]
        assert second.values("Accept") == ["a/b"]
        assert second.value("Content-Length") == "1"
        assert (await sent(skip_auto_headers=["USER-AGENT"])).values("User-Agent") == []

    async def test_text_outside_ascii(self) -> None:
        """What is not ASCII goes out as UTF-8, a surrogate as the byte it stands for."""
        request = await sent(headers={"X": "ä", "Y": "\udcff"})
        assert request.values("X") == ["ä".encode().decode("latin-1")]
        assert request.values("Y") == ["\xff"]

    @pytest.mark.rows("S003-04")
    @pytest.mark.parametrize(
        ("headers", "text"),
        [
            ("X: 1", "mapping or"),
            (b"X", "mapping or"),
            ({"X": 1}, "header X must be a str, found int"),
            ({"X": b"1"}, "found bytes"),
            ({"X": ["1"]}, "found list"),
            ({1: "x"}, "name must be a str, found int"),
            ({b"X": "1"}, "name must be a str, found bytes"),
        ],
    )
    async def test_wrong_types(self, headers: Any, text: str) -> None:
        """Names and values are str: anything else raises, of a call and of a session."""
        await refuses(TypeError, text, headers=headers)
        with pytest.raises(TypeError, match=text):
            ClientSession(headers=headers)


async def chunks() -> AsyncIterator[bytes]:
    for piece in (b"one ", b"two ", b"three"):
        yield piece


def file(folder: Path) -> Path:
    path = folder / "upload.txt"
    path.write_bytes(b"one two three")
    return path


BODIES: dict[str, Callable[[Path], Any]] = {
    "bytes": lambda folder: b"one two three",
    "bytearray": lambda folder: bytearray(b"one two three"),
    "memoryview": lambda folder: memoryview(b"one two three"),
    "str": lambda folder: "one two three",
    "file": lambda folder: file(folder).open("rb"),
    "text file": lambda folder: file(folder).open("r"),
    "BytesIO": lambda folder: io.BytesIO(b"one two three"),
    "StringIO": lambda folder: io.StringIO("one two three"),
    "iterable": lambda folder: iter([b"one ", b"two ", b"three"]),
    "async iterable": lambda folder: chunks(),
    "payload": lambda folder: aiohttp.payload.BytesPayload(b"one two three"),
}


@pytest.mark.rows("S003-26")
class TestData:
    @pytest.mark.parametrize("kind", BODIES)
    @pytest.mark.parametrize("chunked", [False, True])
    async def test_the_server_gets_its_bytes(
        self, kind: str, chunked: bool, tmp_path: Path
    ) -> None:
        """Whatever holds bytes arrives as those bytes, with its length or in chunks."""
        data = BODIES[kind](tmp_path)
        try:
            request = await sent(method="POST", data=data, chunked=chunked)
        finally:
            if isinstance(data, io.IOBase):
                data.close()
        assert request.body == b"one two three"
        unknown = kind in ("text file", "iterable", "async iterable")
        framing = (request.value("Content-Length"), request.value("Transfer-Encoding"))
        assert framing == ((None, "chunked") if chunked or unknown else ("13", None))

    @pytest.mark.parametrize(
        ("data", "content_type"),
        [
            (b"x", "application/octet-stream"),
            ("ä", "text/plain; charset=utf-8"),
            ({"a": "b"}, "application/x-www-form-urlencoded"),
        ],
    )
    async def test_its_type(self, data: Any, content_type: str) -> None:
        """The body's Content-Type is the default one, and a header of the call goes before it."""
        assert (await sent(method="POST", data=data)).value("Content-Type") == content_type
        own = await sent(method="POST", data=data, headers={"content-type": "a/b"})
        assert own.values("Content-Type") == ["a/b"]

    @pytest.mark.parametrize(
        "data",
        [
            {"a": "1", "b": "ä &="},
            [("a", "1"), ("b", "ä &=")],
            MultiDict({"a": "1", "b": "ä &="}),
            aiohttp.FormData({"a": "1", "b": "ä &="}),
        ],
    )
    async def test_a_form(self, data: Any) -> None:
        """Fields as mapping, pairs or FormData arrive as a form."""
        assert (await echoed(data=data))["form"] == {"a": "1", "b": "ä &="}

    async def test_a_form_with_files(self, tmp_path: Path) -> None:
        """A form that holds a file, bytes or a FormData field with a name is sent as multipart/form-data."""
        with file(tmp_path).open("rb") as opened:
            told = await echoed(data={"text": "ä", "file": opened})
        assert told["form"] == {"text": "ä", "file": "one two three"}
        form = aioclient.FormData()
        form.add_field("f", b"\x00\xff", filename="n.bin", content_type="a/b")
        assert (await echoed(data=form))["form"] == {"f": "\x00ÿ"}

    async def test_a_multipart_writer(self) -> None:
        """A MultipartWriter is sent part by part, under its own Content-Type."""
        with aioclient.MultipartWriter("mixed") as writer:
            writer.append("one")
            writer.append_json({"two": 2})
        request = await sent(method="POST", data=writer)
        assert request.value(
            "Content-Type"
        ) == f'multipart/mixed; boundary="{writer.boundary}"' or (
            request.value("Content-Type") == f"multipart/mixed; boundary={writer.boundary}"
        )
        assert request.body.count(b"--" + writer.boundary.encode()) == 3
        assert b'{"two": 2}' in request.body

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
    async def test_no_body_is_said(self, method: str) -> None:
        """A method that usually has a body says that there is none; GET says nothing."""
        assert (await sent(method=method)).value("Content-Length") == "0"
        assert (await sent()).value("Content-Length") is None

    @pytest.mark.parametrize("data", [5, 1.5, object(), True])
    async def test_what_is_no_body(self, data: Any) -> None:
        """A value that is nothing to send raises TypeError that says what can be."""
        await refuses(TypeError, "a request body is made of bytes", method="POST", data=data)


@pytest.mark.rows("S003-27")
class TestJson:
    async def test_it_is_serialized(self) -> None:
        """json= is sent as JSON with its Content-Type."""
        told = await echoed(json={"a": [1, "ä", None]})
        assert told["json"] == {"a": [1, "ä", None]}
        assert ["Content-Type", "application/json"] in told["headers"]

    @pytest.mark.parametrize("value", [0, False, "", [], {}])
    async def test_false_values(self, value: Any) -> None:
        """A value that is false is JSON all the same; only None is no body."""
        assert (await sent(method="POST", json=value)).body == json.dumps(value).encode()
        assert (await sent(method="POST", json=None)).body == b""

    async def test_with_data(self) -> None:
        """data= and json= together raise ValueError."""
        await refuses(ValueError, "can not be used at the same time", data=b"x", json=1)

    @pytest.mark.rows("S003-07")
    @pytest.mark.parametrize("result", ['{"mine":1}', b'{"mine":1}'])
    async def test_json_serialize(self, result: str | bytes) -> None:
        """The session's json_serialize makes the text or bytes."""
        async with (
            RawServer.replies([OK]) as server,
            ClientSession(json_serialize=lambda value: result) as session,
        ):
            assert session.json_serialize(1) == result
            await session.post(server.url(), json={"a": 1})
        assert server.requests[0].body == b'{"mine":1}'


class MiniJar(AbstractCookieJar):
    """A jar of one's own: it knows no domain and keeps names and values."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, str] = {}
        self.urls: list[URL] = []

    unsafe = False
    quote_cookie = True
    cookies: Any = MappingProxyType({})
    host_only_cookies: Any = frozenset()

    def clear(self, predicate: Any = None) -> None:
        self.kept.clear()

    def clear_domain(self, domain: str) -> None:
        self.kept.clear()

    def update_cookies(self, cookies: LooseCookies, response_url: URL = URL()) -> None:  # noqa: B008
        self.urls.append(response_url)
        for name, morsel in dict(cookies).items():
            self.kept[name] = getattr(morsel, "value", morsel)

    def filter_cookies(self, request_url: URL) -> "BaseCookie[str]":
        return SimpleCookie(self.kept)

    def __len__(self) -> int:
        return len(self.kept)

    def __iter__(self) -> Iterator[Any]:
        return iter(SimpleCookie(self.kept).values())


class TestCookies:
    @pytest.mark.rows("S004-05")
    @pytest.mark.parametrize(
        "cookies", [{"a": "1", "b": 2}, [("a", "1"), ("b", "2")], SimpleCookie("a=1; b=2")]
    )
    async def test_of_a_call(self, cookies: Any) -> None:
        """Cookies of a call are sent with it, beside the jar's, and not stored."""
        async with (
            RawServer.replies([answer(b"", "Set-Cookie: jar=x"), OK, OK]) as server,
            ClientSession(cookie_jar=open_jar()) as session,
        ):
            await session.get(server.url())
            await session.get(server.url(), cookies=cookies)
            await session.get(server.url())
            assert len(session.cookie_jar) == 1
        assert [request.value("Cookie") for request in server.requests] == [
            None,
            "jar=x; a=1; b=2",
            "jar=x",
        ]

    @pytest.mark.rows("S003-03")
    async def test_of_a_session_with_a_base_url(self) -> None:
        """With a base URL they are for every path of its origin, and for no other host."""
        async with RawServer.replies([OK], repeat=True) as server:
            base = server.url("/api/", host="a.test")
            async with ClientSession(base, cookies={"a": "1"}, connector=names()) as session:
                await session.get("x")
                await session.get("/")
                await session.get(server.url(host="b.test"))
        assert [request.value("Cookie") for request in server.requests] == ["a=1", "a=1", None]

    @pytest.mark.rows("S003-03")
    async def test_for_an_address(self) -> None:
        """A jar that takes no cookies of IP addresses does not drop the session's in silence."""
        with pytest.raises(ValueError, match="unsafe=True"):
            ClientSession("http://127.0.0.1/", cookies={"a": "1"})
        async with (
            RawServer.replies([OK]) as server,
            ClientSession(server.url(), cookies={"a": "1"}, cookie_jar=open_jar()) as session,
        ):
            await session.get("")
        assert server.requests[0].value("Cookie") == "a=1"

    @pytest.mark.rows("S003-09")
    async def test_a_jar_of_ones_own(self) -> None:
        """Any AbstractCookieJar serves: it gets what is set and gives what is sent."""
        async with (
            RawServer.replies([answer(b"", "Set-Cookie: a=1; Path=/"), OK]) as server,
            ClientSession(cookie_jar=(jar := MiniJar())) as session,
        ):
            assert session.cookie_jar is jar
            await session.get(server.url("/x"))
            await session.get(server.url("/y"))
        assert jar.kept == {"a": "1"}
        assert jar.urls == [URL(server.url("/x"))]
        assert server.requests[1].value("Cookie") == "a=1"

    @pytest.mark.rows("S003-09", "S003-107")
    async def test_no_jar(self) -> None:
        """A DummyCookieJar keeps nothing; cookies of a call are sent all the same."""
        async with (
            RawServer.replies([answer(b"", "Set-Cookie: a=1"), OK, OK]) as server,
            ClientSession(cookie_jar=aioclient.DummyCookieJar()) as session,
        ):
            for cookies in (None, None, {"b": "2"}):
                await session.get(server.url(), cookies=cookies)
        assert [request.value("Cookie") for request in server.requests] == [None, None, "b=2"]


def signs(request: Request) -> None:
    request.headers["X-Signature"] = f"{request.method} {request.url.path}"


class Signature:
    """Credentials as an object of one's own."""

    def authorize(self, request: Request) -> None:
        request.authorization = "Signed"


@pytest.mark.rows("S003-06", "S003-30")
class TestAuth:
    @pytest.mark.parametrize(
        ("auth", "field", "value"),
        [
            (BasicAuth("user", "pass"), "Authorization", BASIC),
            (("user", "pass"), "Authorization", BASIC),
            (signs, "X-Signature", "GET /p"),
            (Signature(), "Authorization", "Signed"),
            (BasicAuth("ü", "€", encoding="utf-8"), "Authorization", "Basic w7w64oKs"),
        ],
    )
    async def test_spellings(self, auth: Any, field: str, value: str) -> None:
        """BasicAuth, a pair, a function and an object with authorize() serve, of session and call."""
        async with RawServer.replies([OK], repeat=True) as server:
            async with ClientSession() as session:
                await session.get(server.url("/p"), auth=auth)
                await session.get(server.url("/p"))
            async with ClientSession(auth=auth) as session:
                assert session.auth is not None
                await session.get(server.url("/p"))
        assert [request.value(field) for request in server.requests] == [value, None, value]

    @pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
    async def test_aiohttps_basic_auth(self) -> None:
        """aiohttp.BasicAuth is taken, with its encoding."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            auth = aiohttp.BasicAuth("ü", "p", "utf-8")
        assert (await sent(auth=auth)).value("Authorization") == "Basic w7w6cA=="

    @pytest.mark.without_tls("its URLs are http ones")
    async def test_in_the_url(self) -> None:
        """User and password of the URL become Basic auth, decoded, and leave the URL."""
        async with RawServer.replies([OK], repeat=True) as server, ClientSession() as session:
            url = URL(server.url()).with_user("us:er"[:2]).with_password("p@ss/")
            async with session.get(url) as response:
                assert response.url == URL(server.url())
            async with session.get(f"http://user@127.0.0.1:{server.port}/"):
                pass
        first, second = server.requests
        assert BasicAuth.decode(first.value("Authorization") or "") == ("us", "p@ss/", "latin1")
        assert BasicAuth.decode(second.value("Authorization") or "") == ("user", "", "latin1")
        assert first.value("Host") == f"127.0.0.1:{server.port}"

    @pytest.mark.rows("S003-06")
    async def test_a_call_goes_before_the_session(self) -> None:
        """auth of a call and user and password of its URL replace the session's auth."""
        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(auth=("session", "x")) as session,
        ):
            await session.get(server.url(), auth=("user", "pass"))
            await session.get(URL(server.url()).with_user("user").with_password("pass"))
            await session.get(server.url(), headers={"Authorization": "mine"})
        assert [request.values("Authorization") for request in server.requests] == [
            [BASIC],
            [BASIC],
            ["mine"],
        ]

    @pytest.mark.rows("S003-30")
    async def test_contradictions(self) -> None:
        """Two explicit credentials raise ValueError: auth and URL, auth or URL and Authorization."""
        in_url = "http://a:b@127.0.0.1:1/"
        await refuses(ValueError, "AUTH argument with credentials", url=in_url, auth=("a", "b"))
        header = {"authorization": "x"}
        await refuses(ValueError, "Cannot combine AUTHORIZATION", headers=header, auth=("a", "b"))
        await refuses(ValueError, "Cannot combine AUTHORIZATION", headers=header, url=in_url)
        async with ClientSession(headers=header) as session:
            with pytest.raises(ValueError, match='"Authorization": None'):
                await session.get("http://127.0.0.1:1/", auth=("a", "b"))
        async with RawServer.replies([OK]) as server, ClientSession(headers=header) as session:
            await session.get(server.url(), auth=("user", "pass"), headers={"Authorization": None})
        assert server.requests[0].values("Authorization") == [BASIC]

    @pytest.mark.parametrize(
        ("auth", "error"),
        [
            ("user:pass", TypeError),
            (5, TypeError),
            ((1, 2), TypeError),
            (("a", None), ValueError),
            (("a:b", "c"), ValueError),
            (("a", "€"), ValueError),
            (("a", "b", "c", "d"), TypeError),
        ],
    )
    async def test_what_is_none(self, auth: Any, error: type[Exception]) -> None:
        """What is no credentials raises, in the session's constructor too."""
        found = await refuses(error, auth=auth)
        assert str(found)
        with pytest.raises(error):
            ClientSession(auth=auth)

    async def test_it_is_asked_on_every_hop_and_attempt(self) -> None:
        """Credentials are written anew for each hop and each attempt of a middleware."""
        asked: list[str] = []

        def auth(request: Request) -> None:
            asked.append(request.url.path)
            request.authorization = str(len(asked))

        async def twice(request: Request, handler: Handler) -> ClientResponse:
            (await handler(request)).release()
            return await handler(request)

        async with (
            RawServer.replies([moved("/b"), moved("/b"), OK, OK]) as server,
            ClientSession(auth=auth, middlewares=[twice]) as session,
        ):
            await session.get(server.url("/a"))
        assert asked == ["/a", "/a", "/b", "/b"]
        assert [request.value("Authorization") for request in server.requests] == list("1234")


async def silent(conn: RawConnection) -> None:
    await conn.read_request()
    await conn.closed()


async def late(conn: RawConnection) -> None:
    await conn.read_request()
    await asyncio.sleep(1000)
    conn.send(OK)


@pytest.mark.rows("S003-39")
@pytest.mark.virtual_clock
class TestTimeout:
    @pytest.mark.parametrize(
        ("timeout", "error", "limit"),
        [
            (7, aioclient.TotalTimeoutError, 7),
            (0.5, aioclient.TotalTimeoutError, 0.5),
            ((None, 3), aioclient.ReadTimeoutError, 3),
            (ClientTimeout(total=9, sock_read=4), aioclient.ReadTimeoutError, 4),
            (aiohttp.ClientTimeout(total=8), aioclient.TotalTimeoutError, 8),
        ],
    )
    async def test_spellings(self, timeout: Any, error: type[Exception], limit: float) -> None:
        """A number, a pair and both ClientTimeouts are taken, of session and call."""
        async with RawServer(silent) as server:
            async with ClientSession(timeout=timeout) as session:
                with pytest.raises(error) as caught:
                    await session.get(server.url())
                assert getattr(caught.value, "limit", None) == limit
            async with ClientSession(timeout=1) as session:
                with pytest.raises(error) as caught:
                    await session.get(server.url(), timeout=timeout)
                assert getattr(caught.value, "limit", None) == limit

    async def test_the_default(self) -> None:
        """Without a timeout the limits are 300 s in total and 30 s to connect."""
        async with RawServer(silent) as server, ClientSession() as session:
            assert session.timeout == ClientTimeout(total=300, sock_connect=30)
            with pytest.raises(aioclient.TotalTimeoutError, match=r"total=300 s"):
                await session.get(server.url())

    @pytest.mark.parametrize("timeout", [None, 0, (None, None), ClientTimeout()])
    async def test_none(self, timeout: Any) -> None:
        """None and 0 lift the limit, of session and call."""
        async with RawServer(late) as server:
            async with ClientSession(timeout=timeout) as session:
                assert (await session.get(server.url())).status == 200
            async with ClientSession() as session:
                assert (await session.get(server.url(), timeout=timeout)).status == 200

    @pytest.mark.parametrize("timeout", [-1, float("nan"), "5", (1,), True, (1, 2, 3)])
    async def test_what_is_none_at_all(self, timeout: Any) -> None:
        """Anything else raises before a request is sent."""
        await refuses((TypeError, ValueError), timeout=timeout)
        with pytest.raises((TypeError, ValueError)):
            ClientSession(timeout=timeout)

    async def test_middlewares_stand_under_it(self) -> None:
        """What a middleware waits counts as well."""

        async def slow(request: Request, handler: Handler) -> ClientResponse:
            await asyncio.sleep(10)
            return await handler(request)

        async with ClientSession(middlewares=[slow], timeout=5) as session:
            start = asyncio.get_running_loop().time()
            with pytest.raises(aioclient.TotalTimeoutError, match="total=5 s"):
                await session.get("http://127.0.0.1:1/")
            assert asyncio.get_running_loop().time() - start < 10


@pytest.mark.rows("S003-12")
class TestRaiseForStatus:
    @pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "500 Oh", "599 X"])
    async def test_when_asked(self, status: str) -> None:
        """400 and above raise when session or call ask for it, the call's word counting."""
        async with RawServer.replies([answer(b"no", status=status)], repeat=True) as server:
            async with ClientSession() as session:
                assert not session.raise_for_status
                assert (await session.get(server.url())).status == int(status[:3])
                with pytest.raises(aiohttp.ClientResponseError) as caught:
                    await session.get(server.url(), raise_for_status=True)
                assert (caught.value.status, caught.value.message) == (
                    int(status[:3]),
                    spoken.phrase(int(status[:3]), status[4:]),
                )
            async with ClientSession(raise_for_status=True) as session:
                with pytest.raises(aiohttp.ClientResponseError):
                    await session.get(server.url())
                response = await session.get(server.url(), raise_for_status=False)
                assert await response.text() == "no"

    async def test_below_400_is_good(self) -> None:
        """A redirect that is not followed is no error."""
        async with (
            RawServer.replies([moved("/")]) as server,
            ClientSession(raise_for_status=True) as session,
        ):
            assert (await session.get(server.url(), allow_redirects=False)).status == 302

    async def test_a_check_of_ones_own(self) -> None:
        """A coroutine function checks every response; what it raises closes the response."""

        async def check(response: ClientResponse) -> None:
            if await response.text() != "ok":
                raise LookupError(response.status)

        async with RawServer.replies([OK, answer(b"bad"), answer(b"bad")]) as server:
            async with ClientSession(raise_for_status=check) as session:
                assert await (await session.get(server.url())).text() == "ok"
                with pytest.raises(LookupError):
                    await session.get(server.url())
            async with ClientSession() as session:
                with pytest.raises(LookupError):
                    await session.get(server.url(), raise_for_status=check)

    async def test_a_check_that_raises(self) -> None:
        """The connection of a response that a check refuses is free again, whatever its body."""

        async def half(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok")
            await conn.closed()

        async def check(response: ClientResponse) -> None:
            raise LookupError

        async with RawServer(half) as server, ClientSession(raise_for_status=check) as session:
            with pytest.raises(LookupError):
                await session.get(server.url())
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0


class TestTls:
    @pytest.mark.without_tls("it speaks TLS by itself")
    async def test_ssl(self, certificates: Certificates) -> None:
        """True verifies, False does not; a context and a fingerprint decide for themselves."""
        good = certificates.fingerprint()
        async with RawServer.replies(
            [OK], repeat=True, ssl=certificates.server_context()
        ) as server:
            url = server.url(host="localhost")
            pinned = RawServer.replies([OK], repeat=True, ssl=_own_context(certificates))
            async with pinned as own, ClientSession() as session:
                for ssl in (True, None):
                    with pytest.raises(aioclient.ClientConnectorCertificateError):
                        await session.get(url, ssl=ssl)
                for option in (
                    False,
                    certificates.client_context(),
                ):
                    assert (await session.get(url, ssl=option)).status == 200
                pin_url = own.url(host="localhost")
                for option in (aioclient.Fingerprint(good), aiohttp.Fingerprint(good)):
                    assert (await session.get(pin_url, ssl=option)).status == 200
                with pytest.raises(aioclient.ServerFingerprintMismatch):
                    await session.get(pin_url, ssl=aioclient.Fingerprint(bytes(32)))

    async def test_equal_pins_share_connections(self, certificates: Certificates) -> None:
        """Two fingerprints of one digest are one setting, aiohttp's too: the connection is used again."""
        async with (
            RawServer.replies([OK], repeat=True, ssl=_own_context(certificates)) as server,
            ClientSession() as session,
        ):
            for _ in range(3):
                pin = aiohttp.Fingerprint(certificates.fingerprint())
                await session.get(server.url(host="localhost"), ssl=pin)
        assert server.connections == 1

    async def test_server_hostname(self, certificates: Certificates) -> None:
        """It is verified, and sent as SNI, instead of the URL's host."""
        context = certificates.server_context("büro.test".encode("idna").decode())
        seen: list[str | None] = []
        context.sni_callback = lambda ssl, name, ctx: seen.append(name)
        async with (
            RawServer.replies([OK], repeat=True, ssl=context) as server,
            ClientSession() as session,
        ):
            trust = certificates.client_context()
            with pytest.raises(aioclient.ClientConnectorCertificateError):
                await session.get(server.url(host="localhost"), ssl=trust)
            response = await session.get(
                server.url(host="localhost"), ssl=trust, server_hostname="BÜRO.test"
            )
            assert response.status == 200
        assert seen == ["localhost", "xn--bro-hoa.test"]
        assert server.requests[0].value("Host") == f"localhost:{server.port}"

    @pytest.mark.parametrize(
        "arguments",
        [
            {"ssl": "yes"},
            {"ssl": 1},
            pytest.param({"server_hostname": "a\r\nX: y"}, id="INJ-04"),
            {"server_hostname": "a b"},
            {"server_hostname": "a/b@c:99999"},
        ],
    )
    async def test_what_they_cannot_be(self, arguments: dict[str, Any]) -> None:
        """What is no TLS setting or no host name raises before a connection is made."""
        await refuses((TypeError, ValueError), **arguments)


def _own_context(certificates: Certificates) -> Any:
    return certificates.server_context()


class TestBaseUrl:
    @pytest.mark.parametrize(
        ("base", "url", "target"),
        [
            ("/", "x", "/x"),
            ("/api/", "x/y?z=1", "/api/x/y?z=1"),
            ("/api/", "/x", "/x"),
            ("/api/", "../x", "/x"),
            ("/api/", "", "/api/"),
            ("/api/", "?q=1", "/api/?q=1"),
        ],
    )
    async def test_relative_urls_are_joined(self, base: str, url: str, target: str) -> None:
        """A relative URL is resolved against the base URL, given as str or URL (RFC 3986)."""
        async with RawServer.replies([OK], repeat=True) as server:
            for given in (server.url(base), URL(server.url(base))):
                async with ClientSession(given) as session:
                    await session.get(url)
                    await session.get(URL(url))
        assert {request.target for request in server.requests} == {target}

    @pytest.mark.parametrize(
        ("base", "error", "text"),
        [
            ("http://a.test/api", ValueError, "must end with '/'"),
            ("/api/", aioclient.InvalidUrlClientError, "must be a full URL"),
            ("ftp://a.test/", aioclient.NonHttpUrlClientError, "ftp"),
            (5, aioclient.InvalidUrlClientError, "5"),
            ("http://a b/", aioclient.InvalidUrlClientError, "a b|a%20b"),
        ],
    )
    async def test_what_it_cannot_be(self, base: Any, error: type[Exception], text: str) -> None:
        """A base URL is absolute, http or https, and ends with a slash."""
        with pytest.raises(error, match=text):
            ClientSession(base)

    @pytest.mark.rows("URL-02")
    @pytest.mark.parametrize("how", ["//b.test:{port}/", "http://b.test:{port}/"])
    @pytest.mark.without_tls("its URLs are http ones")
    async def test_credentials_stay_with_its_origin(self, how: str) -> None:
        """What the session carries as secret goes to the origin of the base URL only."""
        async with RawServer.replies([OK], repeat=True) as server:
            base = server.url("/api/", host="a.test")
            async with ClientSession(
                base,
                connector=names(),
                auth=("user", "pass"),
                cookies={"sid": "1"},
                headers={"X-Api-Key": "k", "X-Mine": "m", "X-Plain": "p"},
                sensitive_headers=["x-mine"],
            ) as session:
                await session.get("x")
                await session.get(how.format(port=server.port))
                await session.get(how.format(port=server.port), headers={"X-Api-Key": "given"})
        here, there, given = server.requests
        assert here.value("Authorization") == BASIC
        assert (here.value("Cookie"), here.value("X-Api-Key")) == ("sid=1", "k")
        assert there.value("Host") == f"b.test:{server.port}"
        for name in ("Authorization", "Cookie", "X-Api-Key", "X-Mine"):
            assert there.values(name) == []
        assert there.value("X-Plain") == "p"
        assert given.value("X-Api-Key") == "given"

    async def test_user_and_password_in_it(self) -> None:
        """They become the session's credentials; a call may give others."""
        async with RawServer.replies([OK], repeat=True) as server:
            base = URL(server.url()).with_user("user").with_password("pass")
            async with ClientSession(base) as session:
                assert "pass" not in repr(session)
                await session.get("x")
                await session.get("x", auth=("other", ""))
                await session.get("x", headers={"Authorization": "mine"})
        assert [request.values("Authorization") for request in server.requests] == [
            [BASIC],
            [BasicAuth("other").encode()],
            ["mine"],
        ]
        with pytest.raises(ValueError, match="AUTH argument with credentials"):
            ClientSession("http://u:p@a.test/", auth=("a", "b"))


class TestWire:
    @pytest.mark.rows("S003-08")
    @pytest.mark.parametrize("version", ["1.0", aioclient.HttpVersion10])
    @pytest.mark.without_tls("the context offers HTTP/2")
    async def test_version(self, version: Any) -> None:
        """version= of session or call is the version that is spoken."""
        assert (await sent(version=version)).version == "HTTP/1.0"
        assert (await sent(version="1.1")).version == "HTTP/1.1"
        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(version=version) as session,
        ):
            await session.get(server.url())
            await session.get(server.url(), version=aioclient.HttpVersion11)
        assert [request.version for request in server.requests] == ["HTTP/1.0", "HTTP/1.1"]

    @pytest.mark.rows("S003-08")
    @pytest.mark.parametrize(
        "version", ["4", "3", (3, 0), "", pytest.param("1.1\r\nX: y", id="INJ-04")]
    )
    async def test_versions_that_are_not_spoken(self, version: Any) -> None:
        """Any other version raises ValueError before anything is sent."""
        await refuses(ValueError, "not supported", version=version)

    async def test_expect100(self) -> None:
        """With expect100 the body waits for 100 Continue."""

        async def careful(conn: RawConnection) -> None:
            head = await conn.read_request(body=False)
            assert head.value("Expect") == "100-continue"
            received = conn.received
            conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            request = await conn.read_body(head)
            assert conn.received == received + 4
            conn.send(answer(request.body))

        async with RawServer(careful) as server, ClientSession() as session:
            response = await session.post(server.url(), data=b"body", expect100=True)
            assert await response.read() == b"body"
        assert (await sent(method="POST", data=b"x")).value("Expect") is None

    @pytest.mark.rows("S003-36")
    @pytest.mark.http1_only("over HTTP/2 each stream has an end")
    async def test_read_until_eof(self) -> None:
        """Without a length the body lasts until the connection ends; with False there is none."""
        async with (
            RawServer.replies([b"HTTP/1.1 200 OK\r\n\r\nall"], close=True, repeat=True) as server,
            ClientSession() as session,
        ):
            assert await (await session.get(server.url())).read() == b"all"
            response = await session.get(server.url(), read_until_eof=False)
            assert await response.read() == b""

    @pytest.mark.rows("S003-14")
    async def test_auto_decompress(self) -> None:
        """False leaves the body as it came, of session or call."""
        async with serve() as app:
            async with ClientSession() as session:
                assert session.auto_decompress
                assert await (await session.get(app.url("/gzip"))).json() == {"gzipped": True}
                raw = await session.get(app.url("/gzip"), auto_decompress=False)
                assert (await raw.read())[:2] == b"\x1f\x8b"
            async with ClientSession(auto_decompress=False) as session:
                assert not session.auto_decompress
                raw = await session.get(app.url("/gzip"))
                assert (await raw.content.read())[:2] == b"\x1f\x8b"

    @pytest.mark.parametrize(
        ("limit", "value", "reply", "error"),
        [
            ("max_body_size", 3, answer(b"four"), aioclient.BodyTooLargeError),
            ("max_headers", 2, answer(b"", "A: 1", "B: 2"), aioclient.HeadTooLargeError),
            ("max_field_size", 50, answer(b"", f"A: {'x' * 60}"), aioclient.HeadTooLargeError),
            pytest.param(
                "max_line_size",
                60,
                answer(b"", status=f"200 {'x' * 60}"),
                aioclient.HeadTooLargeError,
                marks=pytest.mark.http1_only("over HTTP/2 there is no status line"),
            ),
        ],
    )
    async def test_limits(
        self, limit: str, value: int, reply: bytes, error: type[Exception]
    ) -> None:
        """Each limit on a response counts, of session and call, and what is within passes."""
        async with RawServer.replies([reply], repeat=True) as server:
            for of_session, of_call in (({limit: value}, {}), ({}, {limit: value})):
                async with ClientSession(**of_session) as session:  # type: ignore[arg-type]
                    with pytest.raises(error, match=f"{limit}={value}"):
                        await (await session.get(server.url(), **of_call)).read()  # type: ignore[arg-type]
            async with ClientSession(**{limit: value}) as session:  # type: ignore[arg-type]
                response = await session.get(server.url(), **{limit: 10 * value})  # type: ignore[arg-type]
                await response.read()

    @pytest.mark.parametrize("of_session", [True, False])
    @pytest.mark.http1_only("over HTTP/2 the windows bound what comes ahead")
    async def test_read_bufsize(self, of_session: bool) -> None:
        """A body that nobody reads is taken up to twice read_bufsize, then the server must wait."""

        async def flood(conn: RawConnection) -> None:
            await conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
            conn.send(bytes(50_000_000))
            await conn.closed()

        small: dict[str, Any] = {"read_bufsize": 1000}
        async with (
            RawServer(flood) as server,
            ClientSession(**(small if of_session else {})) as session,
            session.get(server.url(), **({} if of_session else small)) as response,
        ):
            for _ in range(50):
                await asyncio.sleep(0)
            # One read of the socket may come on top.
            assert response.content.total_raw_bytes <= 2000 + READ_SIZE


class TestMiddlewares:
    async def test_order(self) -> None:
        """The first one is the outermost, and each sees request and response."""
        seen: list[str] = []

        def named(name: str) -> aioclient.Middleware:
            async def middleware(request: Request, handler: Handler) -> ClientResponse:
                seen.append(f"{name} {request.method}")
                response = await handler(request)
                seen.append(f"{name} {response.status}")
                return response

            return middleware

        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(middlewares=[named("a"), named("b")]) as session,
        ):
            await session.get(server.url())
            assert seen == ["a GET", "b GET", "b 200", "a 200"]
            seen.clear()
            await session.get(server.url(), middlewares=[named("c")])
            assert seen == ["c GET", "c 200"]
            seen.clear()
            await session.get(server.url(), middlewares=())
            assert seen == []

    async def test_changes_are_sent(self) -> None:
        """A middleware may change URL, method, fields and body's credentials before they are sent."""

        async def change(request: Request, handler: Handler) -> ClientResponse:
            request.url = request.url / "more"
            request.headers["X"] = "1"
            request.method = "PUT"
            return await handler(request)

        async with (
            RawServer.replies([OK]) as server,
            ClientSession(middlewares=[change]) as session,
        ):
            response = await session.get(server.url())
            assert response.url == URL(server.url("/more"))
        (request,) = server.requests
        assert (request.method, request.target, request.value("X")) == ("PUT", "/more", "1")

    @pytest.mark.parametrize(
        "kind", ["bytes", "str", "file", "BytesIO", "iterable", "async iterable"]
    )
    async def test_a_retry_sends_the_body_again(self, kind: str, tmp_path: Path) -> None:
        """A body is sent again whole, or BodyConsumedError is raised: it is never sent empty."""

        async def retry(request: Request, handler: Handler) -> ClientResponse:
            response = await handler(request)
            if response.status == 503:
                response.release()
                response = await handler(request)
            return response

        bodies: list[bytes] = []

        async def busy(conn: RawConnection, request: RawRequest) -> None:
            bodies.append(request.body)
            conn.send(answer(b"", status="503 Busy") if len(bodies) == 1 else OK)

        data = BODIES[kind](tmp_path)
        async with (
            RawServer.replies([busy], repeat=True) as server,
            ClientSession(middlewares=[retry]) as session,
        ):
            if "iterable" in kind:
                with pytest.raises(aioclient.BodyConsumedError, match="sent already"):
                    await session.post(server.url(), data=data)
                assert bodies == [b"one two three"]
            else:
                assert (await session.post(server.url(), data=data)).status == 200
                assert bodies == [b"one two three"] * 2
        if isinstance(data, io.IOBase):
            data.close()

    async def test_one_that_answers_itself(self) -> None:
        """What a middleware raises reaches the caller, and no connection is made."""

        async def no(request: Request, handler: Handler) -> ClientResponse:
            raise LookupError(request.url.host)

        async with ClientSession(middlewares=[no]) as session:
            with pytest.raises(LookupError, match=r"a\.test"):
                await session.get("http://a.test/")


class TestParts:
    async def test_response_class(self) -> None:
        """Responses are of the class that the session was given."""

        class Mine(ClientResponse):
            __slots__ = ()

        async with (
            RawServer.replies([OK]) as server,
            ClientSession(response_class=Mine) as session,
        ):
            assert type(await session.get(server.url())) is Mine

    @pytest.mark.rows("S003-01", "S003-13", "S003-19")
    @pytest.mark.parametrize("owner", [True, False])
    async def test_connector_owner(self, owner: bool) -> None:
        """A session closes its connector unless it does not own it."""
        async with RawServer.replies([OK], repeat=True) as server:
            connector = aioclient.TCPConnector()
            async with ClientSession(connector=connector, connector_owner=owner) as session:
                assert session.connector is connector
                await session.get(server.url())
            assert connector.closed is owner
            assert session.connector is None
            if not owner:
                async with ClientSession(connector=connector) as session:
                    await session.get(server.url())
                assert server.connections == 1

    @pytest.mark.rows("S003-67")
    async def test_detach(self) -> None:
        """detach() closes the session and leaves the connector open."""
        async with aioclient.TCPConnector() as connector:
            session = ClientSession(connector=connector)
            session.detach()
            assert session.closed
            assert session.connector is None
            assert not connector.closed

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            ({"connector": "tcp"}, "found builtins.str, which lacks bind()"),
            ({"cookie_jar": {}}, "AbstractCookieJar, found dict"),
            ({"skip_auto_headers": "Accept"}, "found the str 'Accept'"),
            ({"nonsense": 1}, "nonsense"),  # and __del__ finds nothing to complain of
            ({"version": "9"}, "'9' is not supported"),
            ({"headers": {"a b": "c"}}, "'a b' is not a token"),
            ({"headers": {"a": "c\n"}}, "header a contains"),
        ],
    )
    async def test_what_a_session_refuses(self, arguments: Any, text: str) -> None:
        """A session that cannot work is not made, and the error says why."""
        with pytest.raises((TypeError, ValueError), match=re.escape(text)):
            ClientSession(**arguments)


class TestState:
    @pytest.mark.rows("S003-18", "S003-66")
    async def test_closed(self) -> None:
        """A closed session refuses requests; closing again does nothing."""
        async with ClientSession() as session:
            assert not session.closed
        assert session.closed
        assert repr(session) == "<ClientSession closed>"
        await session.close()
        with pytest.raises(RuntimeError, match="Session is closed"):
            await session.get("http://a.test/")

    async def test_unclosed(self) -> None:
        """A session that is dropped unclosed warns."""
        session: ClientSession | None = ClientSession()
        with pytest.warns(ResourceWarning, match="unclosed session"):
            session = None
        assert session is None

    async def test_repr_tells_the_pool(self) -> None:
        """repr shows base URL and pool."""
        async with ClientSession("http://a.test/") as session:
            assert repr(session).startswith("<ClientSession http://a.test/ <TCPConnector ")

    @pytest.mark.rows("S003-17")
    async def test_plain_with(self) -> None:
        """A plain `with` says what to write."""
        async with ClientSession() as session:
            with pytest.raises(TypeError, match="async with"):
                session.__enter__()

    def test_without_a_loop(self) -> None:
        """A session is made inside an async function."""
        with pytest.raises(RuntimeError, match="inside an async function"):
            ClientSession()

    def test_another_loop(self) -> None:
        """A session works in its own loop only, and says so."""

        async def make() -> ClientSession:
            return ClientSession()

        async def use(session: ClientSession) -> None:
            with pytest.raises(RuntimeError, match="another event loop"):
                await session.get("http://a.test/")
            await session.close()

        session = asyncio.run(make())
        asyncio.run(use(session))


async def test_a_real_server() -> None:
    """A session works with aiohttp's server: its handlers see method, query, fields and body."""
    seen: list[Any] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(
            (request.method, request.query["q"], request.headers["X"], await request.text())
        )
        return web.json_response({"ok": True})

    application = web.Application()
    application.router.add_route("*", "/", handler)
    async with serve_application(application) as url, ClientSession() as session:
        calls: list[Awaitable[ClientResponse]] = [
            session.request(method, url, params={"q": method}, headers={"X": "1"}, data="body")
            for method in ("POST", "PUT", "PATCH", "DELETE")
        ]
        for response in await asyncio.gather(*calls):
            assert await response.json() == {"ok": True}
    assert sorted(seen) == [(m, m, "1", "body") for m in ("DELETE", "PATCH", "POST", "PUT")]
