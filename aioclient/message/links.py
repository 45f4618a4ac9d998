"""Links in header fields (RFC 8288): ``<https://a.example/?page=2>; rel="next"``."""

from multidict import CIMultiDict, CIMultiDictProxy, MultiDict, MultiDictProxy
from yarl import URL

from .parameters import read_parameters
from .urls import resolved


def parse_links(field: str, base: URL) -> "CIMultiDictProxy[MultiDictProxy[str | URL]]":
    """Return the links in *field*, by relation, their URLs resolved against *base*.

    A link with several relations is listed under each, a link without one under its target as written. Text that is not
    a link, links without a valid URL, and links whose context is not *base* (``anchor=``, section 3.2) are left out.
    """
    links: CIMultiDict[MultiDictProxy[str | URL]] = CIMultiDict()
    at = 0
    while (at := field.find("<", at)) >= 0:
        end = field.find(">", at)
        if end < 0:
            break
        target = field[at + 1 : end].strip(" \t")
        parameters, at = read_parameters(field, end + 1, in_list=True)
        link: MultiDict[str | URL] = MultiDict(parameters)
        try:
            url = resolved(base, target)
            if "anchor" in link and resolved(base, str(link["anchor"]).strip()) != base:
                continue
        except ValueError:
            continue
        link["url"] = url
        relations = str(link.get("rel", "")).split()
        for relation in relations or [target]:
            links.add(relation, MultiDictProxy(link))
    return CIMultiDictProxy(links)
