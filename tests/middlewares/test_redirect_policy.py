"""RedirectPolicy: what a redirect may take along to another origin, and which one is followed at all."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

import aioclient
from aioclient import ClientSession, CrossOriginBodyError, Redirect, RedirectPolicy, TCPConnector
from aioclient.testing import RawRequest

from ..loopback import OK, Loopback, moved, names
from ..servers.certificates import Certificates
from ..servers.either import RawServer

pytestmark = pytest.mark.both_protocols

A, B = URL("https://a.test/1"), URL("https://b.test/2")


class TestDecisions:
    """Pure: from values alone."""

    @pytest.mark.rows("RED-04", "RED-05", "RED-09")
    @pytest.mark.parametrize(
        ("policy", "url", "target", "keep", "send"),
        [
            ({}, A, URL("https://a.test/2"), True, True),
            ({}, A, B, False, False),
            ({}, A, URL("https://a.test:444/"), False, False),
            ({}, URL("http://a.test/"), A, False, False),
            ({"keep_credentials": ["https://b.test"]}, A, B, True, False),
            ({"send_body": ["https://b.test/"]}, A, B, False, True),
            ({"send_body": [B.origin()]}, A, URL("https://b.test:444/"), False, False),
            ({"keep_credentials": ["http://a.test"]}, A, URL("http://a.test/"), False, False),
            (
                {"keep_credentials": ["http://a.test"], "https_to_http": "allow"},
                A,
                URL("http://a.test/"),
                True,
                False,
            ),
            ({"https_to_http": "allow"}, A, URL("http://a.test/"), False, False),
            (
                {"keep_credentials": ["https://a.test"]},
                URL("http://a.test/"),
                A,
                True,
                False,
            ),
        ],
    )
    def test_the_table(
        self, policy: dict[str, Any], url: URL, target: URL, keep: bool, send: bool
    ) -> None:
        """The same origin gets all, another one what the lists say, and http after https nothing."""
        decided = RedirectPolicy(**policy).decided(307, "POST", url, target, has_body=True)
        assert (decided.follow, decided.keep_credentials, decided.send_body) == (True, keep, send)

    def test_a_function(self) -> None:
        """decide= gets what was decided and has the last word; None leaves it."""
        seen: list[Redirect] = []

        def decide(redirect: Redirect) -> Redirect | None:
            seen.append(redirect)
            if redirect.target.path == "/2":
                return dataclasses.replace(redirect, follow=False)
            return None

        policy = RedirectPolicy(decide=decide, send_body=["https://b.test"])
        assert not policy.decided(302, "GET", A, B, has_body=False).follow
        assert policy.decided(302, "GET", A, A, has_body=False).follow
        assert seen[0].send_body and not seen[0].keep_credentials
        text = RedirectPolicy(
            decide=lambda redirect: dataclasses.replace(redirect, target=str(B))  # type: ignore[arg-type]
        )
        with pytest.raises(TypeError, match=r"yarl\.URL as its target, found str"):
            text.decided(302, "GET", A, B, has_body=False)
        relative = RedirectPolicy(decide=lambda each: dataclasses.replace(each, target=URL("/2")))
        with pytest.raises(TypeError, match="found the relative /2"):
            relative.decided(302, "GET", A, B, has_body=False)

        async def later(redirect: Redirect) -> None: ...

        with pytest.raises(TypeError, match="plain function, found a coroutine function"):
            RedirectPolicy(decide=later)  # type: ignore[arg-type]
        wrong = RedirectPolicy(decide=lambda redirect: True)  # type: ignore[arg-type, return-value]
        with pytest.raises(TypeError, match="must return a Redirect or None, found bool"):
            wrong.decided(302, "GET", A, B, has_body=False)

    @pytest.mark.rows("RED-01", "RED-09")
    def test_another_target(self) -> None:
        """An origin that decide= puts in the place of the server's gets what the lists allow, and no more."""

        def decided(target: URL, **policy: Any) -> Redirect:
            return RedirectPolicy(
                decide=lambda each: dataclasses.replace(each, target=target), **policy
            ).decided(307, "POST", A, A.with_path("/3"), has_body=True)

        same = decided(A.with_path("/4"))
        assert (same.keep_credentials, same.send_body) == (True, True)
        other = decided(B)
        assert (other.target, other.keep_credentials, other.send_body) == (B, False, False)
        listed = decided(B, keep_credentials=["https://b.test"])
        assert (listed.keep_credentials, listed.send_body) == (True, False)

    @given(
        st.sampled_from([A, B, URL("http://a.test/"), URL("https://a.test:444/")]),
        st.sampled_from([A, B, URL("http://a.test/"), URL("https://a.test:444/")]),
        st.sampled_from(["strip", "allow", "forbid"]),
    )
    def test_nothing_without_a_list(self, url: URL, target: URL, downgrade: Any) -> None:
        """Whatever is set besides, nothing goes to another origin that no list names."""
        decided = RedirectPolicy(https_to_http=downgrade).decided(
            308, "PUT", url, target, has_body=True
        )
        same = url.origin() == target.origin()
        assert (decided.keep_credentials, decided.send_body) == (same, same)

    @pytest.mark.parametrize(
        ("arguments", "error", "text"),
        [
            ({"https_to_http": "never"}, ValueError, "'strip', 'allow' or 'forbid'"),
            ({"keep_credentials": "https://a.test"}, TypeError, "list of origins"),
            ({"send_body": ["https://a.test/path"]}, ValueError, "write https://a.test"),
            ({"send_body": ["//a.test"]}, ValueError, "scheme|relative"),
            ({"decide": 5}, TypeError, "callable"),
        ],
    )
    def test_what_it_refuses(
        self, arguments: dict[str, Any], error: type[Exception], text: str
    ) -> None:
        """Nonsense raises when the policy is made."""
        with pytest.raises(error, match=text):
            RedirectPolicy(**arguments)

    def test_repr(self) -> None:
        """repr names the origins."""
        policy = RedirectPolicy(send_body=["https://b.test"])
        assert repr(policy) == (
            "<RedirectPolicy keep_credentials=[] send_body=['https://b.test'] https_to_http='strip'>"
        )
        decided = policy.decided(302, "GET", A, B.with_query(token="t"), has_body=False)
        assert repr(decided) == "<Redirect 302 to GET https://b.test/2?token=***>"


async def followed(
    policy: dict[str, Any], status: int = 307, **arguments: Any
) -> tuple[list[RawRequest], aioclient.ClientResponse]:
    """Return the requests of a call to a.test that is redirected to b.test; {b} in the policy is that origin."""
    async with RawServer.replies([lambda conn, _: redirect(conn), OK]) as server:

        async def redirect(conn: Any) -> None:
            conn.send(moved(f"http://b.test:{server.port}/x", status=status))

        filled = {
            name: [each.format(b=f"http://b.test:{server.port}") for each in value]
            if isinstance(value, list)
            else value
            for name, value in policy.items()
        }
        async with ClientSession(connector=names()) as session:
            response = await session.post(
                server.url(host="a.test"),
                redirect_policy=RedirectPolicy(**filled),
                **arguments,
            )
        return server.requests, response


@pytest.mark.both_loops
class TestOnTheWire:
    @pytest.mark.rows("RED-01", "RED-03", "RED-07")
    async def test_credentials(self) -> None:
        """An origin that may have them gets auth, the call's cookies and fields that carry secrets."""
        (first, second), _ = await followed(
            {"keep_credentials": ["{b}"], "send_body": ["{b}"]},
            data=b"body",
            auth=("u", "p"),
            cookies={"a": "1"},
            headers={"X-Api-Key": "k"},
        )
        for name in ("Authorization", "Cookie", "X-Api-Key"):
            assert second.value(name) == first.value(name) is not None
        assert second.value("Host") != first.value("Host")

    @pytest.mark.rows("RED-09")
    async def test_a_body(self) -> None:
        """An origin that may have a body gets it, and nothing that carries a secret."""
        (first, second), _ = await followed(
            {"send_body": ["{b}"]}, data=b"body", auth=("u", "p"), headers={"X-Api-Key": "k"}
        )
        assert first.body == second.body == b"body"
        assert second.values("Authorization") == second.values("X-Api-Key") == []

    async def test_it_is_left_to_the_caller(self) -> None:
        """A redirect that is not followed is what the call returns."""
        requests, response = await followed(
            {"decide": lambda redirect: dataclasses.replace(redirect, follow=False)}, data=b"body"
        )
        assert (len(requests), response.status, response.history) == (1, 307, ())

    @pytest.mark.rows("RED-01", "RED-14")
    async def test_a_target_of_the_function(self) -> None:
        """Credentials of the call stay with their origin, and those in the URL are nobody's; the scheme is HTTP's."""

        async with RawServer.replies([moved("/2"), OK]) as server, ClientSession() as session:

            def decide(redirect: Redirect) -> Redirect:
                other = redirect.target.with_host("localhost").with_user("u").with_password("p")
                return dataclasses.replace(redirect, target=other)

            policy = RedirectPolicy(decide=decide)
            async with session.get(
                server.url(), redirect_policy=policy, auth=("a", "b"), cookies={"a": "1"}
            ) as response:
                assert str(response.url) == server.url("/2", host="localhost")
            assert server.requests[1].values("Authorization") == []
            assert server.requests[1].values("Cookie") == []
        async with RawServer.replies([moved("/2")]) as server, ClientSession() as session:
            policy = RedirectPolicy(
                decide=lambda each: dataclasses.replace(each, target=each.target.with_scheme("ws"))
            )
            with pytest.raises(aioclient.UnsafeRedirectError, match="only http and https"):
                await session.get(server.url(), redirect_policy=policy)

    async def test_a_session_has_one(self) -> None:
        """It may be the session's; a call's goes before it, and None leaves it."""
        async with RawServer.replies([OK], repeat=True) as b:
            policy = RedirectPolicy(send_body=[b.url("/", host="b.test")])
            location = moved(b.url("/", host="b.test"), status=308)
            async with (
                RawServer.replies([location], repeat=True) as a,
                ClientSession(connector=names(), redirect_policy=policy) as session,
            ):
                for again in ({}, {"redirect_policy": None}):
                    await session.post(a.url(host="a.test"), data=b"body", **again)
                with pytest.raises(CrossOriginBodyError):
                    await session.post(
                        a.url(host="a.test"), data=b"body", redirect_policy=RedirectPolicy()
                    )
                for wrong in (True, "allow"):
                    with pytest.raises(TypeError, match=r"must be an aioclient\.RedirectPolicy"):
                        await session.get(a.url(), redirect_policy=wrong)  # type: ignore[arg-type]
        assert [request.body for request in b.requests] == [b"body"] * 2
        with pytest.raises(TypeError, match=r"must be an aioclient\.RedirectPolicy"):
            ClientSession(redirect_policy=5)  # type: ignore[arg-type]


@pytest.mark.rows("RED-04")
@pytest.mark.parametrize("whose", ["server", "function"])
@pytest.mark.parametrize("downgrade", ["strip", "allow", "forbid"])
async def test_https_to_http(certificates: Certificates, downgrade: Any, whose: str) -> None:
    """A redirect from https to http goes bare, as the lists say, or is an error, whoever leads there."""
    tls = certificates.server_context()
    trust = certificates.client_context()
    async with RawServer.replies([OK]) as plain:
        target = plain.url("/", host="localhost")
        location = target if whose == "server" else "/2"
        policy = RedirectPolicy(
            keep_credentials=[target],
            https_to_http=downgrade,
            decide=lambda each: dataclasses.replace(each, target=URL(target)),
        )
        async with (
            RawServer.replies([moved(location)], ssl=tls) as server,
            ClientSession(
                connector=TCPConnector(resolver=Loopback(), ssl=trust), redirect_policy=policy
            ) as session,
        ):
            url = server.url("/", host="localhost")
            if downgrade == "forbid":
                with pytest.raises(aioclient.UnsafeRedirectError, match="policy forbids"):
                    await session.get(url, auth=("u", "p"))
            else:
                assert (await session.get(url, auth=("u", "p"))).status == 200
    found = [len(request.values("Authorization")) for request in plain.requests]
    assert found == {"strip": [0], "allow": [1], "forbid": []}[downgrade]
