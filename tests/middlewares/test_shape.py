"""What a middleware written for aiohttp finds on a request, and what becomes of what it changes."""

import gzip
import inspect
import io
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import FormData, HttpVersion10, HttpVersion11, MultipartWriter
from aiohttp.payload import BytesPayload, Payload
from yarl import URL

import aioclient
from aioclient import ClientResponse, ClientSession, Handler, Request
from aioclient.testing import RawConnection, RawRequest

from ..loopback import OK, Loopback, answer, moved, names
from ..servers.certificates import Certificates
from ..servers.either import RawServer
from ..test_session import BODIES

pytestmark = pytest.mark.both_protocols

Change = Callable[[Request], Any]


def before(change: Change) -> aioclient.Middleware:
    """Return a middleware that calls *change* with the request before it is sent."""

    async def middleware(request: Request, handler: Handler) -> ClientResponse:
        result = change(request)
        if inspect.isawaitable(result):
            await result
        return await handler(request)

    return middleware


async def sent_after(change: Change, *, method: str = "POST", **arguments: Any) -> RawRequest:
    """Return the request that is sent when a middleware has changed it."""
    async with RawServer.replies([OK]) as server, ClientSession(connector=names()) as session:
        await session.request(
            method, server.url("/p", host="a.test"), middlewares=[before(change)], **arguments
        )
        return server.requests[0]


class TestMembers:
    async def test_a_plain_request(self) -> None:
        """A request without a body has every documented member, and what it says is true."""
        seen: list[Request] = []
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            url = URL(server.url("/p?q=1#frag"))
            response = await session.get(url, middlewares=[before(seen.append)])
            (request,) = seen
            assert request.body == b""
            assert request.chunked is None
            assert (request.is_ssl == False, request.is_ssl()) == (True, False)  # noqa: E712
            assert not request.is_ssl
            assert request.method == "GET"
            assert request.url == url.with_fragment(None)
            assert request.original_url == request.real_url == response.real_url == url
            assert (request.host, request.port) == ("127.0.0.1", server.port)
            assert request.request_info == response.request_info
            assert not request.skip_auto_headers
            assert request.response_class is ClientResponse
            assert request.server_hostname is None
            assert request.ssl is True
            assert request.version == HttpVersion11
            assert request.session is session
            assert (request.proxy, request.proxy_headers) == (None, None)
            assert request.headers["Host"] == f"127.0.0.1:{server.port}"
            assert "Content-Type" not in request.headers

    async def test_what_a_call_asks_for(self, certificates: Certificates) -> None:
        """What the arguments of the call say is what the members say."""
        seen: list[Request] = []
        context = certificates.client_context()
        tls = certificates.server_context("a.test")
        async with (
            RawServer.replies([OK], ssl=tls) as server,
            ClientSession(connector=names()) as session,
        ):
            await session.put(
                server.url(host="b.test"),
                json=[1],
                chunked=True,
                ssl=context,
                server_hostname="a.test",
                skip_auto_headers=["Accept"],
                middlewares=[before(seen.append)],
            )
        (request,) = seen
        assert request.is_ssl
        assert request.is_ssl()
        assert repr(request.is_ssl) == "True"
        assert request.chunked is True
        assert request.ssl is context
        assert request.server_hostname == "a.test"
        assert request.host == "b.test"
        assert list(request.skip_auto_headers) == ["accept"]
        assert "Accept" in request.skip_auto_headers
        assert request.headers["content-type"] == "application/json"
        assert isinstance(request.ssl, ssl.SSLContext)

    async def test_proxy(self) -> None:
        """The proxy and what it gets are told without its password; a Proxy-Authorization goes to it."""
        seen: list[Any] = []

        def change(request: Request) -> None:
            seen.extend([request.proxy, request.proxy_headers])
            request.headers["Proxy-Authorization"] = "mine"

        async with RawServer.replies([OK]) as proxy, ClientSession() as session:
            url = URL(proxy.url()).with_user("u").with_password("hunter2")
            await session.get(
                "http://a.test/",
                proxy=url,
                proxy_headers={"X-P": "1"},
                middlewares=[before(change)],
            )
        assert seen == [URL(proxy.url()).origin(), {"X-P": "1"}]
        (request,) = proxy.requests
        assert (request.target, request.value("X-P")) == ("http://a.test/", "1")
        assert request.value("Proxy-Authorization") == "mine"

    async def test_original_url(self) -> None:
        """It stays what the call asked for, whatever a middleware makes of the URL."""
        seen: list[Request] = []

        def change(request: Request) -> None:
            for step in ("one", "two"):
                request.url = request.url / step
            seen.append(request)

        async with RawServer.replies([OK]) as server, ClientSession() as session:
            url = URL(server.url("/p#f"))
            response = await session.get(url, middlewares=[before(change)])
            assert response.url == URL(server.url("/p/one/two"))
        assert seen[0].original_url == url

    async def test_a_session_that_is_gone(self) -> None:
        """A request does not keep its session alive."""
        async with RawServer.replies([OK]) as server:
            session = ClientSession()
            response = await session.get(server.url())
            await session.close()
            assert response.request.session is session
            del session
            assert response.request.session is None


class TestReading:
    @pytest.mark.parametrize("kind", BODIES)
    async def test_any_body(self, kind: str, tmp_path: Path) -> None:
        """request.body is a payload: as_bytes() gives all of it, and it is sent all the same, twice if need be."""
        data = BODIES[kind](tmp_path)
        read: list[bytes] = []

        async def twice(request: Request, handler: Handler) -> ClientResponse:
            assert isinstance(request.body, Payload)
            read.append(await request.body.as_bytes())
            read.append(await request.body.as_bytes())
            (await handler(request)).release()
            return await handler(request)

        async with RawServer.replies([OK, OK]) as server, ClientSession() as session:
            await session.post(server.url(), data=data, middlewares=[twice])
        assert read == [b"one two three"] * 2
        assert [request.body for request in server.requests] == read
        if isinstance(data, io.IOBase):
            data.close()

    async def test_what_is_in_memory(self) -> None:
        """Bytes, text, JSON and plain forms are BytesPayload, of any size, and can be decoded."""
        big = "x" * 2**21  # aiohttp's own payload warns about such
        for argument, text in (
            ({"data": b"a"}, "a"),
            ({"data": "ä"}, "ä"),
            ({"json": {"a": 1}}, '{"a": 1}'),
            ({"data": {"a": "b"}}, "a=b"),
            ({"data": big}, big),
        ):

            def look(request: Request, text: str = text) -> None:
                body = request.body
                assert isinstance(body, BytesPayload)
                assert body.decode() == text
                assert body.size == len(text.encode())
                assert body.content_type == request.headers["Content-Type"]

            await sent_after(look, **argument)

    async def test_a_payload_of_the_callers(self) -> None:
        """A payload that the call was given is what the middleware finds."""
        form = MultipartWriter("form-data")
        form.append("x")
        seen: list[object] = []
        request = await sent_after(lambda request: seen.append(request.body), data=form)
        assert seen == [form]
        assert b"x" in request.body

    async def test_what_is_not_in_memory(self) -> None:
        """A stream has no text to decode before it was read."""

        async def chunks() -> AsyncIterator[bytes]:
            yield b"a"

        def look(request: Request) -> None:
            assert isinstance(request.body, Payload)
            with pytest.raises(TypeError, match="not in memory"):
                request.body.decode()

        assert (await sent_after(look, data=chunks())).body == b"a"

    async def test_a_generator_that_was_read_is_redirected(self) -> None:
        """What as_bytes() has read of a generator goes to the target of a redirect as well."""

        async def chunks() -> AsyncIterator[bytes]:
            yield b"a"
            yield b"b"

        async def read(request: Request) -> None:
            assert isinstance(request.body, Payload)
            assert await request.body.as_bytes() == b"ab"

        replies = [moved("/b", status=307), OK]
        async with RawServer.replies(replies) as server, ClientSession() as session:
            await session.post(server.url(), data=chunks(), middlewares=[before(read)])
        assert [request.body for request in server.requests] == [b"ab", b"ab"]
        assert server.requests[0].value("Content-Length") == "2"


async def stream() -> AsyncIterator[bytes]:
    yield b"new"


class TestUpdateBody:
    @pytest.mark.parametrize(
        ("old", "new", "body", "media_type"),
        [
            ({"data": b"old!"}, b"new", b"new", "application/octet-stream"),
            ({"json": [1]}, b"[2]", b"[2]", "application/json"),
            ({"json": [1]}, "[2]", b"[2]", "application/json"),
            ({"json": [1]}, bytearray(b"[2]"), b"[2]", "application/json"),
            ({"json": [1]}, lambda: io.BytesIO(b"[2]"), b"[2]", "application/json"),
            ({"json": [1]}, {"a": "b"}, b"a=b", "application/x-www-form-urlencoded"),
            (
                {"json": [1]},
                lambda: FormData({"a": "b"}),
                b"a=b",
                "application/x-www-form-urlencoded",
            ),
            (
                {"json": [1]},
                lambda: BytesPayload(b"x", content_type="a/b"),
                b"x",
                "a/b",
            ),
            ({}, "text", b"text", "text/plain; charset=utf-8"),
            ({"data": b"x", "headers": {"Content-Type": "my/own"}}, {"a": "b"}, b"a=b", "my/own"),
            ({"data": b"x", "headers": {"Content-Length": "1"}}, b"longer", b"longer", None),
            ({"data": b"old"}, None, b"", None),
        ],
    )
    async def test_kinds(
        self, old: dict[str, Any], new: Any, body: bytes, media_type: str | None
    ) -> None:
        """The new body is sent with its own length; the type stays for raw content, not for forms and payloads."""

        async def change(request: Request) -> None:
            await request.update_body(new() if callable(new) else new)

        request = await sent_after(change, **old)
        assert request.body == body
        assert request.value("Content-Length") == str(len(body))
        if media_type is not None:
            assert request.value("Content-Type") == media_type
        if new is None:
            assert request.values("Content-Type") == []

    async def test_a_stream(self) -> None:
        """A body of unknown length goes in chunks, and bytes in its place with their length."""

        async def change(request: Request) -> None:
            await request.update_body(stream())

        request = await sent_after(change, data=b"old")
        assert (request.body, request.value("Transfer-Encoding")) == (b"new", "chunked")
        assert request.values("Content-Length") == []

        async def back(request: Request) -> None:
            await request.update_body(b"old")

        given = {"data": stream(), "headers": {"Transfer-Encoding": "chunked"}}
        assert (await sent_after(back, **given)).body == b"old"

    async def test_none_takes_the_framing_along(self) -> None:
        """Without a body there are no chunks either."""

        async def change(request: Request) -> None:
            await request.update_body(None)

        request = await sent_after(change, data=b"x", chunked=True)
        assert request.value("Content-Length") == "0"
        given = {"data": stream(), "headers": {"Transfer-Encoding": "chunked"}}
        assert (await sent_after(change, **given)).values("Transfer-Encoding") == []

    async def test_its_own_view(self) -> None:
        """A body set to what it is stays it."""

        async def change(request: Request) -> None:
            content = request.content
            await request.update_body(request.body)
            assert request.content is content

        assert (await sent_after(change, data=b"x")).body == b"x"
        assert (await sent_after(change, data=stream())).body == b"new"

    async def test_assigning(self) -> None:
        """request.body = ... does the same."""
        request = await sent_after(lambda request: setattr(request, "body", b"x"), json=[1])
        assert (request.body, request.value("Content-Type")) == (b"x", "application/json")

    async def test_what_is_none(self) -> None:
        """What is no body raises where it is set, and nothing is sent."""
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            with pytest.raises(TypeError, match="a request body is made of"):
                await session.get(
                    server.url(), middlewares=[before(lambda request: request.update_body(5))]
                )
            assert server.connections == 0

    async def test_the_old_one_is_closed(self) -> None:
        """update_body() closes the payload that it replaces."""

        class Watched(BytesPayload):
            closed = False

            async def close(self) -> None:
                self.closed = True

        old = Watched(b"old")

        async def change(request: Request) -> None:
            await request.update_body(b"new")
            assert old.closed

        assert (await sent_after(change, data=old)).body == b"new"


class TestCompress:
    async def test_it_says_the_coding(self) -> None:
        """request.compress is the coding's name; the body is shown as it was given, and sent in the coding."""

        async def look(request: Request) -> None:
            assert request.compress == "gzip"
            assert request.headers["Content-Encoding"] == "gzip"
            assert isinstance(request.body, BytesPayload)
            assert await request.body.as_bytes() == b"body"

        request = await sent_after(look, data=b"body", compress="gzip")
        assert gzip.decompress(request.body) == b"body"
        seen: list[str | None] = []
        await sent_after(lambda r: seen.append(r.compress), data=b"x")
        assert seen == [None]

    async def test_a_new_body(self) -> None:
        """A body set by a middleware is compressed, and watched, as the one before; None and empty ones are not."""
        told: list[int] = []

        async def change(request: Request) -> None:
            await request.update_body(b"new body")

        given: dict[str, Any] = {
            "compress": "gzip",
            "progress": lambda sent, total: told.append(sent),
        }
        request = await sent_after(change, data=b"body", **given)
        assert gzip.decompress(request.body) == b"new body"
        assert request.value("Content-Encoding") == "gzip"
        assert told[-1] == len(b"new body")
        for empty in (None, b""):
            request = await sent_after(
                lambda r, empty=empty: r.update_body(empty), data=b"body", **given
            )
            assert (request.body, request.values("Content-Encoding")) == (b"", [])

    async def test_reading_what_is_watched(self) -> None:
        """as_bytes() is no upload: progress= does not hear of it."""
        told: list[int] = []

        async def read(request: Request) -> None:
            assert isinstance(request.body, Payload)
            assert await request.body.as_bytes() == b"new"
            assert told == []

        await sent_after(read, data=stream(), progress=lambda sent, total: told.append(sent))
        assert told[-1] == 3

    async def test_setting_it(self) -> None:
        """A middleware may choose a coding, another one, or none."""
        for arguments, coding in (({}, "gzip"), ({"compress": "deflate"}, "gzip")):
            request = await sent_after(
                lambda r, coding=coding: setattr(r, "compress", coding), data=b"body", **arguments
            )
            assert gzip.decompress(request.body) == b"body"
            assert request.value("Content-Encoding") == "gzip"
        request = await sent_after(
            lambda r: setattr(r, "compress", None), data=b"body", compress="gzip"
        )
        assert (request.body, request.values("Content-Encoding")) == (b"body", [])
        with pytest.raises(ValueError, match="compress='x'"):
            await sent_after(lambda r: setattr(r, "compress", "x"), data=b"body")
        await sent_after(lambda r: setattr(r, "compress", "gzip"))


class TestChanges:
    @pytest.mark.parametrize(
        ("change", "check"),
        [
            (lambda r: setattr(r, "method", "PUT"), lambda r: r.method == "PUT"),
            (lambda r: setattr(r, "chunked", True), lambda r: r.value("Content-Length") is None),
            (lambda r: setattr(r, "version", HttpVersion10), lambda r: r.version == "HTTP/1.0"),
            (lambda r: r.headers.add("X", "1"), lambda r: r.value("X") == "1"),
            (lambda r: r.headers.popall("User-Agent"), lambda r: r.values("User-Agent") == []),
            (lambda r: r.headers.popall("Content-Type"), lambda r: r.values("Content-Type") == []),
            (
                lambda r: r.headers.update({"Content-Type": "a/b"}),
                lambda r: r.value("Content-Type") == "a/b",
            ),
            (lambda r: r.headers.update({"Host": "v.test"}), lambda r: r.value("Host") == "v.test"),
            (
                lambda r: setattr(r, "url", r.url.with_query("x=y")),
                lambda r: r.target == "/p?x=y",
            ),
        ],
        ids=[
            "method",
            "chunked",
            "version",
            "a field more",
            "a field less",
            "no type",
            "another type",
            "Host",
            "url",
        ],
    )
    async def test_they_are_sent(self, change: Change, check: Callable[[RawRequest], bool]) -> None:
        """What a middleware changes reaches the wire."""
        assert not check(await sent_after(lambda request: None, data=b"body"))
        assert check(await sent_after(change, data=b"body"))

    async def test_another_host(self) -> None:
        """With another URL go another connection and another Host."""
        resolver = Loopback()

        def change(request: Request) -> None:
            assert request.headers["Host"].startswith("a.test:")
            request.url = request.url.with_host("b.test")
            assert request.headers["Host"].startswith("b.test:")

        async with (
            RawServer.replies([OK]) as server,
            ClientSession(connector=aioclient.TCPConnector(resolver=resolver)) as session,
        ):
            await session.get(server.url(host="a.test"), middlewares=[before(change)])
        assert resolver.asked == ["b.test"]
        assert server.requests[0].value("Host") == f"b.test:{server.port}"

    @pytest.mark.rows("AUTH-16", "AUTH-12")
    async def test_user_and_password(self) -> None:
        """User and password of a URL set by a middleware are on no wire and in no response."""
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            url = URL(server.url("/x"))

            def change(request: Request) -> None:
                request.url = url.with_user("u").with_password("hunter2")

            response = await session.get(url, middlewares=[before(change)])
            assert response.real_url == url
        assert server.requests[0].values("Authorization") == []
        assert b"@" not in server.requests[0].head

    async def test_a_bad_url(self) -> None:
        """A URL that cannot be used raises where it is set."""
        with pytest.raises(aiohttp.InvalidURL):
            await sent_after(lambda request: setattr(request, "url", URL("/x")))

    async def test_response_class_and_server_hostname(self, certificates: Certificates) -> None:
        """The class of the response and the name to verify may be changed as well."""

        class Mine(ClientResponse):
            __slots__ = ()

        def change(request: Request) -> None:
            request.response_class = Mine
            request.server_hostname = "a.test"

        connector = aioclient.TCPConnector(resolver=Loopback(), ssl=certificates.client_context())
        tls = certificates.server_context("a.test")
        async with (
            RawServer.replies([OK], ssl=tls) as server,
            ClientSession(connector=connector) as session,
        ):
            response = await session.get(server.url(host="b.test"), middlewares=[before(change)])
            assert type(response) is Mine

    @pytest.mark.rows("URL-05")
    @pytest.mark.parametrize("name", ["straße.de", "XN--STRAE-OQA.de", "straße。de."])
    async def test_server_hostname(self, certificates: Certificates, name: str) -> None:
        """The name to verify is the one that a URL would have; what is none raises where it is set."""
        connector = aioclient.TCPConnector(resolver=Loopback(), ssl=certificates.client_context())
        async with (
            RawServer.replies([OK], ssl=certificates.server_context("xn--strae-oqa.de")) as server,
            ClientSession(connector=connector) as session,
        ):
            change = before(lambda request: setattr(request, "server_hostname", name))
            response = await session.get(server.url(host="b.test"), middlewares=[change])
            assert await response.read() == b"ok"
        with pytest.raises(aiohttp.InvalidURL):
            await sent_after(lambda request: setattr(request, "server_hostname", "a..b"))

    async def test_they_do_not_stay(self) -> None:
        """A change is for this request: the session, and its next request, know nothing of it."""
        async with (
            RawServer.replies([OK, OK]) as server,
            ClientSession(headers={"X": "session"}) as session,
        ):
            await session.get(
                server.url(), middlewares=[before(lambda r: r.headers.update({"X": "mine"}))]
            )
            await session.get(server.url())
            assert session.headers["X"] == "session"
        assert [request.value("X") for request in server.requests] == ["mine", "session"]


class TestHops:
    """A redirect is a new request, made of what the call gave; middlewares act on it anew."""

    async def test_each_hop(self) -> None:
        """A middleware sees each hop with its own URL, the history, and without what it had set itself."""
        seen: list[tuple[str, str, bytes, int, str | None]] = []

        async def mark(request: Request, handler: Handler) -> ClientResponse:
            body = await request.body.as_bytes() if isinstance(request.body, Payload) else b""
            seen.append(
                (
                    request.method,
                    request.url.path,
                    body,
                    len(request.history),
                    request.headers.get("X-Mark"),
                )
            )
            request.headers["X-Mark"] = "set"
            await request.update_body(b"<" + body + b">")
            return await handler(request)

        replies = [moved("/b", status=307), moved("/c", status=303), OK]
        async with (
            RawServer.replies(replies) as server,
            ClientSession(middlewares=[mark]) as session,
        ):
            response = await session.put(server.url("/a"), data=b"x")
            assert [hop.status for hop in response.history] == [307, 303]
        assert seen == [
            ("PUT", "/a", b"x", 0, None),
            ("PUT", "/b", b"x", 1, None),
            ("GET", "/c", b"", 2, None),
        ]
        assert [request.body for request in server.requests] == [b"<x>", b"<x>", b"<>"]

    async def test_a_method_of_the_middlewares(self) -> None:
        """The status means what it means for the method that was sent; the next hop begins with the call's."""

        async def post(request: Request, handler: Handler) -> ClientResponse:
            if not request.history:
                request.method = "POST"
            return await handler(request)

        for status, after in ((302, "GET"), (307, "DELETE")):
            replies = [moved("/b", status=status), OK]
            async with (
                RawServer.replies(replies) as server,
                ClientSession(middlewares=[post]) as session,
            ):
                await session.delete(server.url("/a"))
            assert [request.method for request in server.requests] == ["POST", after]

    @pytest.mark.parametrize("row", [pytest.param("", id="RED-07")])
    async def test_secrets_of_a_middleware(self, row: str) -> None:
        """A field that a middleware set for one origin does not travel to another, whatever its name."""

        async def key(request: Request, handler: Handler) -> ClientResponse:
            if request.url.host == "a.test":
                request.headers["X-Unusual"] = "s"
            return await handler(request)

        async def redirect(conn: RawConnection, request: RawRequest) -> None:
            conn.send(moved(server.url("/b", host="b.test")))

        async with (
            RawServer.replies([redirect, OK]) as server,
            ClientSession(connector=names(), middlewares=[key]) as session,
        ):
            await session.get(server.url("/a", host="a.test"), headers={"X-Plain": "p"})
        assert [request.values("X-Unusual") for request in server.requests] == [["s"], []]
        assert [request.value("X-Plain") for request in server.requests] == ["p", "p"]

    @pytest.mark.parametrize("row", [pytest.param("", id="RED-07")])
    async def test_secrets_of_an_auth(self, row: str) -> None:
        """Nor does a field that a function given as auth= has set."""

        def sign(request: Request) -> None:
            request.headers["X-Signature"] = f"for {request.url.host}"

        async def redirect(conn: RawConnection, request: RawRequest) -> None:
            conn.send(moved(server.url("/b", host="b.test")))

        async with (
            RawServer.replies([redirect, OK]) as server,
            ClientSession(connector=names(), auth=sign) as session,
        ):
            await session.get(server.url("/a", host="a.test"))
        assert [request.values("X-Signature") for request in server.requests] == [
            ["for a.test"],
            [],
        ]

    async def test_a_url_of_the_middlewares(self) -> None:
        """A Location is resolved against the URL that was asked, the middleware's."""
        async with RawServer.replies([moved("x"), OK]) as server, ClientSession() as session:
            await session.get(
                server.url("/a/b"),
                middlewares=[
                    before(
                        lambda r: None if r.history else setattr(r, "url", r.url.with_path("/c/d"))
                    )
                ],
            )
        assert [request.target for request in server.requests] == ["/c/d", "/c/x"]


class TestWhichOnes:
    async def test_of_the_call(self) -> None:
        """middlewares= of a call replace the session's; () means none."""
        seen: list[str] = []

        def named(name: str) -> aioclient.Middleware:
            return before(lambda request: seen.append(name))

        async with (
            RawServer.replies([answer(b"")] * 3) as server,
            ClientSession(middlewares=(named("session"),)) as session,
        ):
            for more in ({}, {"middlewares": (named("a"), named("b"))}, {"middlewares": ()}):
                await session.get(server.url(), **more)  # type: ignore[arg-type]
                seen.append("|")
        assert seen == ["session", "|", "a", "b", "|", "|"]
