"""Machines that trust the test authority."""

import pytest

from aioclient.connectors import tls

from ..servers.certificates import Certificates


@pytest.fixture
def no_contexts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No context of our own was made yet."""
    monkeypatch.setattr(tls, "_contexts", {})


@pytest.fixture
def trusted(
    monkeypatch: pytest.MonkeyPatch, no_contexts: None, certificates: Certificates
) -> Certificates:
    """The machine trusts the test authority; every name is in its certificate's NAMES."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    monkeypatch.setenv("SSL_CERT_DIR", str(certificates.ca_file.parent / "none"))
    return certificates
