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
