"""Say which program a test needs."""

import os
import shutil

import pytest


def require(command: str, package: str) -> str:
    """Return the command's path; without it skip the test, or fail it where CI=true."""
    # Debian keeps servers where an ordinary user's PATH does not look.
    path = shutil.which(command, path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
    if path is not None:
        return path
    text = f"{command} is not installed: apt-get install {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(text, pytrace=False)
    pytest.skip(text)
