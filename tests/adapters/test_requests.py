"""requests over our engine."""

import asyncio
import pickle
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import urllib3

import aioclient
from aioclient.adapters.requests import Adapter
from aioclient.adapters.settings import Draining
from aioclient.sync.portal import PORTAL
from aioclient.testing import silent_port
from tests.servers.blocking import BlockingServer
from tests.servers.certificates import Certificates
from tests.sync.conftest import Server


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with over() as session:
        yield session


def over(**settings: Any) -> requests.Session:
    session = requests.Session()
    for prefix in ("http://", "https://"):
        session.mount(prefix, Adapter(**settings))
    session.trust_env = False
    return session


def test_a_request_and_its_response(server: Server, session: requests.Session) -> None:
    response = session.get(f"{server.url}/echo", params={"a": " b"}, headers={"X": "y"})
    got = response.json()
    assert got["query"] == [["a", " b"]]
    assert got["headers"]["X"] == "y"
    assert got["headers"]["User-Agent"].startswith("python-requests")
    assert response.status_code == 200
    assert response.reason == "OK"
    assert response.url == f"{server.url}/echo?a=+b"
    assert response.elapsed.total_seconds() >= 0
    assert response.raw.version == 11
    session.close()


def test_fields_are_text_in_latin_1(session: requests.Session) -> None:
    """Both ways, as requests has them; what is bytes goes out as it is."""
    heads = []

    def script(peer: Any) -> None:
        heads.append(peer.read_head())
        peer.sock.sendall(
            b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nX: caf\xc3\xa9\r\nX: \xe9\r\n\r\n"
        )

    with BlockingServer(script) as server:
        response = session.get(
            server.url(), headers={"A": "\xe9", "B": "\xe9".encode(), "C": "\u0161"}
        )
    assert response.headers["X"] == "caf\xc3\xa9, \xe9"
    assert response.raw.version == 10
    for field in (b"A: \xe9\r\n", b"B: \xc3\xa9\r\n", b"C: \xc5\xa1\r\n"):
        assert field in heads[0]


def test_a_redirect_to_a_path_in_utf_8(server: Server, session: requests.Session) -> None:
    paths = []

    def script(peer: Any) -> None:
        paths.append(peer.read_head().split()[1])
        peer.sock.sendall(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /\xc5\xa1\r\n\r\n")
        paths.append(peer.read_head().split()[1])
        peer.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with BlockingServer(script) as redirecting:
        assert session.get(redirecting.url()).ok
    assert paths == [b"/", b"/%C5%A1"]


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ({"json": [1]}, "[1]"),
        ({"data": {"a": "b"}}, "a=b"),
        ({"data": b"raw"}, "raw"),
        ({"data": "text"}, "text"),
        ({"data": iter([b"a", b"b"])}, "ab"),
        ({}, ""),
    ],
    ids=["json", "form", "bytes", "text", "iterator", "none"],
)
def test_bodies(server: Server, session: requests.Session, arguments: Any, body: str) -> None:
    assert session.post(f"{server.url}/echo", **arguments).json()["body"] == body


def test_files(server: Server, session: requests.Session, tmp_path: Any) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"hi")
    with path.open("rb") as file:
        assert session.post(f"{server.url}/form", files={"f": file}).json()["f"][2] == "hi"
    with path.open("rb") as file:
        assert session.post(f"{server.url}/echo", data=file).json()["body"] == "hi"


def test_redirects_cookies_and_codings(server: Server, session: requests.Session) -> None:
    response = session.get(f"{server.url}/set_cookie?a=1")
    assert [each.status_code for each in response.history] == [302]
    assert response.history[0].cookies["a"] == "1"
    assert session.get(f"{server.url}/echo").json()["cookies"] == {"a": "1"}
    response = session.get(f"{server.url}/zipped")
    assert response.json() == {"a": 1}


def test_streams(server: Server, session: requests.Session) -> None:
    with session.get(f"{server.url}/lines", stream=True) as response:
        assert next(iter(response.iter_lines(1, decode_unicode=True))) == "one"
    with session.get(f"{server.url}/endless", stream=True) as response:
        assert response.raw.read(10) == b"x" * 10
    assert session.get(f"{server.url}/echo").ok


def test_a_stream_outlives_its_session(server: Server) -> None:
    """As over requests' own adapter: close() closes what is idle, and the stream's connection when it was read."""
    with over() as session:
        assert session.get(f"{server.url}/echo").ok
        lines = session.get(f"{server.url}/lines", stream=True)
        endless = session.get(f"{server.url}/endless", stream=True)
        adapter: Any = session.get_adapter(server.url)
        connector = adapter._blocking._session.connector
    with endless:
        assert connector.closed
        assert list(lines.iter_lines()) == [b"one", b"two", "dr\u00e9i".encode()]
        assert len(endless.raw.read(2**20)) == 2**20
        (draining,) = PORTAL.run(drainings())
    PORTAL.run(ended(draining))
    assert connector._sockets.connections == set()


def test_a_closed_session_opens_again(server: Server, session: requests.Session) -> None:
    """And closing it once more does not touch the stream of before."""
    with session.get(f"{server.url}/endless", stream=True) as response:
        session.close()
        assert session.get(f"{server.url}/echo").ok
        session.close()
        assert len(response.raw.read(2**20)) == 2**20


async def drainings() -> list[Draining]:
    return [each for each in PORTAL.members if isinstance(each, Draining)]


async def ended(draining: Draining) -> None:
    while draining in PORTAL.members:
        await asyncio.sleep(0)


def test_an_answer_before_the_upload_s_end(server: Server, session: requests.Session) -> None:
    pieces = (b"x" * 10 for _ in range(5))
    assert session.post(f"{server.url}/repeating", data=pieces).content == b"x" * 50


class TestErrors:
    def test_timeouts(self, server: Server, session: requests.Session) -> None:
        with pytest.raises(requests.ReadTimeout):
            session.get(f"{server.url}/never", timeout=(5, 1e-6))

    def test_connections(self, session: requests.Session) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))  # nobody listens
            url = f"http://127.0.0.1:{sock.getsockname()[1]}/"
            with pytest.raises(requests.ConnectionError) as caught:
                session.get(url)
            assert caught.value.request is not None
            assert caught.value.request.url == url
            with pytest.raises(requests.exceptions.ProxyError):
                session.get("http://a.test/", proxies={"http": url})

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (b"", requests.ConnectionError),
            (b"nonsense\r\n\r\n", requests.ConnectionError),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
                requests.exceptions.ChunkedEncodingError,
            ),
        ],
        ids=["closed", "no HTTP", "cut"],
    )
    def test_servers(
        self, session: requests.Session, answer: bytes, error: type[Exception]
    ) -> None:
        def script(peer: Any) -> None:
            peer.read_head()
            peer.sock.sendall(answer)

        with BlockingServer(script) as broken, pytest.raises(error):
            session.post(broken.url(), json=1)

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux ignores what does not fit")
    @pytest.mark.parametrize("timeout", [(1e-2, 5), urllib3.Timeout(connect=1e-2)], ids=str)
    def test_timeouts_of_connecting(self, session: requests.Session, timeout: Any) -> None:
        with silent_port() as port, pytest.raises(requests.ConnectTimeout):
            session.get(f"http://127.0.0.1:{port}/", timeout=timeout)

    def test_a_proxy_that_refuses(self, session: requests.Session) -> None:
        def refuse(peer: Any) -> None:
            peer.read_head()
            peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        with (
            BlockingServer(refuse) as proxy,
            pytest.raises(requests.exceptions.ProxyError, match="403"),
        ):
            session.get("https://a.test/", proxies={"https": proxy.url()})

    def test_a_server_without_tls(self, session: requests.Session) -> None:
        def answer(peer: Any) -> None:
            peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        with BlockingServer(answer) as server, pytest.raises(requests.exceptions.SSLError):
            session.get(server.url().replace("http:", "https:"))

    @pytest.mark.parametrize("fields", [{"A": "b\r\nc: d"}, {"A b": "c"}], ids=str)
    def test_fields_that_are_none(self, session: requests.Session, fields: Any) -> None:
        with pytest.raises(requests.exceptions.InvalidHeader):
            session.get("http://127.0.0.1:1/", headers=fields)

    @pytest.mark.parametrize(
        ("mine", "kind"),
        [(LookupError(), LookupError), (OSError(), requests.ConnectionError)],
    )
    def test_what_an_iterator_raises(
        self, server: Server, session: requests.Session, mine: Exception, kind: type[Exception]
    ) -> None:
        def pieces() -> Iterator[bytes]:
            yield b"a"
            raise mine

        with pytest.raises(kind):
            session.post(f"{server.url}/echo", data=pieces())

    @pytest.mark.parametrize("proxy", ["http://:8080", "https://", "http:/a.test:3128"])
    def test_proxies_without_a_host(self, session: requests.Session, proxy: str) -> None:
        with pytest.raises(requests.exceptions.InvalidProxyURL, match="names no host"):
            session.get("http://a.test/", proxies={"http": proxy})

    def test_a_proxy_without_a_scheme(self, session: requests.Session) -> None:
        """It is one for HTTP."""
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))  # nobody listens
            proxy = f"127.0.0.1:{sock.getsockname()[1]}"
            with pytest.raises(requests.exceptions.ProxyError):
                session.get("http://a.test/", proxies={"all": proxy})

    @pytest.mark.parametrize("timeout", ["5", 0, -1, True, (1, "2"), float("nan")])
    def test_timeouts_that_are_none(self, session: requests.Session, timeout: Any) -> None:
        with pytest.raises(ValueError, match="must be an int, float or None, in seconds"):
            session.get("http://127.0.0.1:1/", timeout=timeout)

    @pytest.mark.parametrize(
        "timeout",
        [urllib3.Timeout(total=1e-3), urllib3.Timeout(read=1e-6), urllib3.Timeout(9, 1e-6, 9)],
        ids=["total", "read", "both"],
    )
    def test_timeouts_of_urllib3(
        self, server: Server, session: requests.Session, timeout: urllib3.Timeout
    ) -> None:
        with pytest.raises(requests.Timeout):
            session.get(f"{server.url}/never", timeout=timeout)  # type: ignore[arg-type]

    def test_the_cause_is_an_argument(self, session: requests.Session) -> None:
        with pytest.raises(requests.ConnectionError) as caught:
            session.get("http://127.0.0.1:1/")
        assert isinstance(caught.value.args[0], aioclient.ClientConnectorError)
        assert caught.value.args[0] is caught.value.__cause__

    def test_a_timeout_of_three(self, session: requests.Session) -> None:
        with pytest.raises(ValueError, match=r"timeout=\(1, 2, 3\): give \(connect, read\)"):
            session.get("http://127.0.0.1:1/", timeout=(1, 2, 3))  # type: ignore[arg-type]

    def test_certificates(self, certificates: Certificates) -> None:
        server = Server(certificates.server_context())
        try:
            with over() as session:
                with pytest.raises(requests.exceptions.SSLError):
                    session.get(f"{server.url}/echo")
                assert session.get(f"{server.url}/echo", verify=str(certificates.ca_file)).ok
                assert session.get(f"{server.url}/echo", verify=False).ok
            with over(verify=str(certificates.ca_file)) as session:
                assert session.get(f"{server.url}/echo").ok
        finally:
            server.close()


def test_what_is_not_sent_of_a_url(session: requests.Session) -> None:
    """The login goes in a field, which is requests' own, and the fragment nowhere."""
    heads = []

    def answer(peer: Any) -> None:
        heads.append(peer.read_head())
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with BlockingServer(answer) as server:
        response = session.get(server.url("/a?b#part").replace("://", "://u:p@"))
    assert heads[0].startswith(b"GET /a?b HTTP/1.1\r\n")
    assert heads[0].count(b"Authorization: Basic dTpw\r\n") == 1
    assert b"@" not in heads[0]
    assert response.url.endswith("/a?b#part")


def test_certificates_are_for_https_alone(server: Server, session: requests.Session) -> None:
    assert session.get(f"{server.url}/echo", verify="/missing", cert="/missing").ok
    with pytest.raises(OSError, match="verify= must be the path of a file or folder of certific"):
        session.get("https://127.0.0.1:1/", verify="/missing")
    with pytest.raises(OSError, match="cert= must be the path of a file with a certificate"):
        session.get("https://127.0.0.1:1/", cert="/missing")


def test_a_subclass_may_change_responses(server: Server) -> None:
    class Marking(Adapter):
        def build_response(self, request: Any, raw: Any) -> requests.Response:
            response = super().build_response(request, raw)
            response.reason = "marked"
            return response

    with requests.Session() as session:
        session.mount("http://", Marking())
        assert session.get(f"{server.url}/echo").reason == "marked"


def test_middlewares(server: Server) -> None:
    seen = []

    async def note(request: Any, handler: Any) -> Any:
        seen.append(request.url.path)
        return await handler(request)

    with over(middlewares=[note]) as session:
        session.get(f"{server.url}/moved?status=302&to=/echo")
    assert seen == ["/moved", "/echo"]


def test_pickled(server: Server) -> None:
    adapter = pickle.loads(pickle.dumps(Adapter(verify=False)))
    with requests.Session() as session:
        session.mount("http://", adapter)
        assert session.get(f"{server.url}/echo").ok


def test_arguments_that_are_none() -> None:
    with pytest.raises(TypeError):
        Adapter(nonsense=1)  # type: ignore[call-arg]
    assert aioclient.adapters.requests.Adapter is Adapter
