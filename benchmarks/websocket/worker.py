"""A client's process: ``python -m benchmarks.websocket.worker CLIENT [CORE]``.

It takes jobs as lines of JSON and answers each with a line of JSON. It imports the one library that it is about, and
does each job in a fork of itself: what the event loop's large reads cost depends on what the process did to its heap
before.
"""

import asyncio
import importlib
import json
import os
import sys
from typing import Any

from benchmarks.cores import pin
from benchmarks.websocket.scenarios import SCENARIOS
from benchmarks.worker import new_loop

MODULES = {
    "aiohttp": "aiohttp_like",
    "aioclient": "aiohttp_like",
    "limit": "picows_",
    "picows+queue": "picows_",
}


def do(client: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Return CPU seconds for each round trip or message, or bytes for each socket."""
    scenario = SCENARIOS[job["scenario"]]
    loop = new_loop(job["loop"])
    asyncio.set_event_loop(loop)
    measured = getattr(client, scenario.action)(scenario, job["url"], job["count"])
    return {"value": loop.run_until_complete(measured)}


def do_in_a_fork(client: Any, job: dict[str, Any]) -> None:
    """Do the job in a copy of this process, which writes the answer."""
    child = os.fork()
    if not child:
        try:
            answer = do(client, job)
        except BaseException as error:  # noqa: BLE001  (told to the one who asked)
            answer = {"error": repr(error)}
        os.write(1, json.dumps(answer).encode() + b"\n")
        os._exit(0)
    os.waitpid(child, 0)


def main(name: str, core: str | None = None) -> None:
    """Take jobs until there are no more."""
    pin(None if core is None else int(core))
    module = importlib.import_module(f"benchmarks.websocket.{MODULES[name]}")
    client = module.make(name)
    for line in sys.stdin:
        do_in_a_fork(client, json.loads(line))


if __name__ == "__main__":
    main(*sys.argv[1:])
