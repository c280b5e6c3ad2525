# SPDX-License-Identifier: Apache-2.0
"""Servers and their options, held against the manifest of their connector."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ConfigDict, ValidationError

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.manifest import Capabilities, Manifest, Options
from dictamesh.specs.model import Mesh, Product
from dictamesh.specs.model.mesh import Server
from dictamesh.specs.model.parts import SLUG
from dictamesh.specs.resolve.shape import report
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
    written = mesh.site.plain
    for name in (written.get("servers") or {}) if isinstance(written, Mapping) else {}:
        found[name] = unknown_server(name)
    for name, server in mesh.model.servers.items():
        site = mesh.site / "servers" / name
        if not SLUG.match(name):
            hint = "Use letters, digits, '.', '_' and '-'; it becomes part of topics."
            findings.error("DM201", site.key_span, f"'{name}' is no name for a server", hint)
        else:
            found[name] = _server(name, server, site, manifests, findings)
    return found


def product_servers(
    product: Declared[Product], shared: Iterable[str], manifests: Manifests, findings: Findings
) -> dict[str, ServerRef]:
    """Check the servers of one product; their ids are `product/name`. `shared` are the names that the mesh file has."""
    found: dict[str, ServerRef] = {}
    taken = set(shared)
    for index, server in enumerate(product.model.servers):
        site = product.site / "servers" / index
        if server.server in taken:
            where = "of this product" if server.server in found else "of the mesh file"
            findings.error("DM604", site / "server", f"'{server.server}' is the name of a server {where} already")
        taken.add(server.server)
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
    plain: Any = site.plain
    data = {key: value for key, value in plain.items() if key not in {"type", "server"}}
    return ServerRef(name, manifest, data, check_options(manifest.server, data, site, findings))


def unknown_server(name: str) -> ServerRef:
    """A server of which nothing is known; a finding says why."""
    return ServerRef(name, UNKNOWN, {}, None)


def check_options(
    model: type[Options], data: Mapping[str, Any], site: Site, findings: Findings, also: Iterable[str] = ()
) -> Options | None:
    """Build a connector's options; faults are recorded as DM502. `also` are keys that the language has beside them."""
    try:
        return model.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        report(model, error.errors(include_url=False, include_input=False), data, site, findings, "DM502", also)
        return None
