"""The public HTTP cache test suite against our cache: ``python -m tests.conformance.http_cache [--only ID]``.

The suite (the npm package ``http-cache-tests``) describes in JavaScript what is asked, what the server answers, and
what a cache must make of it. Its server runs here, on Node; the client that its tests need is this one, with a
``Cache`` of one user's, as a browser has one: without the tests for CDNs, and without those that browsers skip. It
takes about half a minute.

It prints how many tests passed of those that are *required*, and of those that are *optimal*. Exit code 1: fewer
than there must be, or one failed that ``http_cache.txt`` does not name. Where the server ends the connection without
an answer, and nothing that is stored may be used, an error is what a client gets: that is a pass.

Without Node or npm nothing is tested, and the exit code is 0; with ``CI=true`` it is 1.
"""

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import uvloop

from aioclient import CALL_ERRORS, Cache, ClientResponse, ClientSession

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / "build" / "http-cache-tests"
PACKAGE = "http-cache-tests@0.4.5"
KNOWN = Path(__file__).with_name("http_cache.txt")
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
LEAST = {"required": 140, "optimal": 64}
PAUSE = 3.0  # seconds, as the suite's own client
AT_ONCE = 100
DATES = frozenset(("date", "expires", "last-modified", "if-modified-since", "if-unmodified-since"))
LOCATIONS = frozenset(("location", "content-location"))
NOT_COMPARED = frozenset(("date",))
HOW_TO_INSTALL = "Skipped: the suite needs Node and npm (Debian: apt-get install nodejs npm)"


class Failure(Exception):
    """A test did not end as it must; *setup* is whether what it builds on did not."""

    def __init__(self, text: str, *, setup: bool) -> None:
        super().__init__(text)
        self.setup = setup


def install() -> Path:
    """Return the folder of the suite; install it first if that was not done yet."""
    package = ENVIRONMENT / "package"
    if (ENVIRONMENT / PACKAGE).exists():
        return package
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    ENVIRONMENT.mkdir(parents=True)
    npm = ["npm", "pack", "--silent", "--pack-destination", str(ENVIRONMENT), PACKAGE]
    archive = subprocess.run(npm, check=True, capture_output=True, text=True).stdout.split()[-1]
    shutil.unpack_archive(ENVIRONMENT / archive, ENVIRONMENT)
    (ENVIRONMENT / PACKAGE).touch()
    return package


def load(package: Path) -> dict[str, dict[str, Any]]:
    """Return the tests by their ids."""
    script = (
        f"import suites from {json.dumps((package / 'tests' / 'index.mjs').as_uri())};"
        "console.log(JSON.stringify(suites))"
    )
    node = ["node", "--input-type=module", "--eval", script]
    suites = json.loads(subprocess.run(node, check=True, capture_output=True).stdout)
    tests = [test for suite in suites for test in suite["tests"]]
    return {
        test["id"]: test
        for test in tests
        if not test.get("cdn_only") and not test.get("browser_skip")
    }


@contextmanager
def server(package: Path) -> Iterator[str]:
    """Run the suite's server for the time of the block; give its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            ["node", str(package / "server" / "server.mjs")],
            env={
                **os.environ,
                "npm_config_protocol": "http",
                "npm_config_port": str(port),
                "npm_config_pidfile": str(Path(folder) / "pid"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            if process.stdout is None or not process.stdout.readline():
                raise RuntimeError("the suite's server did not start")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def http_date(milliseconds: float, offset: float, *, rfc850: bool) -> str:
    """Return a date as the suite writes it, *offset* seconds after a time."""
    date = formatdate(milliseconds / 1000 + offset, usegmt=True)
    if not rfc850:
        return date
    days = {"Mon": "Monday", "Tue": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday"}
    days |= {"Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday"}
    day, rest = date.split(", ")
    number, month, year, time, zone = rest.split(" ")
    return f"{days[day]}, {number}-{month}-{year[2:]} {time} {zone}"


class Answer:
    """A response, read to its end."""

    def __init__(self, response: ClientResponse, text: str) -> None:
        self.status = response.status
        self.text = text
        self.fields: dict[str, str] = {}
        for name, value in response.headers.items():
            name = name.lower()
            self.fields[name] = f"{self.fields[name]}, {value}" if name in self.fields else value

    def number(self, name: str) -> int | None:
        """Return the number that a field begins with; None for none."""
        text = self.fields.get(name, "").partition(" ")[0]
        return int(text) if text.isdigit() else None


class Test:
    """One test of the suite, under way."""

    def __init__(self, session: ClientSession, base: str, test: Mapping[str, Any]) -> None:
        self.session = session
        self.base = base
        self.id: str = test["id"]
        self.token = str(uuid.uuid4())
        self.requests: list[dict[str, Any]] = [
            {**request, "name": test["name"], "id": self.id} for request in test["requests"]
        ]
        self.answers: list[Answer | None] = []

    async def run(self) -> None:
        """Run it.

        Raises:
            Failure: it did not end as it must.
        """
        config = f"{self.base}/config/{self.token}"
        async with self.session.put(config, json=self.requests, cacheable=False) as response:
            if response.status != 201:
                raise Failure(f"its setup was answered with {response.status}", setup=True)
        for number, request in enumerate(self.requests, 1):
            answer = await self.ask(number, request)
            self.answers.append(answer)
            if answer is not None:
                self.check_answer(number, request, answer)
            if request.get("pause_after") is True:
                await asyncio.sleep(PAUSE)
        state = f"{self.base}/state/{self.token}"
        async with self.session.get(state, cacheable=False) as response:
            seen = json.loads(await response.text()) if response.status == 200 else []
        self.check_seen(seen)

    async def ask(self, number: int, request: Mapping[str, Any]) -> Answer | None:
        """Send a request; None is for a connection that the server was told to end, with nothing stored to use."""
        url = f"{self.base}/test/{self.token}"
        if "filename" in request:
            url += f"/{request['filename']}"
        if "query_arg" in request:
            url += f"?{request['query_arg']}"
        before = self.answers[-1] if self.answers else None
        headers = [
            (name, self.value(name, value, request, before) if request.get("magic_ims") else value)
            for name, value, *_ in request.get("request_headers", ())
        ]
        headers += [("Test-Name", request["name"].replace("\n", " "))]
        headers += [("Test-ID", self.id), ("Req-Num", str(number))]
        try:
            async with self.session.request(
                request.get("request_method", "GET"),
                url,
                headers=headers,
                data=request.get("request_body"),
                cache_mode=request.get("cache", "default"),
                allow_redirects=request.get("redirect") != "manual",
            ) as response:
                raw = await response.read()
        except CALL_ERRORS as error:
            if request.get("disconnect") and request.get("expected_type") != "cached":
                return None
            raise Failure(
                f"request {number} raised {type(error).__name__}: {error}", setup=True
            ) from error
        return Answer(response, raw.decode())

    @staticmethod
    def value(name: str, value: Any, request: Mapping[str, Any], answer: Answer | None) -> str:
        """Return the value of a field, of which the suite may give only how many seconds after *answer* it lies."""
        folded = name.lower()
        if folded in DATES and isinstance(value, (int, float)) and answer is not None:
            now = answer.number("server-now") or 0
            return http_date(now, value, rfc850=folded in request.get("rfc850date", ()))
        if folded in LOCATIONS and request.get("magic_locations") and answer is not None:
            base = answer.fields.get("server-base-url", "")
            return f"{base}/{value}" if value else base
        return str(value)

    def check_answer(self, number: int, request: Mapping[str, Any], answer: Answer) -> None:
        """Check what came back."""
        seen = answer.fields.get("request-numbers", "").split()
        self.check(len(seen) == len(set(seen)), "a request was sent twice", setup=True)
        self.check_source(number, request, answer)
        self.check_status(number, request, answer)
        for expected in request.get("expected_response_headers", ()):
            self.check_field(number, request, answer, expected)
        for missing in request.get("expected_response_headers_missing", ()):
            name = missing if isinstance(missing, str) else missing[0]
            found = answer.fields.get(name.lower())
            bad = found is not None and (isinstance(missing, str) or missing[1] in found)
            setup = is_setup(request, "expected_response_headers_missing")
            # The suite's own client looks for the second form where there is nothing to be found.
            self.check(
                not bad or not isinstance(missing, str),
                f"response {number} has {name}",
                setup=setup,
            )
        self.check_body(number, request, answer)

    def check_source(self, number: int, request: Mapping[str, Any], answer: Answer) -> None:
        """Check whether it came from the cache."""
        expected = request.get("expected_type")
        setup = is_setup(request, "expected_type")
        count = answer.number("server-request-count")
        if expected == "cached" and not (answer.status == 304 and count is None):
            self.check(
                count is not None and count < number,
                f"response {number} is not from the cache",
                setup=setup,
            )
        if expected == "not_cached":
            self.check(count == number, f"response {number} is from the cache", setup=setup)

    def check_status(self, number: int, request: Mapping[str, Any], answer: Answer) -> None:
        """Check its status."""
        setup = True
        if "expected_status" in request:
            wanted, setup = request["expected_status"], is_setup(request, "expected_status")
        elif "response_status" in request:
            wanted = request["response_status"][0]
        elif answer.status == 999:  # the server had expected a condition
            text = f"request {number} had no condition"
            raise Failure(text, setup=is_setup(request, "expected_type"))
        else:
            wanted = 200
        text = f"response {number} has status {answer.status}, not {wanted}"
        self.check(wanted in (answer.status, None), text, setup=setup)

    def check_field(
        self, number: int, request: Mapping[str, Any], answer: Answer, expected: Any
    ) -> None:
        """Check a field that it must have."""
        setup = is_setup(request, "expected_response_headers")
        name = (expected if isinstance(expected, str) else expected[0]).lower()
        found = answer.fields.get(name)
        if isinstance(expected, str) or len(expected) > 2:
            self.check(found is not None, f"response {number} has no {name}", setup=setup)
        if isinstance(expected, str):
            return
        if len(expected) == 2:
            wanted = self.value(name, expected[1], request, answer)
            good = found == wanted
        elif expected[1] == "=":
            wanted = answer.fields.get(expected[2].lower())
            good = found == wanted
        else:
            wanted = f"more than {expected[2]}"
            digits = (found or "").split(",")[0]
            good = digits.isdigit() and int(digits) > expected[2]
        self.check(good, f"response {number} has {name}: {found}, not {wanted}", setup=setup)

    def check_body(self, number: int, request: Mapping[str, Any], answer: Answer) -> None:
        """Check its body."""
        if request.get("check_body", True) is False:
            return
        setup = True
        if "expected_response_text" in request:
            wanted = request["expected_response_text"]
            setup = is_setup(request, "expected_response_text")
        elif request.get("response_body") is not None:
            wanted = request["response_body"]
        elif answer.status in (204, 304) or request.get("request_method") == "HEAD":
            return
        else:
            wanted = self.token
        text = f"response {number} has the body {answer.text!r}, not {wanted!r}"
        self.check(wanted in (answer.text, None), text, setup=setup)

    def check_seen(self, seen: Sequence[Mapping[str, Any]]) -> None:
        """Check what the server was asked."""
        at = 0
        for number, (request, answer) in enumerate(
            zip(self.requests, self.answers, strict=True), 1
        ):
            expected = request.get("expected_type")
            if expected == "cached":
                continue
            setup = is_setup(request, "expected_type")
            if at >= len(seen):
                raise Failure(f"request {number} was not sent", setup=setup)
            asked, at = seen[at], at + 1
            fields = asked["request_headers"]
            if expected == "not_cached":
                self.check(
                    asked["request_num"] == number, f"request {number} was not sent", setup=setup
                )
            condition = {"etag_validated": "if-none-match", "lm_validated": "if-modified-since"}
            if (name := condition.get(expected or "")) is not None:
                self.check(name in fields, f"request {number} has no {name}", setup=setup)
            self.check_request_fields(number, request, fields)
            if answer is not None:
                self.check_received(number, asked, answer)
            if "expected_method" in request:
                good = asked["request_method"] == request["expected_method"]
                text = f"request {number} had the method {asked['request_method']}"
                self.check(good, text, setup=is_setup(request, "expected_method"))

    def check_request_fields(
        self, number: int, request: Mapping[str, Any], fields: Mapping[str, str]
    ) -> None:
        """Check the fields that a request had, and had not."""
        setup = is_setup(request, "expected_request_headers")
        for expected in request.get("expected_request_headers", ()):
            name = (expected if isinstance(expected, str) else expected[0]).lower()
            good = name in fields if isinstance(expected, str) else fields.get(name) == expected[1]
            self.check(good, f"request {number} has {name}: {fields.get(name)}", setup=setup)
        setup = is_setup(request, "expected_request_headers_missing")
        for missing in request.get("expected_request_headers_missing", ()):
            name = (missing if isinstance(missing, str) else missing[0]).lower()
            bad = name in fields if isinstance(missing, str) else fields.get(name) == missing[1]
            self.check(not bad, f"request {number} has {name}", setup=setup)

    def check_received(self, number: int, asked: Mapping[str, Any], answer: Answer) -> None:
        """Check that the fields which the server sent have come."""
        for name, value in asked["response_headers"]:
            if name.lower() in NOT_COMPARED:
                continue
            wanted = ", ".join(value) if isinstance(value, list) else str(value)
            found = answer.fields.get(name.lower())
            text = f"response {number} has {name}: {found}, not {wanted}"
            self.check(found == wanted, text, setup=True)

    @staticmethod
    def check(good: bool, text: str, *, setup: bool) -> None:
        """Raise unless it is *good*."""
        if not good:
            raise Failure(text, setup=setup)


def is_setup(request: Mapping[str, Any], name: str) -> bool:
    """Tell whether a check is of what a test builds on."""
    return request.get("setup") is True or name in request.get("setup_tests", ())


async def run(base: str, tests: Sequence[Mapping[str, Any]]) -> dict[str, str | None]:
    """Run the tests; return for each what went wrong, None for nothing."""
    places = asyncio.Semaphore(AT_ONCE)
    async with ClientSession(middlewares=[Cache()], auto_decompress=False) as session:

        async def one(test: Mapping[str, Any]) -> str | None:
            async with places:
                try:
                    await Test(session, base, test).run()
                except Failure as failure:
                    return f"{'setup: ' if failure.setup else ''}{failure}"
            return None

        results = await asyncio.gather(*map(one, tests))
    return dict(zip([test["id"] for test in tests], results, strict=True))


def known_failures() -> dict[str, str]:
    """Return the tests that fail, each with its reason."""
    lines = KNOWN.read_text().splitlines()
    pairs = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    return {pair[0]: pair[1] for pair in pairs}


def summarize(
    loop: str,
    tests: Mapping[str, Mapping[str, Any]],
    results: Mapping[str, str | None],
    *,
    all_: bool,
) -> bool:
    """Print how the tests ended; tell whether it is as it must be."""
    known = known_failures()
    good = True
    for kind in ("required", "optimal"):
        mine = [name for name in results if tests[name].get("kind", "required") == kind]
        passed = sum(results[name] is None for name in mine)
        print(f"{loop}: {passed} of {len(mine)} {kind} tests passed")
        for name in mine:
            if results[name] is not None:
                print(f"  {name}: {results[name]}{'' if name in known else ' (new)'}")
                good &= name in known
            elif name in known:
                print(f"  {name} passes, and {KNOWN.name} says that it fails")
                good = False
        good &= not all_ or passed >= LEAST[kind]
    return good


def main(arguments: Sequence[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.http_cache",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", help="ids of tests")
    parser.add_argument("--checks", action="store_true", help="print too what the suite only asks")
    parser.add_argument("--loop", nargs="+", choices=list(LOOPS), default=["asyncio"])
    options = parser.parse_args(arguments)
    if shutil.which("node") is None or shutil.which("npm") is None:
        print(HOW_TO_INSTALL)
        return int(os.environ.get("CI") == "true")
    package = install()
    tests = load(package)
    chosen = {
        name: test for name, test in tests.items() if not options.only or name in options.only
    }
    good = True
    with server(package) as base:
        for loop in options.loop:
            with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
                results = runner.run(run(base, list(chosen.values())))
            good &= summarize(loop, tests, results, all_=not options.only)
            if options.checks or options.only:
                for name, result in results.items():
                    if tests[name].get("kind") == "check" or options.only:
                        print(f"  {name}: {'yes' if result is None else f'no ({result})'}")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
