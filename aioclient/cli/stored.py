"""Shows and empties a file of stored responses."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from yarl import URL

from ..exceptions import public
from ..middlewares.cache import SQLiteStore
from ..middlewares.cache.directives import response_directives
from ..middlewares.cache.freshness import age_of, freshness_of
from ..middlewares.cache.settings import CacheSettings
from .terminal import one_line

SETTINGS = CacheSettings()


@dataclass(frozen=True, slots=True)
class CacheCommand:
    """The command of ``--cache``: *show* what the *file* of a ``SQLiteStore`` holds, or *clear* it."""

    action: Literal["show", "clear"]
    file: Path


async def look(command: CacheCommand) -> int:
    """Carry out *command*; return the exit status.

    Raises:
        ValueError: there is no such file, or it is not the file of a cache.
    """
    if not command.file.exists():
        raise ValueError(f"{command.file} does not exist")
    import sqlite3

    store = SQLiteStore(command.file)
    try:
        if command.action == "clear":
            print(f"removed {await store.clear()} entries")
            return 0
        now = time.time()
        async for entry in store.entries():
            freshness = freshness_of(entry, response_directives(entry.fields), SETTINGS)
            left = freshness.lifetime - age_of(entry, freshness, now)
            state = f"fresh for {left:.0f} s" if left > 0 else "stale"
            url = public(URL(entry.uri, encoded=True))
            line = f"{entry.status} {entry.size:>10} {state:<24} {url}"
            sys.stdout.write(f"{one_line(line)}\n")
        statistics = await store.statistics()
        print(f"{statistics.entries} entries, {statistics.bytes} bytes")
    except sqlite3.Error as error:
        raise ValueError(f"{command.file}: {error}") from error
    finally:
        await store.close()
    return 0
