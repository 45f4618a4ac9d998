"""Files that an application uploads and downloads: in fragments, with their digest, and with bounded memory."""

import base64
import hashlib
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from aioclient import ClientSession, StatusError
from aioclient.onebot import (
    DownloadedFile,
    Encoding,
    FileDigestError,
    FilesystemError,
    InvalidAnswerError,
    OneBotClient,
    UnsupportedAction,
)
from aioclient.testing import cancel_everywhere

from ..servers.app import serve_application
from .peers import Plain, failed, http, ok

pytestmark = pytest.mark.both_loops

DATA = bytes(range(256)) * 40  # 10,240 bytes
DIGEST = hashlib.sha256(DATA).hexdigest()


class Files:
    """The file actions of an implementation, as the standard has them."""

    def __init__(self, **wrong: Any) -> None:
        self.files: dict[str, tuple[str, bytes]] = {}
        self.parts: dict[str, bytearray] = {}
        self.requests: list[Plain] = []
        self.wrong = wrong  # fields that take the place of the right ones, by stage or action

    def __call__(self, request: Plain) -> Plain:
        params = request["params"]
        self.requests.append(params)
        key = params.get("stage") or request["action"]
        if isinstance(self.wrong.get(key), int):
            return failed(request, self.wrong[key])
        data = getattr(self, request["action"])(params)
        return ok(request, data if key not in self.wrong else (data or {}) | self.wrong[key])

    def upload_file(self, params: Plain) -> Plain:
        data = base64.b64decode(params["data"])
        assert hashlib.sha256(data).hexdigest() == params["sha256"]
        self.files["f"] = (params["name"], data)
        return {"file_id": "f"}

    def upload_file_fragmented(self, params: Plain) -> Plain | None:
        if params["stage"] == "prepare":
            self.parts["p"] = bytearray(params["total_size"])
            self.files["f"] = (params["name"], b"")
            return {"file_id": "p"}
        part = self.parts[params["file_id"]]
        if params["stage"] == "transfer":
            data = base64.b64decode(params["data"])
            part[params["offset"] : params["offset"] + len(data)] = data
            return None
        assert hashlib.sha256(part).hexdigest() == params["sha256"]
        self.files["f"] = (self.files["f"][0], bytes(part))
        return {"file_id": "f"}

    def get_file(self, params: Plain) -> Plain:
        name, data = self.files[params["file_id"]]
        found: Plain = {"name": name, "sha256": hashlib.sha256(data).hexdigest()}
        if params["type"] == "data":
            found["data"] = base64.b64encode(data).decode()
        return found

    def get_file_fragmented(self, params: Plain) -> Plain:
        name, data = self.files[params["file_id"]]
        if params["stage"] == "prepare":
            digest = hashlib.sha256(data).hexdigest()
            return {"name": name, "total_size": len(data), "sha256": digest}
        piece = data[params["offset"] : params["offset"] + params["size"]]
        return {"data": base64.b64encode(piece).decode()}


async def pieces(data: bytes, *sizes: int) -> AsyncIterator[bytes]:
    """Yield *data* in pieces of these sizes, and the rest."""
    for size in sizes:
        yield data[:size]
        data = data[size:]
    yield data


class OneByteAtATime(io.BytesIO):
    """A file that gives less than it is asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(1)


class TestUpload:
    """What is sent for a file."""

    async def test_whole(self, tmp_path: Path) -> None:
        """A file that fits in a fragment is sent at once, whatever its source is."""
        path = tmp_path / "a.bin"
        path.write_bytes(DATA)
        with path.open("rb") as opened:
            sources: list[Any] = [
                path,
                str(path),
                opened,
                DATA,
                io.BytesIO(DATA),
                OneByteAtATime(DATA),
                pieces(DATA, 1, 0, 5000),
            ]
            for source in sources:
                files = Files()
                async with http(files) as server, OneBotClient(server.url) as app:
                    size = len(DATA) if hasattr(source, "__aiter__") else None
                    assert await app.upload_file(source, name="b.bin", size=size) == "f"
                assert files.files == {"f": ("b.bin", DATA)}
                assert [each["type"] for each in files.requests] == ["data"]

    @pytest.mark.parametrize("fragment", [1000, 5120, 10_239])
    async def test_fragments(self, fragment: int, tmp_path: Path) -> None:
        """A longer one is sent in fragments: prepare, transfers in order, finish with the digest of the whole."""
        path = tmp_path / "a.bin"
        path.write_bytes(DATA)
        for source in (path, DATA, pieces(DATA, 1, 0, 5000), io.BytesIO(DATA)):
            files = Files()
            async with http(files) as server, OneBotClient(server.url) as app:
                file_id = await app.upload_file(
                    source, name="b.bin", size=len(DATA), fragment_size=fragment
                )
                assert file_id == "f"
            assert files.files == {"f": ("b.bin", DATA)}
            stages = [each["stage"] for each in files.requests]
            count = -(-len(DATA) // fragment)
            assert stages == ["prepare", *["transfer"] * count, "finish"]
            assert files.requests[0] == {"stage": "prepare", "name": "b.bin", "total_size": 10_240}
            assert [each["offset"] for each in files.requests[1:-1]] == [
                fragment * number for number in range(count)
            ]
            assert files.requests[-1] == {"stage": "finish", "file_id": "p", "sha256": DIGEST}

    async def test_names(self, tmp_path: Path) -> None:
        """The name is that of the path or of the open file; other sources need one."""
        path = tmp_path / "a.bin"
        path.write_bytes(b"")
        files = Files()
        async with http(files) as server, OneBotClient(server.url) as app:
            await app.upload_file(path)
            assert files.files["f"] == ("a.bin", b"")
            with path.open("rb") as opened:
                await app.upload_file(opened)
            assert files.files["f"] == ("a.bin", b"")
            with pytest.raises(ValueError, match="upload_file: give name="):
                await app.upload_file(b"x")
            with pytest.raises(ValueError, match="upload_file: give size="):
                await app.upload_file(pieces(b"x"), name="x")
            assert len(files.requests) == 2

    async def test_part_of_a_file(self, tmp_path: Path) -> None:
        """An open file is sent from its position on, and stays open."""
        path = tmp_path / "a.bin"
        path.write_bytes(DATA)
        files = Files()
        async with http(files) as server, OneBotClient(server.url) as app:
            with path.open("rb") as opened:
                opened.seek(10_000)
                await app.upload_file(opened)
                assert not opened.closed
        assert files.files["f"] == ("a.bin", DATA[10_000:])

    @pytest.mark.parametrize("fragment", [100, 10**6])
    @pytest.mark.parametrize(
        ("size", "told"),
        [(10_241, "ended after 10240 bytes, of 10241"), (10_239, "more than the 10239 bytes")],
    )
    async def test_sizes_that_are_wrong(self, size: int, told: str, fragment: int) -> None:
        """A source that is not as long as announced raises, and the upload is not finished."""
        files = Files()
        async with http(files) as server, OneBotClient(server.url) as app:
            with pytest.raises(ValueError, match=told):
                await app.upload_file(pieces(DATA), name="x", size=size, fragment_size=fragment)
        assert all(each.get("stage") != "finish" for each in files.requests)
        assert "upload_file" not in files.files

    async def test_arguments(self, tmp_path: Path) -> None:
        """What cannot be a file is refused."""
        text: Any
        async with http(Files()) as server, OneBotClient(server.url) as app:
            for fragment in (0, -1):
                with pytest.raises(ValueError, match=f"fragment_size={fragment}"):
                    await app.upload_file(b"", name="x", fragment_size=fragment)
            with pytest.raises(ValueError, match="size=-1"):
                await app.upload_file(b"", name="x", size=-1)
            for text in (5, None, object()):
                with pytest.raises(TypeError, match="cannot be read; give a path, bytes"):
                    await app.upload_file(text, name="x")
            text = io.StringIO("text")
            with pytest.raises(TypeError, match="gives str, not bytes"):
                await app.upload_file(text, name="x")
            with pytest.raises(FileNotFoundError):
                await app.upload_file(tmp_path / "none")

    async def test_a_pipe(self) -> None:
        """A source without a position needs its size, and is read as it comes."""
        reading, writing = os.pipe()
        files = Files()
        with open(reading, "rb") as source, open(writing, "wb", buffering=0) as sink:
            sink.write(DATA)
            sink.close()
            async with http(files) as server, OneBotClient(server.url) as app:
                with pytest.raises(ValueError, match="give size="):
                    await app.upload_file(source, name="x")
                await app.upload_file(source, name="x", size=len(DATA), fragment_size=3000)
        assert files.files["f"] == ("x", DATA)

    async def test_a_stage_that_fails(self) -> None:
        """The implementation's error is raised, and nothing more is sent."""
        for stage, count in (("prepare", 1), ("transfer", 2), ("finish", 13)):
            files = Files(**{stage: 32001})
            async with http(files) as server, OneBotClient(server.url) as app:
                with pytest.raises(FilesystemError):
                    await app.upload_file(DATA, name="x", fragment_size=1000)
            assert len(files.requests) == count

    async def test_an_answer_without_a_file_id(self) -> None:
        """It is an error that names the field."""
        files = Files(prepare={"file_id": 5})
        async with http(files) as server, OneBotClient(server.url) as app:
            with pytest.raises(InvalidAnswerError, match=r"data\.file_id: expected str, found int"):
                await app.upload_file(DATA, name="x", fragment_size=1000)

    async def test_memory(self) -> None:
        """No more than one fragment is read ahead."""
        ahead: list[int] = []

        async def source() -> AsyncIterator[bytes]:
            for number in range(50):
                ahead.append(number - len(files.requests))
                yield bytes(10_000)

        files = Files()
        async with http(files) as server, OneBotClient(server.url) as app:
            await app.upload_file(source(), name="x", size=500_000, fragment_size=10_000)
        assert max(ahead) <= 1

    async def test_large_fragments_as_bytes(self) -> None:
        """With MessagePack the data are bytes, and a fragment may have nearly 4 MiB."""
        from aioclient.onebot import decode, encode

        seen: list[Plain] = []

        async def handle(request: web.Request) -> web.Response:
            plain: Any = decode(await request.read(), Encoding.MSGPACK)
            seen.append(plain)
            body = encode(ok(plain, {"file_id": "f"}), Encoding.MSGPACK)
            return web.Response(body=body, content_type="application/msgpack")

        application = web.Application(client_max_size=2**23)
        application.router.add_post("/", handle)
        async with (
            serve_application(application) as origin,
            OneBotClient(f"{origin}/", encoding=Encoding.MSGPACK) as app,
        ):
            data = bytes(2**22 - 1000)
            assert await app.upload_file(data, name="x", fragment_size=2**22) == "f"
            assert seen[0]["params"]["data"] == data
            with pytest.raises(ValueError, match="peers take 4194304"):
                await app.upload_file(data + bytes(999), name="x", fragment_size=2**22)


class TestDownload:
    """What comes of a file."""

    @pytest.mark.parametrize("fragment", [1000, 5120, 10_240, 10**6])
    async def test_fragments(self, fragment: int, tmp_path: Path) -> None:
        """A file is fetched piece by piece, and appears when it is complete and right."""
        files = Files()
        files.files["f"] = ("name.bin", DATA)
        path = tmp_path / "a.bin"
        path.write_bytes(b"old")
        async with http(files) as server, OneBotClient(server.url) as app:
            found = await app.download_file("f", path, fragment_size=fragment)
        assert found == DownloadedFile("name.bin", path, len(DATA), DIGEST)
        assert path.read_bytes() == DATA
        assert list(tmp_path.iterdir()) == [path]
        assert len(files.requests) == 1 + -(-len(DATA) // fragment)

    async def test_data(self, tmp_path: Path) -> None:
        """``by="data"`` gets it in one piece."""
        files = Files()
        files.files["f"] = ("name.bin", DATA)
        path = tmp_path / "a.bin"
        async with http(files) as server, OneBotClient(server.url) as app:
            await app.download_file("f", str(path), by="data")
        assert path.read_bytes() == DATA
        assert files.requests == [{"file_id": "f", "type": "data"}]

    async def test_an_empty_file(self, tmp_path: Path) -> None:
        """A file without bytes is a file."""
        files = Files()
        files.files["f"] = ("name.bin", b"")
        async with http(files) as server, OneBotClient(server.url) as app:
            found = await app.download_file("f", tmp_path / "a")
        assert (found.size, (tmp_path / "a").read_bytes()) == (0, b"")

    async def test_url(self, tmp_path: Path) -> None:
        """``by="url"`` reads it from where the implementation says, with its fields and without the token."""
        seen: list[Any] = []

        async def give(request: web.Request) -> web.Response:
            seen.append(request.headers)
            return web.Response(body=DATA)

        application = web.Application()
        application.router.add_get("/file", give)
        async with serve_application(application) as origin:
            told = {"url": f"{origin}/file", "headers": {"X-Key": "k"}}
            files = Files(get_file=told)
            files.files["f"] = ("name.bin", DATA)
            async with http(files) as server, OneBotClient(server.url, access_token="t") as app:
                found = await app.download_file("f", tmp_path / "a", by="url")
                assert found.sha256 == DIGEST
                async with ClientSession(headers={"X-Own": "o"}) as session:
                    await app.download_file("f", tmp_path / "b", by="url", session=session)
                    assert not session.closed
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == DATA
        assert [headers.get("X-Key") for headers in seen] == ["k", "k"]
        assert [headers.get("X-Own") for headers in seen] == [None, "o"]
        assert all("Authorization" not in headers for headers in seen)

    async def test_a_url_that_fails(self, tmp_path: Path) -> None:
        """An error status is an error, and no file."""
        application = web.Application()
        async with serve_application(application) as origin:
            files = Files(get_file={"url": f"{origin}/none"})
            files.files["f"] = ("name.bin", DATA)
            async with http(files) as server, OneBotClient(server.url) as app:
                with pytest.raises(StatusError):
                    await app.download_file("f", tmp_path / "a", by="url")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("by", "wrong", "error", "told"),
        [
            ("fragments", {"prepare": {"sha256": "0" * 64}}, FileDigestError, "and 000.* was announced"),
            ("data", {"get_file": {"sha256": "0" * 64}}, FileDigestError, "and 000.* was announced"),
            ("fragments", {"prepare": {"sha256": None}}, InvalidAnswerError, "data.sha256: expected str"),
            ("fragments", {"prepare": {"total_size": -1}}, InvalidAnswerError, "a file of -1 bytes"),
            ("fragments", {"prepare": {"total_size": True}}, InvalidAnswerError, "total_size: expected"),
            ("fragments", {"prepare": {"total_size": 10**15}}, InvalidAnswerError, "0 bytes at offset"),
            ("fragments", {"transfer": {"data": ""}}, InvalidAnswerError, "0 bytes at offset 0"),
            ("fragments", {"transfer": {"data": "AAAA" * 400}}, InvalidAnswerError, "1200 bytes at off"),
            ("fragments", {"transfer": {"data": "%"}}, InvalidAnswerError, "not base64"),
            ("fragments", {"prepare": 10002}, UnsupportedAction, "get_file_fragmented"),
            ("data", {"get_file": {"data": 5}}, InvalidAnswerError, "data.data: expected bytes"),
            ("url", {}, InvalidAnswerError, "no 'url'"),
            ("url", {"get_file": {"url": "x", "headers": {"a": 1}}}, InvalidAnswerError, "headers.a"),
        ],
    )  # fmt: skip
    async def test_files_that_are_wrong(
        self, by: Any, wrong: Any, error: type[Exception], told: str, tmp_path: Path
    ) -> None:
        """What is not the file raises; an existing file stays, and nothing is left beside it."""
        files = Files(**wrong)
        files.files["f"] = ("name.bin", DATA)
        path = tmp_path / "a.bin"
        path.write_bytes(b"old")
        async with http(files) as server, OneBotClient(server.url) as app:
            with pytest.raises(error, match=told):
                await app.download_file("f", path, by=by, fragment_size=1000)
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize("by", ["fragments", "data"])
    async def test_max_size(self, by: Any, tmp_path: Path) -> None:
        """A file that is longer than ``max_size`` is not written."""
        files = Files()
        files.files["f"] = ("name.bin", DATA)
        async with http(files) as server, OneBotClient(server.url) as app:
            await app.download_file("f", tmp_path / "a", by=by, max_size=10_240)
            with pytest.raises(FileDigestError, match="more than max_size=10239 bytes"):
                await app.download_file("f", tmp_path / "b", by=by, max_size=10_239)
        assert [each.name for each in tmp_path.iterdir()] == ["a"]

    async def test_max_size_of_a_url(self, tmp_path: Path) -> None:
        """Neither is one from a URL, whose length is known at its end only."""

        async def give(request: web.Request) -> web.Response:
            return web.Response(body=DATA)

        application = web.Application()
        application.router.add_get("/file", give)
        async with serve_application(application) as origin:
            files = Files(get_file={"url": f"{origin}/file"})
            files.files["f"] = ("name.bin", DATA)
            async with http(files) as server, OneBotClient(server.url) as app:
                with pytest.raises(FileDigestError, match="more than max_size=10239"):
                    await app.download_file("f", tmp_path / "b", by="url", max_size=10_239)
        assert list(tmp_path.iterdir()) == []

    async def test_arguments(self, tmp_path: Path) -> None:
        """A way that there is not, and a folder that there is not."""
        files = Files()
        files.files["f"] = ("name.bin", DATA)
        async with http(files) as server, OneBotClient(server.url) as app:
            with pytest.raises(ValueError, match="by='post'; give 'fragments', 'data' or 'url'"):
                await app.download_file("f", tmp_path / "a", by="post")  # type: ignore[arg-type]
            with pytest.raises(FileNotFoundError):
                await app.download_file("f", tmp_path / "none" / "a")


class TestCancellation:
    """Cancelled at any await, no file stays open, and none is left."""

    async def test_upload(self, tmp_path: Path) -> None:
        path = tmp_path / "a.bin"
        path.write_bytes(DATA)
        async with http(Files()) as server, OneBotClient(server.url) as app:

            async def scenario() -> None:
                await app.upload_file(path, fragment_size=5000)

            await cancel_everywhere(scenario, leaks=False)

    async def test_download(self, tmp_path: Path) -> None:
        files = Files()
        files.files["f"] = ("name.bin", DATA)
        path = tmp_path / "a.bin"
        async with http(files) as server, OneBotClient(server.url) as app:

            async def scenario() -> None:
                await app.download_file("f", path, fragment_size=5000)

            def check() -> None:
                assert list(tmp_path.iterdir()) in ([], [path])
                if path.exists():
                    assert path.read_bytes() == DATA

            await cancel_everywhere(scenario, check, leaks=False)
