"""What users of requests rely on, topic by topic, and what the asynchronous session brings to it."""

import gzip
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

import aioclient
from aioclient import BearerAuth, Cache, DigestAuth, MemoryStore, RateLimit, Retry
from aioclient.sync import Response, Session
from tests.servers.blocking import BlockingServer

from .conftest import Server, sent


@pytest.fixture
def other() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def answering(*answers: bytes) -> BlockingServer:
    """Return a server that gives these answers in turn, on one connection."""

    def script(peer: Any) -> None:
        for answer in answers:
            peer.read_head()
            peer.sock.sendall(answer)

    return BlockingServer(script)


def whole(body: bytes, *fields: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.mark.rows("S004-04")
def test_defaults(session: Session) -> None:
    assert (session.params, session.proxies, session.hooks) == ({}, {}, {"response": []})
    assert (session.verify, session.cert, session.stream) == (True, None, False)
    assert (session.auth, session.max_redirects, session.trust_env) == (None, 10, False)
    assert session.timeout == aioclient.ClientTimeout(total=300, sock_connect=30)
    assert session._core.timeout == session.timeout
    assert dict(session.cookies) == {}


class TestRedirects:
    @pytest.mark.parametrize(
        ("status", "method", "becomes"),
        [
            (301, "POST", "GET"),
            (302, "POST", "GET"),
            (303, "PUT", "GET"),
            (302, "PUT", "PUT"),
            (307, "POST", "POST"),
            (308, "POST", "POST"),
        ],
    )
    def test_methods_and_bodies(
        self, server: Server, session: Session, status: int, method: str, becomes: str
    ) -> None:
        url = f"{server.url}/moved?status={status}&to=/echo"
        response = session.request(method, url, data=b"body")
        got = sent(response)
        assert (got["method"], got["body"]) == (becomes, "" if becomes == "GET" else "body")
        assert ("Content-Type" in got["headers"]) is (becomes != "GET")
        assert [each.status_code for each in response.history] == [status]

    def test_head_follows_only_when_told(self, server: Server, session: Session) -> None:
        url = f"{server.url}/moved?status=302&to=/echo"
        assert session.head(url).status_code == 302
        assert session.head(url, allow_redirects=True).status_code == 200

    def test_a_fragment_is_kept(self, server: Server, session: Session) -> None:
        response = session.get(f"{server.url}/moved?status=302&to=/echo#part")
        assert response.url == f"{server.url}/echo#part"

    @pytest.mark.parametrize("of", ["session", "call"])
    def test_credentials_stay_with_their_origin(
        self, server: Server, other: Server, session: Session, of: str
    ) -> None:
        fields = {"X-Api-Key": "geheim", "X-Other": "1"}
        if of == "session":
            session.auth = ("u", "p")
            session.headers.update(fields)
            call = {}
        else:
            call = {"auth": ("u", "p"), "headers": fields}
        for target, there in ((server, True), (other, False)):
            url = f"{server.url}/moved?status=302&to={target.url}/echo"
            got = sent(session.get(url, cookies={"c": "1"}, **call))  # type: ignore[arg-type]
            assert ("Authorization" in got["headers"]) is there
            assert ("X-Api-Key" in got["headers"]) is there
            assert got["headers"]["X-Other"] == "1"

    def test_a_permanent_one(self, server: Server, session: Session) -> None:
        url = f"{server.url}/moved?status=308&to=/echo"
        response = session.get(url, allow_redirects=False)
        assert response.is_redirect
        assert response.is_permanent_redirect


class TestResponses:
    def test_links_and_cookies(self, session: Session) -> None:
        fields = (
            'Link: </page?n=2>; rel="next", <https://a.test/>; rel=license; title="L"',
            "Set-Cookie: a=1; Path=/",
            "Set-Cookie: b=2",
        )
        with answering(whole(b"", *fields)) as server:
            response = session.get(server.url("/page"))
            assert response.links["next"]["url"] == URL(server.url("/page?n=2"))
            assert response.links["license"]["title"] == "L"
            assert response.cookies["a"] == "1"
            assert response.cookies.get_dict() == {"a": "1", "b": "2"}

    def test_text_of_an_unnamed_charset(self, session: Session) -> None:
        text = "Größe: ein wenig Text, damit die Erkennung etwas zu lesen hat, süß und schön. " * 5
        body = text.encode("cp1252")
        named = whole(b"\xff", "Content-Type: text/plain; charset=utf-8")
        with answering(whole(body, "Content-Type: text/plain"), named) as server:
            response = session.get(server.url())
            assert response.encoding is None
            assert response.apparent_encoding.replace("-", "_").lower() in (
                "cp1252",
                "windows_1252",
                "iso8859_1",
                "latin_1",
                "cp1250",
            )
            assert "Gr" in response.text
            response.encoding = "cp1252"
            assert response.text == text
            assert session.get(server.url()).text == "\ufffd"

    def test_elapsed_is_the_time_of_the_head(self, server: Server, session: Session) -> None:
        for _ in range(
            50
        ):  # over a connection that is kept: some answers come within a millisecond
            begun = time.perf_counter()
            response = session.get(f"{server.url}/echo")
            assert 0 < response.elapsed.total_seconds() < time.perf_counter() - begun + 0.001
            assert response.timings.first_byte is not None

    def test_a_stream_is_read_once_whole(self, server: Server, session: Session) -> None:
        with session.get(f"{server.url}/echo", stream=True) as response:
            assert response.json()["method"] == "GET"
            assert response.content == response.content
            assert b"".join(response.iter_content(7)) == response.content
        assert response.raw.read() == b"" or response.raw.closed

    def test_raw_is_a_file(self, session: Session, tmp_path: Path) -> None:
        """Undecoded, as ``shutil.copyfileobj()`` reads it, and closed with its response."""
        import shutil

        body = gzip.compress(b"x" * 10_000)
        with answering(whole(body, "Content-Encoding: gzip")) as server:
            with session.get(server.url(), stream=True) as response:
                with (tmp_path / "copy").open("wb") as file:
                    shutil.copyfileobj(response.raw, file)
                assert response.raw.readable()
            assert (tmp_path / "copy").read_bytes() == body


def test_settings_outlive_a_change(server: Server, session: Session) -> None:
    """mount() and trust_env make the session within anew, with all that was set."""
    session.auth = ("u", "p")
    session.headers["X"] = "y"
    session.cookies.set("a", "1", domain="localhost")
    session.mount("http://a.test", aioclient.TCPConnector)
    session.trust_env = True
    got = sent(session.get(f"{server.url}/echo"))
    assert got["headers"]["Authorization"] == "Basic dTpw"
    assert (got["headers"]["X"], got["cookies"]) == ("y", {"a": "1"})


def test_a_session_that_streams(server: Server) -> None:
    """Until a call says otherwise; the setting may change at any time."""
    with Session(stream=True) as session:
        with session.get(f"{server.url}/endless") as response:
            assert next(response.iter_content(10)) == b"x" * 10
        whole = session.get(f"{server.url}/echo", stream=False)
        assert whole.response.closed
        session.stream = False
        assert session.get(f"{server.url}/echo").response.closed


def test_errors_are_those_of_aiohttp(session: Session) -> None:
    with pytest.raises(aiohttp.InvalidURL):
        session.get("nonsense")
    with pytest.raises(aiohttp.NonHttpUrlClientError):
        session.get("ftp://a.test/")
    with pytest.raises(aiohttp.ClientConnectorError):
        session.get("http://127.0.0.1:1/")
    with pytest.raises(ValueError, match="header"):
        session.get("http://127.0.0.1:1/", headers={"a": "b\r\nc: d"})


class TestAsTheAsynchronousSession:
    """Credentials and middlewares are the same objects, and do the same."""

    def test_bearer_tokens_that_are_fetched(self, server: Server, session: Session) -> None:
        threads = []

        async def fetch() -> str:
            threads.append(threading.current_thread())
            return "t"

        session.auth = BearerAuth(fetch)
        assert sent(session.get(f"{server.url}/echo"))["headers"]["Authorization"] == "Bearer t"
        assert threads[0] is not threading.current_thread()

    def test_digest(self, session: Session) -> None:
        challenge = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256'
        refused = whole(b"", challenge, status="401 Unauthorized")
        with answering(refused, whole(b"in")) as server:
            response = session.get(server.url(), auth=DigestAuth("u", "p"))
            assert (response.status_code, response.content) == (200, b"in")

    def test_netrc(
        self, server: Server, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With trust_env=True, where neither session nor call nor URL has credentials."""
        path = tmp_path / "netrc"
        path.write_text("machine localhost login u password p\n")
        path.chmod(0o600)
        monkeypatch.setenv("NETRC", str(path))
        url = f"{server.url}/echo"
        assert "Authorization" not in sent(session.get(url))["headers"]
        with Session(trust_env=True) as trusting:
            assert sent(trusting.get(url))["headers"]["Authorization"] == "Basic dTpw"
            mine = sent(trusting.get(url, auth=("a", "b")))["headers"]["Authorization"]
            assert mine == "Basic YTpi"

    def test_middlewares(self) -> None:
        kept = whole(b"kept", "Cache-Control: max-age=100")
        busy = whole(b"", status="503 Service Unavailable")
        layers = [Cache(MemoryStore()), Retry(attempts=2, backoff=0), RateLimit(100, per=1.0)]
        with (
            answering(busy, kept) as server,
            Session(middlewares=layers) as session,
        ):
            first, second = session.get(server.url()), session.get(server.url())
        assert first.content == second.content == b"kept"
        assert [attempt.status for attempt in first.attempts] == [503, 200]  # type: ignore[attr-defined]
        assert second.cache_status.hit  # type: ignore[attr-defined]

    def test_an_error_of_the_server_raises_when_told(
        self, server: Server, session: Session
    ) -> None:
        with pytest.raises(aioclient.StatusError, match="404"):
            session.get(f"{server.url}/status?code=404", raise_for_status=True)


async def test_a_call_that_nobody_awaits_tells_of_blocking_ones() -> None:
    """``aioclient.get(...)`` is a coroutine's; who comes from requests is told where the other one is."""
    call: Any = aioclient.get("http://127.0.0.1:1/")
    for name in ("text", "status_code", "json", "raise_for_status"):
        with pytest.raises(AttributeError, match=r"aioclient\.sync\.get\(\)"):
            getattr(call, name)
    with pytest.raises(aioclient.ClientConnectorError):
        await call


def test_a_response_of_a_hook_is_returned(server: Server, session: Session) -> None:
    """Each hook gets what the one before returned."""

    def replace(response: Response, **settings: Any) -> Response:
        return session.get(f"{server.url}/status?code=404")

    seen = []
    hooks: Any = {"response": [replace, lambda response, **_: seen.append(response.status_code)]}
    assert session.get(f"{server.url}/echo", hooks=hooks).status_code == 404
    assert seen == [404]
