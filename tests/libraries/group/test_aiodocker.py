"""aiodocker takes a session, and asks it for ``unix://`` URLs over a Unix connector."""

import asyncio
import json
import re
import struct
from pathlib import Path

import pytest
from aiohttp import WSMsgType, web

from aioclient import ClientSession, UnixConnector

from .serving import OURS, serving

pytestmark = pytest.mark.both_loops


def frame(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


async def speak_of_exec(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Play the part of the daemon that runs a command: it takes the connection over (101)."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"\r\nX-Sent-By: aioclient\r\n" in head
        size = re.search(rb"(?i)content-length: (\d+)", head)
        await reader.readexactly(int(size[1]) if size else 0)
        path = head.split()[1]
        if path.endswith(b"/start"):
            break
        body = b'{"Id": "e1"}' if path.endswith(b"/exec") else b'{"ApiVersion": "1.47"}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    writer.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
    writer.write(frame(1, b"first"))
    typed = await reader.readexactly(5)
    writer.write(frame(2, typed)[:3])
    await writer.drain()
    writer.write(frame(2, typed)[3:])
    writer.close()


class Daemon:
    """As much of Docker's daemon as is asked for below."""

    def __init__(self) -> None:
        self.archive = b""

    def application(self) -> web.Application:
        application = web.Application(client_max_size=2**24)
        route = application.router.add_route
        route("GET", "/version", self.version)
        route("GET", "/v1.47/containers/json", self.containers)
        route("POST", "/v1.47/containers/create", self.create)
        route("GET", "/v1.47/containers/c1/json", self.show)
        route("POST", "/v1.47/containers/c1/start", self.start)
        route("GET", "/v1.47/containers/c1/logs", self.logs)
        route("PUT", "/v1.47/containers/c1/archive", self.put_archive)
        route("GET", "/v1.47/containers/c1/attach/ws", self.attach)
        route("POST", "/v1.47/images/create", self.pull)
        route("GET", "/v1.47/events", self.events)
        return application

    async def version(self, request: web.Request) -> web.Response:
        return web.json_response({"ApiVersion": "1.47"})

    async def containers(self, request: web.Request) -> web.Response:
        assert request.query["all"] == "1"
        return web.json_response([{"Id": "c1"}])

    async def create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if asked["Image"] == "none":
            return web.json_response({"message": "No such image"}, status=404)
        return web.json_response({"Id": "c1"}, status=201)

    async def show(self, request: web.Request) -> web.Response:
        return web.json_response({"Id": "c1", "Config": {"Tty": False}})

    async def start(self, request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def logs(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for line in (b"one\n", b"two\n"):
            whole = frame(1, line)
            await response.write(whole[:5])
            await response.write(whole[5:])
        return response

    async def put_archive(self, request: web.Request) -> web.Response:
        self.archive = await request.read()
        return web.Response()

    async def attach(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=["chat"])
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(b"heard: " + message.data)
        return socket

    async def pull(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for status in ("Pulling", "Done"):
            await response.write(json.dumps({"status": status}).encode() + b"\r\n")
        return response

    async def events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"Type": "container", "Action": "start", "time": 1}\n')
        await asyncio.Event().wait()
        return response


async def test_client(tmp_path: Path) -> None:
    """Containers are listed, made, filled, attached to; logs, progress and events come as they happen."""
    from aiodocker import Docker, DockerError

    path = tmp_path / "docker.sock"
    daemon = Daemon()
    async with (
        serving(daemon.application(), unix_path=path),
        ClientSession(connector=UnixConnector(str(path)), headers=OURS) as session,
        Docker(f"unix://{path}", session=session) as docker,
    ):
        assert [each.id for each in await docker.containers.list(all=True)] == ["c1"]
        container = await docker.containers.run({"Image": "alpine"})
        assert [line async for line in container.log(stdout=True, follow=True)] == [
            "one\n",
            "two\n",
        ]
        await container.put_archive("/", b"t" * 300_000)
        assert daemon.archive == b"t" * 300_000
        pulled = [step["status"] async for step in docker.images.pull("alpine", stream=True)]
        assert pulled == ["Pulling", "Done"]
        with pytest.raises(DockerError, match="No such image"):
            await docker.containers.create({"Image": "none"})
        socket = await container.websocket()
        await socket.send_bytes(b"hello")
        message = await socket.receive()
        assert (message.type, message.data) == (WSMsgType.BINARY, b"heard: hello")
        await socket.close()
        subscriber = docker.events.subscribe()
        event = await subscriber.get()
        assert event is not None
        assert event["Action"] == "start"
        await docker.close()
        assert not session.closed


async def test_exec(tmp_path: Path) -> None:
    """What a command says and is told goes over the connection that the daemon has switched."""
    from aiodocker import Docker

    path = tmp_path / "docker.sock"
    async with (
        await asyncio.start_unix_server(speak_of_exec, path),
        ClientSession(connector=UnixConnector(str(path)), headers=OURS) as session,
        Docker(f"unix://{path}", session=session) as docker,
    ):
        command = await docker.containers.container("c1").exec(["cat"], stdin=True)
        async with command.start() as stream:
            assert await stream.read_out() == (1, b"first")
            await stream.write_in(b"typed")
            assert await stream.read_out() == (2, b"typed")
            assert await stream.read_out() is None
