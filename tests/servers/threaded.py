"""An aiohttp.web application in a thread of its own, for tests that block theirs."""

import asyncio
import ssl
import threading

from aiohttp import web


class ThreadedServer:
    """Serves an application until `close()`; `origin` is where it is, `url` the same by the name localhost."""

    def __init__(self, app: web.Application, ssl_context: ssl.SSLContext | None = None) -> None:
        self.app = app
        self._loop = asyncio.new_event_loop()
        self._runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
        port = self._loop.run_until_complete(self._start(ssl_context))
        scheme = "https" if ssl_context else "http"
        self.origin = f"{scheme}://127.0.0.1:{port}"
        self.url = f"{scheme}://localhost:{port}"
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    async def _start(self, ssl_context: ssl.SSLContext | None) -> int:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=ssl_context).start()
        return int(self._runner.addresses[0][1])

    async def _end(self) -> None:
        """Wait until the clients' ends were read, those of connections that were just accepted too, and stop."""
        for _ in range(20):
            await asyncio.sleep(0)
        while self._runner.server is not None and self._runner.server.connections:
            await asyncio.sleep(0)
        await self._runner.cleanup()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
