"""Say which program or package a test needs."""

import importlib
import os
import shutil
from typing import Any, NoReturn

import pytest


def require(command: str, package: str) -> str:
    """Return the command's path; without it skip the test, or fail it where CI=true."""
    # Debian keeps servers where an ordinary user's PATH does not look.
    path = shutil.which(command, path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
    if path is None:
        _miss(f"{command} is not installed: apt-get install {package}")
    return path


def require_module(name: str) -> Any:
    """Return a module of the dependency group "test"; without it skip the test or module, or fail it where CI=true."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        _miss(f"{name} is not installed, it is in the dependency group 'test': {error}")


def _miss(text: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(text, pytrace=False)
    pytest.skip(text, allow_module_level=True)
