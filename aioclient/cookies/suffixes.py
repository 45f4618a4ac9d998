"""Public suffixes: the domains under which anyone may register, such as ``com``, ``co.uk`` and ``github.io``.

The list is Mozilla's, from ``publicsuffixlist``, including the rules of hosting companies (``github.io``). It is read
from disk on the first ``Domain`` attribute, which takes about 20 ms once.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


@lru_cache(maxsize=1)
def _suffixes() -> "PublicSuffixList":
    from publicsuffixlist import PublicSuffixList

    # The list is in Unicode. Converting its 10,000 rules to A-labels takes twice as long as reading it: see _u_labels.
    return PublicSuffixList(accept_unknown=True, accept_encoded_idn=False)


@lru_cache(maxsize=1024)
def is_public_suffix(domain: str) -> bool:
    """Tell whether *domain* (canonical, A-labels) is a public suffix; a single unlisted label is one too."""
    return _suffixes().is_public(_u_labels(domain) if "xn--" in domain else domain)


def _u_labels(domain: str) -> str:
    labels = []
    for label in domain.split("."):
        if label.startswith("xn--"):
            try:
                label = label[4:].encode("ascii").decode("punycode")
            except UnicodeError:
                pass  # no rule of the list has such a label
        labels.append(label)
    return ".".join(labels)
