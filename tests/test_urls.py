"""What a URL may be, how long, and where a base URL's credentials go."""

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from yarl import URL

import aioclient
from aioclient import ClientResponse, ClientSession, Handler, Request
from aioclient.message.headers import check_target
from aioclient.session.urls import parsed, target_of

from .loopback import OK, names
from .opcodes import opcodes
from .servers.either import RawServer
from .test_session import refuses

pytestmark = pytest.mark.both_protocols

SECRET = "s3cret"

# Each makes a URL of about that many characters, and is dear to look at for who is not careful.
HOSTILE: dict[str, Callable[[int], str]] = {
    "at signs": lambda size: f"http://{'@' * size}a.test/",
    "userinfo": lambda size: f"http://{'ä' * size}@a.test/",
    "percent signs": lambda size: f"http://a.test/{'%2' * (size // 2)}",
    "dot segments": lambda size: f"http://a.test/{'../' * (size // 3)}",
    "segments": lambda size: f"http://a.test{'/a' * (size // 2)}",
    "query": lambda size: f"http://a.test/?{'a=%&' * (size // 4)}",
    "fragment": lambda size: f"http://a.test/#{'#ä' * (size // 2)}",
    "brackets": lambda size: f"http://{'[' * size}/",
    "colons": lambda size: f"http://a.test{':' * size}/",
    "zeros": lambda size: f"http://a.test:{'0' * size}80/",
    "labels": lambda size: f"http://{'xn--a.' * (size // 6)}test/",
    "a label": lambda size: f"http://{'ä' * size}.test/",
    "labels of one": lambda size: f"http://{'ä.' * (size // 2)}test/",
    "ligatures": lambda size: f"http://{chr(0xFDFA) * size}.test/",
    "combining": lambda size: f"http://a{chr(0x0344) * size}.test/",
    "scheme": lambda size: f"{'a' * size}://a.test/",
}


def look(url: str) -> None:
    """Do what a call does with its URL before it asks for a connection."""
    try:
        aioclient.message.origin.origin_of(parsed(url))  # type: ignore[attr-defined]
    except aiohttp.ClientError:
        pass


class TestLength:
    @pytest.mark.rows("URL-06")
    @pytest.mark.parametrize("kind", HOSTILE)
    def test_the_work_grows_with_the_length(self, kind: str) -> None:
        """Twice the length takes at most twice the steps, up to the limit; beyond it none at all."""
        make = HOSTILE[kind]
        look(make(100))
        work = {
            size: opcodes(lambda size=size: look(make(size))) for size in (8_000, 16_000, 60_000)
        }  # type: ignore[misc]
        assert work[16_000] <= 2.2 * work[8_000]
        assert work[60_000] <= 8.5 * work[8_000]
        beyond = [opcodes(lambda size=size: look(make(size))) for size in (70_000, 700_000)]  # type: ignore[misc]
        assert beyond[1] <= beyond[0] + 10

    @pytest.mark.rows("URL-06")
    @pytest.mark.parametrize("kind", ["a label", "labels of one", "ligatures", "combining"])
    def test_a_long_host_is_no_work(self, kind: str) -> None:
        """A host outside ASCII that is too long is not normalized, for whatever stands before or behind it."""
        url = HOSTILE[kind](1000)
        short = opcodes(lambda: look(url))
        for longer in (HOSTILE[kind](60_000), url.replace("//", "//u:p@"), f" {url}?x#y"):
            assert opcodes(lambda longer=longer: look(longer)) <= 2 * short  # type: ignore[misc]

    @pytest.mark.rows("URL-06")
    @pytest.mark.parametrize(
        ("url", "text"),
        [
            (f"http://{'ä' * 300}.test/", "its host has more than 253"),
            (f"//{'ä' * 300}.test/", "its host has more than 253"),
            (f"http://u:{SECRET}@{'ä' * 300}/", "its host has more than 253"),
            (f"http://{'a' * 300}.test/", "the host has more than 253"),
            (f"http://a.test/{'a' * 65_536}", "it has 65550 characters, more than the 65536"),
        ],
    )
    async def test_what_is_too_long(self, url: str, text: str) -> None:
        """It raises InvalidURL with a short text, and nothing is looked up."""
        error = await refuses(aiohttp.InvalidURL, text, url=url)
        assert len(str(error)) < 500
        assert SECRET not in str(error)

    async def test_long_and_outside_ascii(self) -> None:
        """A long path, query or user outside ASCII has nothing to do with the host."""
        async with RawServer.replies([OK] * 3) as server, ClientSession() as session:
            for url in ("/" + "ä" * 500, "/?" + "ä" * 500, "//" + "ä" * 500):
                await session.get(server.url(url))
            assert len(server.requests) == 3

    @pytest.mark.rows("URL-07")
    @pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 70_000, 131_072 + 10])
    @pytest.mark.parametrize(
        "how",
        [
            "URL",
            "params",
            "middleware",
            pytest.param("redirect", marks=pytest.mark.http1_only("a field list has 64 KiB")),
        ],
    )
    async def test_none_is_cut(self, size: int, how: str) -> None:
        """A target of up to 64 Ki characters is sent whole, a longer one raises: none is sent in part."""
        target = "/?" + "a" * (size - 2)
        location = f"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: {target}\r\n\r\n".encode()

        async def change(request: Request, handler: Handler) -> ClientResponse:
            request.url = request.url.join(URL(target))
            return await handler(request)

        replies = [location, OK] if how == "redirect" else [OK]
        async with RawServer.replies(replies) as server, ClientSession() as session:
            arguments: dict[str, Any] = {
                "URL": {"url": URL(server.url(target))},
                "params": {"url": server.url(), "params": [("a" * (size - 3), "")]},
                "middleware": {"url": server.url(), "middlewares": [change]},
                "redirect": {
                    "url": server.url(),
                    "max_line_size": 10**6,
                    "max_field_size": 10**6,
                },
            }[how]
            if size <= 65_536:
                await session.get(**arguments)
                assert len(server.requests[-1].target) == size
            else:
                with pytest.raises(ValueError, match="more than the 65536"):
                    await session.get(**arguments)
                assert len(server.requests) == (how == "redirect")

    @pytest.mark.rows("URL-07")
    def test_a_target(self) -> None:
        """The request line's target has the limit itself, for whatever makes one."""
        assert len(check_target("/" * 65_536)) == 65_536
        with pytest.raises(ValueError, match="has 65537 characters"):
            check_target("/" * 65_537)


@pytest.mark.rows("URL-09")
class TestSchemes:
    @pytest.mark.parametrize(
        "url",
        [
            "data:text/plain,x",
            "file:///etc/passwd",
            "file://localhost/etc/passwd",
            "ftp://a.test/",
            "gopher://a.test/",
            "javascript:alert(1)",
            "unix:///run/x.sock",
            "http+unix://%2Frun%2Fx.sock/",
            "jar:http://a.test!/x",
            "HTTPS+FILE://a.test/",
        ],
    )
    @pytest.mark.parametrize("how", ["call", "base_url", "middleware"])
    async def test_only_http(self, url: str, how: str) -> None:
        """Nothing but http, https, ws and wss is opened, wherever the URL comes from."""

        async def change(request: Request, handler: Handler) -> ClientResponse:
            request.url = URL(url)
            return await handler(request)

        if how == "base_url":
            with pytest.raises((aiohttp.NonHttpUrlClientError, aiohttp.InvalidURL)):
                ClientSession(url)
            return
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            with pytest.raises((aiohttp.NonHttpUrlClientError, aiohttp.InvalidURL)):
                if how == "call":
                    await session.get(url)
                else:
                    await session.get(server.url(), middlewares=[change])
            assert server.connections == 0


@pytest.mark.rows("URL-02")
class TestBaseUrl:
    @pytest.mark.parametrize(
        "url",
        [
            pytest.param(url, id=f"URL-02-{url}")
            for url in (
                "x",
                "/x",
                "../x",
                "../../../x",
                "..//b.test/x",
                "%2e%2e/x",
                "//b.test:{port}/x",
                "///b.test:{port}/x",
                "////b.test:{port}/x",
                "/\\b.test:{port}/x",
                "\\\\b.test:{port}/x",
                "/%2fb.test:{port}/x",
                "http:b.test:{port}/x",
                "http:/b.test:{port}/x",
                "http://b.test:{port}/x",
                "HTTP://B.TEST:{port}/x",
                "//a.test@b.test:{port}/x",
                "//a.test:{port}@b.test:{port}/x",
                "//a.test.b.test:{port}/x",
                "//sub.a.test:{port}/x",
                "//a.test.:{port}/x",
                "//A.TEST:{port}/x",
                "?x=//b.test",
                "#//b.test",
                "",
            )
        ],
    )
    async def test_who_sees_the_credentials(self, url: str) -> None:
        """However a call's URL is spelled, the session's secrets go to the base URL's origin and nowhere else."""
        async with RawServer.replies([OK]) as server:
            base = server.url("/api/v1/", host="a.test")
            async with ClientSession(
                base,
                connector=names(),
                auth=("user", SECRET),
                cookies={"sid": SECRET},
                headers={"X-Api-Key": SECRET},
            ) as session:
                try:
                    await session.get(url.format(port=server.port))
                except aiohttp.InvalidURL:
                    assert server.connections == 0
                    return
        (request,) = server.requests
        host = (request.value("Host") or "").partition(":")[0]
        fields = [request.values(name) for name in ("Authorization", "Cookie", "X-Api-Key")]
        if host == "a.test":
            assert all(fields)
        else:
            assert SECRET.encode() not in request.head
            assert fields[1:] == [[], []]


class TestTarget:
    @pytest.mark.parametrize(
        ("url", "origin", "may_have_login"),
        [
            ("http://a.test/x", "<Origin http://a.test>", False),
            ("http://u@a.test/x", "<Origin http://a.test>", True),
            ("http://:p@a.test/x", "<Origin http://a.test>", True),
            ("/x", "None", False),
            ("//u@a.test", "None", True),
            ("ftp://a.test/", "None", False),
            (URL("http://a.test/x"), "None", True),
        ],
    )
    def test_what_is_known(self, url: str | URL, origin: str, may_have_login: bool) -> None:
        """What is remembered of a text is what is found the first time, and never less than is so."""
        for _ in range(2):
            target, found, login = target_of(url)
            assert (target, repr(found), login) == (parsed(url), origin, may_have_login)
