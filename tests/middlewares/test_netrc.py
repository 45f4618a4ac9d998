"""Netrc files: which password goes to which host, and to none other."""

import asyncio
import netrc as standard
import os
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

import aioclient
from aioclient import (
    NO_AUTH,
    BasicAuth,
    ClientResponse,
    ClientSession,
    Handler,
    Netrc,
    NetrcError,
    NetrcWarning,
    Request,
    TCPConnector,
)
from aioclient.middlewares.auth.netrc_file import Entry, find_entry, parse_netrc
from aioclient.testing import RawConnection, RawRequest

from ..loopback import OK, Loopback, moved, names
from ..servers.certificates import Certificates
from ..servers.either import RawServer

pytestmark = pytest.mark.both_protocols

OF_A = BasicAuth("user", "secret-of-a").encode()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home without a netrc file."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)
    yield tmp_path


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    """Write a netrc file of that mode."""
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of two hosts, not where anybody would look for it."""
    return write(
        tmp_path / "my-netrc",
        "machine a.test login user password secret-of-a\n"
        "machine b.test login user password secret-of-b\n",
    )


@asynccontextmanager
async def asking(
    *replies: Any, **of_session: Any
) -> AsyncIterator[tuple[RawServer, ClientSession]]:
    """Give a server and a session for which every name is that server."""
    of_session.setdefault("connector", names())
    async with (
        RawServer.replies(replies or [OK], repeat=not replies) as server,
        ClientSession(**of_session) as session,
    ):
        yield server, session


def sent(server: RawServer) -> list[list[str]]:
    """Return the Authorization fields of each request."""
    return [request.values("Authorization") for request in server.requests]


class TestGrammar:
    @pytest.mark.parametrize(
        ("text", "entries"),
        [
            ("", []),
            ("machine a login b password c", [("a", "b", "c")]),
            ("machine a\n\tlogin b\n\tpassword c\n", [("a", "b", "c")]),
            ("machine a user b account x password c", [("a", "b", "c")]),
            ("machine a password c login b default login d password e", [("a", "b", "c"), (None, "d", "e")]),
            ("machine a login b", [("a", "b", "")]),
            ("machine a machine b login c password d", [("a", "", ""), ("b", "c", "d")]),
            ("machine A.TEST. login b password c", [("a.test", "b", "c")]),
            ("machine straße.test login b password c", [("xn--strae-oqa.test", "b", "c")]),
            ("machine ::1 login b password c", [("::1", "b", "c")]),
            ("machine [::1] login b password c", [("::1", "b", "c")]),
            ("machine a/b login b password c", [("", "b", "c")]),
            ('machine a login "b c" password "d\\"e"', [("a", "b c", 'd"e')]),
            ('machine a login "" password c', [("a", "", "c")]),
            ("machine a login b\\ c password d\\\\e", [("a", "b c", "d\\e")]),
            ("machine a login b password #c", [("a", "b", "#c")]),
            ("machine a login machine password login", [("a", "machine", "login")]),
            ("# machine x login y\nmachine a login b password c # no\n#", [("a", "b", "c")]),
            ("#\nmachine a login b # x\n password c", [("a", "b", "c")]),
            ("macdef init\ncd /pub\nmachine x\n\nmachine a login b password c", [("a", "b", "c")]),
            ("macdef init\ncd /pub", []),
            ("machine a login b password é", [("a", "b", "é")]),
        ],
    )  # fmt: skip
    def test_entries(self, text: str, entries: list[tuple[str | None, str, str]]) -> None:
        """Words, quotes, comments and macros are read as ftp, curl and Python read them."""
        assert parse_netrc(text) == (tuple(Entry(*entry) for entry in entries), ())

    @pytest.mark.parametrize(
        ("odd", "entries"),
        [
            ("port 993", "abz"),
            ("protocol https force yes", "abz"),
            ("hunter2", "abz"),
            ('password "hunter2', "abz"),
            ('"', "abz"),
            ('"login" hunter2', "abz"),
            ("\x00\x01", "abz"),
            ("x machine c login u", "az"),
            ("machine c login hun:ter2 password x", "az"),
            ('machine "hunter2', "az"),
            ("default x", "az"),
        ],
    )
    def test_an_odd_line(self, odd: str, entries: str) -> None:
        """A line that is not understood costs that line; what follows belongs to no other entry than it did."""
        text = f"machine a login u password a\nmachine b\nlogin u\n{odd}\npassword b\nmachine z login u password z"
        found, problems = parse_netrc(text)
        assert [entry for entry in found if entry.password and entry.host is not None] == [
            Entry(name, "u", name) for name in entries
        ]
        assert problems
        assert not any("hun" in problem for problem in problems)

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("hunter2", "line 1: expected machine, default or macdef"),
            ("\n\nmachine", "line 3: nothing follows"),
            ("machine a login", "line 1: nothing follows"),
            ("machine a\nlogin u\nhunter2 x", "line 3: expected login, password"),
            ('machine a login "hunter2', "line 1: a quote that is not closed"),
            ('machine a "login" x', "line 1: expected login"),
            ("machine a login hun:ter2 password x", "line 1: the login of this entry contains ':'"),
            ("macdef", "line 1: nothing follows"),
        ],
    )
    @pytest.mark.rows("AUTH-12")
    def test_what_is_none(self, text: str, problem: str) -> None:
        """What is no netrc file raises ValueError that names the line, and quotes nothing of it."""
        with pytest.raises(ValueError, match=problem) as caught:
            parse_netrc(text)
        assert "hun" not in str(caught.value)

    @given(
        st.lists(
            st.sampled_from(
                [
                    "machine",
                    "default",
                    "login",
                    "password",
                    "macdef",
                    "#",
                    '"',
                    "\\",
                    "\n",
                    "\n\n",
                    "x",
                    ":",
                ]
            )
        ),
        st.sampled_from(["", " "]),
    )
    def test_any_text(self, words: list[str], between: str) -> None:
        """Whatever a file holds, it has entries or raises ValueError."""
        try:
            entries, _ = parse_netrc(between.join(words))
        except ValueError as error:
            assert str(error).startswith("line ")
        else:
            assert all(isinstance(entry, Entry) for entry in entries)

    def test_like_the_standard_library(self, tmp_path: Path) -> None:
        """Files that Python's own module reads say the same here."""
        text = (
            "machine one.test login log1 password pass1 account acct1\n"
            "# a comment\nmachine two.test # another\n  user log2\n  password #pass2\n"
            "macdef m\n  line1\n  line2\n\n"
            'machine three.test login "" password "pass 3"\n'
            'machine four.test login "log\\"4" password pass\\4\n'
            "default login log5 password pass5\n"
        )
        theirs = standard.netrc(str(write(tmp_path / "n", text))).hosts
        ours = {entry.host or "default": entry for entry in parse_netrc(text)[0]}
        assert ours.keys() == theirs.keys()
        for host, entry in ours.items():
            assert (entry.login, entry.password) == (theirs[host][0], theirs[host][2])

    def test_find(self) -> None:
        """The first entry with a password counts; of a login if one is known; default only when asked for."""
        entries, _ = parse_netrc(
            "machine a login none\nmachine a login u1 password p1\nmachine a login u2 password p2\n"
            "default login d password p\nmachine late login l password p"
        )
        assert find_entry(entries, "a") == ("a", "u1", "p1")
        assert find_entry(entries, "a", "u2") == ("a", "u2", "p2")
        assert find_entry(entries, "a", "u3") is None
        assert find_entry(entries, "b") is None
        assert find_entry(entries, "b", use_default=True) == (None, "d", "p")
        assert find_entry(entries, "b", "u1", use_default=True) is None
        assert repr(entries[1]) == "Entry(host='a', login='u1', password='***')"


@pytest.mark.rows("S003-16", "AUTH-03")
class TestSwitches:
    @pytest.mark.parametrize(
        ("arguments", "used"),
        [
            ({}, False),
            ({"trust_env": True}, True),
            ({"netrc": True}, True),
            ({"trust_env": True, "netrc": False}, False),
            ({"trust_env": False, "netrc": True}, True),
            ({"netrc": Netrc()}, True),
        ],
    )
    @pytest.mark.parametrize("where", ["home", "NETRC"])
    async def test_the_environments_file(
        self, arguments: Any, used: bool, where: str, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is used only when trust_env or netrc says so: $NETRC, or else ~/.netrc."""
        name = ".netrc" if where == "home" else "elsewhere"
        path = write(home / name, "machine a.test login user password secret-of-a")
        if where == "NETRC":
            monkeypatch.setenv("NETRC", str(path))
            write(home / ".netrc", "machine a.test login no password no")
        async with asking(**arguments) as (server, session):
            assert session.trust_env is arguments.get("trust_env", False)
            await session.get(server.url(host="a.test"))
        assert sent(server) == [[OF_A]] if used else [[]]

    @pytest.mark.parametrize("spelling", [str, Path, Netrc])
    async def test_a_path(self, spelling: Any, file: Path) -> None:
        """A path says which file."""
        async with asking(netrc=spelling(file)) as (server, session):
            await session.get(server.url(host="a.test"))
            await session.get(server.url(host="c.test"))
        assert sent(server) == [[OF_A], []]

    @pytest.mark.parametrize("netrc", [5, b"x", ["x"]])
    async def test_what_it_cannot_be(self, netrc: Any) -> None:
        """Anything else raises TypeError."""
        with pytest.raises(TypeError, match="netrc must be a bool, a path or"):
            ClientSession(netrc=netrc)

    async def test_the_default_entry(self, file: Path) -> None:
        """The default entry goes to nobody, unless use_default says that it goes to everybody."""
        write(file, "default login d password p")
        for netrc, fields in (
            (file, []),
            (Netrc(file, use_default=True), [BasicAuth("d", "p").encode()]),
        ):
            async with asking(netrc=netrc) as (server, session):
                await session.get(server.url(host="a.test"))
            assert sent(server) == [fields]

    async def test_utf8(self, file: Path) -> None:
        """What Latin-1 cannot carry goes as UTF-8; a file in Latin-1 is read as such."""
        write(file, "machine a.test login u password €")
        async with asking(netrc=file) as (server, session):
            await session.get(server.url(host="a.test"))
        assert sent(server) == [[BasicAuth("u", "€", "utf-8").encode()]]
        file.write_bytes("machine a.test login u password é".encode("latin-1"))
        async with asking(netrc=file) as (server, session):
            await session.get(server.url(host="a.test"))
        assert sent(server) == [[BasicAuth("u", "é").encode()]]

    async def test_without_a_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where no file is there is nothing to send, and nothing to say."""
        async with asking(trust_env=True) as (server, session):
            await session.get(server.url(host="a.test"))
        monkeypatch.setenv("HOME", "/nonexistent")
        async with asking(trust_env=True) as (server, session):
            await session.get(server.url(host="a.test"))
        assert sent(server) == [[]]


class TestPrecedence:
    async def test_what_is_explicit_wins(self, file: Path) -> None:
        """auth= of call and session, user and password of the URL, and an Authorization field go first."""
        other = BasicAuth("x", "y").encode()
        async with asking(netrc=file) as (server, session):
            url = URL(server.url(host="a.test"))
            await session.get(url, auth=("x", "y"))
            await session.get(url.with_user("x").with_password("y"))
            await session.get(url, headers={"Authorization": "mine"})
            await session.get(url, auth=NO_AUTH)
            session.headers["Authorization"] = "session's"
            await session.get(url)
            del session.headers["Authorization"]
            session.auth = ("x", "y")
            await session.get(url)
            session.auth = None
            await session.get(url)
        assert sent(server) == [[other], [other], ["mine"], [], ["session's"], [other], [OF_A]]

    @pytest.mark.parametrize("row", [pytest.param("", id="AUTH-02")])
    async def test_the_user_of_a_url(self, row: str, file: Path) -> None:
        """A URL's user gets the password of that user, and never another's."""
        write(
            file,
            "machine a.test login u1 password p1\nmachine a.test login u2 password p2\n"
            "machine a.test password nobody's",
        )
        async with asking(netrc=Netrc(file, use_default=True)) as (server, session):
            for userinfo in ("", "u1@", "u2@", "u3@", "u1:@", "u1:own@", ":own@"):
                await session.get(f"http://{userinfo}a.test:{server.port}/")
            await session.get(server.url(host="a.test"), auth=("u1", ""))
        decoded = [BasicAuth.decode(field) for (field,) in sent(server)]
        assert [(auth.login, auth.password) for auth in decoded] == [
            ("u1", "p1"),
            ("u1", "p1"),
            ("u2", "p2"),
            ("u3", ""),
            ("u1", ""),
            ("u1", "own"),
            ("", "own"),
            ("u1", ""),
        ]

    @pytest.mark.parametrize("row", [pytest.param("", id="AUTH-02")])
    async def test_the_user_of_a_base_url(self, row: str, file: Path) -> None:
        """The same for the user of a base URL."""
        async with RawServer.replies([OK]) as server:
            base = URL(server.url(host="a.test")).with_user("user")
            async with ClientSession(base, connector=names(), netrc=file) as session:
                await session.get("x")
        assert sent(server) == [[OF_A]]


@pytest.mark.rows("AUTH-01")
class TestHosts:
    @pytest.mark.parametrize(
        "url",
        [
            pytest.param(url, id=f"AUTH-01-{url}")
            for url in (
                "http://a.test:@b.test:{port}/",
                "http://a.test@b.test:{port}/",
                "http://b.test:{port}/@a.test",
                "http://b.test:{port}?@a.test/",
                "http://b.test:{port}#@a.test/",
                "http://b.test:{port}\\@a.test/",
                "http://xa.test:{port}/",
                "http://a.test.b.test:{port}/",
                "http://sub.a.test:{port}/",
                "http://a.test%2eb.test:{port}/",
            )
        ],
    )
    async def test_no_other_host(self, url: str, file: Path) -> None:
        """However a URL is spelled, the password of a.test goes to a.test alone."""
        write(file, "machine a.test login a.test password secret-of-a")
        async with asking(netrc=file) as (server, session):
            try:
                await session.get(url.format(port=server.port))
            except aiohttp.InvalidURL:
                assert server.connections == 0
            for fields in sent(server):
                for field in fields:
                    assert BasicAuth.decode(field).password == ""

    @pytest.mark.parametrize("spelling", ["a.test", "A.TEST", "a.test.", "\uff41.test"])
    async def test_spellings_of_the_host(self, spelling: str, file: Path) -> None:
        """The host is compared as it is connected to."""
        async with asking(netrc=file) as (server, session):
            await session.get(f"http://{spelling}:{server.port}/")
        assert sent(server) == [[OF_A]]

    async def test_each_hop_has_its_own(self, file: Path) -> None:
        """A redirect's target gets what the file has for it, and nothing of the host before."""

        def to(host: str) -> Any:
            async def redirect(conn: RawConnection, request: RawRequest) -> None:
                conn.send(moved(f"http://{host}:{server.port}/"))

            return redirect

        replies = [to("b.test"), to("c.test"), to("a.test"), OK]
        async with asking(*replies, netrc=file) as (server, session):
            await session.get(server.url(host="a.test"))
        of_b = BasicAuth("user", "secret-of-b").encode()
        assert sent(server) == [[OF_A], [of_b], [], [OF_A]]

    async def test_a_middleware_that_goes_elsewhere(self, file: Path) -> None:
        """An attempt at another host gets what the file has for that one, not what the last attempt got."""

        async def fall_back(request: Request, handler: Handler) -> ClientResponse:
            (await handler(request)).release()
            request.url = request.url.with_host("c.test")
            return await handler(request)

        async with asking(netrc=file, middlewares=[fall_back]) as (server, session):
            await session.get(server.url(host="a.test"))
        assert sent(server) == [[OF_A], []]

    @pytest.mark.rows("RED-05")
    async def test_another_port(self, file: Path) -> None:
        """The caller may ask for any port of an entry's host; a redirect to a port of its own gets no password."""

        async def redirect(conn: RawConnection, request: RawRequest) -> None:
            conn.send(moved(other.url(host=request.value("X-To") or "a.test")))

        async with (
            RawServer.replies([redirect], repeat=True) as first,
            RawServer.replies([OK], repeat=True) as other,
            ClientSession(connector=names(), netrc=file) as session,
        ):
            await session.get(first.url(host="a.test"))
            await session.get(first.url(host="a.test"), headers={"X-To": "b.test"})
            assert sent(first) == [[OF_A], [OF_A]]
            assert sent(other) == [[], []]
            await session.get(other.url(host="a.test"))
            assert sent(other)[2:] == [[OF_A]]

    @pytest.mark.rows("RED-04")
    async def test_not_in_the_open(self, file: Path, certificates: Certificates) -> None:
        """A redirect from https to http of the same host gets no password; a call to http does."""

        async def redirect(conn: RawConnection, request: RawRequest) -> None:
            conn.send(moved(plain.url(host="a.test")))

        connector = TCPConnector(resolver=Loopback(), ssl=certificates.client_context())
        async with (
            RawServer.replies([redirect], ssl=certificates.server_context("a.test")) as secure,
            RawServer.replies([OK, OK]) as plain,
            ClientSession(connector=connector, netrc=file) as session,
        ):
            await session.get(secure.url(host="a.test"))
            await session.get(plain.url(host="a.test"))
        assert sent(secure) == [[OF_A]]
        assert sent(plain) == [[], [OF_A]]


@pytest.mark.virtual_clock
class TestReading:
    async def test_it_is_read_when_it_has_changed(self, file: Path) -> None:
        """The file is looked at once in a second at most, and read only when its time or size tells of a change."""
        text = file.read_text()
        async with asking(netrc=file) as (server, session):
            url = server.url(host="a.test")
            await session.get(url)
            times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
            # Other words of the same length and time: who reads the file anew would find them.
            file.write_text(text.replace("secret-of-a", "SECRET-OF-A"))
            os.utime(file, ns=times)
            await asyncio.sleep(2)
            await session.get(url)
            os.utime(file)
            await session.get(url)
            await asyncio.sleep(1)
            await session.get(url)
            file.write_text("")
            await asyncio.sleep(1)
            await session.get(url)
        assert sent(server) == [[OF_A]] * 3 + [[BasicAuth("user", "SECRET-OF-A").encode()], []]

    async def test_many_at_once(self, file: Path) -> None:
        """Requests at the same time wait for one look at the file; one that is cancelled spoils nothing."""
        async with asking(netrc=file) as (server, session):
            tasks = [
                asyncio.ensure_future(session.get(server.url(host="a.test"))) for _ in range(10)
            ]
            await asyncio.sleep(0)
            tasks[0].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert [response.status for response in results[1:]] == [200] * 9  # type: ignore[union-attr]
        assert sent(server) == [[OF_A]] * 9

    @pytest.mark.parametrize("row", [pytest.param("", id="AUTH-03")])
    @pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o604, 0o620])
    async def test_who_may_read_it(self, row: str, mode: int, file: Path) -> None:
        """A file with passwords that others may read or change is used, with a warning that says what to do."""
        file.chmod(mode)
        async with asking(netrc=file) as (server, session):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                for _ in range(3):
                    await session.get(server.url(host="a.test"))
                    await asyncio.sleep(2)
        texts = [str(each.message) for each in caught if each.category is NetrcWarning]
        assert [each.filename for each in caught] == [__file__] * len(texts)
        if mode & 0o077:
            (text,) = texts
            assert f"(mode {mode:04o}): chmod 600 {file}" in text
            assert "secret" not in text
        else:
            assert texts == []
        assert sent(server) == [[OF_A]] * 3

    @pytest.mark.parametrize(
        ("make", "problem"),
        [
            (lambda path: path.unlink(), "cannot be read: No such file"),
            (lambda path: (path.unlink(), path.mkdir()), "is not a file"),
            (lambda path: write(path, "machine a.test login hunter2 x"), "understood: line 1"),
            (lambda path: write(path, "#" * 2**20 + "#"), "more than the 1048576 bytes"),
        ],
    )
    async def test_what_cannot_be_used(self, make: Any, problem: str, file: Path) -> None:
        """A file that the session was given and cannot use raises, until it is mended; nothing is sent."""
        make(file)
        async with asking(netrc=file) as (server, session):
            for _ in range(2):
                with pytest.raises(NetrcError, match=problem) as caught:
                    await session.get(server.url(host="a.test"))
                assert isinstance(caught.value, aioclient.ClientError)
                assert str(file) in str(caught.value)
                assert "hunter2" not in str(caught.value)
            assert server.connections == 0
            await session.get(server.url(host="a.test"), auth=("x", "y"))
            if file.is_dir():
                file.rmdir()
            write(file, "machine a.test login user password secret-of-a")
            await asyncio.sleep(2)
            await session.get(server.url(host="a.test"))
        assert sent(server)[-1] == [OF_A]

    async def test_an_odd_line_is_told(self, file: Path) -> None:
        """A line that is left out warns once, without its text; the others count, in a file that was given too."""
        write(file, f"{file.read_text()}\nhunter2 hunter3\n")
        async with asking(netrc=file) as (server, session):
            with pytest.warns(NetrcWarning, match="1 lines that are not used: line 4") as caught:
                for _ in range(2):
                    await session.get(server.url(host="a.test"))
                    await asyncio.sleep(2)
        assert len(caught) == 1
        assert "hunter" not in str(caught[0].message)
        assert sent(server) == [[OF_A], [OF_A]]

    async def test_the_environments_file_cannot_be_used(self, home: Path) -> None:
        """That one warns, once for each state of it, and the request goes without credentials."""
        write(home / ".netrc", "machine a.test hunter2")
        async with asking(trust_env=True) as (server, session):
            with pytest.warns(NetrcWarning, match="line 1: expected login.*not used") as caught:
                for _ in range(3):
                    await session.get(server.url(host="a.test"))
                    await asyncio.sleep(2)
            assert len(caught) == 1
            assert "hunter2" not in str(caught[0].message)
        assert sent(server) == [[]] * 3

    async def test_it_is_looked_at_in_a_thread(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No look at the file holds up the event loop."""
        threads: list[int] = []
        look = os.stat

        def stat(path: Any, *more: Any, **options: Any) -> os.stat_result:
            if path == file:
                threads.append(threading.get_ident())
            return look(path, *more, **options)

        monkeypatch.setattr(os, "stat", stat)
        async with asking(netrc=file) as (server, session):
            await session.get(server.url(host="a.test"))
        assert len(threads) == 1
        assert threads[0] != threading.get_ident()

    async def test_a_pipe(self, file: Path) -> None:
        """A pipe is not opened: that would block until somebody writes to it."""
        file.unlink()
        os.mkfifo(file)
        async with asking(netrc=file) as (server, session):
            with pytest.raises(NetrcError, match="is not a file"):
                await session.get(server.url(host="a.test"))
