"""Which proxy an origin is reached by, as a decision on plain values."""

import ssl
from typing import Any

import pytest
from yarl import URL

import aioclient
from aioclient.connectors.proxies.bypass import Bypass
from aioclient.connectors.proxies.decide import (
    Always,
    OverridingTable,
    Proxies,
    ProxyOptions,
    ProxyRules,
    decide,
    proxy_rules,
)
from aioclient.connectors.proxies.environment import rules_of_environment
from aioclient.message.origin import origin_of
from aioclient.message.proxy import DIRECT, Proxy, ProxyLogin

NOTHING = ProxyOptions()


def chosen(url: str, *sources: ProxyRules | None) -> str | None:
    """The proxy for the URL, as it is shown."""
    proxy = Proxies([source for source in sources if source is not None]).choose(
        origin_of(URL(url))
    )
    return None if proxy is None else str(proxy)


def from_environment(**variables: str) -> ProxyRules | None:
    return rules_of_environment(variables)


# (URL, NO_PROXY, whether the host is reached without a proxy)
NO_PROXY = [
    ("http://a.test", "a.test", True),
    ("http://A.Test", "a.TEST", True),
    ("http://a.test.", "a.test", True),
    ("http://a.test", "a.test.", True),
    ("http://b.a.test", "a.test", True),
    ("http://b.a.test", ".a.test", True),
    ("http://a.test", ".a.test", True),
    ("http://b.a.test", "*.a.test", True),
    ("http://a.test", "*.a.test", False),
    ("http://bada.test", "a.test", False),
    ("http://bada.test", ".a.test", False),
    ("http://a.test.evil", "a.test", False),
    ("http://a.test", "b.a.test", False),
    ("http://a.test", "test", True),
    ("http://a.test", "tes", False),
    ("http://a.test", "", False),
    ("http://a.test", "*", True),
    ("http://192.0.2.1", "*", True),
    ("http://a.test", "b.test, a.test", True),
    ("http://a.test", "b.test a.test", True),
    ("http://a.test", "b.test,,  ,", False),
    ("http://a.test", "a.test:80", True),
    ("http://a.test:8080", "a.test:80", False),
    ("https://a.test", "a.test:443", True),
    ("http://b.a.test:8080", ".a.test:8080", True),
    ("http://a.test", "a.test:x", False),
    ("http://faß.test", "faß.test", True),
    ("http://faß.test", "xn--fa-hia.test", True),
    ("http://fass.test", "faß.test", False),
    ("http://192.0.2.1", "192.0.2.1", True),
    ("http://192.0.2.1", "192.0.2.1.", True),
    ("http://192.0.2.1.", "192.0.2.1", True),
    ("http://192.0.2.1", "192.0.2.0/24", True),
    ("http://192.0.2.1", "192.0.2.77/24", True),
    ("http://192.0.3.1", "192.0.2.0/24", False),
    ("http://192.0.2.1:8080", "192.0.2.1:80", False),
    ("http://192.0.2.1", "2.1", False),
    ("http://192.0.2.1", ".1", False),
    ("http://192.0.2.1", "::ffff:192.0.2.1", True),
    ("http://192.0.2.1", "::ffff:192.0.2.0/120", True),
    ("http://127.3.2.1", "127/8", True),
    ("http://127.3.2.1", "127.0/16", False),
    ("http://127.0.0.1", "localhost", True),
    ("http://127.3.2.1", "localhost", True),
    ("http://[::1]", "localhost", True),
    ("http://localhost.", "localhost", True),
    ("http://x.localhost", "localhost", True),
    ("http://localhost", "127.0.0.1", True),
    ("http://localhost", "::1", True),
    ("http://localhost", "127.3.2.1", False),
    ("http://notlocalhost", "localhost", False),
    ("http://128.0.0.1", "localhost", False),
    ("http://[2001:db8::1]", "2001:db8::1", True),
    ("http://[2001:db8::1]", "[2001:DB8:0::1]", True),
    ("http://[2001:db8::1]:8080", "[2001:db8::1]:8080", True),
    ("http://[2001:db8::1]", "[2001:db8::1]:8080", False),
    ("http://[2001:db8::1]", "2001:db8::/32", True),
    ("http://[2001:db9::1]", "2001:db8::/32", False),
    ("http://[fe80::1%25eth0]", "fe80::1", True),
    ("http://[fe80::1%25eth0]", "fe80::/10", True),
    ("http://[fe80::1]", "fe80::1%eth0", True),
    ("http://[fe80::2]", "fe80::1%eth0/64", True),
    ("http://a.test", "192.0.2.0/24", False),
    ("http://a.test", "http://a.test", False),
    ("http://a.test", "!§, [, ]:, a.test/24, */8", False),
]


class TestNoProxy:
    @pytest.mark.parametrize(
        ("url", "no_proxy", "direct"),
        [
            pytest.param(*row, id=f"PRX-06-{row[0].removeprefix('http://')}-{row[1]}")
            for row in NO_PROXY
        ],
    )
    def test_table(self, url: str, no_proxy: str, direct: bool) -> None:
        """Host and entry are compared in one form, and a name matches at its dots only."""
        source = from_environment(all_proxy="http://p.test", no_proxy=no_proxy)
        assert (chosen(url, source) is None) is direct

    def test_nothing(self) -> None:
        """An empty list is false, and covers nothing."""
        assert not Bypass("")
        assert Bypass("*") and Bypass("a.test") and Bypass("*.a.test") and Bypass("::1")


class TestKeys:
    @pytest.mark.parametrize(
        ("url", "proxy"),
        [
            pytest.param("https://a.test:8443", "1", id="S003-15-scheme-host-port"),
            pytest.param("http://a.test:8443", "2", id="S003-15-host-port"),
            pytest.param("https://a.test", "3", id="S003-15-scheme-host"),
            pytest.param("http://a.test", "4", id="S003-15-host"),
            pytest.param("https://b.test", "5", id="S003-15-scheme"),
            pytest.param("http://b.test", "6", id="S003-15-all"),
            pytest.param("https://sub.a.test", "5", id="S003-15-subdomain"),
            pytest.param("wss://a.test", "3", id="S003-15-wss"),
            pytest.param("ws://a.test", "4", id="S003-15-ws"),
            pytest.param("ws://c.test", "7", id="S003-15-ws-itself"),
            pytest.param("http://c.test", "6", id="S003-15-ws-only"),
            pytest.param("http://d.test", None, id="S003-15-none"),
            pytest.param("http://e.test", None, id="S003-15-direct"),
            pytest.param("http://f.test", None, id="S003-15-no_proxy"),
            pytest.param("http://[::1]:8080", "8", id="S003-15-ipv6"),
            pytest.param("http://faß.test", "9", id="S003-15-idna"),
            pytest.param("http://A.test.", "4", id="S003-15-dot"),
        ],
    )
    def test_the_most_specific_wins(self, url: str, proxy: str | None) -> None:
        """Of the keys that fit the one with host and port comes first, then host, then scheme, then all."""
        source = proxy_rules(
            {
                "all": "http://proxy6.test:1",
                "https://": "http://proxy5.test:1",
                "all://a.test": "http://proxy4.test:1",
                "HTTPS://A.test": "http://proxy3.test:1",
                "all://a.test:8443": "http://proxy2.test:1",
                "https://a.test:8443/": URL("http://proxy1.test:1"),
                "ws://c.test": Proxy("http://proxy7.test:1"),
                "http://[0::1]:8080": "http://proxy8.test:1",
                "http://faß.test.": "http://proxy9.test:1",
                "http://d.test": None,
                "http://e.test": DIRECT,
                "no_proxy": ["f.test", "g.test"],
            },
            NOTHING,
        )
        assert chosen(url, source) == (None if proxy is None else f"http://proxy{proxy}.test:1")

    @pytest.mark.parametrize(
        "key",
        [
            "ftp",
            "htps",
            "",
            "a.test",
            "http:/a.test",
            "http://u@a.test",
            "http://*.a.test",
            "http://a.test/x",
            "http://a.test:99999",
        ],
    )
    def test_unknown_keys(self, key: str) -> None:
        """A key that no request would ever ask for is refused: it would mean a direct connection in silence."""
        with pytest.raises(ValueError, match="proxies has a key"):
            proxy_rules({key: "http://p.test"}, NOTHING)

    @pytest.mark.parametrize(
        ("proxies", "reason"),
        [
            ("http://p.test", "must be a mapping"),
            ([("http", "http://p.test")], "must be a mapping"),
            ({1: "http://p.test"}, "must be a str"),
            ({"all": 1}, "must be a str, a URL or a Proxy"),
        ],
    )
    def test_no_mapping(self, proxies: Any, reason: str) -> None:
        """Proxies are a mapping of str to proxies."""
        with pytest.raises(TypeError, match=reason):
            proxy_rules(proxies, NOTHING)

    def test_no_proxy_is_text_or_names(self) -> None:
        """no_proxy is a str, names, or None."""
        assert chosen(
            "http://a.test", proxy_rules({"all": "http://p.test", "no_proxy": None}, NOTHING)
        )
        with pytest.raises(TypeError, match="no_proxy must be"):
            proxy_rules({"no_proxy": 5}, NOTHING)  # type: ignore[dict-item]

    def test_bad_proxies(self) -> None:
        """A proxy that is none is refused with the mapping, not with a request."""
        with pytest.raises(aioclient.InvalidUrlClientError, match="'ftp' of a proxy"):
            proxy_rules({"all": "ftp://p.test"}, NOTHING)


class TestEnvironment:
    @pytest.mark.parametrize(
        ("url", "proxy"),
        [
            pytest.param("http://a.test", "http://one.test:80", id="S003-16-http"),
            pytest.param("https://a.test", "https://two.test:443", id="S003-16-https"),
            pytest.param("ws://a.test", "http://one.test:80", id="S003-16-ws"),
            pytest.param("wss://a.test", "https://two.test:443", id="S003-16-wss"),
            pytest.param("http://b.test", None, id="S003-16-NO_PROXY"),
        ],
    )
    def test_variables(self, url: str, proxy: str | None) -> None:
        """Each scheme has its variable; NO_PROXY stands above them."""
        source = from_environment(
            HTTP_PROXY="one.test", HTTPS_PROXY="https://two.test", NO_PROXY="b.test"
        )
        assert chosen(url, source) == proxy

    @pytest.mark.rows("S003-16")
    def test_all(self) -> None:
        """ALL_PROXY serves the schemes that have none of their own."""
        source = from_environment(ALL_PROXY="socks5h://s.test", https_proxy="http://p.test")
        assert chosen("http://a.test", source) == "socks5h://s.test:1080"
        assert chosen("https://a.test", source) == "http://p.test:80"

    @pytest.mark.rows("S003-16")
    def test_lower_case_wins(self) -> None:
        """Of two cases the lower one counts, an empty value included."""
        source = from_environment(
            HTTP_PROXY="upper.test",
            http_proxy=" lower.test ",
            HTTPS_PROXY="upper.test",
            https_proxy="",
            NO_PROXY="*",
            no_proxy="b.test",
        )
        assert chosen("http://a.test", source) == "http://lower.test:80"
        assert chosen("https://a.test", source) is None
        assert chosen("http://b.test", source) is None

    @pytest.mark.rows("S003-16")
    def test_nothing_said(self) -> None:
        """An environment without a proxy is no source at all."""
        assert from_environment() is None
        assert from_environment(NO_PROXY="a.test", http_proxy="") is None

    @pytest.mark.rows("PRX-07")
    def test_cgi(self) -> None:
        """In a CGI program HTTP_PROXY is a header field of the visitor's; http_proxy cannot be."""
        cgi = {"REQUEST_METHOD": "GET", "HTTP_PROXY": "evil.test"}
        assert rules_of_environment(cgi) is None
        assert rules_of_environment({**cgi, "REQUEST_METHOD": ""}) is None
        both = rules_of_environment({**cgi, "HTTPS_PROXY": "p.test", "http_proxy": "q.test"})
        assert chosen("http://a.test", both) == "http://q.test:80"
        assert chosen("https://a.test", both) == "http://p.test:80"

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param("ftp://u:secret@p.test", id="PRX-11-scheme"),
            pytest.param("http://u:secret@p.test\r\nX: y", id="PRX-11-newline"),
            pytest.param("http://u:secret@", id="PRX-11-no-host"),
            pytest.param("u:secret@p.test:port", id="PRX-11-port"),
        ],
    )
    def test_bad_values(self, value: str) -> None:
        """A bad proxy concerns those requests only that would go by it; no credentials in the error."""
        source = from_environment(HTTPS_PROXY=value, HTTP_PROXY="p.test")
        assert chosen("http://a.test", source) == "http://p.test:80"
        for _ in range(2):
            with pytest.raises(aioclient.InvalidUrlClientError) as caught:
                chosen("https://a.test", source)
            assert "secret" not in f"{caught.value!r} {caught.value}"


class TestSources:
    def test_in_turn(self) -> None:
        """What the session was given comes first; the environment answers for what it does not say."""
        own = proxy_rules({"https": "http://own.test", "no_proxy": "a.test"}, NOTHING)
        environment = from_environment(ALL_PROXY="env.test", NO_PROXY="b.test")
        assert chosen("https://b.test", own, environment) == "http://own.test:80"
        assert chosen("http://c.test", own, environment) == "http://env.test:80"
        assert chosen("http://a.test", own, environment) is None
        assert chosen("http://b.test", own, environment) is None

    def test_remembered(self) -> None:
        """A decision is made once for each origin, and no more than 1,024 are kept."""
        table = Proxies([ProxyRules({"all": "http://p.test"}, Bypass())])
        first = table.choose(origin_of(URL("http://a.test")))
        assert table.choose(origin_of(URL("http://a.test/x"))) is first
        for number in range(3000):
            table.choose(origin_of(URL(f"http://a{number}.test")))
        assert len(table._chosen) <= 1024
        assert table.choose(origin_of(URL("http://a.test"))) == first

    def test_decided_without_a_source(self) -> None:
        """Without a source everything is reached directly."""
        assert decide([], "http", "a.test", 80) is None

    @pytest.mark.rows("S003-38", "S003-43")
    def test_settings(self) -> None:
        """Credentials, fields and TLS beside the URLs are for the proxies that say nothing of their own."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        settings = ProxyOptions(ProxyLogin("u", "p"), {"X": "1"}, context)
        plain = Proxy("http://p.test", auth=("u", "p"), headers={"X": "1"}, ssl=context)
        own = Proxy("http://p.test", auth=("v", "q"), headers={"Y": "2"}, ssl=False)
        source = proxy_rules({"http": "http://p.test", "https": own}, settings)
        assert source.table == {"http": plain, "https": own}
        environment = rules_of_environment({"ALL_PROXY": "p.test"}, settings)
        assert environment is not None
        assert decide([environment], "http", "a.test", 80) == plain

    @pytest.mark.rows("PRX-02")
    def test_overlaid(self) -> None:
        """What a call says of a proxy is for the one that its first hop goes by, and for no other."""
        table = Proxies([proxy_rules({"http": "http://a.test", "https": "http://b.test"}, NOTHING)])
        login = ProxyOptions(ProxyLogin("u", "p"))
        overlaid = OverridingTable(table, origin_of(URL("http://x.test")), login)
        told = overlaid.choose(origin_of(URL("http://y.test")))
        assert told == Proxy("http://a.test", auth=("u", "p"))
        assert overlaid.choose(origin_of(URL("https://x.test"))) == Proxy("http://b.test")

    def test_always(self) -> None:
        """One proxy may serve every origin."""
        proxy = Proxy("http://p.test")
        assert Always(proxy).choose(origin_of(URL("http://localhost"))) is proxy
        assert Always(None).choose(origin_of(URL("http://localhost"))) is None
