"""What HTTP/2 keeps in memory: nothing of what is over."""

import asyncio
import gc
import tracemalloc
from pathlib import Path

import aioclient
from aioclient import ClientSession, TCPConnector
from aioclient.testing import H2Connection, H2Server, H2Setting

COUNT = 1000
PACKAGE = Path(aioclient.__file__).parent


def kept() -> int:
    """Return how many bytes are in use that the client has allocated."""
    files = tracemalloc.take_snapshot().statistics("filename")
    return sum(
        each.size
        for each in files
        if (path := Path(each.traceback[0].filename)).is_relative_to(PACKAGE)
        and not path.is_relative_to(PACKAGE / "testing")
    )


async def test_a_thousand_in_flight() -> None:
    """A thousand requests on one connection, again and again: the most and the rest stay what they were."""

    async def site(conn: H2Connection) -> None:
        while True:
            requests = [await conn.read_request() for _ in range(COUNT)]
            for request in requests:
                conn.send_headers(request.stream_id, [(":status", "200")])
                conn.send_data(request.stream_id, bytes(100), end=True)

    connector = TCPConnector(limit=1)
    settings = {H2Setting.MAX_CONCURRENT_STREAMS: COUNT}
    async with (
        H2Server(site, settings=settings) as server,
        ClientSession(connector=connector, http2="prior-knowledge") as session,
    ):

        async def get() -> None:
            async with session.get(server.url()) as response:
                assert len(await response.read()) == 100

        async def burst() -> None:
            async with asyncio.TaskGroup() as group:
                for _ in range(COUNT):
                    group.create_task(get())

        await burst()
        assert server.connections == 1
        peaks, rests = [], []
        tracemalloc.start()
        try:
            for _ in range(4):
                gc.collect()
                rests.append(kept())
                before = tracemalloc.get_traced_memory()[0]
                tracemalloc.reset_peak()
                await burst()
                peaks.append(tracemalloc.get_traced_memory()[1] - before)
        finally:
            tracemalloc.stop()
        assert peaks[-1] < 1.05 * peaks[1]
        assert peaks[-1] < COUNT * 20_000  # of both ends, and their tasks
        assert rests[-1] - rests[1] < 20_000
        assert server.connections == 1
