# SPDX-License-Identifier: Apache-2.0
"""A migrated catalog on each of the two servers, and the example's plan."""

from pathlib import Path

import pytest

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.build import build_file
from tests.integration.catalog.conftest import catalog, dsn, pool
from tests.support.postgres import embedded_dsn, postgres15_dsn

__all__ = ["catalog", "dsn", "embedded_dsn", "pool", "postgres15_dsn"]

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def plan() -> Plan:
    found = build_file(ROOT / "examples" / "mesh.yaml").plan
    assert found is not None
    return found
