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
The most common mistakes, and their messages. A test makes each mistake, and the messages are what it gets. In the code
``session`` is an open :class:`~aioclient.ClientSession`; a server on 127.0.0.1 speaks HTTP on port 8080 and TLS on 8443
to 8445; nothing listens on port 1.
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
