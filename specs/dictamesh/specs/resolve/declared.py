# SPDX-License-Identifier: Apache-2.0
"""What the mesh file declares for others to name: roles, purposes, claims, mask keys (S21)."""

from collections.abc import Iterable, Mapping
from typing import Any

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Path, Site
from dictamesh.specs.model import Mesh
from dictamesh.specs.resolved import Declared
from dictamesh.specs.suggest import suggest

PLACES: Mapping[str, tuple[str, Path]] = {
    "roles": ("role", ("roles",)),
    "purposes": ("purpose", ("purposes",)),
    "claims": ("claim", ("security", "claims")),
    "keys": ("key", ("security", "keys")),
}
TYPES: Mapping[str, type] = {"string": str, "integer": int, "boolean": bool}


def declared_names(mesh: Declared[Mesh], what: str) -> Iterable[str]:
    """The declared roles, purposes, claims or keys."""
    model = mesh.model
    if what in {"roles", "purposes"}:
        return model.roles if what == "roles" else model.purposes
    if model.security is None:
        return ()
    return model.security.claims if what == "claims" else model.security.keys


def check_declared(
    name: str, what: str, mesh: Declared[Mesh], at: Site, findings: Findings, *, key: bool = False
) -> bool:
    """Record a name that the mesh file does not declare; `key`: it stands as a key at `at`. Return whether it is."""
    names = list(declared_names(mesh, what))
    if name in names:
        return True
    word, path = PLACES[what]
    place = mesh.site
    for part in path:
        place = place / part
    if mesh.sound(place):
        near = suggest(name, names)
        hint = f"did you mean '{near}'?" if near else f"Declare it under '{'.'.join(map(str, path))}' of the mesh file."
        code = "DM209" if what == "keys" else "DM208"
        findings.error(code, at.key_span if key else at, f"unknown {word} '{name}'", hint)
    return False


def check_each(names: Iterable[str], what: str, mesh: Declared[Mesh], site: Site, findings: Findings) -> None:
    """Check the entries of a list, or the one name that stands at `site`."""
    for index, name in enumerate(names):
        check_declared(name, what, mesh, site / index if (site / index).exists else site, findings)


def check_claims(claims: Mapping[str, Any], mesh: Declared[Mesh], site: Site, findings: Findings) -> None:
    """Check what a caller is said to hold: claims that are declared, of the declared types."""
    for claim, value in claims.items():
        if not check_declared(claim, "claims", mesh, site / claim, findings, key=True) or mesh.model.security is None:
            continue
        declared = mesh.model.security.claims[claim]
        if not claim_fits(value, declared):
            wanted = declared if isinstance(declared, str) else f"[{declared[0]}]"
            hint = (
                f"Write {'a value' if isinstance(declared, str) else '[...]'} of that type, or change security.claims."
            )
            findings.error("DM103", site / claim, f"the claim '{claim}' is declared as {wanted}", hint)


def check_claim_values(claims: Mapping[str, Any], mesh: Declared[Mesh], site: Site, findings: Findings) -> None:
    """Check what a rule asks of a caller: claims that are declared, each value of the declared type."""
    for claim, values in claims.items():
        if not check_declared(claim, "claims", mesh, site / claim, findings, key=True) or mesh.model.security is None:
            continue
        declared = mesh.model.security.claims[claim]
        item = declared if isinstance(declared, str) else declared[0]
        for index, value in enumerate(values):
            if not claim_fits(value, item):
                message = f"the claim '{claim}' holds values of type {item}; this one would never match"
                findings.error("DM103", site / claim / index, message, f"Write a value of type {item}.")


def claim_fits(value: Any, declared: str | tuple[str, ...]) -> bool:
    """Whether a value is of the type that `security.claims` declares."""
    if isinstance(declared, tuple):
        return isinstance(value, list | tuple) and all(claim_fits(item, declared[0]) for item in value)
    return isinstance(value, TYPES[declared]) and not (declared == "integer" and isinstance(value, bool))
