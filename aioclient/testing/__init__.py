"""Parts for testing code that talks HTTP: used by this project's own tests, and for yours.

- `RawServer`: a server whose every byte you write, on real loopback sockets
- `H2Server`: the same for HTTP/2, frame by frame
- `serve_h2`: an aiohttp.web application over HTTP/2
- `no_leaks`, `LeakWatch`: check that nothing stays behind: socket, task, pool slot, exception, warning
- `cancel_everywhere`: cancel a scenario at each of its awaits in turn
- `VirtualClockLoop`, `run_virtual`: an event loop whose timers fire at once, sockets being real
- `within`: end what hangs and show where
- `no_waiting`: let no middleware wait
- `turns`: let the event loop run some iterations

Nothing here needs a test framework.
"""

from ..waiting import no_waiting
from .cancel import CancelError, cancel_everywhere
from .clock import VirtualClockLoop, run_virtual
from .h2_application import serve_h2
from .h2_frames import H2Code, H2Frame, H2Kind, H2Setting
from .h2_requests import H2Request
from .h2_server import H2Connection, H2Server
from .leaks import LeakError, LeakWatch, Snapshot, no_leaks
from .raw_server import RawConnection, RawRequest, RawServer, refused_port, silent_port
from .tasks import describe_task, turns
from .watchdog import HangError, within

__all__ = [
    "CancelError",
    "H2Code",
    "H2Connection",
    "H2Frame",
    "H2Kind",
    "H2Request",
    "H2Server",
    "H2Setting",
    "HangError",
    "LeakError",
    "LeakWatch",
    "RawConnection",
    "RawRequest",
    "RawServer",
    "Snapshot",
    "VirtualClockLoop",
    "cancel_everywhere",
    "describe_task",
    "no_leaks",
    "no_waiting",
    "refused_port",
    "run_virtual",
    "serve_h2",
    "silent_port",
    "turns",
    "within",
]
