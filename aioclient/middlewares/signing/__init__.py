"""Signatures of requests: the last step before they are sent.

- ``step``: the step of the chain that calls a signer; ``unsigned``: the request that the signer gets;
- ``keyed``: HMAC; ``messages`` and ``base``: HTTP Message Signatures; ``aws`` and ``aws_policy``: SigV4;
- ``content_digest``: the digest of a body.
"""

from .aws import SigV4Signer
from .keyed import HMACSigner
from .messages import HTTPMessageSigner
from .step import Signer, check_signer, sign
from .unsigned import UnsignedRequest

__all__ = (
    "HMACSigner",
    "HTTPMessageSigner",
    "SigV4Signer",
    "Signer",
    "UnsignedRequest",
    "check_signer",
    "sign",
)
