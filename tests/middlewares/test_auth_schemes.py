"""Bearer tokens and digests, against servers that check them."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aioclient import BearerAuth, ClientSession, DigestAuth, TCPConnector
from aioclient.testing import RawConnection, RawRequest

from ..loopback import OK, answer, moved, names
from ..servers.app import serve_application
from ..servers.digest import DigestServer
from ..servers.either import RawServer

pytestmark = pytest.mark.both_protocols

TOKEN = "t0ken"


def sent(server: RawServer) -> list[str | None]:
    return [request.value("Authorization") for request in server.requests]


def refused(*challenges: str) -> bytes:
    fields = [f"WWW-Authenticate: {each}" for each in challenges]
    return answer(b"no", *fields, status="401 Unauthorized")


class TestBearer:
    @pytest.mark.both_loops
    async def test_a_token_or_a_function(self) -> None:
        """A token is sent as it is; a function, plain or async, is asked on each attempt."""
        count = 0

        def plain() -> str:
            nonlocal count
            count += 1
            return f"plain-{count}"

        async def later() -> str:
            await asyncio.sleep(0)
            return plain()

        async with RawServer.replies([moved("/b"), OK] * 3) as server:
            for token in (TOKEN, plain, later):
                async with ClientSession(auth=BearerAuth(token)) as session:
                    await session.get(server.url("/a"))
        assert sent(server) == [
            f"Bearer {each}" for each in (TOKEN, TOKEN, *(f"plain-{n}" for n in range(1, 5)))
        ]

    async def test_its_origins(self) -> None:
        """It goes to the origins that it names, and to no field that the caller gave."""
        async with (
            RawServer.replies([OK], repeat=True) as server,
            ClientSession(connector=names()) as session,
        ):
            auth = BearerAuth(TOKEN, origins=[server.url("/", host="a.test")])
            for host in ("a.test", "b.test"):
                await session.get(server.url(host=host), auth=auth)
            session.auth = auth
            await session.get(server.url(host="a.test"), headers={"Authorization": "mine"})
        assert sent(server) == [f"Bearer {TOKEN}", None, "mine"]

    @pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "ä", 5, None, b"bytes"])
    async def test_what_it_refuses(self, token: Any) -> None:
        """What is no token raises when it is given, or before anything is sent when a function returns it."""
        with pytest.raises((TypeError, ValueError), match="token"):
            BearerAuth(token)
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            with pytest.raises((TypeError, ValueError), match="token"):
                await session.get(server.url(), auth=BearerAuth(lambda: token))
            assert server.connections == 0

    @pytest.mark.rows("AUTH-12")
    def test_repr(self) -> None:
        """repr has no token."""
        assert repr(BearerAuth(TOKEN)) == "BearerAuth('***')"
        for wrong in ("s3cret with a space", "Bearer s3cret"):
            with pytest.raises(ValueError) as caught:
                BearerAuth(wrong)
            assert "s3cret" not in str(caught.value)
        assert "without the word Bearer" in str(caught.value)


@pytest.mark.both_loops
class TestDigest:
    """DigestAuth against a server that checks every part of the answer."""

    @pytest.mark.rows("AUTH-06")
    @pytest.mark.parametrize(
        ("qop", "algorithm"),
        [
            (qop, algorithm)
            for qop in ("", "auth", "auth-int", "auth,auth-int")
            for algorithm in ("MD5", "MD5-sess", "SHA-256", "SHA-256-sess")
            if qop or not algorithm.endswith("-sess")  # whose client nonce comes with qop
        ],
    )
    async def test_handshake(self, qop: str, algorithm: str) -> None:
        """The second round answers the challenge, over target and body as they are on the wire."""

        async def pieces() -> AsyncIterator[bytes]:
            yield b"some "
            yield b"pieces"

        server = DigestServer(qop=qop, algorithm=algorithm)
        auth = DigestAuth("user", "pass word")
        async with (
            serve_application(server.application()) as origin,
            ClientSession(auth=auth) as session,
        ):
            url = f"{origin}/a b/ä%2F?q=x y&z=%26#frag"
            for data in (None, b"bytes", {"form": "1"}, pieces()):
                async with session.post(url, data=data) as response:
                    assert response.status == 200
            async with session.post(url, data=b"x" * 1000, compress="gzip") as response:
                assert response.status == 200
        assert server.refused == ["no credentials"]
        assert server.bodies[:4] == [b"", b"bytes", b"form=1", b"some pieces"]

    @pytest.mark.rows("AUTH-07")
    async def test_counts(self) -> None:
        """Later requests answer at once; at the same time, too, no count and no client nonce is used twice."""
        server = DigestServer()
        async with (
            serve_application(server.application()) as origin,
            ClientSession(auth=DigestAuth("user", "pass word")) as session,
        ):

            async def status() -> int:
                async with session.get(origin) as response:
                    return response.status

            assert await status() == 200
            # One after the other, since that server wants counts that only grow.
            assert [await status() for _ in range(20)] == [200] * 20
        assert server.refused == ["no credentials"]
        assert len({(nonce, count) for nonce, count, _ in server.granted}) == 21
        assert len({cnonce for *_, cnonce in server.granted}) == 21

    @pytest.mark.rows("AUTH-07")
    async def test_a_hundred_at_once(self) -> None:
        """A hundred requests at the same time have a hundred different counts and client nonces."""
        challenge = 'Digest realm="r", nonce="n", qop="auth"'

        async def reply(conn: RawConnection, request: RawRequest) -> None:
            conn.send(OK if request.value("Authorization") else refused(challenge))

        async with (
            RawServer.replies([reply], repeat=True) as server,
            ClientSession(auth=DigestAuth("u", "p")) as session,
        ):
            await asyncio.gather(*(session.get(server.url()) for _ in range(100)))
        answers = [field for field in sent(server) if field is not None]
        assert len(answers) == 100
        for name in ("nc", "cnonce"):
            found = [re.findall(rf'\b{name}="?(\w+)', field)[0] for field in answers]
            assert len(set(found)) == 100

    @pytest.mark.rows("AUTH-07")
    async def test_always_refused(self) -> None:
        """A server that always refuses gets two requests; then one, if the nonce is one that was answered."""
        reply = refused('Digest realm="r", nonce="n", qop="auth"')
        async with (
            RawServer.replies([reply], repeat=True) as server,
            ClientSession(auth=DigestAuth("u", "p")) as session,
        ):
            for count in (2, 3):
                async with session.get(server.url()) as response:
                    assert (response.status, await response.read()) == (401, b"no")
                assert len(server.requests) == count

    @pytest.mark.rows("AUTH-07")
    async def test_a_stale_nonce(self) -> None:
        """A nonce that is stale is replaced, and the request sent once more."""
        replies = [
            refused('Digest realm="r", nonce="1", qop="auth"'),
            OK,
            refused('Digest realm="r", nonce="2", qop="auth", stale=true'),
            OK,
        ]
        async with (
            RawServer.replies(replies) as server,
            ClientSession(auth=DigestAuth("u", "p")) as session,
        ):
            for _ in range(2):
                assert (await session.get(server.url())).status == 200
        found = [re.findall(r'nonce="(\d)"|nc=(\w+)', field or "") for field in sent(server)]
        assert [[a or b for a, b in each] for each in found] == [
            [],
            ["1", "00000001"],
            ["1", "00000002"],
            ["2", "00000001"],
        ]

    async def test_the_next_nonce(self) -> None:
        """The nonce that Authentication-Info names is the next one (RFC 7616, section 3.5)."""
        info = 'Authentication-Info: nextnonce="next", qop=auth'
        replies = [
            refused('Digest realm="r", nonce="first", qop="auth"'),
            OK,
            answer(b"ok", info),
            OK,
        ]
        async with (
            RawServer.replies(replies) as server,
            ClientSession(auth=DigestAuth("u", "p")) as session,
        ):
            for _ in range(3):
                await session.get(server.url())
        assert 'nonce="next"' in (sent(server)[3] or "")

    async def test_the_next_nonce_again(self) -> None:
        """A next nonce that is known already keeps its count: no count is used twice with a nonce."""
        again = answer(b"ok", 'Authentication-Info: nextnonce="n"')
        async with (
            RawServer.replies(
                [refused('Digest realm="r", nonce="n", qop="auth"'), again, again, OK]
            ) as server,
            ClientSession(auth=DigestAuth("u", "p")) as session,
        ):
            for _ in range(3):
                await session.get(server.url())
        counts = [re.findall(r"nc=(\w+)", field or "") for field in sent(server)]
        assert counts == [[], ["00000001"], ["00000002"], ["00000003"]]

    async def test_a_challenge_while_a_body_is_read(self) -> None:
        """A count belongs to its nonce: another challenge, while a body is read for auth-int, does not change it."""
        reading, go = asyncio.Event(), asyncio.Event()
        first = True

        async def pieces() -> AsyncIterator[bytes]:
            nonlocal first
            if first:
                first = False
                reading.set()
                await go.wait()
            yield b"body"

        challenge = 'Digest realm="r", nonce="{}", qop="auth-int"'
        replies = [refused(challenge.format(1)), OK, refused(challenge.format(2)), OK, OK]
        async with (
            RawServer.replies(replies) as server,
            ClientSession(auth=DigestAuth("u", "p")) as session,
        ):
            await session.get(server.url())
            post = asyncio.create_task(session.post(server.url(), data=pieces()))
            await reading.wait()
            await session.get(server.url())
            go.set()
            assert (await post).status == 200
        found = [re.findall(r'\bnonce="(\d)".*nc=(\w+)', field or "") for field in sent(server)]
        assert found == [
            [],
            [("1", "00000001")],
            [("1", "00000003")],
            [("2", "00000001")],
            [("1", "00000002")],
        ]

    async def test_a_long_target(self) -> None:
        """An answer whose target is longer than challenges may be is recognized when it is refused."""
        reply = refused('Digest realm="r", nonce="n", qop="auth"')
        async with (
            RawServer.replies([reply], repeat=True) as server,
            ClientSession(auth=DigestAuth("u", "p")) as session,
        ):
            for count in (2, 3):
                assert (await session.get(server.url("/" + "a" * 20_000))).status == 401
                assert len(server.requests) == count

    @pytest.mark.rows("AUTH-08")
    @pytest.mark.parametrize("order", [1, -1])
    @pytest.mark.parametrize("apart", [True, False])
    async def test_the_strongest(self, order: int, apart: bool) -> None:
        """The strongest challenge is answered, in any order, in one field or several; Basic never is."""
        challenges = [
            'Basic realm="b"',
            'Digest realm="r", nonce="1", algorithm=MD5, qop="auth"',
            'Digest realm="r", nonce="2", algorithm=SHA-256, qop="auth"',
            "Negotiate",
        ][::order]
        reply = refused(*challenges) if apart else refused(", ".join(challenges))
        async with (
            RawServer.replies([reply, OK]) as server,
            ClientSession(auth=DigestAuth("u", "p")) as session,
        ):
            await session.get(server.url())
        assert "algorithm=SHA-256" in (sent(server)[1] or "")

    @pytest.mark.rows("AUTH-08")
    async def test_basic_alone(self) -> None:
        """A server that asks for Basic gets no password: the refusal is the answer."""
        async with (
            RawServer.replies([refused('Basic realm="r"')]) as server,
            ClientSession(auth=DigestAuth("u", "p")) as session,
        ):
            assert (await session.get(server.url())).status == 401

    @pytest.mark.rows("AUTH-04")
    async def test_another_origin(self) -> None:
        """A challenge of where a redirect leads is not answered, nor is one that names it as its domain."""
        challenge = 'Digest realm="r", nonce="n", qop="auth"'

        async def redirect(conn: RawConnection, request: RawRequest) -> None:
            conn.send(moved(server.url("/b", host="b.test")))

        domain = f'{challenge}, domain="http://b.test/ http://a.test/"'
        async with (
            RawServer.replies([refused(domain), redirect, refused(challenge)]) as server,
            ClientSession(auth=DigestAuth("u", "p"), connector=names()) as session,
        ):
            assert (await session.get(server.url("/a", host="a.test"))).status == 401
        assert [field is None for field in sent(server)] == [True, False, True]

    async def test_a_nonce_for_each_origin(self) -> None:
        """What one server sent is not answered to another."""
        challenge = 'Digest realm="r", nonce="{}", qop="auth"'
        auth = DigestAuth("u", "p")
        async with (
            RawServer.replies([refused(challenge.format("a")), OK]) as a,
            RawServer.replies([refused(challenge.format("b")), OK]) as b,
            ClientSession(auth=auth) as session,
        ):
            for server in (a, b):
                await session.get(server.url())
        assert sent(b)[0] is None
        assert 'nonce="b"' in (sent(b)[1] or "")

    @pytest.mark.rows("AUTH-06")
    async def test_userhash(self) -> None:
        """Where the server offers it, the login is hashed."""
        challenge = 'Digest realm="r", nonce="n", qop="auth", userhash=true'
        async with (
            RawServer.replies([refused(challenge), OK]) as server,
            ClientSession(auth=DigestAuth("grace", "p")) as session,
        ):
            await session.get(server.url())
        assert "grace" not in (sent(server)[1] or "grace")

    @pytest.mark.rows("AUTH-06", "AUTH-09")
    @pytest.mark.parametrize(
        "challenge",
        [
            "Digest",
            'Digest realm="r"',
            'Digest realm="r", nonce=""',
            'Digest realm="r", nonce="n", qop="unknown"',
            'Digest realm="r", nonce="n", algorithm=unknown',
            'Digest realm="a\\"b\\\\", nonce="n", domain="", qop="auth"',
            'Basic realm=x, Digest realm="r", nonce="n"',
            "Digest " + "," * 7000,
            "Digest " + "\xa0" * 3000,
        ],
        ids=lambda challenge: f"{challenge[:30]!a}-{len(challenge)}",
    )
    async def test_odd_challenges(self, challenge: str) -> None:
        """Whatever the challenge is: a clean field in a second round, or the refusal; no more requests."""
        async with (
            RawServer.replies([refused(challenge)], repeat=True) as server,
            ClientSession(auth=DigestAuth("u", "p"), connector=TCPConnector(limit=1)) as session,
        ):
            assert (await session.get(server.url())).status == 401
        assert len(server.requests) <= 2
        for field in sent(server)[1:]:
            assert (field or "").startswith('Digest username="u"')

    @pytest.mark.parametrize("wrong", [("", "p"), (5, "p"), ("u", None), ("u", "\ud800")])
    async def test_what_it_refuses(self, wrong: Any) -> None:
        """What cannot be sent raises when it is made."""
        with pytest.raises((TypeError, ValueError), match=r"login|password"):
            DigestAuth(*wrong)

    @pytest.mark.rows("AUTH-12")
    async def test_repr(self) -> None:
        """repr and identity have no password."""
        auth = DigestAuth("u", "s3cret")
        assert repr(auth) == "DigestAuth(login='u', password='***')"
        assert "s3cret" not in auth.identity
