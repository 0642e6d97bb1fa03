"""Which files hold secrets, by name and by how they begin (issue 14, "secrets in the repository")."""

from __future__ import annotations

import pytest

from policies.agents.hidden import is_private_key
from policies.paths.rules import holds_secret
from policies.settings.schema import ProtectedRule
from tests.policies.sample_policy import policy


@pytest.mark.parametrize(
    "path",
    [".env", "deploy/.env.production", "certs/server.pem", "KEYS/ID_RSA", "a.p12", "config/credentials", ".aws/x"],
)
def test_what_is_hidden(path: str) -> None:
    """In every spelling, at any depth."""
    assert holds_secret(path, policy().protected_paths)


@pytest.mark.parametrize(
    "path",
    ["google/auth/credentials.py", "hvac/secrets/kv.py", "docs/credentials.md", "environment.py", "key.ts", "a.txt"],
)
def test_what_is_shown(path: str) -> None:
    """Source code, whatever it is called: without it nothing of a package runs."""
    assert not holds_secret(path, policy().protected_paths)


def test_a_policy_adds_by_its_reason() -> None:
    """A rule for something else protects, and hides nothing."""
    rules = (
        ProtectedRule(reason="customers' secrets", patterns=("vault.dat",)),
        ProtectedRule(reason="lock files", patterns=("x.lock",)),
    )
    said = policy().protected_paths.model_copy(update={"protected": rules})
    assert holds_secret("a/vault.dat", said)
    assert holds_secret(".env", said)
    assert not holds_secret("x.lock", said)


@pytest.mark.parametrize(
    ("beginning", "known"),
    [
        (b"-----BEGIN PRIVATE KEY-----\nMII", True),
        (b"\n-----BEGIN OPENSSH PRIVATE KEY-----\n", True),
        (b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n", True),
        (b"Bag Attributes\n    friendlyName: x\n-----BEGIN ENCRYPTED PRIVATE KEY-----\n", True),
        (b"PuTTY-User-Key-File-2: ssh-rsa\n", True),
        (b"-----BEGIN CERTIFICATE-----\nMII", False),
        (b"How to make one:\n-----BEGIN PRIVATE KEY-----\n", False),
        (b"", False),
    ],
)
def test_a_private_key_is_known_by_how_it_begins(beginning: bytes, known: bool) -> None:
    """Whatever the file is called; a text about keys is none."""
    assert known is is_private_key(beginning)
