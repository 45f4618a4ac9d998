"""Basic credentials, and the step that writes credentials into requests."""

from typing import Any

import pytest
from yarl import URL

from aioclient import BasicAuth, ClientResponse, ClientSession, Handler, Request
from aioclient.testing import RawServer

from ..loopback import OK


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
            (("€",), 'login holds a character that latin1 cannot carry; .*encoding="utf-8"'),
            (("a", "€"), "password holds"),
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
