"""What is measured: one entry for each kind of work."""

from dataclasses import dataclass

SMALL = b'{"id": 12345, "name": "Ada Lovelace", "active": true, "n": 7}'
POSTED = {"id": 12345, "name": "Ada Lovelace", "tags": ["engine", "notes"], "active": True}
EXTRA_HEADERS = 17  # with the 5 that nginx sends anyway: 22
COOKIES = {f"c{n}": f"value-{n}-of-a-cookie" for n in range(10)}
DEFAULT_HEADERS = {f"X-Default-{n}": f"value {n} of a request header" for n in range(10)}
MIDDLEWARES = 3
# What aioclient has and aiohttp has not, for `benchmarks.instructions`: the names of its sessions.
RESILIENCE = {
    "retry": "Retry()",
    "rate-limit": "RateLimit(1e6)",
    "circuit-breaker": "CircuitBreaker()",
    "concurrency-limit": "ConcurrencyLimit(1000)",
    "adaptive-limit": "AdaptiveLimit(1000)",
    "hedge": "Hedge() without a budget",
    "coalesce": "Coalesce()",
    "cache": "Cache(), which stores nothing of it",
}
BIG_SIZE = 100_000_000
CHUNK_SIZE = 64 * 1024

LOOPS = ("asyncio", "uvloop")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of request that every client performs in the same way.

    *action* is the method of `benchmarks.clients.base.Client` that performs it, *server* the
    listener it goes to ("http", "tls", "h2", "unix" or "sink"), *requests* how many an ordinary client
    (aiohttp) performs in one round: faster clients do more and slower ones fewer. In *bulk* one
    request moves `BIG_SIZE` bytes.

    With *steady_malloc* glibc keeps freed memory instead of handing it back to the kernel. For
    large reads the handing back and forth is most of the cost, and whether it happens depends on
    what lies at the end of the heap: with and without it are two different questions.

    *session* is what the client is set up with: nothing ("plain"), or what the scenario is about:
    `COOKIES` in the jar, `DEFAULT_HEADERS`, a trace config with all callbacks, `MIDDLEWARES`
    that pass on what they get, or HTTP/2 ("http2"; aiohttp, which has none, speaks HTTP/1.1 over TLS then).
    """

    name: str
    title: str
    action: str
    path: str
    server: str = "http"
    concurrency: tuple[int, ...] = (1, 32)
    requests: int = 1200
    steady_malloc: bool = False
    bulk: bool = False
    session: str = "plain"


def _bulk(
    name: str,
    title: str,
    action: str,
    path: str = "/big",
    server: str = "http",
    *,
    steady_malloc: bool = False,
    session: str = "plain",
) -> Scenario:
    return Scenario(
        name, title, action, path, server, (1,), 2, steady_malloc, bulk=True, session=session
    )


def _with(session: str, what: str, path: str = "/small") -> Scenario:
    title = f"small JSON, with {what}"
    return Scenario(session, title, "get_json", path, concurrency=(32,), session=session)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("small", "small JSON", "get_json", "/small", concurrency=(1, 32, 256)),
        Scenario("headers", "22 headers, all read", "get_headers", "/headers"),
        Scenario("post", "POST JSON", "post_json", "/post"),
        Scenario("gzip", "gzip JSON, 10 KB", "get_gzip", "/gzip.json"),
        Scenario("tls", "small JSON, TLS", "get_json", "/small", "tls"),
        Scenario(
            "handshake", "new TLS connection", "get_json_and_close", "/close", "tls", requests=300
        ),
        Scenario(
            "h2",
            "small JSON, HTTP/2",
            "get_json",
            "/small",
            "h2",
            (1, 32, 100, 1000),
            session="http2",
        ),
        _bulk("tls-chunks", "100 MB in chunks, TLS", "download", server="tls"),
        _bulk("tls-upload", "100 MB upload, TLS", "upload", "/upload", "tls"),
        _bulk("h2-chunks", "100 MB in frames of 64 KB", "download", server="h2", session="http2"),
        _bulk(
            "h2-small-chunks",
            "100 MB in frames of 8 KB",
            "download",
            "/big-8k",
            server="h2",
            session="http2",
        ),
        _bulk("h2-upload", "100 MB upload, HTTP/2", "upload", "/upload", "h2", session="http2"),
        _bulk(
            "h2-wide-upload",
            "100 MB upload, windows of 1 MiB",
            "upload",
            "/upload-wide",
            "h2",
            session="http2",
        ),
        _bulk(
            "h2-four",
            "four times 100 MB at once, HTTP/2",
            "download_four",
            server="h2",
            session="http2",
        ),
        Scenario("unix", "small JSON, unix socket", "get_json", "/small", "unix"),
        _with("cookies", f"{len(COOKIES)} cookies", "/cookies"),
        _with("defaults", f"{len(DEFAULT_HEADERS)} default headers", "/defaults"),
        _with("trace", "a trace config with all callbacks"),
        _with("middlewares", f"{MIDDLEWARES} middlewares"),
        *(_with(name, what) for name, what in RESILIENCE.items()),
        _bulk("chunks", "100 MB in chunks", "download"),
        _bulk("chunks-steady", "100 MB in chunks, steady malloc", "download", steady_malloc=True),
        _bulk("file", "100 MB to a file", "download_to_file"),
        _bulk(
            "file-steady", "100 MB to a file, steady malloc", "download_to_file", steady_malloc=True
        ),
        _bulk("memory", "100 MB to memory", "download_to_memory"),
        _bulk("upload", "100 MB upload of a file", "upload", "/upload", "sink"),
    )
}

GROWTH = Scenario("growth", "small JSON", "get_json", "/small", "http", (32, 1000), 10_000)
