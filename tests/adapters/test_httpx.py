"""httpx and httpx2 over our engine: what goes out, what comes back, what is raised, who closes."""

import asyncio
import gzip
import json
import warnings
from types import ModuleType
from typing import Any

import pytest

import aioclient
from tests.servers.blocking import BlockingServer
from tests.servers.certificates import Certificates
from tests.sync.conftest import Server


def test_a_request_and_its_response(server: Server, run: Any) -> None:
    response = run(lambda client: client.get(f"{server.url}/echo?a=%20b", headers={"X": "y"}))
    got = response.json()
    assert got["query"] == [["a", " b"]]
    assert got["headers"]["X".lower() if "x" in got["headers"] else "X"] == "y"
    assert "aioclient" not in got["headers"].get("User-Agent", "")
    assert response.status_code == 200
    assert response.http_version == "HTTP/1.1"
    assert response.reason_phrase == "OK"
    assert response.extensions["aioclient_response"].status == 200
    assert response.elapsed.total_seconds() >= 0


@pytest.mark.parametrize(
    ("arguments", "body", "kind"),
    [
        ({"json": [1]}, "[1]", "application/json"),
        ({"data": {"a": "b"}}, "a=b", "application/x-www-form-urlencoded"),
        ({"content": b"raw"}, "raw", None),
        ({"content": b""}, "", None),
        ({}, "", None),
    ],
    ids=["json", "data", "content", "empty", "none"],
)
def test_bodies(server: Server, run: Any, arguments: Any, body: str, kind: str | None) -> None:
    got = run(lambda client: client.post(f"{server.url}/echo", **arguments)).json()
    headers = {name.lower(): value for name, value in got["headers"].items()}
    assert (got["body"], headers.get("content-type")) == (body, kind)
    assert headers["content-length"] == str(len(body))


def test_files(server: Server, run: Any) -> None:
    files = {"f": ("n.txt", b"hi", "text/plain")}
    got = run(lambda client: client.post(f"{server.url}/form", files=files, data={"a": "b"}))
    assert got.json() == {"f": ["n.txt", "text/plain", "hi"], "a": "b"}


def test_a_body_that_is_iterated(server: Server, run: Any, library: Any) -> None:
    def send(client: Any) -> Any:
        if isinstance(client, library.Client):
            return client.post(f"{server.url}/echo", content=iter([b"a", b"b"]))

        async def pieces() -> Any:
            yield b"a"
            yield b"b"

        return client.post(f"{server.url}/echo", content=pieces())

    got = run(send).json()
    assert got["body"] == "ab"
    assert got["headers"]["Transfer-Encoding"] == "chunked"


def test_redirects_and_cookies_are_the_client_s(server: Server, run: Any) -> None:
    def twice(client: Any) -> Any:
        first = client.get(f"{server.url}/set_cookie?a=1", follow_redirects=True)
        if not asyncio.iscoroutine(first):
            return first, client.get(f"{server.url}/echo")

        async def later() -> Any:
            return await first, await client.get(f"{server.url}/echo")

        return later()

    first, second = run(twice)
    assert [each.status_code for each in first.history] == [302]
    assert second.json()["cookies"] == {"a": "1"}
    response = run(lambda client: client.get(f"{server.url}/set_cookie?a=1"))
    assert response.status_code == 302


def test_auth_is_the_client_s(server: Server, run: Any) -> None:
    url = server.url.replace("://", "://u:p@") + "/echo"
    got = run(lambda client: client.get(url)).json()
    headers = {name.lower(): value for name, value in got["headers"].items()}
    assert headers["authorization"] == "Basic dTpw"


def test_codings_are_undone_by_the_client(server: Server, run: Any) -> None:
    response = run(lambda client: client.get(f"{server.url}/zipped"))
    assert response.json() == {"a": 1}
    assert response.headers["Content-Encoding"] == "gzip"


def test_streams(server: Server, run: Any, library: Any) -> None:
    def read(client: Any) -> Any:
        if isinstance(client, library.Client):
            with client.stream("GET", f"{server.url}/zipped") as response:
                raw = b"".join(response.iter_raw())
            with client.stream("GET", f"{server.url}/lines") as response:
                lines = list(response.iter_lines())
            with client.stream("GET", f"{server.url}/endless") as response:
                first = next(response.iter_bytes(10))
                network = response.extensions["network_stream"]
                peer = network.get_extra_info("server_addr")
            return raw, lines, first, peer, client.get(f"{server.url}/echo").status_code

        async def later() -> Any:
            async with client.stream("GET", f"{server.url}/zipped") as response:
                raw = b"".join([piece async for piece in response.aiter_raw()])
            async with client.stream("GET", f"{server.url}/lines") as response:
                lines = [line async for line in response.aiter_lines()]
            async with client.stream("GET", f"{server.url}/endless") as response:
                first = await anext(response.aiter_bytes(10))
                network = response.extensions["network_stream"]
                peer = network.get_extra_info("server_addr")
            return raw, lines, first, peer, (await client.get(f"{server.url}/echo")).status_code

        return later()

    raw, lines, first, peer, status = run(read)
    assert json.loads(gzip.decompress(raw)) == {"a": 1}
    assert lines == ["one", "two", "dréi"]
    assert first == b"x" * 10
    assert peer[0] == "127.0.0.1"
    assert status == 200


def test_an_answer_before_the_upload_s_end(
    server: Server, names: tuple[ModuleType, ModuleType]
) -> None:
    library, ours = names
    with library.Client(transport=ours.Transport()) as client:
        pieces = (b"x" * 10 for _ in range(5))
        assert client.post(f"{server.url}/repeating", content=pieces).content == b"x" * 50


class TestErrors:
    """Each of ours becomes the one that the library's own transports raise."""

    def test_timeouts(self, server: Server, run: Any, library: Any) -> None:
        limits = library.Timeout(5, read=1e-6)
        with pytest.raises(library.ReadTimeout) as caught:
            run(lambda client: client.get(f"{server.url}/never", timeout=limits))
        assert caught.value.request.url.path == "/never"
        assert isinstance(caught.value.__cause__, aioclient.ReadTimeoutError)

    def test_connections(self, run: Any, library: Any) -> None:
        import socket

        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))  # nobody listens
            url = f"http://127.0.0.1:{sock.getsockname()[1]}/"
            with pytest.raises(library.ConnectError, match="GET http"):
                run(lambda client: client.get(url))
            with pytest.raises(library.ProxyError):
                run(lambda client: client.get("http://a.test/"), proxy=url)

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (b"", "RemoteProtocolError"),
            (b"nonsense\r\n\r\n", "RemoteProtocolError"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "RemoteProtocolError"),
        ],
        ids=["closed", "no HTTP", "cut"],
    )
    def test_servers(self, run: Any, library: Any, answer: bytes, error: str) -> None:
        def script(peer: Any) -> None:
            peer.read_head()
            peer.sock.sendall(answer)

        with BlockingServer(script) as broken, pytest.raises(getattr(library, error)):
            run(lambda client: client.post(broken.url(), json=1))

    def test_certificates(self, certificates: Certificates, run: Any, library: Any) -> None:
        server = Server(certificates.server_context())
        try:
            with pytest.raises(library.ConnectError, match="certificate"):
                run(lambda client: client.get(f"{server.url}/echo"))
            for settings in (
                {"verify": False},
                {"verify": str(certificates.ca_file)},
                {"verify": certificates.client_context()},
            ):
                assert run(lambda client: client.get(f"{server.url}/echo"), **settings).is_success
        finally:
            server.close()

    def test_bad_input(self, run: Any, library: Any) -> None:
        with pytest.raises(library.UnsupportedProtocol):
            run(lambda client: client.get("ftp://a.test/"))
        with pytest.raises(library.LocalProtocolError):
            run(lambda client: client.get("http://a.test/", headers={"a": "b\r\nc: d"}))
        with pytest.raises(library.LocalProtocolError, match="'target'"):
            run(lambda client: client.get("http://a.test/", extensions={"target": b"*"}))

    @pytest.mark.parametrize("kind", [LookupError, ValueError, TimeoutError, OSError])
    def test_what_an_iterator_raises_is_raised(
        self, server: Server, run: Any, library: Any, kind: type[Exception]
    ) -> None:
        """As it is: it is no failure of the network, for which clients send again."""
        mine = kind("mine")

        def send(client: Any) -> Any:
            if isinstance(client, library.Client):

                def pieces() -> Any:
                    yield b"a"
                    raise mine

                return client.post(f"{server.url}/echo", content=pieces())

            async def later() -> Any:
                yield b"a"
                raise mine

            return client.post(f"{server.url}/echo", content=later())

        with pytest.raises(kind) as caught:
            run(send)
        assert caught.value is mine


def test_settings(server: Server, run: Any, library: Any, tmp_path: Any) -> None:
    limits = library.Limits(max_connections=1, keepalive_expiry=1.0)
    assert run(lambda client: client.get(f"{server.url}/echo"), limits=limits).is_success
    local = {"local_address": "127.0.0.1"}
    assert run(lambda client: client.get(f"{server.origin}/echo"), **local).is_success
    seen = []

    async def note(request: Any, handler: Any) -> Any:
        seen.append(request.url.path)
        return await handler(request)

    run(lambda client: client.get(f"{server.url}/echo"), middlewares=[note])
    assert seen == ["/echo"]
    with pytest.raises(TypeError):
        run(lambda client: client.get(server.url), nonsense=1)
    with pytest.raises(ValueError, match="contradict"):
        run(lambda client: client.get(server.url), uds="/x", local_address="127.0.0.1")


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"limits": 5}, TypeError, "limits must have max_connections"),
        ({"connector": 5}, TypeError, "connector must be one of aioclient's"),
        ({"verify": 5}, TypeError, "verify must be"),
        ({"cert": ("a", "b", "c")}, TypeError, "cert must be"),
    ],
)
def test_settings_that_are_none(
    names: Any, settings: Any, kind: type[Exception], message: str
) -> None:
    """They are refused when the transport is made, not at its first request."""
    for transport in (names[1].Transport, names[1].AsyncTransport):
        with pytest.raises(kind, match=message):
            transport(**settings)


def test_a_body_of_a_middleware_s_own_is_closed(run: Any, library: Any) -> None:
    """What its iterator ends with has run when a stream that was left is closed."""
    ended = []

    async def pieces() -> Any:
        try:
            while True:
                yield b"x" * 10
        finally:
            ended.append(True)

    async def answers(request: Any, handler: Any) -> Any:
        return aioclient.ClientResponse.from_parts(request, 200, body=pieces())

    def read(client: Any) -> Any:
        if isinstance(client, library.Client):
            with client.stream("GET", "http://a.test/") as response:
                assert next(response.iter_raw(10)) == b"x" * 10
            return list(ended)

        async def later() -> Any:
            async with client.stream("GET", "http://a.test/") as response:
                assert await anext(response.aiter_raw(10)) == b"x" * 10
            return list(ended)

        return later()

    assert run(read, middlewares=[answers]) == [True]


def test_a_name_for_tls(certificates: Certificates, run: Any) -> None:
    context = certificates.server_context()
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    server = Server(context)
    try:
        for given in ("a.test", b"a.test"):
            extensions = {"sni_hostname": given}
            response = run(
                lambda client, extensions=extensions: client.get(
                    f"{server.origin}/echo", extensions=extensions
                ),
                verify=certificates.client_context(),
            )
            assert response.is_success
    finally:
        server.close()
    assert names == ["a.test", "a.test"]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("//a.test/", "UnsupportedProtocol"),
        ("http://", "UnsupportedProtocol"),
        ("ftp://a.test/", "UnsupportedProtocol"),
        ("http://127.0.0.1:123456/", "ConnectError"),
    ],
)
def test_urls_that_are_none(run: Any, library: Any, url: str, name: str) -> None:
    with pytest.raises(getattr(library, name)):
        run(lambda client: client.get(url))


def test_traces(server: Server, run: Any, library: Any) -> None:
    """The function is called with what httpcore calls it with, whether it is awaited or not."""
    events: list[tuple[str, Any]] = []

    def send(client: Any) -> Any:
        def note(name: str, info: Any) -> None:
            events.append((name, info))

        async def note_later(name: str, info: Any) -> None:
            events.append((name, info))

        trace = note if isinstance(client, library.Client) else note_later
        extensions = {"trace": trace}
        first = client.get(f"{server.url}/set_cookie?a=1", extensions=extensions)
        if not asyncio.iscoroutine(first):
            client.cookies.clear()
            client.get(f"{server.url}/echo")  # without a trace
            return client.get(f"{server.url}/echo?b", headers={"X": "y"}, extensions=extensions)

        async def later() -> Any:
            await first
            client.cookies.clear()  # which are the client's alone
            await client.get(f"{server.url}/echo")  # without a trace
            return await client.get(
                f"{server.url}/echo?b", headers={"X": "y"}, extensions=extensions
            )

        return later()

    assert run(send).json()["cookies"] == {}
    port = int(server.url.rpartition(":")[2])
    assert [name for name, _ in events] == [
        "connection.connect_tcp.started",
        "connection.connect_tcp.complete",
        "http11.send_request_headers.started",
        "http11.receive_response_headers.complete",
        "http11.send_request_headers.started",
        "http11.receive_response_headers.complete",
    ]
    assert events[0][1]["port"] == port
    request = events[4][1]["request"]
    assert request.method == b"GET"
    assert (request.url.scheme, request.url.port) == (b"http", port)
    assert request.url.target == b"/echo?b"
    assert (b"x", b"y") in [(name.lower(), value) for name, value in request.headers]
    version, status, reason, headers = events[5][1]["return_value"]
    assert (version, status, reason) == (b"HTTP/1.1", 200, b"OK")
    assert b"content-type" in [name.lower() for name, _ in headers]


def test_a_trace_of_a_failure(run: Any, library: Any) -> None:
    events: list[tuple[str, Any]] = []

    def note(name: str, info: Any) -> None:
        events.append((name, info))

    def send(client: Any) -> Any:
        return client.get("http://127.0.0.1:1/", extensions={"trace": note})

    with pytest.raises(library.ConnectError):
        run(send)
    assert [name for name, _ in events] == [
        "connection.connect_tcp.started",
        "http11.receive_response_headers.failed",
    ]
    assert isinstance(events[1][1]["exception"], aioclient.ClientConnectorError)


def test_a_proxy_of_the_client_s_is_warned_of(server: Server, run: Any) -> None:
    with pytest.warns(UserWarning, match="past the transport"):
        run(lambda client: client.get(f"{server.url}/echo"), {"proxy": server.url})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(lambda client: client.get(f"{server.url}/echo"))


def test_a_proxy_of_a_client_that_is_only_closed(server: Server, names: Any) -> None:
    library, ours = names
    client = library.Client(transport=ours.Transport(), proxy=server.url)
    with pytest.warns(UserWarning, match="past the transport") as caught:
        client.close()
    assert caught[0].filename == __file__

    async def main() -> None:
        client = library.AsyncClient(transport=ours.AsyncTransport(), proxy=server.url)
        with pytest.warns(UserWarning, match="past the transport"):
            await client.aclose()

    asyncio.run(main())


def test_other_transports_beside_ours_are_not_warned_of(names: Any) -> None:
    library, ours = names
    mounts = {"all://a.test": library.HTTPTransport(), "all://b.test": None}
    with library.Client(transport=ours.Transport(), mounts=mounts):
        pass


def test_one_transport_in_several_event_loops(server: Server, names: Any) -> None:
    library, ours = names
    transport = ours.AsyncTransport()

    async def main() -> None:
        client = library.AsyncClient(transport=transport)
        assert (await client.get(f"{server.url}/echo")).is_success

    asyncio.run(main())
    asyncio.run(main())


def test_cancelled(server: Server, names: Any) -> None:
    library, ours = names

    async def main() -> None:
        async with library.AsyncClient(transport=ours.AsyncTransport()) as client:
            task = asyncio.create_task(client.get(f"{server.url}/never"))
            while not server.asked.is_set():
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await client.get(f"{server.url}/echo")).is_success

    asyncio.run(main())


def test_http2(certificates: Certificates, names: Any) -> None:
    from aiohttp import web

    from aioclient.testing import serve_h2

    library, ours = names

    async def main() -> None:
        async def hello(request: web.Request) -> web.Response:
            return web.Response(text="hello")

        async with (
            serve_h2(hello) as over_h2,
            library.AsyncClient(transport=ours.AsyncTransport(http2="prior-knowledge")) as client,
        ):
            response = await client.get(over_h2.url("/"))
            assert (response.text, response.http_version) == ("hello", "HTTP/2")

    asyncio.run(main())
