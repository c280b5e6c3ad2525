# SPDX-License-Identifier: Apache-2.0
"""Real servers for the scan's tests."""

from tests.support.postgres import embedded_dsn, postgres15_dsn  # noqa: F401  (fixtures)
