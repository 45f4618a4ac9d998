"""These tests run where the group is installed, and are skipped elsewhere: ``.ci/run`` has an environment for them."""

from importlib.util import find_spec

import pytest

IMPORTED_AS = (
    "aiobotocore",
    "aiodocker",
    "discord",
    "httpbin",
    "langchain_community",
    "litellm",
    "opensearchpy",
    "pytest_aiohttp",
)
# One is enough: where some are missing, their tests fail.
IS_INSTALLED = any(find_spec(name) for name in IMPORTED_AS)


def pytest_runtest_setup() -> None:
    if not IS_INSTALLED:
        pytest.skip("the dependency group 'libraries' is not installed: make libraries")
