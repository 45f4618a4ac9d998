"""The page of likely mistakes, from what the mistakes of the tests say."""

import asyncio
import tempfile
import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from pages import page, section

from tests.mistakes.stage import Mistake, likely, staged
from tests.servers.certificates import Certificates

WIDTH = 100  # characters of a message's line

INTRO = """
What is written wrong most often, and what each of these mistakes says. The messages are those that a test gets when it
makes the mistake. In the code ``session`` is an open :class:`~aioclient.ClientSession`; on port 8080 of 127.0.0.1 a
server speaks HTTP, on 8443 to 8445 TLS, on port 1 none listens.
"""


async def _said() -> list[tuple[Mistake, str]]:
    with tempfile.TemporaryDirectory() as folder:
        async with staged(Certificates(Path(folder))) as stage:
            return [(mistake, await stage.outcome(mistake.code)) for mistake in likely()]


def _entries(found: list[tuple[Mistake, str]]) -> Iterator[str]:
    for mistake, said in found:
        yield from (f".. rubric:: {mistake.title}", "", ".. code-block:: python", "")
        yield from (textwrap.indent(mistake.code, "    "), "", ".. code-block:: text", "")
        for line in said.splitlines():
            lines = textwrap.wrap(line, WIDTH, break_on_hyphens=False, subsequent_indent="    ")
            yield from (f"    {part}" for part in lines)
        yield ""


def mistakes_page() -> str:
    """Return the page."""
    parts = []
    for chapter, found in groupby(asyncio.run(_said()), lambda pair: pair[0].chapter):
        parts.append(section(chapter))
        parts.append(_entries(list(found)))
    return page("Likely mistakes, and what they say", INTRO, *parts)
