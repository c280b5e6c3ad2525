# SPDX-License-Identifier: Apache-2.0
"""A migrated catalog on each of the two servers, and the example's plan."""

from pathlib import Path

import pytest

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.lineage.derive import derive
from dictamesh.runtime.lineage.model import Graph
from dictamesh.runtime.mesh.build import build_file
from dictamesh.runtime.mesh.lineage.datasets import naming
from dictamesh.runtime.mesh.references import Resolver
from tests.integration.catalog.conftest import catalog, dsn, pool
from tests.support.postgres import embedded_dsn, postgres15_dsn

__all__ = ["catalog", "dsn", "embedded_dsn", "pool", "postgres15_dsn"]

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def plan() -> Plan:
    found = build_file(ROOT / "examples" / "mesh.yaml").plan
    assert found is not None
    return found


@pytest.fixture(scope="session")
def drawn(plan: Plan) -> Graph:
    """The lineage of the plan, with the addresses that its references stand for by default."""
    return derive(plan, naming(plan, Resolver(ROOT / "examples", {})))
