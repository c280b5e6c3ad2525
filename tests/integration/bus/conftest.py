# SPDX-License-Identifier: Apache-2.0
"""Databases, and servers by address."""

from tests.integration.catalog.conftest import catalog, data_dir, dsn, pool
from tests.support.postgres import embedded_dsn, postgres15_dsn
from tests.support.services import broker, kafka, registry

__all__ = ["broker", "catalog", "data_dir", "dsn", "embedded_dsn", "kafka", "pool", "postgres15_dsn", "registry"]
