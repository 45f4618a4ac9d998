"""Sphinx configuration. Warnings are errors: see `make check`."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "aioclient"
author = "the aioclient authors"
copyright = author
release = installed_version("aioclient")
version = release

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
    "signatures",
]
exclude_patterns = ["_build", "drawings/*.rst"]  # these are included
html_theme = "furo"
html_title = f"aioclient {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_js_files = ["copy.js"]

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "none"  # what signatures.py writes
napoleon_numpy_docstring = False

# Examples talk to examples/server.py; its address is `server`. Only blocks marked as doctests by
# their prompt run; the rest of a page is for reading.
_server = Path(__file__).parent.parent / "examples" / "server.py"
doctest_global_setup = f"""
import runpy
_running = runpy.run_path({str(_server)!r})["running"]()
server = _running.__enter__()
PRACTICE_PROXY = {str(_server.with_name("proxy.py"))!r}
ONEBOT_ECHO = {str(_server.with_name("onebot_echo.py"))!r}
"""
doctest_global_cleanup = "_running.__exit__(None, None, None)"
