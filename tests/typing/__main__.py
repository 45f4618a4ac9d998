"""Ask mypy and basedpyright about the code of users beside this file: ``make check`` runs it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
FILES = (HERE / "accepted.py", HERE / "refused.py", HERE / "senders.py")
Place = tuple[str, int]


def marked() -> set[Place]:
    """Return the lines that have to be refused."""
    return {
        (path.name, number)
        for path in FILES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if line.endswith("  # refused")
    }


def run(*command: str) -> str:
    # basedpyright asks the first `python` on PATH where packages are.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, env={**os.environ, "PATH": path}, stdout=subprocess.PIPE, text=True, check=False
    )
    return done.stdout


def by_mypy() -> Iterator[tuple[Place, str]]:
    for line in run(
        *(sys.executable, "-m", "mypy", "--strict", "--config-file=", "--output=json"),
        *map(str, FILES),
    ).splitlines():
        found = json.loads(line)
        if found["severity"] == "error":
            yield (Path(found["file"]).name, found["line"]), found["message"]


def by_basedpyright() -> Iterator[tuple[Place, str]]:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "pyrightconfig.json"
        project.write_text(
            json.dumps({"include": [*map(str, FILES)], "typeCheckingMode": "strict"})
        )
        answer = json.loads(run("basedpyright", "--outputjson", "--project", str(project)))
    for found in answer["generalDiagnostics"]:
        if found["severity"] == "error":
            yield (
                (Path(found["file"]).name, found["range"]["start"]["line"] + 1),
                found["message"],
            )


def main() -> int:
    """Print what a checker says where it should not, and where it says nothing; return how many places."""
    expected, wrong = marked(), 0
    for name, checker in (("mypy", by_mypy), ("basedpyright", by_basedpyright)):
        found = dict(checker())
        for place in sorted({*found} ^ expected):
            print(name, *place, found.get(place, "is accepted, and should not be"), sep=": ")
            wrong += 1
    return wrong


if __name__ == "__main__":
    sys.exit(main() > 0)
