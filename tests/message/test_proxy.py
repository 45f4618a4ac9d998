"""A proxy as a value: spellings, what makes two of them different, and what no message shows."""

import ssl
from typing import Any

import aiohttp
import pytest
from yarl import URL

import aioclient
from aioclient.message.proxy import Proxy, ProxyDigestAuth, coerce_proxy_auth

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class TestSpellings:
    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            pytest.param("http://proxy.test", "http://proxy.test:80", id="S003-37-http"),
            pytest.param("https://proxy.test/", "https://proxy.test:443", id="S003-37-https"),
            pytest.param("socks5h://proxy.test", "socks5h://proxy.test:1080", id="S003-37-socks"),
            pytest.param("SOCKS4://Proxy.Test:9", "socks4://proxy.test:9", id="S003-37-case"),
            pytest.param(URL("http://[::1]:3128"), "http://[::1]:3128", id="S003-37-ipv6"),
            pytest.param("http://faß.test:1", "http://xn--fa-hia.test:1", id="S003-37-idna"),
            pytest.param("http://u:p@proxy.test.:8", "http://proxy.test:8", id="S003-37-dot"),
        ],
    )
    def test_urls(self, url: str | URL, shown: str) -> None:
        """A proxy is a URL; it is shown by scheme, host and port."""
        assert str(Proxy(url)) == shown
        assert repr(Proxy(url)) == f"<Proxy {shown}>"

    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            pytest.param("proxy.test:3128", "needs a scheme", id="S003-37-bare"),
            pytest.param("ftp://u:secret@proxy.test", "'ftp' of a proxy", id="S003-37-ftp"),
            pytest.param("http://u:secret@", "names no host", id="PRX-11-no-host"),
            pytest.param("http://u:secret@h:99999", "port is not a number", id="PRX-11-port"),
            pytest.param("http://u:secret@h:0", "port 0", id="PRX-11-port-0"),
            pytest.param("http://u:secret@a\r\nb", "control character", id="PRX-11-newline"),
            pytest.param("http://u:secret@a b", "not allowed in a host name", id="PRX-11-space"),
            pytest.param("http://u:secret@0x7f.1", "not an IPv4 address", id="PRX-11-address"),
        ],
    )
    def test_no_proxy_at_all(self, url: str, reason: str) -> None:
        """What names no proxy is refused, and the message shows no credentials."""
        with pytest.raises(aioclient.InvalidUrlClientError, match=reason) as caught:
            Proxy(url)
        assert "secret" not in str(caught.value)
        assert "secret" not in repr(caught.value)
        assert caught.value.__cause__ is None or "secret" not in str(caught.value.__cause__)

    def test_another_type(self) -> None:
        """A proxy that is neither str nor URL is a TypeError."""
        with pytest.raises(TypeError, match="found int"):
            Proxy(3128)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "auth",
        [
            pytest.param(("u", "p"), id="S003-38-tuple"),
            pytest.param(aioclient.BasicAuth("u", "p"), id="S003-38-ours"),
            pytest.param(None, id="S003-38-url"),
        ],
    )
    def test_credentials(self, auth: Any) -> None:
        """Login and password have several spellings, and become one Basic field."""
        proxy = Proxy("http://u:p@proxy.test" if auth is None else "http://proxy.test", auth=auth)
        assert proxy.fields() == [("Proxy-Authorization", "Basic dTpw")]
        assert "p'" not in repr(proxy.auth)

    @pytest.mark.parametrize(
        ("auth", "reason"),
        [
            (("secret", 1), "password for a proxy must be a str, found int"),
            ((b"secret", "p"), "login for a proxy must be a str, found bytes"),
            (("u", "secret", "realm"), "third entry is an encoding"),
            (("u", "secret", 8), "third entry is an encoding"),
            (("secret",), "found tuple"),
            ("u:secret", "found str"),
        ],
    )
    def test_no_credentials(self, auth: Any, reason: str) -> None:
        """What is no login and password is refused, and the message shows nothing of it."""
        with pytest.raises((TypeError, ValueError), match=reason) as caught:
            coerce_proxy_auth(auth)
        assert "secret" not in str(caught.value)

    @pytest.mark.rows("S003-38")
    def test_aiohttp_credentials(self) -> None:
        """aiohttp's BasicAuth is taken as it is, its encoding included."""
        with pytest.warns(DeprecationWarning):
            auth = aiohttp.BasicAuth("ü", "p", "utf-8")
        assert (
            Proxy("http://proxy.test", auth=auth).fields()
            == Proxy("http://%C3%BC:p@proxy.test").fields()
        )

    @pytest.mark.parametrize(
        ("url", "more", "reason"),
        [
            pytest.param(
                "http://u:secret@h",
                {"auth": ("a", "b")},
                "in its URL and in auth",
                id="S003-38-two",
            ),
            pytest.param("http://h", {"auth": ("a:b", "c")}, "contains a ':'", id="S003-38-colon"),
            pytest.param("http://h", {"auth": ("Ā", "c")}, 'encoding="utf-8"', id="S003-38-latin1"),
            pytest.param("http://h", {"auth": (None, "c")}, "must be a str", id="S003-38-none"),
            pytest.param(
                "http://u:secret@h",
                {"headers": {"proxy-authorization": "x"}},
                "leave out one",
                id="S003-43-two",
            ),
            pytest.param(
                "http://h", {"headers": {"X": "a\r\nb"}}, "control character", id="INJ-05-value"
            ),
            pytest.param("http://h", {"headers": {"X Y": "a"}}, "not a token", id="INJ-05-name"),
            pytest.param(
                "http://h",
                {"headers": {"Content-Length": "5"}},
                "cannot be set",
                id="INJ-05-length",
            ),
            pytest.param("socks4://u:secret@h", {}, "SOCKS4 has no passwords", id="PRX-09-socks4"),
            pytest.param("socks4://%00u@h", {}, "zero byte", id="PRX-09-zero"),
            pytest.param(f"socks5://{'u' * 256}:secret@h", {}, "1 to 255 bytes", id="PRX-09-login"),
            pytest.param(f"socks5://u:{'p' * 256}@h", {}, "1 to 255 bytes", id="PRX-09-password"),
            pytest.param("socks5://u@h", {}, "1 to 255 bytes", id="PRX-09-empty"),
            pytest.param(f"socks5://{'ü' * 128}:secret@h", {}, "1 to 255 bytes", id="PRX-09-bytes"),
            pytest.param(
                "socks5://h", {"auth": ("\udcff", "secret")}, "UTF-8", id="PRX-09-surrogate"
            ),
            pytest.param(
                "socks5://h",
                {"auth": ProxyDigestAuth("u", "secret")},
                "cannot be shown a digest",
                id="PRX-09-digest",
            ),
        ],
    )
    def test_contradictions(self, url: str, more: dict[str, Any], reason: str) -> None:
        """What contradicts itself or cannot be sent is refused; the message shows no credentials."""
        with pytest.raises(ValueError, match=reason) as caught:
            Proxy(url, **more)
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("scheme", "login", "password"),
        [
            ("socks5", "a:b", "c:d"),
            ("socks5h", "ŵ@ü\x00\n", " "),
            ("socks5", "u" * 255, "ü" * 127),
            ("socks4", "a:ŵ", ""),
            ("socks4a", "u" * 1000, ""),
        ],
    )
    def test_what_socks_carries(self, scheme: str, login: str, password: str) -> None:
        """SOCKS takes what Basic does not: colons, any character, control characters too (RFC 1929, section 2)."""
        for auth in ((login, password), (login, password, "latin1")):
            proxy = Proxy(f"{scheme}://h", auth=auth)
            assert proxy.auth is not None
            assert (proxy.auth.login, proxy.auth.password) == (login, password)
            assert proxy == Proxy(f"{scheme}://h").changed(auth)

    @pytest.mark.parametrize("auth", ["u:p", 5, ("u",), b"u"])
    def test_no_credentials_at_all(self, auth: Any) -> None:
        """Everything else that is given for credentials is a TypeError."""
        with pytest.raises(TypeError, match="proxy_auth must be"):
            coerce_proxy_auth(auth)


class TestDifferences:
    @pytest.mark.parametrize(
        "other",
        [
            pytest.param(Proxy("https://u:p@h:8"), id="POOL-06-scheme"),
            pytest.param(Proxy("http://u:p@g:8"), id="POOL-06-host"),
            pytest.param(Proxy("http://u:p@h:9"), id="POOL-06-port"),
            pytest.param(Proxy("http://v:p@h:8"), id="POOL-06-login"),
            pytest.param(Proxy("http://u:q@h:8"), id="POOL-06-password"),
            pytest.param(Proxy("http://h:8"), id="POOL-06-anonymous"),
            pytest.param(Proxy("http://h:8", auth=ProxyDigestAuth("u", "p")), id="POOL-06-digest"),
            pytest.param(Proxy("http://u:p@h:8", headers={"X": "1"}), id="POOL-06-headers"),
            pytest.param(Proxy("http://u:p@h:8", ssl=False), id="POOL-08-verify"),
            pytest.param(Proxy("http://u:p@h:8", ssl=CONTEXT), id="POOL-08-context"),
            pytest.param(Proxy("http://u:p@h:8").authorized("Basic x"), id="POOL-06-field"),
        ],
    )
    def test_any_difference(self, other: Proxy) -> None:
        """Proxies are equal only if everything is: address, credentials, fields, TLS."""
        proxy = Proxy("http://u:p@h:8")
        same = Proxy("http://u:p@H:8/", headers={}, ssl=None)
        assert (proxy, hash(proxy)) == (same, hash(same))
        assert proxy != other

    def test_changed(self) -> None:
        """A proxy may be told more: what is said last replaces what it had, credentials in every form too."""
        plain = Proxy("http://h:8")
        other = plain.changed(("u", "p"), {"X": "1"}, CONTEXT)
        assert other == Proxy("http://h:8", auth=("u", "p"), headers={"X": "1"}, ssl=CONTEXT)
        assert plain == Proxy("http://h:8")
        assert other.changed() == other
        assert other.changed(("v", "q")).auth == coerce_proxy_auth(("v", "q"))
        told = other.authorized("Basic x")
        assert told.fields() == [("X", "1"), ("Proxy-Authorization", "Basic x")]
        assert told.authorized("Basic y").fields()[1:] == [("Proxy-Authorization", "Basic y")]
        assert told.changed(("u", "p")) == other
        with pytest.raises(ValueError, match="leave out one"):
            plain.changed(("u", "p"), {"Proxy-Authorization": "Basic x"})
