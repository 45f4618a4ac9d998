"""CredentialAuth: the credentials of an API of its own kind."""

import asyncio
from typing import Any

import pytest
from yarl import URL

import aioclient
from aioclient import NO_AUTH, ClientSession, Credential, CredentialAuth
from aioclient.middlewares.auth.credential import with_query
from aioclient.testing import RawConnection, RawRequest

from ..loopback import OK, answer, moved, names
from ..servers.either import RawServer

pytestmark = pytest.mark.both_protocols

REFUSED = answer(b"no", status="401 Unauthorized")


class Login(Credential):
    """A key that is renewed by counting."""

    def __init__(self, *, expired: bool = False) -> None:
        self.number = 1
        self.expired = expired
        self.refreshed = 0

    def headers(self) -> dict[str, str]:
        return {"X-User": f"user-{self.number}"}

    def cookies(self) -> dict[str, str]:
        return {"uid": str(self.number)}

    def params(self) -> dict[str, str]:
        return {"sig": f"s&{self.number}"}

    def is_expired(self) -> bool:
        return self.expired

    async def refresh(self) -> None:
        await asyncio.sleep(0)
        self.refreshed += 1
        self.number += 1
        self.expired = False


@pytest.mark.both_loops
class TestWire:
    async def test_what_is_sent(self) -> None:
        """Fields, cookies and query parameters go out beside those of the call, which stay as they are spelled."""
        async with (
            RawServer.replies([OK, OK]) as server,
            ClientSession(auth=CredentialAuth(Login())) as session,
        ):
            await session.get(server.url("/a?q=x%2Fy+z"), cookies={"mine": "1"})
            async with session.get(server.url("/b"), headers={"Cookie": "own=1"}) as response:
                assert response.history == ()
        first, second = server.requests
        assert first.target == "/a?q=x%2Fy+z&sig=s%261"
        assert first.value("X-User") == "user-1"
        assert sorted((first.value("Cookie") or "").split("; ")) == ["mine=1", "uid=1"]
        assert second.value("Cookie") == "own=1; uid=1"

    @pytest.mark.parametrize("value", ["1; admin=1", "1\r\nX: y", "a b"])
    async def test_a_cookie_that_is_more(self, value: str) -> None:
        """A cookie that a server would read as several is refused, as in cookies= of a call; nothing is sent."""

        class Ticket(Credential):
            def cookies(self) -> dict[str, str]:
                return {"ticket": value}

        async with (
            RawServer.replies([OK]) as server,
            ClientSession(auth=CredentialAuth(Ticket())) as session,
        ):
            for given in ({}, {"headers": {"Cookie": "own=1"}}):
                with pytest.raises(ValueError, match="value of cookie ticket"):
                    await session.get(server.url(), **given)
            assert server.connections == 0

    @pytest.mark.rows("RED-01", "RED-03", "RED-07")
    async def test_origins(self) -> None:
        """It goes to no other origin by a redirect, and as origins= says."""
        async with (
            RawServer.replies([OK], repeat=True) as other,
            RawServer.replies([moved("/b"), moved(other.url(host="b.test"))]) as server,
            ClientSession(connector=names()) as session,
        ):
            url = server.url("/a", host="a.test")
            auth = CredentialAuth(Login(), origins=[str(URL(url).origin())])
            await session.get(url, auth=auth)
            await session.get(other.url(host="c.test"), auth=auth)
        assert [request.target for request in server.requests] == ["/a?sig=s%261", "/b?sig=s%261"]
        for request in other.requests:
            assert request.target == "/"
            assert request.values("X-User") == request.values("Cookie") == []

    @pytest.mark.rows("AUTH-15")
    async def test_expired(self) -> None:
        """An expired one is renewed before anything is sent, once for all requests that wait."""
        login = Login(expired=True)
        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(auth=CredentialAuth(login)) as session,
        ):
            await asyncio.gather(*(session.get(server.url()) for _ in range(20)))
        assert login.refreshed == 1
        assert {request.value("X-User") for request in server.requests} == {"user-2"}

    @pytest.mark.rows("AUTH-15")
    async def test_refused(self) -> None:
        """After a 401 it is renewed once, however many requests were refused, and each is sent once more."""
        login = Login()

        async def check(conn: RawConnection, request: RawRequest) -> None:
            conn.send(OK if request.value("X-User") == "user-2" else REFUSED)

        async with (
            RawServer.replies([check], repeat=True) as server,
            ClientSession(auth=CredentialAuth(login)) as session,
        ):
            found = await asyncio.gather(*(session.get(server.url()) for _ in range(20)))
            assert {response.status for response in found} == {200}
        assert login.refreshed == 1
        assert all(request.target.count("sig=") == 1 for request in server.requests)

    async def test_refused_for_good(self) -> None:
        """A server that always refuses gets two requests."""
        async with (
            RawServer.replies([REFUSED, REFUSED]) as server,
            ClientSession(auth=CredentialAuth(Login())) as session,
        ):
            assert (await session.get(server.url())).status == 401
        assert [request.value("X-User") for request in server.requests] == ["user-1", "user-2"]

    async def test_another_one(self) -> None:
        """refresh() may return the credential that takes its place, so that it can be a frozen value."""
        after = Login()

        class Frozen(Login):
            async def refresh(self) -> Any:
                return after

        auth = CredentialAuth(Frozen(expired=True))
        async with RawServer.replies([OK]) as server, ClientSession(auth=auth) as session:
            await session.get(server.url())
        assert auth.credential is after

    async def test_verify(self) -> None:
        """With verify=True an invalid one raises before anything is sent."""

        class Invalid(Login):
            def raise_for_invalid(self) -> None:
                raise LookupError("log in first")

        async with RawServer.replies([OK]) as server, ClientSession() as session:
            with pytest.raises(LookupError, match="log in first"):
                await session.get(server.url(), auth=CredentialAuth(Invalid(), verify=True))
            assert server.connections == 0
            await session.get(server.url(), auth=CredentialAuth(Invalid()))

    async def test_a_refresh_with_the_same_session(self) -> None:
        """refresh() may use the session with NO_AUTH; with its own credentials it would wait for itself, and raises."""

        class Asking(Login):
            auth: Any = NO_AUTH

            async def refresh(self) -> None:
                await session.get(server.url("/renew"), auth=self.auth)
                await super().refresh()

        login = Asking(expired=True)
        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(auth=CredentialAuth(login)) as session,
        ):
            assert (await session.get(server.url())).status == 200
            login.expired, login.auth = True, None
            with pytest.raises(RuntimeError, match="would wait for itself"):
                await session.get(server.url())


@pytest.mark.rows("AUTH-12")
async def test_nothing_is_shown() -> None:
    """Its fields are in no message, whatever they are called."""
    async with (
        RawServer.replies([answer(b"no", status="500 No")]) as server,
        ClientSession(auth=CredentialAuth(Login()), raise_for_status=True) as session,
    ):
        with pytest.raises(aioclient.StatusError) as caught:
            await session.get(server.url())
        info = caught.value.request_info
        assert info.headers["X-User"] == "***"
        assert "s%261" not in f"{caught.value} {info}"
        assert repr(session.auth) == "<CredentialAuth of a Login>"


async def test_who_asks() -> None:
    """A name of its own is who asks; without one each object is somebody else, also after a renewal."""

    class Named(Login):
        identity = "ada"

    found = []

    async def look(request: Any, handler: Any) -> Any:
        found.append((request.partition(), request.offered()))
        return aioclient.ClientResponse.from_parts(request, 200)

    one, named = CredentialAuth(Login()), Named()
    async with ClientSession(middlewares=[look]) as session:
        for auth in (one, CredentialAuth(Login()), CredentialAuth(named), CredentialAuth(Named())):
            await session.get("http://a.test/", auth=auth)
        await one.credential.refresh()
        await session.get("http://a.test/", auth=one)
    partitions = [each[0] for each in found]
    assert partitions[0] == partitions[4] != partitions[1]
    assert partitions[2] == partitions[3] != partitions[0]
    assert found[4][1]["X-User"] == "user-2"


def test_what_it_refuses() -> None:
    """What lacks a method, and a class, are no credentials."""

    class Half:
        def headers(self) -> dict[str, str]:
            return {}

    for wrong in (Half(), Login, None, "token"):
        with pytest.raises(TypeError, match=r"headers\(\), cookies\(\)"):
            CredentialAuth(wrong)  # type: ignore[arg-type]


def test_the_rest_of_a_query() -> None:
    """Parameters take the place of those of the same names, and leave the spelling of others."""
    url = URL("http://a.test/?x=%2F+1&key=old&y=2", encoded=True)
    assert with_query(url, {"key": "new"}).query["key"] == "new"
    assert with_query(
        URL("http://a.test/?x=%2F+1", encoded=True), {"key": "n"}
    ).raw_query_string == ("x=%2F+1&key=n")
