# SPDX-License-Identifier: Apache-2.0
"""SQLite: one database file, read-only."""
