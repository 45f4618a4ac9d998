"""The return codes of actions, as OneBot 12 has them (chapter "action responses").

Codes that begin with 4 or 5 are reserved; those that begin with 6 to 9 are free for an implementation's own use.
"""

from typing import Final

OK: Final = 0

# 1xxxx: the request is wrong.
BAD_REQUEST: Final = 10001
UNSUPPORTED_ACTION: Final = 10002
BAD_PARAM: Final = 10003
UNSUPPORTED_PARAM: Final = 10004
UNSUPPORTED_SEGMENT: Final = 10005
BAD_SEGMENT_DATA: Final = 10006
UNSUPPORTED_SEGMENT_DATA: Final = 10007
WHO_AM_I: Final = 10101
UNKNOWN_SELF: Final = 10102

# 2xxxx: the handler is wrong.
BAD_HANDLER: Final = 20001
INTERNAL_HANDLER_ERROR: Final = 20002

# 3xxxx: carrying it out failed; the last three digits are the implementation's own.
DATABASE_ERROR: Final = 31000
FILESYSTEM_ERROR: Final = 32000
NETWORK_ERROR: Final = 33000
PLATFORM_ERROR: Final = 34000
LOGIC_ERROR: Final = 35000
I_AM_TIRED: Final = 36000


def is_failure(retcode: object) -> bool:
    """Tell whether a failed action may have *retcode*: it is an int of 64 bits, not 0, and not reserved."""
    return (
        isinstance(retcode, int)
        and not isinstance(retcode, bool)
        and retcode != OK
        and not 40000 <= retcode < 60000  # reserved
        and -(2**63) <= retcode < 2**63
    )
