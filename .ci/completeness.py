"""Count the public names whose type every type checker reads alike, and fail when they are too few.

``basedpyright --verifytypes`` asks the first ``python`` on PATH where packages are installed; that has to be the one of
the environment that runs this. An editable install will do: it is one path in a .pth file, and ``py.typed`` is there.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

LEAST = 0.99
HERE = Path(__file__).resolve().parent.parent


def main() -> int:
    """Print the score and what is missing if it is too low; return the exit status."""
    own = Path(sys.executable).parent
    done = subprocess.run(
        ["basedpyright", "--verifytypes", "aioclient", "--ignoreexternal", "--outputjson"],
        env={**os.environ, "PATH": f"{own}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        check=False,
    )
    found = json.loads(done.stdout)["typeCompleteness"]
    if Path(found["packageRootDirectory"]) != HERE / "aioclient":
        print(f"{own} has another aioclient: {found['packageRootDirectory'] or 'none'}")
        return 1
    score = found["completenessScore"]
    if score >= LEAST:
        return 0
    problems = [
        (f"{each['file']}:{each['range']['start']['line'] + 1}", symbol["name"], each["message"])
        for symbol in found["symbols"]
        for each in symbol["diagnostics"]
        if each["severity"] == "error" and "range" in each
    ]
    # What makes others partly unknown; they are not shown until these are mended.
    causes = [problem for problem in problems if "partially unknown" not in problem[2]]
    for problem in causes or problems:
        print(*problem, sep=": ")
    print(f"{score:.1%} of the public names have a known type; at least {LEAST:.0%} should")
    return 1


if __name__ == "__main__":
    sys.exit(main())
