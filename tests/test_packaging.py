"""What the package says about itself is true: its extras, its versions, the files that its pages name."""

import ast
import configparser
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SETTINGS = configparser.ConfigParser(delimiters="=", comment_prefixes="#", interpolation=None)
SETTINGS.read(ROOT / "setup.cfg", encoding="utf-8")
GROUPS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "dependency-groups"
]

# Names under which packages are imported, where they are not the packages' own.
MODULES = {
    "backports.zstd": "backports",
    "charset-normalizer": "charset_normalizer",
    "dnspython": "dns",
    "python-socks": "python_socks",
}
# By the library itself: its caller runs uvloop, and yarl imports idna.
NEVER_IMPORTED = {"uvloop", "idna"}
# Of the group of libraries: what does not use a session of ours, but helps to show one.
NOT_MOVED = {"aioclient", "httpbin", "ipykernel", "nbclient", "pytest", "trustme"}


def names_of(requirements: str | list[str]) -> list[str]:
    lines = requirements.split("\n") if isinstance(requirements, str) else requirements
    return [re.split(r"[\[<>=;\s]", line, maxsplit=1)[0] for line in lines if line]


def imported() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "aioclient").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)  # some are tried one after the other, by their names
    return found


@pytest.mark.parametrize("extra", SETTINGS["options.extras_require"])
def test_extras(extra: str) -> None:
    """The library imports each package of each extra."""
    names = set(names_of(SETTINGS["options.extras_require"][extra])) - NEVER_IMPORTED
    assert {MODULES.get(name, name) for name in names} <= imported()


def test_always_installed() -> None:
    """The library imports each package that is always installed."""
    names = set(names_of(SETTINGS["options"]["install_requires"])) - NEVER_IMPORTED
    assert names <= imported()


def test_groups() -> None:
    """What developers need is no extra of the package; the groups name only extras that exist."""
    extras = set(SETTINGS["options.extras_require"])
    assert not extras & set(GROUPS)
    for requirements in GROUPS.values():
        for named in re.findall(r"^aioclient\[(.+)\]$", "\n".join(requirements), re.MULTILINE):
            assert set(named.split(",")) <= extras


@pytest.mark.parametrize("table", [*SETTINGS["options.extras_require"], *GROUPS])
def test_documented(table: str) -> None:
    """Each extra and each group stands on the page about dependencies."""
    page = (ROOT / "docs/reference/dependencies.rst").read_text(encoding="utf-8")
    assert f"``{table}``" in page


@pytest.mark.parametrize("name", sorted(set(names_of(GROUPS["libraries"])) - NOT_MOVED))
def test_libraries(name: str) -> None:
    """Each library that has its own environment stands on the page about moving, and has a test."""
    page = (ROOT / "docs/how-to/move-from-aiohttp.rst").read_text(encoding="utf-8")
    assert f"    * - {name}\n" in page
    short = name.removesuffix(".py").removesuffix("-py").replace("-", "_")
    assert (ROOT / f"tests/libraries/group/test_{short}.py").is_file()


def test_versions() -> None:
    """The versions of Python that are claimed are those that the docs say CI ran."""
    classifiers = SETTINGS["metadata"]["classifiers"]
    claimed = re.findall(r"Python :: (3\.\d+)$", classifiers, re.MULTILINE)
    page = (ROOT / "docs/reference/dependencies.rst").read_text(encoding="utf-8")
    ran = re.findall(r"^    \* - (3\.\d+)\.\d+$", page, re.MULTILINE)
    assert claimed == sorted(set(ran), key=lambda version: int(version[2:]))
    assert SETTINGS["options"]["python_requires"] == f">={claimed[0]}"


@pytest.mark.parametrize("page", ["README.md", "Makefile", "docs/how-to/develop.rst"])
def test_named_files(page: str) -> None:
    """The tests that examples of commands name exist."""
    for name in re.findall(r"\btests/[\w/]+\.py\b", (ROOT / page).read_text(encoding="utf-8")):
        assert (ROOT / name).is_file(), name


@pytest.mark.rows("SRV-02")
def test_lowest_aiohttp() -> None:
    """Servers are aiohttp's: no version is allowed that mixes up requests (CVE-2026-34525, CVE-2026-54273)."""
    (floor,) = re.findall(
        r"^aiohttp>=([\d.]+)", SETTINGS["options"]["install_requires"], re.MULTILINE
    )
    assert tuple(map(int, floor.split("."))) >= (3, 14, 3)
