# SPDX-License-Identifier: Apache-2.0
"""OpenLineage: events that the mesh sends, and the reading of events that others send. Pure; no event holds a value."""
