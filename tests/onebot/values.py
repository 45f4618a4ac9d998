"""Strategies of what OneBot's peers exchange."""

from hypothesis import strategies as st

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
atoms = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)
# What JSON carries as it is, and with bytes what MessagePack does.
json_data = st.recursive(
    atoms, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4)
)
data = st.recursive(
    atoms | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
)


def nested(depth: int) -> object:
    """Return lists within each other, so many."""
    value: object = "x"
    for _ in range(depth):
        value = [value]
    return value
