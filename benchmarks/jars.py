"""What a cookie jar costs, however many cookies it holds: ``python -m benchmarks.jars [ROUNDS] [CORE]``.

A process of its own: prints CPU seconds for each operation as JSON. `measure_jars` starts it.

Ten cookies belong to the request, in each jar. In the large ones the others are those of a thousand hosts,
or, as many as browsers let one host have, of the same host below other paths. aiohttp's jar holds 3,300 cookies at
most; the one measured is the subclass without limits that aiohttp itself uses for the cookies of one request.
"""

import asyncio
import gc
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from yarl import URL

from benchmarks.cores import Cores, pin
from benchmarks.measure import environment
from benchmarks.server import ROOT

SIZES = {"10": 10, "10,000": 10_000, "10,000, 180 of the host": 10_000}
SMALL = "10"
OPERATIONS = {
    "again": "`Cookie` field, nothing has changed",
    "same": "`Set-Cookie` field that changes nothing",
    "change": "`Set-Cookie` field with another value, then the `Cookie` field",
}
OURS, THEIRS = "aioclient", "aiohttp"
_ASKED = URL("https://api.site.example/v1/things/7?page=2")
_OWN = 10  # cookies of the request
_OF_HOST = 180  # what a host may have: Firefox's limit, ours and aiohttp's
_SECONDS = 0.02  # that an operation is repeated for in one round


@dataclass(slots=True)
class Jars:
    """CPU seconds of each operation, by jar's library, size and operation, one list with an entry for each round."""

    rounds: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)

    def growth(self, library: str, size: str, operation: str) -> float:
        """Return the median over the rounds of the cost with *size* cookies over that with 10."""
        sizes = self.rounds[library]
        return _ratio(sizes[size][operation], sizes[SMALL][operation])

    def ratio(self, size: str, operation: str) -> float:
        """Return the median over the rounds of our cost over aiohttp's."""
        return _ratio(self.rounds[OURS][size][operation], self.rounds[THEIRS][size][operation])


def _ratio(above: list[float], below: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(above, below, strict=True))


def measure_jars(cores: Cores, rounds: int) -> Jars:
    """Measure both jars in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.jars", str(rounds)]
    command += [] if cores.client is None else [str(cores.client)]
    return Jars(json.loads(subprocess.check_output(command, cwd=ROOT, env=environment())))


def fill(jar: Any, size: str) -> None:
    """Put as many cookies into *jar*, ten of which a request for `_ASKED` carries."""
    own = [f"c{n}=value-{n}-of-a-cookie; Path=/; Max-Age=3600; Secure" for n in range(_OWN)]
    jar.update_cookies_from_headers(own, _ASKED)
    others = SIZES[size] - _OWN
    if size.endswith("host"):
        for number in range(_OF_HOST - _OWN):
            jar.update_cookies_from_headers([f"c{number % _OWN}=1; Path=/p{number}"], _ASKED)
        others -= _OF_HOST - _OWN
    for number in range(others):
        url = URL(f"https://h{number % 1000}.example/")
        jar.update_cookies_from_headers([f"c{number // 1000}=1; Path=/; Max-Age=3600"], url)
    if len(jar) != SIZES[size]:
        raise RuntimeError(f"the jar holds {len(jar)} cookies, expected {SIZES[size]}")


def operations(jar: Any) -> dict[str, Callable[[], object]]:
    """Return what is measured, for either library's jar."""
    # What aiohttp's requests make of the morsels, at the least.
    text: Callable[[URL], str] = getattr(
        jar, "header_for", lambda url: jar.filter_cookies(url).output(header="", sep=";").strip()
    )
    if text(_ASKED).count("=") != _OWN:
        raise RuntimeError(f"unexpected cookies: {text(_ASKED)}")
    values = iter(range(sys.maxsize))
    same = ["c1=value-1-of-a-cookie; Path=/; Max-Age=3600; Secure"]

    def change() -> str:
        new = [f"c2={next(values)}; Path=/; Max-Age=3600; Secure"]
        jar.update_cookies_from_headers(new, _ASKED)
        return text(_ASKED)

    return {
        "again": lambda: text(_ASKED),
        "same": lambda: jar.update_cookies_from_headers(same, _ASKED),
        "change": change,
    }


def _cost(operation: Callable[[], object], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        operation()
    return (time.process_time() - start) / times


async def measure(rounds: int) -> Mapping[str, Any]:
    """Measure each operation of each jar in each round, in another order each time."""
    from aiohttp.cookiejar import _UnlimitedCookieJar  # noqa: PLC2701 - its public jar holds 3,300

    import aioclient

    makers: dict[str, Callable[[], Any]] = {
        OURS: lambda: aioclient.CookieJar(max_cookies=20_000),
        THEIRS: _UnlimitedCookieJar,
    }
    measured: dict[str, Any] = {}
    turns = []
    for library, make in makers.items():
        for size in SIZES:
            jar = make()
            fill(jar, size)
            for name, operation in operations(jar).items():
                times = max(10, round(_SECONDS / _cost(operation, 200)))
                found: list[float] = []
                measured.setdefault(library, {}).setdefault(size, {})[name] = found
                turns.append((operation, times, found))
    order = random.Random(2)
    for _ in range(rounds):
        order.shuffle(turns)
        gc.collect()
        for operation, times, found in turns:
            found.append(_cost(operation, times))
    return measured


if __name__ == "__main__":
    asked_rounds, *asked_core = sys.argv[1:] or ["5"]
    pin(int(asked_core[0]) if asked_core else None)
    print(json.dumps(asyncio.run(measure(int(asked_rounds)))))
