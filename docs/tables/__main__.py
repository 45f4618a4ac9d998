"""Make the generated pages of the reference; with ``--check`` only tell whether they are current.

- ``rows.rst``: each row of the specification (``rows.txt``) and the tests that show it;
- ``security.rst``: each weakness (``security.txt``) and the tests that show what the library does about it;
- ``reports.rst``: each fault that users of other clients reported (``tests/reports``), and the test that stages it;
- ``parameters.rst``: what a session and its calls take, from their docstrings.

A test says what it shows: a parametrised one begins its id with the row (``pytest.param(..., id="RED-07-cookie")``),
any other is marked ``@pytest.mark.rows("S003-41")``. Rows without a test are named on standard error.
"""

import sys
from dataclasses import MISSING, fields
from inspect import Parameter as Signed
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from collect import Shown, collect  # noqa: E402
from mistakes import mistakes_page  # noqa: E402
from pages import page, parameters, reports, rows, section, table  # noqa: E402
from parameters import check, defaults_of, described  # noqa: E402
from reports import kinds  # noqa: E402

from aioclient import ClientSession  # noqa: E402
from aioclient.message.request import RequestOptions  # noqa: E402
from aioclient.session.arguments import RequestArguments, SessionOptions  # noqa: E402
from aioclient.session.legacy import OldSessionArguments  # noqa: E402

ROWS_INTRO = """
The library is specified row by row, and each row has tests that show it. This table is made from the ids and marks of
the tests, so that it names no test that does not exist; in parentheses stands the number of cases.
"""

SECURITY_INTRO = """
Weaknesses that HTTP clients have had, and the tests that show what this one does about each. The table is made from
the ids of the tests; in parentheses stands the number of cases.
"""

REPORTS_INTRO = """
What users of HTTP clients met and reported as bugs, in one line each, and the test that stages it here and shows that
it does not happen. The table is made from the docstrings and marks of ``tests/reports``; a line without a thread
stands for a fault of its kind that the tests looked for as well.
"""

PARAMETERS_INTRO = """
What a session and its calls take. A call's argument goes before the session's of the same name.
"""


def texts(name: str) -> dict[str, str]:
    """Return the ids of a text file and what stands beside them; lines that begin with ``#`` are titles."""
    found: dict[str, str] = {}
    for line in (HERE / name).read_text().splitlines():
        row, _, text = line.partition(" ")
        if row and row != "#":
            found[row] = text.strip()
    return found


def rows_page(shown: Shown) -> str:
    """Return the page of the specification's rows."""
    parts = [
        table(("row", "what", "shown by"), "10 45 45", rows(texts("rows.txt"), shown)),
    ]
    return page("Row by row", ROWS_INTRO, *parts)


def security_page(shown: Shown) -> str:
    """Return the page of weaknesses; those without a test are left out."""
    tested = {row: text for row, text in texts("security.txt").items() if row in shown}
    return page(
        "Weaknesses and tests",
        SECURITY_INTRO,
        table(("id", "weakness", "shown by"), "10 40 50", rows(tested, shown)),
    )


def reports_page() -> str:
    """Return the page of reported faults."""
    parts = []
    for kind in kinds(ROOT / "tests" / "reports"):
        parts.append(section(kind.title))
        parts.append(table(("symptom", "threads", "test"), "50 25 25", reports(kind.reports)))
    return page("Reported elsewhere", REPORTS_INTRO, *parts)


def parameters_page() -> str:
    """Return the page of parameters."""
    options = {
        option.name: Signed.empty if option.default is MISSING else option.default
        for option in fields(RequestOptions)
    }
    of_session = defaults_of(
        ClientSession,
        {
            **{name: options.get(name) for name in SessionOptions.__annotations__},
            **dict.fromkeys(("http2", "lenient", "sensitive_headers", "skip_auto_headers")),
            "version": "1.1",
            **dict.fromkeys(OldSessionArguments.__annotations__, Signed.empty),
        },
    )
    given = defaults_of(ClientSession._request, {})
    of_call = {
        "method": "",
        "url": "",
        **{
            name: given.get(
                name, "" if name in of_session else repr(options.get(name, "")).strip("'")
            )
            for name in RequestArguments.__annotations__
        },
    }
    session, call = described(ClientSession), described(ClientSession.request)
    check("ClientSession", session, of_session)
    check("ClientSession.request", call, of_call)
    header = ("parameter", "default", "what it does")
    return page(
        "Parameters",
        PARAMETERS_INTRO,
        section("Of a session"),
        table(header, "25 20 55", parameters(session, of_session)),
        section("Of a call"),
        table(header, "25 20 55", parameters(call, of_call)),
    )


def main() -> int:
    """Write or check the pages; return the exit status."""
    shown = collect()
    known = texts("rows.txt") | texts("security.txt")
    missing = [row for row in known if row not in shown]
    if missing:
        sys.stderr.write(f"rows without a test: {' '.join(missing)}\n")
    groups = {row.partition("-")[0] for row in known}
    unknown = [row for row in shown if row not in known and row.partition("-")[0] in groups]
    if unknown:
        raise SystemExit(f"tests name rows that do not exist: {' '.join(sorted(unknown))}")
    stale = []
    for name, text in (
        ("rows.rst", rows_page(shown)),
        ("security.rst", security_page(shown)),
        ("reports.rst", reports_page()),
        ("parameters.rst", parameters_page()),
        ("mistakes.rst", mistakes_page()),
    ):
        path = HERE.parent / "reference" / name
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.write_text(text)
    if stale and "--check" in sys.argv:
        sys.stderr.write(f"not current: {', '.join(stale)}; run `make tables`\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
