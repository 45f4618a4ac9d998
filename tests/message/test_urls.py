"""Text made a URL: what stays as it is, what is encoded, what is refused, and that nothing else is raised."""

import re
from itertools import chain, starmap

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

import aioclient
from aioclient import CookieJar, Proxy
from aioclient.connectors.address_policy import AddressPolicy
from aioclient.connectors.overrides import Overrides
from aioclient.connectors.proxies.bypass import Bypass
from aioclient.connectors.proxies.decide import ProxyOptions, proxy_rules
from aioclient.connectors.proxies.environment import rules_of_environment
from aioclient.message.links import parse_links
from aioclient.message.origin import canonical_host, origin_of
from aioclient.message.urls import host_of, resolved, url_of
from aioclient.session.urls import checked_base_url, host_name, parsed, with_params

# What hosts, ports, brackets, zones, userinfo and percent-encodings are made of, and what looks like it.
PIECES = st.sampled_from(
    [
        *"ab1.:/?#@[]%\\ -_*\"'<>|~ßä☃⒈\u200b\u200d\u3002\uff0e\uff11\uff10\u0661\u0338\u0130ﷺ℀\udcff\ud800\x00\n\t",
        "http://",
        "https:",
        "ws://",
        "socks5h://",
        "//",
        "..",
        "/../",
        "xn--",
        "xn--n3h",
        "::1",
        "%25",
        "%2F",
        "%e9",
        "127.0.0.1",
        "0x7f",
        "+8",
        "8_0",
        "9" * 5000,
        "a" * 64,
        "localhost",
        ":80",
        ",",
        "*.",
    ]
)
TEXTS = st.one_of(
    st.lists(PIECES, max_size=12).map("".join),
    st.lists(PIECES, max_size=12).map(lambda pieces: "http://" + "".join(pieces)),
    st.text(max_size=20).map(lambda text: f"http://{text}/"),
    st.text(max_size=40),
)
BASE = URL("http://a/b/c/d;p?q")


class TestWhatEscapes:
    """Whatever the text, there is a URL or an error that is documented."""

    @given(TEXTS)
    @example("http://[::1]:1@/")
    @example("http://a:" + "9" * 5000)
    @example("http://\ud800/")
    @example("http://\ud800@a/")
    def test_of_a_url(self, text: str) -> None:
        """Only ValueError is raised, and what is no error is whole: each part of it can be read and written again."""
        for make in (url_of, lambda text: resolved(BASE, text)):
            try:
                url = make(text)
            except ValueError:
                continue
            written = str(url)
            assert written.isascii()
            rest = f"{url.raw_path}?{url.raw_query_string}#{url.raw_fragment}"
            assert not re.search(r"%(?![0-9A-Fa-f]{2})", rest)
            parts = (url.user, url.password, url.port, url.query, url.path, url.fragment)
            assert len(parts) == 6
            try:
                origin = origin_of(url)
            except aioclient.ClientError:
                continue
            assert origin.host.isascii()
            assert url.host is not None
            assert str(url_of(written)) == written

    @given(TEXTS)
    def test_of_what_callers_give(self, text: str) -> None:
        """Calls, base URLs, proxies, policies and environments raise ValueError only, calls a ClientError."""
        try:
            parsed(text)
        except aioclient.ClientError:
            pass
        for make in (
            lambda text: with_params(URL("http://a/"), text),
            checked_base_url,
            host_name,
            host_of,
            canonical_host,
            Proxy,
            Bypass,
            lambda text: Bypass(text).covers("127.0.0.1", 80),
            lambda text: AddressPolicy(hosts=[text]),
            lambda text: AddressPolicy(networks=[text]),
            lambda text: Overrides({f"{text}:80": "127.0.0.1"}),
            lambda text: Overrides({f"a:{text}": "127.0.0.1"}),
            lambda text: Overrides({"a:80": text}),
            lambda text: proxy_rules({f"http://{text}": None}, ProxyOptions()),
            lambda text: rules_of_environment({"http_proxy": text, "no_proxy": text}),
            lambda text: CookieJar(treat_as_secure_origin=text),
            lambda text: CookieJar().update_cookies({"a": "b"}, text),
        ):
            try:
                make(text)
            except (ValueError, aioclient.ClientError):
                pass

    @given(TEXTS)
    def test_of_links(self, text: str) -> None:
        """A Link whose target is no URL is left out."""
        parse_links(f'<{text}>; rel="next"', BASE)

    @pytest.mark.parametrize("authority", ["h:abc", "h:99999", "u:secret@h:x"])
    def test_of_a_url_that_says_it_is_encoded(self, authority: str) -> None:
        """A URL object that yarl has not looked at is refused where it is used."""
        url = URL(f"http://{authority}/", encoded=True)
        for make in (parsed, origin_of, Proxy):
            with pytest.raises(aioclient.InvalidURL, match="its port is not a number") as caught:
                make(url)
            assert "secret" not in str(caught.value)


class TestEncoding:
    """Percent-encodings stay; what no URL may hold is encoded (RFC 3986, sections 2.1 to 2.4)."""

    @given(st.text([chr(code) for code in range(0x20, 0x7F) if chr(code) != "%"], max_size=30))
    def test_as_yarl(self, text: str) -> None:
        """Printable ASCII without a percent sign makes the URL that yarl makes."""
        url = URL(f"http://a.test/{text}")
        assert url_of(f"http://a.test/{text}") == url
        assert resolved(BASE, f"http://a.test/{text}") == url

    @pytest.mark.parametrize("part", ["/{}", "/?a={}", "/#{}", "/x/../b/{}/.?{}"])
    def test_percent_encodings_stay(self, part: str) -> None:
        """All 256 of them, in upper and lower case, in path, query and fragment."""
        for byte in range(256):
            for kept in (f"%{byte:02X}", f"%{byte:02x}"):
                text = f"http://a.test{part.format(kept, kept)}"
                written = text.replace("/x/..", "").replace("/.?", "/?")
                assert str(url_of(text)) == written
                assert str(resolved(BASE, text)) == written

    @pytest.mark.parametrize(
        ("text", "written"),
        [
            ("/a b", "/a%20b"),
            ("/ä%c3%A4", "/%C3%A4%c3%A4"),
            ("/100%", "/100%25"),
            ("/%zz%4", "/%25zz%254"),
            ('/"<>^`{|}[]\\', "/%22%3C%3E%5E%60%7B%7C%7D%5B%5D%5C"),
            ("/!$&'()*+,;=:@-._~", "/!$&'()*+,;=:@-._~"),
            ("/?a=b c&d=ü%2F", "/?a=b+c&d=%C3%BC%2F"),
            ("/?/?:@[]", "/?/?:@%5B%5D"),
            ("/#a#b c", "/#a%23b%20c"),
        ],
    )
    def test_what_is_encoded(self, text: str, written: str) -> None:
        """What RFC 3986 allows stays; a space in the query of a call is a plus, as in forms."""
        assert str(url_of(f"http://a.test{text}")) == f"http://a.test{written}"

    def test_userinfo(self) -> None:
        """The last at sign ends it; what it holds is decoded once."""
        url = url_of("http://u%40:p%2F@ä@a.test/")
        assert (url.user, url.password, url.raw_host) == ("u@", "p/@ä", "a.test")
        assert url.raw_authority == "u%40:p%2F%40%C3%A4@a.test"

    def test_params(self) -> None:
        """Text for a query stays as it was encoded, and so does the query that it is put behind."""
        url = with_params(url_of("http://a.test/?x=%2F"), "y=%2f&z=%7E")
        assert url.raw_query_string == "x=%2F&y=%2f&z=%7E"
        assert with_params(url, {"q": "a/b"}).raw_query_string == "x=%2F&y=%2f&z=%7E&q=a/b"

    @given(st.binary(max_size=20))
    def test_bytes_of_a_server(self, raw: bytes) -> None:
        """Bytes that are no UTF-8 are percent-encoded as they are."""
        text = raw.decode("utf-8", "surrogateescape")
        path = "".join(
            character for character in text if character not in "?#%.;/" and ord(character) > 32
        )
        path = path.replace("\x7f", "")
        url = resolved(BASE, f"/{path}")
        wanted = path.encode("utf-8", "surrogateescape")
        assert (
            re.sub(
                rb"%(..)", lambda found: bytes.fromhex(found[1].decode()), url.raw_path.encode()
            )[1:]
            == wanted
        )


class TestReferences:
    """RFC 3986, section 5.4: the examples, against http://a/b/c/d;p?q."""

    @pytest.mark.parametrize(
        ("reference", "target"),
        [
            ("g:h", "g:h"),
            ("http:g", "http://a/b/c/g"),
            ("HTTP:/g?x#s", "http://a/g?x#s"),
            ("http:?y", "http://a/b/c/d;p?y"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q#s"),
            ("g#s", "http://a/b/c/g#s"),
            ("g?y#s", "http://a/b/c/g?y#s"),
            (";x", "http://a/b/c/;x"),
            ("g;x", "http://a/b/c/g;x"),
            ("g;x?y#s", "http://a/b/c/g;x?y#s"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("../../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            (".g", "http://a/b/c/.g"),
            ("g..", "http://a/b/c/g.."),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/./x", "http://a/b/c/g?y/./x"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("g#s/./x", "http://a/b/c/g#s/./x"),
            ("g#s/../x", "http://a/b/c/g#s/../x"),
            # And what the section does not have.
            ("?", "http://a/b/c/d;p"),
            ("http://a/x/../y", "http://a/y"),
            ("%2e%2e/g", "http://a/b/c/%2e%2e/g"),
            ("/..//b.test/", "http://a//b.test/"),
        ],
    )
    def test_resolution(self, reference: str, target: str) -> None:
        """Each means what the table says."""
        assert str(resolved(BASE, reference)) == str(URL(target, encoded=True))

    def test_the_base_stays_encoded(self) -> None:
        """A relative path is put behind the base's as it is written, not decoded."""
        base = url_of("http://a/x%2Fy/ä%20/z")
        assert str(resolved(base, "g")) == "http://a/x%2Fy/%C3%A4%20/g"

    @pytest.mark.parametrize("text", ["https:g", "https:/g"])
    def test_a_scheme_without_an_authority(self, text: str) -> None:
        """One that is not the base's begins a URL of its own, which has no host here."""
        with pytest.raises(aioclient.InvalidURL):
            origin_of(resolved(BASE, text))


class TestHosts:
    """Label by label, IDNA 2008 behind UTS 46 (RFC 5891, section 4; UTS 46, section 4)."""

    @pytest.mark.parametrize(
        ("text", "host"),
        [
            ("A.TEST", "a.test"),
            ("faß.de", "xn--fa-hia.de"),
            ("_x.faß.de", "_x.xn--fa-hia.de"),
            ("a--b.faß.de", "a--b.xn--fa-hia.de"),
            ("xn--n3h.faß.de", "xn--n3h.xn--fa-hia.de"),
            ("BÜCHER.Test.", "xn--bcher-kva.test."),
            ("\uff41\u3002b\uff61c\uff0ed", "a.b.c.d"),
            ("\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.test", "xn--mgba3gch31f060k.test"),
            ("0:0:0:0:0:0:0:1", "::1"),
            ("FE80::1%25eth0", "fe80::1%25eth0"),
            ("fe80::1%1", "fe80::1%1"),
        ],
    )
    def test_spellings(self, text: str, host: str) -> None:
        """Each label is encoded for itself; those in ASCII stay."""
        assert host_of(text) == host
        bracketed = f"[{text}]" if ":" in text else text
        assert url_of(f"http://{bracketed}:81/").raw_host == host
        assert url_of(f"http://{bracketed}:81/").port == 81

    @pytest.mark.parametrize(
        "text",
        [
            "☃.faß.de",
            "evil⒈com",
            "☃.test",
            "a_ß.test",
            "e\u200bvil.test",
            "e\u00advil.test",
            "e\ufe0fvil.test",
            "a\u200cb.test",
            "a\uff0fb.test",
            "a\uff20b.test",
            "a\uff1a80",
            "a℀b.test",
            "xn--ä.test",
            "-ä.test",
            "ä%41.test",
            "\uff11\uff12\uff17.0.0.1",
            "①②⑦.⓪.⓪.①",
            "127.0.0.\u0661",
            "a.\uff10x7f",
            "\u2160\u0338.test\ud800",
            "ä" * 64,
            "ä." * 200,
            ":",
            "1::2::3",
            "::1%25",
            "::1%25a b",
            "fe80::1%25ä",
            "::ffff:1.2.3.400",
        ],
    )
    def test_refused(self, text: str) -> None:
        """What fails is refused: it is never another name, and never an address in other digits."""
        with pytest.raises(ValueError, match=r"^its host"):
            host_of(text)
        with pytest.raises(aioclient.InvalidUrlClientError):
            parsed(f"http://[{text}]/" if ":" in text else f"http://{text}/")

    def test_no_character_vanishes(self) -> None:
        """No character outside ASCII is dropped from between two letters, or becomes a dot or another delimiter."""
        ranges = ((0x80, 0x2800), (0xD800, 0xD810), (0xF900, 0x10000), (0xE0000, 0xE0200))
        for code in chain.from_iterable(starmap(range, ranges)):
            if code in (0x3002, 0xFF0E, 0xFF61):  # the dots of UTS 46
                continue
            try:
                host = host_of(f"a{chr(code)}b")
            except ValueError:
                continue
            assert len(host) > 2, hex(code)
            assert re.fullmatch(r"[a-z0-9\-]+", host), hex(code)

    @pytest.mark.parametrize(
        "port",
        [
            "+80",
            "-80",
            " 80",
            "80 ",
            "8_0",
            "\uff18\uff10",
            "\u0668\u0660",
            "80.0",
            "0x50",
            "65536",
            "9" * 5000,
        ],
    )
    def test_ports_are_ascii_digits(self, port: str) -> None:
        """Nothing else that Python takes for a number is one."""
        with pytest.raises(ValueError, match="its port is not a number from 1 to 65535"):
            url_of(f"http://a.test:{port}/")
        with pytest.raises(ValueError, match="its port is not a number"):
            Proxy(f"http://a.test:{port}")
        with pytest.raises(ValueError, match="not a host and port"):
            Overrides({f"a.test:{port}": "127.0.0.1"})
        if " " not in port:  # which parts entries
            assert not Bypass(f"a.test:{port}")

    @pytest.mark.parametrize(("port", "number"), [("080", 80), ("", 80), ("00000000065535", 65535)])
    def test_ports(self, port: str, number: int) -> None:
        """Zeros in front mean nothing, and no port is the scheme's (RFC 3986, section 3.2.3)."""
        assert url_of(f"http://a.test:{port}/").port == number


class TestSecrets:
    @pytest.mark.parametrize(
        "text",
        [
            "http://u:secret/@a.test/",
            "http://u:secret☃/x@a.test/",
            "http://secret☃/x@a.test/",
            "http://u:secret@a:b:c/",
            "http://u:secret@☃/",
            "http://u:secret@[::1",
            "http://u:secret\\@a.test/",
            "http://u:secret\ud800@a.test/",
        ],
    )
    def test_none_in_a_message(self, text: str) -> None:
        """Whatever is wrong with a URL, its error shows nothing in front of an at sign."""
        with pytest.raises(aioclient.InvalidURL) as caught:
            parsed(text)
        assert "secret" not in repr(caught.value)
        assert caught.value.__cause__ is None
        with pytest.raises(aioclient.InvalidURL) as caught:
            Proxy(text)
        assert "secret" not in repr(caught.value)
        assert caught.value.__cause__ is None
