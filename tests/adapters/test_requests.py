"""requests over our engine."""

import pickle
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

import aioclient
from aioclient.adapters.requests import Adapter
from tests.servers.blocking import BlockingServer
from tests.servers.certificates import Certificates
from tests.sync.conftest import Server


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


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
