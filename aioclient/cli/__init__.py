"""The command ``aioclient``, also ``python -m aioclient``: fetch a URL.

The body goes to standard output or a file, everything else to standard error. The exit status is 0 for a response
below 400, 1 for one of 400 or more, 2 for bad arguments, 3 when no response came or it could not be written.

- ``arguments``: reads the command line; ``fetch``: sends the request; ``stored``: shows what a cache holds;
  ``terminal``: formats text for people.
"""

import asyncio
import os
import sys
from collections.abc import Sequence

from ..exceptions import ClientError
from .arguments import read
from .fetch import fetch
from .stored import CacheCommand, look
from .terminal import one_line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with *arguments* (``sys.argv`` by default); return its exit status."""
    command = read(arguments)
    try:
        if isinstance(command, CacheCommand):
            return asyncio.run(look(command))
        return asyncio.run(fetch(command))
    except BrokenPipeError:
        # The reader of our output has closed it. The rest in the buffer must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 3
    except (ClientError, OSError, ValueError) as error:
        print(f"aioclient: {type(error).__name__}: {one_line(str(error))}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130
