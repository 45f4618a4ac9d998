"""CPU time of this process."""

import gc
import time


class Clock:
    """CPU time, user and system, from now on."""

    def __init__(self) -> None:
        gc.collect()
        self._start = time.process_time()

    def each(self, count: int) -> float:
        """Return seconds for each of *count*."""
        return (time.process_time() - self._start) / count
