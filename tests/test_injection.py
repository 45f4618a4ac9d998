"""Nothing that a caller passes on reaches the wire as more than it is: bodies, parts and their heads.

What a request line, header fields and cookies refuse is in `test_refusals` and `protocols/test_request_head`.
"""

import os
import random
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import FormData, MultipartWriter

import aioclient
from aioclient import ClientSession
from aioclient.testing import RawConnection, RawRequest

from .loopback import OK, moved
from .servers.either import RawServer
from .test_refusals import GOOD_IN_VALUE, TOKEN

pytestmark = pytest.mark.both_protocols

ROOT = Path(__file__).parent.parent

# The files whose tests of this group are run once more without assertions.
INJECTION_TESTS = (
    "tests/test_injection.py",
    "tests/test_refusals.py",
    "tests/protocols/test_request_head.py",
    "tests/protocols/test_upload.py",
)


async def posted(data: object, **arguments: Any) -> RawRequest:
    """The request that a server gets, and the only one."""
    async with RawServer.replies([OK], repeat=True) as server, ClientSession() as session:
        await session.post(server.url(), data=data, **arguments)
    (request,) = server.requests
    return request


async def refused(kind: type[Exception], match: str, data: object, **arguments: Any) -> None:
    """A call that raises, and of which a server sees nothing."""
    async with RawServer.replies([OK]) as server, ClientSession() as session:
        with pytest.raises(kind, match=match) as caught:
            await session.post(server.url(), data=data, **arguments)
        assert server.connections == 0
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", str(caught.value)), "the message is not escaped"


def parts_of(request: RawRequest) -> list["Message[str, str]"]:
    """The parts that the standard library finds in a request."""
    head = f"Content-Type: {request.value('Content-Type')}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + request.body)
    assert message.is_multipart()
    assert not message.defects
    return [part for part in message.get_payload() if isinstance(part, Message)]


def part(name: str, value: Any) -> MultipartWriter:
    """A multipart body of one part with one field more."""
    writer = MultipartWriter("mixed")
    writer.append(b"v").headers[name] = value
    return writer


class TestFieldsOfParts:
    """INJ-02: the head of a part takes what a request's head takes."""

    @pytest.mark.parametrize("row", [pytest.param("", id="INJ-02-multipart")])
    async def test_every_character(self, row: str) -> None:
        """Of all 256 only those of a token pass in a name, only visible ones, SP and HTAB in a value."""
        async with RawServer.replies([OK], repeat=True) as server, ClientSession() as session:
            url = server.url()
            for code in range(256):
                text = f"a{chr(code)}b"
                if code in GOOD_IN_VALUE:
                    await session.post(url, data=part("X-A", text))
                    assert f"\r\nX-A: {text}\r\n".encode() in server.requests[-1].body
                else:
                    with pytest.raises(ValueError, match="control character"):
                        await session.post(url, data=part("X-A", text))
                if code in TOKEN:
                    await session.post(url, data=part(text, "v"))
                    assert f"\r\n{text}: v\r\n".encode() in server.requests[-1].body
                else:
                    with pytest.raises(ValueError, match="is not a token"):
                        await session.post(url, data=part(text, "v"))
        assert len(server.requests) == len(GOOD_IN_VALUE) + len(TOKEN)
        for request in server.requests:
            (only,) = parts_of(request)
            assert len(only.keys()) == 3
            assert only.get_payload(decode=True) == b"v"

    @pytest.mark.parametrize(
        "value", [b"x", 5, 1.0, ["x"], None, True], ids=lambda value: f"INJ-02-multipart-{value!r}"
    )
    async def test_only_text(self, value: Any) -> None:
        """A value that is not str raises TypeError."""
        await refused(TypeError, "must be a str", part("X-A", value))


class TestFieldsOfRequests:
    """INJ-02: what is not text is no name and no value."""

    @pytest.mark.parametrize(
        "name", [b"X", 5, None, ("X",)], ids=lambda name: f"INJ-02-name-{name!r}"
    )
    async def test_names(self, name: Any) -> None:
        """A name that is not str raises TypeError."""
        await refused(TypeError, "must be a str", b"v", headers={name: "v"})

    @pytest.mark.parametrize("row", [pytest.param("", id="INJ-02-bytes")])
    async def test_every_byte_as_bytes(self, row: str) -> None:
        """A value of bytes is refused whatever byte it holds."""
        async with ClientSession() as session:
            for code in range(256):
                with pytest.raises(TypeError, match="must be a str, found bytes"):
                    await session.get("http://127.0.0.1:1/", headers={"X": bytes([code])})  # type: ignore[dict-item]


# A token, and a token or quoted-string (RFC 9110, sections 5.6.4 and 5.6.6).
PARAMETER = r"""[a-z]+\*?=(?:[\w%!#$&'*+.^`|~-]+|"(?:[^"\\]|\\.)*")"""

HOSTILE = 'a"\r\nX-Injected: 1\r\n\r\nbody\r\n--'


def form(quote_fields: bool, **field: Any) -> FormData:
    made = FormData(quote_fields=quote_fields, default_to_multipart=True)
    made.add_field(**field)
    return made


class TestForms:
    """INJ-07: no name, file name or media type adds a field to a part, or a part to a form."""

    @pytest.mark.parametrize("quote_fields", [True, False], ids=["INJ-07-quoted", "INJ-07-plain"])
    @pytest.mark.parametrize("where", ["name", "filename", "content_type"])
    async def test_form_data(self, where: str, quote_fields: bool) -> None:
        """Line ends in any of them raise ValueError, and nothing is sent."""
        field = {"name": "a", "value": b"v", "filename": "f", where: HOSTILE}
        async with RawServer.replies([OK]) as server, ClientSession() as session:
            with pytest.raises(ValueError, match=r"(?i)control character"):
                await session.post(server.url(), data=form(quote_fields, **field))
            assert server.connections == 0

    @pytest.mark.parametrize("quote_fields", [True, False], ids=["INJ-07-quoted", "INJ-07-plain"])
    @pytest.mark.parametrize(
        "text", ['q"; filename="x', "a;b=c", "a\\", "\u00e9\u4e2d", "a\tb", "'"]
    )
    async def test_one_parameter(self, text: str, quote_fields: bool) -> None:
        """Quotes, separators and text outside ASCII stay within their parameter, or are refused."""
        try:
            request = await posted(form(quote_fields, name=text, value=b"v", filename=text))
        except ValueError:
            assert not quote_fields
            return
        (only,) = parts_of(request)
        assert sorted(only) == ["Content-Disposition", "Content-Type"]
        assert only.get_payload(decode=True) == b"v"
        if quote_fields:
            disposition = only["Content-Disposition"]
            assert re.fullmatch(f"form-data(?:; {PARAMETER}){{2}}", disposition), disposition

    @pytest.mark.parametrize("row", [pytest.param("", id="INJ-07-mapping")])
    async def test_mappings(self, row: str) -> None:
        """Line ends in the names of a mapping's fields are refused when it becomes a multipart form."""
        await refused(ValueError, "control character", {HOSTILE: b"v"})
        request = await posted({HOSTILE: "v"})  # urlencoded, where they are data
        assert b"\r" not in request.body
        assert b"X-Injected%3A+1" in request.body

    @pytest.mark.parametrize("row", [pytest.param("", id="INJ-07-parts")])
    async def test_many(self, row: str) -> None:
        """A form has as many parts as fields, whatever they hold."""
        values = [HOSTILE.encode(), b"\r\n--\r\n", b"--", b"", b"\r\n\r\n"]
        request = await posted([(f"f{number}", value) for number, value in enumerate(values)])
        assert [part.get_payload(decode=True) for part in parts_of(request)] == values


class TestBoundaries:
    """MISC-01: nobody can foretell a boundary, and no content ends a part."""

    @pytest.mark.parametrize("make", ["mapping", "FormData", "MultipartWriter"])
    @pytest.mark.rows("MISC-01")
    async def test_drawn_by_the_system(self, make: str) -> None:
        """Whoever knows or sets the seed of `random` does not know the next boundary; none comes twice."""
        seen = set()
        for _ in range(10_000 if make == "MultipartWriter" else 100):
            random.seed(7)
            if make == "mapping":
                seen.add((await posted({"f": b""})).value("Content-Type"))
            elif make == "FormData":
                seen.add(
                    (await posted(form(True, name="f", value=b"", filename="f"))).value(
                        "Content-Type"
                    )
                )
            else:
                seen.add(MultipartWriter().boundary)
        assert len(seen) == (10_000 if make == "MultipartWriter" else 100)

    @pytest.mark.rows("MISC-01")
    @pytest.mark.parametrize(
        "content",
        [b"--x", b"--x--", b"a\r\n--x\r\n\r\nb", b"a\n--xy", memoryview(b"--x").tobytes()],
        ids=repr,
    )
    async def test_content_with_the_boundary(self, content: bytes) -> None:
        """A part that holds the boundary the caller chose is refused, however deep it is."""
        writer = MultipartWriter("mixed", boundary="x")
        writer.append(content)
        await refused(ValueError, "contains its boundary 'x'", writer)
        outer = MultipartWriter("mixed", boundary="x")
        inner = MultipartWriter("mixed")
        inner.append(content.decode())
        outer.append(inner)
        await refused(ValueError, "contains its boundary 'x'", outer)

    @pytest.mark.rows("MISC-01")
    async def test_nested_boundaries(self) -> None:
        """A boundary that begins as the one around it is refused."""
        for name in ("x", "xy"):
            outer = MultipartWriter("mixed", boundary="x")
            outer.append(MultipartWriter("mixed", boundary=name))
            await refused(ValueError, "begins as that of the multipart around it", outer)

    @pytest.mark.rows("MISC-01")
    @pytest.mark.parametrize("content", [b"a --x", b"-x", b"\r\n-- x", memoryview(b"a"), "x--x"])
    async def test_content_that_only_looks_like_it(self, content: Any) -> None:
        """What is no line that begins with the delimiter passes."""
        writer = MultipartWriter("mixed", boundary="x")
        writer.append(content)
        (only,) = parts_of(await posted(writer))
        wanted = content.encode() if isinstance(content, str) else bytes(content)
        assert only.get_payload(decode=True) == wanted


class TestFraming:
    """INJ-08: no body is read as a second request."""

    @pytest.mark.parametrize(
        ("arguments", "kind"),
        [
            pytest.param({"headers": {"Content-Length": "3"}}, ValueError, id="INJ-08-short"),
            pytest.param({"headers": {"Content-Length": "999"}}, ValueError, id="INJ-08-long"),
            pytest.param({"headers": {"Content-Length": "-1"}}, ValueError, id="INJ-08-negative"),
            pytest.param({"headers": {"Content-Length": "5, 5"}}, ValueError, id="INJ-08-list"),
            pytest.param(
                {"headers": {"Content-Length": "43", "Transfer-Encoding": "chunked"}},
                ValueError,
                id="INJ-08-both",
            ),
            pytest.param(
                {"headers": {"Content-Length": "43"}, "chunked": True},
                ValueError,
                id="INJ-08-argument",
            ),
            pytest.param(
                {"headers": {"Transfer-Encoding": "gzip, chunked"}}, ValueError, id="INJ-08-codings"
            ),
            pytest.param(
                {"headers": {"Transfer-Encoding": "identity"}}, ValueError, id="INJ-08-te"
            ),
        ],
    )
    async def test_contradictions(self, arguments: dict[str, Any], kind: type[Exception]) -> None:
        """Fields that contradict the body, or each other, raise before anything is sent."""
        smuggled = b"GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        assert len(smuggled) == 43
        await refused(kind, "Content-Length|Transfer-Encoding", smuggled, **arguments)

    @pytest.mark.parametrize("length", [pytest.param(3, id="INJ-08-source-longer")])
    async def test_source_longer_than_announced(self, length: int) -> None:
        """Of a source that goes on behind its announced length not one byte too many is sent."""

        async def source() -> AsyncIterator[bytes]:
            yield b"abc"
            yield b"GET /smuggled HTTP/1.1\r\n\r\n"

        seen: list[bytes] = []

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            seen.append(await conn.closed())

        async with RawServer(serve) as server, ClientSession() as session:
            with pytest.raises(aioclient.BodySizeError):
                await session.post(
                    server.url(), data=source(), headers={"Content-Length": str(length)}
                )
        assert all(b"abc".startswith(rest) for rest in seen)

    @pytest.mark.parametrize(
        "method", [pytest.param(m, id=f"INJ-08-{m}") for m in ("GET", "DELETE", "HEAD", "X")]
    )
    @pytest.mark.parametrize("chunked", [None, True])
    async def test_every_method(self, method: str, chunked: bool | None) -> None:
        """A body goes with exactly one framing field, whatever the method."""
        async with (
            RawServer.replies([b"HTTP/1.1 204 No\r\n\r\n"]) as server,
            ClientSession() as session,
        ):
            await session.request(method, server.url(), data=b"hello", chunked=chunked)
        (request,) = server.requests
        framing = request.values("Content-Length") + request.values("Transfer-Encoding")
        assert framing == (["chunked"] if chunked else ["5"])
        assert request.body == b"hello"


@pytest.mark.rows("INJ-09")
class TestMessages:
    """What a caller passes on stands in no message and in no repr as it is."""

    @pytest.mark.parametrize(
        "data",
        [{"\x1b[2J": None}, {"\x1b[2J": {}}, [("a\x1b[2J",)], {1: "\x1b"}],
        ids=repr,
    )
    async def test_forms(self, data: Any) -> None:
        """Names and values that a form refuses are escaped, and cut."""
        await refused(TypeError, "form", data)

    async def test_files(self, tmp_path: Path) -> None:
        """The name of a file that shrinks while it is sent is escaped."""
        path = tmp_path / "a\x1b[2J\nb"
        path.write_bytes(b"x" * 600_000)

        async def serve(conn: RawConnection) -> None:
            await conn.read_request(body=False)
            os.truncate(path, 10)
            await conn.closed()

        async with RawServer(serve) as server, ClientSession() as session:
            with open(path, "rb") as file, pytest.raises(aioclient.BodySizeError) as caught:
                await session.post(server.url(), data=file, expect100=True, expect100_timeout=0.01)
        assert "\\x1b[2J\\nb" in str(caught.value)
        assert str(caught.value).isprintable()

    async def test_media_types(self) -> None:
        """A media type with control characters that a field may hold is escaped where a body is named."""

        async def source() -> AsyncIterator[bytes]:
            yield b"x"

        payload = aiohttp.AsyncIterablePayload(source(), content_type="text/\x9b2J")
        async with RawServer.replies([moved("/b", status=307)]) as server:
            requests: list[aioclient.Request] = []

            async def keep(
                request: aioclient.Request, handler: aioclient.Handler
            ) -> aioclient.ClientResponse:
                requests.append(request)
                return await handler(request)

            async with ClientSession(middlewares=[keep]) as session:
                with pytest.raises(aioclient.BodyConsumedError) as caught:
                    await session.post(server.url(), data=payload)
        assert str(caught.value).isprintable()
        assert repr(requests[0].content).isprintable()
        assert "\\x9b2J" in repr(requests[0].content)

    async def test_sources(self) -> None:
        """So is what a source or a callback raises."""

        def source() -> Any:
            yield b"x"
            raise LookupError("\x1b[2J\n" + "x" * 1000)

        def progress(sent: int, total: int | None) -> None:
            raise LookupError("\x1b[2J\n" + "x" * 1000)

        async def serve(conn: RawConnection) -> None:
            await conn.closed()

        async with RawServer(serve) as server, ClientSession() as session:
            for arguments in ({"data": source()}, {"data": b"x", "progress": progress}):
                with pytest.raises(aiohttp.ClientError) as caught:
                    await session.post(server.url(), **arguments)  # type: ignore[arg-type]
                assert str(caught.value).isprintable()
                assert "\\x1b[2J\\n" in str(caught.value)
                assert len(str(caught.value)) < 300


@pytest.mark.rows("INJ-10")
@pytest.mark.http1_only("it runs the others")
def test_without_assertions() -> None:
    """No rule of this group is an assertion: its tests pass under `python -O` too."""
    run = subprocess.run(
        [
            sys.executable,
            "-O",
            "-m",
            "pytest",
            "-qx",
            "-k",
            "INJ",
            "-p",
            "no:cacheprovider",
            "--deselect",
            "tests/test_injection.py::test_without_assertions",
            "-W",
            "ignore::pytest.PytestConfigWarning",  # says that assertions outside of tests do nothing
            *INJECTION_TESTS,
        ],
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    passed = re.search(r"(\d+) passed", run.stdout)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert passed is not None
    assert int(passed.group(1)) > 200
