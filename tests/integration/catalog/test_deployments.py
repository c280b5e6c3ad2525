# SPDX-License-Identifier: Apache-2.0
"""What a mesh has served is kept by its spec files."""

from dataclasses import replace

from dictamesh.runtime.catalog.deployments import Deployment, last, remember

FIRST = Deployment("acme", "h1", "mesh.yaml", {"mesh.yaml": "kind: Mesh\n", "products/ä.yaml": "a: \U0001f600\n"})


async def test_the_last_deployment_of_a_mesh_is_found(catalog):
    assert await last(catalog, "acme") is None
    await remember(catalog, FIRST)
    await remember(catalog, replace(FIRST, mesh="other", plan_hash="x"))
    assert await last(catalog, "acme") == FIRST
    second = replace(FIRST, plan_hash="h2", files={"mesh.yaml": ""})
    await remember(catalog, second)
    assert await last(catalog, "acme") == second
    await remember(catalog, FIRST)
    assert await last(catalog, "acme") == FIRST


async def test_only_changes_are_kept_and_not_for_ever(catalog):
    for number in range(120):
        for _ in range(2):
            await remember(catalog, replace(FIRST, plan_hash=f"h{number}"))
    rows = await catalog.rows(b"SELECT plan_hash FROM dictamesh_deployments WHERE mesh = 'acme' ORDER BY id")
    assert [row["plan_hash"] for row in rows] == [f"h{number}" for number in range(20, 120)]
