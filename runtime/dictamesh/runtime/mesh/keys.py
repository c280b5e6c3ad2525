# SPDX-License-Identifier: Apache-2.0
"""The mesh's own keys: each one of `security.keys` by reference, or one that is made once and kept in the data folder.

`audit.key` turns subjects into tokens (S30), `audit-signing.key` signs where the audit ends, `subjects.key` wraps the
keys of data subjects. Replicas share them through `audit: {key, signingKey}` and `erasure: {key}`.
"""

import contextlib
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from dictamesh.runtime.audit.keys import Signer, UnusableKey, signer_from
from dictamesh.runtime.audit.lines import PUBLIC, append_bytes
from dictamesh.runtime.catalog.subject_keys import WrappingKey, wrapping_key
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.events.seal import Seal, seal_of
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver

SUBJECTS, SIGNING, WRAPPING = "audit.key", "audit-signing.key", "subjects.key"
PUBLIC_KEYS = "audit-signing.pem"
"""Every public key that the data folder's mesh has signed with: what a verifier there trusts."""
SIZE = 32


def audit_key(plan: Plan, keys: Mapping[str, bytes], data_dir: Path) -> bytes:
    """Return the key of subject tokens; raises StartFailed."""
    return _key(plan.mesh.audit.key, keys, data_dir / SUBJECTS)


def signer(plan: Plan, keys: Mapping[str, bytes], data_dir: Path) -> Signer:
    """Return what signs the heads of the audit, and note its public key; raises StartFailed."""
    made = signer_of(plan, _key(plan.mesh.audit.signing_key, keys, data_dir / SIGNING))
    path = data_dir / PUBLIC_KEYS
    try:
        if not path.exists() or made.pem.encode() not in path.read_bytes():
            append_bytes(path, made.pem.encode(), PUBLIC)
    except OSError as error:
        raise _unkept(path, error) from None
    return made


def signs_here(plan: Plan, data_dir: Path) -> bool:
    """Whether this host signs for the mesh already; another one would sign with a key that nobody knows."""
    return plan.mesh.audit.signing_key is not None or (data_dir / SIGNING).exists()


def signer_of(plan: Plan, secret: bytes) -> Signer:
    """Return the signer that a secret makes; raises StartFailed naming the key, not the secret."""
    try:
        return signer_from(secret)
    except UnusableKey as unusable:
        raise StartFailed(
            f"security.keys.{plan.mesh.audit.signing_key} cannot sign: {unusable}",
            "give it a private key of Ed25519 in PEM, or a random secret of 32 bytes or more",
        ) from None


def public_keys(plan: Plan, resolver: Resolver, data_dir: Path) -> list[bytes]:
    """Return the public keys (PEM) that this host can vouch for: those it signed with, that of `audit.signingKey`."""
    path = data_dir / PUBLIC_KEYS
    found = [path.read_bytes()] if path.exists() else []
    name = plan.mesh.audit.signing_key
    if name is not None:
        try:
            pem = signer_of(plan, needed_keys(plan, resolver, [name])[name]).pem.encode()
        except StartFailed:
            return found  # an auditor has the public key, and not the secret
        found += [] if any(pem in text for text in found) else [pem]
    return found


def subject_wrapping(plan: Plan, keys: Mapping[str, bytes], data_dir: Path) -> WrappingKey:
    """Return the key that wraps those of data subjects; raises StartFailed."""
    return wrapping_key(_key(plan.mesh.erasure.key, keys, data_dir / WRAPPING))


def dead_letter_seal(plan: Plan, keys: Mapping[str, bytes], data_dir: Path) -> Seal:
    """Return what seals bodies of dead letters, of the same secret as the keys of data subjects; raises StartFailed."""
    return seal_of(_key(plan.mesh.erasure.key, keys, data_dir / WRAPPING))


def seal(plan: Plan, resolver: Resolver, data_dir: Path) -> Seal:
    """Return what seals bodies of dead letters, and ask for no other secret; raises StartFailed."""
    return dead_letter_seal(plan, needed_keys(plan, resolver, [plan.mesh.erasure.key]), data_dir)


def needed_keys(plan: Plan, resolver: Resolver, names: Iterable[str | None]) -> dict[str, bytes]:
    """Return the bytes of some of `security.keys` without asking for any other secret; raises StartFailed."""
    declared = plan.mesh.security.keys if plan.mesh.security else {}
    found = {name: resolver.text(declared[name], f"security.keys.{name}").encode() for name in names if name}
    for name, value in found.items():
        if not value:
            raise StartFailed(f"security.keys.{name}: {declared[name]} is empty", "give it a value")
    return found


def _key(name: str | None, keys: Mapping[str, bytes], path: Path) -> bytes:
    if name is not None:
        return keys[name]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _create(path)
        found = path.read_bytes()
    except OSError as error:
        raise _unkept(path, error) from None
    if len(found) != SIZE:
        raise StartFailed(
            f"the key {path} is damaged", "restore it from a backup; what was made with it fits no new one"
        )
    return found


def _unkept(path: Path, error: OSError) -> StartFailed:
    return StartFailed(
        f"the key {path} cannot be kept ({error.strerror})",
        "see the rights of the folder, or choose another --data-dir",
    )


def _create(path: Path) -> None:
    """Write a new key whole or not at all, unless there is one."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(SIZE))
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
