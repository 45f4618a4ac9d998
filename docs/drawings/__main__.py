"""Make the drawings of the docs from the code's own tables; with ``--check`` only tell whether they are current.

- ``timeouts``: which limit of ``ClientTimeout`` covers which phase of ``Timings``, with the defaults;
- ``resilience``: the recommended middlewares, in their order, with what each sees;
- ``circuit``: the states of a circuit breaker;
- ``request``: the steps of a request, as a session chains them;
- ``pool``, ``connection``, ``stream``: the states of a request that waits in the pool, of an HTTP/1.1 connection and of
  an HTTP/2 stream, from their tables ``NEXT``;
- ``transports``: the four transports of OneBot;
- ``caching``: one decision of a cache, made by the code itself;
- ``costs``: the benchmark's figures, from ``benchmarks/results.json``.

Each is a file ``*.svg``, for a page to include, some with a table ``*.rst`` beside it. What is drawn here and is not in
the code any more, or the other way round, ends this command with an error.
"""

import asyncio
import inspect
import json
import re
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from caching import caching  # noqa: E402
from svg import WIDTH, Drawing, Point, states  # noqa: E402
from transports import ROWS, connecting, transports  # noqa: E402

import aioclient  # noqa: E402
from aioclient import ClientSession, ClientTimeout, Timings, exceptions  # noqa: E402
from aioclient.connectors import tickets  # noqa: E402
from aioclient.message.timeout import DEFAULT_TIMEOUT  # noqa: E402
from aioclient.middlewares.circuit_breaker import policy as circuits  # noqa: E402
from aioclient.protocols.http1 import states as http1  # noqa: E402
from aioclient.protocols.http2 import states as http2  # noqa: E402

NOTICE = ".. Made by docs/drawings; run `make drawings`.\n\n"

# Timeouts: the limits in the order in which they are drawn, with the phases they cover from first to last.

COVERED = {
    "total": ("pool_wait", "body"),
    "pool": ("pool_wait", "pool_wait"),
    "connect": ("pool_wait", "tls"),
    "sock_connect": ("dns", "tls"),
    "sock_read": ("first_byte", "body"),
}
NO_LIMITS = {"ceil_threshold"}
NO_PHASES = {"total"}
SAID = {
    "pool_wait": "pool",
    "dns": "DNS",
    "connect": "connect",
    "tls": "TLS",
    "send": "send",
    "first_byte": "wait",
    "body": "body",
}


def timeouts() -> tuple[Drawing, str]:
    phases = [each.name for each in fields(Timings) if each.name not in NO_PHASES]
    same("the phases of Timings", phases, SAID)
    limits = [each.name for each in fields(ClientTimeout) if each.name not in NO_LIMITS]
    same("the limits of ClientTimeout", limits, COVERED)
    left, step, row = 86, 53, 30
    drawing = Drawing("Which limit covers which phase of a request", 44 + row * len(COVERED) + 8)
    for place, phase in enumerate(phases):
        x = left + place * step
        drawing.box(x + 1, 4, step - 2, 24, "phase")
        drawing.text(x + step / 2, 20, SAID[phase], "small", "middle")
    for place, (limit, (first, last)) in enumerate(COVERED.items()):
        y = 44 + place * row
        start = left + phases.index(first) * step + 1
        end = left + (phases.index(last) + 1) * step - 1
        drawing.text(0, y + 13, limit, "code")
        default = getattr(DEFAULT_TIMEOUT, limit)
        text = "off" if default is None else f"{default:g} s"
        if limit == "sock_read":  # it begins again with each piece that arrives
            pieces = 4
            width = (end - start) / pieces
            for piece in range(pieces):
                drawing.box(start + piece * width, y, width - 3, 18, "bar again")
        else:
            drawing.box(start, y, end - start, 18, "bar")
        drawing.text((start + end) / 2, y + 13, text, "inside", "middle")
    return drawing, _table_of_timeouts()


def _table_of_timeouts() -> str:
    documented = attributes_of(ClientTimeout)
    errors = {
        phase: f":exc:`~aioclient.exceptions.{error}`"
        for phase, error in {
            "total": exceptions.TotalTimeoutError.__name__,
            "pool": exceptions.PoolTimeoutError.__name__,
            "connect": exceptions.ConnectTimeoutError.__name__,
            "sock_connect": exceptions.ConnectTimeoutError.__name__,
            "sock_read": exceptions.ReadTimeoutError.__name__,
        }.items()
    }
    lines = [NOTICE + ".. list-table::", "    :header-rows: 1", "    :widths: 18 12 44 26", ""]
    lines += ["    * - limit", "      - default", "      - what it covers", "      - its error"]
    for limit in COVERED:
        default = getattr(DEFAULT_TIMEOUT, limit)
        lines += [
            f"    * - ``{limit}``",
            f"      - {'off' if default is None else f'{default:g} s'}",
            f"      - {documented[limit].rstrip('.')}",
            f"      - {errors[limit]}",
        ]
    return "\n".join(lines) + "\n"


def attributes_of(cls: type) -> dict[str, str]:
    """Return the lines of a docstring's section of attributes."""
    found: dict[str, str] = {}
    name = ""
    _, _, section = inspect.cleandoc(cls.__doc__ or "").partition("Attributes:\n")
    for line in section.splitlines():
        if not line.startswith(" "):
            break
        if match := re.match(r" {4}(\w+): (.+)", line):
            name, found[match[1]] = match[1], match[2]
        elif name:
            found[name] += " " + line.strip()
    return found


# The way of a request: what each step of the chain is for. Names are those of the functions.

STEPS = {
    "within_total": ("total timeout", "where middlewares or a transport may wait"),
    "follow_redirects": ("redirects", "one call, many hops; owns history and deadline"),
    "release_dropped_responses": ("", ""),  # part of the middlewares' step
    "first": ("your middlewares", "in the order given, anew for each hop"),
    "last": ("", ""),
    "authenticate": ("auth", "credentials of this hop's origin"),
    "Cookies.exchange": ("cookies", "of this hop's URL, and what it sets"),
    "sign": ("signer", "signs what goes out, if there is one"),
    "BaseConnector.send": ("connector", "pool, or resolve, dial, TLS"),
}
AROUND = ("ClientSession", "defaults and the call make a Request")
BELOW = (
    ("exchange", "one attempt: what was sent, what came, when"),
    ("protocol", "bytes on one connection"),
    ("ClientResponse", "climbs back up; its body is read from the connection"),
)


def chained() -> list[str]:
    """Return the names of the steps of a session with two middlewares, from the first to the last."""

    async def first(request: Any, handler: Any) -> Any:
        return await handler(request)

    async def last(request: Any, handler: Any) -> Any:
        return await handler(request)

    async def look() -> list[str]:
        async with ClientSession(middlewares=[first, last], signer=lambda request: None) as session:
            names = []
            step: Any = session._chain
            while (cells := inspect.getclosurevars(step).nonlocals) and "middleware" in cells:
                middleware = cells["middleware"]
                # A user's one is within a step that checks what it returns.
                within = (
                    inspect.getclosurevars(middleware).nonlocals
                    if inspect.isfunction(middleware)
                    else {}
                )
                names.append(within.get("middleware", middleware))
                step = cells["handler"]
            names.append(step)
            return [each.__qualname__.rpartition("<locals>.")[2] for each in names]

    return asyncio.run(look())


def request() -> Drawing:
    names = chained()
    same("the steps of a session", names, STEPS)
    steps = [AROUND, *(STEPS[name] for name in names if STEPS[name][0]), *BELOW]
    row, width = 46, 128
    drawing = Drawing("The way of a request, from top to bottom", row * len(steps) - 8)
    for place, (name, text) in enumerate(steps):
        y = place * row + 4
        drawing.box(4, y, width, 28)
        drawing.text(4 + width / 2, y + 18, name, "name", "middle")
        drawing.text(width + 16, y + 18, text, "small")
        if place + 1 < len(steps):
            drawing.arrow((4 + width / 2, y + 28), (4 + width / 2, y + row))
    return drawing


# The recommended middlewares: what each does, and what it sees once: a hop, an attempt, a request sent.

RECOMMENDED = {
    "Cache": ("answers by itself", "hop", "keeps a copy"),
    "Coalesce": ("shares one exchange", "hop", "shared: read"),
    "Retry": ("tries again", "hop", "read_body"),
    "CircuitBreaker": ("refuses while it fails", "attempt", "–"),
    "RateLimit": ("waits for a permit", "attempt", "–"),
    "AdaptiveLimit": ("waits for a free place", "attempt", "until its end"),
    "Hedge": ("sends a second one", "attempt", "drops one"),
}
OUTSIDE = (("redirects", "one call, many hops", "call", ""),)
INSIDE = ("auth … connector", "send it", "request", "it comes")


def resilience() -> Drawing:
    steps = aioclient.resilience(
        cache=aioclient.Cache(),
        coalesce=True,
        rate_limit=aioclient.RateLimit(10),
        concurrency_limit=True,
        hedge=True,
    )
    names = [type(step).__name__ for step in steps]
    same("the recommended middlewares", names, RECOMMENDED)
    rows = [*OUTSIDE, *((name, *RECOMMENDED[name]) for name in names), INSIDE]
    row, width, head = 44, 120, 24
    drawing = Drawing("What stands where, and sees what", head + row * len(rows) - 6)
    for x, title in ((width + 12, "what it does"), (304, "once for each"), (376, "the body")):
        drawing.text(x, 12, title, "small")
    for place, (name, does, sees, body) in enumerate(rows):
        y = head + place * row
        drawing.box(4, y, width, 28)
        drawing.text(4 + width / 2, y + 18, name, "name", "middle")
        drawing.text(width + 12, y + 18, does, "small")
        drawing.text(304, y + 18, sees, "small")
        drawing.text(376, y + 18, body, "small")
        if place + 1 < len(rows):
            drawing.arrow((4 + width / 2, y + 28), (4 + width / 2, y + row))
    return drawing


# States: where each one stands; arrows that a straight line would lead through another box go around.

BEGIN = "has to wait"  # where a table has a set FIRST: what leads to these

CONNECTION: Mapping[str, Point] = {
    "IDLE": (136, 24),
    "WAITING": (136, 104),
    "STREAMING": (136, 184),
    "DRAINING": (136, 264),
    "SWITCHED": (336, 104),
    "CLOSED": (336, 264),
}
CONNECTION_ROUTES: Mapping[tuple[str, str], tuple[Point, ...]] = {
    ("IDLE", "CLOSED"): ((188, 24), (430, 24), (430, 264), (388, 264)),
    ("STREAMING", "IDLE"): ((84, 184), (56, 184), (56, 30), (84, 30)),
    ("DRAINING", "IDLE"): ((84, 264), (32, 264), (32, 18), (84, 18)),
}
POOL: Mapping[str, Point] = {
    BEGIN: (230, 24),
    "AT_HOST": (70, 114),
    "AT_TOTAL": (230, 114),
    "JOINED": (390, 114),
    "SLOT": (150, 214),
    "SHARE": (310, 214),
    "CANCELLED": (230, 304),
}
POOL_ROUTES: Mapping[tuple[str, str], tuple[Point, ...]] = {
    ("JOINED", "AT_HOST"): ((404, 99), (404, 66), (56, 66), (56, 99)),
    ("AT_HOST", "CANCELLED"): ((44, 129), (44, 304), (178, 304)),
    ("JOINED", "CANCELLED"): ((416, 129), (416, 304), (282, 304)),
}
CIRCUIT: Mapping[str, Point] = {
    "CLOSED": (70, 24),
    "OPEN": (390, 24),
    "HALF_OPEN": (230, 104),
}
STREAM: Mapping[str, Point] = {
    "OPEN": (230, 24),
    "HALF_CLOSED_LOCAL": (96, 114),
    "HALF_CLOSED_REMOTE": (364, 114),
    "CLOSED": (230, 204),
}


def explained(module: ModuleType) -> dict[str, str]:
    """Return the words of the table in a module's docstring."""
    found: dict[str, str] = {}
    for name, text in re.findall(r"^``(\w+)`` +(.+)$", module.__doc__ or "", re.MULTILINE):
        found.setdefault(name, text)
    return found


def machine(
    title: str,
    module: ModuleType,
    height: float,
    places: Mapping[str, Point],
    routes: Mapping[tuple[str, str], tuple[Point, ...]],
) -> tuple[Drawing, str]:
    following: Mapping[Enum, frozenset[Enum]] = module.NEXT
    names = {state.name for state in following}
    same(f"the states of {module.__name__}", names, set(places) - {BEGIN})
    arrows = sorted((state.name, after.name) for state in following for after in following[state])
    arrows += sorted((BEGIN, state.name) for state in getattr(module, "FIRST", ()))
    words = explained(module)
    return states(title, height, places, arrows, routes, words), _table_of_states(words, following)


def _table_of_states(words: Mapping[str, str], following: Mapping[Enum, frozenset[Enum]]) -> str:
    lines = [NOTICE + ".. list-table::", "    :header-rows: 1", "    :widths: 22 48 30", ""]
    lines += ["    * - state", "      - what it means", "      - what may follow"]
    for state, after in following.items():
        names = ", ".join(f"``{each.name}``" for each in type(state) if each in after)
        lines += [
            f"    * - ``{state.name}``",
            f"      - {words[state.name]}",
            f"      - {names or 'nothing'}",
        ]
    return "\n".join(lines) + "\n"


# The benchmark

SMALL = (
    ("small", 32, "small JSON, 32 at a time"),
    ("post", 32, "POST of JSON, 32 at a time"),
    ("headers", 32, "22 header fields, 32 at a time"),
    ("gzip", 32, "10 KB of gzip JSON, 32 at a time"),
    ("tls", 32, "small JSON over TLS, 32 at a time"),
    ("small", 1, "small JSON, one at a time"),
    ("chunks", 1, "100 MB in chunks"),
    ("memory", 1, "100 MB to memory"),
    ("upload", 1, "100 MB upload of a file"),
)
CLIENTS = ("limit", "aioclient", "pyreqwest", "aiosonic", "aiohttp", "niquests", "httpx")
MOST = 2.0  # longer bars are cut


def costs() -> Drawing:
    found = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    rows = {(row["scenario"], row["concurrency"], row["loop"]): row for row in found["requests"]}
    left, right, line = 78, 44, 15
    scale = (WIDTH - left - right) / MOST
    group = 26 + line * len(CLIENTS) + 8
    drawing = Drawing("CPU time of a request as a ratio to aiohttp", group * len(SMALL))
    for place, (scenario, concurrency, title) in enumerate(SMALL):
        top = place * group
        drawing.text(0, top + 15, title, "name")
        for number, client in enumerate(CLIENTS):
            y = top + 24 + number * line
            drawing.text(left - 6, y + 9, client, "small", "end")
            ratio = _ratio(rows.get((scenario, concurrency, "asyncio")), client)
            if ratio is None:
                drawing.text(left, y + 9, "–", "small")
                continue
            length = min(ratio, MOST) * scale
            kind = {"aioclient": "bar ours", "limit": "bar again"}.get(client, "bar")
            drawing.box(left, y, length, line - 4, kind)
            drawing.text(
                left + length + 5, y + 9, f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}", "small"
            )
        x = left + scale
        drawing.line((x, top + 21), (x, top + 24 + line * len(CLIENTS)), kind="line rule")
    return drawing


def _ratio(row: Mapping[str, Any] | None, client: str) -> float | None:
    if row is None:
        return None
    ratios = [
        values[client] / values["aiohttp"]
        for values in row["rounds"]
        if client in values and "aiohttp" in values
    ]
    return statistics.median(ratios) if ratios else None


def _costs_words() -> str:
    found = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return f"{NOTICE}Measured {found['date']} on {found['machine']}: {versions}.\n"


# The command


def same(what: str, found: Iterable[str], drawn: Iterable[str]) -> None:
    """Raise unless the code has what is drawn, and no more."""
    missing, gone = sorted(set(found) - set(drawn)), sorted(set(drawn) - set(found))
    if missing or gone:
        raise SystemExit(
            f"{what}: to be drawn {missing}, not there any more {gone}; see docs/drawings"
        )


def made() -> Iterator[tuple[str, str]]:
    """Give the names of the files and what is in them."""
    drawing, table = timeouts()
    yield from (("timeouts.svg", str(drawing)), ("timeouts.rst", table))
    yield "request.svg", str(request())
    yield "resilience.svg", str(resilience())
    yield "caching.svg", str(caching())
    same("connections of OneBot", connecting(), [row.implementation for row in ROWS])
    yield "transports.svg", str(transports())
    drawing, table = machine("The states of a circuit", circuits, 128, CIRCUIT, {})
    yield from (("circuit.svg", str(drawing)), ("circuit.rst", table))
    drawing, table = machine(
        "The states of an HTTP/1.1 connection", http1, 288, CONNECTION, CONNECTION_ROUTES
    )
    yield from (("connection.svg", str(drawing)), ("connection.rst", table))
    drawing, table = machine(
        "The states of a request that waits in the pool", tickets, 328, POOL, POOL_ROUTES
    )
    yield from (("pool.svg", str(drawing)), ("pool.rst", table))
    drawing, table = machine("The states of an HTTP/2 stream", http2, 228, STREAM, {})
    yield from (("stream.svg", str(drawing)), ("stream.rst", table))
    yield from (("costs.svg", str(costs())), ("costs.rst", _costs_words()))


def main() -> int:
    """Write or check the files; return the exit status."""
    stale = []
    for name, text in made():
        path = HERE / name
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.write_text(text)
    if stale and "--check" in sys.argv:
        sys.stderr.write(f"not current: {', '.join(stale)}; run `make drawings`\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
