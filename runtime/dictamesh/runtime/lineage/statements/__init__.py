# SPDX-License-Identifier: Apache-2.0
"""Column lineage of SQL statements: what `source.<Entity>.query` makes of its tables."""
