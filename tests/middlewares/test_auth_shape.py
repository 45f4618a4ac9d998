"""What credentials may be: plain or async, asked about the response; and who a request asks as, without asking."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from yarl import URL

import aioclient
from aioclient import (
    NO_AUTH,
    BasicAuth,
    ClientResponse,
    ClientSession,
    Handler,
    Request,
    TCPConnector,
)
from aioclient.middlewares.auth.identity import number_of
from aioclient.testing import RawConnection, RawRequest

from ..loopback import OK, answer, moved, names, open_jar
from ..servers.either import RawServer

pytestmark = pytest.mark.both_protocols

REFUSED = answer(b"no", status="401 Unauthorized")


class Counting:
    """Credentials with a number for each time that they are asked, and a second round after a 401."""

    def __init__(self) -> None:
        self.asked = 0
        self.statuses: list[int] = []

    async def authorize(self, request: Request) -> None:
        self.asked += 1
        await asyncio.sleep(0)
        request.authorization = f"Count {self.asked}"
        request.headers["X-Count"] = str(self.asked)

    async def answer(self, request: Request, response: ClientResponse) -> bool:
        self.statuses.append(response.status)
        return response.status == 401


def counts(server: RawServer) -> list[str | None]:
    return [request.value("Authorization") for request in server.requests]


@pytest.mark.both_loops
class TestRounds:
    async def test_plain_or_async(self) -> None:
        """authorize() may be plain or async, and is asked for each hop anew."""
        auth = Counting()
        async with (
            RawServer.replies([moved("/b"), OK]) as server,
            ClientSession(auth=auth) as session,
        ):
            await session.get(server.url("/a"))
        assert counts(server) == ["Count 1", "Count 2"]
        assert auth.statuses == [302, 200]

    @pytest.mark.rows("AUTH-07")
    @pytest.mark.parametrize("second", [OK, REFUSED])
    async def test_one_more(self, second: bytes) -> None:
        """True asks for one more round, and never for a third; what the first one set is not in it."""
        auth = Counting()
        async with (
            RawServer.replies([REFUSED, second]) as server,
            ClientSession(auth=auth, connector=TCPConnector(limit=1)) as session,
            session.get(server.url()) as response,
        ):
            assert await response.read() == (b"ok" if second is OK else b"no")
        assert counts(server) == ["Count 1", "Count 2"]
        assert [request.value("X-Count") for request in server.requests] == ["1", "2"]
        assert auth.statuses == [401]

    async def test_a_body_of_the_refusal_that_is_still_coming(self) -> None:
        """The refused response is given up before credentials wait for anything: a pool of one is enough."""

        async def half(conn: RawConnection, request: RawRequest) -> None:
            conn.send(b"HTTP/1.1 401 No\r\nContent-Length: 1000000\r\n\r\nhalf")
            await conn.wait_lost()

        class Asking(Counting):
            async def authorize(self, request: Request) -> None:
                await super().authorize(request)
                if self.asked == 2:
                    await (await request.session.get(server.url("/token"), auth=NO_AUTH)).read()

        async with (
            RawServer.replies([half, OK, OK]) as server,
            ClientSession(auth=Asking(), connector=TCPConnector(limit=1)) as session,
        ):
            assert (await session.get(server.url(), timeout=5)).status == 200
        assert [request.target for request in server.requests] == ["/", "/token", "/"]

    @pytest.mark.parametrize("kind", ["bytes", "generator"])
    async def test_bodies(self, kind: str) -> None:
        """A body that can be sent again is; with one that cannot the refusal is what the caller gets."""

        async def pieces() -> AsyncIterator[bytes]:
            yield b"body"

        async with (
            RawServer.replies([REFUSED, OK]) as server,
            ClientSession(auth=Counting()) as session,
        ):
            data = b"body" if kind == "bytes" else pieces()
            async with session.post(server.url(), data=data) as response:
                assert response.status == (200 if kind == "bytes" else 401)
                assert await response.read() == (b"ok" if kind == "bytes" else b"no")
        bodies = [request.body for request in server.requests]
        assert bodies == [b"body"] * (2 if kind == "bytes" else 1)

    async def test_what_raises(self) -> None:
        """What credentials raise reaches the caller, the response is given up, and the connection is not lost."""

        kept: list[ClientResponse] = []

        class Raising(Counting):
            async def answer(self, request: Request, response: ClientResponse) -> bool:
                kept.append(response)
                raise LookupError("no more")

        async with (
            RawServer.replies([answer(bytes(5_000_000), status="401 No"), OK]) as server,
            ClientSession(auth=Raising(), connector=TCPConnector(limit=1)) as session,
        ):
            with pytest.raises(LookupError, match="no more"):
                await session.get(server.url())
            assert (await session.get(server.url(), auth=NO_AUTH)).status == 200

    async def test_a_middleware_sees_one_attempt(self) -> None:
        """Rounds are within an attempt: middlewares see the last response, and a request without credentials."""
        seen: list[Any] = []

        async def look(request: Request, handler: Handler) -> ClientResponse:
            response = await handler(request)
            seen.append((response.status, request.authorization, "X-Count" in request.headers))
            return response

        async with (
            RawServer.replies([REFUSED, OK]) as server,
            ClientSession(auth=Counting(), middlewares=[look]) as session,
        ):
            response = await session.get(server.url())
            assert response.request_info.headers["Authorization"] == "Count 2"
        assert seen == [(200, None, False)]


@pytest.mark.virtual_clock
@pytest.mark.parametrize("waits", ["authorize", "answer"])
async def test_the_deadline(waits: str) -> None:
    """Credentials that do not come within the call's deadline raise TotalTimeoutError."""

    class Slow(Counting):
        async def authorize(self, request: Request) -> None:
            if waits == "authorize":
                await asyncio.sleep(1000)

        async def answer(self, request: Request, response: ClientResponse) -> bool:
            await asyncio.sleep(1000)
            return False

    async with RawServer.replies([OK]) as server, ClientSession(auth=Slow()) as session:
        with pytest.raises(aioclient.TotalTimeoutError, match="no credentials within total=10"):
            await session.get(server.url(), timeout=10)


async def test_origins_of_basic() -> None:
    """origins= narrows BasicAuth to the origins that it names; what is no origin is refused."""
    async with (
        RawServer.replies([OK], repeat=True) as server,
        ClientSession(connector=names()) as session,
    ):
        auth = BasicAuth("u", "p", origins=[server.url("/", host="a.test")])
        for host in ("a.test", "b.test"):
            await session.get(server.url(host=host), auth=auth)
    assert counts(server) == [auth.encode(), None]
    assert tuple(auth) == ("u", "p", "latin1")
    for wrong, error in (
        ("http://a.test", TypeError),
        (5, TypeError),
        ([5], TypeError),
        (["http://a.test/path"], ValueError),
        (["a.test"], ValueError),
    ):
        with pytest.raises(error, match=r"origin|URL"):
            BasicAuth("u", origins=wrong)  # type: ignore[arg-type]


async def asked(session: ClientSession, url: str = "http://a.test/", **arguments: Any) -> Request:
    """Return the request that a call makes, which is not sent."""
    found: list[Request] = []

    async def take(request: Request, handler: Handler) -> ClientResponse:
        found.append(request)
        return ClientResponse.from_parts(request, 200)

    await session.get(url, middlewares=[take], **arguments)
    return found[0]


class TestWhoAsks:
    async def test_partition(self) -> None:
        """It is the same for the same credentials, another one for others, and empty without any."""

        class Client:
            def __init__(self, identity: str) -> None:
                self.identity = identity

            async def authorize(self, request: Request) -> None: ...

        later = Counting()
        ways: list[dict[str, Any]] = [
            {},
            {"auth": ("u", "p")},
            {"auth": ("u", "other")},
            {"auth": ("v", "p")},
            {"auth": Client("one")},
            {"auth": Client("two")},
            {"auth": later},
            {"auth": Counting()},
            {"auth": lambda request: request.headers.update({"X-Mine": "1"})},
            {"headers": {"Authorization": BasicAuth("u", "p").encode()}},
            {"headers": {"X-Api-Key": "1"}},
            {"headers": {"X-Api-Key": "2"}},
            {"headers": {"Cookie": "a=1"}},
            {"cookies": {"a": "1"}},
        ]
        async with ClientSession() as session:
            partitions = [(await asked(session, **way)).partition() for way in ways]
            again = [
                (await asked(session, "http://a.test/other", **way)).partition() for way in ways
            ]
            assert partitions == again
            assert partitions[0] == ""
            assert len(set(partitions)) == len(ways)
            for way in ({"auth": NO_AUTH}, {"headers": {"X-Other": "1"}}):
                assert (await asked(session, **way)).partition() == ""
            for secret in ("other", "u:p"):
                assert secret not in "".join(partitions)
        assert later.asked == 0

    async def test_an_empty_name(self) -> None:
        """Credentials whose identity is an empty text are not taken for none: each object is another owner."""

        class Unnamed(Counting):
            identity = ""

        one, other = Unnamed(), Unnamed()
        async with ClientSession() as session:
            found = [(await asked(session, auth=auth)).partition() for auth in (one, other, one)]
        assert found[0] == found[2] != ""
        assert found[1] not in ("", found[0])

    @pytest.mark.parametrize(
        "auth",
        [
            BasicAuth("u", "p", origins=["http://b.test"]),
            aioclient.BearerAuth("t", origins=["http://b.test"]),
            aioclient.BearerAuth("t", origins=["http://b.test"], identity="ada"),
            aioclient.DigestAuth("u", "p", origins=["http://b.test"]),
        ],
    )
    async def test_credentials_of_other_origins(self, auth: Any) -> None:
        """Where origins= keeps credentials back, nobody asks; where it does not, somebody does."""
        async with ClientSession(auth=auth) as session:
            assert (await asked(session, "http://a.test/")).partition() == ""
            found = [(await asked(session, "http://b.test/")).partition() for _ in range(2)]
        assert found[0] == found[1] != ""

    async def test_an_async_function(self) -> None:
        """Whose credentials an async function sets is not known: each call counts as another user."""

        async def function(request: Request) -> None:
            request.authorization = "whose?"

        async with ClientSession(auth=function) as session:
            found = {(await asked(session)).partition() for _ in range(3)}
        assert len(found) == 3

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
    @pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
    def test_forked_processes(self) -> None:
        """The number of an object is never that of another process's, which may use the same store."""

        def of_child() -> bytes:
            reader, writer = os.pipe()
            child = os.fork()
            if not child:
                os.write(writer, number_of(Counting()).encode())
                os._exit(0)
            os.close(writer)
            with open(reader, "rb") as found:
                number = found.read()
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            return number

        here = Counting()
        numbers = {of_child(), of_child(), number_of(here).encode()}
        assert len(numbers) == 3

    async def test_objects_that_are_no_more(self) -> None:
        """Credentials without a name of their own never have the partition of others that have ended."""
        async with ClientSession() as session:
            found = set()
            for _ in range(20):
                found.add((await asked(session, auth=Counting())).partition())
                gc.collect()
        assert len(found) == 20

    async def test_a_netrc_file(self, tmp_path: Any) -> None:
        """With a netrc file the partition is the file's before it was read, and afterwards."""
        file = tmp_path / "netrc"
        file.touch(mode=0o600)
        file.write_text("machine 127.0.0.1 login ada password lovelace")
        async with (
            RawServer.replies([OK]) as server,
            ClientSession(netrc=file) as session,
        ):
            before = await asked(session, server.url())
            partition, offered = before.partition(), before.offered()
            await session.get(server.url())
            assert before.partition() == partition != ""
            assert offered == {}
            assert before.offered() == {"Authorization": BasicAuth("ada", "lovelace").encode()}

    async def test_offered(self) -> None:
        """It has the fields that credentials and jar would set, and changes nothing."""
        jar = open_jar()
        jar.update_cookies_from_headers(["session=1"], URL("http://127.0.0.1/"))
        async with ClientSession(cookie_jar=jar, auth=("u", "p")) as session:
            request = await asked(session, "http://127.0.0.1/", cookies={"mine": "2"})
            offered = dict(request.offered())
            assert sorted(offered.pop("Cookie").split("; ")) == ["mine=2", "session=1"]
            assert offered == {"Authorization": BasicAuth("u", "p").encode()}
            assert request.authorization is None
            assert "Authorization" not in request.headers
            later = Counting()
            request = await asked(session, "http://b.test/", auth=later)
            assert request.offered() == {}
            assert later.asked == 0
            mine = await asked(session, auth=None, headers={"Authorization": "mine"})
            assert mine.offered() == {}

    async def test_without_a_session(self) -> None:
        """A request whose session is no more says so."""
        session = ClientSession()
        request = await asked(session)
        await session.close()
        del session
        gc.collect()
        with pytest.raises(RuntimeError, match="session of this request no longer exists"):
            request.partition()
