"""Whatever a server or a file says: its readers give a value, or raise what is documented, and nothing else."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from yarl import URL

from aioclient import BasicAuth, CookieJar
from aioclient.cookies import cookies_txt, json_file
from aioclient.cookies.dates import parse_cookie_date
from aioclient.message.charsets import codec_of, decode_text
from aioclient.message.digest import answer, challenges, strongest
from aioclient.message.disposition import parse_disposition
from aioclient.message.links import parse_links
from aioclient.message.media_type import judge_content_type, parse_content_type
from aioclient.message.retry_after import MAX_DELAY, retry_after
from aioclient.message.set_cookie import morsel_of
from aioclient.middlewares.auth.netrc_file import parse_netrc
from aioclient.response.json_body import decode_json

URL_OF_ALL = URL("https://www.example.org/a/b")
# What the grammars are made of, and what breaks functions of the standard library: digits of other scripts, numbers
# that are too large for C and for int(), lone surrogates, raw bytes, line ends that only Unicode knows.
PIECES = [
    *'",;=\'*%<>[]{}@:/\\.#()$&+-_!?|~^` \t\n\r\x00\x85\u2028\ufeff\udcff\ud800é٣²',
    *("%ff", "utf-8''", "gbk''", "charset=", "filename=", "filename*=", "text/html", "rel=", "anchor="),
    *("Digest ", "Basic ", "Negotiate ", "realm=", "nonce=", "algorithm=", "SHA-256", "MD5-sess", "qop=", "auth"),
    *("Expires=", "Max-Age=", "Domain=", "Path=", "Secure", "__Host-", "__Secure-", "example.org", "xn--", "::1"),
    *("Sun, 09 Sep 2001 01:47:10 GMT", "+9999", "Sep", "2001", "99", "9" * 20, "9" * 400, "9" * 4400, "-1", "1e999"),
    *("machine ", "default ", "login ", "password ", "macdef ", "#HttpOnly_", "TRUE\t", "FALSE\t", "\t0\t"),
    *("null", "NaN", "true", '"name":', '"expires":', '"cookies":', "http://", "http://[", "x" * 300),
]  # fmt: skip
TEXT = st.lists(
    st.one_of(st.sampled_from(PIECES), st.text(st.characters(), max_size=4)), max_size=14
).map("".join)


def cookies(text: str) -> None:
    """Store what the field sets, and use the jar in every way."""
    jar = CookieJar(max_cookies=5)
    jar.update_cookies_from_headers([text], URL_OF_ALL)
    (jar.header_for(URL_OF_ALL) or "").encode("utf-8", "surrogateescape")
    jar.filter_cookies(URL_OF_ALL).output()
    assert all(morsel.OutputString() for morsel in jar)
    assert len(jar.cookies) == len(jar)
    held = jar._held()
    assert len(cookies_txt.parse(cookies_txt.dump(held), "", True)) == len(held)
    assert len(json_file.parse(json_file.dump(held), "", True, 0.0)) == len(held)


def digest(text: str) -> None:
    assert len(challenges([text, text])) == 2 * len(challenges([text]))
    challenge = strongest([text])
    if challenge is not None:
        answer(challenge, "u", "p", "GET", "/", 1, "c").encode("utf-8", "surrogateescape")


def charset(text: str) -> None:
    codec = codec_of(text)
    if codec is not None:
        assert isinstance(decode_text(b"abcd", codec, "replace"), str)


def delay(text: str) -> None:
    for fields in ({"Retry-After": text}, {"Retry-After": text, "Date": text}):
        assert 0 <= (retry_after(CIMultiDict(fields), 1e9) or 0) <= MAX_DELAY


def morsel(text: str) -> None:
    found = morsel_of(text)
    assert found is None or found.OutputString()


def links(text: str) -> None:
    assert all(link["url"].is_absolute() for link in parse_links(text, URL_OF_ALL).values())


READERS: dict[str, tuple[Callable[[str], Any], tuple[type[Exception], ...]]] = {
    "set-cookie": (cookies, ()),
    "morsel": (morsel, ()),
    "cookie-date": (parse_cookie_date, ()),
    "content-type": (parse_content_type, ()),
    "json-type": (lambda text: judge_content_type(text, "application/json"), ()),
    "charset": (charset, ()),
    "content-disposition": (parse_disposition, ()),
    "link": (links, ()),
    "retry-after": (delay, ()),
    "challenge": (digest, ()),
    "basic": (BasicAuth.decode, (ValueError,)),
    "json": (
        lambda text: decode_json(text.encode("utf-8", "surrogatepass"), "utf-8"),
        (json.JSONDecodeError, UnicodeDecodeError),
    ),
    "cookies.txt": (lambda text: cookies_txt.parse(text, "", True), (ValueError,)),
    "cookies.json": (lambda text: json_file.parse(text, "", True, 0.0), (ValueError,)),
    "netrc": (parse_netrc, (ValueError,)),
}


@pytest.mark.parametrize("reader", READERS)
@given(text=TEXT)
def test_any_text(reader: str, text: str) -> None:
    """A reader of text that others write raises what it says that it raises."""
    read, documented = READERS[reader]
    try:
        read(text)
    except documented as error:
        assert not isinstance(error, UnicodeEncodeError)


def test_an_integer_that_python_does_not_convert() -> None:
    """A number of more digits than Python converts is a JSONDecodeError as well."""
    with pytest.raises(json.JSONDecodeError, match="4300 digits"):
        decode_json(b"[" + b"1" * 5000 + b"]", "utf-8")
