"""The servers that the tests use answer as their docstrings say."""

import asyncio
import gzip
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.servers import nginx as nginx_module
from tests.servers.app import serve
from tests.servers.certificates import Certificates
from tests.servers.nginx import Nginx
from tests.servers.require import require


class TestNginx:
    async def test_locations(self, nginx: Nginx) -> None:
        """Each location of nginx gives what it is there for."""
        async with aiohttp.ClientSession(auto_decompress=False) as session:

            async def get(path: str, **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
                async with session.get(
                    nginx.url(path), headers=headers, allow_redirects=False
                ) as response:
                    return response, await response.read()

            assert (await get("/json"))[1] == nginx_module.JSON
            assert len((await get("/headers"))[0].headers) == 22
            first, second = (await get("/connection"))[1], (await get("/connection"))[1]
            assert int(second.split()[1]) == int(first.split()[1]) + 1

            response, body = await get("/gzip", **{"Accept-Encoding": "gzip"})
            assert response.headers["Transfer-Encoding"] == "chunked"
            assert gzip.decompress(body) == nginx_module.RECORDS
            response, body = await get("/gzip-static")
            assert int(response.headers["Content-Length"]) == len(body)
            assert gzip.decompress(body) == nginx_module.RECORDS

            assert (await get("/file/1m"))[1] == nginx.file("1m")
            response, body = await get("/file/20m", Range="bytes=100-199")
            assert (response.status, body) == (206, nginx.file("20m")[100:200])

            response, body = await get("/chunked")
            assert response.headers["Transfer-Encoding"] == "chunked" and len(body) == 65536

            assert (await get("/redirect"))[0].status == 302
            for code in nginx_module.STATUSES:
                assert (await get(f"/status/{code}"))[0].status == code
            assert (await get("/close"))[0].headers["Connection"] == "close"
            assert (await get("/auth"))[0].status == 401

    async def test_takes_uploads(self, nginx: Nginx) -> None:
        """A body is read whole before the answer, of known length or chunked; dav keeps it."""
        body = b"0123456789" * 100_000

        async def pieces() -> AsyncIterator[bytes]:
            yield body[:10]
            yield body[10:]

        async with aiohttp.ClientSession() as session:
            for data in (body, pieces()):
                async with session.post(nginx.url("/upload"), data=data) as response:
                    assert await response.text() == str(len(body))
            async with session.put(nginx.url("/dav/x"), data=body) as response:
                assert response.status == 201
            async with session.get(nginx.url("/dav/x")) as response:
                assert await response.read() == body
            async with session.delete(nginx.url("/dav/x")) as response:
                assert response.status == 204

    async def test_tls_and_unix(self, nginx: Nginx, certificates: Certificates) -> None:
        """The same locations are there over TLS, with a valid certificate, and over unix."""
        context = certificates.client_context()
        async with (
            aiohttp.ClientSession() as session,
            session.get(nginx.tls_url("/json"), ssl=context) as response,
        ):
            assert await response.read() == nginx_module.JSON
        connector = aiohttp.UnixConnector(str(nginx.unix_path))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get("http://localhost/json") as response,
        ):
            assert await response.read() == nginx_module.JSON

    async def test_closes_connections(self, nginx: Nginx) -> None:
        """One port closes after two requests, one soon after the last."""
        request = b"GET /json HTTP/1.1\r\nHost: a\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", nginx.brief_port)
        writer.write(request + request)
        answers = await reader.read()
        assert answers.count(b"200 OK") == 2 and b"Connection: close" in answers
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", nginx.impatient_port)
        writer.write(request)
        assert (await reader.read()).endswith(nginx_module.JSON)
        writer.close()

    def test_is_stopped(self, tmp_path: Path, certificates: Certificates) -> None:
        """After `with` nothing listens any more."""
        with Nginx(tmp_path, certificates) as server:
            pass
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.1", server.port)) != 0


class TestRequire:
    def test_gives_the_path(self) -> None:
        """A command that is there is given with its path."""
        assert subprocess.run([require("true", "coreutils")], check=False).returncode == 0

    @pytest.mark.parametrize("value, outcome", [("", "Skipped"), ("true", "Failed")])
    def test_missing(self, monkeypatch: pytest.MonkeyPatch, value: str, outcome: str) -> None:
        """A command that is not there skips the test, and fails it in CI."""
        monkeypatch.setenv("CI", value)
        with pytest.raises(
            BaseException, match="no-such-command is not installed: apt-get install nothing"
        ) as info:
            require("no-such-command", "nothing")
        assert info.type.__name__ == outcome


class TestApp:
    async def test_routes(self) -> None:
        """The application tells what it got."""
        async with (
            serve() as app,
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
        ):

            async def get(path: str, **options: object) -> object:
                async with session.get(app.url(path), **options) as response:  # type: ignore[arg-type]
                    return await response.json()

            async with session.post(app.url("/post?a=1"), json={"b": [2]}) as response:
                told = await response.json()
            assert (told["method"], told["args"], told["json"]) == ("POST", {"a": "1"}, {"b": [2]})
            async with session.post(app.url("/post"), data={"c": "3"}) as response:
                assert (await response.json())["form"] == {"c": "3"}
            form = aiohttp.FormData()
            form.add_field("file", b"\x00\xff", filename="f")
            async with session.post(app.url("/post"), data=form) as response:
                assert (await response.json())["form"] == {"file": "\x00\xff"}
            assert await get("/cookies/set?x=y") == {"cookies": {"x": "y"}}
            async with session.get(app.url("/redirect/3")) as response:
                assert [step.status for step in response.history] == [302, 302, 302]
            async with session.get(app.url("/status/418")) as response:
                assert response.status == 418
            async with session.get(app.url("/stream/3")) as response:
                assert (await response.text()).count("\n") == 3
            async with session.get(app.url("/bytes/1000")) as response:
                assert len(await response.read()) == 1000
            assert await get("/gzip") == {"gzipped": True}
            async with session.get(app.url("/basic-auth/u/p")) as response:
                assert response.status == 401
            credentials = {"Authorization": aiohttp.encode_basic_auth("u", "p")}
            told = await get("/basic-auth/u/p", headers=credentials)
            assert told == {"authenticated": True, "user": "u"}
            assert app.requests[0] == "POST /post?a=1"

    async def test_waits(self) -> None:
        """`/wait` answers when it is told to."""
        async with serve() as app, aiohttp.ClientSession() as session:
            request = asyncio.create_task(session.get(app.url("/wait")))
            await app.entered.wait()
            assert not request.done()
            app.release.set()
            async with await request as response:
                assert await response.json() == {"waited": True}

    async def test_ends_a_waiting_handler(self) -> None:
        """A handler whose client went away does not outlive the server."""
        async with serve() as app, aiohttp.ClientSession() as session:
            request = asyncio.create_task(session.get(app.url("/wait")))
            await app.entered.wait()
            request.cancel()
            await asyncio.wait([request])

    async def test_tls(self, certificates: Certificates) -> None:
        """Served with TLS, its certificate is that of the test authority."""
        async with (
            serve(ssl=certificates.server_context()) as app,
            aiohttp.ClientSession() as session,
            session.get(app.url("/get"), ssl=certificates.client_context()) as response,
        ):
            assert response.status == 200

    async def test_unix(self, tmp_path: Path) -> None:
        """It listens on a unix path as well."""
        path = tmp_path / "app.sock"
        async with (
            serve(unix_path=path) as app,
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
            session.get(app.url("/get")) as response,
        ):
            assert response.status == 200


class TestCertificates:
    async def test_a_wrong_name_is_refused(self, certificates: Certificates) -> None:
        """A context for other names fails the verification, and the fingerprint is the leaf's."""
        other = certificates.server_context("other.test")
        async with serve(ssl=other) as app, aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get(app.url("/get"), ssl=certificates.client_context())
        pin = aiohttp.Fingerprint(certificates.fingerprint())
        async with (
            serve(ssl=certificates.server_context()) as app,
            aiohttp.ClientSession() as session,
            session.get(app.url("/get"), ssl=pin) as response,
        ):
            assert response.status == 200

    def test_the_authority_alone_is_trusted(self, certificates: Certificates) -> None:
        """No other authority is in the client's context."""
        context = certificates.client_context()
        assert context.verify_mode is ssl.CERT_REQUIRED and len(context.get_ca_certs()) == 1
