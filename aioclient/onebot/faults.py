"""What functions of the user raise: handlers, hooks, and methods of values that are sent.

Whatever they raise is the failure of one action, one event or one peer, and is logged with its place. Only what ends
the program, or the task that runs them, is passed on.
"""

import asyncio
from pathlib import Path
from traceback import walk_tb
from typing import Final

_OURS: Final = str(Path(__file__).parent)


def is_fault(error: BaseException) -> bool:
    """Tell whether *error* is a failure of the function that raised it.

    It is not if it ends the program or a coroutine, or if it is the cancellation of the running task. A cancellation
    of something that the function waited for is its failure.
    """
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is None or not task.cancelling()
    return not isinstance(error, (SystemExit, KeyboardInterrupt, GeneratorExit))


def described(error: BaseException) -> str:
    """Return what the function did: ``raised ValueError``."""
    if isinstance(error, asyncio.CancelledError):
        return "was cancelled from within"
    return f"raised {type(error).__name__}"


def place_of(error: BaseException) -> str:
    """Return the line of the user's code that led to *error*: ``file:line``."""
    for frame, line in walk_tb(error.__traceback__):
        path = frame.f_code.co_filename
        if not path.startswith(_OURS):
            return f"{path}:{line}"
    return "an unknown place"
