"""Running until a signal."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


async def until_signal(
    running: AbstractAsyncContextManager[object],
    main: Callable[[], Coroutine[Any, Any, object]] | None,
) -> None:
    """Run *running*, and *main* in it, until SIGINT or SIGTERM.

    The signal ends both in order; a second one has its usual effect. Signals are left alone outside of the main thread.

    Raises:
        Exception: what *main* raises; it ends *running* too.
    """
    stop = asyncio.Event()
    restore = _handle_signals(stop)
    waits: list[asyncio.Task[Any]] = []
    try:
        async with running:
            waits.append(asyncio.create_task(stop.wait(), name="onebot: wait for a signal"))
            if main is not None:
                waits.append(asyncio.create_task(main(), name="onebot: main"))
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                if waits[1].done():
                    waits[1].result()
            await waits[0]
            restore()
            for task in waits[1:]:
                # The user's own part ends first: it may still want to emit.
                task.cancel()
                await asyncio.wait([task])
                if not task.cancelled():
                    task.result()
    finally:
        restore()
        for task in waits:
            task.cancel()
        if waits:
            await asyncio.wait(waits)


def _handle_signals(stop: asyncio.Event) -> Callable[[], None]:
    """Let the signals set *stop*; return what restores them."""
    loop = asyncio.get_running_loop()
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        for number in SIGNALS:
            loop.add_signal_handler(number, stop.set)
    except NotImplementedError:  # Windows
        for number in SIGNALS:
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))

    def restore() -> None:
        for number, handler in before.items():
            try:
                loop.remove_signal_handler(number)
            except NotImplementedError:
                pass
            signal.signal(number, handler)

    return restore
