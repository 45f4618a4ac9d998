"""What the transports for httpx and httpx2 take, and which of the library's exceptions each failure becomes."""

import asyncio
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import aioclient
from aioclient.adapters.settings import AdapterSettings
from aioclient.testing import silent_port
from tests.servers.blocking import OK, BlockingServer
from tests.sync.conftest import Server


def both(
    blocking: Callable[[Any], Any], awaited: Callable[[Any], Any], library: Any
) -> Callable[[Any], Any]:
    """Return a function that does the one or the other, by the kind of its client."""
    return lambda client: (blocking if isinstance(client, library.Client) else awaited)(client)


class TestTimeouts:
    def test_of_the_pool(self, server: Server, run: Any, library: Any) -> None:
        limits = library.Timeout(5, pool=1e-3)

        def blocking(client: Any) -> Any:
            with client.stream("GET", f"{server.url}/endless"):
                return client.get(f"{server.url}/echo", timeout=limits)

        async def awaited(client: Any) -> Any:
            async with client.stream("GET", f"{server.url}/endless"):
                return await client.get(f"{server.url}/echo", timeout=limits)

        one = library.Limits(max_connections=1)
        with pytest.raises(library.PoolTimeout, match="limit=1"):
            run(both(blocking, awaited, library), limits=one)

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux ignores what does not fit")
    def test_of_connecting(self, run: Any, library: Any) -> None:
        limits = library.Timeout(5, connect=1e-2)
        with silent_port() as port, pytest.raises(library.ConnectTimeout):
            run(lambda client: client.get(f"http://127.0.0.1:{port}/", timeout=limits))

    def test_none(self, server: Server, run: Any) -> None:
        response = run(lambda client: client.get(f"{server.url}/echo", timeout=None))
        call = response.extensions["aioclient_response"].request
        assert call.timeout == aioclient.ClientTimeout(total=None, sock_connect=None)


class TestErrors:
    def test_a_proxy_that_refuses(self, run: Any, library: Any) -> None:
        def refuse(peer: Any) -> None:
            peer.read_head()
            peer.send(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

        with BlockingServer(refuse) as proxy, pytest.raises(library.ProxyError, match="407"):
            run(lambda client: client.get("https://a.test/"), proxy=proxy.url())

    def test_a_body_of_another_length(self, server: Server, run: Any, library: Any) -> None:
        def blocking(client: Any) -> Any:
            fields = {"Content-Length": "9"}
            return client.post(f"{server.url}/echo", content=iter([b"a"]), headers=fields)

        async def pieces() -> Any:
            yield b"a"

        def awaited(client: Any) -> Any:
            fields = {"Content-Length": "9"}
            return client.post(f"{server.url}/echo", content=pieces(), headers=fields)

        with pytest.raises(library.LocalProtocolError):
            run(both(blocking, awaited, library))

    def test_an_extra_that_is_missing(
        self, run: Any, library: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "python_socks", None)
        with pytest.raises(library.UnsupportedProtocol, match="pip install"):
            run(lambda client: client.get("http://a.test/"), proxy="socks5://127.0.0.1:1")


class TestSettings:
    def test_a_proxy_of_httpx_with_login_and_fields(self, run: Any, library: Any) -> None:
        heads = []

        def answer(peer: Any) -> None:
            heads.append(peer.read_head())
            peer.send(OK)

        with BlockingServer(answer) as proxy:
            given = library.Proxy(proxy.url(), auth=("u", "p"), headers={"X-Proxy": "1"})
            assert run(lambda client: client.get("http://a.test/"), proxy=given).text == "ok"
        assert heads[0].startswith(b"GET http://a.test/ HTTP/1.1\r\n")
        assert b"Proxy-Authorization: Basic dTpw\r\n" in heads[0]
        assert b"x-proxy: 1\r\n" in heads[0].lower()

    def test_the_environment_s_proxies(
        self, server: Server, run: Any, library: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only with trust_env=True of the transport."""
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)

        def get(client: Any) -> Any:
            return client.get(f"{server.origin}/echo")

        assert run(get).is_success
        with pytest.raises(library.ProxyError):
            run(get, trust_env=True)

    def test_a_local_address(self, run: Any) -> None:
        peers = []

        def answer(peer: Any) -> None:
            peers.append(peer.sock.getpeername()[0])
            peer.read_head()
            peer.send(OK)

        with BlockingServer(answer) as server:
            run(lambda client: client.get(server.url()), local_address="127.0.0.2")
        assert peers == ["127.0.0.2"]

    def test_a_unix_socket(self, run: Any, unix_server: str) -> None:
        assert run(lambda client: client.get("http://a.test/"), uds=unix_server).text == "ok"

    @pytest.fixture
    def unix_server(self, tmp_path: Path) -> Iterator[str]:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while self.rfile.readline().strip():
                    pass
                self.wfile.write(OK)

        path = str(tmp_path / "socket")
        with socketserver.ThreadingUnixStreamServer(path, Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            yield path
            server.shutdown()
            thread.join()

    @pytest.mark.parametrize(("expiry", "connections"), [(0, 2), (5.0, 1), (None, 1)])
    def test_how_long_connections_are_kept(
        self, run: Any, library: Any, expiry: float | None, connections: int
    ) -> None:
        def answer(peer: Any) -> None:
            while peer.read_head():
                peer.send(OK)

        async def awaited(client: Any) -> None:
            for _ in range(2):
                await client.get(server.url())

        def blocking(client: Any) -> None:
            for _ in range(2):
                client.get(server.url())

        limits = library.Limits(keepalive_expiry=expiry)
        with BlockingServer(answer) as server:
            run(both(blocking, awaited, library), limits=limits)
        assert server.connections == connections

    def test_any_number_of_connections(self, library: Any) -> None:
        async def main() -> None:
            for given, limit in ((7, 7), (None, 0)):
                limits = library.Limits(max_connections=given)
                async with AdapterSettings(limits=limits).session() as session:
                    connector: Any = session.connector
                    assert connector.limit == limit

        asyncio.run(main())

    def test_a_connector_that_was_given_stays_open(
        self, server: Server, run: Any, library: Any
    ) -> None:
        """Whoever made it closes it."""
        kept: list[Any] = []

        class Canned:
            closed = False
            takes_proxies = True

            def bind(self, loop: object) -> None:
                pass

            async def send(self, request: Any) -> Any:
                return aioclient.ClientResponse.from_parts(request, 200, body=b"canned")

            async def close(self) -> None:
                self.closed = True

            def statistics(self) -> object:
                return None

        kept.append(Canned())
        response = run(lambda client: client.get("http://a.test/"), connector=kept[0])
        assert response.text == "canned"
        assert not kept[0].closed

    def test_cookies_are_the_client_s_alone(self, server: Server, run: Any, library: Any) -> None:
        def blocking(client: Any) -> Any:
            client.get(f"{server.url}/set_cookie?a=1")
            client.cookies.clear()
            return client.get(f"{server.url}/echo")

        async def awaited(client: Any) -> Any:
            await client.get(f"{server.url}/set_cookie?a=1")
            client.cookies.clear()
            return await client.get(f"{server.url}/echo")

        assert run(both(blocking, awaited, library)).json()["cookies"] == {}

    def test_fields_of_one_connection_are_the_engine_s(
        self, server: Server, run: Any, library: Any
    ) -> None:
        fields = {"Connection": "close", "Keep-Alive": "9", "Host": "b.test"}
        got = run(lambda client: client.get(f"{server.url}/echo", headers=fields)).json()["headers"]
        headers = {name.lower(): value for name, value in got.items()}
        assert headers["host"] == "b.test"
        assert headers.get("connection", "keep-alive") == "keep-alive"
        assert "keep-alive" not in headers
