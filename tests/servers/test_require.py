"""What a missing program or package does to a test."""

import sys

import pytest

from .require import require, require_module


@pytest.mark.parametrize(
    ("ci", "expected"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_what_is_missing(
    ci: str, expected: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test is skipped; where CI=true it fails."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(expected, match="redis is not installed"):
        require_module("redis")
    with pytest.raises(expected, match="apt-get install nothing"):
        require("no-such-program", "nothing")


def test_what_is_there() -> None:
    """It is returned."""
    assert require_module("pytest") is pytest
