"""URLs, parameters and base URLs."""

from typing import Any

import pytest
from yarl import URL

import aioclient
from aioclient import ClientSession
from aioclient.testing import RawRequest

from ..loopback import OK, names
from ..servers.either import RawServer
from .parts import fetch

pytestmark = [pytest.mark.both_protocols, pytest.mark.both_loops]
reports = pytest.mark.reports


async def asked(path: str | URL, **arguments: Any) -> RawRequest:
    """Return what a server gets of a GET."""
    async with RawServer.replies([OK]) as server, ClientSession(server.url()) as session:
        assert await fetch(session, path, **arguments) == b"ok"
    return server.requests[0]


@reports(
    "aio-libs/aiohttp#1725",
    "aio-libs/aiohttp#8486",
    "aio-libs/aiohttp#5512",
    "aio-libs/aiohttp#2198",
)
@pytest.mark.parametrize(
    "target", ["/x?hello=space%40invader", "/f%28a%29?s=%28b%29%2F%3D", "/a%2Fb?c=%2b"]
)
async def test_encoded_urls_stay(target: str) -> None:
    """A URL that was encoded already was decoded in places, which broke its signature."""
    assert (await asked(URL(target, encoded=True))).target == target


@reports("aio-libs/aiohttp#1474", "aio-libs/yarl#181")
@pytest.mark.parametrize("value", ["%25s3", "%s", "%aa", "100%", "a%2Bb"])
async def test_percent_signs_in_values(value: str) -> None:
    """A value with a percent sign was decoded on its way, or failed as a wrong encoding."""
    request = await asked("/", params={"a": value})
    assert URL(request.target).query["a"] == value


@reports("aio-libs/aiohttp#1901", "aio-libs/yarl#91")
@pytest.mark.parametrize("value", ["1;2;3", "a&b", "a=b", "a+b", "a b", "ü", "#", "?"])
async def test_separators_in_values(value: str) -> None:
    """A value with a semicolon or ampersand arrived as several parameters."""
    request = await asked("/", params=[("key", value), ("other", "x")])
    assert list(URL(request.target).query.items()) == [("key", value), ("other", "x")]
    assert ";" not in request.target


async def test_kinds_of_parameters() -> None:
    """Lists and numbers as parameters were sent as Python writes them, and None as the text None."""
    request = await asked("/?a=0", params={"a": [1, "2"], "b": 1.5})
    assert list(URL(request.target).query.items()) == [
        ("a", "0"),
        ("a", "1"),
        ("a", "2"),
        ("b", "1.5"),
    ]
    async with ClientSession() as session:
        for wrong in (None, True, b"x", object()):
            with pytest.raises(TypeError):
                await session.get("http://a.test/", params={"a": wrong})  # type: ignore[dict-item]


@reports("aio-libs/aiohttp#3304")
async def test_brackets_in_host() -> None:
    """The Host of an IPv6 address lacked its brackets."""
    async with RawServer.replies([OK], host="::1") as server, ClientSession() as session:
        assert await fetch(session, server.url()) == b"ok"
        assert server.requests[0].value("Host") == f"[::1]:{server.port}"


@reports(
    "aio-libs/yarl#1862",
    "aio-libs/aiohttp#10314",
    "aio-libs/aiohttp#4554",
    "encode/httpx#2174",
)
async def test_the_zone_of_an_address() -> None:
    """An IPv6 address with a zone could not be reached, or the zone was sent in Host, which servers refuse."""
    async with RawServer.replies([OK], host="::1") as server, ClientSession() as session:
        assert await fetch(session, f"http://[::1%1]:{server.port}/") == b"ok"
        assert server.requests[0].value("Host") == f"[::1]:{server.port}"


@reports("aio-libs/aiohttp#1174")
async def test_fragments_stay_here() -> None:
    """The fragment of a URL was sent to the server."""
    assert (await asked("/a?b=c#secret")).target == "/a?b=c"


@reports(
    "aio-libs/aiohttp#6647",
    "aio-libs/aiohttp#9530",
    "requests/toolbelt#238",
    "pydantic/httpx2#317",
)
@pytest.mark.parametrize(
    ("base", "path", "target"),
    [
        ("/api/v2/", "issue/1", "/api/v2/issue/1"),
        ("/api/v2/", "issue?x=1", "/api/v2/issue?x=1"),
        ("/api/v2/", "/issue", "/issue"),
        ("/", "issue", "/issue"),
        ("", "/issue", "/issue"),
        ("/api/v2/", "", "/api/v2/"),
    ],
)
async def test_base_urls_with_a_path(base: str, path: str, target: str) -> None:
    """The path of a base URL was refused, or silently dropped."""
    async with RawServer.replies([OK]) as server:
        async with ClientSession(server.url("") + base) as session:
            assert await fetch(session, path) == b"ok"
        assert server.requests[0].target == target


@pytest.mark.parametrize(
    "host", ["under_score.test", "-dash.test", "a--b.test", "faß.test", "1.test"]
)
async def test_unusual_hosts(host: str) -> None:
    """Hosts with an underscore, or not ASCII, failed in the URL library's encoder."""
    async with (
        RawServer.replies([OK]) as server,
        ClientSession(connector=names()) as session,
    ):
        assert await fetch(session, server.url(host=host)) == b"ok"


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http:///x",
        "/x",
        "a.test/x",
        "http://a.test:99999/",
        "ftp://a.test/",
        "http://[::1",
    ],
)
async def test_what_is_no_url(url: str) -> None:
    """Something that is no URL failed with whatever the URL library raised."""
    async with ClientSession() as session:
        with pytest.raises((aioclient.InvalidURL, aioclient.NonHttpUrlClientError)):
            await session.get(url)


@pytest.mark.parametrize("target", ["/x?&&", "/x?a", "/x?a=", "//double//slash", "/a//b/?c"])
async def test_empty_parts(target: str) -> None:
    """Empty parameters and path segments were dropped or changed."""
    async with RawServer.replies([OK]) as server, ClientSession() as session:
        assert await fetch(session, URL(server.url(target), encoded=True)) == b"ok"
    assert server.requests[0].target == target
