"""Arguments that cannot be meant are refused by name, before a connection is made."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from yarl import URL

import aioclient
from aioclient import ClientResponse, ClientSession, Handler, Request
from aioclient.testing import turns

from .loopback import OK, answer
from .servers.either import RawServer

pytestmark = pytest.mark.both_protocols


async def step(request: Request, handler: Handler) -> ClientResponse:
    return await handler(request)


WRONG: Mapping[str, tuple[str, object, str]] = {
    "S003-12-int": (
        "raise_for_status",
        1,
        "raise_for_status must be a bool or a coroutine function",
    ),
    "S003-12-str": ("raise_for_status", "yes", "found str 'yes'"),
    "S003-08-float": (
        "version",
        1.1,
        "version must be '2', '1.1', '1.0' or an HttpVersion, found float",
    ),
    "S003-05-int": ("skip_auto_headers", 5, "skip_auto_headers must be an iterable of names"),
    "S003-05-list-of-int": ("skip_auto_headers", [5], "a header name must be a str, found int 5"),
    "S003-04-int": ("headers", 5, "headers must be a mapping or (name, value) pairs, found int"),
    "middlewares-function": ("middlewares", step, "found one function"),
    "middlewares-str": ("middlewares", "step", "found str"),
    "middlewares-of-None": ("middlewares", [step, None], "found NoneType among them"),
    **{
        f"{name}-{value!r}": (name, value, name)
        for name in (
            "read_bufsize",
            "max_line_size",
            "max_field_size",
            "max_headers",
            "max_body_size",
        )
        for value in (-1, "1", 1.5, True)
    },
}
EACH = pytest.mark.parametrize(
    ("name", "value", "text"), [pytest.param(*wrong, id=row) for row, wrong in WRONG.items()]
)


@EACH
async def test_of_a_call(name: str, value: Any, text: str) -> None:
    """A call with an argument of the wrong kind raises before anything is sent, and says which one."""
    async with RawServer.replies([OK], repeat=True) as server, ClientSession() as session:
        with pytest.raises((TypeError, ValueError), match=re.escape(text)):
            await session.request("GET", server.url(), **{name: value})
        assert server.connections == 0


@EACH
async def test_of_a_session(name: str, value: Any, text: str) -> None:
    """A session with such an argument is not made."""
    with pytest.raises((TypeError, ValueError), match=re.escape(text)):
        ClientSession(**{name: value})


@pytest.mark.parametrize("trust_env", [0, 1])
async def test_trust_env_is_a_truth_value(trust_env: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not mistaken for the netrc file that it may turn on."""
    monkeypatch.setenv("NETRC", "/nonexistent")
    async with ClientSession(trust_env=trust_env) as session:
        assert session.trust_env is bool(trust_env)


async def test_none_is_as_the_session() -> None:
    """None for a size or for auto_decompress leaves what the session says, as in aiohttp."""
    async with (
        RawServer.replies(
            [answer(b"not gzip", "Content-Encoding: gzip"), OK, OK, OK, OK]
        ) as server,
        ClientSession(auto_decompress=False, max_line_size=200) as session,
    ):
        async with session.get(server.url(), auto_decompress=None) as response:
            assert await response.read() == b"not gzip"
        for name in ("read_bufsize", "max_line_size", "max_field_size", "max_headers"):
            arguments: Any = {name: None}
            async with session.get(server.url(), **arguments) as response:
                assert await response.read() == b"ok"


@pytest.mark.rows("S003-12")
async def test_check_that_is_no_coroutine_function() -> None:
    """A raise_for_status= that returns nothing to await is named, and its response let go."""

    def check(response: ClientResponse) -> None:
        """Look at it."""

    async def slow(conn: Any, _: Any) -> None:
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        await conn.closed()

    wrong: Any = check
    async with RawServer.replies([slow]) as server, ClientSession() as session:
        with pytest.raises(
            TypeError, match="check must be a coroutine function, it returned NoneType"
        ):
            await session.get(server.url(), raise_for_status=wrong)
        await turns()
        assert session.connector is not None
        assert session.connector.statistics().in_use == 0


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"a": None}, r"params\['a'\] is None; leave it out"),
        ([1], "params cannot be"),
        (5, "params cannot be"),
    ],
)
@pytest.mark.rows("S003-25")
async def test_params(params: Any, text: str) -> None:
    """What cannot be a query is refused as params."""
    async with ClientSession() as session:
        with pytest.raises(TypeError, match=text) as caught:
            await session.get("http://a.example/", params=params)
    assert str(caught.value).startswith("params cannot be made a query")


@pytest.mark.rows("S003-24", "S003-111")
@pytest.mark.parametrize(
    ("url", "of_error", "text"),
    [
        ("/ok", "/ok", "/ok - the URL is relative; give a full one, or a base_url to the session"),
        ("http://", "http://", "http:// - it names no host"),
        (
            "http://u:geheim@a:99999/",
            "***@a:99999/",
            "***@a:99999/ - its port is not a number from 1 to 65535",
        ),
        ("http://a\r\nb/", r"http://a\r\nb/", r"http://a\r\nb/ - it contains a control character"),
        (None, "None", "None - a URL is a str or a yarl.URL, found NoneType"),
        (b"http://a/", "b'http://a/'", "b'http://a/' - a URL is a str or a yarl.URL, found bytes"),
    ],
)
async def test_url(url: Any, of_error: str, text: str) -> None:
    """The error for a bad URL has it as ``url``, in nobody's quotes, and says what is wrong with it."""
    async with ClientSession() as session:
        with pytest.raises(aioclient.InvalidUrlClientError, match=re.escape(text)) as caught:
            await session.get(url)
    assert str(caught.value.url) == of_error


@pytest.mark.rows("S003-03")
async def test_cookies_for_an_https_base_url() -> None:
    """Plain cookies of a session for an https URL are Secure; what a Morsel says is its own affair."""
    async with ClientSession("https://a.example/", cookies=[("a", "1 2"), ("b", "2")]) as session:
        jar = session.cookie_jar
        assert list(jar.filter_cookies(URL("https://a.example/x"))) == ["a", "b"]
        assert not jar.filter_cookies(URL("http://a.example/x"))
        assert not jar.filter_cookies(URL("https://b.a.example/x"))
    async with ClientSession("http://a.example/", cookies={"a": "1"}) as session:
        assert list(session.cookie_jar.filter_cookies(URL("http://a.example/x"))) == ["a"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("files", "data"),
        ("content", "data"),
        ("verify", "ssl"),
        ("follow_redirects", "allow_redirects"),
        ("time_out", "timeout"),
    ],
)
async def test_names_of_other_libraries(name: str, meant: str) -> None:
    """An argument that requests or httpx has is told with the name that it has here."""
    arguments: Any = {name: None}
    async with ClientSession() as session:
        with pytest.raises(TypeError, match=rf"\['{name}'\].*; did you mean {meant}\?"):
            await session.get("http://a.example/", **arguments)


async def test_session_arguments_of_other_libraries() -> None:
    """What belongs to a connector is said to: verify is not version."""
    arguments: Any = {"verify": False}
    text = r"of ClientSession\(\); give it to the connector: connector=TCPConnector\(ssl=\.\.\.\)$"
    with pytest.raises(TypeError, match=text):
        ClientSession(**arguments)


async def test_a_forgotten_await() -> None:
    """What is asked of a request before it was awaited says that it was not."""
    async with ClientSession() as session:
        pending: Any = session.get("http://a.example/")
        with pytest.raises(AttributeError, match="no attribute 'status': await it first"):
            _ = pending.status
        assert not hasattr(pending, "cr_frame")
        pending.close()
