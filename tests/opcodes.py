"""Count what code costs, without a clock: the same on every machine."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def opcodes(operation: Callable[[], object]) -> int:
    """Return how many bytecode instructions *operation* takes, calls into C apart."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    # Python 3.12 has opcodes traced only when some frame has asked for it before settrace().
    sys._getframe().f_trace_opcodes = True
    sys.settrace(trace)
    try:
        operation()
    finally:
        sys.settrace(before)
    assert count, "nothing was counted"
    return count
