"""The project's words: the glossary explains them, and names that were given up do not come back."""

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
GLOSSARY: Final = ROOT / "docs" / "reference" / "glossary.rst"

# Names that a stranger could not guess, and what to write instead.
BANNED: Final = {
    "Adoption": "ConnectorReplacement",
    "Arrival": "MessageWaiter",
    "Birthplace": "CreationSite",
    "Carried": "StreamExchange",
    "Carrier": "LeasedConnection",
    "Hold": "Lease",
    "Link": "weak_owner, or what it leads to",
    "Made": "SyntheticExchange",
    "Way": "Phases",
    "adopt": "replacement_for",
    "arrival": "waiter",
    "carrier": "leased",
    "elsewhere": "the place",
    "guests": "what they are",
    "heard": "got_bytes or last_activity",
    "hold": "lease",
    "laid_over": "override_options",
    "let_go": "release",
    "made_at": "creation_site",
    "rare": "has_events",
    "said": "what the value is",
    "told": "what was reported, and to what",
    "what": "label, or what the value is",
}
# Where a banned name is another's.
KEPT: Final = {("aioclient/message/request.py", "what")}  # an alias of Request.label


def names(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the names in a module, each with its line."""
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.NAME:
                yield token.start[0], token.string.lstrip("_")


def terms() -> dict[str, str]:
    """Return what the glossary says of each term."""
    entries = re.findall(r"^    (\S.*)\n((?:        .+\n)+)", GLOSSARY.read_text(), re.MULTILINE)
    return dict(entries)


def test_names_that_were_given_up() -> None:
    """No module of the package uses a name that the glossary has a better word for."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}; write {BANNED[name]}"
        for path in sorted(ROOT.glob("aioclient/**/*.py"))
        for line, name in names(path)
        if name in BANNED and (str(path.relative_to(ROOT)), name) not in KEPT
    ]
    assert not found, "\n".join(found)


def test_modules_that_were_given_up() -> None:
    """Neither does a module have such a name."""
    assert not [path for path in ROOT.glob("aioclient/**/*.py") if path.stem in BANNED]


@pytest.mark.parametrize("term", ["exchange", "lease", "origin", "slot", "ticket"])
def test_the_glossary_has_it(term: str) -> None:
    """The nouns of the engine are explained."""
    assert term in terms()


def test_entries_are_short() -> None:
    """An entry is at most three lines, and ends with a full stop."""
    assert len(terms()) > 50
    for term, text in terms().items():
        assert len(text.splitlines()) <= 3, term
        assert text.rstrip().endswith("."), term


def test_each_term_stands_once() -> None:
    """One word has one meaning."""
    found = re.findall(r"^    (\S.*)$", GLOSSARY.read_text(), re.MULTILINE)
    assert len(found) == len(set(found))
