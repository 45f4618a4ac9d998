"""What a response makes of its fields: links, file name, cookies; aiohttp's answers where they are right."""

from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from aioclient import ClientResponse, ClientSession
from aioclient.message.disposition import parse_disposition
from aioclient.message.links import parse_links
from aioclient.message.parameters import read_parameters
from aioclient.testing import RawServer

from ..loopback import OK, answer

BASE = URL("http://a.example/dir/page?q=1")


async def both(*fields: str) -> tuple[ClientResponse, aiohttp.ClientResponse]:
    """Return our response and aiohttp's to the same bytes."""
    reply = answer(b"", *fields)
    async with (
        RawServer.replies([reply, reply]) as server,
        ClientSession() as session,
        aiohttp.ClientSession() as other,
    ):
        return await session.get(server.url("/x")), await other.get(server.url("/x"))


def plain_links(links: Any) -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (name, [(key, str(value)) for key, value in link.items()]) for name, link in links.items()
    ]


@pytest.mark.rows("S003-94")
class TestLinks:
    @pytest.mark.parametrize(
        "fields",
        [
            (),
            ('<http://b.example/>; rel="next"',),
            ('</a>; rel="next"', '<b?c=d>; rel=prev; title="x, y"'),
            ("<../x>",),
            ('<http://b.example/a,b;c>; rel="next"; type="text/html", </2>; rel="last"',),
            (
                '<https://api.example/r?page=2>; rel="next", <https://api.example/r?page=5>; rel="last"',
            ),
            ('<#frag>; rel="self"',),
            ("",),
        ],
    )
    async def test_same_as_aiohttp(self, fields: tuple[str, ...]) -> None:
        """Links that are written as they should be are aiohttp's, keys, parameters and absolute URLs."""
        ours, theirs = await both(*[f"Link: {field}" for field in fields])
        assert [sorted(link[1]) for link in plain_links(ours.links)] == [
            sorted(link[1]) for link in plain_links(theirs.links)
        ]
        assert list(ours.links) == list(theirs.links)

    @pytest.mark.parametrize(
        ("field", "links"),
        [
            ("<a>; rel=next", {"next": "http://a.example/dir/a"}),
            ("<a>; REL = next ; x", {"next": "http://a.example/dir/a"}),
            (
                '<a>;rel="next last"',
                {"next": "http://a.example/dir/a", "last": "http://a.example/dir/a"},
            ),
            ('<a>; rel="next"; rel="prev"', {"next": "http://a.example/dir/a"}),
            ("<a>", {"a": "http://a.example/dir/a"}),
            ("junk, <a>; rel=x", {"x": "http://a.example/dir/a"}),
            ("<a; rel=x", {}),
            ('<a>; title="never closed; rel=x', {"a": "http://a.example/dir/a"}),
            (r'<a>; title="quoted \" ; rel=y"; rel=x', {"x": "http://a.example/dir/a"}),
            ("<http://[bad>; rel=x, <b>; rel=y", {"y": "http://a.example/dir/b"}),
            ("< a >; rel=x", {"x": "http://a.example/dir/a"}),
            ('<a>; rel=x; anchor="/other"', {}),
            ("<a>; anchor=#part; rel=x, <b>; rel=y", {"y": "http://a.example/dir/b"}),
            ('<a>; rel=x; anchor="http://[bad"', {}),
            ('<a>; rel=x; anchor=""', {"x": "http://a.example/dir/a"}),
            (f'<a>; rel=x; anchor="{BASE}"; anchor="/2"', {"x": "http://a.example/dir/a"}),
        ],
    )
    def test_as_servers_write_them(self, field: str, links: dict[str, str]) -> None:
        """Several relations, upper case, spaces and junk are understood, or left out."""
        assert {name: str(link["url"]) for name, link in parse_links(field, BASE).items()} == links

    def test_relations_are_case_insensitive(self) -> None:
        """A relation is found in upper and lower case, as are the names of parameters (RFC 8288, section 3.3)."""
        links = parse_links("<a>; Rel=Next; Title*=UTF-8'de'%C3%B6", BASE)
        assert links["next"] is not None
        assert links["NEXT"]["title*"] == "ö"
        assert list(links) == ["Next"]

    def test_several_of_one_relation(self) -> None:
        """All links of a relation are there."""
        links = parse_links("<a>; rel=item, <b>; rel=item", BASE)
        assert [str(link["url"])[-1] for link in links.getall("item")] == ["a", "b"]

    @pytest.mark.parametrize(
        "unit", ["<", "<a>", ";", ',<a>;a="', '\\"', '<a>;a="\\";', "=", " ", ","]
    )
    def test_hostile_fields(self, unit: str) -> None:
        """The cost is linear: a field that is as long as a head may be is done at once."""
        parse_links(unit * (60_000 // len(unit)), BASE)

    @given(st.text(alphabet="<>;,=\"\\ \tax*'%\x80\udcff", max_size=60))
    def test_nothing_raises(self, field: str) -> None:
        """Whatever the field is, something or nothing is found in it."""
        for link in parse_links(field, BASE).values():
            assert isinstance(link["url"], URL)
        parse_disposition(field)
        assert read_parameters(field, 0, in_list=False)[1] == len(field)


@pytest.mark.rows("S003-94")
class TestContentDisposition:
    @pytest.mark.parametrize(
        "field",
        [
            None,
            "inline",
            "attachment",
            'attachment; filename="a.txt"',
            "attachment; filename=a.txt",
            'form-data; name="file"; filename="a b.txt"',
            "attachment; filename*=UTF-8''%e2%82%ac.txt",
            "attachment; filename*=iso-8859-1'en'%A3.txt",
            "attachment; filename=\"fallback.txt\"; filename*=UTF-8''%e2%82%ac.txt",
            'ATTACHMENT; FILENAME="a.txt"',
            r'attachment; filename="a\"b.txt"',
            'attachment; filename="a;b.txt"',
        ],
    )
    async def test_same_as_aiohttp(self, field: str | None) -> None:
        """Type, parameters and file name are aiohttp's."""
        ours, theirs = await both(*(() if field is None else (f"Content-Disposition: {field}",)))
        if field is None:
            assert ours.content_disposition is theirs.content_disposition is None
            return
        found, expected = ours.content_disposition, theirs.content_disposition
        assert found is not None
        assert expected is not None
        assert (found.type, found.filename) == (expected.type, expected.filename)
        assert dict(found.parameters) == dict(expected.parameters)

    @pytest.mark.parametrize(
        ("field", "kind", "filename"),
        [
            ("", None, None),
            ("attachment; filename=", "attachment", None),
            ("attachment; filename=a b, c.txt", "attachment", "a b, c.txt"),
            ("attachment;filename=a.txt;;", "attachment", "a.txt"),
            ('attachment; filename="a.txt', "attachment", "a.txt"),
            ("filename=a.txt", None, "a.txt"),
            ("attachment; filename=a; filename=b", "attachment", "a"),
            ("attachment; filename*=UTF-8''%ff; filename=b", "attachment", "b"),
            ("attachment; filename*=rot13''b; filename=c", "attachment", "c"),
            ("attachment; filename*=b; filename=c", "attachment", "c"),
            ("attachment; filename=ä.txt", "attachment", "ä.txt"),
            ("attachment; filename=\udce4.txt", "attachment", "ä.txt"),
        ],
    )
    def test_as_servers_write_it(self, field: str, kind: str | None, filename: str | None) -> None:
        """Missing quotes, an unclosed one, a missing type, Latin-1: the name is found all the same."""
        found = parse_disposition(field)
        assert (found.type, found.filename) == (kind, filename)

    @pytest.mark.parametrize(
        ("name", "filename"),
        [
            ("../../etc/passwd", "passwd"),
            ("/etc/passwd", "passwd"),
            (r"..\\..\\boot.ini", "boot.ini"),
            ("a/../b", "b"),
            ("..", None),
            (".", None),
            ("a/", None),
            (" ", None),
            ("a\x00b", "ab"),
            ("a\x1b[2Jb", "a[2Jb"),
            ("cod\u202etxt.exe", "codtxt.exe"),
        ],
    )
    def test_file_names_lead_nowhere(self, name: str, filename: str | None) -> None:
        """filename has no directory and no control character; the parameter is as it was sent."""
        found = parse_disposition(f'attachment; filename="{name}"')
        assert found.filename == filename
        assert found.parameters["filename"] == name.replace(r"\\", "\\")

    def test_frozen(self) -> None:
        """It is a value: nothing of it can be changed."""
        found = parse_disposition("inline; a=b")
        with pytest.raises(AttributeError):
            found.type = "x"  # type: ignore[misc]
        with pytest.raises(TypeError):
            found.parameters["a"] = "x"  # type: ignore[index]
        assert found == parse_disposition("INLINE;a=b")


@pytest.mark.rows("S003-84")
class TestCookies:
    @pytest.mark.parametrize(
        "fields",
        [
            ("a=1",),
            ("a=1; Path=/x; Domain=a.example; Secure; HttpOnly; SameSite=Lax; Max-Age=3",),
            ("a=1", "b=2; Path=/", "a=3"),
            ('a="1 2"',),
            ('a={"x":1}; Path=/',),
            ("a=b=c",),
            ("a=; Path=/",),
            ("a=1; Expires=Wed, 09 Jun 2021 10:18:14 GMT",),
            ("a=1;path=/;SECURE;",),
            ('a="\\303\\244"',),
        ],
    )
    async def test_same_as_aiohttp(self, fields: tuple[str, ...]) -> None:
        """Names, values and attributes are aiohttp's."""
        ours, theirs = await both(*[f"Set-Cookie: {field}" for field in fields])
        assert ours.cookies == theirs.cookies
        assert ours.cookies.output() == theirs.cookies.output()

    async def test_one_field_is_one_cookie(self) -> None:
        """Attributes that nobody knows are no cookies."""
        ours, _ = await both("Set-Cookie: a=1; b=2; Partitioned; c=3")
        assert {name: morsel.value for name, morsel in ours.cookies.items()} == {"a": "1"}


@pytest.mark.rows("S003-84")
class TestRawHeaders:
    @pytest.mark.parametrize("byte", [9, *range(0x20, 0x7F), *range(0x80, 0x100)])
    async def test_every_byte(self, byte: int) -> None:
        """Names keep their spelling, values their bytes, whatever these are."""
        value = b"a" + bytes([byte]) + b"\xc3\xa4\xed\xb0\x80z"
        reply = b"HTTP/1.1 200 OK\r\nx-ODD-Name: %b\r\nContent-Length: 0\r\n\r\n" % value
        async with (
            RawServer.replies([reply, reply]) as server,
            ClientSession() as session,
            aiohttp.ClientSession() as other,
        ):
            ours = await session.get(server.url())
            theirs = await other.get(server.url())
        assert ours.raw_headers == theirs.raw_headers
        assert ours.raw_headers[0] == (b"x-ODD-Name", value)


@pytest.mark.rows("S003-84")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_content_length(method: str) -> None:
    """content_length is the number that the field says, as aiohttp's; None without one."""
    replies = [answer(b"okay"), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]
    if method == "HEAD":
        replies = [reply.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" for reply in replies]
    async with RawServer.replies(replies) as server, ClientSession() as session:
        for length in (4, None):
            assert (await session.request(method, server.url())).content_length == length


@pytest.mark.rows("S003-84")
async def test_values() -> None:
    """Responses are true and hashable, and equal only to themselves."""
    async with (
        RawServer.replies([answer(status="404 No"), OK]) as server,
        ClientSession() as session,
    ):
        first, second = [await session.get(server.url()) for _ in range(2)]
    assert first
    assert second
    assert {first: 1, second: 2} == {second: 2, first: 1}
    assert len({first, second, first}) == 2
    assert first != second
