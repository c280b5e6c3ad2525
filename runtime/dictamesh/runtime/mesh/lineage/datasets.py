# SPDX-License-Identifier: Apache-2.0
"""Names of a plan's datasets with the addresses of its servers, as far as their references can be resolved here."""

from dictamesh.connectors.registry import manifest
from dictamesh.connectors.sdk import Options
from dictamesh.runtime.compile.plan import Plan, ServerPlan
from dictamesh.runtime.lineage.naming import Naming
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver


def naming(plan: Plan, resolver: Resolver) -> Naming:
    """Return the names; a server with a reference that stands for nothing here is called by its name in the specs."""

    def options_of(server: ServerPlan) -> Options | None:
        try:
            return resolver.options(manifest(server.connector).server, server.options, f"servers.{server.id}")
        except StartFailed:
            return None

    return Naming(plan, options_of, resolver.folder)
