"""The command: what it prints where, how it ends, and what it never shows."""

import asyncio
import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import aioclient
from aioclient.cli import main
from aioclient.cli.arguments import read
from aioclient.testing import RawConnection, RawRequest, RawServer, refused_port

from .loopback import OK, answer, moved
from .servers.certificates import Certificates


@contextlib.contextmanager
def served(*replies: Any, **arguments: Any) -> Iterator[RawServer]:
    """Serve in a thread: the command runs a loop of its own."""
    ready, done = threading.Event(), threading.Event()
    servers: list[RawServer] = []
    failures: list[BaseException] = []

    async def serve() -> None:
        async with RawServer.replies(replies, repeat=True, **arguments) as server:
            servers.append(server)
            ready.set()
            await asyncio.to_thread(done.wait)

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001  (raised below)
            failures.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        yield servers[0]
    finally:
        done.set()
        thread.join()
    if failures:
        raise failures[0]


Capture = pytest.CaptureFixture[bytes]


FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the proxies of whoever runs the tests out."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


class TestOptions:
    def test_a_url(self, capfdbinary: Capture) -> None:
        """The body goes to standard output as it is, and nothing else."""
        with served(answer(b"\x00\xffbody")) as server:
            assert main([server.url("/p?q=1")]) == 0
        out, err = capfdbinary.readouterr()
        assert (out, err) == (b"\x00\xffbody", b"")
        (request,) = server.requests
        assert (request.method, request.target) == ("GET", "/p?q=1")

    @pytest.mark.parametrize(
        ("arguments", "method", "body", "content_type"),
        [
            (["-d", "a=b c"], "POST", b"a=b c", FORM),
            (["--data", ""], "POST", b"", FORM),
            (["-d", "x", "-X", "put"], "PUT", b"x", FORM),
            (["-d", "a=1", "--data", "b=2", "-d", "c"], "POST", b"a=1&b=2&c", FORM),
            (["-d", "", "-d", "a", "-d", ""], "POST", b"a&", FORM),
            (["--data-binary", "a\n", "-d", "b"], "POST", b"a\n&b", FORM),
            (["--method", "DELETE"], "DELETE", b"", None),
            (["-j", '{"a": 1.50}'], "POST", b'{"a": 1.50}', "application/json"),
            (["--json", "null"], "POST", b"null", "application/json"),
            (["-j", "[1]", "-H", "content-type: a/b"], "POST", b"[1]", "a/b"),
            (["-d", "x", "-H", "Content-Type:a/b"], "POST", b"x", "a/b"),
        ],
    )
    def test_method_and_body(
        self, arguments: list[str], method: str, body: bytes, content_type: str | None
    ) -> None:
        """--data and --json are the body, sent as written; with one the method is POST by default."""
        with served(OK) as server:
            assert main([server.url(), *arguments]) == 0
        (request,) = server.requests
        assert (request.method, request.body) == (method, body)
        assert request.value("Content-Type") == content_type

    @pytest.mark.parametrize(
        ("option", "body"), [("-d", b"a=1b=2"), ("--data-binary", b"a=1\r\nb=2\0\n")]
    )
    def test_a_file(self, option: str, body: bytes, tmp_path: Path) -> None:
        """--data @FILE sends the file without its line ends, as curl, and --data-binary @FILE as it is."""
        path = tmp_path / "upload.txt"
        path.write_bytes(b"a=1\r\nb=2\0\n")
        with served(OK) as server:
            assert main([server.url(), option, f"@{path}"]) == 0
            assert main([server.url(), "-d", "x", option, f"@{path}", "-d", "y"]) == 0
        first, second = server.requests
        assert (first.body, first.value("Content-Type")) == (body, FORM)
        assert second.body == b"x&" + body + b"&y"

    @pytest.mark.parametrize(("option", "body"), [("-d", b"ab"), ("--data-binary", b"a\nb\n")])
    def test_standard_input(
        self, option: str, body: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """@- is standard input."""
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\nb\n")))
        with served(OK) as server:
            assert main([server.url(), option, "@-"]) == 0
        assert server.requests[0].body == body

    def test_the_head(self, tmp_path: Path, capfdbinary: Capture) -> None:
        """--head sends HEAD and prints the heads of all hops to standard output, or to a file."""
        with served(
            moved("/b", "Set-Cookie: geheim=1"),
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\xc2\x9b\r\n\r\n",
        ) as server:
            assert main([server.url(), "-I"]) == 0
            out, err = capfdbinary.readouterr()
            assert main(["--head", server.url(), "-o", str(tmp_path / "head")]) == 0
        assert [request.method for request in server.requests] == ["HEAD"] * 3
        first, second, rest = out.split(b"\n\n")
        assert first.splitlines()[0] == b"HTTP/1.1 302 Moved"
        assert b"Set-Cookie: ***" in first.splitlines()
        assert second == b"HTTP/1.1 200 OK\nContent-Length: 5\nA: b\\x9b"
        assert (rest, err) == (b"", b"")
        assert (tmp_path / "head").read_bytes() == second + b"\n\n"

    @pytest.mark.parametrize(
        ("text", "url"),
        [
            ("a.example", "https://a.example"),
            ("a.example:8080/p?q=http://b/", "https://a.example:8080/p?q=http://b/"),
            ("localhost.example/localhost", "https://localhost.example/localhost"),
            ("localhost@a.example", "https://localhost@a.example"),
            ("192.0.2.1", "https://192.0.2.1"),
            ("[2001:db8::1]/", "https://[2001:db8::1]/"),
            ("/p", "https:///p"),
            ("localhost:8080/p", "http://localhost:8080/p"),
            ("LOCALHOST.", "http://LOCALHOST."),
            ("a.localhost?q", "http://a.localhost?q"),
            ("127.1.2.3:80", "http://127.1.2.3:80"),
            ("[::1]:8080/", "http://[::1]:8080/"),
            ("u:p@localhost/", "http://u:p@localhost/"),
            ("HTTPS://localhost/", "HTTPS://localhost/"),
            ("ftp://a.example/", "ftp://a.example/"),
        ],
    )
    def test_a_url_without_a_scheme(self, text: str, url: str) -> None:
        """It is https, and http for names and addresses of this machine."""
        assert read([text]).url == url

    def test_a_socket_without_a_scheme(self) -> None:
        """Over a Unix socket nothing leaves this machine: it is http."""
        assert read(["docker/info", "--unix-socket", "s"]).url == "http://docker/info"

    def test_loopback_without_a_scheme(self, capfdbinary: Capture) -> None:
        """It is dialled so."""
        with served(answer(b"here")) as server:
            assert main([f"127.0.0.1:{server.port}/p"]) == 0
        assert capfdbinary.readouterr().out == b"here"

    def test_proxies_of_the_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: Capture
    ) -> None:
        """They are used, but for what no_proxy names and for a Unix socket."""
        path = tmp_path / "s"
        with served(answer(b"proxy")) as proxy, served(OK, unix_path=path) as server:
            monkeypatch.setenv("http_proxy", proxy.url())
            assert main(["http://a.test/p"]) == 0
            assert capfdbinary.readouterr().out == b"proxy"
            assert main(["http://a.test/p", "--unix-socket", str(path)]) == 0
            monkeypatch.setenv("no_proxy", "127.0.0.1")
            assert main([proxy.url("/direct")]) == 0
        assert [request.target for request in proxy.requests] == ["http://a.test/p", "/direct"]
        assert [request.target for request in server.requests] == ["/p"]

    def test_headers(self) -> None:
        """--header may be repeated; an empty value is one."""
        with served(OK) as server:
            main([server.url(), "-H", "A: 1", "-H", "a:2 3", "-H", "B:", "--header", "C: x:y"])
        (request,) = server.requests
        assert [request.values(name) for name in "ABC"] == [["1", "2 3"], [""], ["x:y"]]

    def test_output(self, tmp_path: Path, capfdbinary: Capture) -> None:
        """--output writes the body to a new file."""
        path = tmp_path / "out"
        with served(answer(b"\x1bbody")) as server:
            assert main([server.url(), "-o", str(path)]) == 0
        assert path.read_bytes() == b"\x1bbody"
        assert capfdbinary.readouterr() == (b"", b"")

    def test_output_to_standard_output(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: Capture
    ) -> None:
        """--output - is standard output, as in curl, and no file of this name."""
        monkeypatch.chdir(tmp_path)
        with served(answer(b"body")) as server:
            assert main([server.url(), "-o", "-"]) == 0
        assert capfdbinary.readouterr() == (b"body", b"")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("kind", ["file", "link to nowhere", "folder"])
    def test_output_overwrites_nothing(
        self, kind: str, tmp_path: Path, capfdbinary: Capture
    ) -> None:
        """What exists is left alone, and nothing is sent."""
        path = tmp_path / "out"
        if kind == "file":
            path.write_bytes(b"precious")
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to(tmp_path / "nowhere")
        with served(OK) as server, pytest.raises(SystemExit) as ended:
            main([server.url(), "-o", str(path)])
        assert ended.value.code == 2
        assert b"out exists" in capfdbinary.readouterr().err
        assert server.connections == 0
        assert kind != "file" or path.read_bytes() == b"precious"
        assert not (tmp_path / "nowhere").exists()

    def test_output_that_appears_meanwhile(self, tmp_path: Path) -> None:
        """A file that appears while the request is under way is left alone too."""
        path = tmp_path / "out"

        async def late(conn: RawConnection, request: RawRequest) -> None:
            path.write_bytes(b"precious")
            conn.send(OK)

        with served(late) as server:
            assert main([server.url(), "-o", str(path)]) == 3
        assert path.read_bytes() == b"precious"

    def test_output_of_a_failure(self, tmp_path: Path) -> None:
        """When the body breaks off, nothing is left; there is no file before all of it came."""
        seen: list[list[str]] = []

        async def half(conn: RawConnection, request: RawRequest) -> None:
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
            while not (names := os.listdir(tmp_path)):
                await asyncio.sleep(0.01)  # another thread
            seen.append(names)
            conn.close()

        with served(half) as server:
            assert main([server.url(), "-o", str(tmp_path / "out")]) == 3
        ((name,),) = seen
        assert re.fullmatch(r"\.aioclient-[0-9a-f]{16}\.part", name)
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize("exists", [False, True])
    def test_output_without_links(
        self, exists: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where a file system has no links, the file is renamed, and nothing is replaced either."""
        path = tmp_path / "out"

        def refuse(*_: object) -> None:
            if exists:
                path.write_bytes(b"precious")
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
        with served(answer(b"body")) as server:
            assert main([server.url(), "-o", str(path)]) == (3 if exists else 0)
        assert path.read_bytes() == (b"precious" if exists else b"body")
        assert os.listdir(tmp_path) == ["out"]

    def test_redirects(self, capfdbinary: Capture) -> None:
        """Redirects are followed, with --no-redirects they are shown."""
        with served(moved("/b"), answer(b"there")) as server:
            assert main([server.url()]) == 0
        assert capfdbinary.readouterr().out == b"there"
        with served(moved("/b")) as server:
            assert main(["--no-redirects", "-v", server.url()]) == 0
        assert b"< HTTP/1.1 302 Moved" in capfdbinary.readouterr().err
        assert len(server.requests) == 1

    def test_timeout(self, capfdbinary: Capture) -> None:
        """--timeout ends a call that takes longer."""

        async def silent(conn: RawConnection, request: RawRequest) -> None:
            await conn.closed()

        with served(silent) as server:
            assert main([server.url(), "--timeout", "0.05"]) == 3
        assert re.fullmatch(
            rb"aioclient: TotalTimeoutError: GET http://\S+: no response within total=0.05 s\n",
            capfdbinary.readouterr().err,
        )

    def test_insecure(self, certificates: Certificates, capfdbinary: Capture) -> None:
        """Certificates are verified unless --insecure is given."""
        with served(OK, ssl=certificates.server_context()) as server:
            url = server.url(host="localhost")
            assert main([url]) == 3
            assert b"CertificateError" in capfdbinary.readouterr().err
            assert main([url, "--insecure"]) == 0

    def test_unix_socket(self, tmp_path: Path, capfdbinary: Capture) -> None:
        """--unix-socket connects to the socket, whatever host the URL names."""
        path = tmp_path / "s"
        with served(OK, unix_path=path) as server:
            assert main(["http://any.test/", "--unix-socket", str(path)]) == 0
        assert server.requests[0].value("Host") == "any.test"
        assert capfdbinary.readouterr().out == b"ok"

    @pytest.mark.parametrize("option", ["--version", "--help"])
    def test_version_and_help(self, option: str, capsys: pytest.CaptureFixture[str]) -> None:
        """--version tells the version, --help the options and exit statuses."""
        with pytest.raises(SystemExit) as ended:
            main([option])
        assert ended.value.code == 0
        out = capsys.readouterr().out
        if option == "--version":
            assert out == f"aioclient {aioclient.__version__}\n"
        else:
            assert "Exit status: 0" in out


class TestEnd:
    @pytest.mark.parametrize(("status", "code"), [(200, 0), (304, 0), (399, 0), (400, 1), (503, 1)])
    def test_exit_status(self, status: int, code: int) -> None:
        """The exit status is 0 below 400 and 1 from there on."""
        with served(answer(b"", status=f"{status} X")) as server:
            assert main([server.url()]) == code

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            (["-H", "nonsense"], "has no ':'"),
            (["-H", ": x"], "not a token"),
            (["-H", "a b: x"], "not a token"),
            (["-H", "a: x\ny"], "control character"),
            (["-j", "{"], "is not JSON"),
            (["-X", "GE T"], "not a token"),
            (["--timeout", "-1"], "timeout=-1.0"),
            (["--timeout", "nan"], "timeout=nan"),
            (["--timeout", "soon"], "invalid float value"),
            (["-d", "x", "-j", "1"], "give one of them"),
            (["-d", "", "-j", "1"], "give one of them"),
            (["-I", "-d", "x"], "leave out --data"),
            (["-I", "-X", "GET"], "leave out --method"),
            (["--nonsense"], "unrecognized arguments"),
        ],
    )
    def test_bad_arguments(
        self, arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Arguments that cannot be used end with 2, and nothing is sent."""
        with served(OK) as server, pytest.raises(SystemExit) as ended:
            main([server.url(), *arguments])
        assert ended.value.code == 2
        last = capsys.readouterr().err.splitlines()[-1]
        assert last.startswith("aioclient: error: ")
        assert text in last
        assert server.connections == 0

    @pytest.mark.parametrize(
        ("url", "text"),
        [
            ("a b", "InvalidUrlClientError"),
            ("https:///nonsense", "InvalidUrlClientError"),
            ("ftp://a.test/", "NonHttpUrlClientError"),
            ("http://u:geheim@a.test:99999/", "InvalidUrlClientError"),
            ("http://a.test/\n", "InvalidUrlClientError"),
        ],
    )
    def test_bad_urls(self, url: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
        """A URL that cannot be used ends with 3 and one line."""
        assert main([url]) == 3
        err = capsys.readouterr().err
        assert err.startswith(f"aioclient: {text}: ")
        assert err.count("\n") == 1
        assert "geheim" not in err

    def test_no_response(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Without a response it ends with 3 and one line that says why."""
        with refused_port() as port:
            assert main([f"http://127.0.0.1:{port}/"]) == 3
        err = capsys.readouterr().err
        assert re.match(r"aioclient: ConnectError: .*Connection refused", err)
        assert err.count("\n") == 1

    def test_a_missing_file(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A file that cannot be read ends with 3 and one line."""
        assert main(["http://127.0.0.1:1/", "-d", "@/nonexistent/x"]) == 3
        assert "FileNotFoundError" in capsys.readouterr().err


class Terminal(io.TextIOWrapper):
    """Standard output that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


class TestTerminal:
    @pytest.mark.parametrize("row", [pytest.param("", id="MISC-08")])
    def test_escapes_in_a_body(self, row: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """On a terminal control characters of a body are shown, not obeyed; text stays as it is."""
        body = "tab\tline\r\nä€ \x1b[2J\x07\x9b1m\x7f\x00 end".encode() + b"\xff"
        pieces = [b"%x\r\n%b\r\n" % (1, body[i : i + 1]) for i in range(len(body))]
        reply = (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"".join(pieces)
            + b"0\r\n\r\n"
        )
        screen = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", Terminal(screen))
        with served(reply) as server:
            assert main([server.url()]) == 0
        shown = screen.getvalue().decode()
        assert shown == "tab\tline\r\nä€ \\x1b[2J\\x07\\x9b1m\\x7f\\x00 end\ufffd"

    def test_a_character_in_two_pieces(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A character whose bytes come one after the other is one character."""
        written = threading.Event()

        class Screen(io.BytesIO):
            def write(self, data: Any) -> int:
                written.set()
                return super().write(data)

        async def slowly(conn: RawConnection, request: RawRequest) -> None:
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nx\xc3")
            await asyncio.to_thread(written.wait)
            conn.send(b"\xa4")

        screen = Screen()
        monkeypatch.setattr(sys, "stdout", Terminal(screen))
        with served(slowly) as server:
            assert main([server.url()]) == 0
        assert screen.getvalue().decode() == "xä"

    @pytest.mark.parametrize("row", [pytest.param("", id="MISC-08")])
    def test_escapes_in_a_head(self, row: str, capfd: pytest.CaptureFixture[str]) -> None:
        """Heads are one line for each field, with no control character in them."""
        with served(answer(b"", "X: a\xc2\x9b2Jb\tc", status="200 O\xc2\x9b2JK")) as server:
            main(["-v", server.url()])
        err = capfd.readouterr().err
        assert "\\x9b2Jb\\x09c" in err
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", err)

    @pytest.mark.parametrize("row", [pytest.param("", id="MISC-08")])
    def test_escapes_in_an_error(self, row: str, capfd: pytest.CaptureFixture[str]) -> None:
        """What a server says is escaped in an error, which is one line."""
        with served(b"\x1b[2J\xc2\x9b nonsense\r\n\r\n", close=True) as server:
            assert main([server.url()]) == 3
        err = capfd.readouterr().err
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", err)
        assert err.count("\n") == 1

    @pytest.mark.parametrize("row", [pytest.param("", id="AUTH-12")])
    def test_verbose_hides_credentials(self, row: str, capfd: pytest.CaptureFixture[str]) -> None:
        """--verbose shows the heads of all hops, but no credentials in them."""
        secret = "geheim"
        with served(
            moved("/b", f"Set-Cookie: sid={secret}"),
            answer(b"", 'WWW-Authenticate: Basic realm="r"'),
        ) as server:
            url = server.url(f"/a?token={secret}").replace("//", f"//user:{secret}@")
            main(["-v", url, "-H", f"X-Api-Key: {secret}", "-H", f"Cookie: {secret}"])
        err = capfd.readouterr().err
        assert secret not in err
        lines = err.splitlines()
        assert lines[0] == f"> GET /a?token=*** (to 127.0.0.1:{server.port})"
        for line in (
            "> Authorization: ***",
            "> X-Api-Key: ***",
            "> Cookie: ***",
            "< Set-Cookie: ***",
        ):
            assert line in lines
        assert [line for line in lines if line.startswith("< HTTP")] == [
            "< HTTP/1.1 302 Moved",
            "< HTTP/1.1 200 OK",
        ]
        assert '< WWW-Authenticate: Basic realm="r"' in lines
        assert f"> GET /b (to 127.0.0.1:{server.port})" in lines

    @pytest.mark.parametrize(
        ("field", "text"),
        [
            (
                "Location: http://user:geheim@a.example/cb?code=geheim&q=1#access_token=geheim",
                "Location: http://***@a.example/cb?code=***&q=1#access_token=***",
            ),
            ("Location: /cb?q=1&api%5Fkey=geheim", "Location: /cb?q=1&api%5Fkey=***"),
            ("Content-Location: /a@b?q=1", "Content-Location: /a@b?q=1"),
            (
                "Link: <//geheim@a.example/?token=geheim>; rel=next",
                "Link: <//***@a.example/?token=***>; rel=next",
            ),
            ("Refresh: 5; url=/?sig=geheim", "Refresh: 5; url=/?sig=***"),
        ],
    )
    def test_credentials_in_urls(
        self, field: str, text: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Nor are there any in the fields that hold URLs."""
        with served(answer(b"", field)) as server:
            assert main(["--head", server.url()]) == 0
        out = capfd.readouterr().out
        assert text in out.splitlines()
        assert "geheim" not in out


def run(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-X", "dev", "-W", "error", "-m", "aioclient", *arguments]
    return subprocess.run(command, capture_output=True, timeout=50, check=False, **options)


class TestProcess:
    def test_it_runs(self) -> None:
        """`python -m aioclient` fetches a URL, and leaves no warning."""
        with served(answer(b"body")) as server:
            done = run("-v", server.url())
        assert (done.returncode, done.stdout) == (0, b"body")
        assert b"< HTTP/1.1 200 OK" in done.stderr
        assert b"Warning" not in done.stderr

    def test_an_error(self) -> None:
        """An error is one line and no traceback."""
        with refused_port() as port:
            done = run(f"http://127.0.0.1:{port}/")
        assert (done.returncode, done.stdout) == (3, b"")
        assert done.stderr.count(b"\n") == 1

    def test_an_interrupt(self, tmp_path: Path) -> None:
        """Ctrl-C leaves nothing of the file that was begun, and no traceback."""

        async def slowly(conn: RawConnection, request: RawRequest) -> None:
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
            await conn.closed()

        command = [sys.executable, "-m", "aioclient", "-o", str(tmp_path / "out")]
        with served(slowly) as server:
            process = subprocess.Popen([*command, server.url()], stderr=subprocess.PIPE)
            while process.poll() is None and not any(
                path.stat().st_size for path in tmp_path.iterdir()
            ):
                time.sleep(0.01)  # another process
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=50)
        assert (process.returncode, err) == (130, b"")
        assert os.listdir(tmp_path) == []

    def test_a_reader_that_has_enough(self) -> None:
        """A closed pipe at standard output is no traceback, neither then nor at exit."""
        read, write = os.pipe()
        os.close(read)
        command = [sys.executable, "-m", "aioclient"]
        with served(answer(bytes(2**20))) as server:
            done = subprocess.run(
                [*command, server.url()],
                stdout=write,
                stderr=subprocess.PIPE,
                timeout=50,
                check=False,
            )
        os.close(write)
        assert (done.returncode, done.stderr) == (3, b"")


class TestCache:
    """--cache: what a file of stored responses holds."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "http.db"
        fresh = answer(b"one", "Cache-Control: max-age=100")
        stale = answer(b"one", "Cache-Control: max-age=0", 'ETag: "1"')

        async def fill() -> None:
            cache = aioclient.Cache(aioclient.SQLiteStore(path))
            async with (
                RawServer.replies([fresh, stale]) as server,
                aioclient.ClientSession(server.url(), middlewares=[cache]) as session,
            ):
                for name in ("fresh", "stale?token=geheim"):
                    async with session.get(name) as response:
                        await response.read()

        asyncio.run(fill())
        return path

    def test_show_and_clear(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Each entry has a line: status, size, how long it is fresh, URL without secrets."""
        assert main(["--cache", "show", str(file)]) == 0
        *lines, last = sorted(capsys.readouterr().out.splitlines(), key=lambda line: line[4:])
        assert re.search(
            r"200 +3 fresh for (?:99|100) s +http://127.0.0.1:\d+/fresh\n",
            "\n".join([*lines, last, ""]),
        )
        assert re.search(
            r"200 +3 stale +http://127.0.0.1:\d+/stale\?token=\*\*\*\n",
            "\n".join([*lines, last, ""]),
        )
        assert main(["--cache", "clear", str(file)]) == 0
        assert capsys.readouterr().out == "removed 2 entries\n"
        assert main(["--cache", "show", str(file)]) == 0
        assert capsys.readouterr().out.startswith("0 entries")

    @pytest.mark.parametrize(
        ("arguments", "status", "text"),
        [
            (["--cache", "list", "x"], 2, "show or clear"),
            (["--cache", "show", "x", "http://a.example/"], 2, "leave out the URL"),
            (["--cache", "show", "/nowhere/http.db"], 3, "does not exist"),
            ([], 2, "required: url"),
        ],
    )
    def test_mistakes(
        self, arguments: list[str], status: int, text: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What makes no sense is told."""
        if status == 2:
            with pytest.raises(SystemExit):
                main(arguments)
        else:
            assert main(arguments) == status
        assert text in capsys.readouterr().err

    def test_another_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A file of another program is left alone."""
        file = tmp_path / "x"
        file.write_bytes(b"x" * 1000)
        assert main(["--cache", "clear", str(file)]) == 3
        assert "not a database" in capsys.readouterr().err
        assert file.read_bytes() == b"x" * 1000
