"""What reaches the wire of a request, and what never does (RFC 9112, sections 3 and 6)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from multidict import CIMultiDict
from yarl import URL

import aioclient
from aioclient import Request
from aioclient.body import MAKER
from aioclient.exchange import Exchange
from aioclient.message.body import Body
from aioclient.message.headers import DefaultHeaders
from aioclient.message.request import RequestOptions
from aioclient.protocols.http1.head import encode_head, encode_head_for, outgoing_fields
from aioclient.testing import RawConnection, RawServer

from .corpus import END, OK

pytestmark = pytest.mark.both_loops


async def refused(error: type[Exception] | tuple[type[Exception], ...], **arguments: Any) -> None:
    """Make the request and see it refused before a byte is sent."""
    received: list[RawConnection] = []

    async def serve(conn: RawConnection) -> None:
        received.append(conn)
        await conn.closed()

    async with RawServer(serve) as server, aioclient.ClientSession() as session:
        path = arguments.pop("path", "/")
        url = URL(server.url() + path[1:], encoded=True) if isinstance(path, str) else path(server)
        with pytest.raises(error) as caught:
            async with session.request(arguments.pop("method", "GET"), url, **arguments):
                pass
        assert str(caught.value).isprintable()
    assert sum(conn.received for conn in received) == 0


async def sent(**arguments: Any) -> bytes:
    """Make the request; return its head as the server saw it."""
    async with RawServer.replies([OK + END]) as server, aioclient.ClientSession() as session:
        path = arguments.pop("path", "/")
        url = server.url(path) if isinstance(path, str) else path(server)
        async with session.request(arguments.pop("method", "GET"), url, **arguments) as response:
            assert await response.read() == b"ok" or response.method == "HEAD"
        return server.requests[0].head


async def one_byte() -> AsyncIterator[bytes]:
    yield b"a"


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(method, id=f"INJ-01-{name}")
        for name, method in (
            ("crlf", "GET / HTTP/1.1\r\nX: y\r\n\r\nGET"),
            ("lf", "GET\n"),
            ("cr", "GET\r"),
            ("space", "GE T"),
            ("tab", "GET\t"),
            ("empty", ""),
            ("latin", "GÉT"),
            ("long-s", "PO\u017fT"),
            ("dotless-i", "OPT\u0131ONS"),
            ("nul", "GET\0"),
            ("colon", "GET:"),
            ("slash", "GET/"),
        )
    ],
)
async def test_method(method: str) -> None:
    """INJ-01: a method that is no token is refused before anything is sent."""
    await refused(ValueError, method=method)


FORBIDDEN = [chr(code) for code in (*range(0x09), *range(0x0A, 0x20), 0x7F)]
ALLOWED = "".join(chr(code) for code in (0x09, *range(0x20, 0x7F), *range(0x80, 0x100)))
TOKENS = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


class TestFields:
    @pytest.mark.parametrize("where", ["session", "call"])
    async def test_values(self, where: str) -> None:
        """INJ-02: each control character but the tab is refused in a value."""
        async with RawServer.replies([OK + END]) as server:
            for character in FORBIDDEN:
                fields = {"X-Y": f"a{character}b"}
                session_fields, call_fields = (
                    (fields, None) if where == "session" else (None, fields)
                )
                with pytest.raises(ValueError, match="X-Y"):
                    async with aioclient.ClientSession(headers=session_fields) as session:
                        await session.get(server.url(), headers=call_fields)
            assert server.connections == 0

    async def test_all_other_characters(self) -> None:
        """INJ-02: every other character goes out, as UTF-8, in one field."""
        head = await sent(headers={"X-Y": f"a{ALLOWED}b"})
        assert head.count(f"\r\nX-Y: a{ALLOWED}b\r\n".encode()) == 1

    async def test_names(self) -> None:
        """INJ-02: a name is a token, or is refused."""
        async with RawServer.replies([OK + END]) as server, aioclient.ClientSession() as session:
            for character in map(chr, range(0x100)):
                if character in TOKENS:
                    continue
                for name in (f"X{character}Y", character, f"{character}X", f"X{character}"):
                    with pytest.raises(ValueError, match="token"):
                        await session.get(server.url(), headers={name: "a"})
            with pytest.raises(ValueError, match="token"):
                await session.get(server.url(), headers={"": "a"})
            assert server.connections == 0
        head = await sent(headers={"".join(sorted(TOKENS)): "a"})
        assert "".join(sorted(TOKENS)).encode() + b": a\r\n" in head

    @pytest.mark.parametrize(
        "value",
        [b"a", 1, 1.5, ["a"], ("a",), True, object()],
        ids=lambda value: type(value).__name__,
    )
    async def test_types(self, value: object) -> None:
        """INJ-02: a value is a str: nothing else is turned into one that was never looked at."""
        await refused(TypeError, headers={"X-Y": value})

    async def test_later_changes(self) -> None:
        """INJ-02: a default field that is set after the session was made is looked at, too."""
        async with RawServer.replies([OK + END]) as server, aioclient.ClientSession() as session:
            session.headers["X-Y"] = "a\r\nb"
            with pytest.raises(ValueError, match="X-Y"):
                await session.get(server.url())
            assert server.connections == 0

    @pytest.mark.parametrize(
        "name",
        [
            pytest.param(n, id=f"INJ-04-{n}")
            for n in ("Host", "Upgrade", "Origin", "Sec-WebSocket-Protocol")
        ],
    )
    async def test_special_fields(self, name: str) -> None:
        """INJ-04: fields with a meaning of their own are no exception."""
        await refused(ValueError, headers={name: "a\r\nX: y"})


class TestTarget:
    @pytest.mark.parametrize(
        "path",
        [
            pytest.param("/a\r\nX: y", id="INJ-03-crlf"),
            pytest.param("/a\nX: y", id="INJ-03-lf"),
            pytest.param("/a b", id="INJ-03-space"),
            pytest.param("/a?q=a b", id="INJ-03-query"),
            pytest.param("/a\0b", id="INJ-03-nul"),
            pytest.param("/a\x7fb", id="INJ-03-delete"),
            pytest.param("/é", id="INJ-03-latin"),
        ],
    )
    async def test_encoded_by_the_caller(self, path: str) -> None:
        """INJ-03: what a caller declares encoded and is not is refused."""
        await refused(ValueError, path=path)

    @pytest.mark.parametrize(
        ("arguments", "target"),
        [
            pytest.param({"path": "/a b"}, b"/a%20b", id="INJ-03-path"),
            pytest.param({"params": {"q": "a\r\nX: y"}}, b"/?q=a%0D%0AX:+y", id="INJ-03-params"),
            pytest.param({"params": {"q\r\n": "a"}}, b"/?q%0D%0A=a", id="INJ-03-params-name"),
            pytest.param({"path": "/a#b c"}, b"/a", id="INJ-03-fragment"),
        ],
    )
    async def test_encoded_by_us(self, arguments: dict[str, Any], target: bytes) -> None:
        """INJ-03: what is not declared encoded is encoded: there is one request line and no other field."""
        head = await sent(**arguments)
        assert head.startswith(b"GET " + target + b" HTTP/1.1\r\nHost: ")
        assert b"\r\nX:" not in head

    @pytest.mark.parametrize("path", ["/a\r\nX:y", "/a\tb", "/?q=\r\nX:y", "/a\nHTTP/1.1"])
    @pytest.mark.parametrize("encoded", [True, False])
    async def test_line_ends_in_a_url(self, encoded: bool, path: str) -> None:
        """INJ-03: line ends in a URL, which yarl drops, never end the request line."""
        async with RawServer.replies([OK + END]) as server, aioclient.ClientSession() as session:
            try:
                async with session.get(URL(server.url(path), encoded=encoded)) as response:
                    await response.read()
            except ValueError:
                assert server.connections == 0
            else:
                head = server.requests[0].head
                assert head.split(b"\r\n")[0].endswith(b" HTTP/1.1")
                assert head.split(b"\r\n")[1].startswith(b"Host: ")
                assert b"\r\nX:" not in head


@pytest.mark.parametrize("version", ["1.1\r\nX: y", "2.1", "1.1 ", "", "0.9", (1, 2)])
async def test_version(version: Any) -> None:
    """INJ-04: a version is 1.1 or 1.0."""
    await refused(ValueError, version=version)


async def test_server_hostname() -> None:
    """INJ-04: a name for the certificate that holds a control character is refused."""
    await refused(
        (ValueError, aioclient.ClientError),
        path=lambda server: server.url().replace("http", "https"),
        server_hostname="a\r\nb",
    )


class TestFraming:
    @pytest.mark.parametrize(
        "arguments",
        [
            pytest.param(arguments, id=f"INJ-08-{name}")
            for name, arguments in (
                ("length-of-another-body", {"data": b"hello", "headers": {"Content-Length": "3"}}),
                ("length-without-body", {"headers": {"Content-Length": "3"}}),
                (
                    "two-lengths",
                    {"data": b"a", "headers": [("Content-Length", "1"), ("Content-Length", "1")]},
                ),
                (
                    "two-lengths-of-an-unknown-body",
                    {
                        "data": one_byte,
                        "headers": [("Content-Length", "1"), ("content-length", "1")],
                    },
                ),
                (
                    "length-and-chunked",
                    {"data": b"hello", "headers": {"Content-Length": "5"}, "chunked": True},
                ),
                (
                    "both-fields",
                    {
                        "data": b"hello",
                        "headers": {"Content-Length": "5", "Transfer-Encoding": "chunked"},
                    },
                ),
                ("chunked-without-body", {"headers": {"Transfer-Encoding": "chunked"}}),
                ("chunked-argument-without-body", {"chunked": True}),
                ("other-coding", {"data": b"a", "headers": {"Transfer-Encoding": "gzip, chunked"}}),
                (
                    "chunked-twice",
                    {"data": b"a", "headers": {"Transfer-Encoding": "chunked, chunked"}},
                ),
                ("xchunked", {"data": b"a", "headers": {"Transfer-Encoding": "xchunked"}}),
                ("1.0-chunked", {"data": b"a", "version": "1.0", "chunked": True}),
                *(
                    (f"length-{value!r}", {"data": one_byte, "headers": {"Content-Length": value}})
                    for value in ("+1", "-1", "1_0", "\u0661", "1,1", "", "0x1", "1.0", "1 1")
                ),
            )
        ],
    )
    async def test_contradictions(self, arguments: dict[str, Any]) -> None:
        """INJ-08: fields that contradict the body are refused before anything is sent."""
        arguments = dict(arguments)
        if callable(arguments.get("data")):
            arguments["data"] = arguments["data"]()
        await refused(ValueError, method="POST", **arguments)

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            ({"method": "GET"}, []),
            ({"method": "DELETE"}, []),
            ({"method": "POST"}, [b"Content-Length: 0"]),
            ({"method": "PATCH", "data": b""}, [b"Content-Length: 0"]),
            ({"method": "GET", "data": b"hello"}, [b"Content-Length: 5"]),
            ({"method": "POST", "data": b"hello"}, [b"Content-Length: 5"]),
            (
                {"method": "POST", "data": b"hello", "chunked": True},
                [b"Transfer-Encoding: chunked"],
            ),
            ({"method": "POST", "data": one_byte}, [b"Transfer-Encoding: chunked"]),
            (
                {"method": "POST", "data": one_byte, "headers": {"content-length": "1"}},
                [b"content-length: 1"],
            ),
            ({"method": "GET", "data": one_byte}, [b"Transfer-Encoding: chunked"]),
            (
                {"method": "POST", "data": b"a", "headers": {"Transfer-Encoding": "chunked"}},
                [b"Transfer-Encoding: chunked"],
            ),
        ],
    )
    async def test_one_framing(self, arguments: dict[str, Any], expected: list[bytes]) -> None:
        """INJ-08: a request with a body has exactly one field that frames it."""
        arguments = dict(arguments)
        if callable(arguments.get("data")):
            arguments["data"] = arguments["data"]()
        head = await sent(**arguments)
        found = [
            line
            for line in head.split(b"\r\n")
            if line.lower().startswith((b"content-length:", b"transfer-encoding:"))
        ]
        assert found == expected


class Described(Body):
    """A body that says of itself what it is told to."""

    def __init__(
        self, size: int | None, content_type: str | None, headers: dict[str, str] | None = None
    ) -> None:
        self.size, self.content_type, self.headers = size, content_type, headers


def exchange_of(
    method: str,
    body: Body | None,
    defaults: dict[str, str] | None = None,
    options: dict[str, Any] | None = None,
) -> Exchange:
    asked = Request(
        method,
        URL("http://a.test/p?q=1"),
        DefaultHeaders(CIMultiDict(defaults or {}), {"Accept": "*/*"}),
        None,
        body,
        RequestOptions(response_class=object, bodies=MAKER, **(options or {})),
        aioclient.ClientTimeout(),
        None,
        None,
        None,
        lambda: None,  # type: ignore[arg-type]
    )
    return Exchange(asked, asked.key, 0.0)


class TestShortWay:
    """The head of a usual request is put together in a shorter way, which no byte of it shows."""

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize(
        "body",
        [
            None,
            Described(0, None),
            Described(5, "application/json"),
            Described(5, 'multipart/form-data; boundary="\u00e9"'),
            Described(5, "text/plain", {"Content-Encoding": "gzip", "Content-Type": "a/b"}),
            Described(None, "text/plain"),
        ],
        ids=["none", "empty", "json", "not-ascii", "more-fields", "unknown-size"],
    )
    @pytest.mark.parametrize("defaults", [{}, {"Content-Type": "a/b"}, {"Expect": "100-continue"}])
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"expect100": True},
            {"chunked": True},
            {"skip_auto_headers": frozenset({"content-type"})},
        ],
        ids=["usual", "expect", "chunked", "skip"],
    )
    async def test_same_bytes(
        self, method: str, body: Body | None, defaults: dict[str, str], options: dict[str, Any]
    ) -> None:
        """It is the head that is made of all fields, one by one."""
        if body is None and "chunked" in options:
            pytest.skip("refused")
        exchange = exchange_of(method, body, defaults, options)
        head, chunked, last = encode_head(exchange)
        assert (head, chunked) == encode_head_for(exchange.request, "/p?q=1", ())
        assert not last
        lines = [f"{name}: {value}" for name, value in outgoing_fields(exchange).items()]
        assert head.decode().split("\r\n") == [f"{method} /p?q=1 HTTP/1.1", *lines, "", ""]

    @pytest.mark.parametrize("value", ["a/b\r\nX: y", "a/b\0"])
    async def test_a_type_that_must_not_reach_the_wire(self, value: str) -> None:
        """A body's media type that holds a control character is refused, the second time as well."""
        for _ in range(2):
            with pytest.raises(ValueError, match="Content-Type contains the control character"):
                encode_head(exchange_of("POST", Described(1, value)))
