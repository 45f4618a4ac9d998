"""The client against nginx: a server that is no part of this process, nor written in Python."""

import asyncio
import gzip
import hashlib
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import aioclient
from aioclient import ClientSession, TCPConnector, UnixConnector

from .loopback import names
from .servers.certificates import Certificates
from .servers.nginx import JSON, RECORDS, STATUSES, Nginx

pytestmark = pytest.mark.both_loops


async def fetch(session: ClientSession, url: str, **more: Any) -> bytes:
    async with session.get(url, **more) as response:
        assert response.status == 200
        return await response.read()


async def connection(session: ClientSession, url: str) -> tuple[int, int]:
    """Which connection a request came over, and how many came over it by then."""
    number, count = (await fetch(session, url)).split()
    return int(number), int(count)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def port_url(port: int, path: str) -> str:
    return f"http://127.0.0.1:{port}{path}"


class TestKeepAlive:
    async def test_one_connection(self, nginx: Nginx) -> None:
        """One request after the other goes over one connection."""
        async with ClientSession() as session:
            seen = [await connection(session, nginx.url("/connection")) for _ in range(5)]
        assert len({number for number, _ in seen}) == 1
        assert [count for _, count in seen] == [1, 2, 3, 4, 5]

    async def test_limit(self, nginx: Nginx) -> None:
        """Many requests at a time go over as many connections as allowed, and no more."""
        connector = TCPConnector(limit=7)
        async with ClientSession(connector=connector) as session:
            seen = await asyncio.gather(
                *(connection(session, nginx.url("/connection")) for _ in range(100))
            )
            numbers = connector.statistics()
        assert len({number for number, _ in seen}) == 7
        assert (numbers.opened, numbers.reused, numbers.idle) == (7, 93, 7)

    async def test_close(self, nginx: Nginx) -> None:
        """A server that says Connection: close is not asked again on that connection."""
        connector = TCPConnector()
        async with ClientSession(connector=connector) as session:
            for _ in range(3):
                assert await fetch(session, nginx.url("/close")) == b"closing"
                assert connector.statistics().idle == 0

    async def test_two_requests_a_connection(self, nginx: Nginx) -> None:
        """A server that closes after two requests gets a new connection for every other one."""
        url = port_url(nginx.brief_port, "/connection")
        connector = TCPConnector(limit=10)
        async with ClientSession(connector=connector) as session:
            assert [(await connection(session, url))[1] for _ in range(4)] == [1, 2, 1, 2]
            bodies = await asyncio.gather(*(connection(session, url) for _ in range(200)))
            assert {count for _, count in bodies} == {1, 2}
            assert connector.statistics().in_use == 0

    @pytest.mark.parametrize((), [pytest.param(id="POOL-09")])
    async def test_an_impatient_server(self, nginx: Nginx) -> None:
        """Requests at the moment idle connections are closed all succeed, 200 at a time."""
        url = port_url(nginx.impatient_port, "/json")
        connector = TCPConnector(limit=50)
        loop = asyncio.get_running_loop()
        async with ClientSession(connector=connector) as session:
            for round_ in range(20):
                bodies = await asyncio.gather(*(fetch(session, url) for _ in range(200)))
                assert bodies == [JSON] * 200
                # Around the 20 ms after which nginx closes; busy, as a program is, not asleep.
                until = loop.time() + 0.017 + 0.0003 * round_
                while loop.time() < until:
                    pass
            numbers = connector.statistics()
            assert (numbers.in_use, numbers.waiting) == (0, 0)

    async def test_many(self, nginx: Nginx) -> None:
        """1,000 requests at a time over 100 connections all succeed."""
        connector = TCPConnector(limit=100)
        async with ClientSession(connector=connector) as session:
            bodies = await asyncio.gather(
                *(fetch(session, nginx.url("/json")) for _ in range(1000))
            )
            assert bodies == [JSON] * 1000
            assert connector.statistics().opened == 100


class TestWays:
    async def test_tls(self, nginx: Nginx, certificates: Certificates) -> None:
        """Over TLS, verified, with one handshake for all requests."""
        connector = TCPConnector(ssl=certificates.client_context())
        async with ClientSession(connector=connector) as session:
            seen = [await connection(session, nginx.tls_url("/connection")) for _ in range(3)]
            assert [count for _, count in seen] == [1, 2, 3]
            assert digest(await fetch(session, nginx.tls_url("/file/1m"))) == digest(
                nginx.file("1m")
            )
            with pytest.raises(aioclient.ClientConnectorCertificateError):
                await fetch(session, nginx.tls_url("/json"), ssl=aioclient_default())
            pin = aioclient.Fingerprint(certificates.fingerprint())
            assert await fetch(session, nginx.tls_url("/json"), ssl=pin) == JSON

    async def test_no_tls(self, nginx: Nginx) -> None:
        """https to the plain port, and http to the TLS port, end in an error and a 400."""
        async with ClientSession() as session:
            with pytest.raises(aioclient.ClientConnectorSSLError):
                await fetch(session, nginx.url("/json").replace("http:", "https:"))
            async with session.get(port_url(nginx.tls_port, "/json")) as response:
                assert response.status == 400

    async def test_unix_socket(self, nginx: Nginx) -> None:
        """Over a unix socket, with keep-alive."""
        connector = UnixConnector(str(nginx.unix_path))
        async with ClientSession(connector=connector) as session:
            url = "http://localhost/connection"
            assert [(await connection(session, url))[1] for _ in range(3)] == [1, 2, 3]
            bodies = await asyncio.gather(
                *(fetch(session, "http://localhost/json") for _ in range(200))
            )
            assert bodies == [JSON] * 200
            assert await fetch(session, "http://localhost/file/1m") == nginx.file("1m")


def aioclient_default() -> Any:
    """A verifying context that trusts the system's authorities only."""
    import ssl

    return ssl.create_default_context()


class TestBodies:
    async def test_json(self, nginx: Nginx) -> None:
        """JSON of known length, with few fields and with many."""
        async with ClientSession() as session:
            for path, fields in (("/json", 5), ("/headers", 22)):
                async with session.get(nginx.url(path)) as response:
                    assert await response.json() == json.loads(JSON)
                    assert len(response.headers) == fields

    async def test_chunked(self, nginx: Nginx) -> None:
        """A body in chunks is put together again."""
        async with ClientSession() as session, session.get(nginx.url("/chunked")) as response:
            assert response.headers["Transfer-Encoding"] == "chunked"
            assert await response.read() == b"0123456789abcdef" * 4096

    @pytest.mark.parametrize("path", ["/gzip", "/gzip-static"])
    async def test_gzip(self, nginx: Nginx, path: str) -> None:
        """gzip, compressed on the fly and before, is undone; turned off, it stays as it came."""
        async with ClientSession() as session:
            async with session.get(nginx.url(path)) as response:
                assert response.headers["Content-Encoding"] == "gzip"
                assert await response.json(content_type=None) == json.loads(RECORDS)
            raw = await fetch(session, nginx.url(path), auto_decompress=False)
            assert gzip.decompress(raw) == RECORDS
            pieces = b""
            async with session.get(nginx.url(path)) as response:
                async for piece in response.content.iter_chunked(100):
                    assert len(piece) <= 100
                    pieces += piece
            assert pieces == RECORDS
            assert (await connection(session, nginx.url("/connection")))[1] == 4

    @pytest.mark.parametrize("size", ["1k", "1m", "20m"])
    async def test_files(self, nginx: Nginx, size: str, tmp_path: Path) -> None:
        """A file comes the same to memory, in pieces of any size, and to a file."""
        expected = digest(nginx.file(size))
        url = nginx.url(f"/file/{size}")
        async with ClientSession() as session:
            assert digest(await fetch(session, url)) == expected
            for pieces in (1000, 2**16, 2**20):
                found = hashlib.sha256()
                async with session.get(url) as response:
                    async for piece in response.content.iter_chunked(pieces):
                        found.update(piece)
                assert found.hexdigest() == expected
            found = hashlib.sha256()
            async with session.get(url) as response:
                async for piece in response.content.iter_any():
                    found.update(piece)
            assert found.hexdigest() == expected
            with (tmp_path / "copy").open("wb") as file:
                async with session.get(url) as response:
                    async for piece in response.content.iter_chunked(2**18):
                        file.write(piece)
            assert digest((tmp_path / "copy").read_bytes()) == expected
            assert (await connection(session, nginx.url("/connection")))[1] == 7

    async def test_a_slow_reader(self, nginx: Nginx) -> None:
        """A body that is read slowly waits at the server: no more than the limit is kept here."""
        async with (
            ClientSession(read_bufsize=2**14) as session,
            session.get(nginx.url("/file/20m")) as response,
        ):
            found = hashlib.sha256(await response.content.readexactly(1000))
            await asyncio.sleep(0.05)  # in which nginx would send all of it
            assert response.content.total_raw_bytes < 2**20
            async for piece in response.content.iter_any():
                found.update(piece)
        assert found.hexdigest() == digest(nginx.file("20m"))

    async def test_ranges(self, nginx: Nginx) -> None:
        """Ranges of a file: the first bytes, the last ones, and none."""
        whole = nginx.file("1m")
        async with ClientSession() as session:
            for field, expected in (
                ("bytes=0-99", whole[:100]),
                ("bytes=-100", whole[-100:]),
                ("bytes=1000000-", whole[1000000:]),
            ):
                async with session.get(nginx.url("/file/1m"), headers={"Range": field}) as response:
                    assert response.status == 206
                    assert await response.read() == expected
            async with session.get(
                nginx.url("/file/1m"), headers={"Range": "bytes=9999999-"}
            ) as response:
                assert response.status == 416

    async def test_not_modified(self, nginx: Nginx) -> None:
        """304 has the fields of the file and no body; the connection is used again."""
        async with ClientSession() as session:
            async with session.get(nginx.url("/file/1k")) as response:
                etag = response.headers["ETag"]
            async with session.get(
                nginx.url("/file/1k"), headers={"If-None-Match": etag}
            ) as response:
                assert response.status == 304
                assert await response.read() == b""
            assert (await connection(session, nginx.url("/connection")))[1] == 3

    async def test_head(self, nginx: Nginx) -> None:
        """HEAD tells the length and brings no body; the connection is used again."""
        async with ClientSession() as session:
            async with session.head(nginx.url("/file/20m")) as response:
                assert response.headers["Content-Length"] == str(20 * 2**20)
                assert await response.read() == b""
            async with session.head(nginx.url("/gzip")) as response:
                assert await response.read() == b""
            assert (await connection(session, nginx.url("/connection")))[1] == 3

    async def test_statuses(self, nginx: Nginx) -> None:
        """Every status comes through, and leaves the connection fit for use."""
        async with ClientSession() as session:
            for status in STATUSES:
                async with session.get(nginx.url(f"/status/{status}")) as response:
                    assert response.status == status
                    await response.read()
            assert await fetch(session, nginx.url("/json")) == JSON

    async def test_an_abandoned_download(self, nginx: Nginx) -> None:
        """A large body that nobody wants costs its connection, and the next request gets its own answer."""
        connector = TCPConnector(limit=1)
        async with ClientSession(connector=connector) as session:
            for _ in range(3):
                async with session.get(nginx.url("/file/20m")) as response:
                    await response.content.readexactly(10)
                assert await fetch(session, nginx.url("/json")) == JSON
            assert connector.statistics().opened == 4


class TestRequests:
    async def test_redirect(self, nginx: Nginx) -> None:
        """A redirect is followed over the same connection."""
        async with ClientSession() as session:
            async with session.get(nginx.url("/redirect")) as response:
                assert await response.read() == JSON
                assert str(response.url) == nginx.url("/json")
                assert [past.status for past in response.history] == [302]
            assert (await connection(session, nginx.url("/connection")))[1] == 3

    async def test_auth(self, nginx: Nginx) -> None:
        """Basic auth opens the door that is shut without it."""
        async with ClientSession() as session:
            async with session.get(nginx.url("/auth")) as response:
                assert response.status == 401
            assert await fetch(session, nginx.url("/auth"), auth=("user", "pass")) == RECORDS

    @pytest.mark.parametrize("kind", ["bytes", "file", "memory", "pieces", "expect"])
    async def test_upload(self, nginx: Nginx, kind: str, tmp_path: Path) -> None:
        """A body of 5 MB arrives whole, whatever it is read from."""
        data = bytes(range(256)) * (5 * 2**12)
        path = tmp_path / "upload"
        path.write_bytes(data)

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(data), 2**16):
                yield data[start : start + 2**16]

        with path.open("rb") as file:
            body: Any = {
                "bytes": data,
                "file": file,
                "memory": io.BytesIO(data),
                "pieces": pieces(),
                "expect": data,
            }[kind]
            async with (
                ClientSession() as session,
                session.post(
                    nginx.url("/upload"), data=body, expect100=kind == "expect"
                ) as response,
            ):
                assert response.status == 200
                assert int(await response.read()) == len(data)
        if kind == "pieces":
            return
        target = nginx.url(f"/dav/{kind}-{id(data)}")
        with path.open("rb") as file:
            async with ClientSession() as session:
                async with session.put(target, data=file) as response:
                    assert response.status == 201
                assert digest(await fetch(session, target)) == digest(data)
                async with session.delete(target) as response:
                    assert response.status == 204


class TestHosts:
    """One address, many certificates: SNI decides which one nginx shows."""

    @pytest.mark.parametrize(
        ("host", "name"),
        [
            pytest.param("good.test", "good.test", id="TLS-01-good"),
            pytest.param("straße.test", "xn--strae-oqa.test", id="TLS-01-URL-05-straße"),
            pytest.param("strasse.test", "strasse.test", id="TLS-01-URL-05-strasse"),
        ],
    )
    async def test_accepted(
        self, nginx: Nginx, certificates: Certificates, host: str, name: str
    ) -> None:
        """The certificate of the host is asked for and accepted; two names are two hosts."""
        async with ClientSession(connector=names(ssl=certificates.client_context())) as session:
            body = await fetch(session, f"https://{host}:{nginx.hosts_port}/")
        assert body.decode() == f"{name} NONE"

    @pytest.mark.parametrize(
        ("host", "found"),
        [
            pytest.param("wrong.test", "for another name", id="TLS-01-wrong-host"),
            pytest.param("expired.test", "has expired", id="TLS-01-expired"),
            pytest.param("self-signed.test", "signed by itself", id="TLS-01-self-signed"),
        ],
    )
    async def test_refused(
        self, nginx: Nginx, certificates: Certificates, host: str, found: str
    ) -> None:
        """A certificate that does not hold is refused; the error names host and port, and says what to do."""
        async with ClientSession(connector=names(ssl=certificates.client_context())) as session:
            with pytest.raises(aioclient.ClientConnectorCertificateError) as caught:
                await fetch(session, f"https://{host}:{nginx.hosts_port}/")
            assert f"{host}:{nginx.hosts_port}" in str(caught.value)
            assert found in caught.value.__notes__[0]
            assert (
                await fetch(session, f"https://good.test:{nginx.hosts_port}/") == b"good.test NONE"
            )

    async def test_unknown(self, nginx: Nginx, certificates: Certificates) -> None:
        """A name that the server does not know is an error that says so."""
        async with ClientSession(connector=names(ssl=certificates.client_context())) as session:
            with pytest.raises(aioclient.ClientConnectorSSLError) as caught:
                await fetch(session, f"https://unknown.test:{nginx.hosts_port}/")
        assert "the server knows no host of this name" in caught.value.__notes__

    async def test_a_client_certificate(self, nginx: Nginx, certificates: Certificates) -> None:
        """A host that wants a client certificate gets it, and answers 400 without."""
        context = certificates.client_context()
        certificates.authority.issue_cert("client@good.test").configure_cert(context)
        url = f"https://client.test:{nginx.hosts_port}/"
        async with ClientSession(connector=names(ssl=certificates.client_context())) as session:
            async with session.get(url) as response:
                assert response.status == 400
            assert await fetch(session, url, ssl=context) == b"client.test SUCCESS"
