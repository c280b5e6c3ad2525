# SPDX-License-Identifier: Apache-2.0
"""Full-text search with facets over the metadata of the mesh; values are never indexed (MC-20)."""
