# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL 15 and later, read-only."""
