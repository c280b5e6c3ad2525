# SPDX-License-Identifier: Apache-2.0
"""Empty and migrated databases on both servers."""

from tests.integration.catalog.conftest import catalog, data_dir, dsn, pool
from tests.support.postgres import embedded_dsn, postgres15_dsn

__all__ = ["catalog", "data_dir", "dsn", "embedded_dsn", "pool", "postgres15_dsn"]
