# SPDX-License-Identifier: Apache-2.0
"""Keys that sign heads: PEM or any long secret; what is neither is refused without being told."""

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from dictamesh.runtime.audit.keys import UnusableKey, known_keys, signer_from

SECRET = b"a secret that is long enough for a key"


def pem(key: Ed25519PrivateKey | X25519PrivateKey, password: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def test_one_secret_is_one_key() -> None:
    first, again, other = signer_from(SECRET), signer_from(SECRET), signer_from(SECRET + b"!")
    assert (first.key_id, first.pem) == (again.key_id, again.pem)
    assert first.key_id != other.key_id
    assert SECRET.decode() not in repr(first)


def test_a_private_key_in_pem_signs_as_it_does_everywhere() -> None:
    key = Ed25519PrivateKey.generate()
    made = signer_from(pem(key))
    key.public_key().verify(base64.b64decode(made.sign("statement")), b"statement")


def test_only_what_was_signed_holds() -> None:
    made = signer_from(SECRET)
    keys, signature = known_keys([made.pem.encode()]), made.sign("statement")
    assert keys.holds(made.key_id, "statement", signature)
    assert not keys.holds(made.key_id, "statement!", signature)
    assert not keys.holds("0" * 16, "statement", signature)
    for wrong in ("", "?", "AAAA", signature[:-4], signature[4:]):
        assert not keys.holds(made.key_id, "statement", wrong)


def test_a_file_holds_any_number_of_public_keys() -> None:
    one, two = signer_from(SECRET), signer_from(SECRET + b"!")
    keys = known_keys([(one.pem + "\n" + two.pem).encode(), one.pem.encode()])
    assert set(keys.keys) == {one.key_id, two.key_id}


@pytest.mark.parametrize(
    "secret",
    [
        b"4711",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        pem(X25519PrivateKey.generate()),
        pem(Ed25519PrivateKey.generate(), b"passphrase"),
    ],
    ids=["short", "no key", "another kind", "a passphrase"],
)
def test_what_cannot_sign_is_refused(secret: bytes) -> None:
    with pytest.raises(UnusableKey) as refused:
        signer_from(secret)
    assert secret.decode() not in str(refused.value)


@pytest.mark.parametrize(
    "text", [b"", b"no key", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", SECRET], ids=repr
)
def test_what_is_no_public_key_is_refused(text: bytes) -> None:
    with pytest.raises(UnusableKey):
        known_keys([text])


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl program")
def test_openssl_verifies_a_statement(tmp_path: Path) -> None:
    """What the guide promises to whoever has nothing of ours."""
    made = signer_from(SECRET)
    for name, data in (
        ("key.pem", made.pem.encode()),
        ("statement", b"text"),
        ("signature", base64.b64decode(made.sign("text"))),
    ):
        (tmp_path / name).write_bytes(data)
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "statement"]
    done = subprocess.run([*command, "-sigfile", "signature"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
