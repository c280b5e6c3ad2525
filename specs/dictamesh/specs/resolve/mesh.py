# SPDX-License-Identifier: Apache-2.0
"""What the mesh file itself may get wrong."""

from urllib.parse import urlsplit

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site, has_reference
from dictamesh.specs.model import Mesh, Security
from dictamesh.specs.model.parts import IDENTIFIER
from dictamesh.specs.resolve.declared import check_claims, check_declared, check_each
from dictamesh.specs.resolved import Declared
from dictamesh.specs.suggest import suggest

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
TAKEN_CLAIMS = frozenset({"roles"})
"""Names behind `principal.` that are no claims."""


def check_mesh(mesh: Declared[Mesh], findings: Findings) -> None:
    """Record what contradicts itself in the mesh file: keys and callers, resilience, limits, the address."""
    model, site = mesh.model, mesh.site
    if model.security is not None:
        _check_security(model.security, mesh, findings)
    for name in model.resilience:
        if name != "default" and name not in model.servers and mesh.sound(site / "servers"):
            near = suggest(name, [*model.servers, "default"])
            hint = f"did you mean '{near}'?" if near else "Name a server, or 'default'."
            findings.error("DM202", (site / "resilience" / name).key_span, f"there is no server '{name}'", hint)
    check_each(model.gateway.explain, "roles", mesh, site / "gateway" / "explain", findings)
    _check_audit(mesh, findings)
    check_each(model.catalog.editors, "roles", mesh, site / "catalog" / "editors", findings)
    check_each(model.usage.readers or (), "roles", mesh, site / "usage" / "readers", findings)
    _check_lineage(mesh, findings)
    _check_bounds(model, site, findings)
    _check_address(mesh, findings)


def _check_lineage(mesh: Declared[Mesh], findings: Findings) -> None:
    lineage, site = mesh.model.lineage, mesh.site / "lineage"
    check_each(lineage.writers, "roles", mesh, site / "writers", findings)
    sent, place = lineage.openlineage, site / "openlineage"
    if sent.url is not None and not has_reference(sent.url):
        _check_collector(sent.url, place / "url", findings)
    if sent.api_key is not None and sent.url is None and mesh.sound(place / "url"):
        findings.error("DM260", place / "apiKey", "there is no collector to show this key to", "Add 'url'.")


def _check_collector(url: str, at: Site, findings: Findings) -> None:
    try:
        parts = urlsplit(url)
        host, user = parts.hostname, parts.username
    except ValueError:
        parts, host, user = urlsplit(""), None, None
    if parts.scheme not in {"http", "https"} or not host:
        hint = "Write http://host:port or https://host."
        findings.error("DM260", at, "this is no address of a collector", hint)
    elif user is not None:
        findings.error("DM260", at, "the address holds credentials", "Use 'apiKey', by reference.", secret=True)


def _check_audit(mesh: Declared[Mesh], findings: Findings) -> None:
    audit, site = mesh.model.audit, mesh.site / "audit"
    for name, at in (
        (audit.key, site / "key"),
        (audit.signing_key, site / "signingKey"),
        (mesh.model.erasure.key, mesh.site / "erasure" / "key"),
    ):
        if name is not None:
            check_declared(name, "keys", mesh, at, findings)
    check_each(audit.readers, "roles", mesh, site / "readers", findings)
    scheme, colon, _ = (audit.publish or "").partition("://")
    if colon and scheme not in {"http", "https"} and not has_reference(scheme):
        findings.error("DM244", site / "publish", f"signed heads cannot be sent by '{scheme}'")


def _check_security(security: Security, mesh: Declared[Mesh], findings: Findings) -> None:
    site = mesh.site / "security"
    for claim in security.claims:
        if not IDENTIFIER.match(claim) or claim in TAKEN_CLAIMS:
            hint = "Policies read it as principal.<claim>: letters, digits and _; 'roles' is taken."
            findings.error("DM608", (site / "claims" / claim).key_span, f"'{claim}' is no name for a claim", hint)
    names: dict[str, Site] = {}
    texts: dict[str, str] = {}
    for index, key in enumerate(security.api_keys):
        place = site / "apiKeys" / index
        check_each(key.roles, "roles", mesh, place / "roles", findings)
        check_each(key.purposes, "purposes", mesh, place / "purposes", findings)
        check_claims(key.claims, mesh, place / "claims", findings)
        if names.setdefault(key.name, place) is not place:
            message = f"a second API key '{key.name}'; audit could not tell the two apart"
            findings.error("DM604", place / "name", message)
        first = texts.setdefault(key.key, key.name)
        if first != key.name and has_reference(key.key):
            message = f"'{first}' and '{key.name}' are one key; whose caller it is would be a guess"
            findings.error("DM212", place / "key", message, "Give each caller a key of its own.")
    jwt = security.jwt
    if jwt is not None and jwt.jwks_url is not None and jwt.jwks_file is not None:
        findings.error("DM105", site / "jwt" / "jwksFile", "'jwksUrl' and 'jwksFile' exclude each other")


def _check_bounds(model: Mesh, site: Site, findings: Findings) -> None:
    limits, place = model.gateway.limits, site / "gateway" / "limits"
    for key, value in (("limit", limits.limit), ("relationLimit", limits.relation_limit)):
        if value > limits.max_limit:
            at = place / key if (place / key).exists else place / "maxLimit"
            message = f"'{key}' is {value}, and 'maxLimit' allows {limits.max_limit}"
            findings.error("DM212", at, message, "Lower the default, or raise 'maxLimit'.")
    pool = model.catalog.pool
    if pool.idle > pool.max:
        at = site / "catalog" / "pool"
        at = at / "idle" if (at / "idle").exists else at / "max"
        findings.error("DM212", at, f"{pool.idle} idle connections of {pool.max} at most", "Lower 'idle'.")
    cors = model.gateway.cors
    if cors.credentials and "*" in cors.origins:
        at = site / "gateway" / "cors" / "origins"
        message = "'*' with 'credentials: true' would let every website act for its visitors"
        findings.error("DM212", at, message, "Name the origins, or leave out 'credentials'.")
    for name, each in model.resilience.items():
        if each.retry.initial > each.retry.max:
            at = site / "resilience" / name / "retry"
            at = at / "initial" if (at / "initial").exists else at / "max"
            findings.error("DM212", at, "the first wait of a retry is longer than 'max'", "Lower 'initial'.")


def _check_address(mesh: Declared[Mesh], findings: Findings) -> None:
    model, site = mesh.model, mesh.site / "runtime"
    if model.security is None and model.runtime.host not in LOOPBACK and mesh.sound(mesh.site / "security"):
        hint = "Add a 'security' block, or leave 'host' at 127.0.0.1."
        findings.error("DM212", site / "host", "without 'security' the runtime stays on loopback", hint)
    if model.runtime.port == model.runtime.metrics_port != 0:
        at = site / "metricsPort" if (site / "metricsPort").exists else site / "port"
        findings.error("DM212", at, "API and metrics cannot share a port", "Give 'metricsPort' another number.")
