"""Redirects: what the next hop is, what goes with it, and what stays behind."""

import asyncio
import gzip
import io
import ssl
import tracemalloc
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import aiohttp
import pytest
from yarl import URL

import aioclient
from aioclient import (
    BodyConsumedError,
    ClientResponse,
    ClientSession,
    FormData,
    Handler,
    Request,
    TCPConnector,
)
from aioclient.middlewares.redirects.step import method_after
from aioclient.testing import RawConnection, RawRequest

from ..loopback import OK, Loopback, answer, moved, names, open_jar
from ..servers.certificates import Certificates
from ..servers.either import RawServer

pytestmark = pytest.mark.both_protocols

row = pytest.mark.rows


async def hops(location: str, start: str = "/start", **arguments: Any) -> list[RawRequest]:
    """Return the requests of a call that is redirected once; {port} in the Location is the server's."""

    async def redirect(conn: RawConnection, request: RawRequest) -> None:
        status = arguments.get("status", 302)
        conn.send(moved(location.format(port=server.port), status=status))

    of_session = {name: arguments.pop(name) for name in ("session",) if name in arguments}
    async with RawServer.replies([redirect, OK]) as server:
        url = server.url(start, host="a.test")
        call = {
            name: value for name, value in arguments.items() if name not in ("status", "method")
        }
        async with ClientSession(connector=names(), **of_session.get("session", {})) as session:
            await session.request(arguments.get("method", "GET"), url, **call)
        return server.requests


class TestMethod:
    @pytest.mark.rows("S003-31")
    @pytest.mark.parametrize(
        ("method", "status", "after"),
        [
            ("GET", 301, "GET"),
            ("HEAD", 301, "HEAD"),
            ("POST", 301, "GET"),
            ("PUT", 301, "PUT"),
            ("DELETE", 302, "DELETE"),
            ("POST", 302, "GET"),
            ("PATCH", 302, "PATCH"),
            ("GET", 303, "GET"),
            ("HEAD", 303, "HEAD"),
            ("POST", 303, "GET"),
            ("PUT", 303, "GET"),
            ("DELETE", 303, "GET"),
            ("POST", 307, "POST"),
            ("PUT", 308, "PUT"),
            ("HEAD", 308, "HEAD"),
        ],
    )
    async def test_the_table(self, method: str, status: int, after: str) -> None:
        """303 leads to GET but for HEAD, 301 and 302 for POST only, 307 and 308 never."""
        assert method_after(method, status) == after
        reply = answer(b"") if method == "HEAD" else OK
        async with (
            RawServer.replies([moved("/b", status=status), reply]) as server,
            ClientSession() as session,
        ):
            response = await session.request(method, server.url("/a"))
            assert (response.status, response.method, response.url.path) == (200, after, "/b")
        assert [request.method for request in server.requests] == [method, after]

    @pytest.mark.parametrize(
        "status", [s for s in HTTPStatus if 300 <= s < 400 and s not in (301, 302, 303, 307, 308)]
    )
    async def test_other_statuses(self, status: int) -> None:
        """300, 304, 305 and 306 are no redirects to follow, whatever Location says."""
        async with (
            RawServer.replies([moved("/b", status=status)]) as server,
            ClientSession() as session,
        ):
            assert (await session.get(server.url())).status == status


class TestBody:
    @row("RED-08")
    @pytest.mark.parametrize(
        ("method", "status"),
        [("POST", 301), ("POST", 302), ("POST", 303), ("PUT", 303), ("GET", 303)],
    )
    @pytest.mark.parametrize("chunked", [None, True])
    async def test_it_is_dropped(self, method: str, status: int, chunked: bool | None) -> None:
        """With the change to GET the body goes, and every field that describes it."""
        described = dict.fromkeys(
            ("Content-Language", "content-md5", "Content-Type", "Digest", "Trailer"), "x"
        )
        first, second = await hops(
            "/b",
            method=method,
            status=status,
            data=b"body",
            chunked=chunked,
            expect100=False,
            headers={**described, "X-Kept": "1"},
        )
        assert first.body == b"body"
        assert first.value("Digest") == "x"
        assert (second.method, second.body, second.value("X-Kept")) == ("GET", b"", "1")
        for name in (*described, "Content-Length", "Transfer-Encoding", "Expect"):
            assert second.values(name) == [], name

    @pytest.mark.parametrize("status", [307, 308])
    @pytest.mark.parametrize("kind", ["bytes", "form", "json", "file"])
    async def test_it_is_sent_again(self, status: int, kind: str) -> None:
        """307 and 308 send the same body, with its fields."""
        given: dict[str, dict[str, Any]] = {
            "bytes": {"data": b"body"},
            "form": {"data": {"a": "b"}},
            "json": {"json": [1]},
            "file": {"data": io.BytesIO(b"body")},
        }
        first, second = await hops("/b", method="POST", status=status, **given[kind])
        assert first.body == second.body != b""
        for name in ("Content-Type", "Content-Length"):
            assert first.value(name) == second.value(name) is not None

    @row("RED-09")
    @pytest.mark.parametrize(("method", "status"), [("POST", 307), ("POST", 308), ("PUT", 302)])
    @pytest.mark.parametrize("kind", ["bytes", "generator"])
    async def test_another_origin_does_not_get_it(
        self, method: str, status: int, kind: str
    ) -> None:
        """A redirect that keeps the body does not take it to another origin, and says what would allow it."""

        async def pieces() -> AsyncIterator[bytes]:
            yield b"body"

        with pytest.raises(
            aioclient.CrossOriginBodyError,
            match=rf"redirects with {status} to http://b.test.*RedirectPolicy\(send_body",
        ) as caught:
            data = b"body" if kind == "bytes" else pieces()
            await hops("http://b.test:{port}/", method=method, status=status, data=data)
        assert isinstance(caught.value, BodyConsumedError)

    @row("RED-09")
    @pytest.mark.parametrize(("method", "data"), [("GET", None), ("DELETE", None), ("POST", b"")])
    async def test_without_one(self, method: str, data: bytes | None) -> None:
        """307 and 308 to another origin are followed where there is no body, or an empty one."""
        _, second = await hops("http://b.test:{port}/", method=method, status=307, data=data)
        assert (second.method, second.body) == (method, b"")

    @row("RED-09")
    @pytest.mark.parametrize("kind", ["generator", "iterator", "pipe-like form"])
    async def test_it_cannot_be_sent_again(self, kind: str) -> None:
        """A body that was consumed raises BodyConsumedError: it is never sent empty."""

        async def generator() -> AsyncIterator[bytes]:
            yield b"body"

        form = FormData()
        form.add_field("f", generator(), filename="f")
        data: Any = {"generator": generator(), "iterator": iter([b"body"]), "pipe-like form": form}
        async with (
            RawServer.replies([moved("/b", status=307)]) as server,
            ClientSession() as session,
        ):
            with pytest.raises(BodyConsumedError, match=r"307 to .*/b, but the request body"):
                await session.post(server.url(), data=data[kind])
        assert b"body" in server.requests[0].body
        assert len(server.requests) == 1

    async def test_one_that_was_not_asked_for(self) -> None:
        """A body that waited for 100 Continue in vain was not consumed: it goes to the redirect's target."""

        async def generator() -> AsyncIterator[bytes]:
            yield b"body"

        async def early(conn: RawConnection) -> None:
            head = await conn.read_request(body=False)
            if head.target == "/a":
                conn.send(moved("/b", status=307))
                await conn.closed()
            else:
                conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                request = await conn.read_body(head)
                conn.send(answer(request.body))

        async with RawServer(early) as server, ClientSession() as session:
            response = await session.post(server.url("/a"), data=generator(), expect100=True)
            assert await response.read() == b"body"

    async def test_a_text_file(self) -> None:
        """A file is read again from where it stood."""
        file = io.BytesIO(b"skip body")
        file.seek(5)
        first, second = await hops("/b", method="PUT", status=302, data=file)
        assert first.body == second.body == b"body"


SECRETS = {
    "RED-01": [("Authorization", "s"), ("aUTHORIZATION", "t")],
    "RED-02": [
        ("Cookie", "a=s"),
        ("Cookie2", "s"),
        ("Proxy-Authorization", "s"),
        ("WWW-Authenticate", "s"),
    ],
    "RED-07": [
        (name, "s")
        for name in (
            "X-Api-Key",
            "Api-Key",
            "apikey",
            "X-ApiKey",
            "X-Auth",
            "X-Auth-User",
            "X-Auth-Token",
            "Private-Token",
            "X-CSRF-Token",
            "X-Amz-Security-Token",
            "X-Vault-Token",
            "Ocp-Apim-Subscription-Key",
            "X-Functions-Key",
            "X-Client-Secret",
            "X-Access-Key",
            "OK-ACCESS-PASSPHRASE",
            "X-Goog-Iap-Jwt-Assertion",
            "X-Credential",
            "XToken",
            "Authentication",
            "X-Cookie",
            "X-Session-Id",
            "X-Mine",
        )
    ],
}

BY_ROW = [pytest.param(fields, id=name, marks=row(name)) for name, fields in SECRETS.items()]


class TestCredentials:
    @pytest.mark.parametrize("fields", BY_ROW)
    @pytest.mark.parametrize("of_session", [True, False])
    async def test_fields_that_carry_secrets(
        self, fields: list[tuple[str, str]], of_session: bool
    ) -> None:
        """Another origin sees none of them, of session or call, in any case, repeated or not."""
        own = {"headers": [*fields, ("X-Plain", "p")]}
        mine = {"sensitive_headers": ["X-MINE"]}
        first, second = await hops(
            "http://b.test:{port}/",
            session={**mine, **(own if of_session else {})},
            **({} if of_session else own),
        )
        for name, _ in fields:
            # What is for a proxy reaches no server at all.
            assert (first.values(name) == []) is (name == "Proxy-Authorization")
            assert second.values(name) == [], name
        assert second.value("X-Plain") == "p"
        assert (second.value("Host") or "").startswith("b.test:")

    @pytest.mark.parametrize("fields", BY_ROW)
    async def test_they_stay_with_the_origin(self, fields: list[tuple[str, str]]) -> None:
        """The same origin gets them again, wherever the path leads."""
        first, second = await hops("http://a.test:{port}/other", headers=fields)
        for name, _ in fields:
            assert second.values(name) == first.values(name)
            assert (first.values(name) == []) is (name == "Proxy-Authorization")

    @row("RED-01")
    @pytest.mark.parametrize("where", ["call", "session", "url"])
    async def test_auth(self, where: str) -> None:
        """auth of call, session or URL goes to the first origin only, and to all its hops."""
        auth = {"auth": ("user", "pass")}
        session = {"session": auth if where == "session" else {}}
        call = auth if where == "call" else {}
        for location, again in (("/b", True), ("http://b.test:{port}/", False)):

            async def redirect(
                conn: RawConnection, request: RawRequest, location: str = location
            ) -> None:
                conn.send(moved(location.format(port=server.port)))

            async with RawServer.replies([redirect, OK]) as server:
                url = URL(server.url(host="a.test"))
                if where == "url":
                    url = url.with_user("user").with_password("pass")
                async with ClientSession(connector=names(), **session["session"]) as client:
                    await client.get(url, **call)
            first, second = server.requests
            assert first.value("Authorization") == "Basic dXNlcjpwYXNz"
            assert second.values("Authorization") == first.values("Authorization") * again

    @row("RED-03")
    async def test_cookies_of_the_call(self) -> None:
        """Cookies given with a call go to its origin only."""
        _, there = await hops("http://b.test:{port}/", cookies={"sid": "S"})
        assert there.values("Cookie") == []
        _, here = await hops("/b", cookies={"sid": "S"})
        assert here.values("Cookie") == ["sid=S"]

    @row("RED-03")
    async def test_a_host_field_of_the_call(self) -> None:
        """A Host field of the caller's is for the first origin."""
        first, there = await hops("http://b.test:{port}/", headers={"Host": "virtual.test"})
        assert first.value("Host") == "virtual.test"
        assert (there.value("Host") or "").startswith("b.test:")
        _, here = await hops("/b", headers={"Host": "virtual.test"})
        assert here.value("Host") == "virtual.test"

    @row("RED-04")
    @pytest.mark.parametrize("down", [True, False])
    async def test_another_scheme(self, down: bool, certificates: Certificates) -> None:
        """https to http of the same host is another origin, and http to https too."""

        async def redirect(conn: RawConnection, request: RawRequest) -> None:
            conn.send(moved(second.url(host="a.test")))

        tls = certificates.server_context()
        first = RawServer.replies([redirect], ssl=tls if down else None)
        second = RawServer.replies([OK], ssl=None if down else tls)
        connector = TCPConnector(resolver=Loopback(), ssl=certificates.client_context())
        async with first, second, ClientSession(connector=connector, auth=("u", "p")) as session:
            await session.get(
                first.url(host="a.test"), headers={"X-Api-Key": "k"}, cookies={"c": "1"}
            )
        assert first.requests[0].value("Authorization") is not None
        for name in ("Authorization", "X-Api-Key", "Cookie"):
            assert second.requests[0].values(name) == []

    @row("RED-05")
    async def test_another_port(self) -> None:
        """Another port of the same host is another origin."""

        async def redirect(conn: RawConnection, request: RawRequest) -> None:
            conn.send(moved(second.url(host="a.test")))

        async with (
            RawServer.replies([redirect]) as first,
            RawServer.replies([OK]) as second,
            ClientSession(connector=names(), auth=("u", "p")) as session,
        ):
            await session.get(first.url(host="a.test"), cookies={"c": "1"})
        assert first.requests[0].value("Authorization") is not None
        assert second.requests[0].values("Authorization") == []
        assert second.requests[0].values("Cookie") == []

    @row("RED-06")
    async def test_what_was_dropped_stays_dropped(self) -> None:
        """After a hop to another origin no later hop sees the credentials, not even the first origin."""

        async def redirect(conn: RawConnection, request: RawRequest) -> None:
            to = {"/1": "b.test", "/2": "b.test", "/3": "sub.b.test", "/4": "a.test"}
            step = int(request.target[1:])
            conn.send(moved(f"http://{to[request.target]}:{server.port}/{step + 1}"))

        async with (
            RawServer.replies([redirect] * 4 + [OK]) as server,
            ClientSession(connector=names(), auth=("u", "p")) as session,
        ):
            session.headers["X-Api-Key"] = "k"
            await session.get(server.url("/1", host="a.test"), cookies={"c": "1"})
        first, *later = server.requests
        assert first.value("X-Api-Key") == "k"
        assert [(request.value("Host") or "").partition(":")[0] for request in later] == [
            "b.test",
            "b.test",
            "sub.b.test",
            "a.test",
        ]
        for request in later:
            for name in ("Authorization", "X-Api-Key", "Cookie"):
                assert request.values(name) == []

    @row("RED-14")
    @pytest.mark.parametrize(
        "location",
        ["http://u:p@b.test:{port}/", "http://u:p@a.test:{port}/", "//u:p@a.test:{port}/"],
    )
    async def test_credentials_in_a_location(self, location: str) -> None:
        """User and password in a Location are nobody's credentials: they are dropped."""
        _, second = await hops(location)
        assert second.values("Authorization") == []
        assert "@" not in (second.value("Host") or "")
        _, second = await hops("http://evil:x@a.test:{port}/", auth=("user", "pass"))
        assert second.values("Authorization") == ["Basic dXNlcjpwYXNz"]

    @row("RED-14")
    async def test_credentials_in_a_location_are_not_shown(self) -> None:
        """The URL of the response has no user and no password."""

        async def redirect(conn: RawConnection, request: RawRequest) -> None:
            conn.send(moved(server.url("/b").replace("//", "//u:p@")))

        async with RawServer.replies([redirect, OK]) as server, ClientSession() as session:
            response = await session.get(server.url("/a"))
            assert response.real_url == URL(server.url("/b"))

    async def test_server_hostname(self, certificates: Certificates) -> None:
        """The name to verify belongs to the first origin; the next one is verified by its own."""

        async def redirect(conn: RawConnection, request: RawRequest) -> None:
            conn.send(moved(second.url(host="b.test")))

        seen: list[str | None] = []
        context = certificates.server_context()
        context.sni_callback = lambda connection, name, _: seen.append(name)
        first = RawServer.replies([redirect], ssl=certificates.server_context("other.test"))
        second = RawServer.replies([OK], ssl=context)
        trust: ssl.SSLContext = certificates.client_context()
        async with first, second, ClientSession(connector=names()) as session:
            await session.get(first.url(host="a.test"), ssl=trust, server_hostname="other.test")
        assert seen == ["b.test"]

    @row("RED-12")
    async def test_no_referer(self) -> None:
        """No hop carries a Referer."""
        for location in ("/b", "http://b.test:{port}/"):
            for request in await hops(location, "/secret?token=x#f"):
                assert request.values("Referer") == []


class TestLocation:
    @pytest.mark.parametrize(
        ("location", "target"),
        [
            ("/x", "/x"),
            ("x", "/dir/x"),
            ("../x", "/x"),
            ("./x?y=1", "/dir/x?y=1"),
            ("?q=1", "/dir/start?q=1"),
            ("//b.test:{port}/x", "/x"),
            ("http://b.test:{port}", "/"),
            ("HTTP://B.TEST:{port}/X", "/X"),
            ("/a b/%20", "/a%20b/%20"),
            ("/ä", "/%C3%A4"),
            ("#f", "/dir/start"),
            # Without an authority it is relative, as old clients wrote it (section 5.2.2).
            ("http:/x", "/x"),
            ("http:x", "/dir/x"),
        ],
    )
    async def test_it_is_resolved(self, location: str, target: str) -> None:
        """A Location is resolved against the URL that was asked (RFC 3986, section 5)."""
        _, second = await hops(location, "/dir/start")
        assert second.target == target
        host = (second.value("Host") or "").partition(":")[0]
        assert host == ("b.test" if "b.test" in location.lower() else "a.test")

    @pytest.mark.parametrize(
        ("start", "location", "fragment"),
        [
            ("/a#f", "/b", "f"),
            ("/a#f", "/b#g", "g"),
            ("/a", "/b#g", "g"),
            ("/a#é", "/b", "é"),
            ("/a#%2F", "/b", "/"),
        ],
    )
    async def test_the_fragment_is_inherited(
        self, start: str, location: str, fragment: str
    ) -> None:
        """A Location without a fragment inherits that of the URL (RFC 9110, section 10.2.2)."""
        async with RawServer.replies([moved(location), OK]) as server, ClientSession() as session:
            response = await session.get(server.url(start))
            assert response.real_url.fragment == fragment
            if "%" in start:
                assert response.real_url.raw_fragment == start.partition("#")[2]
            assert response.url == URL(server.url("/b"))

    @pytest.mark.both_loops
    @pytest.mark.parametrize(
        ("location", "target"),
        [
            ("/o?sig=ab%2Fcd%3A&d=a%40b&n=x%27y&t=a%7E%2f%c3%a4", None),
            ("/a%2Fb%3Bc/%7Ed;p=1,2/%2e%2e/e", None),
            ("/!$&'()*+,;=:@?/?:@!$&'()*+,;=", None),
            ("/a/../b/./c", "/b/c"),
            ("x%2Fy", "/o%2Fp/x%2Fy"),
            ("../x", "/x"),
            ("?y", "/o%2Fp/q?y"),
            ("?", "/o%2Fp/q"),
            ("/a b?c d", "/a%20b?c%20d"),
            ("/\u00e4?\u00e4", "/%C3%A4?%C3%A4"),
            ("/100%?%", "/100%25?%25"),
        ],
    )
    async def test_its_bytes_are_the_servers(self, location: str, target: str | None) -> None:
        """Percent-encodings are sent as they came, and only what no URL may hold is encoded (RFC 3986, section 2)."""
        _, second = await hops(location, start="/o%2Fp/q?r=%2F")
        assert second.target == (target or location)

    @row("RED-14")
    @pytest.mark.parametrize(
        "host",
        [
            "\u2603.fa\u00df.de",
            "evil\u2488com",
            "e\u200bvil.test",
            "\uff11\uff12\uff17.0.0.1",
            "a.test:+80",
            "a.test:\uff18\uff10",
            "[::1]:1@",
            "a.test\uff0fb.test",
        ],
    )
    async def test_no_host_is_made_another(self, host: str) -> None:
        """A host that cannot be encoded label by label is refused before it is looked up; the error names the call."""
        resolver = Loopback()
        async with (
            RawServer.replies([moved(f"http://{host}/")]) as server,
            ClientSession(connector=TCPConnector(resolver=resolver)) as session,
        ):
            with pytest.raises(aioclient.InvalidUrlRedirectClientError) as caught:
                await session.get(server.url("/start"))
            assert "GET http://127.0.0.1" in str(caught.value)
            assert "/start: the server redirects there, but it" in str(caught.value)
            assert resolver.asked == []

    @pytest.mark.parametrize("fields", [(), ("Location:",), ("Location: ",)])
    async def test_none(self, fields: tuple[str, ...]) -> None:
        """Without a Location, or with an empty one, the redirect itself is the response."""
        async with (
            RawServer.replies([answer(b"here", *fields, status="302 Found")]) as server,
            ClientSession() as session,
        ):
            response = await session.get(server.url())
            assert (response.status, await response.text()) == (302, "here")
            assert response.history == ()

    @row("RED-10")
    @pytest.mark.parametrize(
        "location",
        [
            "file:///etc/passwd",
            "data:text/plain,x",
            "http+unix://%2Frun%2Fx.sock/",
            "ftp://b.test/",
            "javascript:alert(1)",
            "ws://b.test/",
            "about:blank",
            "FILE:///x",
        ],
    )
    async def test_other_schemes(self, location: str) -> None:
        """A redirect leads to http and https only; the error is a ValueError too."""
        async with RawServer.replies([moved(location)]) as server, ClientSession() as session:
            with pytest.raises(
                aioclient.NonHttpUrlRedirectClientError, match="only http"
            ) as caught:
                await session.get(server.url())
        assert isinstance(caught.value, aioclient.UnsafeRedirectError)
        assert isinstance(caught.value, ValueError)
        assert isinstance(caught.value, aiohttp.RedirectClientError)

    @row("RED-14", "URL-06")
    @pytest.mark.parametrize("host", ["ä" * 2000, "\ufdfa" * 2000, "u:p@" + "\ufdfa" * 300])
    async def test_a_long_host(self, host: str) -> None:
        """A host that would take long to normalize is refused by its length."""
        reply = f"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: http://{host}.test/\r\n\r\n"
        async with RawServer.replies([reply.encode()]) as server, ClientSession() as session:
            with pytest.raises(aioclient.InvalidUrlRedirectClientError, match="more than 253"):
                await session.get(server.url())

    @row("RED-14")
    @pytest.mark.parametrize(
        "location",
        [
            "http://",
            "http:///x",
            "http://a b/",
            "http://[::1",
            "http://b.test:99999/",
            "http://127.1/",
            "http://x..y.\udcff/",
            "http://b.test\\@c.test/",
            "/a\tb",
        ],
    )
    async def test_what_is_no_url(self, location: str) -> None:
        """A Location that is no URL, or holds a control character, raises InvalidUrlRedirectClientError."""
        reply = f"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: {location}\r\n\r\n"
        async with (
            RawServer.replies([reply.encode("utf-8", "surrogateescape")]) as server,
            ClientSession() as session,
        ):
            with pytest.raises(aioclient.InvalidUrlRedirectClientError) as caught:
                await session.get(server.url())
        assert isinstance(caught.value, aiohttp.InvalidURL)

    @row("RED-14")
    async def test_bytes_outside_utf8(self) -> None:
        """Bytes of a Location that are no UTF-8 are percent-encoded as they are."""
        reply = b"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: /caf\xe9?\xff\r\n\r\n"
        async with RawServer.replies([reply, OK]) as server, ClientSession() as session:
            await session.get(server.url())
        assert server.requests[1].target == "/caf%E9?%FF"


class TestChain:
    async def test_history(self) -> None:
        """The responses before the last one are its history, oldest first."""
        async with (
            RawServer.replies([moved("/b"), moved("/c", status=307), OK]) as server,
            ClientSession() as session,
            session.get(server.url("/a")) as response,
        ):
            assert [hop.status for hop in response.history] == [302, 307]
            assert [hop.url.path for hop in response.history] == ["/a", "/b"]
            assert [len(hop.history) for hop in response.history] == [0, 1]
            assert response.url.path == "/c"
        assert server.connections == 1

    @row("RED-11", "S003-32")
    @pytest.mark.parametrize(("limit", "sent"), [(None, 11), (3, 4), (1, 2), (0, 1)])
    @pytest.mark.parametrize("of_session", [True, False])
    async def test_max_redirects(self, limit: int | None, sent: int, of_session: bool) -> None:
        """More redirects than max_redirects (10) raise TooManyRedirects, with all responses."""
        given: dict[str, Any] = {} if limit is None else {"max_redirects": limit}
        async with (
            RawServer.replies([moved("/again")], repeat=True) as server,
            ClientSession(**(given if of_session else {})) as session,
        ):
            with pytest.raises(aioclient.TooManyRedirects) as caught:
                await session.get(server.url(), **({} if of_session else given))
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0
        assert len(server.requests) == sent
        assert len(caught.value.history) == sent
        assert caught.value.status == 302
        assert f"max_redirects={10 if limit is None else limit}" in str(caught.value)

    @row("RED-11")
    async def test_retries_do_not_count_anew(self) -> None:
        """What a middleware repeats on a hop does not begin a new count, nor do answers that ask for credentials."""

        async def twice(request: Request, handler: Handler) -> ClientResponse:
            (await handler(request)).release()
            return await handler(request)

        asks = answer(b"", 'WWW-Authenticate: Basic realm="r"', status="401 No")

        async def loop(conn: RawConnection, request: RawRequest) -> None:
            conn.send(asks if len(server.requests) % 2 else moved("/again"))

        async with (
            RawServer.replies([loop], repeat=True) as server,
            ClientSession(
                middlewares=[twice], auth=("u", "p"), connector=TCPConnector(limit=1)
            ) as session,
        ):
            with pytest.raises(aioclient.TooManyRedirects) as caught:
                await session.get(server.url())
            assert session.connector is not None
            assert session.connector.statistics().in_use == 0
        assert len(caught.value.history) == 11
        assert len(server.requests) == 22

    @pytest.mark.rows("S003-32")
    async def test_as_many_as_allowed(self) -> None:
        """As many redirects as allowed are followed."""
        async with (
            RawServer.replies([moved("/b")] * 3 + [OK]) as server,
            ClientSession() as session,
        ):
            assert (await session.get(server.url(), max_redirects=3)).status == 200

    @pytest.mark.rows("S004-01")
    async def test_cookies_of_each_hop(self) -> None:
        """What a hop sets is stored, and sent from the next hop on."""
        replies = [moved("/b", "Set-Cookie: a=1"), moved("/c", "Set-Cookie: b=2"), OK]
        async with (
            RawServer.replies(replies) as server,
            ClientSession(cookie_jar=open_jar()) as session,
        ):
            response = await session.get(server.url("/a"))
            assert response.cookies == {}
            assert len(session.cookie_jar) == 2
        assert [request.value("Cookie") for request in server.requests] == [None, "a=1", "a=1; b=2"]

    @pytest.mark.virtual_clock
    async def test_one_deadline(self) -> None:
        """The total timeout counts over all hops."""

        async def slow(conn: RawConnection, request: RawRequest) -> None:
            await asyncio.sleep(4)
            conn.send(moved("/again"))

        async with (
            RawServer.replies([slow], repeat=True) as server,
            ClientSession(timeout=10) as session,
        ):
            with pytest.raises(aioclient.TotalTimeoutError, match="total=10 s"):
                await session.get(server.url())
        assert len(server.requests) == 3

    @row("RED-13")
    @pytest.mark.parametrize("whole", [True, False])
    async def test_its_body_is_given_up(self, whole: bool) -> None:
        """A redirect's body is neither decoded nor read far, whether it is all there or never ends."""
        bomb = gzip.compress(bytes(100 * 2**20), 9)
        length = len(bomb) if whole else 10**9
        fields = ("Content-Encoding: gzip", f"Content-Length: {length}")
        head = moved("/b", *fields).replace(b"Content-Length: 0\r\n", b"")

        async def endless(conn: RawConnection, request: RawRequest) -> None:
            conn.send(head + bomb)
            if not whole:
                await conn.closed()

        async with RawServer.replies([endless, OK]) as server, ClientSession() as session:
            tracemalloc.start()
            try:
                response = await session.get(server.url())
                assert await response.text() == "ok"
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            (hop,) = response.history
            with pytest.raises(aioclient.ClientConnectionError, match="released"):
                await hop.read()
            assert hop.closed
            # What came in one read, the engine's buffer, and small things; not the 100 MiB that it decodes to.
            assert peak < 2 * 2**20

    @row("RED-13")
    async def test_a_small_body_keeps_the_connection(self) -> None:
        """A small body is thrown away and its connection used again."""
        reply = moved("/b").replace(b"Content-Length: 0", b"Content-Length: 9") + b"elsewhere"
        async with RawServer.replies([reply, OK]) as server, ClientSession() as session:
            await session.get(server.url())
        assert server.connections == 1

    @pytest.mark.rows("S003-31")
    async def test_not_followed(self) -> None:
        """With allow_redirects=False the redirect is the response, its body readable."""
        async with RawServer.replies([moved("ftp://x")]) as server, ClientSession() as session:
            response = await session.get(server.url(), allow_redirects=False)
            assert response.status == 302
            assert await response.read() == b""
