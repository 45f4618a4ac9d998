"""Each of the likely mistakes says what the page about them says."""

import socket
from pathlib import Path

import pytest

from ..servers.certificates import Certificates
from .stage import Mistake, likely, staged

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "mistakes.rst"
MISTAKES = likely()


def has_ipv6() -> bool:
    """Tell whether this machine has the address ``::1``."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_enough() -> None:
    """There are sixty of them at least, each once."""
    assert len({mistake.code for mistake in MISTAKES}) == len(MISTAKES) >= 60


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.title.replace(" ", "-"))
async def test_says(mistake: Mistake, certificates: Certificates) -> None:
    """What it says stands on the page, below its code."""
    if "localhost:1/" in mistake.code and not has_ipv6():
        pytest.skip("this machine has no ::1")
    async with staged(certificates) as stage:
        said = await stage.outcome(mistake.code)
    assert said, "it says nothing at all"
    page = PAGE.read_text()
    title = page.index(f".. rubric:: {mistake.title}\n")
    shown = page[title : page.find("\n.. rubric", title)]
    assert "".join(said.split()) in "".join(shown.split()), "run `make tables`"
