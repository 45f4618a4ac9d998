"""Cookies on disk: JSON and cookies.txt."""

import asyncio
import json
import os
import pickle
import stat
from collections.abc import Iterator
from http.cookiejar import MozillaCookieJar
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from aioclient import ClientSession
from aioclient.cookies import CookieJar

from ..loopback import OK, answer, open_jar
from ..servers.either import RawServer
from ..servers.require import require
from .parts import NOW, Clock, held, jar_of, receive, row, sent

pytestmark = pytest.mark.both_protocols

FIELDS = [
    "a=1",
    'b="x \\"y\\""; Path=/p; Max-Age=60; HttpOnly',
    "c=3; Domain=site.example; Secure; SameSite=Strict",
    "nameless",
    b"raw=\xff".decode("utf-8", "surrogateescape"),
]
URLS = [
    f"https://{host}{path}" for host in ("site.example", "x.site.example") for path in ("/", "/p/q")
]


@pytest.fixture
def open_umask() -> Iterator[None]:
    """New files are readable and writable by everyone, unless they say otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def everything(jar: CookieJar) -> list[Any]:
    """All that a user can see of a jar."""
    return [
        *[(morsel.key, morsel.value, morsel.coded_value, morsel["path"]) for morsel in jar],
        *[(morsel["secure"], morsel["httponly"], morsel["samesite"]) for morsel in jar],
        jar.host_only_cookies,
        *[jar.header_for(URL(url)) for url in URLS],
    ]


@pytest.mark.rows("S003-106")
class TestJson:
    def test_round_trip(self, tmp_path: Path) -> None:
        """A jar that is saved and loaded sends and shows what it did before."""
        clock = Clock()
        jar = jar_of(FIELDS, "https://site.example/", clock=clock)
        jar.update_cookies({"shared": "s t"})
        jar.save(tmp_path / "jar.json")
        loaded = CookieJar(clock=clock)
        loaded.load(tmp_path / "jar.json")
        assert everything(loaded) == everything(jar)
        assert loaded.filter_cookies(URL(URLS[1])) == jar.filter_cookies(URL(URLS[1]))
        clock.now += 60
        assert "b" not in {morsel.key for morsel in loaded}

    def test_format(self, tmp_path: Path) -> None:
        """The file is an object with a format, a version and the cookies in the order of creation."""
        jar = jar_of(FIELDS[1:2])
        jar.save(str(tmp_path / "jar.json"))
        assert json.loads((tmp_path / "jar.json").read_text()) == {
            "format": "aioclient-cookies",
            "version": 1,
            "cookies": [
                {
                    "name": "b",
                    "value": 'x "y"',
                    "coded_value": '"x \\"y\\""',
                    "domain": "a.example",
                    "path": "/p",
                    "same_site": "",
                    "host_only": True,
                    "secure": False,
                    "http_only": True,
                    "expires": NOW + 60,
                }
            ],
        }

    @pytest.mark.parametrize("suffix", ["json", "txt"])
    @row("CK-05")
    def test_host_only_survives(self, row: str, suffix: str, tmp_path: Path) -> None:
        """A cookie without a domain goes to no subdomain, after saving and loading either."""
        jar = jar_of(["own=1", "wide=1; Domain=a.test.example"], "https://a.test.example/")
        loaded = CookieJar(clock=Clock())
        path = tmp_path / f"jar.{suffix}"
        if suffix == "json":
            jar.save(path)
            loaded.load(path)
        else:
            jar.save_cookies_txt(path)
            loaded.load_cookies_txt(path)
        for each in (jar, loaded):
            assert sent(each, "https://a.test.example/") == "own=1; wide=1"
            assert sent(each, "https://x.a.test.example/") == "wide=1"

    def test_loading_replaces(self, tmp_path: Path) -> None:
        """Loading puts the file's cookies in the place of those the jar had, and they are sent at once."""
        jar_of("a=1").save(tmp_path / "jar.json")
        jar = jar_of(["a=2", "b=2"])
        assert sent(jar, "https://a.example/") == "a=2; b=2"
        jar.load(tmp_path / "jar.json")
        assert sent(jar, "https://a.example/") == "a=1"

    @row("CK-15")
    def test_loading_changes_no_setting(self, row: str, tmp_path: Path) -> None:
        """A safe jar sends an address nothing, though an unsafe jar wrote the file."""
        jar_of("a=1", "http://127.0.0.1/", unsafe=True).save(tmp_path / "jar.json")
        for unsafe, expected in ((False, None), (True, "a=1")):
            jar = CookieJar(unsafe=unsafe)
            jar.load(tmp_path / "jar.json")
            assert jar.unsafe is unsafe
            assert sent(jar, "http://127.0.0.1/") == expected

    @row("CK-15")
    def test_no_file_is_read_unasked(
        self, row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A jar reads the file it is told to, and none by a name of its own."""
        monkeypatch.chdir(tmp_path)
        for name in ("none", "None", "cookies.txt"):
            (tmp_path / name).write_text("a.example\tFALSE\t/\tFALSE\t0\ta\t1\n")
        assert len(CookieJar()) == 0
        with pytest.raises(FileNotFoundError):
            CookieJar().load("jar.json")
        with pytest.raises(FileNotFoundError):
            CookieJar().load_cookies_txt("")

    @row("CK-06")
    def test_pickles_are_not_loaded(self, row: str, tmp_path: Path) -> None:
        """A pickle is an error that says why, and none of its code runs."""
        mark = tmp_path / "ran"

        class Evil:
            def __reduce__(self) -> Any:
                return (Path.touch, (mark,))

        path = tmp_path / "jar"
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            path.write_bytes(pickle.dumps(Evil(), protocol))
            for load in (CookieJar().load, CookieJar().load_cookies_txt):
                with pytest.raises(ValueError, match="jar"):
                    load(path)
        assert not mark.exists()

    async def test_aiohttp_jar(self, tmp_path: Path) -> None:
        """A file of aiohttp's jar is loaded: values, paths, flags, dates and the host-only flag."""
        theirs = aiohttp.CookieJar()
        theirs.update_cookies_from_headers(
            [field for field in FIELDS if field.isascii()][:3], URL("https://site.example/")
        )
        theirs.update_cookies({"shared": "s"})
        theirs.save(tmp_path / "jar.json")
        jar = CookieJar()
        jar.load(tmp_path / "jar.json")
        assert sent(jar, "https://site.example/p/q") == 'b="x \\"y\\""; a=1; c=3; shared=s'
        assert sent(jar, "https://x.site.example/") == "c=3; shared=s"
        assert sent(jar, "http://x.site.example/") == "shared=s"
        assert {(morsel.key, morsel["samesite"]) for morsel in jar} >= {("c", "Strict")}
        document = json.loads((tmp_path / "jar.json").read_text())
        assert document["site.example|/p"]["b"]["expires_timestamp"] > 0
        aiohttp.CookieJar().save(tmp_path / "empty.json")
        jar.load(tmp_path / "empty.json")
        assert len(jar) == 0

    def test_older_aiohttp_jar(self, tmp_path: Path) -> None:
        """Files that aiohttp wrote before it wrote absolute times have the attributes' dates, from now on."""
        record = {"key": "a", "value": "1", "coded_value": "1", "domain": "a.example"}
        named = {
            "a": record | {"max-age": "60"},
            "b": record | {"expires": "Tue, 14 Nov 2023 22:13:50 GMT"},
            "c": record,
        }
        (tmp_path / "jar.json").write_text(json.dumps({"a.example|/": named}))
        clock = Clock()
        jar = CookieJar(clock=clock)
        jar.load(tmp_path / "jar.json")
        for later, expected in ((29, "a=1; b=1; c=1"), (30, "a=1; c=1"), (60, "c=1")):
            clock.now = NOW + later
            assert sent(jar, "https://a.example/") == expected

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "nonsense",
            "[]",
            "null",
            '"a|b"',
            "[" * 100_000,
            '{"format": "aioclient-cookies"}',
            '{"format": "aioclient-cookies", "version": 2, "cookies": []}',
            '{"format": "other", "version": 1, "cookies": []}',
            '{"format": "aioclient-cookies", "version": 1, "cookies": {}, "x": 1',
            '{"format": "aioclient-cookies", "version": 1, "cookies": [{}]}',
            '{"format": "aioclient-cookies", "version": 1, "cookies": [1]}',
            '{"no bar": {}}',
            (
                '{"format": "aioclient-cookies", "version": 1, "cookies": [{"name": "a", "value": "1", '
                '"coded_value": "1", "domain": "a.example", "path": "/", "same_site": "", "host_only": "yes"}]}'
            ),
            '{"a.example|/": []}',
            '{"a.example|/": {"a": {"value": "1", "coded_value": "1", "path": 5}}}',
            '{"a.example|/": {"a": {"value": "1"}}}',
            '{"a.example|/": {"a": {"value": 1, "coded_value": "1"}}}',
            '{"a.example|/": {"a": {"value": "1", "coded_value": "1", "expires_timestamp": NaN}}}',
            '{"a.example|/": {"a": {"value": "1", "coded_value": "1", "expires_timestamp": "1"}}}',
            '{"a.example|/": {"a": {"value": "1", "coded_value": "1", "expires_timestamp": 1'
            + "0" * 400
            + "}}}",
        ],
        ids=lambda text: text[:40],
    )
    def test_another_file(self, text: str, tmp_path: Path) -> None:
        """A file that is something else raises, names the file and leaves the jar as it was."""
        path = tmp_path / "jar.json"
        path.write_text(text)
        jar = jar_of("a=1")
        with pytest.raises(ValueError, match=r"jar\.json"):
            jar.load(path)
        assert held(jar) == {("a", "1", "a.example")}

    def test_an_odd_entry(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """An entry that is something else costs that entry, in either format, and the log says so without its text."""
        good = {"value": "1", "coded_value": "1"}
        path = tmp_path / "jar.json"
        for odd in (1, None, {}, {"value": "geheim", "coded_value": 1}):
            path.write_text(json.dumps({"a.example|/": {"x": odd, "a": good}}))
            jar = CookieJar()
            jar.load(path)
            assert held(jar) == {("a", "1", "a.example")}
            jar.save(path)
            document = json.loads(path.read_text())
            document["cookies"].append(odd)
            path.write_text(json.dumps(document))
            jar.load(path)
            assert held(jar) == {("a", "1", "a.example")}
        assert caplog.text.count("entries that are not cookies were left out") == 8
        assert "geheim" not in caplog.text

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"expires": NOW}, id="expired"),
            pytest.param({"value": "x\n", "coded_value": "x\n"}, id="CK-12"),
            pytest.param({"coded_value": "x; b=2"}, id="two of one"),
            pytest.param({"domain": "a..example"}, id="CK-02"),
            pytest.param({"domain": "A.example"}, id="CK-02"),
            pytest.param({"path": "p"}, id="path"),
            pytest.param({"path": "/\n"}, id="path with a line break"),
            pytest.param({"name": "__Host-a", "host_only": False, "secure": True}, id="CK-08"),
            pytest.param({"name": "__Secure-a"}, id="CK-08"),
        ],
    )
    def test_impossible_cookies_are_left_out(self, change: dict[str, Any], tmp_path: Path) -> None:
        """What no response could have set is left out, and the rest is loaded."""
        path = tmp_path / "jar.json"
        jar_of(["a=1", "z=1"]).save(path)
        document = json.loads(path.read_text())
        document["cookies"][0] |= change
        path.write_text(json.dumps(document))
        jar = CookieJar(clock=Clock())
        jar.load(path)
        assert held(jar) == {("z", "1", "a.example")}

    @pytest.mark.parametrize(
        ("domain", "below"),
        [
            pytest.param("co.uk", "x.co.uk", id="CK-01"),
            pytest.param("127.0.0.1", "x.127.0.0.1", id="CK-04"),
        ],
    )
    def test_domains_for_nobody(self, domain: str, below: str, tmp_path: Path) -> None:
        """A file makes no cookie for all of a public suffix, or below an address."""
        path = tmp_path / "cookies.txt"
        path.write_text(f".{domain}\tTRUE\t/\tFALSE\t0\ta\t1\n")
        jar = CookieJar(unsafe=True)
        jar.load_cookies_txt(path)
        assert sent(jar, f"https://{domain}/") == "a=1"
        assert sent(jar, f"https://{below}/") is None

    def test_limits_hold(self, tmp_path: Path) -> None:
        """A file of many cookies fills the jar to its limits and not beyond."""
        big = CookieJar(max_cookies_per_domain=500)
        for number in range(500):
            receive(big, f"c{number}=1", "https://a.example/")
        big.save(tmp_path / "jar.json")
        jar = CookieJar()
        jar.load(tmp_path / "jar.json")
        assert 150 <= len(jar) <= 180


@pytest.mark.rows("S003-106")
@pytest.mark.usefixtures("open_umask")
class TestFile:
    @pytest.fixture(params=["save", "save_cookies_txt"])
    def save(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @row("CK-06")
    def test_private(self, row: str, save: str, tmp_path: Path) -> None:
        """The file is readable by its owner alone under any umask, also in place of one that was not."""
        path = tmp_path / "jar"
        getattr(jar_of("a=1"), save)(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o666)
        getattr(jar_of("a=2"), save)(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert os.listdir(tmp_path) == ["jar"]

    @row("CK-06")
    def test_private_from_its_first_byte(
        self, row: str, save: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is written, and flushed to the disk, before the rename is private already."""
        modes = []
        fsync = os.fsync

        def look(descriptor: int) -> None:
            modes.extend(stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir())
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", look)
        getattr(jar_of("a=1"), save)(tmp_path / "jar")
        assert modes == [0o600, 0o600]

    @row("CK-06")
    def test_whole_or_not_at_all(
        self, row: str, save: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When writing stops before the rename the old file is there, and nothing else."""
        path = tmp_path / "jar"
        getattr(jar_of("a=1"), save)(path)
        before = path.read_bytes()

        def stop(*arguments: object) -> None:
            raise KeyboardInterrupt

        for step in ("fsync", "replace"):
            with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
                patch.setattr(os, step, stop)
                getattr(jar_of("a=2"), save)(path)
            assert path.read_bytes() == before
            assert os.listdir(tmp_path) == ["jar"]

    @row("CK-06")
    def test_links_are_not_followed(self, row: str, save: str, tmp_path: Path) -> None:
        """A symbolic link in the file's place is replaced; what it leads to is untouched."""
        victim = tmp_path / "victim"
        victim.write_text("mine")
        (tmp_path / "jar").symlink_to(victim)
        getattr(jar_of("a=1"), save)(tmp_path / "jar")
        assert victim.read_text() == "mine"
        assert not (tmp_path / "jar").is_symlink()

    @row("CK-06")
    def test_nothing_that_waits_is_written_to(
        self, row: str, save: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A link that somebody who guessed the name put beside is neither followed nor taken over."""
        victim = tmp_path / "victim"
        victim.write_text("mine")
        monkeypatch.setattr(os, "urandom", bytes)
        (tmp_path / f".jar.{bytes(8).hex()}").symlink_to(victim)
        with pytest.raises(FileExistsError):
            getattr(jar_of("a=1"), save)(tmp_path / "jar")
        assert victim.read_text() == "mine"
        assert not (tmp_path / "jar").exists()

    def test_in_the_working_directory(
        self, save: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A bare file name is a file in the working directory."""
        monkeypatch.chdir(tmp_path)
        getattr(jar_of("a=1"), save)("jar")
        assert os.listdir(tmp_path) == ["jar"]

    def test_no_such_folder(self, save: str, tmp_path: Path) -> None:
        """A folder that does not exist is an OSError."""
        with pytest.raises(FileNotFoundError):
            getattr(CookieJar(), save)(tmp_path / "none" / "jar")


@pytest.mark.rows("S003-106")
class TestCookiesTxt:
    def test_format(self, tmp_path: Path) -> None:
        """Seven fields a line, a dot before a domain whose subdomains get it, #HttpOnly_ before HttpOnly ones."""
        jar = jar_of(FIELDS, "https://site.example/")
        jar.update_cookies({"shared": "1"})
        jar.save_cookies_txt(tmp_path / "cookies.txt")
        assert (tmp_path / "cookies.txt").read_bytes().split(b"\n") == [
            b"# Netscape HTTP Cookie File",
            b"",
            b"site.example\tFALSE\t/\tFALSE\t0\ta\t1",
            b'#HttpOnly_site.example\tFALSE\t/p\tFALSE\t1700000060\tb\t"x \\"y\\""',
            b".site.example\tTRUE\t/\tTRUE\t0\tc\t3",
            b"site.example\tFALSE\t/\tFALSE\t0\t\tnameless",
            b"site.example\tFALSE\t/\tFALSE\t0\traw\t\xff",
            b"",
        ]

    def test_round_trip(self, tmp_path: Path) -> None:
        """A jar written and read sends what it did before."""
        jar = jar_of(FIELDS, "https://site.example/")
        jar.save_cookies_txt(tmp_path / "cookies.txt")
        loaded = CookieJar(clock=Clock())
        loaded.load_cookies_txt(tmp_path / "cookies.txt")
        for url in URLS:
            assert loaded.header_for(URL(url)) == jar.header_for(URL(url))
        assert [morsel["httponly"] for morsel in loaded] == [morsel["httponly"] for morsel in jar]

    def test_files_of_others(self, tmp_path: Path) -> None:
        """Comments, blank lines, Windows line ends, fractions, and an empty value without its tab are read."""
        (tmp_path / "cookies.txt").write_bytes(
            b"# HTTP Cookie File\r\n# https://curl.se/docs/http-cookies.html\r\n\r\n \t\r\n"
            b"#HttpOnly_.Site.example\tTRUE\t/\tTRUE\t4102444800.5\ta\t1\r\n"
            b"site.example\tFALSE\t/\tFALSE\t0\tempty\r\n"
            b"site.example\tFALSE\t/\tFALSE\t0\tblank\t\r\n"
            b"site.example\tFALSE\t/\tFALSE\t1\tgone\t1"
        )
        jar = CookieJar()
        jar.load_cookies_txt(tmp_path / "cookies.txt")
        assert sent(jar, "https://site.example/") == "a=1; empty=; blank="
        assert sent(jar, "https://www.site.example/") == "a=1"

    def test_python_reads_it(self, tmp_path: Path) -> None:
        """http.cookiejar, which requests uses, reads what was written; what ends with the session on request."""
        jar = jar_of(FIELDS[:3], "https://site.example/")
        jar.save_cookies_txt(tmp_path / "cookies.txt")
        theirs = MozillaCookieJar(tmp_path / "cookies.txt")
        theirs.load(ignore_discard=True, ignore_expires=True)
        assert {
            (each.domain, each.path, each.name, each.value, each.secure) for each in theirs
        } == {
            ("site.example", "/", "a", "1", False),
            ("site.example", "/p", "b", '"x \\"y\\""', False),
            (".site.example", "/", "c", "3", True),
        }

    def test_python_wrote_it(self, tmp_path: Path) -> None:
        """What http.cookiejar wrote is read: a cookie that ends with its session has no time there."""
        jar = jar_of(
            ["a=1; Max-Age=60", "c=3; Domain=site.example; Secure"], "https://site.example/"
        )
        jar.save_cookies_txt(tmp_path / "cookies.txt")
        theirs = MozillaCookieJar(tmp_path / "cookies.txt")
        theirs.load(ignore_discard=True, ignore_expires=True)
        for each in theirs:
            if each.name == "c":
                each.expires, each.discard = None, True
        theirs.save(ignore_discard=True, ignore_expires=True)
        assert "TRUE\t\tc\t3" in (tmp_path / "cookies.txt").read_text()
        clock = Clock()
        loaded = CookieJar(clock=clock)
        loaded.load_cookies_txt(tmp_path / "cookies.txt")
        assert sent(loaded, "https://site.example/") == "a=1; c=3"
        assert sent(loaded, "https://www.site.example/") == "c=3"
        clock.now += 60
        assert sent(loaded, "https://site.example/") == "c=3"

    async def test_curl(self, tmp_path: Path) -> None:
        """curl reads what was written and sends it, and what curl writes is read and sent."""
        curl = require("curl", "curl")
        jar = open_jar()
        reply = answer(b"", "Set-Cookie: new=1; Path=/; HttpOnly", "Set-Cookie: old=; Max-Age=0")
        async with RawServer.replies([reply, OK]) as server:
            receive(jar, ["a=1; Max-Age=600", "old=1", "deep=1; Path=/x", "s=1"], server.url())
            receive(jar, "else=1", "http://other.example/")
            path = tmp_path / "cookies.txt"
            jar.save_cookies_txt(path)
            arguments = ("--silent", "--noproxy", "*", "-b", path, "-c", path, server.url("/y"))
            process = await asyncio.create_subprocess_exec(curl, *map(str, arguments))
            assert await process.wait() == 0
            jar.load_cookies_txt(path)
            async with ClientSession(cookie_jar=jar) as session:
                await session.get(server.url("/x"))
        first, second = server.requests
        assert set((first.value("Cookie") or "").split("; ")) == {"a=1", "old=1", "s=1"}
        assert set((second.value("Cookie") or "").split("; ")) == {"a=1", "deep=1", "s=1", "new=1"}
        assert {morsel.key: morsel["httponly"] for morsel in jar}["new"] is True
        assert sent(jar, "http://other.example/") == "else=1"

    @pytest.mark.parametrize(
        "line",
        [
            "one field",
            "a.example\tFALSE\t/\tFALSE\t0\tname\tvalue\tmore",
            "a.example\tyes\t/\tFALSE\t0\tname\tvalue",
            "a.example\tFALSE\t/\tno\t0\tname\tvalue",
            "a.example\tFALSE\t/\tFALSE\tsoon\tname\tvalue",
            "a.example\tFALSE\t/\tFALSE\t1" + "0" * 400 + "\tname\tvalue",
            ".\tTRUE\t/\tFALSE\t0\tname\tvalue",
            '{"format": "aioclient-cookies"}',
        ],
    )
    def test_another_file(
        self, line: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A line that is something else costs that line; a file of nothing else leaves the jar as it was."""
        path = tmp_path / "cookies.txt"
        path.write_text(f"# one\n{line}\n")
        jar = jar_of("a=1")
        with pytest.raises(ValueError, match=r"cookies\.txt is not a cookies\.txt file: line 2: "):
            jar.load_cookies_txt(path)
        assert held(jar) == {("a", "1", "a.example")}
        assert not caplog.records
        path.write_text(
            f"# one\na.example\tFALSE\t/\tFALSE\t0\tx\ty\n{line}\na.example\tFALSE\t/\tFALSE\t0\tz\ty"
        )
        jar.load_cookies_txt(path)
        assert held(jar) == {("x", "y", "a.example"), ("z", "y", "a.example")}
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "1 lines were left out (3)" in caplog.text
        assert "value" not in caplog.text

    @pytest.mark.parametrize(
        "head",
        [b"\xef\xbb\xbf", b"\xef\xbb\xbf# Netscape HTTP Cookie File\n", b"# Netscape\r\r"],
        ids=["mark", "mark-and-comment", "old-mac"],
    )
    def test_as_others_write_it(self, head: bytes, tmp_path: Path) -> None:
        """A byte order mark, flags in lower case and lines that end with a carriage return are read."""
        (tmp_path / "cookies.txt").write_bytes(head + b"a.example\tfalse\t/\tFalse\t0\tx\ty\r")
        jar = CookieJar()
        jar.load_cookies_txt(tmp_path / "cookies.txt")
        assert held(jar) == {("x", "y", "a.example")}

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
    def test_encodings_of_windows(self, encoding: str, tmp_path: Path) -> None:
        """What a shell of Windows has saved is read, as either kind of file."""
        jar = jar_of("a=1")
        for kind in ("save", "save_cookies_txt"):
            path = tmp_path / kind
            getattr(jar, kind)(path)
            path.write_text(path.read_text(), encoding)
            loaded = CookieJar()
            getattr(loaded, kind.replace("save", "load"))(path)
            assert held(loaded) == held(jar)
