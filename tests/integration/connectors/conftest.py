# SPDX-License-Identifier: Apache-2.0
"""Real servers for the connectors' tests."""

from tests.support.postgres import embedded_dsn, postgres15_dsn  # noqa: F401  (fixtures)
