# SPDX-License-Identifier: Apache-2.0
"""What other tools read of a plan: JSON Schema, SQL, dbt, AsyncAPI. Pure functions over plans."""
