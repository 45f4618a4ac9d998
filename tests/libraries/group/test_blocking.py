"""The blocking session in the places where requests is used: its tutorial against httpbin, and a notebook."""

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

import aioclient


@pytest.fixture
def origin() -> Iterator[str]:
    """httpbin on loopback."""
    import httpbin
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, httpbin.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.rows("S004-01", "S004-02", "S004-03", "S004-04", "S004-05", "S004-06")
def test_the_tutorial_of_requests_sessions(origin: str) -> None:
    s = aioclient.Session()

    s.get(f"{origin}/cookies/set/sessioncookie/123456789")
    r = s.get(f"{origin}/cookies")
    assert r.json() == {"cookies": {"sessioncookie": "123456789"}}
    assert "sessioncookie" in r.text

    s.auth = ("user", "pass")
    s.headers.update({"x-test": "true"})
    r = s.get(f"{origin}/headers", headers={"x-test2": "true"})
    sent = {name.lower(): value for name, value in r.json()["headers"].items()}
    assert (sent["x-test"], sent["x-test2"]) == ("true", "true")
    assert sent["accept"] == "*/*"
    assert {"accept-encoding", "user-agent", "host"} <= sent.keys()

    r = s.get(f"{origin}/cookies", cookies={"from-my": "browser"})
    assert r.json()["cookies"]["from-my"] == "browser"
    r = s.get(f"{origin}/cookies")
    assert r.json() == {"cookies": {"sessioncookie": "123456789"}}
    s.close()

    with aioclient.Session() as s:
        s.get(f"{origin}/cookies/set/sessioncookie/123456789")
    assert aioclient.sync.get(f"{origin}/get", params={"a": "b"}).json()["args"] == {"a": "b"}
    assert aioclient.sync.post(f"{origin}/post", data={"a": "b"}).json()["form"] == {"a": "b"}
    assert aioclient.sync.get(f"{origin}/status/404").status_code == 404
    assert aioclient.sync.get(f"{origin}/gzip").json()["gzipped"] is True
    assert aioclient.sync.get(f"{origin}/basic-auth/u/p", auth=("u", "p")).ok


NOTEBOOK = """
import sys
import nbclient, nbformat

notebook = nbformat.v4.new_notebook()
notebook.cells = [nbformat.v4.new_code_cell(code) for code in (
    f"import aioclient; origin = {sys.argv[1]!r}; session = aioclient.Session()",
    "print(session.get(f'{origin}/get', params={'a': 1}).json()['args'])",
    '''async with aioclient.ClientSession() as awaited:
    async with awaited.get(f"{origin}/get") as response:
        print(response.status)''',
    "session.close()",
)]
nbclient.NotebookClient(notebook, timeout=60).execute()
for cell in notebook.cells:
    for output in cell.outputs:
        print(output.get("text", output), end="")
"""


def test_a_notebook(origin: str) -> None:
    """Cells run within an event loop: blocking calls work there, beside awaited ones."""
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, origin],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout == "{'a': '1'}\n200\n", done.stderr
