"""Warnings about a call name the caller's line, whichever way the library was called."""

import asyncio
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import aioclient
from aioclient import LegacyParameterWarning
from aioclient.warning import caller, warn_caller, warn_legacy


@pytest.fixture
def ours() -> Iterator[Callable[..., Any]]:
    """A function of the package that runs what it is given, as the library's own frames do."""
    space: dict[str, Any] = {"__name__": f"{aioclient.__name__}.somewhere"}
    exec("def run(function, *arguments):\n    return function(*arguments)", space)
    exec("async def later(function, *arguments):\n    return function(*arguments)", space)
    run = space["run"]
    run.later = space["later"]
    yield run


class TestCaller:
    def test_a_function(self, ours: Callable[..., Any]) -> None:
        """Frames of the package are passed over, however many there are."""
        assert ours(ours, ours, caller) is sys._getframe()

    async def test_a_coroutine(self, ours: Any) -> None:
        """A coroutine of the package that is awaited was called by the one that awaits it."""
        assert await ours.later(caller) is sys._getframe()

    def test_a_name_that_only_begins_alike(self) -> None:
        """A package of another name is not ours, though its name begins as ours does."""
        space: dict[str, Any] = {"__name__": f"{aioclient.__name__}_tools"}
        exec("def run(function):\n    return function()", space)
        assert space["run"](caller).f_globals is space


class TestOnce:
    def test_each_line_once(self, ours: Callable[..., Any]) -> None:
        """With Python's default filters a line warns once for each name, another line again."""
        globals().pop("__warningregistry__", None)
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("default")
            for _ in range(3):
                ours(warn_legacy, "old", "use new")
                ours(warn_legacy, "older", "use new")
            ours(warn_legacy, "old", "use new")
        assert [str(warning.message) for warning in found] == [
            "old is deprecated; use new",
            "older is deprecated; use new",
            "old is deprecated; use new",
        ]
        assert {warning.filename for warning in found} == {__file__}
        assert all(warning.category is LegacyParameterWarning for warning in found)

    def test_code_without_a_module(self) -> None:
        """Code that is executed without a module's name, as in a notebook's magic, is warned as well."""
        space: dict[str, Any] = {"warn_legacy": warn_legacy}
        with pytest.warns(LegacyParameterWarning) as found:
            exec(compile("warn_legacy('old', 'use new')", "<cell>", "exec"), space)
        assert found[0].filename == "<cell>"

    def test_it_can_be_an_error(self) -> None:
        """It is a DeprecationWarning: a filter for those makes an error of it, or silences it."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            with pytest.raises(LegacyParameterWarning):
                warn_legacy("old", "use new")
            warnings.simplefilter("ignore", LegacyParameterWarning)
            warn_legacy("old", "use new")
            with pytest.raises(UserWarning):
                warn_caller("text", UserWarning)


def test_nothing_is_kept() -> None:
    """A warning holds no frame: what the caller's variables name is free again."""

    class Thing:
        pass

    async def call() -> None:
        thing = Thing()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warn_legacy("old", "use new")
        assert sys.getrefcount(thing) == 2

    asyncio.run(call())
