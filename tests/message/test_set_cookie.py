"""A ``Set-Cookie`` field as ``response.cookies`` shows it."""

from http.cookies import SimpleCookie

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclient.message.set_cookie import morsel_of, unquote


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("\\" * 2_000_000, id="CK-11-backslashes"),
        pytest.param('\\"' * 1_000_000, id="CK-11-escaped-quotes"),
        pytest.param("\\101" * 500_000, id="CK-11-octal"),
        pytest.param('"' * 2_000_000, id="CK-11-quotes"),
    ],
)
def test_quoted_values_take_linear_time(value: str) -> None:
    """A quoted value of megabytes is read in one pass: were it two nested ones this test would not end."""
    morsel = morsel_of(f'a="{value}"')
    assert morsel is not None
    assert len(morsel.value) in (500_000, 1_000_000, 2_000_000)


@given(st.text('ab\\"0127;, ') | st.text(st.characters(codec="latin-1", exclude_characters="\n")))
def test_unquoted_as_by_http_cookies(text: str) -> None:
    """What a quoted value stands for is what the standard library says."""
    for coded in (text, f'"{text}"'):
        assert unquote(coded) == SimpleCookie().value_decode(coded)[0]


@pytest.mark.parametrize("name", ["path", "cart[id]", "user/name", "é", "a{b}", "a@b", '"q"'])
def test_unusual_names(name: str) -> None:
    """Servers use names that are no tokens, and those of attributes; they are shown."""
    morsel = morsel_of(f" {name} = x; Path=/p")
    assert morsel is not None
    assert (morsel.key, morsel.value, morsel["path"]) == (name, "x", "/p")
    jar: SimpleCookie = SimpleCookie()
    jar[morsel.key] = morsel
    assert jar[name].value == "x"


@pytest.mark.parametrize("field", ["=x", "x", "", "a\x01=b", "a=b\x7f", 'a="\\012"'])
def test_what_is_none(field: str) -> None:
    """Without a name, or with a control character, there is no cookie to show."""
    assert morsel_of(field) is None
