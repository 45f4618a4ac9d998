"""Credentials at servers that check them: nginx, Apache, lighttpd, and an OAuth 2 server of oauthlib."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from aioclient import (
    BasicAuth,
    ClientSession,
    DigestAuth,
    OAuth2AuthorizationCode,
    OAuth2ClientCredentials,
    OAuth2Error,
    OAuth2RefreshToken,
    TCPConnector,
    TokenFile,
)
from aioclient.message.origin import origin_of

from .servers.app import serve_application
from .servers.authenticating import PASSWORD, USER, ApacheDigest, LighttpdDigest
from .servers.nginx import Nginx
from .servers.require import require_module


@pytest.fixture(scope="module")
def apache() -> Iterator[ApacheDigest]:
    with ApacheDigest() as server:
        yield server


@pytest.fixture(scope="module")
def lighttpd() -> Iterator[LighttpdDigest]:
    with LighttpdDigest() as server:
        yield server


@pytest.mark.both_loops
async def test_nginx_basic(nginx: Nginx) -> None:
    """nginx's auth_basic lets in who has the password, and nobody else."""
    for auth, status in ((BasicAuth("user", "pass"), 200), (("user", "wrong"), 401), (None, 401)):
        async with ClientSession(auth=auth) as session, session.get(nginx.url("/auth")) as response:
            assert response.status == status
            if status == 401:
                assert response.headers["WWW-Authenticate"] == 'Basic realm="test"'


@pytest.mark.rows("AUTH-06", "AUTH-07")
@pytest.mark.both_loops
class TestDigest:
    async def test_apache(self, apache: ApacheDigest) -> None:
        """mod_auth_digest takes the answers, one round for the first request and none for those that follow."""
        url = f"http://127.0.0.1:{apache.ports['port']}/long/file"
        auth = DigestAuth(USER, PASSWORD)
        async with ClientSession(auth=auth, connector=TCPConnector(limit=1)) as session:
            for _ in range(3):
                async with session.get(url, params={"a": "b c"}) as response:
                    assert (response.status, await response.text()) == (200, "welcome")
            connector: Any = session.connector
            assert connector.statistics().in_use == 0
        assert auth._nonces.count(origin_of(URL(url))) == 4

    async def test_apache_with_nonces_for_once(self, apache: ApacheDigest) -> None:
        """Where a nonce is good for one request, the next one comes with each answer, or by another round."""
        url = f"http://127.0.0.1:{apache.ports['port']}/once/file"
        async with ClientSession(auth=DigestAuth(USER, PASSWORD)) as session:
            for _ in range(3):
                async with session.get(url) as response:
                    assert (response.status, await response.text()) == (200, "welcome")

    async def test_lighttpd(self, lighttpd: LighttpdDigest) -> None:
        """lighttpd takes a SHA-256 digest."""
        url = f"http://127.0.0.1:{lighttpd.ports['port']}/file"
        auth = DigestAuth(USER, PASSWORD)
        async with ClientSession(auth=auth) as session:
            for _ in range(3):
                async with session.get(url) as response:
                    assert (response.status, await response.text()) == (200, "welcome")
                    field = response.request_info.headers["Authorization"]
                    assert "algorithm=SHA-256" in field
            found = await asyncio.gather(*(_status(session, url) for _ in range(20)))
            assert set(found) == {200}

    async def test_a_wrong_password(self, apache: ApacheDigest, lighttpd: LighttpdDigest) -> None:
        """Both refuse a wrong password, after one more round."""
        for port, path in ((apache.ports["port"], "/long/file"), (lighttpd.ports["port"], "/file")):
            async with (
                ClientSession(auth=DigestAuth(USER, "wrong")) as session,
                session.get(f"http://127.0.0.1:{port}{path}") as response,
            ):
                assert response.status == 401
                assert response.request_info.headers["Authorization"].startswith("Digest")


async def _status(session: ClientSession, url: str) -> int:
    async with session.get(url) as response:
        return response.status


@pytest.fixture
def oauthlib_server(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server that takes what the standard says, and nothing else."""
    require_module("oauthlib")
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # it is on this machine
    from .servers.oauthlib_server import OAuthlibServer

    return OAuthlibServer()


@pytest.mark.both_loops
class TestOAuth2:
    @pytest.mark.parametrize("client_auth", ["client_secret_basic", "client_secret_post"])
    async def test_client_credentials(self, oauthlib_server: Any, client_auth: Any) -> None:
        """The server takes the client in either way, whatever its secret holds; a refused token is renewed."""
        from .servers.oauthlib_server import CLIENT, SECRET

        async with (
            serve_application(oauthlib_server.application()) as origin,
            ClientSession() as session,
        ):
            auth = OAuth2ClientCredentials(
                f"{origin}/token", CLIENT, SECRET, scope="read write", client_auth=client_auth
            )
            session.auth = auth
            assert [await _status(session, f"{origin}/api") for _ in range(2)] == [200, 200]
            oauthlib_server.validator.tokens.clear()
            assert await _status(session, f"{origin}/api") == 200
            assert oauthlib_server.answers == [200, 200]
            session.auth = OAuth2ClientCredentials(f"{origin}/token", CLIENT, "wrong")
            with pytest.raises(OAuth2Error, match=r"status 401.*invalid_client"):
                await session.get(f"{origin}/api")
            session.auth = OAuth2ClientCredentials(f"{origin}/token", CLIENT, SECRET, scope="all")
            with pytest.raises(OAuth2Error, match="invalid_scope"):
                await session.get(f"{origin}/api")

    async def test_refresh_tokens(self, oauthlib_server: Any, tmp_path: Path) -> None:
        """Refresh tokens that rotate are each used once."""
        from .servers.oauthlib_server import CLIENT, SECRET

        async with serve_application(oauthlib_server.application()) as origin:
            for _ in range(2):
                auth = OAuth2RefreshToken(
                    f"{origin}/token",
                    CLIENT,
                    SECRET,
                    refresh_token="first",
                    store=TokenFile(tmp_path / "tokens"),
                )
                async with ClientSession(auth=auth) as session:
                    assert await _status(session, f"{origin}/api") == 200
                    oauthlib_server.validator.tokens.clear()
                    assert await _status(session, f"{origin}/api") == 200
        assert oauthlib_server.answers == [200] * 3
        assert "first" not in oauthlib_server.validator.refresh

    @pytest.mark.rows("AUTH-13")
    async def test_a_login(self, oauthlib_server: Any) -> None:
        """A public client logs a user in: the server compares code, redirect and verifier."""
        async with (
            serve_application(oauthlib_server.application()) as origin,
            ClientSession() as browser,
        ):
            loop = asyncio.get_running_loop()

            def open_browser(url: str) -> None:
                asyncio.run_coroutine_threadsafe(visit(url), loop)

            async def visit(url: str) -> None:
                async with browser.get(url) as response:
                    assert response.status == 200

            auth = OAuth2AuthorizationCode(
                f"{origin}/authorize",
                f"{origin}/token",
                "public",
                scope="read",
                open_browser=open_browser,
            )
            async with ClientSession(auth=auth) as session:
                assert await _status(session, f"{origin}/api") == 200
                oauthlib_server.validator.tokens.clear()
                assert await _status(session, f"{origin}/api") == 200
        assert oauthlib_server.validator.codes == {}
        assert oauthlib_server.answers == [200, 200]
