"""Look at the tasks of an event loop: where they wait, and let them move on."""

import asyncio
from types import CodeType
from typing import Any


async def turns(count: int = 3) -> None:
    """Let the event loop run `count` iterations; no time passes.

    Bytes that were sent to a socket of the same loop before the call have been read by the other
    side after two rounds (asyncio polls sockets once in each round), three is a round to spare.

    >>> import asyncio
    >>> asyncio.run(turns())
    """
    for _ in range(count):
        await asyncio.sleep(0)


def await_chain(awaitable: object) -> list[str]:
    """Return where a suspended coroutine waits: `file:line function`, outermost first.

    `asyncio.Task.get_stack()` knows the outermost frame of a suspended task only; this follows
    what each coroutine awaits down to the innermost one.
    """
    chain: list[str] = []
    current: Any = awaitable
    while current is not None:
        for prefix, following in (("cr", "await"), ("gi", "yieldfrom"), ("ag", "await")):
            code = getattr(current, f"{prefix}_code", None)
            if isinstance(code, CodeType):
                frame = getattr(current, f"{prefix}_frame", None)
                line = code.co_firstlineno if frame is None else frame.f_lineno
                chain.append(f"{code.co_filename}:{line} {code.co_qualname}")
                current = getattr(current, f"{prefix}_{following}", None)
                break
        else:
            break
    return chain


def describe_task(task: "asyncio.Task[Any]") -> str:
    """Return the task's name and, a line for each coroutine, where it waits."""
    lines = [f"task {task.get_name()!r}"]
    lines += [f"    at {place}" for place in await_chain(task.get_coro())]
    return "\n".join(lines)
