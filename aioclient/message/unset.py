"""The default of arguments for which None has a meaning."""

from typing import Final


class Unset:
    """Stands for 'not given' where None has a meaning."""

    def __repr__(self) -> str:
        return "<default>"


UNSET: Final = Unset()
