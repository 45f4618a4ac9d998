"""What a call refuses before anything is sent, and what no message shows."""

import contextlib
import re
from http.cookies import SimpleCookie
from typing import Any

import aiohttp
import pytest
from yarl import URL

import aioclient
from aioclient import BasicAuth, ClientResponse, ClientSession, Handler, Request

from .loopback import OK, answer, moved, names, open_jar
from .servers.either import RawServer
from .test_session import refuses, sent

pytestmark = pytest.mark.both_protocols

# Bytes that RFC 9110 lets stand in a field's value; the rest are control characters.
GOOD_IN_VALUE = {0x09, *range(0x20, 0x7F), *range(0x80, 0x100)}
TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


class TestInjection:
    @pytest.mark.parametrize(
        "method",
        [
            pytest.param(method, id=f"INJ-01-{number}")
            for number, method in enumerate(
                [
                    "GET / HTTP/1.1\r\nX: y\r\n\r\nGET",
                    "GE T",
                    "",
                    "GÉT",
                    "GET\n",
                    "GET\x00",
                    "geﬅ",
                    "opt\u0131ons",
                    "po\u017ft",
                ]
            )
        ],
    )
    async def test_method(self, method: str) -> None:
        """A method is a token, before it is put in upper case; else ValueError and nothing is sent."""
        await refuses(ValueError, "is not a token", method=method)

    @pytest.mark.parametrize("row", [pytest.param("", id="INJ-02")])
    async def test_every_byte_in_a_header(self, row: str) -> None:
        """Of all characters only those of a token pass in a name, only visible ones, SP and HTAB in a value."""
        async with RawServer.replies([OK], repeat=True) as server, ClientSession() as session:
            for code in range(256):
                value = f"a{chr(code)}b"
                if code in GOOD_IN_VALUE:
                    await session.get(server.url(), headers={"X": value})
                    assert server.requests[-1].values("X") == [value.encode().decode("latin-1")]
                else:
                    with pytest.raises(ValueError, match="control character"):
                        await session.get(server.url(), headers={"X": value})
                if code in TOKEN:
                    await session.get(server.url(), headers={value: "v"})
                    assert server.requests[-1].values(value) == ["v"]
                else:
                    with pytest.raises(ValueError, match="not a token"):
                        await session.get(server.url(), headers={value: "v"})
        assert server.connections == 1
        assert len(server.requests) == len(GOOD_IN_VALUE) + len(TOKEN)

    @pytest.mark.parametrize(
        "value", [b"x", 5, 1.0, None.__class__, ["x"], True], ids=lambda value: f"INJ-02-{value!r}"
    )
    async def test_only_text_in_a_header(self, value: Any) -> None:
        """A value that is not str raises TypeError: nothing is made text of silently."""
        await refuses(TypeError, "must be a str", headers={"X": value})

    @pytest.mark.parametrize(
        "url",
        [
            pytest.param(url, id=f"INJ-03-{number}")
            for number, url in enumerate(
                [
                    "http://127.0.0.1:{port}/a\r\nX: y",
                    "http://127.0.0.1:{port}/?q=\n",
                    "http://127.0.0.1:{port}/\x00",
                    "http://127.0.0.1:{port}/\x7f",
                    "http://127.0.0.1:{port}/a\tb",
                    "http://127.0.0.1\r\nX: y:{port}/",
                    "\nhttp://127.0.0.1:{port}/",
                    "http://127.0.0.1:{port}/#\r\nX: y",
                ]
            )
        ],
    )
    async def test_control_characters_in_a_url(self, url: str) -> None:
        """A control character in a URL is refused, neither sent nor dropped."""
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            with pytest.raises(aioclient.InvalidURL) as caught:
                await session.get(url.format(port=server.port))
            assert server.connections == 0
        assert not re.search(r"[\x00-\x1f\x7f]", str(caught.value))

    @pytest.mark.parametrize(
        "path",
        [pytest.param(path, id=f"INJ-03-{path!r}") for path in ("/a b", "/é", "/a\x0b", "/\x80")],
    )
    async def test_an_encoded_url(self, path: str) -> None:
        """A URL that claims to be encoded is not believed: what may not stand in a target raises."""
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            url = URL.build(
                scheme="http", host="127.0.0.1", port=server.port, path=path, encoded=True
            )
            with pytest.raises(ValueError, match="percent-encode it"):
                await session.get(url)
            assert server.connections == 0

    @pytest.mark.parametrize("row", [pytest.param("", id="INJ-03")])
    async def test_what_is_encoded(self, row: str) -> None:
        """Spaces and characters outside ASCII are percent-encoded, escapes stay as they are."""
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            await session.get(server.url("/a b/ä%2F%0d%0a?q=x y&ö#f g"))
        assert server.requests[0].target == "/a%20b/%C3%A4%2F%0d%0a?q=x+y&%C3%B6"

    @pytest.mark.parametrize(
        "host", ["a\r\nX: y", "a\nb", "a\x00"], ids=lambda host: f"INJ-04-{host!r}"
    )
    async def test_host_header(self, host: str) -> None:
        """A Host field of the caller's is checked like every other."""
        await refuses(ValueError, "header Host contains", headers={"Host": host})

    @pytest.mark.parametrize(
        "cookies",
        [
            pytest.param(cookies, id=f"INJ-06-{number}")
            for number, cookies in enumerate(
                [
                    {"a": "b; admin=1"},
                    {"a": "b\r\nX: 1"},
                    {"a": "b,c"},
                    {"a": "b c"},
                    {"a": 'b"c'},
                    {"a": "b\\c"},
                    {"a": "b\x07"},
                    {"a; b": "c"},
                    {"a=b": "c"},
                    {"": "c"},
                    {"a\r\nX": "c"},
                ]
            )
        ],
    )
    async def test_cookies_of_a_call(self, cookies: dict[str, str]) -> None:
        """A name or value that would read as more than one cookie raises ValueError."""
        await refuses(ValueError, "cookie", cookies=cookies)

    @pytest.mark.parametrize(
        "cookies", [{"a": None}, {"a": b"b"}, {1: "b"}, "a=b", b"a=b", {"a": ["b"]}]
    )
    async def test_cookies_of_wrong_types(self, cookies: Any) -> None:
        """A cookie is a name with text or a number: nothing else is made text of silently."""
        await refuses(TypeError, "cookie", cookies=cookies)

    @pytest.mark.parametrize(
        "value",
        [pytest.param(value, id=f"INJ-06-{value!r}") for value in ("b; admin=1", 'b"c', "b,c")],
    )
    async def test_cookies_of_a_session(self, value: str) -> None:
        """A session's cookie is one cookie: the jar quotes what would end it."""
        async with (
            RawServer.replies([OK]) as server,
            ClientSession(server.url(), cookies={"a": value}, cookie_jar=open_jar()) as session,
        ):
            await session.get("")
        field = server.requests[0].value("Cookie") or ""
        assert ";" not in field
        assert SimpleCookie(field)["a"].value == value

    @pytest.mark.parametrize(
        "value", ["plain", "a=b=", '"quoted"', "é", "x:/?@[]{}()<>"], ids=lambda v: f"INJ-06-{v}"
    )
    async def test_values_that_pass(self, value: str) -> None:
        """What a cookie may hold goes out as it was given."""
        request = await sent(cookies={"a": value})
        assert request.values("Cookie") == [f"a={value}".encode().decode("latin-1")]


SECRET = "hunter2"


class TestSecrets:
    """AUTH-12 and INJ-09: what is secret stands in no message."""

    def check(self, *objects: object) -> None:
        for thing in objects:
            assert SECRET not in repr(thing)
            assert SECRET not in str(thing)

    @pytest.mark.parametrize("row", [pytest.param("", id="AUTH-12-INJ-09")])
    async def test_values(self, row: str) -> None:
        """Credentials show in no repr: of auth, session, request, response, request_info."""
        requests: list[Request] = []

        async def keep(request: Request, handler: Handler) -> ClientResponse:
            requests.append(request)
            return await handler(request)

        async with RawServer.replies([OK], repeat=True) as server:
            url = URL(server.url()).with_user("u").with_password(SECRET)
            async with ClientSession(
                url,
                headers={"X-Api-Key": SECRET},
                cookies={"c": SECRET},
                cookie_jar=open_jar(),
                middlewares=[keep],
            ) as session:
                self.check(session, session.auth, BasicAuth("u", SECRET))
                response = await session.get("x", params={"access_token": SECRET})
                self.check(response, response.request, response.request_info, *requests)
                assert SECRET in str(
                    response.request_info.headers
                )  # whoever asks for them gets them
                assert SECRET in str(response.request_info.real_url)

    @pytest.mark.parametrize("row", [pytest.param("", id="AUTH-12-INJ-09")])
    @pytest.mark.parametrize(
        "reply",
        [
            answer(b"", status="404 No"),
            answer(b"[", "Content-Type: text/plain"),
            moved("/"),
            moved("ftp://b.test/"),
            moved("http://[x/"),
            b"nonsense\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx",
            b"",
        ],
    )
    async def test_exceptions(
        self, row: str, reply: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        """No exception of a call holds a credential: in its text, its attributes or its causes."""
        async with RawServer.replies([reply], repeat=True, close=True) as server:
            url = URL(server.url()).with_user("u").with_password(SECRET)
            async with ClientSession(headers={"X-Api-Key": SECRET}) as session:
                with pytest.raises(aiohttp.ClientError) as caught:
                    async with session.get(
                        url % {"token": SECRET}, cookies={"c": SECRET}, raise_for_status=True
                    ) as response:
                        await response.json()
        error: BaseException | None = caught.value
        while error is not None:
            self.check(error, *error.args, getattr(error, "request_info", None))
            if isinstance(error, aiohttp.ClientResponseError):
                self.check(error.request_info.headers, error.request_info.real_url)
            error = error.__cause__ or error.__context__
        assert SECRET not in caplog.text

    @pytest.mark.parametrize(
        "url",
        [
            pytest.param(url, id=f"AUTH-12-{number}")
            for number, url in enumerate(
                [
                    f"http://u:{SECRET}@a.test:99999/",
                    f"http://u:{SECRET}@a b/",
                    f"http://u:{SECRET}@a.com\uff0fb/",
                    f"http://u:{SECRET}?x@a.test:99999/",
                    f"http://u:{SECRET}@[::1/",
                    f"u:{SECRET}@a.test/",
                    f"//u:{SECRET}@a.test/",
                    f"u{SECRET}@a.test/x",
                    f"localhost:8080{SECRET}@a.test/x",
                    f"ftp://u:{SECRET}@a.test/",
                    f"http://u:{SECRET}@127.1/",
                    f"http://u:{SECRET}@a.test/\n",
                    f"http://a.test:99999/?token={SECRET}",
                    f"http://u:{SECRET}@127.0.0.1:1/",
                ]
            )
        ],
    )
    async def test_urls(self, url: str) -> None:
        """A URL that cannot be used shows no password in its error, as a base URL neither."""
        with contextlib.suppress(ValueError):
            try:
                await ClientSession(url).close()
            except aiohttp.ClientError as error:
                self.check(error, *error.args)
        async with ClientSession() as session:
            with pytest.raises(aiohttp.ClientError) as caught:
                await session.get(url)
        error: BaseException | None = caught.value
        while error is not None:
            self.check(error, *error.args)
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)

    @pytest.mark.parametrize(
        "reply",
        [
            pytest.param(reply, id=f"INJ-09-{number}")
            for number, reply in enumerate(
                [
                    b"HTTP/1.1 200 \x1b[2J\r\n\r\n",
                    b"\x1b[2J nonsense\r\n\r\n",
                    answer(b"", "Location: ftp://\xc2\x9b2J", status="302 F"),
                    answer(b"", "Location: http://\xc2\x9b2J/", status="302 F"),
                    answer(b"", status="404 \xc2\x9b2J"),
                    answer(b"", "Content-Type: \xc2\x9b2J"),
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: \xc2\x9b2J\r\n\r\n",
                ]
            )
        ],
    )
    async def test_what_a_server_says_is_escaped(self, reply: bytes) -> None:
        """Control characters of a server stand in no message and in no repr as they are."""
        async with RawServer.replies([reply], close=True) as server, ClientSession() as session:
            with pytest.raises(aiohttp.ClientError) as caught:
                async with session.get(server.url()) as response:
                    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", repr(response))
                    response.raise_for_status()
                    await response.json()
        for text in (str(caught.value), repr(caught.value)):
            assert not re.search(r"[\x00-\x1f\x7f-\x9f]", text.replace("\n", ""))
            assert "\n" not in text


class TestOddInputs:
    @pytest.mark.parametrize(
        "url",
        [
            None,
            b"http://127.0.0.1/",
            5,
            ["http://127.0.0.1/"],
            "",
            "/x",
            "x",
            "127.0.0.1",
            "http://",
            "http:",
            "http:///x",
            "://x",
            "http://a.test:port/",
            "http://a.test:-1/",
            "http://a.test:0x50/",
            URL(),
            URL("/x"),
            "http://" + "a" * 300 + ".test/",
            "http://.../",
        ],
    )
    async def test_urls(self, url: Any) -> None:
        """What is no URL raises InvalidURL, which is a ClientError and a ValueError."""
        async with ClientSession(connector=names()) as session:
            with pytest.raises(aiohttp.InvalidURL) as caught:
                await session.get(url)
        assert isinstance(caught.value, ValueError)
        assert len(str(caught.value)) < 500

    @pytest.mark.parametrize("url", ["ftp://a.test/", "file:///etc/passwd", "data:,x", "unix:/x"])
    async def test_other_schemes(self, url: str) -> None:
        """Another scheme raises NonHttpUrlClientError that names those which work."""
        await refuses(aiohttp.NonHttpUrlClientError, "use http, https", url=url)

    async def test_a_very_long_url(self) -> None:
        """A URL of 60,000 characters is sent; in a message it is cut."""
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            path = "/" + "a" * 60_000
            response = await session.get(server.url(path))
            assert len(repr(response)) < 500
        assert server.requests[0].target == path

    @pytest.mark.parametrize("method", [None, b"GET", 5])
    async def test_methods(self, method: Any) -> None:
        """A method that is not str raises TypeError."""
        await refuses(TypeError, "the method must be a str", method=method)

    @pytest.mark.parametrize(
        "name", ["foo", "http10", "response_class", "proxies_", "verify", "files", "stream"]
    )
    async def test_unknown_arguments(self, name: str) -> None:
        """An argument that a call does not have raises TypeError that names it."""
        await refuses(TypeError, rf"unknown arguments \['{name}'\] of a request", **{name: 1})

    async def test_missing_arguments(self) -> None:
        """A call without a URL is Python's TypeError."""
        async with ClientSession() as session:
            with pytest.raises(TypeError, match="url"):
                session.get()  # type: ignore[call-arg]
