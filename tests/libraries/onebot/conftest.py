"""These tests run where the group is installed, by ``make onebot-peers``, and are skipped elsewhere."""

from importlib.util import find_spec

import pytest

# One is enough: where some are missing, their tests fail.
IS_INSTALLED = any(find_spec(name) for name in ("nonebot", "alicebot", "pylibob"))


def pytest_runtest_setup() -> None:
    if not IS_INSTALLED:
        pytest.skip("the dependency group 'onebot-peers' is not installed: make onebot-peers")
