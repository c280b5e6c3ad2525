# SPDX-License-Identifier: Apache-2.0
"""What the mesh file itself may get wrong."""

from collections.abc import Mapping
from typing import Any

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model import Mesh
from dictamesh.specs.model.mesh import ApiKey
from dictamesh.specs.resolve.policies import check_declared
from dictamesh.specs.resolve.secrets import check_secrets
from dictamesh.specs.resolved import Declared
from dictamesh.specs.suggest import suggest

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def check_mesh(mesh: Declared[Mesh], findings: Findings) -> None:
    """Record what contradicts itself in the mesh file: secrets, keys and callers, resilience, the address."""
    model, site = mesh.model, mesh.site
    check_secrets(Mesh, site.plain, site, findings)
    for index, key in enumerate(model.security.api_keys if model.security else ()):
        _check_api_key(key, site / "security" / "apiKeys" / index, model, findings)
    for name in model.resilience:
        if name != "default" and name not in model.servers:
            near = suggest(name, model.servers)
            hint = f"did you mean '{near}'?" if near else "Name a server, or 'default'."
            findings.error("DM202", (site / "resilience" / name).key_span, f"there is no server '{name}'", hint)
    jwt = model.security.jwt if model.security else None
    if jwt is not None and jwt.jwks_url is not None and jwt.jwks_file is not None:
        findings.error("DM105", site / "security" / "jwt" / "jwksFile", "'jwksUrl' and 'jwksFile' exclude each other")
    if model.security is None and model.runtime.host not in LOOPBACK:
        hint = "Add a 'security' block, or leave 'host' at 127.0.0.1."
        findings.error("DM212", site / "runtime" / "host", "without 'security' the runtime stays on loopback", hint)


def _check_api_key(key: ApiKey, site: Site, mesh: Mesh, findings: Findings) -> None:
    security = mesh.security
    claims = security.claims if security else {}
    check_declared(key.roles, "roles", mesh.roles, site / "roles", findings)
    check_declared(key.purposes, "purposes", mesh.purposes, site / "purposes", findings)
    for claim, value in key.claims.items():
        check_declared((claim,), "claims", claims, site / "claims" / claim, findings)
        if claim in claims and not claim_fits(value, claims[claim]):
            wanted = claims[claim] if isinstance(claims[claim], str) else f"a list of {claims[claim][0]}"
            findings.error("DM103", site / "claims" / claim, f"the claim '{claim}' is declared as {wanted}")


def claim_fits(value: Any, declared: str | tuple[str, ...]) -> bool:
    """Whether a value is of the type that `security.claims` declares."""
    if isinstance(declared, tuple):
        return isinstance(value, list | tuple) and all(claim_fits(item, declared[0]) for item in value)
    types: Mapping[str, type] = {"string": str, "integer": int, "boolean": bool}
    return isinstance(value, types[declared]) and not (declared == "integer" and isinstance(value, bool))
