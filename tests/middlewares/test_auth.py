"""Basic credentials, and the step that writes credentials into requests."""

import contextlib
import functools
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from yarl import URL

import aioclient
from aioclient import NO_AUTH, BasicAuth, ClientResponse, ClientSession, Handler, Request

from ..loopback import OK, moved
from ..servers.either import RawServer

pytestmark = pytest.mark.both_protocols


@pytest.mark.rows("S003-102")
class TestBasicAuth:
    @pytest.mark.parametrize(
        ("auth", "field"),
        [
            (BasicAuth("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),  # RFC 7617
            (BasicAuth("test", "123£", "utf-8"), "Basic dGVzdDoxMjPCow=="),  # RFC 7617, section 2.1
            (BasicAuth("ü"), "Basic /Do="),
            (BasicAuth("a", "b:c"), "Basic YTpiOmM="),
            (BasicAuth("", ""), "Basic Og=="),
        ],
    )
    def test_encode(self, auth: BasicAuth, field: str) -> None:
        """Login and password are joined by a colon, in latin1 unless told otherwise."""
        assert auth.encode() == field
        assert BasicAuth.decode(field, auth.encoding) == auth

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            ((None,), "None is not allowed as login"),
            (("a", None), "None is not allowed as password"),
            (("a:b",), '":" is not allowed'),
            (("€",), 'login contains a character that latin1 cannot carry; .*encoding="utf-8"'),
            (("a", "€"), "password contains"),
        ],
    )
    def test_what_it_refuses(self, arguments: Any, text: str) -> None:
        """What cannot be sent raises ValueError when it is made, without the password."""
        with pytest.raises(ValueError, match=text) as caught:
            BasicAuth(*arguments)
        assert "€" not in str(caught.value)

    @pytest.mark.parametrize("arguments", [(5,), ("a", b"b")])
    def test_only_text(self, arguments: Any) -> None:
        """Login and password are str."""
        with pytest.raises(TypeError, match="must be a str, found"):
            BasicAuth(*arguments)

    @pytest.mark.parametrize("field", ["", "Basic", "Bearer x", "Basic !", "Basic YQ==", "Basic ä"])
    def test_decode_refuses(self, field: str) -> None:
        """What is no Basic field raises ValueError."""
        with pytest.raises(ValueError, match=r"Unknown|Invalid"):
            BasicAuth.decode(field)

    def test_from_url(self) -> None:
        """User and password of a URL are decoded; without any there is None."""
        assert BasicAuth.from_url(URL("http://a%40:b%2F@h/")) == BasicAuth("a@", "b/")
        assert BasicAuth.from_url(URL("http://h/")) is None
        with pytest.raises(TypeError, match=r"yarl\.URL"):
            BasicAuth.from_url("http://h/")  # type: ignore[arg-type]

    def test_repr(self) -> None:
        """repr shows everything but the password."""
        assert repr(BasicAuth("u", "secret")) == (
            "BasicAuth(login='u', password='***', encoding='latin1')"
        )


@pytest.mark.rows("S003-102")
class TestLikeAiohttp:
    """S003-102: the same in, the same out, as aiohttp's BasicAuth, but for what it sends broken."""

    LOGINS = ("", "user", "us er", "ü", "€", "a@b", "a:b", "\x7f", "日本", "%40")

    @staticmethod
    def outcome(make: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return make(*arguments)
        except ValueError:  # UnicodeError is one, too
            return ValueError

    @staticmethod
    def field(kind: type[Any], *arguments: str) -> str:
        encoded: str = kind(*arguments).encode()
        return encoded

    @pytest.mark.rows("S003-102")
    @pytest.mark.parametrize("encoding", ["latin1", "utf-8"])
    def test_encode(self, encoding: str) -> None:
        """Every login and password has the same field, or none."""
        for login, password in itertools.product(self.LOGINS, repeat=2):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                theirs = self.outcome(self.field, aiohttp.BasicAuth, login, password, encoding)
            assert self.outcome(self.field, BasicAuth, login, password, encoding) == theirs

    @pytest.mark.rows("S003-102")
    @pytest.mark.parametrize(
        "field",
        [
            "Basic dXNlcjpwYXNz",
            "basic dXNlcjpwYXNz",
            "BASIC dXNlcjpwYXNz",
            "Basic dXNlcjpwYTpzcw==",
            "Basic OnBhc3M=",
            "Basic dXNlcjo=",
            "Basic Og==",
            "Basic w7w6w7w=",
            "Basic dXNlcg==",
            "Basic dXNlcjpwYXN",
            "Basic ???",
            "Basic ",
            "Basic",
            "Bearer dXNlcjpwYXNz",
            "",
        ],
    )
    def test_decode(self, field: str) -> None:
        """Every field has the same login and password, or none."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            theirs = self.outcome(lambda: tuple(aiohttp.BasicAuth.decode(field)))
        assert self.outcome(lambda: tuple(BasicAuth.decode(field))) == theirs

    @pytest.mark.rows("S003-102")
    @pytest.mark.parametrize(
        "userinfo", ["", "user@", "user:@", ":pass@", "user:pass@", "a%40b:c%2Fd@", "%C3%BC:p@"]
    )
    def test_from_url(self, userinfo: str) -> None:
        """Every URL has the same credentials, or none."""
        url = URL(f"http://{userinfo}a.test/")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            theirs = aiohttp.BasicAuth.from_url(url)
        assert BasicAuth.from_url(url) == theirs


class TestWhichOne:
    async def test_none(self) -> None:
        """NO_AUTH switches the session's credentials off for a call; None leaves them."""
        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(auth=("u", "p")) as session,
        ):
            for auth in (NO_AUTH, None):
                await session.get(server.url(), auth=auth)
            # A field is no auth: it is the caller's own.
            await session.get(server.url(), auth=NO_AUTH, headers={"Authorization": "mine"})
            with pytest.raises(ValueError, match="AUTH argument with credentials"):
                await session.get(URL(server.url()).with_user("u"), auth=NO_AUTH)
        field = BasicAuth("u", "p").encode()
        assert [request.values("Authorization") for request in server.requests] == [
            [],
            [field],
            ["mine"],
        ]
        assert repr(NO_AUTH) == "<NO_AUTH>"

    @pytest.mark.parametrize("row", [pytest.param("", id="AUTH-10")])
    async def test_a_change_of_the_session(self, row: str) -> None:
        """What is set as session.auth, or in session.headers, counts from the next request on; None takes it away."""
        async with RawServer.replies([OK], repeat=True) as server, ClientSession() as session:
            session.auth = ("u", "p")
            assert session.auth == BasicAuth("u", "p")
            await session.get(server.url())
            session.auth = lambda request: setattr(request, "authorization", "Bearer b")
            await session.get(server.url())
            session.auth = None
            await session.get(server.url())
            session.headers["Authorization"] = "field"
            await session.get(server.url())
            session.headers.clear()
            await session.get(server.url())
            with pytest.raises(TypeError, match="auth must be"):
                session.auth = 5
            assert session.auth is None
        assert [request.values("Authorization") for request in server.requests] == [
            [BasicAuth("u", "p").encode()],
            ["Bearer b"],
            [],
            ["field"],
            [],
        ]

    async def test_any_object(self) -> None:
        """An object with authorize() is asked on each attempt, and writes what it likes."""

        class Signature:
            def authorize(self, request: Request) -> None:
                request.headers["X-Signature"] = f"{request.method} {request.url.path}"

        async with (
            RawServer.replies([moved("/b"), OK]) as server,
            ClientSession(auth=Signature()) as session,
        ):
            await session.get(server.url("/a"))
        assert [request.value("X-Signature") for request in server.requests] == ["GET /a", "GET /b"]

    async def test_an_object_without_truth(self) -> None:
        """Credentials count although they are false as a value."""

        class Empty:
            def __len__(self) -> int:
                return 0

            def authorize(self, request: Request) -> None:
                request.authorization = "sent"

        async with RawServer.replies([OK]) as server, ClientSession() as session:
            await session.get(server.url(), auth=Empty())
        assert server.requests[0].value("Authorization") == "sent"

    async def test_coroutine_functions(self) -> None:
        """A coroutine function, an object that is one, and a plain one that returns a coroutine are awaited."""

        class Later:
            async def __call__(self, request: Request) -> None:
                request.authorization = "later"

        async with RawServer.replies([OK], repeat=True) as server, ClientSession() as session:
            later = Later()
            for auth in (later, later.__call__, functools.partial(later)):
                await session.get(server.url(), auth=auth)
        assert [request.value("Authorization") for request in server.requests] == ["later"] * 3

    @pytest.mark.parametrize("row", [pytest.param("", id="AUTH-16")])
    @pytest.mark.parametrize("userinfo", ["u@", "u:p@", ":p@", "u%40b.test:p@", "@"])
    async def test_the_host_field(self, row: str, userinfo: str) -> None:
        """User and password of a URL stand in no Host and no target, of a call, base URL or redirect."""
        async with RawServer.replies([OK], repeat=True) as server:
            url = f"http://{userinfo}127.0.0.1:{server.port}/"
            async with ClientSession() as session:
                await session.get(url)
            async with ClientSession(url) as session:
                await session.get("x")
        async with RawServer.replies([moved(url + "y"), OK]) as there, ClientSession() as session:
            with contextlib.suppress(aioclient.ClientConnectorError):  # that server is gone
                await session.get(there.url())
        for request in server.requests:
            assert request.value("Host") == f"127.0.0.1:{server.port}"
            assert b"@" not in request.head.partition(b"\r\n")[0]


async def test_what_a_middleware_takes_away() -> None:
    """Credentials that a middleware removes between two attempts are not sent with the second one."""

    async def drop(request: Request, handler: Handler) -> ClientResponse:
        (await handler(request)).release()
        request.auth = None
        return await handler(request)

    async with (
        RawServer.replies([OK, OK]) as server,
        ClientSession(auth=("u", "p"), middlewares=[drop]) as session,
    ):
        await session.get(server.url())
    assert [len(request.values("Authorization")) for request in server.requests] == [1, 0]


async def test_a_function_that_raises() -> None:
    """What a function given as auth raises reaches the caller, and nothing is sent."""

    def auth(request: Request) -> None:
        raise LookupError("no token")

    async with RawServer.replies([OK]) as server, ClientSession(auth=auth) as session:
        with pytest.raises(LookupError, match="no token"):
            await session.get(server.url())
        assert server.connections == 0
