"""Redirects: one call, many hops.

- ``policy``: what goes along to which origin;
- ``step``: the step of the chain that follows them.
"""

from .policy import Redirect, RedirectPolicy
from .step import REDIRECTS, follow_redirects, next_hop

__all__ = ("REDIRECTS", "Redirect", "RedirectPolicy", "follow_redirects", "next_hop")
