# SPDX-License-Identifier: Apache-2.0
"""Files: CSV, JSON, JSON Lines and Parquet through a locked-down DuckDB."""
