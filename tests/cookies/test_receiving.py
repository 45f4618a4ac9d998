"""What a response may set (RFC 6265bis, sections 5.6 and 5.7)."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from aioclient.cookies import CookieJar

from .parts import NOW, Clock, held, jar_of, receive, row, sent


class TestParsing:
    @pytest.mark.parametrize(
        ("field", "header"),
        [
            ("a=1", "a=1"),
            ("a=1;", "a=1"),
            (" a\t=\t1 ;Path=/", "a=1"),
            ("a=", "a="),
            ("a=b=c", "a=b=c"),
            ("a=b c,d", "a=b c,d"),
            ('a="b; c"', 'a="b'),
            ("cart[1]{x}=1", "cart[1]{x}=1"),
            ("path=1; path=/", "path=1"),
            ("a=ü", "a=ü"),
            ("ü=1", "ü=1"),
            ("a=1; Unknown=x; =y; ;;; =", "a=1"),
            ("a=1, b=2", "a=1, b=2"),
        ],
    )
    def test_name_and_value_are_opaque(self, field: str, header: str) -> None:
        """A field is cut at its first semicolon and first equals sign, spaces and tabs around are dropped."""
        assert jar_of(field).header_for(URL("https://a.example/")) == header

    @pytest.mark.parametrize(
        ("fields", "header"),
        [
            pytest.param(["A=1", "a=2"], "A=1; a=2", id="CK-13: case counts"),
            pytest.param(["a b=1"], "a b=1", id="CK-13: a space within a name"),
            pytest.param(["$Version=1", "$Path=/x"], "$Version=1; $Path=/x", id="CK-13: RFC 2965"),
            pytest.param(["word"], "word", id="CK-13: no name"),
            pytest.param(["=word"], "word", id="CK-13: an empty name"),
            pytest.param(["word", "=other"], "other", id="CK-13: one nameless cookie"),
            pytest.param(["=a=b"], None, id="CK-13: nameless, read as named"),
            pytest.param(["", "=", ";", "; Secure", " = "], None, id="CK-13: nothing at all"),
            pytest.param(["a=1", "a =2"], "a=2", id="CK-13: spaces around are no part"),
        ],
    )
    def test_names_are_not_confused(self, fields: list[str], header: str | None) -> None:
        """Names are opaque and case-sensitive; a cookie without one is its value alone."""
        assert sent(jar_of(fields), "https://a.example/") == header

    @pytest.mark.parametrize(
        "field",
        [
            pytest.param("a=b\x07", id="CK-12: value"),
            pytest.param("a\x00=b", id="CK-12: name"),
            pytest.param("a=b; Path=/\x1f", id="CK-12: attribute"),
            pytest.param("a=b\x7f", id="CK-12: DEL"),
            pytest.param("a=b\r\nX-Evil: 1", id="CK-12: line break"),
            pytest.param("a=b\tc", id="CK-12: tab"),
            pytest.param('a="\\012"', id="CK-12: quoted line break"),
            pytest.param('a="\\177"', id="CK-12: quoted DEL"),
        ],
    )
    def test_control_characters_spoil_a_cookie(self, field: str) -> None:
        """A cookie with a control character, quoted or not, is dropped, and those beside it are kept."""
        jar = jar_of(["before=1", field, "after=1"])
        assert sent(jar, "https://a.example/") == "before=1; after=1"
        assert "\n" not in jar.filter_cookies(URL("https://a.example/")).output(sep="; ")

    def test_tab_in_a_path(self) -> None:
        """A path with a tab, which no request has, is no path."""
        assert next(iter(jar_of("a=1; Path=/x\ty")))["path"] == "/"

    def test_bytes_that_are_not_utf8(self) -> None:
        """Raw bytes go back as they came; a mapping of text by name leaves them out."""
        raw = b"a=\xff\xfe".decode("utf-8", "surrogateescape")
        jar = jar_of([raw, "b=1"])
        assert jar.header_for(URL("https://a.example/")) == f"{raw}; b=1"
        assert list(jar.filter_cookies(URL("https://a.example/"))) == ["b"]
        assert len(jar_of("a=\ud800")) == 0

    @pytest.mark.parametrize(
        ("attributes", "lifetime"),
        [
            ("", None),
            ("; Max-Age=60", 60),
            ("; max-age = 60 ", 60),
            ("; Max-Age=0060", 60),
            ("; Max-Age=60; Max-Age=90", 90),
            ("; Max-Age=60; Max-Age=soon", 60),
            ("; Max-Age=60; Expires=Wed, 15 Nov 2023 22:13:20 GMT", 60),
            ("; Expires=Wed, 15 Nov 2023 22:13:20 GMT; Max-Age=60", 60),
            ("; Expires=Wed, 15 Nov 2023 22:13:20 GMT", 86400),
            ("; Expires=Wed, 15 Nov 2023 22:13:20 GMT; Expires=never", 86400),
            ("; Expires=never", None),
            ("; Max-Age=", None),
            ("; Max-Age=-", None),
            ("; Max-Age=+60", None),
            ("; Max-Age=6 0", None),
            ("; Max-Age=6.5", None),
            pytest.param("; Max-Age=\u0666\u0660", None, id="CK-11: digits that are not ASCII"),
            pytest.param("; Max-Age=" + "9" * 1000, 400 * 86400, id="CK-11: a huge number"),
            pytest.param("; Max-Age=" + "9" * 1_000_000, None, id="CK-11: a number of 1 MB"),
            ("; Max-Age=99999999999", 400 * 86400),
            ("; Expires=Fri, 31 Dec 9999 23:59:59 GMT", 400 * 86400),
        ],
    )
    def test_lifetime(self, attributes: str, lifetime: float | None) -> None:
        """Max-Age counts before Expires, the last good one of each counts, and neither beyond 400 days."""
        clock = Clock()
        jar = jar_of(f"a=1{attributes}", clock=clock)
        clock.now = NOW + (10**12 if lifetime is None else lifetime - 1)
        assert sent(jar, "https://a.example/") == "a=1"
        if lifetime is not None:
            clock.now += 1
            assert sent(jar, "https://a.example/") is None
            assert len(jar) == 0

    @pytest.mark.parametrize(
        "attributes",
        [
            "Max-Age=0",
            "Max-Age=-1",
            "Max-Age=-" + "9" * 900,
            "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        ],
    )
    def test_deleting(self, attributes: str) -> None:
        """A lifetime that is over removes the cookie of the same identity and stores nothing."""
        jar = jar_of(["a=1", "b=1"])
        receive(jar, [f"a=; {attributes}", f"c=1; {attributes}"], "https://a.example/")
        assert held(jar) == {("b", "1", "a.example")}

    @pytest.mark.parametrize(
        ("text", "recorded"),
        [("Lax", "Lax"), ("STRICT", "Strict"), ("none", "None"), ("weird", ""), ("", "")],
    )
    def test_flags_are_recorded(self, text: str, recorded: str) -> None:
        """HttpOnly, Secure and SameSite are there to be read; an unknown SameSite is none."""
        morsel = next(iter(jar_of(f"a=1; httponly; SECURE=x; SameSite={text}")))
        assert (morsel["httponly"], morsel["secure"], morsel["samesite"]) == (True, True, recorded)

    @pytest.mark.parametrize("url", ["https://a.example/", "http://a.example/"])
    @pytest.mark.parametrize("site", ["Strict", "Lax", "None"])
    def test_same_site_has_no_effect(self, url: str, site: str) -> None:
        """Behind a client there is no page of another site: SameSite keeps none out, None without Secure either."""
        assert sent(jar_of(f"a=1; SameSite={site}", url), url) == "a=1"

    @pytest.mark.parametrize(
        "field",
        [
            pytest.param('a="' + "\\" * 2_000_000, id="CK-11: backslashes"),
            pytest.param("a=" + '"' * 2_000_000, id="CK-11: quotes"),
            pytest.param("a=1" + ";" * 2_000_000, id="CK-11: semicolons"),
            pytest.param("a=1" + "; x=" * 500_000, id="CK-11: attributes"),
            pytest.param("a=1; Expires=" + "1 " * 500, id="CK-11: date tokens"),
            pytest.param("a=1; Expires=" + "1" * 1024, id="CK-11: date digits"),
            pytest.param("a=1; Domain=" + "." * 1024, id="CK-11: dots"),
            pytest.param("a=1; Domain=" + "1." * 512, id="CK-11: numeric labels"),
            pytest.param(" " * 2_000_000 + "=" + " " * 2_000_000, id="CK-11: spaces"),
            pytest.param("\u2000" * 1000 + "__Host-a=1", id="CK-11: wide spaces"),
        ],
    )
    def test_long_fields_take_linear_time(self, field: str) -> None:
        """Fields of megabytes are read in one pass: were it two nested ones this test would not end."""
        jar = jar_of([field, "b=1"])
        assert "b=1" in (sent(jar, "https://a.example/") or "")

    @given(st.lists(st.text(st.characters(codec="utf-8")) | st.from_regex(r"\A[a-c=; \"\\,-]*\Z")))
    def test_any_field_can_be_received(self, fields: list[str]) -> None:
        """No field raises, and what is sent afterwards has no control character."""
        jar = jar_of(fields)
        header = jar.header_for(URL("https://a.example/")) or ""
        assert all(character >= " " for character in header)
        jar.filter_cookies(URL("https://a.example/")).output()


class TestDomain:
    @pytest.mark.parametrize(
        ("url", "domain"),
        [
            pytest.param("https://x.co.uk/", "co.uk", id="CK-01: co.uk"),
            pytest.param("https://x.co.uk/", ".CO.UK", id="CK-01: mixed case"),
            pytest.param("https://x.co.uk/", "co.uk.", id="CK-01: trailing dot"),
            pytest.param("https://x.com/", "com", id="CK-01: com"),
            pytest.param("https://x.com/", "com.", id="CK-01: com."),
            pytest.param("https://x.com./", "com.", id="CK-01: absolute host"),
            pytest.param("https://x.test/", ".test", id="CK-01: unlisted top level"),
            pytest.param("https://x.github.io/", "github.io", id="CK-01: hosting company"),
            pytest.param("https://a.b.ck/", "b.ck", id="CK-01: wildcard rule"),
            pytest.param("https://x.個人.香港/", "個人.香港", id="CK-01: not an A-label"),
            pytest.param("https://x.個人.香港/", "xn--gmqw5a.xn--j6w193g", id="CK-01: A-labels"),
            pytest.param("https://x.xn--99999999/", "xn--99999999", id="CK-01: no A-label"),
            pytest.param("https://x.example/", "..", id="CK-02: dots"),
            pytest.param("https://x.example/", "x.example.", id="CK-02: trailing dot"),
            pytest.param("https://x.example./", "x.example.", id="CK-02: trailing dots"),
            pytest.param("https://www.x.example/", ".x.example.", id="CK-02: parent's dot"),
            pytest.param("http://localhost/", "localhost.", id="CK-01: local trailing dot"),
            pytest.param("http://127.0.0.1/", "127.0.0.1.", id="CK-04: trailing dot"),
            pytest.param("https://x.example/", "..x.example", id="CK-02: empty label"),
            pytest.param("https://x.example/", "y.example", id="CK-02: another host"),
            pytest.param("https://x.example/", "a.x.example", id="CK-02: a subdomain"),
            pytest.param("https://x.example/", "x.example:443", id="CK-02: a port"),
            pytest.param("https://x.example/", "%78.example", id="CK-02: escaped"),
            pytest.param("https://x.example/", "\uff58.example", id="CK-02: wide letter"),
            pytest.param("https://x.k.example/", "\u212a.example", id="CK-02: Kelvin's K"),
            pytest.param("https://badx.example.com/", "x.example.com", id="CK-03: no dot before"),
            pytest.param(
                "https://badexample.com/", "example.com", id="CK-03: no dot before, short"
            ),
            pytest.param("http://127.0.0.1/", "0.0.1", id="CK-04: part of an address"),
            pytest.param("http://127.0.0.1/", ".1", id="CK-04: last number"),
            pytest.param("http://127.0.0.1/", "1", id="CK-04: last number, no dot"),
            pytest.param("http://a.127.0.0.1/", "127.0.0.1", id="CK-04: address as parent"),
            pytest.param("http://0x7f.1/", "1", id="CK-04: hexadecimal"),
            pytest.param("http://[::1]/", "1", id="CK-04: IPv6"),
        ],
    )
    def test_refused(self, url: str, domain: str) -> None:
        """A domain that is public, foreign, malformed or part of an address makes no cookie."""
        assert held(jar_of(f"a=1; Domain={domain}", url, unsafe=True)) == set()

    @pytest.mark.parametrize(
        ("url", "domain", "below"),
        [
            pytest.param(
                "https://github.io/", "github.io", "https://x.github.io/", id="CK-01: own"
            ),
            pytest.param(
                "http://localhost/", "localhost", "http://x.localhost/", id="CK-01: local"
            ),
            pytest.param("http://localhost/", "", "http://x.localhost/", id="CK-02: empty"),
            pytest.param("https://x.example/", ".", "https://y.x.example/", id="CK-02: a dot"),
            pytest.param("http://127.0.0.1/", "127.0.0.1", "http://a.127.0.0.1/", id="CK-04: own"),
            pytest.param("http://127.0.0.1/", ".127.0.0.1", "http://a.127.0.0.1/", id="CK-04: dot"),
        ],
    )
    def test_host_only(self, url: str, domain: str, below: str) -> None:
        """A host may name itself though it is public or an address; the cookie is its own then, as without a domain."""
        jar = jar_of(f"a=1; Domain={domain}", url, unsafe=True)
        assert sent(jar, url) == "a=1"
        assert sent(jar, below) is None
        assert jar.host_only_cookies == {(URL(url).host, "", "a")}
        assert sent(jar, "https://other.example/") is None

    @pytest.mark.parametrize(
        "domain", ["example.com", ".example.com", "EXAMPLE.COM", ".Example.Com"]
    )
    def test_for_subdomains(self, domain: str) -> None:
        """A domain gives the cookie to the host it names and all below, whatever its case and leading dot."""
        jar = jar_of(f"a=1; Domain={domain}", "https://www.example.com/")
        for host in ("example.com", "WWW.example.com", "a.b.example.com", "example.com."):
            assert sent(jar, f"https://{host}/") == "a=1"
        for host in ("badexample.com", "com", "example.org", "example.com.evil.example"):
            assert sent(jar, f"https://{host}/") is None

    def test_international_domain(self) -> None:
        """A domain in A-labels is the domain of the host that was asked for in any spelling."""
        jar = jar_of("a=1; Domain=xn--bcher-kva.example", "https://shop.bücher.example/")
        assert sent(jar, "https://bücher.example/") == "a=1"

    def test_last_domain_counts(self) -> None:
        """Of several domains the last counts, an empty one too."""
        jar = jar_of(
            ["a=1; Domain=x.example; Domain=", "b=1; Domain=; Domain=x.example"],
            "https://x.example/",
        )
        assert sent(jar, "https://y.x.example/") == "b=1"

    @pytest.mark.rows("S003-103")
    @pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "127.1", "0x7f000001"])
    def test_addresses_need_unsafe(self, host: str) -> None:
        """A host that is an address has cookies only in a jar with unsafe=True, and they are its own."""
        assert len(jar_of("a=1", f"http://{host}/")) == 0
        assert sent(jar_of("a=1", f"http://{host}/", unsafe=True), f"http://{host}/") == "a=1"

    def test_address_in_a_safe_jar_gets_nothing(self) -> None:
        """A safe jar sends an address no cookie of its own, even one the program stored."""
        jar = CookieJar()
        jar.update_cookies(jar_of("a=1", "http://127.0.0.1/", unsafe=True).cookies["127.0.0.1", ""])
        assert sent(jar, "http://127.0.0.1/") is None


class TestPath:
    @pytest.mark.parametrize(
        ("url", "path"),
        [
            ("https://a.example", "/"),
            ("https://a.example/", "/"),
            ("https://a.example/x", "/"),
            ("https://a.example/x/", "/x"),
            ("https://a.example/x/y?z=/w", "/x"),
            ("https://a.example/ü/y", "/%C3%BC"),
            ("https://a.example//x", "/"),
        ],
    )
    @pytest.mark.parametrize("attribute", ["", "; Path=", "; Path=no/slash", "; Path=/q; Path="])
    def test_default_path(self, url: str, path: str, attribute: str) -> None:
        """Without a path that begins with a slash the directory of the request is the path."""
        assert next(iter(jar_of(f"a=1{attribute}", url)))["path"] == path

    @pytest.mark.parametrize(
        ("path", "target", "matches"),
        [
            ("/", "/", True),
            ("/", "/any", True),
            ("/any", "/any", True),
            ("/any", "/any/", True),
            ("/any", "/any/x", True),
            ("/any", "/any?x", True),
            pytest.param("/any", "/anybad", False, id="CK-09: no slash behind"),
            pytest.param("/any", "/any%2Fx", False, id="CK-09: an escaped slash is none"),
            pytest.param("/any/", "/any", False, id="CK-09: longer than the target"),
            pytest.param("/any/", "/any/x", True, id="CK-09: slash at the end"),
            pytest.param("/any", "/an", False, id="CK-09: shorter target"),
            pytest.param("/any", "/Any", False, id="CK-09: case"),
            pytest.param("/any", "/x/any", False, id="CK-09: not at the start"),
            ("/a%20b", "/a%20b/", True),
            ("//", "//x", True),
            ("//", "/x", False),
        ],
    )
    @pytest.mark.parametrize("others", [0, 40])
    def test_path_match(self, path: str, target: str, matches: bool, others: int) -> None:
        """A path matches itself and what lies below a slash, however many paths the host has."""
        fields = [f"a=1; Path={path}", *[f"a=2; Path=/other/{number}" for number in range(others)]]
        assert (sent(jar_of(fields), f"https://a.example{target}") == "a=1") is matches


class TestSecurity:
    def test_secure_cookies_stay_off_insecure_requests(self) -> None:
        """A Secure cookie goes to https and wss only."""
        jar = jar_of("a=1; Secure")
        assert sent(jar, "https://a.example/") == sent(jar, "wss://a.example/") == "a=1"
        assert sent(jar, "http://a.example/") is None
        assert sent(jar, "ws://a.example/") is None

    @pytest.mark.parametrize("url", ["http://a.example/", "ws://a.example/"])
    @row("CK-07")
    def test_insecure_origin_sets_no_secure_cookie(self, row: str, url: str) -> None:
        """A Secure cookie from an insecure origin is refused."""
        assert len(jar_of("a=1; Secure", url)) == 0

    @pytest.mark.parametrize(
        ("first", "url", "second"),
        [
            pytest.param("a=1; Secure", "http://x.site.example/", "a=2", id="CK-07: same"),
            pytest.param(
                "a=1; Secure", "http://x.site.example/", "a=; Max-Age=0", id="CK-07: deleted"
            ),
            pytest.param(
                "a=1; Secure",
                "http://x.site.example/",
                "a=2; Domain=site.example",
                id="CK-07: above",
            ),
            pytest.param(
                "a=1; Secure; Domain=site.example",
                "http://x.site.example/",
                "a=2",
                id="CK-07: below",
            ),
            pytest.param(
                "a=1; Secure",
                "http://y.x.site.example/",
                "a=2; Domain=x.site.example",
                id="CK-07: wide",
            ),
            pytest.param(
                "a=1; Secure; Path=/login",
                "http://x.site.example/",
                "a=2; Path=/login/en",
                id="CK-07: deeper path",
            ),
        ],
    )
    def test_secure_cookies_are_left_alone(self, first: str, url: str, second: str) -> None:
        """An insecure origin neither replaces nor hides a Secure cookie of the same name."""
        jar = jar_of(first, "https://x.site.example/")
        receive(jar, second, url)
        assert [morsel.value for morsel in jar] == ["1"]

    @pytest.mark.parametrize(
        ("url", "second"),
        [
            pytest.param("http://x.site.example/", "b=2", id="CK-07: another name"),
            pytest.param("http://y.site.example/", "a=2", id="CK-07: a sibling"),
            pytest.param("http://x.site.example/", "a=2; Path=/", id="CK-07: a shorter path"),
            pytest.param("http://x.site.example/", "a=2; Path=/other", id="CK-07: another path"),
            pytest.param(
                "https://x.site.example/", "a=2; Path=/login", id="CK-07: a secure origin"
            ),
        ],
    )
    def test_what_does_not_touch_a_secure_cookie(self, url: str, second: str) -> None:
        """What would not go with a Secure cookie, or comes from a secure origin, is stored."""
        jar = jar_of("a=1; Secure; Path=/login", "https://x.site.example/")
        receive(jar, second, url)
        assert "2" in [morsel.value for morsel in jar]

    @row("CK-07")
    @pytest.mark.parametrize("labels", range(5, 12))
    def test_secure_cookies_of_deep_hosts(self, row: str, labels: int) -> None:
        """However many labels a host has, its Secure cookies are protected from what is above, and no other's are."""
        deep = "s." * labels + "site.example"
        jar = jar_of(["a=1; Secure", "b=1; Secure; Domain=s.site.example"], f"https://x.{deep}/")
        receive(jar, f"a=2; Domain={deep}", f"http://y.{deep}/")
        receive(jar, "a=2; Domain=site.example", f"http://y.{deep}/")
        receive(jar, "b=2", f"http://y.{deep}/")
        assert [morsel.value for morsel in jar] == ["1", "1"]
        receive(jar, "a=2", f"http://y.{deep}/")
        receive(jar, f"a=2; Domain=t.{deep}", f"http://t.{deep}/")
        assert [morsel.value for morsel in jar] == ["1", "1", "2", "2"]
        jar.clear_domain(f"x.{deep}")
        receive(jar, f"a=3; Domain={deep}", f"http://y.{deep}/")
        assert jar.cookies[deep, ""]["a"].value == "3"

    @row("CK-07")
    def test_protection_ends_with_the_cookie(self, row: str) -> None:
        """A Secure cookie that was removed or replaced protects its name no more."""
        jar = jar_of("a=1; Secure")
        receive(jar, "a=2", "https://a.example/")
        receive(jar, "a=3", "http://a.example/")
        assert sent(jar, "http://a.example/") == "a=3"
        receive(jar, "a=4; Secure", "https://a.example/")
        jar.clear()
        receive(jar, "a=5", "http://a.example/")
        assert sent(jar, "http://a.example/") == "a=5"

    @pytest.mark.parametrize(
        "field",
        [
            pytest.param("__Secure-a=1", id="CK-08: not Secure"),
            pytest.param("__secure-a=1", id="CK-08: lower case"),
            pytest.param("__SECURE-a=1", id="CK-08: upper case"),
            pytest.param("__Host-a=1; Path=/", id="CK-08: host, not Secure"),
            pytest.param("__Host-a=1; Secure; Path=/; Domain=a.example", id="CK-08: domain"),
            pytest.param("__host-a=1; Secure; Path=/; Domain=a.example", id="CK-08: case, domain"),
            pytest.param("__Host-a=1; Secure", id="CK-08: no path"),
            pytest.param("__Host-a=1; Secure; Path=/x", id="CK-08: another path"),
            pytest.param("__Host-a=1; Secure; Path=x", id="CK-08: no path at all"),
            pytest.param("=__Host-a=1", id="CK-08: nameless"),
            pytest.param("=__Host-a=1; Secure; Path=/", id="CK-08: nameless, Secure"),
            pytest.param("__Host-a; Secure; Path=/", id="CK-08: nameless, no sign"),
            pytest.param("=__sEcUrE-a; Secure", id="CK-08: nameless, no value"),
            pytest.param("\u2000__Host-a=1", id="CK-08: a wide space before"),
            pytest.param("\u2000 \u00a0__Secure-a=1", id="CK-08: wide spaces before"),
            pytest.param("\ufeff__Host-a=1", id="CK-08: a byte order mark before"),
            pytest.param("\udca0__Host-a=1", id="CK-08: a space of Latin-1 before"),
            pytest.param("__Ho\u017ft-a=1", id="CK-08: a letter that folds to s"),
        ],
    )
    def test_prefix_not_kept(self, field: str) -> None:
        """A name that promises Secure or the host alone makes no cookie unless its attributes keep that."""
        assert len(jar_of(field, "https://a.example/x/y")) == 0

    @pytest.mark.parametrize(
        ("field", "domain"),
        [
            pytest.param("__Secure-a=1; Secure; Domain=a.example", "a.example", id="CK-08: Secure"),
            pytest.param("__Host-a=1; Secure; Path=/", "a.example", id="CK-08: host"),
            pytest.param("__HOST-a=1; Path=/; Secure", "a.example", id="CK-08: HOST"),
            pytest.param("a__Host-=1", "a.example", id="CK-08: not at the start"),
            pytest.param("_Host-a=1", "a.example", id="CK-08: one underscore"),
        ],
    )
    def test_prefix_kept(self, field: str, domain: str) -> None:
        """A name whose promise the attributes keep, or that promises nothing, is stored."""
        assert [morsel["domain"] for morsel in jar_of(field)] == [domain]

    @row("CK-08")
    def test_prefix_asks_for_a_path(self, row: str) -> None:
        """The path that __Host- promises is named: that of a request to the root is not enough."""
        assert len(jar_of("__Host-a=1; Secure", "https://a.example/")) == 0
        assert len(jar_of("__Host-a=1; Secure; Path=/", "https://a.example/")) == 1

    @row("CK-08")
    def test_prefix_from_insecure_origin(self, row: str) -> None:
        """An insecure origin sets no cookie with a prefix."""
        assert len(jar_of("__Host-a=1; Secure; Path=/", "http://a.example/")) == 0

    @pytest.mark.rows("S003-103")
    @pytest.mark.parametrize(
        "origins",
        [
            "http://a.example:8080",
            URL("http://a.example:8080/x"),
            ["http://b.example", URL("http://a.example:8080")],
        ],
    )
    def test_treat_as_secure_origin(self, origins: object) -> None:
        """An origin named by the program sets and gets Secure cookies; its port and scheme count."""
        jar = jar_of("a=1; Secure", "http://a.example:8080/x", treat_as_secure_origin=origins)
        assert URL("http://a.example:8080") in jar.treat_as_secure_origin
        assert sent(jar, "http://a.example:8080/y") == "a=1"
        assert sent(jar, "http://a.example/") is None

    @pytest.mark.rows("S003-103")
    @pytest.mark.parametrize("named", ["http://A.example:80", "http://a.example"])
    @pytest.mark.parametrize("url", ["http://a.example:80/x", "http://a.example./x"])
    def test_an_origin_has_many_spellings(self, named: str, url: str) -> None:
        """The port of the scheme, said or not, and the dot of an absolute name make no other origin."""
        jar = jar_of("a=1; Secure", url, treat_as_secure_origin=named)
        assert sent(jar, url) == sent(jar, "http://a.example/x") == "a=1"
        assert sent(jar, "http://a.example:8080/x") is None
        assert sent(jar, "http://b.example/x") is None


class TestIdentity:
    def test_replaced_in_place(self) -> None:
        """A cookie of the same name, domain, path and host-only flag is replaced and keeps its age."""
        jar = jar_of(["a=1", "b=1", "a=2; Domain=a.example", "a=3; Path=/x"])
        receive(jar, "a=4", "https://a.example/")
        assert len(jar) == 4
        assert sent(jar, "https://a.example/x") == "a=3; a=4; b=1; a=2"

    def test_replacement_inherits_no_date(self) -> None:
        """A replacement without a date lasts, though what it replaced had one."""
        clock = Clock()
        jar = jar_of(["a=1; Max-Age=10", "a=1"], clock=clock)
        clock.now += 100
        assert sent(jar, "https://a.example/") == "a=1"

    def test_flags_change_with_the_same_value(self) -> None:
        """A cookie set again with the same value and other flags has the other flags."""
        jar = jar_of(["a=1", "a=1; Secure"])
        assert sent(jar, "http://a.example/") is None


class TestLimits:
    @row("CK-10")
    def test_pair_of_4096_bytes(self, row: str) -> None:
        """Name and value have at most 4096 bytes together."""
        assert len(jar_of(f"ab={'x' * 4094}")) == 1
        assert len(jar_of(f"ab={'x' * 4095}")) == 0
        assert len(jar_of(f"ab={'ü' * 2048}")) == 0
        assert len(jar_of(f"a={'x' * 2**20}")) == 0

    @row("CK-10")
    def test_attribute_of_1024_bytes(self, row: str) -> None:
        """An attribute of more than 1024 bytes is ignored."""
        assert next(iter(jar_of(f"a=1; Path=/{'x' * 1023}")))["path"] == "/" + "x" * 1023
        assert next(iter(jar_of(f"a=1; Path=/{'x' * 1024}")))["path"] == "/"
        assert next(iter(jar_of(f"a=1; Path=/{'ü' * 512}")))["path"] == "/"
        assert sent(jar_of(f"a=1; Secure={'x' * 1025}"), "http://a.example/") is None

    @row("CK-10")
    def test_fifty_of_one_response(self, row: str) -> None:
        """One response sets at most 50 cookies."""
        jar = jar_of([f"c{number}=1" for number in range(2000)])
        assert {morsel.key for morsel in jar} == {f"c{number}" for number in range(50)}

    @row("CK-10")
    def test_what_deep_hosts_take(self, row: str) -> None:
        """Cookies of hosts with a hundred labels take little more memory than others."""

        def taken(labels: int) -> int:
            hosts = [f"https://h{number}.{'a.' * labels}evil.example/" for number in range(4)]
            tracemalloc.start()
            jar = CookieJar()
            for host in hosts:
                receive(jar, [f"c{number}=1; Secure" for number in range(50)], host)
            size, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert len(jar) == 200
            return size

        taken(3)  # what is read once is there
        assert taken(110) < 4 * taken(3)

    @row("CK-10")
    def test_domain_limit(self, row: str) -> None:
        """A domain has at most 180 cookies; beyond it the least recently used go, down to 150."""
        jar = CookieJar()
        for number in range(180):
            receive(jar, f"c{number}=1; Path=/{number}", "https://a.example/")
        receive(jar, "other=1", "https://b.example/")
        assert len(jar) == 181
        sent(jar, "https://a.example/0")
        receive(jar, "new=1", "https://a.example/")
        assert len(jar) == 151
        kept = {morsel.key for morsel in jar}
        assert {"c0", "new", "other", "c32", "c179"} <= kept
        assert not kept & {f"c{number}" for number in range(1, 32)}

    @row("CK-10")
    def test_secure_cookies_go_last(self, row: str) -> None:
        """Of a full domain the Secure cookies go last, and only for a Secure one."""
        jar = CookieJar(max_cookies_per_domain=6)
        for number in range(4):
            receive(jar, f"s{number}=1; Secure", "https://a.example/")
        receive(jar, ["n0=1", "n1=1"], "https://a.example/")
        receive(jar, "n2=1", "https://a.example/")
        assert [morsel.key for morsel in jar] == ["s0", "s1", "s2", "s3", "n2"]
        receive(jar, ["s4=1; Secure", "s5=1; Secure"], "https://a.example/")
        assert [morsel.key for morsel in jar] == ["s0", "s1", "s2", "s3", "s4", "s5"]
        receive(jar, "n3=1", "https://a.example/")
        assert [morsel.key for morsel in jar] == ["s0", "s1", "s2", "s3", "s4", "s5"]
        receive(jar, "s7=1; Secure", "https://a.example/")
        assert [morsel.key for morsel in jar] == ["s2", "s3", "s4", "s5", "s7"]

    @row("CK-10")
    def test_expired_cookies_go_first(self, row: str) -> None:
        """What has expired makes room before anything else goes."""
        clock = Clock()
        jar = CookieJar(clock=clock, max_cookies_per_domain=3)
        receive(jar, ["a=1", "b=1; Max-Age=5", "c=1"], "https://a.example/")
        clock.now += 5
        receive(jar, "d=1", "https://a.example/")
        assert [morsel.key for morsel in jar] == ["a", "c", "d"]

    @row("CK-10")
    def test_total_limit(self, row: str) -> None:
        """The jar has at most 3300 cookies; domains with more than fifty lose theirs first."""
        jar = CookieJar()
        receive(jar, "old=1", "https://old.example/")
        for number in range(3299):
            receive(jar, f"c{number}=1", f"https://h{number // 150}.example/")
        assert len(jar) == 3300
        receive(jar, "new=1", "https://new.example/")
        assert len(jar) == 3001
        assert sent(jar, "https://old.example/") == "old=1"
        assert sent(jar, "https://new.example/") == "new=1"

    @row("CK-10")
    def test_total_limit_spares_secure_cookies(self, row: str) -> None:
        """Of what a domain has beyond its share the Secure cookies go last, however old they are."""
        jar = CookieJar(max_cookies=70)
        for number in range(10):
            receive(jar, "a=1", f"https://h{number}.example/")
        receive(jar, [f"s{number}=1; Secure" for number in range(50)], "https://a.example/")
        receive(jar, [f"n{number}=1" for number in range(10)], "https://a.example/")
        receive(jar, "new=1", "https://b.example/")
        gone = {f"n{number}" for number in range(6)}
        assert len(jar) == 65
        assert not gone & {morsel.key for morsel in jar}

    @row("CK-10")
    def test_total_limit_by_use(self, row: str) -> None:
        """Among small domains the least recently used go."""
        jar = CookieJar(max_cookies=4)
        for number in range(4):
            receive(jar, "a=1", f"https://h{number}.example/")
        sent(jar, "https://h0.example/")
        receive(jar, "a=1", "https://h4.example/")
        assert [morsel["domain"] for morsel in jar] == [
            f"h{number}.example" for number in (0, 2, 3, 4)
        ]

    def test_limit_of_one(self) -> None:
        """The smallest jar holds the newest cookie."""
        jar = jar_of(["a=1", "b=1"], max_cookies=1, max_cookies_per_domain=1)
        assert sent(jar, "https://a.example/") == "b=1"
        for options in ({"max_cookies": 0}, {"max_cookies_per_domain": 0}):
            with pytest.raises(ValueError, match="at least 1"):
                CookieJar(**options)

    @row("CK-10")
    def test_150_are_sent(self, row: str) -> None:
        """A request carries at most 150 cookies; a host's own are among them."""
        jar = jar_of([], "https://x.site.example/")
        for number in range(180):
            receive(
                jar, f"t{number}=1; Domain=site.example; Path=/deep", "https://evil.site.example/"
            )
        receive(jar, "own=1; Path=/", "https://x.site.example/")
        pairs = (jar.header_for(URL("https://x.site.example/deep")) or "").split("; ")
        assert len(pairs) == 150
        assert pairs[-1] == "own=1"
        assert len(jar.filter_cookies(URL("https://x.site.example/deep"))) == 150

    @row("CK-10")
    def test_8190_bytes_are_sent(self, row: str) -> None:
        """The field line has at most 8190 bytes; what does not fit is left out, what is smaller is not."""
        jar = jar_of([f"a={'x' * 4000}", f"b={'ü' * 2000}", f"c={'x' * 100}", "d=1"])
        header = sent(jar, "https://a.example/")
        assert header is not None
        assert [pair[0] for pair in header.split("; ")] == ["a", "b", "c", "d"]
        receive(jar, f"e={'x' * 100}", "https://a.example/")
        header = sent(jar, "https://a.example/") or ""
        assert [pair[0] for pair in header.split("; ")] == ["a", "b", "c", "d"]
        assert len(f"Cookie: {header}".encode()) <= 8190

    def test_a_sibling_does_not_pass_for_what_is_left_out(self) -> None:
        """A cookie that is left out is not replaced by one of its name from a domain farther away."""
        jar = jar_of(["s=evil; Domain=site.example"], "https://evil.site.example/")
        jar.update_cookies({"s": "x" * 9000}, URL("https://www.site.example/"))
        assert sent(jar, "https://www.site.example/") is None
