"""What each client does, in the same way, for the benchmark."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Setup:
    """How a client is set up for one job.

    *ca_file* and *unix_path* are None unless the job is about TLS or a unix socket. *keepalive* is
    how long idle connections are kept, in seconds; None: as the library does by default. *session*
    is that of the scenario, *url* what will be asked for.
    """

    concurrency: int
    upload_path: Path
    output_path: Path
    ca_file: Path | None = None
    unix_path: Path | None = None
    keepalive: float | None = None
    session: str = "plain"
    url: str = ""

    def ssl_context(self, *, http2: bool = False) -> ssl.SSLContext | None:
        """Return a context that trusts *ca_file*, and with *http2* offers HTTP/2; None without TLS."""
        if self.ca_file is None:
            return None
        context = ssl.create_default_context(cafile=self.ca_file)
        if http2:
            context.set_alpn_protocols(["h2", "http/1.1"])
        return context


class Client:
    """One library, used as its documentation says; a base for the adapters.

    Every method checks the status and reads the whole body. The JSON methods return the body
    decoded by the standard library's ``json``, and the 100 MB ones how many bytes travelled: the
    harness checks both.
    """

    distribution = ""
    """Name of the package whose version is reported."""

    lacks: frozenset[str] = frozenset()
    """Scenarios that the library cannot do."""

    sessions: frozenset[str] = frozenset({"plain"})
    """What the adapter can set a session up with; scenarios that want another one are left out."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        raise NotImplementedError

    async def get_json(self, url: str) -> Any:
        """Get and decode JSON."""
        raise NotImplementedError

    async def get_json_and_close(self, url: str) -> Any:
        """Get and decode JSON from a server that closes the connection: each request makes a new one."""
        return await self.get_json(url)

    async def get_headers(self, url: str) -> dict[str, str]:
        """Get and decode JSON, and return all response headers as text."""
        raise NotImplementedError

    async def get_gzip(self, url: str) -> Any:
        """Get and decode JSON that comes compressed."""
        raise NotImplementedError

    async def post_json(self, url: str) -> Any:
        """Send `benchmarks.scenarios.POSTED` as JSON and decode the answer."""
        raise NotImplementedError

    async def download(self, url: str) -> int:
        """Look at the body in pieces of at most 64 KiB, or as they come."""
        raise NotImplementedError

    async def download_four(self, url: str) -> int:
        """Download four times at once; return the fewest bytes that one had when the first was complete."""
        raise NotImplementedError

    async def download_to_file(self, url: str) -> int:
        """Write the body to *output_path* as it comes."""
        raise NotImplementedError

    async def download_to_memory(self, url: str) -> int:
        """Read the body into one bytes object."""
        raise NotImplementedError

    async def upload(self, url: str) -> int:
        """Post the file *upload_path* without reading it into memory."""
        raise NotImplementedError


def check(status: int) -> None:
    """Raise RuntimeError unless a request went well."""
    if status != 200:
        raise RuntimeError(f"status {status}, expected 200")
