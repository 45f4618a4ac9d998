"""The states of a connection: a table, and nothing that is not in it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import aioclient
from aioclient.protocols.http1 import connection as module
from aioclient.protocols.http1.states import NEXT, ConnectionState
from aioclient.testing import RawConnection, RawServer, turns

pytestmark = pytest.mark.both_loops

SLOT = vars(module.Http1Connection)["_state"]
seen: set[tuple[ConnectionState, ConnectionState]] = set()


class Checked:
    """Stands for the slot, and refuses what the table does not have."""

    def __get__(self, connection: Any, kind: type | None = None) -> ConnectionState:
        found: ConnectionState = SLOT.__get__(connection, kind)
        return found

    def __set__(self, connection: Any, state: ConnectionState) -> None:
        try:
            old = SLOT.__get__(connection)
        except AttributeError:
            assert state is ConnectionState.IDLE
        else:
            assert state in NEXT[old], f"{old} does not lead to {state}"
            seen.add((old, state))
        SLOT.__set__(connection, state)


@pytest.fixture(autouse=True)
def checked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module.Http1Connection, "_state", Checked())
    yield


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


async def site(conn: RawConnection) -> None:
    """Answer by the target."""
    while True:
        request = await conn.read_request(body=False)
        if request.target == "/whole":
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        elif request.target == "/long":
            conn.send(HEAD)
            await turns(3)
            conn.send(bytes(100_000))
        elif request.target == "/short-rest":
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
            await turns(3)
            conn.send(bytes(5000))
        elif request.target == "/cut":
            conn.send(HEAD + b"x")
            conn.close()
        elif request.target == "/never":
            await conn.closed()
        elif request.target == "/stall":
            conn.send(HEAD + b"x")
            await conn.closed()
        elif request.target == "/drip":
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nx")
            await conn.closed()
        elif request.target == "/switch":
            conn.send(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
            )
            await conn.closed()
        else:
            conn.close()


async def test_every_way() -> None:
    """Each transition of the table is taken, and no other."""
    seen.clear()
    async with RawServer(site) as server, aioclient.ClientSession(server.url()) as session:
        for path in ("whole", "long"):
            async with session.get(path) as response:
                await response.read()
        response = await session.get("short-rest")
        response.release()  # drained
        await turns(20)
        response = await session.get("short-rest")
        response.close()
        for path in ("cut", "nothing"):
            with pytest.raises(aioclient.ClientError):
                async with session.get(path) as response:
                    await response.read()
        task = asyncio.ensure_future(session.get("never"))
        await turns(10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        response = await session.get("stall")
        response.release()  # too much to drain
        async with session.get(
            "switch", headers={"Upgrade": "x", "Connection": "upgrade"}
        ) as response:
            assert response.status == 101
        response = await session.get("drip")
        async with session.get("whole") as other:
            await other.read()
        response.release()
        await session.close()  # while one drains and the other is idle
    missed = {(old, new) for old, following in NEXT.items() for new in following} - seen
    assert missed == set()
