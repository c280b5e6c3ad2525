# SPDX-License-Identifier: Apache-2.0
"""A mesh whose changes the tests write."""

from tests.integration.subscriptions.conftest import dsn, embedded_dsn, people

__all__ = ["dsn", "embedded_dsn", "people"]
