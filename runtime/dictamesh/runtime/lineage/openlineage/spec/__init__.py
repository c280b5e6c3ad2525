# SPDX-License-Identifier: Apache-2.0
"""Schemas of the OpenLineage specification, as published."""
