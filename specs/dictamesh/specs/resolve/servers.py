# SPDX-License-Identifier: Apache-2.0
"""Servers and their options, held against the manifest of their connector."""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, ValidationError

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site, has_reference
from dictamesh.specs.manifest import Capabilities, Manifest, Options
from dictamesh.specs.model import Mesh, Product
from dictamesh.specs.model.mesh import Server
from dictamesh.specs.resolve.secrets import check_secrets
from dictamesh.specs.resolve.shape import existing, report
from dictamesh.specs.resolved import Declared, ServerRef
from dictamesh.specs.suggest import suggest

Manifests = Mapping[str, Manifest]


class _AnyOptions(Options):
    model_config = ConfigDict(extra="allow")


UNKNOWN = Manifest(
    name="unknown",
    title="",
    doc="Stands in for a connector that is not known, so that the rest of a product is still checked.",
    server=_AnyOptions,
    entity=_AnyOptions,
    capabilities=lambda _source: Capabilities(lookups=None),
)


def mesh_servers(mesh: Declared[Mesh], manifests: Manifests, findings: Findings) -> dict[str, ServerRef]:
    """Check the servers of the mesh file; a faulty one is recorded and stands for an unknown connector."""
    found: dict[str, ServerRef] = {}
    for name, server in mesh.model.servers.items():
        site = mesh.site / "servers" / name
        if "/" in name or not name:
            findings.error("DM201", site.key_span, f"'{name}' is no name for a server", "Leave out the slash.")
            continue
        found[name] = _server(name, server, site, manifests, findings)
    return found


def product_servers(product: Declared[Product], manifests: Manifests, findings: Findings) -> dict[str, ServerRef]:
    """Check the servers of one product; their ids are `product/name`."""
    found: dict[str, ServerRef] = {}
    for index, server in enumerate(product.model.servers):
        site = product.site / "servers" / index
        name = f"{product.model.name}/{server.server}"
        found[server.server] = _server(name, server, site, manifests, findings)
    return found


def _server(name: str, server: Server, site: Site, manifests: Manifests, findings: Findings) -> ServerRef:
    manifest = manifests.get(server.type)
    if manifest is None:
        near = suggest(server.type, manifests)
        hint = f"did you mean '{near}'?" if near else f"Connectors here: {', '.join(sorted(manifests))}."
        findings.error("DM501", site / "type", f"there is no connector '{server.type}'", hint)
        return unknown_server(name)
    data = {key: value for key, value in site.plain.items() if key not in {"type", "server"}}
    check_secrets(manifest.server, data, site, findings)
    model = check_options(manifest.server, data, site, findings, references=True)
    return ServerRef(name, manifest, data, model)


def unknown_server(name: str) -> ServerRef:
    """A server of which nothing is known; a finding says why."""
    return ServerRef(name, UNKNOWN, {}, None)


def check_options(
    model: type[Options], data: Mapping[str, Any], site: Site, findings: Findings, *, references: bool
) -> Options | None:
    """Build a connector's options; faults are recorded as DM502. Where `references` stand types are not checked."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        if references:
            errors = [each for each in errors if not _is_reference(data, each["loc"])]
        report(model, errors, data, site, findings, code="DM502")
        return None


def _is_reference(data: Any, loc: tuple[int | str, ...]) -> bool:
    for part in existing(data, loc, keep_last=False):
        data = data[part]
    return isinstance(data, str) and has_reference(data)
