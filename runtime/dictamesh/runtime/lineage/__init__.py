# SPDX-License-Identifier: Apache-2.0
"""Where values come from and where they go: column lineage of a plan, and the events of OpenLineage."""
