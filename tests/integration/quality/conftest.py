# SPDX-License-Identifier: Apache-2.0
"""Real servers for quality rules."""

from tests.support.postgres import embedded_dsn  # noqa: F401 - a fixture
